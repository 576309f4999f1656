"""Gaussian-copula correlation between drivers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from simdc.errors import InputError, Problem, nearest

__all__ = ["check_correlation", "correlate", "lower_factor"]

Array = NDArray[np.float64]

_TOLERANCE = 1e-9


def check_correlation(
    names: Sequence[str],
    matrix: Sequence[Sequence[float]],
    *,
    allowed: Collection[str] | None = None,
) -> Array:
    """A correlation matrix that a scenario gives, or one sentence about what is wrong with it.

    Parameters
    ----------
    names : sequence of str
        Drivers, one for each row and column.
    matrix : sequence of sequences of float
        Correlations of the normal scores.
    allowed : collection of str, optional
        Drivers that may be correlated, if not any.

    Returns
    -------
    float64 array of shape (driver, driver)

    Raises
    ------
    InputError
        For a driver that is unknown or named twice, a matrix of another size, an asymmetric one,
        a diagonal other than 1, or correlations that contradict each other.
    """
    for position, name in enumerate(names):
        where = f"drivers.correlation.drivers[{position}]"
        if allowed is not None and name not in allowed:
            raise InputError(
                Problem(
                    f"names a driver that is not in the scenario; those that are: "
                    f"{', '.join(allowed) or 'none'}",
                    where,
                    f"'{name}'",
                    nearest(name, allowed),
                )
            )
        if name in names[:position]:
            raise InputError(Problem("names a driver for the second time", where, f"'{name}'"))

    path = "drivers.correlation.matrix"
    size = len(names)
    if len(matrix) != size or any(len(row) != size for row in matrix):
        raise InputError(
            Problem(f"must have one row and one column for each of the {size} drivers", path)
        )
    correlation = np.array(matrix, dtype=np.float64).reshape(size, size)
    for i in range(size):
        if not abs(correlation[i, i] - 1.0) <= _TOLERANCE:
            raise InputError(
                Problem("must have 1 on the diagonal", f"{path}[{i}][{i}]", f"{matrix[i][i]:g}")
            )
        for j in range(i):
            if not -1.0 <= correlation[i, j] <= 1.0:
                raise InputError(
                    Problem(
                        "must be a correlation between -1 and 1",
                        f"{path}[{i}][{j}]",
                        f"{matrix[i][j]:g}",
                    )
                )
            if not abs(correlation[i, j] - correlation[j, i]) <= _TOLERANCE:
                raise InputError(
                    Problem(
                        f"must be symmetric, but its mirror [{j}][{i}] is {matrix[j][i]:g}",
                        f"{path}[{i}][{j}]",
                        f"{matrix[i][j]:g}",
                    )
                )
    smallest = float(np.linalg.eigvalsh(correlation)[0]) if size else 0.0
    if smallest < -_TOLERANCE:
        raise InputError(
            Problem(
                "must be positive semidefinite: these correlations contradict each other "
                f"(smallest eigenvalue {smallest:.3g})",
                path,
            )
        )
    return correlation


def lower_factor(correlation: Array) -> Array:
    """Lower triangular L with L L' = correlation, for semidefinite matrices too.

    Cholesky's columns, with a column of zeros where nothing is left to explain. Row i rests on
    rows before it alone, so a further driver changes none of the earlier ones.
    """
    size = len(correlation)
    lower = np.zeros_like(correlation)
    for j in range(size):
        rest = correlation[j:, j] - lower[j:, :j] @ lower[j, :j]
        if rest[0] > _TOLERANCE:
            lower[j:, j] = rest / np.sqrt(rest[0])
    return lower


def correlate(lower: Array, scores: Sequence[Array]) -> None:
    """Turn independent scores into correlated ones, in place.

    Parameters
    ----------
    lower : array of shape (driver, driver)
        Lower triangular factor of the correlation matrix.
    scores : sequence of arrays of shape (draw,)
        One for each driver.
    """
    # Last row first, so that the rows it needs are still the independent ones. Element by
    # element and in a fixed order, so that no bit depends on how many draws are made at once.
    for i in reversed(range(len(scores))):
        scores[i][...] *= lower[i, i]
        for j in range(i):
            if lower[i, j] != 0.0:
                scores[i][...] += lower[i, j] * scores[j]
