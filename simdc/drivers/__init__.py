"""What is uncertain for all beneficiaries and tracks at once: the systemic drivers.

scenario's drivers + published priors -> laws (`resolve`, `defaults`)
seed and draw                         -> values (`resolved`), coupled by a copula (`copula`)
values                                -> cost factors, trend ratios, quality, completion
"""

from simdc.drivers.copula import check_correlation
from simdc.drivers.resolve import resolve_drivers
from simdc.drivers.resolved import (
    COST_DRIVERS,
    DRIVER_NAMES,
    NATIONAL_DRIVERS,
    ResolvedDrivers,
)

__all__ = [
    "COST_DRIVERS",
    "DRIVER_NAMES",
    "NATIONAL_DRIVERS",
    "ResolvedDrivers",
    "check_correlation",
    "resolve_drivers",
]
