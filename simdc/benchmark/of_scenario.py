"""Benchmarks as a scenario asks for them: its tables into figures, chains built, tracks supplied.

A benchmark that is built becomes one that is given before any contract is written, so nothing
downstream knows the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from simdc.benchmark import construction, rate_book, risk, shared_savings
from simdc.benchmark.shared_savings import Figures as StrataFigures
from simdc.drivers import ResolvedDrivers
from simdc.errors import InputError
from simdc.outcome import Assumption
from simdc.population import Population
from simdc.programs import RuleSet, load_program
from simdc.scenario.checks import track_rules
from simdc.scenario.models import (
    Benchmark,
    BenchmarkAmount,
    BenchmarkBaseYear,
    BenchmarkRateBook,
    BenchmarkRegion,
    BenchmarkRisk,
    Scenario,
    SharedSavings,
    SharedSavingsBenchmark,
    Track,
)
from simdc.settlement import direct_contracting
from simdc.settlement.statement import Statement
from simdc.settlement.steps import Amount

__all__ = [
    "BuiltBenchmark",
    "BuiltCell",
    "build_benchmark",
    "expected_drivers",
    "final_benchmark",
    "way_of",
    "with_given_benchmark",
]

CellKey: TypeAlias = tuple[str, construction.Alignment]

_UNSURE = ("inferred", "conflicting", "assumption")
_UNMOVED: Mapping[str, risk.Moves] = MappingProxyType({})
_MONTHS_PER_YEAR = 12


@dataclass(frozen=True, eq=False)
class BuiltCell:
    """One category and alignment of a built benchmark.

    Attributes
    ----------
    cell : construction.Cell
        What it was built from.
    statement : Statement
        Every step.
    """

    cell: construction.Cell
    statement: Statement


@dataclass(frozen=True, eq=False)
class BuiltBenchmark:
    """A benchmark with every intermediate figure.

    Attributes
    ----------
    rules : RuleSet
    terms : construction.Terms or None
        Of Direct Contracting and what settles like it.
    cells : tuple of BuiltCell
        Likewise; empty for the Shared Savings Program.
    shared_savings : Statement or None
        The steps of the Shared Savings Program, US dollars per person-year.
    assumptions : tuple of Assumption
        What no source settles.
    strata : StrataFigures or None
        What those steps start from.
    """

    rules: RuleSet
    terms: construction.Terms | None
    cells: tuple[BuiltCell, ...]
    shared_savings: Statement | None
    assumptions: tuple[Assumption, ...]
    strata: StrataFigures | None = None

    def by_category(self, moves: Mapping[str, risk.Moves] = _UNMOVED) -> dict[str, Amount]:
        """Unadjusted benchmark of each category, US dollars.

        Parameters
        ----------
        moves : mapping of category to risk.Moves, optional
            How risk scores turn out: arrays of shape (draw,) where they are uncertain.
        """
        total: dict[str, Amount] = {}
        for built in self.moved(moves):
            category, amount = built.cell.category, built.statement["benchmark"]
            total[category] = total.get(category, 0.0) + amount
        return total

    def moved(self, moves: Mapping[str, risk.Moves]) -> Iterator[BuiltCell]:
        """Every cell built anew with its risk scores as they turn out."""
        for built in self.cells:
            assert self.terms is not None  # as there are cells
            cell = built.cell
            move = moves.get(cell.category, risk.Moves())
            cell = replace(cell, groups=tuple(move.of(group) for group in cell.groups))
            yield BuiltCell(cell, construction.build(self.terms, cell))

    def shared_savings_ratio(self, raw_score: Amount) -> Amount:
        """Updated benchmark of the Shared Savings Program over the expected one.

        Parameters
        ----------
        raw_score : Amount
            Risk scores of the performance year over the expected ones, before their cap.
        """
        assert self.strata is not None  # as the benchmark is of that program
        assert self.shared_savings is not None
        strata = tuple(
            replace(each, risk_score=each.risk_score * raw_score) for each in self.strata.strata
        )
        terms = shared_savings.Terms.from_rules(self.rules)
        moved = shared_savings.build(terms, replace(self.strata, strata=strata))
        return moved["updated_benchmark"] / self.shared_savings["updated_benchmark"]

    def as_given(self, target: Benchmark) -> Benchmark:
        """The same as a benchmark that is given, with all else that the scenario says of it."""
        kept = target.model_dump(
            include={
                "seasonality",
                "health_equity_up_months",
                "health_equity_down_months",
                "concurrent_risk_share",
                "source",
            }
        )
        if self.shared_savings is not None:
            per_year = float(self.shared_savings["updated_benchmark"])
            return Benchmark(pbpm=per_year / _MONTHS_PER_YEAR, **kept)
        amounts = {
            category: BenchmarkAmount(dollars=float(amount))
            for category, amount in self.by_category().items()
        }
        return Benchmark.model_validate({"by_category": amounts, **kept})


def with_given_benchmark(
    scenario: Scenario, track: Track, population: Population, base_dir: Path
) -> tuple[Track, BuiltBenchmark | None]:
    """The track with its benchmark built, where it is to be; else the track as it is.

    Raises
    ------
    InputError
        When a file of the rate book cannot be used or does not fit.
    """
    target = track.benchmark or scenario.benchmark
    if target.mode == "given":
        return track, None
    rules = _of_agreement(track_rules(scenario, track), track)
    built = build_benchmark(target, rules, population, base_dir)
    return track.model_copy(update={"benchmark": built.as_given(target)}), built


def build_benchmark(
    target: Benchmark, rules: RuleSet, population: Population, base_dir: Path
) -> BuiltBenchmark:
    """Build a scenario's benchmark under one program's rules.

    Parameters
    ----------
    target : Benchmark
        With ``mode = "built"``.
    rules : RuleSet
    population : Population
        Gives the months of each category and alignment.
    base_dir : Path
        Folder that files of the rate book are relative to.

    Raises
    ------
    InputError
        When a file of the rate book cannot be used or does not fit.
    """
    if load_program(rules.program).family == "shared_savings":
        assert target.shared_savings is not None  # as the checks of the scenario have made sure
        terms = shared_savings.Terms.from_rules(rules)
        strata = _shared_savings_figures(target.shared_savings)
        statement = shared_savings.build(terms, strata)
        unsure = _unsure(rules, statement.rules)
        return BuiltBenchmark(rules, None, (), statement, unsure, strata)
    chain = construction.Terms.from_rules(rules)
    cells = tuple(
        BuiltCell(cell, construction.build(chain, cell))
        for cell in _cells(target, chain, population, base_dir)
    )
    applied = dict.fromkeys(name for built in cells for name in built.statement.rules)
    assumptions = [*_unsure(rules, applied)]
    if any(segment.alignment == "plan" for segment in population.segments):
        assumptions.append(
            Assumption(
                "benchmark",
                "people aligned through a plan have the benchmark of the newly aligned "
                "voluntarily: no reference population exists for them",
            )
        )
    return BuiltBenchmark(rules, chain, cells, None, tuple(assumptions))


def final_benchmark(
    unadjusted: Mapping[str, Amount],
    rules: RuleSet,
    target: Benchmark,
    drivers: ResolvedDrivers,
    *,
    early_exit: bool = False,
) -> Statement:
    """The rest of the chain, with every driver at its mean: trend, seasonality, discount, quality.

    Parameters
    ----------
    unadjusted : mapping of category to Amount
        US dollars.
    rules : RuleSet
        Of Direct Contracting or a program that settles like it.
    target : Benchmark
        For seasonality and the months of the health-equity adjustment.
    drivers : ResolvedDrivers
    early_exit : bool
        Whether the retention withhold is kept.

    Returns
    -------
    Statement
        ``unadjusted_benchmark``, ``trend_adjusted_benchmark``, ``seasonal_benchmark``,
        ``final_benchmark``, ``settlement_benchmark``, US dollars.
    """
    trend_ratio, quality_score = expected_drivers(unadjusted, drivers, rules)
    figures = direct_contracting.Figures(
        claims=0.0,
        unadjusted_benchmark=unadjusted,
        trend_ratio=trend_ratio,
        seasonality=target.seasonality,
        quality_score=quality_score,
        retention_kept=float(early_exit),
        health_equity_up_months=target.health_equity_up_months,
        health_equity_down_months=target.health_equity_down_months,
    )
    statement = direct_contracting.settle(direct_contracting.Terms.from_rules(rules), figures)
    last = list(statement).index("settlement_benchmark")
    return Statement(statement.lines[: last + 1])


def expected_drivers(
    categories: Iterable[str], drivers: ResolvedDrivers, rules: RuleSet
) -> tuple[dict[str, float], float]:
    """Realised over projected trend of each category, and quality score, with drivers at means.

    Parameters
    ----------
    categories : iterable of str
    drivers : ResolvedDrivers
    rules : RuleSet
        For what CI/SEP does to the quality score.
    """
    means = {name: np.array([law.mean]) for name, law in drivers.laws.items()}
    ratios = {category: float(drivers.trend_ratio(means, category)[0]) for category in categories}
    return ratios, drivers.mean_quality(rules.value("ci_sep_multiplier", 1.0))


def _unsure(rules: RuleSet, applied: Iterable[str]) -> tuple[Assumption, ...]:
    """Applied rules that no source settles; what the scenario overrides is told with the track."""
    return tuple(
        Assumption(
            f"{rules.program} {rules.year}: {name}",
            f"{rules[name].shown} is {rules[name].confidence}: {rules[name].note}",
            rules[name].source,
        )
        for name in applied
        if rules[name].confidence in _UNSURE and not rules[name].overridden
    )


# --- Direct Contracting -----------------------------------------------------------------------


def way_of(alignment: str) -> construction.Alignment:
    """How a segment's people count in the benchmark; through a plan as voluntarily."""
    return "claims" if alignment == "claims" else "voluntary"


def _cells(
    target: Benchmark, terms: construction.Terms, population: Population, base_dir: Path
) -> Iterator[construction.Cell]:
    months: dict[CellKey, float] = {}
    people: dict[CellKey, int] = {}
    for segment in population.segments:
        key = (segment.category, way_of(segment.alignment))
        months[key] = months.get(key, 0.0) + segment.total_months
        people[key] = people.get(key, 0) + segment.beneficiaries
    rates = _regional_rates(target, terms, months, base_dir)
    for (category, alignment), spent in months.items():
        uspcc = _region_of(target, category, alignment).uspcc_pbpm
        yield construction.Cell(
            category=category,
            alignment=alignment,
            months=spent,
            regional_rate=rates[category, alignment],
            uspcc=uspcc,
            groups=tuple(
                _group(row, spent, people[category, alignment])
                for row in target.risk
                if (row.category, way_of(row.alignment)) == (category, alignment)
            ),
            base_years=_base_years(target.base_year, category, alignment, uspcc),
            rate_rules=_rate_rules(target, category, alignment),
        )


def _region_of(target: Benchmark, category: str, alignment: str) -> BenchmarkRegion:
    return next(
        row
        for row in target.region
        if row.category == category and row.alignment in (None, alignment)
    )


def _base_years(
    rows: Iterable[BenchmarkBaseYear], category: str, alignment: str, uspcc: float
) -> tuple[construction.BaseYear, ...]:
    own = [row for row in rows if (row.category, row.alignment) == (category, alignment)]
    return tuple(
        construction.BaseYear(
            year=row.year,
            pbpm=row.pbpm,
            uspcc_trend=uspcc / row.uspcc_pbpm
            if row.uspcc_pbpm is not None
            else row.uspcc_trend or 1.0,
            geographic_trend=row.geographic_trend,
            risk_score=row.risk_score,
        )
        for row in sorted(own, key=lambda row: row.year)
    )


def _group(row: BenchmarkRisk, months: float, people: int) -> risk.Group:
    return risk.Group(
        alignment=row.alignment,
        months=months if row.months is None else row.months,
        raw_score=row.raw_score,
        normalization_factor=row.normalization_factor,
        reference_score=row.reference_score,
        demographic_change=row.demographic_change,
        coding_factor=row.coding_factor,
        growth_reference_score=row.growth_reference_score,
        beneficiaries=people,
        reference_beneficiaries=row.reference_beneficiaries,
        most_historical_beneficiaries=row.most_historical_beneficiaries,
    )


def _regional_rates(
    target: Benchmark, terms: construction.Terms, cells: Iterable[CellKey], base_dir: Path
) -> dict[CellKey, float]:
    """Rate of each cell's region, as given or from the rate book."""
    given = {key: _region_of(target, *key).rate_pbpm for key in cells}
    rates = {key: rate for key, rate in given.items() if rate is not None}
    if target.rate_book is None or len(rates) == len(given):
        return rates
    book, book_file = _rate_book(target.rate_book, terms, base_dir)
    months_file = base_dir / target.rate_book.months_file
    spent = rate_book.read_months(months_file)
    for category, alignment in given.keys() - rates.keys():
        with _in_file(months_file):
            months = rate_book.months_of(spent, category, alignment)
        with _in_file(book_file):
            rates[category, alignment] = book.of(category, months)
    return rates


def _rate_book(
    given: BenchmarkRateBook, terms: construction.Terms, base_dir: Path
) -> tuple[rate_book.RateBook, Path]:
    """The rate book, read or built, and its file."""
    if given.rates_file is not None:
        path = base_dir / given.rates_file
        return rate_book.read_rates(path), path
    assert given.costs_file is not None  # as the model has made sure
    path = base_dir / given.costs_file
    costs = rate_book.read_costs(path)
    trend = {str(category): ratio for category, ratio in given.uspcc_trend.items()}
    with _in_file(path):
        return rate_book.build_rate_book(costs, terms.rate_book_years, trend), path


def _rate_rules(target: Benchmark, category: str, alignment: str) -> tuple[str, ...]:
    """Rules by which a region's rate is worked out, where county costs give it."""
    from_book = _region_of(target, category, alignment).rate_pbpm is None
    built = target.rate_book is not None and target.rate_book.costs_file is not None
    return ("rate_book_years",) if from_book and built else ()


@contextmanager
def _in_file(path: Path) -> Iterator[None]:
    """Name the file that an error lies in."""
    try:
        yield
    except InputError as error:
        raise InputError(error.problems, file=path) from None


# --- the Shared Savings Program ---------------------------------------------------------------


def _of_agreement(rules: RuleSet, track: Track) -> RuleSet:
    """The rules by which a benchmark is built: an agreement keeps those that it began under."""
    if load_program(rules.program).family != "shared_savings":
        return rules
    elected = track.shared_savings or SharedSavings()
    before = shared_savings.REFORM - 1
    if rules.year <= before or rules.year - elected.agreement_year >= before:
        return rules
    kept = load_program(rules.program).rules(before, rules.option, rules.entity_type)
    own = {name: value for name, value in track.rules.items() if name in kept}
    return replace(kept.override(own), year=rules.year)


def _shared_savings_figures(given: SharedSavingsBenchmark) -> shared_savings.Figures:
    return shared_savings.Figures(
        strata=tuple(
            shared_savings.Stratum(
                name=row.name,
                base_person_years=row.base_person_years,
                person_years=row.person_years,
                per_capita=row.per_capita_dollars,
                risk_scores=row.risk_scores,
                risk_score=row.risk_score,
                national_trend=row.national_trend,
                regional_trend=row.regional_trend,
                national_growth=row.national_growth,
                regional_growth=row.regional_growth,
                prospective_growth=row.prospective_growth,
                regional_per_capita=row.regional_per_capita_dollars,
                national_per_capita=row.national_per_capita_dollars,
            )
            for row in given.stratum
        ),
        agreement_period=given.agreement_period,
        regional_exposure=given.regional_exposure,
        national_weight=given.national_weight,
        prior_savings=given.prior_savings_dollars,
        demographic_growth=given.demographic_growth,
        dual_share=given.dual_share,
        mean_risk_score=given.mean_risk_score,
    )
