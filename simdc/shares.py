"""What one source of uncertainty has to do with an outcome, estimated from draws of both."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simdc.estimate import Estimate, UnsupportedEstimate, normal_limits, quantile

__all__ = [
    "change_of_quantile",
    "draws_for_worst",
    "explained_share",
    "mean_in_worst",
    "removed_share",
]

Array: TypeAlias = NDArray[np.float64]

_GROUPS = 32  # the curvature of any smooth relation within one of so many groups is of no account
_DRAWS_PER_GROUP = 50
_WORST_DRAWS = 10  # fewest from which an average over the worst is reported


def explained_share(outcome: Array, source: Array) -> Estimate:
    """Share of the variance of an outcome that one source explains, Var E[Y | X] / Var Y.

    Parameters
    ----------
    outcome, source : array of shape (draw,)
        A source with few distinct values is grouped by them; any other by its rank, with a
        straight line within each group.

    Returns
    -------
    Estimate
        Without bias for no effect, so that it may fall slightly below 0. The error is that of the
        influence function.

    Raises
    ------
    UnsupportedEstimate
        With fewer than a hundred draws, or an outcome that does not vary.
    """
    _check_varies(outcome)
    residual, fitted = _around_lines(outcome, source)
    draws = outcome.size
    widened = math.sqrt((draws - 1) / (draws - fitted))
    return _one_less_ratio(residual * widened, outcome - outcome.mean())


def removed_share(outcome: Array, fixed: Array) -> Estimate:
    """Share of the variance that goes when a source is held at its mean, on the same draws.

    Negative where holding it leaves more variance than there was.

    Raises
    ------
    UnsupportedEstimate
        As `explained_share`.
    """
    _check_varies(outcome)
    return _one_less_ratio(fixed - fixed.mean(), outcome - outcome.mean())


def mean_in_worst(source: Array, outcome: Array, share: float) -> Estimate:
    """Mean of a source in the draws with the lowest outcomes.

    The error counts that the edge of the worst draws is itself estimated.

    Parameters
    ----------
    source, outcome : array of shape (draw,)
    share : float
        Share of the draws that are the worst.

    Raises
    ------
    UnsupportedEstimate
        When fewer than ten draws are the worst.
    """
    draws = outcome.size
    worst = round(share * draws)
    if draws < (needed := draws_for_worst(share)):
        raise UnsupportedEstimate(f"the mean in the worst {100 * share:g}%", draws, needed)
    order = np.argsort(outcome, kind="stable")
    value = float(source[order[:worst]].mean())
    at_edge = float(source[order[worst // 2 : worst + worst // 2]].mean())
    influence = np.zeros(draws)
    influence[:worst] = (source[order[:worst]] - at_edge) * (draws / worst)
    return normal_limits(value, float(influence.std()) / math.sqrt(draws))


def draws_for_worst(share: float) -> int:
    """Fewest draws that support a mean over this share of them."""
    return round(_WORST_DRAWS / share)


def change_of_quantile(before: Array, after: Array, p: float) -> Estimate:
    """Change of a quantile from one outcome to another on the same draws.

    Each quantile errs as much as its own distribution-free limits say, and both together as often
    as the draws beyond them are the same ones.

    Raises
    ------
    UnsupportedEstimate
        With fewer draws than a quantile needs.
    """
    first, second = quantile(before, p), quantile(after, p)
    beyond_first, beyond_second = before > first.value, after > second.value
    shares = beyond_first.mean(), beyond_second.mean()
    spread = math.sqrt(math.prod(share * (1.0 - share) for share in shares))
    together = float((beyond_first & beyond_second).mean()) - shares[0] * shares[1]
    correlation = together / spread if spread > 0.0 else 0.0
    errors = first.standard_error, second.standard_error
    variance = errors[0] ** 2 + errors[1] ** 2 - 2.0 * correlation * errors[0] * errors[1]
    return normal_limits(second.value - first.value, math.sqrt(max(variance, 0.0)))


def _check_varies(outcome: Array) -> None:
    needed = 2 * _DRAWS_PER_GROUP
    if outcome.size < needed:
        raise UnsupportedEstimate("shares of the variance", outcome.size, needed)
    if np.ptp(outcome) == 0.0:
        raise UnsupportedEstimate("shares of a variance of zero", outcome.size, None)


def _around_lines(outcome: Array, source: Array) -> tuple[Array, int]:
    """Residuals around the lines, and how many coefficients those have."""
    residual = np.empty_like(outcome)
    fitted = 0
    for members in _grouped(source):
        x, y = source[members], outcome[members]
        x = x - x.mean()
        here = y - y.mean()
        fitted += 1
        spread = float(x @ x)
        if np.ptp(source[members]) > 0.0 and spread > 0.0:
            here -= (float(x @ here) / spread) * x
            fitted += 1
        residual[members] = here
    return residual, fitted


def _grouped(source: Array) -> list[NDArray[np.intp]]:
    """Draws by the distinct values of the source, or by its rank where there are many."""
    distinct, which = np.unique(source, return_inverse=True)
    if distinct.size <= _GROUPS:
        return [np.flatnonzero(which == value) for value in range(distinct.size)]
    groups = min(_GROUPS, source.size // _DRAWS_PER_GROUP)
    return np.array_split(np.argsort(source, kind="stable"), groups)


def _one_less_ratio(left: Array, whole: Array) -> Estimate:
    """One less the ratio of two mean squares over the same draws."""
    squares, total = left**2, whole**2
    ratio = float(squares.mean() / total.mean())
    influence = (squares - ratio * total) / total.mean()
    error = float(influence.std()) / math.sqrt(total.size)
    return normal_limits(1.0 - ratio, error)
