"""``simdc replay``: published results, recomputed row by row."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from simdc.replay import Report

_STEPS = {"gross": "Gross", "shared": "Shared", "paid": "Paid"}
_MOST_DAMAGE_SHOWN = 20


@click.command(no_args_is_help=True)
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option(
    "--program",
    required=True,
    metavar="NAME",
    help="gpdc (2021-2022), reach (from 2023) or mssp (2014-2024).",
)
@click.option("--year", type=int, help="Performance year, where the file does not state it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON only.")
def command(file: Path, program: str, year: int | None, as_json: bool) -> None:
    """Recompute a published results file and say row by row what matches.

    FILE is the table of results that CMS publishes for a program, one row per entity, as CSV.
    Every row is settled by the functions that simulations use, from its published benchmark and
    cost. Columns may be in any order and spelling of CMS's, among others.

    \b
      simdc replay gpdc_results_py2022.csv --program gpdc
      simdc replay mssp_results_py2016.csv --program mssp --json
    """  # noqa: D301 - click wants a real backspace before text not to be rewrapped
    from simdc.replay import replay

    report = replay(file, program, year)
    if as_json:
        click.echo(json.dumps(_document(report), indent=2, allow_nan=False))
    else:
        _print(report)


# --- for programs -----------------------------------------------------------------------------


def _document(report: Report) -> dict[str, Any]:
    """The report as plain JSON values."""
    return {
        "file": report.file,
        "program": report.program,
        "rows": report.rows,
        "groups": [
            {"year": year, "option": option, "rows": rows}
            for (year, option), rows in report.groups.items()
        ],
        "checks": {
            step: {
                "published_as": report.sources[step],
                "checked": tally.checked,
                "within_1_dollar": tally.within_dollar,
                "within_0.1_percent": tally.within_thousandth,
                "within_input_rounding": tally.within_rounding,
                "published_total": tally.published,
                "computed_total": tally.computed,
                "unchecked": report.unchecked[step],
            }
            for step, tally in report.checks.items()
        },
        "mismatches": [
            {
                "row": mismatch.row,
                "line": mismatch.line,
                "year": mismatch.year,
                "option": mismatch.option,
                "step": mismatch.step,
                "published": mismatch.published,
                "computed": mismatch.computed,
                "difference": mismatch.difference,
                "reason": mismatch.reason,
            }
            for mismatch in report.mismatches
        ],
        "damaged": [
            {
                "row": damage.row,
                "line": damage.line,
                "column": damage.column,
                "given": damage.given,
                "problem": damage.problem,
            }
            for damage in report.damage
        ],
        "missing_columns": dict(report.missing),
        "notes": list(report.notes),
        "information": {name: dict(found) for name, found in report.information.items()},
        "units": "US dollars; positive is paid to the entity, negative is owed by it",
    }


# --- for people -------------------------------------------------------------------------------


def _print(report: Report) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False, emoji=False)
    console.width = max(console.width, 80)  # no figure may be cut
    console.print(f"Replay: {Path(report.file).name}, {report.rows} rows", style="bold")
    for sentence in _groups(report):
        console.print(sentence)
    console.print()
    console.print(_counts(report))
    console.print()
    console.print(_totals(report))
    console.print()
    _print_mismatches(console, report)
    _print_account(console, report)


def _groups(report: Report) -> Iterator[str]:
    for year in sorted({year for year, _ in report.groups}):
        options = (
            f"{option} {rows}" for (each, option), rows in report.groups.items() if each == year
        )
        yield f"{report.program} {year}: {', '.join(options)}."


def _counts(report: Report) -> Table:
    table = _table("Step", "Published as")
    for title in ("Checked", "Within $1", "Within 0.1%", "Within rounding"):
        table.add_column(title, justify="right")
    for step, tally in report.checks.items():
        counts = (
            tally.checked,
            tally.within_dollar,
            tally.within_thousandth,
            tally.within_rounding,
        )
        table.add_row(_STEPS[step], report.sources[step], *map(str, counts))
    return table


def _totals(report: Report) -> Table:
    table = _table("Total of the rows checked, US$")
    for title in ("Published", "Recomputed", "Difference"):
        table.add_column(title, justify="right", no_wrap=True)
    for step, tally in report.checks.items():
        if tally.checked:
            amounts = (tally.published, tally.computed, tally.computed - tally.published)
            table.add_row(_STEPS[step], *map(_dollars, amounts))
    return table


def _print_mismatches(console: Console, report: Report) -> None:
    if not report.mismatches:
        console.print("No mismatch: every figure checked agrees within what is printed.")
        return
    console.print(f"Mismatches: {len(report.mismatches)}", style="bold")
    table = _table("Row", "Step")
    for title in ("Published", "Recomputed", "Difference"):
        table.add_column(title, justify="right", no_wrap=True)
    for mismatch in report.mismatches:
        amounts = (mismatch.published, mismatch.computed, mismatch.difference)
        table.add_row(mismatch.row, _STEPS[mismatch.step], *map(_dollars, amounts))
    console.print(table)
    console.print("\nLikely reasons", style="bold")
    for mismatch in report.mismatches:
        console.print(
            f"{mismatch.row} ({mismatch.option}, {mismatch.step}): {mismatch.reason}.",
            soft_wrap=True,
        )


def _print_account(console: Console, report: Report) -> None:
    """What was not checked, what was read how, and what else was found."""
    missing = report.missing.items()
    for title, lines in (
        ("Not checked", list(_unchecked(report))),
        ("Columns not in the file", [f"{each}: needed for {lost}." for each, lost in missing]),
        ("Damaged", _damaged(report)),
        ("Notes", list(report.notes)),
        ("Also compared", list(_information(report))),
    ):
        if lines:
            console.print(f"\n{title}", style="bold")
            for line in lines:
                console.print(line, soft_wrap=True)


def _unchecked(report: Report) -> Iterator[str]:
    for step, reasons in report.unchecked.items():
        for reason, rows in reasons.items():
            yield f"{_STEPS[step]}, {rows} row{'s' * (rows != 1)}: {reason}."


def _damaged(report: Report) -> list[str]:
    lines = [f"{damage}." for damage in report.damage[:_MOST_DAMAGE_SHOWN]]
    if (more := len(report.damage) - len(lines)) > 0:
        lines.append(f"... and {more} more; --json lists them all.")
    return lines


def _information(report: Report) -> Iterator[str]:
    for name, found in report.information.items():
        if not found["checked"]:
            continue
        label = name.replace("_", " ").capitalize()
        if "median" in found:
            yield (
                f"{label}: median {found['median']:.4f}, from {found['least']:.4f} to "
                f"{found['most']:.4f}; {found['agreeing']} of {found['checked']} within 0.3% of "
                "the median. It is what the final benchmark leaves of the unadjusted one after "
                "discount and quality in one additive bracket; a year has one trend for all."
            )
        else:
            yield f"{label}: {found['agreeing']} of {found['checked']} as recomputed."


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column)
    return table


def _dollars(amount: float) -> str:
    return "-" if math.isnan(amount) else f"{amount:,.2f}"
