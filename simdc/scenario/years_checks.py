"""Rules between the table [years], the tracks and the programs.

Each function looks at one matter and yields a `Problem` for everything wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from simdc.errors import InputError, Problem
from simdc.programs import load_program, program_names
from simdc.scenario.models import Scenario, Years
from simdc.scenario.rolling import entity_effect_correlation, of_year, performance_years

__all__ = ["check_years"]

Problems = Iterator[Problem]
YearCheck = Callable[[Scenario], Iterable[Problem]]


def check_years(scenario: Scenario, check_year: YearCheck) -> Problems:
    """Everything wrong with the later performance years of a scenario.

    Parameters
    ----------
    scenario : Scenario
        Without mistakes in its first year.
    check_year : callable
        What checks the tracks and benchmarks of a scenario of one year.
    """
    if scenario.years is None:
        for place, track in enumerate(scenario.track):
            if track.from_year:
                yield Problem(
                    "needs a table [years] that says through which year the scenario goes",
                    f"track[{place}].from_year",
                )
        return
    wrong = [*_span(scenario, scenario.years), *_growths(scenario.years), *_exits(scenario)]
    wrong += [*_capitation(scenario), *_correlation(scenario, scenario.years)]
    yield from wrong
    if wrong:
        return
    for year in performance_years(scenario)[1:]:
        programs = list(_programs(scenario, year))
        yield from programs
        if programs:
            return
        yield from _later_year(scenario, year, check_year)


def _span(scenario: Scenario, years: Years) -> Problems:
    first = scenario.entity.performance_year
    if years.through <= first:
        yield Problem(
            f"must be a year after {first}, the first performance year; leave the table out for "
            "one year",
            "years.through",
            str(years.through),
        )
        return
    given: dict[str, Iterable[int]] = {
        f"track[{place}].from_year": track.from_year for place, track in enumerate(scenario.track)
    }
    for name in ("benchmark", "benchmark_growth", "expected_cost_growth"):
        value = getattr(years, name)
        if isinstance(value, dict):
            given[f"years.{name}"] = value
    for path, named in given.items():
        for year in named:
            if not first < year <= years.through:
                yield Problem(
                    f"must be one of the later performance years, {first + 1} to {years.through}",
                    f"{path}.{year}",
                )


def _growths(years: Years) -> Problems:
    if years.benchmark and years.expected_cost_growth is None:
        yield Problem(
            "is missing; with the benchmark of a year given, nothing says how cost grows",
            "years.expected_cost_growth",
        )
    if isinstance(years.benchmark_growth, dict):
        for year in years.benchmark:
            if year in years.benchmark_growth:
                yield Problem(
                    f"must be left out: [years.benchmark.{year}] gives the amount itself",
                    f"years.benchmark_growth.{year}",
                )


def _exits(scenario: Scenario) -> Problems:
    """Who leaves early has no later years."""
    years = performance_years(scenario)  # none where the last is before the first
    before = years[:-1]
    for place, track in enumerate(scenario.track):
        leaves = {scenario.entity.performance_year: track.early_exit} | {
            year: change.early_exit for year, change in track.from_year.items()
        }
        for year in before:
            if leaves.get(year):
                path = f"track[{place}]"
                if year != before[0]:
                    path += f".from_year.{year}"
                yield Problem(
                    f"must be false before {years[-1]}: an entity that leaves in {year} has no "
                    "later performance years",
                    f"{path}.early_exit",
                    "true",
                )


def _capitation(scenario: Scenario) -> Problems:
    for place, track in enumerate(scenario.track):
        for year, change in track.from_year.items():
            for kind in ("primary_care", "total_care"):
                table = f"{kind}_capitation"
                if getattr(change, table) is not None and track.capitation != kind:
                    yield Problem(
                        f'this table needs capitation = "{kind}" on the track',
                        f"track[{place}].from_year.{year}.{table}",
                        f'capitation = "{track.capitation}"',
                    )


def _correlation(scenario: Scenario, years: Years) -> Problems:
    if scenario.drivers.entity_effect is None:
        if years.entity_effect_correlation is not None:
            yield Problem(
                "must be left out: the scenario has no driver entity_effect",
                "years.entity_effect_correlation",
            )
        return
    try:
        entity_effect_correlation(scenario)
    except InputError as error:
        for problem in error.problems:
            yield replace(problem, path="years.entity_effect_correlation")


def _programs(scenario: Scenario, year: int) -> Problems:
    """Programs that do not hold a year, with the table that would name another."""
    for place, track in enumerate(scenario.track):
        changes = {since: each for since, each in track.from_year.items() if since <= year}
        named = [since for since, each in changes.items() if each.program is not None]
        name, path = track.program, f"track[{place}]"
        if named:
            since = max(named)
            name, path = changes[since].program or name, f"{path}.from_year.{since}"
        held = program_names(include_unconfirmed=True)
        try:
            program = load_program(name)
            if name in held:
                program.matching(year=year)
        except InputError as error:
            for problem in error.problems:
                message = problem.message
                if name in held:
                    message += f", in a table [track.from_year.{year}]"
                yield replace(problem, message=message, path=f"{path}.program")


def _later_year(scenario: Scenario, year: int, check_year: YearCheck) -> Problems:
    """What is wrong in a later year; the first has been found without mistakes."""
    try:
        alone = of_year(scenario, year)
    except InputError as error:
        yield from error.problems
        return
    for problem in check_year(alone):
        path, rest = problem.path, ""
        if path.startswith("benchmark"):
            path, rest = f"years.benchmark.{year}", path.removeprefix("benchmark")
        elif path.startswith(("entity", "population")):
            path = "years.through"
        yield replace(problem, message=f"in {year}: {problem.message}", path=path + rest)
