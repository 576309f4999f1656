"""Sums that stand for integrals over a law: points and weights, few and exact.

A rule is a pair of arrays of shape (point,), values and weights, the weights summing to 1.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eig_banded
from scipy.special import ndtri

__all__ = ["Rule", "add_rules", "gauss_rule", "inner", "normal_rule", "score_rule"]

Array = NDArray[np.float64]
Rule = tuple[Array, Array]

_REACH = 9.5  # standard deviations; a normal law has 2e-21 beyond
_PANEL_POINTS = 16
_HERMITE_POINTS = 40
_LATTICE_POINTS = 1 << 16
_SHORT = 8192  # a vector that BLAS leaves in one piece


@functools.cache
def normal_rule() -> Rule:
    """Standard normal scores, by Gauss-Legendre on panels one standard deviation wide.

    Panels rather than Gauss-Hermite: exact for polynomials and also good for the quantiles of
    heavy-tailed or bounded laws as functions of the score.
    """
    node, weight = np.polynomial.legendre.leggauss(_PANEL_POINTS)
    midpoints = np.arange(-_REACH + 0.5, _REACH)
    scores = (midpoints[:, None] + 0.5 * node).ravel()
    weights = np.tile(weight, midpoints.size) * np.exp(-0.5 * scores**2)
    return scores, weights / weights.sum()


def score_rule(dimensions: int, *, smooth: bool) -> tuple[Array, Array]:
    """Independent standard normal scores in a few dimensions.

    Parameters
    ----------
    dimensions : int
        How many scores.
    smooth : bool
        True for a product of Gauss-Hermite rules; False, for integrands with steps, for an
        equal-weight Kronecker lattice (error about 1e-5).

    Returns
    -------
    scores : array of shape (dimensions, point)
    weights : array of shape (point,)
    """
    if smooth:
        node, weight = np.polynomial.hermite_e.hermegauss(_HERMITE_POINTS)
        weight = weight / weight.sum()
        scores = np.stack(np.meshgrid(*[node] * dimensions, indexing="ij"))
        weights = functools.reduce(np.multiply.outer, [weight] * dimensions)
        return scores.reshape(dimensions, -1), np.ravel(weights)

    # Steps of the generalised golden ratio: the root of g^(dimensions + 1) = g + 1.
    golden = 2.0
    for _ in range(60):
        golden = (1.0 + golden) ** (1.0 / (dimensions + 1))
    steps = golden ** -np.arange(1.0, dimensions + 1)
    uniform = (0.5 + np.outer(steps, np.arange(_LATTICE_POINTS))) % 1.0
    return ndtri(uniform), np.full(_LATTICE_POINTS, 1.0 / _LATTICE_POINTS)


def inner(first: Array, second: Array) -> float:
    """Inner product of two vectors, the same to the bit however many threads BLAS may use.

    BLAS cuts long vectors up among its threads, which also makes it slow where others compute.
    """
    if first.size <= _SHORT:
        return float(first @ second)
    return float(np.einsum("i,i->", first, second))


def gauss_rule(rule: Rule, points: int) -> Rule:
    """The rule of few points that integrates every polynomial up to degree 2 points - 1 alike.

    Lanczos recurrence on the discrete measure, with full reorthogonalisation; the points are the
    eigenvalues of its tridiagonal matrix (Golub and Welsch, 1969).

    Parameters
    ----------
    rule : pair of arrays
        Any number of points.
    points : int
        At most this many come back; fewer when the measure has fewer distinct points.
    """
    values, weights = rule
    weights = weights / weights.sum()
    mean = inner(weights, values)
    sd = float(np.sqrt(inner(weights, (values - mean) ** 2)))
    if sd <= 1e-15 * max(1.0, abs(mean)):
        return np.array([mean]), np.ones(1)

    standard = (values - mean) / sd
    basis = [np.sqrt(weights)]
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    while True:
        image = standard * basis[-1]
        diagonal.append(inner(basis[-1], image))
        for _ in range(2):  # once more, against rounding
            for vector in basis:
                image -= inner(vector, image) * vector
        length = float(np.sqrt(inner(image, image)))
        if len(basis) == points or length < 1e-10:
            break
        off_diagonal.append(length)
        basis.append(image / length)
    # As a band: where the matrix is taken for a full one, BLAS's threads wait for each other.
    eigenvalues, vectors = eig_banded((diagonal, [*off_diagonal, 0.0]), lower=True)
    reduced = vectors[0] ** 2
    return mean + sd * np.asarray(eigenvalues, dtype=np.float64), reduced / reduced.sum()


def add_rules(first: Rule, second: Rule) -> Rule:
    """The rule of the sum of two independent quantities."""
    values = np.add.outer(first[0], second[0])
    weights = np.multiply.outer(first[1], second[1])
    return values.ravel(), weights.ravel()
