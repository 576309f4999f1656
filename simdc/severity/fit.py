"""Severities from published figures: a spread, or shares of spending.

Published shares and spreads describe a whole population, risk scores and all. A simulation that
also spreads expected cost by risk score must take that part out first; :func:`risk_cv` and
:func:`conditional_cv` divide the variance so that it is counted once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from simdc.errors import InputError
from simdc.severity.distribution import Severity, gamma, generalised_gamma, lognormal, weibull

__all__ = [
    "FITTED_C",
    "conditional_cv",
    "from_concentration",
    "from_cv",
    "member_with_cv",
    "risk_cv",
    "shape_names",
    "with_shapes",
]

Floats: TypeAlias = NDArray[np.float64]

FITTED_C = 0.693
"""Shape c that is kept when a generalised gamma is asked for by its spread alone.

It is the fit to the shares of Medicare fee-for-service spending, ages 65 and over, 2007-18, in
EClinicalMedicine (The Lancet) PIIS2589-5370(21)00153-X: the top 1, 5, 10, 20 and 50% hold 14.9,
41.5, 60.0, 79.1 and 95.7%.
"""


@dataclass(frozen=True)
class _Family:
    """A family by its shape parameters, each with the range in which it is searched."""

    build: Callable[..., Severity]
    ranges: Mapping[str, tuple[float, float]]
    start: tuple[float, ...]


_FAMILIES = {
    "generalised_gamma": _Family(
        generalised_gamma, {"a": (1e-4, 1e4), "c": (0.03, 1e3)}, (0.5, 0.7)
    ),
    "weibull": _Family(weibull, {"shape": (0.03, 1e3)}, (0.5,)),
    "gamma": _Family(gamma, {"shape": (1e-6, 1e4)}, (0.2,)),
    "lognormal": _Family(lognormal, {"sigma": (1e-3, 10.0)}, (1.4,)),
}


def risk_cv(total_cv: float, risk_share: float) -> float:
    """Spread of risk scores that explains a share of the variance of cost.

    Cost is risk score times severity, independent and each of mean one. With
    :func:`conditional_cv` the two spreads give the total:
    ``(1 + risk_cv**2) * (1 + conditional_cv**2) == 1 + total_cv**2``.

    Parameters
    ----------
    total_cv : float
        Coefficient of variation of cost across the population.
    risk_share : float
        Share of the variance of cost that the risk score explains (R squared), from 0 to below 1.
    """
    _check_total(total_cv, risk_share)
    return total_cv * math.sqrt(risk_share)


def conditional_cv(total_cv: float, risk_share: float) -> float:
    """Spread of severity given the risk score; parameters as in :func:`risk_cv`."""
    _check_total(total_cv, risk_share)
    return total_cv * math.sqrt((1 - risk_share) / (1 + risk_share * total_cv**2))


def shape_names(family: str) -> tuple[str, ...]:
    """Names of a family's shape parameters, in the order in which its constructor takes them."""
    return tuple(_FAMILIES[family].ranges)


def with_shapes(
    family: str, shapes: Mapping[str, float], zero_probability: float = 0.0
) -> Severity:
    """The member of a family with all its shape parameters given."""
    return _FAMILIES[family].build(**shapes, zero_probability=zero_probability)


def from_cv(family: str, cv: float, zero_probability: float = 0.0, **held: float) -> Severity:
    """The member of a family that has a given spread.

    Parameters
    ----------
    family : str
        ``generalised_gamma``, ``weibull``, ``gamma`` or ``lognormal``.
    cv : float
        Coefficient of variation, zeros included.
    zero_probability : float
        Probability of no cost.
    **held : float
        For a generalised gamma the shape to keep, ``a`` or ``c``; the other is solved. With
        neither, c is kept at ``FITTED_C``.

    Raises
    ------
    InputError
        If no member has that spread; the sentence says which spreads there are.
    """
    return member_with_cv(
        family, cv, lambda **shapes: with_shapes(family, shapes, zero_probability), **held
    )


def member_with_cv(
    family: str, cv: float, build: Callable[..., Severity], **held: float
) -> Severity:
    """As :func:`from_cv`, for a severity that ``build`` makes from the family's shapes.

    Parameters
    ----------
    build : callable
        From shape parameters by name to the severity that shall have the spread ``cv``, such as a
        splice with a body of this family.
    """
    if not (math.isfinite(cv) and cv > 0):
        raise InputError("a coefficient of variation must be a finite number above 0")
    if family == "generalised_gamma" and not held:
        held = {"c": FITTED_C}
    ranges = _FAMILIES[family].ranges
    free = [name for name in ranges if name not in held]
    if len(free) != 1:
        raise InputError(
            f"a coefficient of variation settles one shape of a {family}, not {len(free)}"
        )

    def member(log_shape: float) -> Severity:
        return build(**held, **{free[0]: math.exp(log_shape)})

    low, high = (math.log(end) for end in ranges[free[0]])
    least, most = sorted((member(low).cv, member(high).cv))
    if not least < cv < most:
        kept = "".join(f", {name} = {value:g}," for name, value in held.items())
        raise InputError(
            f"no {family}{kept} has a coefficient of variation of {cv:g} here: it must lie between "
            f"{least:.3g} and {most:.3g}, zeros included"
        )
    return member(optimize.brentq(lambda at: math.log(member(at).cv / cv), low, high, xtol=1e-14))


def from_concentration(
    family: str, shares: Mapping[float, float], zero_probability: float = 0.0
) -> Severity:
    """The member of a family that fits published shares of spending best.

    The fit minimises the squared relative errors of the shares, which gives the costliest few, on
    whom the guarantee depends, as much weight as the many.

    Parameters
    ----------
    family : str
        ``generalised_gamma``, ``weibull``, ``gamma`` or ``lognormal``.
    shares : mapping of float to float
        Costliest part of the population (0.01 is the top 1%) to the share of spending it holds.
    zero_probability : float
        Probability of no cost.

    Raises
    ------
    InputError
        If there are too few shares, or if no distribution can have them.
    """
    chosen = _FAMILIES[family]
    parts = np.array(sorted(shares), dtype=np.float64)
    published = np.array([shares[part] for part in sorted(shares)], dtype=np.float64)
    _check_shares(parts, published, needed=len(chosen.ranges))

    def member(log_shapes: Floats) -> Severity:
        shapes = dict(zip(chosen.ranges, np.exp(log_shapes).tolist(), strict=True))
        return with_shapes(family, shapes, zero_probability)

    def relative_errors(log_shapes: Floats) -> Floats:
        return member(log_shapes).top_share(parts) / published - 1

    low, high = np.log(list(chosen.ranges.values())).T
    start = np.log(chosen.start)
    fit = optimize.least_squares(
        relative_errors, start, bounds=(low, high), xtol=1e-12, ftol=1e-12, gtol=1e-12
    )
    return member(fit.x)


def _check_total(total_cv: float, risk_share: float) -> None:
    if not (math.isfinite(total_cv) and total_cv > 0):
        raise InputError("total_cv must be a finite number above 0")
    if not 0 <= risk_share < 1:
        raise InputError("risk_share must be at least 0 and below 1")


def _check_shares(parts: Floats, shares: Floats, needed: int) -> None:
    if parts.size < needed:
        raise InputError(
            f"the fit needs at least {needed} published shares of spending, not {parts.size}"
        )
    people = np.diff(np.concatenate(([0.0], parts, [1.0])))
    spending = np.diff(np.concatenate(([0.0], shares, [1.0])))
    if np.any(people <= 0):
        raise InputError("shares belong to parts of the population above 0 and below 1")
    density = spending / people
    if not (np.all(density >= 0) and np.all(np.diff(density) <= 0) and density[0] > 1):
        raise InputError(
            "no population has these shares of spending: from the costliest part on, each next "
            "part must hold less per person than the one before"
        )
