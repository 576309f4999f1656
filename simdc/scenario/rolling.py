"""A scenario of several performance years, one year at a time.

`of_year` gives each year as a scenario of its own, so that checks, contracts and the engine know
single years alone. What the scenario says of its first year is carried on: tracks with the changes
that they name, the benchmark grown or as given for a year, and where it is built its reference
scores rolled. People and drivers are the same in every year; `simdc.years` lets the people's
expected cost grow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from simdc.errors import InputError, Problem
from simdc.priors import evidence_before, load_priors
from simdc.programs import RuleSet, load_program
from simdc.scenario.models import (
    Benchmark,
    BenchmarkBaseYear,
    BenchmarkRateBook,
    BenchmarkRegion,
    BenchmarkRisk,
    Scenario,
    SharedSavings,
    Track,
    Years,
)

__all__ = [
    "cost_growth",
    "entity_effect_correlation",
    "of_year",
    "performance_years",
    "year_length",
]

_AGREEMENT_YEARS = 5  # of an agreement of the Shared Savings Program


def performance_years(scenario: Scenario) -> tuple[int, ...]:
    """The performance years of a scenario, the first alone where it has no table [years]."""
    first = scenario.entity.performance_year
    last = first if scenario.years is None else scenario.years.through
    return tuple(range(first, last + 1))


def of_year(scenario: Scenario, year: int) -> Scenario:
    """One performance year as a scenario of that year alone.

    The first year is the scenario itself without its table [years].

    Raises
    ------
    InputError
        Where the benchmark of the year does not follow from that of an earlier one.
    """
    first = scenario.entity.performance_year
    if scenario.years is None or year == first:
        return scenario.model_copy(update={"years": None})
    tracks = tuple(_track_of_year(track, first, year) for track in scenario.track)
    alone = scenario.model_copy(
        update={
            "years": None,
            "observed": None,
            "entity": scenario.entity.model_copy(update={"performance_year": year}),
            "track": tracks,
        }
    )
    own = {
        place: {each: change.benchmark for each, change in track.from_year.items()}
        for place, track in enumerate(scenario.track)
    }
    rolled = tuple(
        track.model_copy(
            update={
                "benchmark": _benchmark_of_year(
                    scenario, alone, {first: scenario.track[place].benchmark, **own[place]}, year
                )
            }
        )
        for place, track in enumerate(tracks)
    )
    shared = _benchmark_of_year(
        scenario, alone, {first: scenario.benchmark, **scenario.years.benchmark}, year
    )
    return alone.model_copy(update={"benchmark": shared, "track": rolled})


def year_length(scenario: Scenario) -> int:
    """Months of a scenario's performance year: the fewest that a track's rules give it."""
    return min(
        int(_rules(scenario, track).value("performance_year_months", 12))
        for track in scenario.track
    )


def cost_growth(years: Years, year: int) -> float:
    """Growth of expected cost over the year before."""
    given = years.expected_cost_growth
    return _growth(years.benchmark_growth if given is None else given, year)


def entity_effect_correlation(scenario: Scenario) -> tuple[float, str, str]:
    """Correlation of the entity effect from year to year, what it rests on, and its source.

    Raises
    ------
    InputError
        Where it is not given and nothing had been published before the first year.
    """
    if scenario.years is not None and scenario.years.entity_effect_correlation is not None:
        given = scenario.years.entity_effect_correlation
        return given, "as the scenario gives it", "scenario"
    prior = load_priors("entity_effect")
    known = evidence_before(
        scenario.entity.performance_year,
        prior["evidence"],
        "the correlation of an entity's results from year to year",
    )
    seen = "; ".join(f"{row['correlation']:g} ({row['entities']})" for row in known)
    basis = (
        f"that of whole savings rates, people's luck included: {seen}; that of the effect alone "
        "is if anything higher"
    )
    return prior["year_to_year"], basis, prior["source"]


# --- tracks -----------------------------------------------------------------------------------


def _track_of_year(track: Track, first: int, year: int) -> Track:
    """A track with every change up to a year; its benchmark is seen to by itself."""
    changed: dict[str, Any] = {}
    for since, change in sorted(track.from_year.items()):
        if since <= year:
            changed |= {name: getattr(change, name) for name in change.model_fields_set}
    changed.pop("benchmark", None)
    track = track.model_copy(update={**changed, "from_year": {}})
    if load_program(track.program).family != "shared_savings":
        return track
    elected = track.shared_savings or SharedSavings()
    since_start = elected.agreement_year - 1 + year - first
    later = elected.model_copy(update={"agreement_year": since_start % _AGREEMENT_YEARS + 1})
    return track.model_copy(update={"shared_savings": later})


def _rules(scenario: Scenario, track: Track) -> RuleSet:
    entity = scenario.entity
    return load_program(track.program).rules(entity.performance_year, track.option, entity.type)


# --- benchmarks -------------------------------------------------------------------------------


def _growth(given: float | Mapping[int, float] | None, year: int) -> float:
    if isinstance(given, Mapping):
        return given.get(year, 0.0)
    return 0.0 if given is None else given


def _benchmark_of_year(
    scenario: Scenario, alone: Scenario, given: Mapping[int, Benchmark | None], year: int
) -> Benchmark | None:
    """The latest benchmark that is given, grown to the year; None where a track has none."""
    assert scenario.years is not None
    known = {since: target for since, target in given.items() if target is not None}
    since = max((each for each in known if each <= year), default=None)
    if since is None:
        return None
    target = known[since]
    if since == year:
        return target
    growth = math.prod(
        1.0 + _growth(scenario.years.benchmark_growth, each) for each in range(since + 1, year + 1)
    )
    if target.mode == "built":
        return _rolled(target, growth, of_year(scenario, since), alone)
    first = since == scenario.entity.performance_year
    longer = year_length(alone) / year_length(of_year(scenario, since)) if first else 1.0
    return _grown(target, growth, longer)


def _grown(target: Benchmark, growth: float, longer: float) -> Benchmark:
    """A given benchmark at a later year's level; only the first year may have been shorter."""

    def times(amount: float | None, factor: float) -> float | None:
        return None if amount is None else amount * factor

    by_category = target.by_category
    if by_category is not None:
        by_category = {
            category: each.model_copy(
                update={
                    "dollars": times(each.dollars, growth * longer),
                    "pbpm": times(each.pbpm, growth),
                }
            )
            for category, each in by_category.items()
        }
    return target.model_copy(
        update={
            "dollars": times(target.dollars, growth * longer),
            "pbpm": times(target.pbpm, growth),
            "by_category": by_category,
            "seasonality": 1.0,
            "health_equity_up_months": target.health_equity_up_months * longer,
            "health_equity_down_months": target.health_equity_down_months * longer,
        }
    )


def _rolled(target: Benchmark, growth: float, since: Scenario, alone: Scenario) -> Benchmark:
    """A built benchmark carried on: adjusted USPCC and rates grow, reference scores roll.

    Raises
    ------
    InputError
        Where it rests on figures of one year alone: county rates, or the strata of the Shared
        Savings Program.
    """
    year = alone.entity.performance_year
    if target.shared_savings is not None or (
        target.rate_book is not None and target.rate_book.rates_file is not None
    ):
        what = "county rates" if target.shared_savings is None else "strata"
        raise InputError(
            Problem(
                f"is missing: a benchmark built from {what} is of its year alone, so each later "
                "one needs its own",
                f"years.benchmark.{year}",
            )
        )
    reference = _reference_years(since), _reference_years(alone)
    return target.model_copy(
        update={
            "base_year": tuple(_trended(row, growth) for row in target.base_year),
            "region": tuple(_priced(row, growth) for row in target.region),
            "rate_book": _rolled_book(target.rate_book, growth, since, alone),
            "risk": tuple(
                _referred(row, since.entity.performance_year, *reference) for row in target.risk
            ),
            "seasonality": 1.0,
        }
    )


def _trended(row: BenchmarkBaseYear, growth: float) -> BenchmarkBaseYear:
    """USPCC trend to the later year; one given as USPCC follows the region's."""
    if row.uspcc_trend is None:
        return row
    return row.model_copy(update={"uspcc_trend": row.uspcc_trend * growth})


def _priced(row: BenchmarkRegion, growth: float) -> BenchmarkRegion:
    rate = None if row.rate_pbpm is None else row.rate_pbpm * growth
    return row.model_copy(update={"uspcc_pbpm": row.uspcc_pbpm * growth, "rate_pbpm": rate})


def _rolled_book(
    book: BenchmarkRateBook | None, growth: float, since: Scenario, alone: Scenario
) -> BenchmarkRateBook | None:
    """The trend from the book's last year to the later year, for what that year has not rolled."""
    before, after = _last_book_year(since), _last_book_year(alone)
    if book is None or before is None or after is None:
        return book
    passed = alone.entity.performance_year - since.entity.performance_year
    left = growth ** (1.0 - (after - before) / passed)
    trend = {category: each * left for category, each in book.uspcc_trend.items()}
    return book.model_copy(update={"uspcc_trend": trend})


def _last_book_year(scenario: Scenario) -> int | None:
    """Last year of the county costs, by the first track whose rules name any."""
    years = _first_ruling(scenario, "rate_book_years")
    return None if years is None else max(years)


def _reference_years(scenario: Scenario) -> int | None:
    """Reference year of the risk score cap, by the first track whose rules name one."""
    year = _first_ruling(scenario, "risk_cap_reference_year")
    return None if year is None else int(year)


def _first_ruling(scenario: Scenario, name: str) -> Any:
    """The value of a rule on the first track that has it, None where none has."""
    for track in scenario.track:
        rules = _rules(scenario, track)
        if name in rules:
            own = {name: track.rules[name]} if name in track.rules else {}
            try:
                return rules.override(own).value(name)
            except InputError:  # which the checks of the year tell with its place
                return rules.value(name)
    return None


def _referred(
    row: BenchmarkRisk, since: int, reference_year: int | None, later_year: int | None
) -> BenchmarkRisk:
    """The reference score of a later year.

    The entity's normalized score moves evenly, in logarithms, from its reference year's to the
    performance year's, and keeps that level.
    """
    if row.reference_score is None or reference_year is None or later_year is None:
        return row
    now = row.raw_score / row.normalization_factor
    passed = min(max((later_year - reference_year) / (since - reference_year), 0.0), 1.0)
    score = row.reference_score * (now / row.reference_score) ** passed
    return row.model_copy(update={"reference_score": score})
