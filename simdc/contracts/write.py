"""From a track to its contract, by the family of its program."""

from __future__ import annotations

from collections.abc import Callable

from simdc.benchmark.of_scenario import BuiltBenchmark
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
    scenario: Scenario,
    track: Track,
    population: Population,
    drivers: ResolvedDrivers,
    built: BuiltBenchmark | None = None,
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
    return Setting(scenario, track, program, rules, population, drivers, built)


def write_contract(
    scenario: Scenario,
    track: Track,
    population: Population,
    drivers: ResolvedDrivers,
    built: BuiltBenchmark | None = None,
) -> Contract:
    """Work out what one track fixes before the year.

    Parameters
    ----------
    scenario, track, population, drivers
        What is known by then; the benchmark of the track is given.
    built : BuiltBenchmark, optional
        How it came about, where it was built.

    Raises
    ------
    InputError
        For a program, year, option or rule that does not exist.
    """
    setting = setting_of(scenario, track, population, drivers, built)
    return _WRITERS[setting.program.family](setting)
