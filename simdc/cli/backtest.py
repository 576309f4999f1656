"""``simdc backtest``: forecasts from the default priors, scored against published results."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simdc.cli.where import Where, executor_options

if TYPE_CHECKING:
    from simdc.backtest import Backtest
    from simdc.backtest.judge import Comparison, Group
    from simdc.backtest.words import Section


@click.command(no_args_is_help=True)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--program", required=True, metavar="NAME", help="gpdc (2022) or reach (from 2023).")
@click.option("--year", type=int, help="Performance year, where the file has several or none.")
@click.option(
    "--draws",
    type=click.IntRange(min=100),
    default=2_000,
    show_default=True,
    help="Draws of each entity.",
)
@click.option("--seed", type=click.IntRange(min=0, max=2**64 - 1), default=1, show_default=True)
@executor_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
@click.option("--markdown", is_flag=True, help="Print the report as Markdown.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    file: Path,
    program: str,
    year: int | None,
    draws: int,
    seed: int,
    where: Where,
    as_json: bool,
    markdown: bool,
    quiet: bool,
) -> None:
    """Score the default priors against a published results file.

    FILE is the table of results that CMS publishes for a program, one row per entity, as CSV.
    Every entity is forecast from before its year, on evidence of earlier years alone, and its
    published savings rate is placed in its forecast.

    \b
      simdc backtest gpdc_results_py2022.csv --program gpdc
      simdc backtest results.csv --program reach --year 2023 --json
    """  # noqa: D301 - click wants a real backspace before text not to be rewrapped
    if as_json and markdown:
        raise click.UsageError("--json and --markdown exclude each other.")
    from simdc.backtest import backtest
    from simdc.backtest.words import sections

    with where.opened() as executor, _progress(quiet) as progress:
        result = backtest(
            file, program, year, draws=draws, seed=seed, executor=executor, progress=progress
        )
    if as_json:
        click.echo(json.dumps(_finite(_document(result)), indent=2, allow_nan=False))
    elif markdown:
        click.echo("\n".join(_markdown(sections(result), result)))
    else:
        _print(sections(result))


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Counts entities on a terminal's standard error; silence elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda done, entities: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("simulating", BarColumn(), MofNCompleteColumn(), "entities", TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, entities: bar.update(task, completed=done, total=entities)


# --- for programs -----------------------------------------------------------------------------


def _document(result: Backtest) -> dict[str, Any]:
    """The result as plain values; rates are fractions."""
    from simdc.backtest.words import findings

    even = result.uniformity
    return {
        "file": result.file,
        "program": result.program,
        "year": result.year,
        "draws": result.draws,
        "seed": result.seed,
        "findings": [{"poor": each.poor, "text": each.text} for each in findings(result)],
        "groups": [_group(group) for group in (result.total, *result.groups)],
        "coverage": [
            {
                "level": each.level,
                "share": each.share._asdict(),
                "covered": _comparison(each.covered),
            }
            for each in result.coverage
        ],
        "probability_integral_transform": {
            "histogram": list(even.histogram),
            "mean": _comparison(even.mean),
            "chi_square": _comparison(even.chi_square),
            "chi_square_chance_if_independent": even.chi_square_independent,
            "kolmogorov_smirnov": _comparison(even.kolmogorov_smirnov),
            "kolmogorov_smirnov_chance_if_independent": even.kolmogorov_smirnov_independent,
        },
        "continuous_ranked_probability_score": {
            "simdc": result.total.crps,
            **{
                each.name: {
                    "description": each.description,
                    "score": each.crps,
                    "advantage_of_simdc": each.advantage,
                    "standard_error": each.error,
                }
                for each in result.naive
            },
        },
        "outside_99_percent": _comparison(result.missed),
        "entities": [
            {
                "id": entity.id,
                "type": entity.entity_type,
                "option": entity.option,
                "beneficiaries": entity.beneficiaries,
                "savings_rate": entity.savings_rate,
                "transform": float(transform),
                "continuous_ranked_probability_score": float(crps),
            }
            for entity, transform, crps in zip(
                result.forecasts.entities, result.transforms, result.crps, strict=True
            )
        ],
        "evidence": [
            {
                "type": prior.entity_type,
                "option": prior.option,
                "year": prior.evidence_year,
                "entities": prior.entities,
                "mean": prior.mean,
                "standard_deviation": prior.sd,
                "drivers": {
                    told.subject.removeprefix("driver "): {
                        "statement": told.statement,
                        "source": told.source,
                    }
                    for told in result.forecasts.assumptions[prior.entity_type, prior.option]
                },
            }
            for prior in result.priors
        ],
        "left_out": [str(damage) for damage in result.left_out],
        "notes": list(result.notes),
        "units": "savings rates are gross savings over the final benchmark, as fractions",
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "type": group.kind,
        "size": group.size,
        "entities": group.entities,
        "mean": _comparison(group.mean),
        "spread": None if group.spread is None else _comparison(group.spread),
        "owing": _comparison(group.owing),
        "continuous_ranked_probability_score": group.crps,
    }


def _comparison(comparison: Comparison) -> dict[str, float]:
    from dataclasses import asdict

    return asdict(comparison)


def _finite(value: Any) -> Any:
    """The same with null for what is no number, as JSON has it."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- for people -------------------------------------------------------------------------------


def _markdown(parts: list[Section], result: Backtest) -> Iterator[str]:
    for number, part in enumerate(parts):
        if not (part.paragraphs or part.rows or part.points):
            continue
        yield f"{'#' if number == 0 else '##'} {part.title}\n"
        if number == 0:
            yield (
                f"Made by `simdc backtest {Path(result.file).name} --program {result.program} "
                f"--draws {result.draws} --seed {result.seed} --markdown`.\n"
            )
        for paragraph in part.paragraphs:
            yield f"{_escaped(paragraph)}\n"
        if part.rows:
            yield f"| {' | '.join(part.header)} |"
            yield "|---|" + "".join("--:|" if title else "---|" for title in part.header[1:])
            for row in part.rows:
                yield f"| {' | '.join(map(_escaped, row))} |"
            yield ""
        if part.points:
            yield from (f"* {_escaped(point)}" for point in part.points)
            yield ""


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, f"\\{mark}")
    return text


def _print(parts: list[Section]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(markup=False, highlight=False, emoji=False)
    console.width = max(console.width, 80)  # no figure may be cut
    for part in parts:
        if not (part.paragraphs or part.rows or part.points):
            continue
        console.print(part.title, style="bold")
        for paragraph in part.paragraphs:
            console.print(paragraph)
        if part.rows:
            table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
            table.add_column(part.header[0], overflow="fold", min_width=12)
            for title in part.header[1:]:
                table.add_column(title, justify="right" if title else "left", no_wrap=True)
            for row in part.rows:
                table.add_row(*row)
            console.print(table)
        for point in part.points:
            console.print(f"- {point}")
        console.print()
