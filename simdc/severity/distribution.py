"""A severity: mean one, zeros included, with the constructor of each family."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simdc.errors import InputError
from simdc.severity.laws import GeneralisedGamma, Law, Lognormal, ParetoSplice, pooled

__all__ = [
    "Severity",
    "empirical",
    "gamma",
    "generalised_gamma",
    "lognormal",
    "pareto_splice",
    "weibull",
]

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Severity:
    """Cost as a multiple of its expectation: mean one, years without cost included.

    Two with the same law are equal, so that what is worked out of one serves the other.

    Attributes
    ----------
    family : str
        Name of the family, as a scenario writes it.
    parameters : mapping of str to float
        Shape parameters, for the record.
    zero_probability : float
        Probability of no cost in the year.
    law : Law
        Distribution given that there is a cost, itself of mean one.
    """

    family: str
    parameters: Mapping[str, float] = field(compare=False)
    zero_probability: float
    law: Law

    def __post_init__(self) -> None:
        if not 0 <= self.zero_probability < 1:
            raise InputError("zero_probability must be at least 0 and below 1")

    @property
    def cv(self) -> float:
        """Coefficient of variation, zeros included; infinite where the variance is."""
        second = float(self.law.upper_moment(2, np.asarray(0.0)))
        return math.sqrt(max(second / (1 - self.zero_probability) - 1, 0.0))

    @property
    def description(self) -> str:
        """One line for reports: family, parameters and probability of zero."""
        figures = {**self.parameters, "zero probability": self.zero_probability}
        return f"{self.family}: " + ", ".join(f"{k} = {v:.6g}" for k, v in figures.items())

    def isf(self, v: ArrayLike) -> Floats:
        """Severity that is exceeded with probability ``v``.

        Parameters
        ----------
        v : array
            Survival probabilities; accurate to 2**-64 and below. The result is zero from
            1 - ``zero_probability`` on.
        """
        u = np.asarray(v, dtype=np.float64) / (1 - self.zero_probability)
        cost = self.law.isf(np.minimum(u, 1.0)) / (1 - self.zero_probability)
        return np.where(u < 1, cost, 0.0)

    def sf(self, x: ArrayLike) -> Floats:
        """Probability that severity exceeds ``x``."""
        at = np.asarray(x, dtype=np.float64)
        some = 1 - self.zero_probability
        survival = some * self.law.upper_moment(0, np.maximum(at, 0.0) * some)
        return np.where(at < 0, 1.0, survival)

    def mean_excess(self, r: ArrayLike) -> Floats:
        """Expected payout above a retention, E[(X - r)+], in multiples of expected cost.

        Parameters
        ----------
        r : array
            Retentions as multiples of expected cost.
        """
        retention = np.asarray(r, dtype=np.float64)
        some = 1 - self.zero_probability
        at = np.where(np.isposinf(retention), 0.0, np.maximum(retention, 0.0))
        above = self.law.upper_moment(1, at * some) - at * self.sf(at)
        excess = np.where(np.isposinf(retention), 0.0, np.maximum(above, 0.0))
        return excess + np.maximum(-retention, 0.0)

    def top_share(self, v: ArrayLike) -> Floats:
        """Share of all cost that the costliest part of the population holds.

        Parameters
        ----------
        v : array
            Part of the population, from 0 to 1.
        """
        part = np.asarray(v, dtype=np.float64)
        quantile = self.isf(np.maximum(part, np.finfo(float).tiny))
        # An error in the quantile drops out here to first order.
        share = np.minimum(self.mean_excess(quantile) + quantile * part, 1.0)
        return np.where(part > 0, share, 0.0)


def generalised_gamma(a: float, c: float, zero_probability: float = 0.0) -> Severity:
    """Generalised gamma, density proportional to x**(a c - 1) exp(-(x/s)**c).

    Parameters
    ----------
    a, c : float
        Shapes, above 0; ``scipy.stats.gengamma`` calls them the same.
    zero_probability : float
        Probability of no cost, at least 0 and below 1.
    """
    _positive(a=a, c=c)
    return Severity("generalised_gamma", {"a": a, "c": c}, zero_probability, GeneralisedGamma(a, c))


def weibull(shape: float, zero_probability: float = 0.0) -> Severity:
    """Weibull with the given shape; ``zero_probability`` is that of no cost."""
    _positive(shape=shape)
    return Severity("weibull", {"shape": shape}, zero_probability, GeneralisedGamma(1.0, shape))


def gamma(shape: float, zero_probability: float = 0.0) -> Severity:
    """Gamma with the given shape; ``zero_probability`` is that of no cost."""
    _positive(shape=shape)
    return Severity("gamma", {"shape": shape}, zero_probability, GeneralisedGamma(shape, 1.0))


def lognormal(sigma: float, zero_probability: float = 0.0) -> Severity:
    """Lognormal with log-scale deviation ``sigma``; ``zero_probability`` is that of no cost."""
    _positive(sigma=sigma)
    return Severity("lognormal", {"sigma": sigma}, zero_probability, Lognormal(sigma))


def pareto_splice(
    body: Severity, splice_probability: float, tail_index: float, zero_probability: float = 0.0
) -> Severity:
    """A body of another family whose costliest part follows a Pareto tail instead.

    Parameters
    ----------
    body : Severity
        Without zeros of its own.
    splice_probability : float
        Share of the whole population that lies in the tail.
    tail_index : float
        Pareto index, above 1; from 2 down the variance is infinite.
    zero_probability : float
        Probability of no cost.
    """
    if not 0 < splice_probability < 1 - zero_probability:
        raise InputError("splice_probability must be above 0 and below the probability of any cost")
    if not (math.isfinite(tail_index) and tail_index > 1):
        raise InputError("tail_index must be above 1: from 1 down the mean is infinite")
    if body.zero_probability:
        raise InputError("the body of a splice has no zero_probability: state it for the splice")
    share = splice_probability / (1 - zero_probability)
    parameters = {
        **body.parameters,
        "splice_probability": splice_probability,
        "tail_index": tail_index,
    }
    law = ParetoSplice(body.law, share, tail_index)
    return Severity(f"pareto_splice on {body.family}", parameters, zero_probability, law)


def empirical(costs: ArrayLike) -> Severity:
    """Costs as observed, divided by their mean; the zeros among them are kept.

    The costs of neighbouring ranks are pooled over steps of at most 1.6% in survival probability,
    each replaced by the steepest straight line that keeps the step's mean and stays within the
    step's own costs. No payout moves by more than a small part of the error with which so many
    observations can tell it.

    Parameters
    ----------
    costs : array
        Annual costs in any unit; finite, not negative, not all zero.
    """
    observed = np.sort(np.asarray(costs, dtype=np.float64).ravel())[::-1]
    if observed.size == 0:
        raise InputError("an empirical severity needs at least one cost")
    if not np.all(np.isfinite(observed)) or observed[-1] < 0:
        raise InputError("the costs of an empirical severity must be finite and not negative")
    if observed[0] == 0:
        raise InputError("the costs of an empirical severity must not all be zero")
    positive = observed[observed > 0]
    some = positive.size / observed.size
    law = pooled(positive / positive.mean(), some)
    parameters = {"observations": float(observed.size)}
    return Severity("empirical", parameters, 1 - some, law)


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} must be a finite number above 0")
