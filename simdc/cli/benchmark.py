"""``simdc benchmark``: the benchmark of a scenario built step by step, every figure shown."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from simdc.benchmark.of_scenario import BuiltBenchmark
    from simdc.contracts.final_scores import FinalScore
    from simdc.estimate import Estimate
    from simdc.programs import RuleSet
    from simdc.scenario import LoadedScenario
    from simdc.scenario.models import Benchmark, Scenario
    from simdc.settlement.statement import Line, Statement

_WIDTH = 80
_TOTAL = "All beneficiaries, with every driver at its mean"


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--year", type=int, help="Performance year, of a scenario of several: the first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def command(scenario: Path, year: int | None, as_json: bool) -> None:
    """Print how the benchmark of SCENARIO is built, with every intermediate figure.

    For each program and option that the tracks take: the base years, the region, the blend and the
    risk score of each category, then trend, seasonality, discount and quality. Nothing is
    simulated: the steps that depend on a driver take it at its mean. Where a driver moves risk
    scores, their distribution follows, with the shares of draws that end on floor and ceiling.
    """
    from simdc.scenario import load_scenario

    loaded = load_scenario(scenario)
    alone = _of_year(loaded.scenario, year)
    chains = _chains(loaded, alone)
    if as_json:
        document = {
            "file": str(loaded.path),
            "sha256": loaded.sha256,
            "entity": alone.entity.model_dump(),
            "benchmarks": [_document(chain) for chain in chains],
        }
        click.echo(json.dumps(document, indent=2, allow_nan=False))
        return

    from rich.console import Console, Group

    console = Console(markup=False, highlight=False, emoji=False)
    for chain in chains:
        console.print(Group(*_report(chain)), width=_WIDTH)


class Chain(NamedTuple):
    """The benchmark of all tracks that share it."""

    tracks: list[str]
    rules: RuleSet
    target: Benchmark
    early_exit: bool
    built: BuiltBenchmark | None
    months: float
    total: Statement | None
    trend_ratio: dict[str, float]
    quality_score: float
    draws: int
    scores: tuple[FinalScore, ...]

    @property
    def parts(self) -> Iterator[tuple[str, Statement]]:
        """Each part of the chain with its title."""
        if self.built is not None:
            for cell, statement in ((b.cell, b.statement) for b in self.built.cells):
                how = "by claims" if cell.alignment == "claims" else "voluntarily"
                yield f"{cell.category}, aligned {how}, {cell.months:,.0f} months", statement
            if self.built.shared_savings is not None:
                yield "Per person-year, by enrollment type", self.built.shared_savings
        if self.total is not None:
            yield _TOTAL, self.total


def _of_year(scenario: Scenario, year: int | None) -> Scenario:
    """One performance year of a scenario, by default the first."""
    from simdc.errors import InputError, Problem
    from simdc.scenario.rolling import of_year, performance_years

    years = performance_years(scenario)
    if year is None:
        year = years[0]
    if year not in years:
        span = f"{years[0]} to {years[-1]}" if len(years) > 1 else str(years[0])
        raise InputError(Problem(f"the scenario has performance year {span}", "--year", str(year)))
    return of_year(scenario, year)


def _chains(loaded: LoadedScenario, scenario: Scenario) -> list[Chain]:
    """One chain for each benchmark and set of rules among the tracks of one performance year."""
    from simdc.benchmark.of_scenario import (
        expected_drivers,
        final_benchmark,
        with_given_benchmark,
    )
    from simdc.contracts.direct_contracting import DirectContractingContract
    from simdc.contracts.final_scores import final_scores
    from simdc.years.simulate import prepare_years

    draws, seed = scenario.run.draws, scenario.run.seed
    prepared = prepare_years(loaded.scenario, loaded.base_dir)[scenario.entity.performance_year]
    months = sum(segment.total_months for segment in prepared.population.segments)
    chains: list[Chain] = []
    for track, contract in zip(scenario.track, prepared.contracts, strict=True):
        target = track.benchmark or scenario.benchmark
        _, built = with_given_benchmark(scenario, track, prepared.population, loaded.base_dir)
        rules = contract.rules if built is None else built.rules
        if same := _same(chains, target, rules, track.early_exit):
            same.tracks.append(track.name)
            continue
        total = None
        scores: tuple[FinalScore, ...] = ()
        categories: Iterable[str] = ()
        if isinstance(contract, DirectContractingContract):
            total = final_benchmark(
                contract.benchmark, rules, target, prepared.drivers, early_exit=track.early_exit
            )
            categories = contract.benchmark
            if contract.scores is not None:
                scores = final_scores(contract.scores, prepared.drivers, draws=draws, seed=seed)
        taken = expected_drivers(categories, prepared.drivers, rules)
        chains.append(
            Chain(
                [track.name],
                rules,
                target,
                track.early_exit,
                built,
                months,
                total,
                *taken,
                draws,
                scores,
            )
        )
    return chains


def _same(
    chains: Iterable[Chain], target: Benchmark, rules: RuleSet, early_exit: bool
) -> Chain | None:
    """The chain of the same benchmark under the same rules, if there is one already."""
    for chain in chains:
        if (
            chain.target is target
            and chain.early_exit == early_exit
            and (chain.rules.program, chain.rules.option) == (rules.program, rules.option)
            and chain.rules == rules
        ):
            return chain
    return None


# --- for programs -----------------------------------------------------------------------------


def _document(chain: Chain) -> dict[str, Any]:
    rules = chain.rules
    return {
        "tracks": chain.tracks,
        "program": rules.program,
        "option": rules.option,
        "year": rules.year,
        "entity_type": rules.entity_type,
        "mode": chain.target.mode,
        "months": chain.months,
        "trend_ratio": chain.trend_ratio,
        "quality_score": chain.quality_score,
        "parts": [
            {"part": title, "steps": [_step(line) for line in statement.lines]}
            for title, statement in chain.parts
        ],
        "draws": chain.draws,
        "scores": [_score(score) for score in chain.scores],
        "rules": [
            {
                "name": name,
                "value": rules[name].shown,
                "confidence": rules[name].confidence,
                "source": rules.citation(name),
                "note": rules[name].note,
            }
            for name in _applied(chain)
        ],
    }


def _step(line: Line) -> dict[str, Any]:
    return {
        "key": line.key,
        "label": line.label.strip(),
        "before": None if line.before is None else _finite(line.before),
        "after": _finite(line.after),
        "unit": line.unit,
        "rules": list(line.rules),
    }


def _score(score: FinalScore) -> dict[str, Any]:
    return {
        "category": score.category,
        "alignment": score.alignment,
        "floor": score.floor,
        "ceiling": score.ceiling,
        "at_floor": _figures(score.at_floor),
        "at_ceiling": _figures(score.at_ceiling),
        "mean": _figures(score.mean),
        "standard_deviation": _figures(score.standard_deviation),
    }


def _figures(found: Estimate) -> dict[str, float | None]:
    names = ("estimate", "ci_low", "ci_high", "standard_error")
    return {name: _finite(each) for name, each in zip(names, found, strict=True)}


def _finite(amount: Any) -> float | None:
    number = float(amount)
    return number if math.isfinite(number) else None


def _applied(chain: Chain) -> Iterable[str]:
    return dict.fromkeys(name for _, statement in chain.parts for name in statement.rules)


# --- for people -------------------------------------------------------------------------------


def _report(chain: Chain) -> Iterator[RenderableType]:
    from rich.text import Text

    rules = chain.rules
    yield Text(
        f"{rules.program} {rules.year}, {rules.option}, {rules.entity_type.replace('_', ' ')}: "
        f"{', '.join(chain.tracks)}",
        style="bold",
    )
    if chain.built is None:
        yield "The benchmark is given, not built."
    for title, statement in chain.parts:
        yield ""
        yield Text(title, style="bold")
        yield _steps(statement, chain.months)
    if chain.total is not None:
        ratios = ", ".join(f"{ratio:.4f} {kind}" for kind, ratio in chain.trend_ratio.items())
        yield f"Realised over projected trend {ratios}; quality score {chain.quality_score:.2%}."
    if chain.scores:
        yield ""
        yield Text(f"Risk scores of {chain.draws:,} draws of the drivers", style="bold")
        yield _scores(chain.scores)
        if chain.built is None:
            yield "Over the scores in the given benchmark, taken to lie in the middle of the cap."
        yield "Limits are of the normalized score; shares stand with their standard errors."
    yield ""
    yield Text("Rules applied", style="bold")
    table = _table("Rule", "Value", "Confidence")
    for name in _applied(chain):
        table.add_row(name, rules[name].shown, rules[name].confidence)
    yield table
    yield f"Sources: simdc programs show {rules.program} --year {rules.year}\n"


def _steps(statement: Statement, months: float) -> Table:
    """Steps with what each started from and came to; dollars of all also by month."""
    in_dollars = all(line.unit == "dollars" for line in statement.lines)
    if in_dollars:
        table = _table("Step", "Before, US$>", "After, US$>", "PBPM>")
        for line in statement.lines:
            pbpm = f"{float(line.after) / months:,.2f}"
            table.add_row(line.label, _shown(line.before, line.unit), _after(line), pbpm)
        return table
    table = _table("Step", "Before>", "After>", "Unit")
    for line in statement.lines:
        table.add_row(line.label, _shown(line.before, line.unit), _after(line), _UNITS[line.unit])
    return table


def _scores(scores: Iterable[FinalScore]) -> Table:
    """Limits of each group's score, how often it ends on them, and its mean and spread."""
    table = _table("Score of", "Floor>", "Ceiling>", "On floor>", "On ceiling>", "Mean>", "SD>")
    for score in scores:
        limits = ("" if edge is None else f"{edge:.4f}" for edge in (score.floor, score.ceiling))
        shares = (
            f"{each.value:.1%} ±{each.standard_error:.1%}" if limited else ""
            for each, limited in (
                (score.at_floor, score.floor is not None),
                (score.at_ceiling, score.ceiling is not None or score.at_ceiling.value > 0.0),
            )
        )
        moments = (score.mean.value, score.standard_deviation.value)
        table.add_row(
            f"{score.category}, {score.alignment.replace('_', ' ')}",
            *limits,
            *shares,
            *("-" if math.isnan(each) else f"{each:.4f}" for each in moments),
        )
    return table


_UNITS = {
    "pbpm": "US$ PBPM",
    "per capita": "US$ a year",
    "dollars": "US$",
    "score": "score",
    "factor": "factor",
    "fraction": "fraction",
}


def _after(line: Line) -> str:
    return _shown(line.after, line.unit)


def _shown(amount: Any, unit: str) -> str:
    if amount is None:
        return ""
    places = 2 if unit in ("pbpm", "per capita", "dollars") else 4
    return f"{float(amount):,.{places}f}"


def _table(*headers: str) -> Table:
    """A borderless table; a header ending in '>' heads a column of figures."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for header in headers:
        figures = header.endswith(">")
        table.add_column(
            header.rstrip(">"), justify="right" if figures else "left", no_wrap=figures
        )
    return table
