"""Rules between the tables of a scenario, and between a scenario and the programs it names.

Each function looks at one matter and yields a `Problem` for everything wrong with it; `check`
gathers them. What one table must hold by itself is in ``models``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

from simdc.errors import InputError, Problem, nearest
from simdc.programs import RuleSet, load_program, program_names
from simdc.scenario.benchmark_checks import check_built
from simdc.scenario.models import (
    Benchmark,
    Driver,
    Drivers,
    Entity,
    Population,
    Scenario,
    Segment,
    Track,
)
from simdc.scenario.years_checks import check_years

__all__ = ["check", "track_rules"]

Problems = Iterator[Problem]

_ROUNDING = 1e-9
_FAQ = "CMS Direct Contracting finance FAQ, October 2020"


def check(scenario: Scenario, base_dir: Path, *, sound: Scenario | None = None) -> list[Problem]:
    """Everything wrong with a scenario whose tables are each valid by themselves.

    Parameters
    ----------
    scenario : Scenario
    base_dir : Path
        Folder that file names in the scenario are relative to.
    sound : Scenario, optional
        One of the same folder without mistakes. What rests only on tables that both hold as the
        very same objects is not looked at again.
    """

    def differ(*tables: str) -> bool:
        return any(getattr(scenario, table) is not getattr(sound, table, None) for table in tables)

    found = chain(
        _population(scenario.population, base_dir) if differ("population") else (),
        _benchmarks(scenario, base_dir),
        _drivers(scenario, base_dir) if differ("drivers", "entity", "population") else (),
        _tracks(scenario, sound if not differ("entity", "population", "benchmark") else None),
        _observed(scenario),
    )
    wrong = list(dict.fromkeys(found))  # tracks that share a mistake tell it once

    def of_one_year(alone: Scenario) -> Problems:
        return chain(_benchmarks(alone, base_dir), _tracks(alone))

    return wrong or list(dict.fromkeys(check_years(scenario, of_one_year)))


def track_rules(scenario: Scenario, track: Track) -> RuleSet:
    """The rules that a track is settled by: its program's for the year, with its overrides.

    Raises
    ------
    InputError
        For a program, year, option or rule that does not exist, or a value its unit refuses.
    """
    entity = scenario.entity
    rules = load_program(track.program).rules(entity.performance_year, track.option, entity.type)
    return rules.override(track.rules)


def _told(call: Callable[[], object], table: str) -> Problems:
    """What another module refuses, with the table it is about and the file it names."""
    try:
        call()
    except InputError as error:
        yield from _placed(error, table)


def _placed(error: InputError, table: str) -> Problems:
    for problem in error.problems:
        if error.file:
            yield _of_file(error.file, problem, table)
        elif problem.path.startswith(table):
            yield problem
        else:
            path = f"{table}.{problem.path}" if problem.path else table
            yield replace(problem, path=path)


def _of_file(file: str, problem: Problem, table: str) -> Problem:
    """A problem of a file that a table names."""
    if not problem.path:
        return replace(problem, path=table, given=problem.given or f'"{file}"')
    return replace(problem, path=table, message=f"{file}: {problem.path}: {problem.message}")


# --- population -------------------------------------------------------------------------------


def _population(population: Population, base_dir: Path) -> Problems:
    # scipy is needed for nothing else here, and many commands need no scenario at all
    from simdc.population import segment_risk_cv
    from simdc.severity import build_severity

    if population.file is not None and not (base_dir / population.file).is_file():
        yield Problem(
            "there is no such file; names start from the scenario's folder",
            "population.file",
            f'"{population.file}"',
        )
    names = [segment.name for segment in population.segment]
    yield from _twice(names, "population.segment", "segment")
    needed = _in_segments if population.file is None else _in_file
    for index, segment in enumerate(population.segment):
        path = f"population.segment[{index}]"
        yield from needed(segment, path)
        wrong = list(_told(partial(build_severity, segment.severity, base_dir), f"{path}.severity"))
        yield from wrong or _told(partial(segment_risk_cv, segment), path)


def _in_segments(segment: Segment, path: str) -> Problems:
    for key in ("beneficiaries", "expected_cost_pbpm"):
        if getattr(segment, key) is None:
            yield Problem(
                "is missing; a segment needs it unless population.file lists its people",
                f"{path}.{key}",
            )


def _in_file(segment: Segment, path: str) -> Problems:
    for key in ("beneficiaries", "eligible_months"):
        if key in segment.model_fields_set:
            yield Problem(
                "must be left out: population.file says it for each person", f"{path}.{key}"
            )


def _twice(names: list[str], path: str, what: str) -> Problems:
    count: Counter[str] = Counter()
    for index, name in enumerate(names):
        if count[name]:
            first = names.index(name)
            yield Problem(
                f"must differ from the name of {what}[{first}]",
                f"{path}[{index}].name",
                f'"{name}"',
            )
        count[name] += 1


# --- benchmark --------------------------------------------------------------------------------

_FARTHEST = 10  # times expected cost, or a tenth of it: beyond lies a wrong unit


def _benchmarks(scenario: Scenario, base_dir: Path) -> Problems:
    targets = {"benchmark": scenario.benchmark} | {
        f"track[{index}].benchmark": track.benchmark
        for index, track in enumerate(scenario.track)
        if track.benchmark is not None
    }
    for path, target in targets.items():
        if target.seasonality != 1 and scenario.entity.performance_year != 2021:
            yield Problem(
                "must be 1: only the first performance year, 2021, had nine months",
                f"{path}.seasonality",
                f"{target.seasonality:.12g}",
            )
        yield from _categories(target, scenario.population, path)
        yield from _size(target, scenario.population, path)
        yield from _equity_months(target, scenario.population, path, base_dir)
        if target.mode == "built":
            rules = _rules_of_tracks(scenario, target)
            yield from check_built(target, scenario.population, rules, path, base_dir)


def _rules_of_tracks(scenario: Scenario, target: Benchmark) -> dict[str, RuleSet]:
    """Rules of the tracks that a benchmark is for; what is wrong with them is told elsewhere."""
    found = {}
    for track in scenario.track:
        if (track.benchmark or scenario.benchmark) is target:
            with suppress(InputError):
                found[track.name] = track_rules(scenario, track)
    return found


def _categories(target: Benchmark, population: Population, path: str) -> Problems:
    if target.by_category is None:
        return
    used = dict.fromkeys(segment.category for segment in population.segment)
    for category in used:
        if category not in target.by_category:
            yield Problem(
                f"is missing; there are segments of category {category}",
                f"{path}.by_category.{category}",
            )
    for category in target.by_category:
        if category not in used:
            yield Problem(
                f"must be left out: no segment has category {category}",
                f"{path}.by_category.{category}",
            )


def _size(target: Benchmark, population: Population, path: str) -> Problems:
    """Refuse a benchmark that no entity could have, such as dollars given as PBPM."""
    months = {segment.name: _person_months(segment) for segment in population.segment}
    costs = [
        months[segment.name] * (segment.expected_cost_pbpm or 0.0) for segment in population.segment
    ]
    if not all(costs):
        return
    expected = {
        "dollars": sum(costs),
        "pbpm": sum(costs) / sum(months.values()),
    }
    for key, cost in expected.items():
        amount = getattr(target, key)
        if amount is not None and not cost / _FARTHEST <= amount <= cost * _FARTHEST:
            yield Problem(
                f"must be within {_FARTHEST} times the expected cost of ${cost:,.0f}; "
                "'dollars' is for the whole year, 'pbpm' per beneficiary per month",
                f"{path}.{key}",
                f"{amount:.12g}",
            )


def _equity_months(
    target: Benchmark, population: Population, path: str, base_dir: Path
) -> Problems:
    """Refuse more months of health-equity adjustment than anyone is aligned for."""
    from simdc.population import build_population

    given = {
        key: months
        for key in ("health_equity_up_months", "health_equity_down_months")
        if (months := getattr(target, key))
    }
    if not given:
        return
    try:
        people = build_population(population, base_dir)
    except InputError:
        return  # told elsewhere
    aligned = sum(segment.total_months for segment in people.segments)
    for key, months in given.items():
        if months > aligned * (1 + _ROUNDING):
            yield Problem(
                f"must be at most {aligned:,.12g}, the beneficiary-months of everyone aligned",
                f"{path}.{key}",
                f"{months:,.12g}",
            )


def _person_months(segment: Segment) -> float:
    if isinstance(segment.eligible_months, tuple):
        each = sum(part.months * part.share for part in segment.eligible_months)
    else:
        each = segment.eligible_months
    return each * (segment.beneficiaries or 0) * (1.0 - segment.opt_out)


# --- drivers ----------------------------------------------------------------------------------


def _drivers(scenario: Scenario, base_dir: Path) -> Problems:
    from simdc.drivers import check_correlation, resolve_drivers

    drivers = _drivers_on(scenario.drivers)
    categories = {segment.category for segment in scenario.population.segment}
    if "national_trend_esrd" in drivers and "ESRD" not in categories:
        yield Problem(
            "must be left out: no segment has category ESRD", "drivers.national_trend_esrd"
        )
    for name, driver in drivers.items():
        resolve = partial(
            resolve_drivers,
            Drivers.model_validate({name: driver}),  # alone, so that each one's mistake is told
            scenario.entity,
            option="global",
            person_cv=0.0,
            base_dir=base_dir,
        )
        yield from _told(resolve, f"drivers.{name}")
    if (given := scenario.drivers.correlation) is not None:
        check_matrix = partial(
            check_correlation, given.drivers, given.matrix, allowed=tuple(drivers)
        )
        yield from _told(check_matrix, "drivers.correlation")


def _drivers_on(drivers: Drivers) -> dict[str, Driver]:
    """The drivers that a scenario gives, by name."""
    names = (name for name in Drivers.model_fields if name != "correlation")
    given = {name: getattr(drivers, name) for name in names}
    return {name: driver for name, driver in given.items() if driver is not None}


# --- tracks -----------------------------------------------------------------------------------


# Elections that belong to one family of programs alone.
_BELONGS = {
    "direct_contracting": (
        "primary_care_capitation",
        "total_care_capitation",
        "advanced_payment",
        "stop_loss",
        "early_exit",
        "provisional_settlement",
    ),
    "shared_savings": ("shared_savings", "cost"),
    "next_generation": ("next_generation", "cost"),
}


def _tracks(scenario: Scenario, sound: Scenario | None = None) -> Problems:
    """What is wrong with tracks, but for those that a sound scenario has as the very same."""
    yield from _twice([track.name for track in scenario.track], "track", "track")
    known: tuple[Track, ...] = ()
    if sound is not None and _programs(sound) == _programs(scenario):
        known = sound.track
    for index, track in enumerate(scenario.track):
        if known and track is known[index]:
            continue
        path = f"track[{index}]"
        wrong = list(_program(scenario.entity, track, path))
        yield from wrong
        if wrong:
            continue
        try:
            rules = track_rules(scenario, track)
        except InputError as error:
            yield from _placed(error, f"{path}.rules")
            continue
        family = load_program(track.program).family
        yield from _foreign_elections(track, family, path)
        if family == "direct_contracting":
            yield from _capitation(track, rules, path)
            yield from _advanced_payment(track, path)
            yield from _health_equity(scenario, index, rules)
            yield from _length(scenario, rules)
        else:
            yield from _own_benchmark(scenario, track, path)
            yield from _truncation(scenario, track, path)


def _programs(scenario: Scenario) -> list[str]:
    return [track.program for track in scenario.track]


def _program(entity: Entity, track: Track, path: str) -> Problems:
    if track.program not in program_names(include_unconfirmed=True):
        yield from _told(partial(load_program, track.program), f"{path}.program")
        return
    program = load_program(track.program)
    year, kind = entity.performance_year, entity.type
    if wrong := list(_told(lambda: program.rules(year, track.option, kind), f"{path}.option")):
        by_itself = [
            *_told(lambda: program.matching(year=year), "entity.performance_year"),
            *_told(lambda: program.matching(entity_type=kind), "entity.type"),
            *_told(lambda: program.matching(option=track.option), f"{path}.option"),
        ]
        # An option may also be closed in that one year.
        yield from by_itself or wrong


def _foreign_elections(track: Track, family: str, path: str) -> Problems:
    """Refuse what another program offers, instead of ignoring it."""
    elections = dict.fromkeys(name for names in _BELONGS.values() for name in names)
    for name in elections:
        if name in track.model_fields_set and name not in _BELONGS[family]:
            yield Problem(
                f"must be left out: '{track.program}' has no such election", f"{path}.{name}"
            )
    if family != "direct_contracting" and track.capitation != "none":
        yield Problem(
            f"must be left out: '{track.program}' has no capitation",
            f"{path}.capitation",
            f'"{track.capitation}"',
        )


def _length(scenario: Scenario, rules: RuleSet) -> Problems:
    """Nobody can be aligned for longer than the performance year, of which the first was short."""
    length = rules.value("performance_year_months", 12)
    for index, segment in enumerate(scenario.population.segment):
        months = segment.eligible_months
        longest = max(part.months for part in months) if isinstance(months, tuple) else months
        if longest > length and scenario.population.file is None:
            yield Problem(
                f"must be at most {length}: performance year {rules.year} had {length} months",
                f"population.segment[{index}].eligible_months",
                f"{longest:g}",
            )


def _own_benchmark(scenario: Scenario, track: Track, path: str) -> Problems:
    """One program's target is not another's: they count cost differently."""
    families = {
        load_program(each.program).family
        for each in scenario.track
        if each.program in program_names(include_unconfirmed=True)
    }
    if len(families) > 1 and track.benchmark is None:
        yield Problem(
            f"is missing; '{track.program}' counts cost in its own way and needs its own target "
            "beside tracks of other programs",
            f"{path}.benchmark",
        )


def _truncation(scenario: Scenario, track: Track, path: str) -> Problems:
    used = {segment.category for segment in scenario.population.segment}
    for category in track.cost.truncation:
        if category not in used:
            yield Problem(
                f"must be left out: no segment has category {category}",
                f"{path}.cost.truncation.{category}",
            )


def _capitation(track: Track, rules: RuleSet, path: str) -> Problems:
    if track.capitation == "total_care" and not rules.value("total_care_capitation_allowed"):
        yield Problem(
            f"must be 'primary_care' or 'none' under the {track.option} option: total care "
            f"capitation is for the global option alone ({_FAQ}, Q2)",
            f"{path}.capitation",
            '"total_care"',
        )
    if track.primary_care_capitation is None:
        return
    base, enhanced = (
        track.primary_care_capitation.base_rate,
        track.primary_care_capitation.enhanced_rate,
    )
    total = rules.value("primary_care_capitation_total")
    least = rules.value("enhanced_capitation_minimum")
    most = max(total - base, least)
    if enhanced > most + _ROUNDING:
        yield Problem(
            f"must be at most {most:.12g} with a base_rate of {base:.12g}: the greater of "
            f"{total:.12g} less the base and {least:.12g} ({_FAQ}, Q24)",
            f"{path}.primary_care_capitation.enhanced_rate",
            f"{enhanced:.12g}",
        )


def _advanced_payment(track: Track, path: str) -> Problems:
    if track.advanced_payment is None:
        return
    if track.capitation != "primary_care":
        yield Problem(
            'needs capitation = "primary_care": only entities that elect it may take advanced '
            f"payments ({_FAQ}, Q2)",
            f"{path}.advanced_payment",
            f'capitation = "{track.capitation}"',
        )
    elif track.primary_care_capitation is not None:
        replaced = track.primary_care_capitation.claims_reduced or 0.0
        if replaced + track.advanced_payment.claims_reduced > 1 + _ROUNDING:
            yield Problem(
                "must leave room for the claims that primary care capitation replaces: both "
                "together are at most 1",
                f"{path}.advanced_payment.claims_reduced",
                f"{track.advanced_payment.claims_reduced:.12g} and {replaced:.12g}",
            )


def _health_equity(scenario: Scenario, index: int, rules: RuleSet) -> Problems:
    """Months without an adjustment to earn would be ignored without a word."""
    target, path = scenario.benchmark, "benchmark"
    if (own := scenario.track[index].benchmark) is not None:
        target, path = own, f"track[{index}].benchmark"
    for way in ("up", "down"):
        months = getattr(target, f"health_equity_{way}_months")
        if months and not rules.value(f"health_equity_{way}_pbpm"):
            yield Problem(
                f"must be left out: '{rules.program}' has no such health-equity adjustment in "
                f"{rules.year}",
                f"{path}.health_equity_{way}_months",
                f"{months:.12g}",
            )


# --- observed outcome -------------------------------------------------------------------------


def _observed(scenario: Scenario) -> Problems:
    observed = scenario.observed
    names = list(dict.fromkeys(track.name for track in scenario.track))
    if observed is not None and observed.track not in names:
        listed = ", ".join(f"'{name}'" for name in names)
        yield Problem(
            f"must be the name of a track: {listed}",
            "observed.track",
            f'"{observed.track}"',
            nearest(observed.track, names),
        )
