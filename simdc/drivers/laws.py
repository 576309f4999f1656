"""The distributions a driver can have, each as a function of a standard normal score.

A law maps a score z to its quantile at the probability Phi(z). Scores are what the copula
correlates, so every law is drawn the same way whether it is correlated or not.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr, ndtri, stdtrit

from simdc.drivers.quadrature import Rule, normal_rule

__all__ = [
    "BetaLaw",
    "Clipped",
    "Constant",
    "Law",
    "LognormalLaw",
    "NormalLaw",
    "Spiked",
    "Steps",
    "StudentTLaw",
    "TriangularLaw",
    "deviation_rule",
    "log_mean_excess",
]

Array = NDArray[np.float64]


class Law(ABC):
    """One driver's distribution.

    Attributes
    ----------
    describes_factor : bool
        Of a cost driver: the values are cost factors, rather than deviations on the log scale.
    has_steps : bool
        The quantile jumps.
    bounded : bool
        The bounds are part of the law, and not somewhere in its tails.
    """

    describes_factor: ClassVar[bool] = False
    has_steps: ClassVar[bool] = False
    bounded: ClassVar[bool] = False

    @abstractmethod
    def at(self, score: Array) -> Array:
        """Values at standard normal scores, same shape."""

    def rule(self) -> Rule:
        """Values and weights whose sum stands for an integral over the law."""
        scores, weights = normal_rule()
        return self.at(scores), weights

    @functools.cached_property
    def mean(self) -> float:
        """Mean of the values."""
        values, weights = self.rule()
        return float(weights @ values)

    @functools.cached_property
    def sd(self) -> float:
        """Standard deviation of the values."""
        values, weights = self.rule()
        return float(np.sqrt(weights @ (values - self.mean) ** 2))


@dataclass(frozen=True)
class Constant(Law):
    """Always the same value."""

    has_steps = True
    bounded = True

    value: float

    def at(self, score: Array) -> Array:
        """The value, as often as there are scores."""
        return np.full_like(score, self.value)

    def rule(self) -> Rule:
        """One point."""
        return np.array([self.value]), np.ones(1)


@dataclass(frozen=True)
class NormalLaw(Law):
    """Normal."""

    location: float
    scale: float

    def at(self, score: Array) -> Array:
        """Location and scale applied to the score itself."""
        return self.location + self.scale * score


@dataclass(frozen=True)
class LognormalLaw(Law):
    """Lognormal, by the mean and the coefficient of variation of the factor."""

    describes_factor = True

    factor_mean: float
    cv: float

    def at(self, score: Array) -> Array:
        """Exponential of a normal whose sd is sqrt(log(1 + cv^2))."""
        variance = math.log1p(self.cv**2)
        values = math.sqrt(variance) * score
        values += math.log(self.factor_mean) - 0.5 * variance
        return np.exp(values, out=values)


@dataclass(frozen=True)
class StudentTLaw(Law):
    """Student t without its outermost 1e-9 on either side, so that exp of it has a mean."""

    CUT: ClassVar[float] = 1e-9

    location: float
    scale: float
    degrees_of_freedom: float

    def at(self, score: Array) -> Array:
        """Quantile within the kept part."""
        probability = ndtr(score)
        probability *= 1.0 - 2.0 * self.CUT
        probability += self.CUT
        values: Array = stdtrit(self.degrees_of_freedom, probability, out=probability)
        values *= self.scale
        values += self.location
        return values


@dataclass(frozen=True)
class BetaLaw(Law):
    """Beta, stretched to lie between low and high."""

    bounded = True

    alpha: float
    beta: float
    low: float = 0.0
    high: float = 1.0

    @classmethod
    def from_moments(cls, mean: float, sd: float) -> BetaLaw:
        """The beta on [0, 1] of a given mean and standard deviation."""
        size = mean * (1.0 - mean) / sd**2 - 1.0
        return cls(mean * size, (1.0 - mean) * size)

    def at(self, score: Array) -> Array:
        """Inverse of the regularised incomplete beta function."""
        probability = ndtr(score)
        values: Array = betaincinv(self.alpha, self.beta, probability, out=probability)
        values *= self.high - self.low
        values += self.low
        return values


@dataclass(frozen=True)
class TriangularLaw(Law):
    """Triangular."""

    bounded = True

    low: float
    mode: float
    high: float

    def at(self, score: Array) -> Array:
        """Inverse of the piecewise quadratic distribution function."""
        span = self.high - self.low
        rising = self.low + np.sqrt(ndtr(score) * (span * (self.mode - self.low)))
        falling = self.high - np.sqrt(ndtr(-score) * (span * (self.high - self.mode)))
        return np.where(rising < self.mode, rising, falling)

    def rule(self) -> Rule:
        """Exact pieces on either side of the mode, where the density bends."""
        node, weight = np.polynomial.legendre.leggauss(16)
        peak = 2.0 / (self.high - self.low)
        pieces = []
        for end in (self.low, self.high):
            width = abs(self.mode - end)
            towards_mode = 0.5 * (1.0 + node)
            values = end + (self.mode - end) * towards_mode
            pieces.append((values, 0.5 * width * peak * weight * towards_mode))
        values, weights = (np.concatenate(part) for part in zip(*pieces, strict=True))
        return values, weights


@dataclass(frozen=True, eq=False)
class Steps(Law):
    """Finitely many values, rising, with their probabilities."""

    has_steps = True
    bounded = True

    values: Array
    probabilities: Array

    @classmethod
    def of(cls, values: Sequence[float] | Array, weights: Sequence[float] | Array) -> Steps:
        """Sort the values, leave out those of weight zero and make the weights sum to 1."""
        order = [i for i in np.argsort(values, kind="stable") if weights[i] > 0.0]
        share = np.asarray(weights, dtype=np.float64)[order]
        return cls(np.asarray(values, dtype=np.float64)[order], share / share.sum())

    def at(self, score: Array) -> Array:
        """Smallest value whose cumulative probability exceeds Phi(score)."""
        upper_edges = np.cumsum(self.probabilities)[:-1]  # the last value takes all that is left
        return self.values[np.searchsorted(upper_edges, ndtr(score), side="right")]

    def rule(self) -> Rule:
        """The values and probabilities themselves."""
        return self.values, self.probabilities


@dataclass(frozen=True)
class Clipped(Law):
    """A law whose values outside an interval are moved to its ends."""

    bounded = True

    law: Law
    low: float
    high: float

    def at(self, score: Array) -> Array:
        """The law's values, clipped."""
        values = self.law.at(score)
        return np.clip(values, self.low, self.high, out=values)


@dataclass(frozen=True)
class Spiked(Law):
    """A law whose highest value has a probability of its own, on top of the rest."""

    has_steps = True
    bounded = True

    law: Law
    spike: float
    high: float

    def at(self, score: Array) -> Array:
        """The rest of the law below the spike, which takes the highest scores."""
        probability = ndtr(score) / (1.0 - self.spike)
        values = self.law.at(ndtri(np.minimum(probability, 1.0)))
        values[probability >= 1.0] = self.high
        return values

    def rule(self) -> Rule:
        """The rest of the law, and the spike."""
        values, weights = self.law.rule()
        return np.append(values, self.high), np.append((1.0 - self.spike) * weights, self.spike)


def deviation_rule(law: Law) -> Rule:
    """A cost driver's law on the log scale, whichever scale its values are on."""
    values, weights = law.rule()
    return (np.log(values) if law.describes_factor else values), weights


def log_mean_excess(law: Law) -> float:
    """How far the mean of exp(x) lies above exp(mean x), on the log scale: log E exp(x - E x).

    Half the variance for a normal law. Zero for a law of the factor itself, whose mean is as given.
    """
    if law.describes_factor:
        return 0.0
    values, weights = law.rule()
    return float(np.log(weights @ np.exp(values - law.mean)))
