"""How much a Medicare accountable-care organisation could owe or earn, and how sure that is.

>>> import simdc
>>> loaded = simdc.load_scenario("scenarios/large-standard-global.toml")  # doctest: +SKIP
>>> result = simdc.run(loaded)  # doctest: +SKIP

Names are imported when first used, so that ``import simdc`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simdc.engine import simulate as simulate
    from simdc.errors import InputError as InputError
    from simdc.errors import SimdcError as SimdcError
    from simdc.portfolio.read import read_portfolio as read_portfolio
    from simdc.portfolio.run import run_portfolio as run_portfolio
    from simdc.programs import load_program as load_program
    from simdc.programs import program_names as program_names
    from simdc.result import read_result as read_result
    from simdc.result import write_result as write_result
    from simdc.runner import run as run
    from simdc.scenario import Scenario as Scenario
    from simdc.scenario import load_scenario as load_scenario
    from simdc.settlement.api import settle as settle
    from simdc.sweep.read import read_sweep as read_sweep
    from simdc.sweep.run import run_sweep as run_sweep

_HOMES = {
    "InputError": "simdc.errors",
    "Scenario": "simdc.scenario",
    "SimdcError": "simdc.errors",
    "load_program": "simdc.programs",
    "load_scenario": "simdc.scenario",
    "program_names": "simdc.programs",
    "read_portfolio": "simdc.portfolio.read",
    "read_result": "simdc.result",
    "read_sweep": "simdc.sweep.read",
    "run": "simdc.runner",
    "run_portfolio": "simdc.portfolio.run",
    "run_sweep": "simdc.sweep.run",
    "settle": "simdc.settlement.api",
    "simulate": "simdc.engine",
    "write_result": "simdc.result",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'simdc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
