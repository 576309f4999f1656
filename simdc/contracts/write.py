"""From a track to its contract, by the family of its program."""

from __future__ import annotations

from collections.abc import Callable

from simdc.contracts import direct_contracting, next_generation, shared_savings
from simdc.contracts.contract import Contract, Setting
from simdc.drivers import ResolvedDrivers
from simdc.population import Population
from simdc.programs import load_program
from simdc.scenario.models import Scenario, Track

__all__ = ["setting_of", "write_contract"]

_WRITERS: dict[str, Callable[[Setting], Contract]] = {
    "direct_contracting": direct_contracting.write,
    "shared_savings": shared_savings.write,
    "next_generation": next_generation.write,
}


def setting_of(
    scenario: Scenario, track: Track, population: Population, drivers: ResolvedDrivers
) -> Setting:
    """What one track is written against: its program's rules of the year, overrides included.

    Raises
    ------
    InputError
        For a program, year, option or rule that does not exist.
    """
    program = load_program(track.program)
    rules = program.rules(
        scenario.entity.performance_year, track.option, scenario.entity.type
    ).override(track.rules)
    return Setting(scenario, track, program, rules, population, drivers)


def write_contract(
    scenario: Scenario, track: Track, population: Population, drivers: ResolvedDrivers
) -> Contract:
    """Work out what one track fixes before the year.

    Raises
    ------
    InputError
        For a program, year, option or rule that does not exist.
    """
    setting = setting_of(scenario, track, population, drivers)
    return _WRITERS[setting.program.family](setting)
