"""Figures estimated from draws, each with its error.

Quantiles are order statistics (the inverse of the empirical distribution function), never
interpolated: settlements have atoms, and an amount between two of them is an amount that nobody
can owe. Their limits are distribution-free (binomial ranks). What the draws cannot support is
refused with the number of draws that would.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import bdtr, bdtrik, betaincinv, ndtri, stdtrit

from simdc.errors import InputError, SimdcError

__all__ = [
    "CONFIDENCE",
    "MOMENT_DRAWS",
    "UNSUPPORTED",
    "Estimate",
    "UnsupportedEstimate",
    "draws_needed",
    "expected_excess",
    "mean",
    "mean_excess",
    "moments",
    "normal_limits",
    "probability",
    "quantile",
    "standard_deviation",
    "tail_mean",
]

Array: TypeAlias = NDArray[np.float64]

# A result asks for the same places among as many draws for each of its lines and tracks, and a
# sweep for each of its points.
_remembered = lru_cache(maxsize=1024)

CONFIDENCE = 0.95
"""Confidence of limits unless another is asked for."""

MOMENT_DRAWS = 30
"""Fewest draws from which a mean or a standard deviation is reported. Their errors are estimated
from the same draws, and from a handful of them they mean nothing: two draws always give a standard
deviation an error of zero."""

_TAIL_DRAWS = 10  # fewest draws beyond a level from which an average beyond it is reported


class Estimate(NamedTuple):
    """A figure, its confidence limits and its standard error."""

    value: float
    low: float
    high: float
    standard_error: float


UNSUPPORTED = Estimate(math.nan, math.nan, math.nan, math.nan)
"""Stands in tables for an estimate that was refused."""


class UnsupportedEstimate(SimdcError):  # noqa: N818 - a refusal, not a fault
    """The draws cannot support a figure.

    Attributes
    ----------
    draws : int
        How many there are.
    needed : int or None
        How many would do; None when that cannot be said.
    """

    def __init__(self, what: str, draws: int, needed: int | None) -> None:
        self.draws = draws
        self.needed = needed
        remedy = "" if needed is None else f"; it takes {needed:,} draws or more"
        super().__init__(
            f"{draws:,} draw{'' if draws == 1 else 's'} cannot support {what}{remedy}."
        )


@_remembered
def draws_needed(p: float, confidence: float = CONFIDENCE) -> int:
    """Fewest draws whose smallest and largest are limits of the quantile at `p`.

    The largest of n draws falls below the quantile with probability ``p**n``, the smallest above
    it with probability ``(1 - p)**n``; both must be at most ``(1 - confidence) / 2``.

    Raises
    ------
    InputError
        When `p` or `confidence` is not strictly between 0 and 1.
    """
    _check_fraction("a level", p)
    _check_fraction("a confidence", confidence)
    return math.ceil(math.log(_outside(confidence)) / math.log(max(p, 1.0 - p)))


def quantile(
    sample: ArrayLike, p: float, *, confidence: float = CONFIDENCE, is_sorted: bool = False
) -> Estimate:
    """The smallest draw that a share `p` of all draws does not exceed.

    Parameters
    ----------
    sample : array_like of shape (draw,)
    p : float
        Strictly between 0 and 1.
    confidence : float, optional
        Of the distribution-free limits. Atoms only make them wider than asked.
    is_sorted : bool, optional
        Whether `sample` is in rising order, which spares the search.

    Returns
    -------
    Estimate
        The standard error is that of a normal law with limits as far apart.

    Raises
    ------
    UnsupportedEstimate
        With fewer than `draws_needed`.
    """
    values = _finite(sample, is_sorted=is_sorted)
    needed = draws_needed(p, confidence)
    if values.size < needed:
        raise UnsupportedEstimate(f"the {100 * p:g}% quantile", values.size, needed)
    ranks = _ranks(values.size, p, confidence)
    ordered = values if is_sorted else np.partition(values, ranks)
    low, value, high = (float(ordered[rank]) for rank in ranks)
    return Estimate(value, low, high, (high - low) / (2.0 * _normal_width(confidence)))


def mean(sample: ArrayLike, *, confidence: float = CONFIDENCE) -> Estimate:
    """The average, with Student's t limits.

    Raises
    ------
    UnsupportedEstimate
        With fewer than `MOMENT_DRAWS`.
    """
    values = _at_least(MOMENT_DRAWS, "a mean with its error", _finite(sample))
    return _mean_of(values, confidence)


def standard_deviation(sample: ArrayLike, *, confidence: float = CONFIDENCE) -> Estimate:
    """The standard deviation; its error comes from the fourth moment, so heavy tails count.

    Raises
    ------
    UnsupportedEstimate
        With fewer than `MOMENT_DRAWS`.
    """
    values = _at_least(MOMENT_DRAWS, "a standard deviation", _finite(sample))
    return _deviation_of((values - values.mean()) ** 2, confidence)


def moments(sample: ArrayLike, *, confidence: float = CONFIDENCE) -> tuple[Estimate, Estimate]:
    """`mean` and `standard_deviation`, sharing what both are worked out from.

    Raises
    ------
    UnsupportedEstimate
        With fewer than `MOMENT_DRAWS`.
    """
    values = _at_least(MOMENT_DRAWS, "a mean with its error", _finite(sample))
    centre = values.mean()
    squares = (values - centre) ** 2
    deviation = _deviation_of(squares, confidence)
    return _mean_with(float(centre), deviation.value, values.size, confidence), deviation


def _deviation_of(squares: Array, confidence: float) -> Estimate:
    """The standard deviation from squared distances to the mean."""
    value = math.sqrt(float(squares.sum()) / (squares.size - 1))
    if value == 0.0:
        return Estimate(0.0, 0.0, 0.0, 0.0)
    error = float(squares.std()) / (2.0 * value * math.sqrt(squares.size))
    return normal_limits(value, error, confidence, floor=0.0)


def probability(count: int, n: int, *, confidence: float = CONFIDENCE) -> Estimate:
    """The probability of what happened in `count` of `n` draws, with Clopper-Pearson limits.

    Raises
    ------
    UnsupportedEstimate
        Without draws.
    ValueError
        When `count` is not between 0 and `n`.
    """
    if n < 1:
        raise UnsupportedEstimate("a probability", n, 1)
    if not 0 <= count <= n:
        raise ValueError(f"{count} of {n} draws")
    outside = _outside(confidence)
    share = count / n
    low = float(betaincinv(count, n - count + 1, outside)) if count > 0 else 0.0
    high = float(betaincinv(count + 1, n - count, 1.0 - outside)) if count < n else 1.0
    return Estimate(share, low, high, math.sqrt(share * (1.0 - share) / n))


def tail_mean(
    sample: ArrayLike, p: float, *, confidence: float = CONFIDENCE, is_sorted: bool = False
) -> Estimate:
    """The average of the largest share ``1 - p`` of the draws (tail value at risk).

    With an atom at the quantile q only as much of it counts as fills that share:
    ``q + E[(X - q)+] / (1 - p)`` (Rockafellar and Uryasev, 2002). The error is that of the
    influence function.

    Raises
    ------
    UnsupportedEstimate
        When the quantile is not supported, or fewer than ten draws lie in the tail.
    """
    values = _finite(sample, is_sorted=is_sorted)
    needed = max(draws_needed(p, confidence), math.ceil(_TAIL_DRAWS / (1 - Fraction(str(p)))))
    _at_least(needed, f"the average beyond the {100 * p:g}% quantile", values)
    rank = _rank(values.size, p)
    edge = float((values if is_sorted else np.partition(values, rank))[rank])
    beyond, deviation = _mean_and_deviation(np.maximum(values - edge, 0.0) / (1.0 - p))
    error = deviation / math.sqrt(values.size)
    return normal_limits(edge + beyond, error, confidence, floor=edge)


def expected_excess(
    sample: ArrayLike, threshold: float, *, confidence: float = CONFIDENCE
) -> Estimate:
    """The average over all draws of what exceeds a threshold, zero where nothing does.

    Where no draw exceeds the threshold the value and its low limit are 0 and the rest is NaN:
    nothing tells how large an excess could be.

    Raises
    ------
    UnsupportedEstimate
        With fewer than `MOMENT_DRAWS`.
    """
    values = _at_least(MOMENT_DRAWS, "an expected excess", _finite(sample))
    excess = np.maximum(values - threshold, 0.0)
    if not excess.any():
        return Estimate(0.0, 0.0, math.nan, math.nan)
    value, deviation = _mean_and_deviation(excess)
    error = deviation / math.sqrt(excess.size)
    return normal_limits(value, error, confidence, floor=0.0)


def mean_excess(sample: ArrayLike, threshold: float, *, confidence: float = CONFIDENCE) -> Estimate:
    """The average of what exceeds a threshold, over the draws where something does.

    Raises
    ------
    UnsupportedEstimate
        When fewer than ten draws exceed the threshold.
    """
    values = _finite(sample)
    excess = values[values > threshold] - threshold
    if excess.size < _TAIL_DRAWS:
        raise UnsupportedEstimate(f"the average excess over {threshold:,.0f}", values.size, None)
    return _mean_of(excess, confidence)


def normal_limits(
    value: float, error: float, confidence: float = CONFIDENCE, *, floor: float = -math.inf
) -> Estimate:
    """An estimate whose error is normal; its low limit is never below the floor."""
    width = _normal_width(confidence) * error
    return Estimate(value, max(value - width, floor), value + width, error)


def _finite(sample: ArrayLike, *, is_sorted: bool = False) -> Array:
    values = np.asarray(sample, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"a sample has one dimension, not {values.ndim}")
    # Sorting puts whatever is not finite at the ends.
    if is_sorted and values.size and math.isfinite(values[0]) and math.isfinite(values[-1]):
        return values
    wrong = values.size - int(np.count_nonzero(np.isfinite(values)))
    if wrong:
        raise SimdcError(
            f"{wrong:,} of {values.size:,} draws are not finite numbers; the usual cause is an "
            "input so large that a cost overflows."
        )
    return values


def _mean_and_deviation(values: Array) -> tuple[float, float]:
    """As ``mean`` and ``std(ddof=1)`` give them, to the bit, but the mean worked out once."""
    centre = values.mean()
    squares = (values - centre) ** 2
    return float(centre), math.sqrt(float(squares.sum()) / (values.size - 1))


def _mean_of(values: Array, confidence: float) -> Estimate:
    return _mean_with(*_mean_and_deviation(values), values.size, confidence)


def _mean_with(value: float, deviation: float, n: int, confidence: float) -> Estimate:
    """A mean of `n` draws with Student's t limits, given their standard deviation."""
    error = deviation / math.sqrt(n)
    width = _student_width(n - 1, confidence) * error
    return Estimate(value, value - width, value + width, error)


def _at_least(needed: int, what: str, values: Array) -> Array:
    if values.size < needed:
        raise UnsupportedEstimate(what, values.size, needed)
    return values


def _check_fraction(what: str, value: float) -> None:
    if not 0.0 < value < 1.0:
        raise InputError(
            f"{what} must lie strictly between 0 and 1, written as a fraction (99% is 0.99), "
            f"not {value:g}"
        )


def _outside(confidence: float) -> float:
    """Probability left outside two-sided limits, on each side."""
    return (1.0 - confidence) / 2.0


@_remembered
def _normal_width(confidence: float) -> float:
    return float(ndtri(1.0 - _outside(confidence)))


@_remembered
def _student_width(freedom: int, confidence: float) -> float:
    return float(stdtrit(freedom, 1.0 - _outside(confidence)))


@_remembered
def _rank(n: int, p: float) -> int:
    """Place, from 0, of the quantile among `n` draws in rising order.

    `p` is taken as written: 0.07 of 100 draws is 7 of them, though 0.07 * 100 exceeds 7 in
    floating point.
    """
    return math.ceil(Fraction(str(p)) * n) - 1


@_remembered
def _ranks(n: int, p: float, confidence: float) -> tuple[int, int, int]:
    """Places of the low limit, the quantile and the high limit.

    The number of draws up to the quantile is binomial, so the draw at place k (from 0) lies above
    it with probability P(B <= k), and below it with probability P(B > k).
    """
    outside = _outside(confidence)
    low = _binomial_quantile(outside, n, p) - 1
    high = _binomial_quantile(1.0 - outside, n, p)
    return max(low, 0), _rank(n, p), min(high, n - 1)


def _binomial_quantile(probability: float, n: int, p: float) -> int:
    """Least k with P(B <= k) of at least a probability, for B binomial with n and p.

    As in ``scipy.stats``, whose import alone would take longer than a small run.
    """
    k = max(math.ceil(bdtrik(probability, n, p)), 0)
    return k - 1 if k > 0 and bdtr(k - 1, n, p) >= probability else k
