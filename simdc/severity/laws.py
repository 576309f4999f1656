"""The families of cost given that there is any, each by its quantiles and upper moments.

Every law has mean one. Two closed forms are all that a severity needs: the quantile at a survival
probability, and the moments of the part above a cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from simdc.severity_table import body_edges, tail_edges

__all__ = ["GeneralisedGamma", "Law", "Lognormal", "ParetoSplice", "PiecewiseLinear", "pooled"]

Floats: TypeAlias = NDArray[np.float64]


class Law(Protocol):
    """Distribution of cost given that there is a cost; positive, mean one."""

    def isf(self, u: Floats) -> Floats:
        """Cost that is exceeded with probability ``u``, for ``u`` from 0 to 1."""

    def upper_moment(self, order: int, x: Floats) -> Floats:
        """E[X**order; X > x] for ``x`` >= 0; order 0 is the survival function."""


@dataclass(frozen=True)
class GeneralisedGamma:
    """X = scale * G**(1/c) with G gamma(a); a = 1 is the Weibull, c = 1 the gamma."""

    a: float
    c: float

    @property
    def _scale(self) -> float:
        return math.exp(math.lgamma(self.a) - math.lgamma(self.a + 1 / self.c))

    def isf(self, u: Floats) -> Floats:
        quantile = special.gammainccinv(self.a, u)
        return np.asarray(self._scale * quantile ** (1 / self.c))

    def upper_moment(self, order: int, x: Floats) -> Floats:
        log_moment = (
            math.lgamma(self.a + order / self.c)
            + (order - 1) * math.lgamma(self.a)
            - order * math.lgamma(self.a + 1 / self.c)
        )
        above = special.gammaincc(self.a + order / self.c, (x / self._scale) ** self.c)
        return np.asarray(math.exp(log_moment) * above)


@dataclass(frozen=True)
class Lognormal:
    """Logarithm normal with standard deviation ``sigma``."""

    sigma: float

    def isf(self, u: Floats) -> Floats:
        return np.asarray(np.exp(-self.sigma * special.ndtri(u) - self.sigma**2 / 2))

    def upper_moment(self, order: int, x: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            z = (np.log(x) + self.sigma**2 / 2) / self.sigma
        moment = math.exp(order * (order - 1) * self.sigma**2 / 2)
        return np.asarray(moment * special.ndtr(order * self.sigma - z))


@dataclass(frozen=True)
class ParetoSplice:
    """A body whose costliest part, of probability ``share``, follows a Pareto tail instead.

    The quantile function is continuous at the splice; the whole is rescaled to mean one.
    """

    body: Law
    share: float
    index: float

    @property
    def _threshold(self) -> float:
        return float(self.body.isf(np.asarray(self.share)))

    def _tail_moment(self, order: int, x: Floats) -> Floats:
        """E[X**order; X > x] for ``x`` from the threshold on, before rescaling."""
        if order >= self.index:
            return np.full(np.shape(x), np.inf)
        ratio = self.index / (self.index - order)
        at_threshold = self.share * ratio * self._threshold**order
        return np.asarray(at_threshold * (x / self._threshold) ** (order - self.index))

    @property
    def _mean(self) -> float:
        at = np.asarray(self._threshold)
        return float(1 - self.body.upper_moment(1, at) + self._tail_moment(1, at))

    def isf(self, u: Floats) -> Floats:
        with np.errstate(divide="ignore"):
            tail = self._threshold * (u / self.share) ** (-1 / self.index)
        return np.where(u < self.share, tail, self.body.isf(u)) / self._mean

    def upper_moment(self, order: int, x: Floats) -> Floats:
        at, threshold = x * self._mean, np.asarray(self._threshold)
        tail = self._tail_moment(order, np.maximum(at, threshold))
        below = np.minimum(at, threshold)
        body = self.body.upper_moment(order, below) - self.body.upper_moment(order, threshold)
        return np.asarray((body + tail) / self._mean**order)


@dataclass(frozen=True, eq=False)
class PiecewiseLinear:
    """Quantile function made of falling straight lines over steps of survival probability.

    Attributes
    ----------
    edges : array of shape (step + 1,)
        From 0 to 1.
    high, low : array of shape (step,)
        Cost at the left and right end of each step; falling, with ``low[k] >= high[k + 1]``.
    """

    edges: Floats
    high: Floats
    low: Floats

    def isf(self, u: Floats) -> Floats:
        step = np.searchsorted(self.edges, u, side="right") - 1
        step = np.clip(step, 0, len(self.high) - 1)
        along = (u - self.edges[step]) / (self.edges[step + 1] - self.edges[step])
        return np.asarray(self.high[step] + (self.low[step] - self.high[step]) * along)

    def upper_moment(self, order: int, x: Floats) -> Floats:
        steps = np.arange(self.high.size)
        whole = self._moment(order, steps, np.ones(steps.size))
        before = np.concatenate(([0.0], np.cumsum(whole)))
        # The steps above x in full, then the part of the next one that still is.
        full = np.searchsorted(-self.low, -x, side="left")
        step = np.minimum(full, steps[-1])
        fall = self.high[step] - self.low[step]
        part = np.clip((self.high[step] - x) / np.where(fall > 0, fall, np.inf), 0, 1)
        return np.asarray(before[full] + self._moment(order, step, (full == step) * part))

    def _moment(self, order: int, step: NDArray[np.intp], part: Floats) -> Floats:
        """Integral of cost**order, order 0 to 2, over the first part of each step."""
        width = (self.edges[step + 1] - self.edges[step]) * part
        fall = (self.high[step] - self.low[step]) * part
        middle = self.high[step] - fall / 2
        return width * (middle**order + (fall**2 / 12 if order == 2 else 0.0))


def pooled(costs: Floats, some: float) -> PiecewiseLinear:
    """Falling positive costs of mean one, as lines over the cells of a quantile table."""
    cells = np.concatenate((np.unique(tail_edges()) * 2.0**-64, body_edges()[1:] * 2.0**-32))
    edges = np.append(cells[cells < some] / some, 1.0)
    n = costs.size
    total = np.interp(edges, np.arange(n + 1) / n, np.append(0.0, np.cumsum(costs)) / n)
    first = np.minimum((edges[:-1] * n).astype(np.int64), n - 1)
    last = np.clip(np.ceil(edges[1:] * n).astype(np.int64) - 1, first, n - 1)
    # Clipping to the step's own costs keeps the steps in order in spite of rounding.
    highest, lowest = costs[first], costs[last]
    mean = np.clip(np.diff(total) / np.diff(edges), lowest, highest)
    reach = np.minimum(highest - mean, mean - lowest)
    return PiecewiseLinear(
        edges, np.minimum(mean + reach, highest), np.maximum(mean - reach, lowest)
    )
