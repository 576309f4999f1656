"""Severity: how a person's annual cost spreads around its expectation.

A severity is a distribution with mean one, years without any cost included. Multiplied by a
person's expected cost it gives that person's cost. Each family comes with closed forms for its
quantiles, for the expected payout above an attachment point and for the share of all spending that
its costliest part holds.
"""

from simdc.severity.distribution import (
    Severity,
    empirical,
    gamma,
    generalised_gamma,
    lognormal,
    pareto_splice,
    weibull,
)
from simdc.severity.fit import FITTED_C, conditional_cv, from_concentration, from_cv, risk_cv
from simdc.severity.spec import build_severity, implied_risk_cv

__all__ = [
    "FITTED_C",
    "Severity",
    "build_severity",
    "conditional_cv",
    "empirical",
    "from_concentration",
    "from_cv",
    "gamma",
    "generalised_gamma",
    "implied_risk_cv",
    "lognormal",
    "pareto_splice",
    "risk_cv",
    "weibull",
]
