"""Results as a risk officer first reads them: tables within 80 columns, each figure with its error.

Everything is drawn from the tree as it is on disk, so that a run and a later look at its file
show the same. No digit is shown that the draws do not support.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

import numpy as np
import xarray as xr
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from simdc.estimate import Estimate
from simdc.report.figures import (
    HEADLINE,
    NONE,
    Money,
    amount_column,
    estimate_of,
    needed_for,
    percent,
    range_column,
    refusal,
    two_lines,
)
from simdc.report.layout import clean, counted, heading, new_table, print_report, section
from simdc.result import group

__all__ = ["render_guarantee", "render_run"]

_LEVELS_PER_TABLE = 4


def render_run(tree: xr.DataTree, file: IO[str] | None = None) -> None:
    """Print the whole report of a run.

    Parameters
    ----------
    tree : xarray.DataTree
        From `simdc.result.build_result` or `read_result`.
    file : text file, optional
        Standard output by default. Plain text is written to what is no terminal.
    """
    money = Money.fitting(tree)
    print_report(
        [
            *heading(tree),
            *_earnings(tree, money),
            *_guarantee(tree, money),
            *_observed(tree, money),
            *_assumptions(tree),
        ],
        file,
    )


def render_guarantee(tree: xr.DataTree, file: IO[str] | None = None) -> None:
    """Print the guarantee alone: is the required amount enough, and what would be?"""
    print_report([*heading(tree), *_guarantee(tree, Money.fitting(tree))], file)


# --- sections ---------------------------------------------------------------------------------


def _earnings(tree: xr.DataTree, money: Money) -> Iterator[RenderableType]:
    """What tracks are compared by, and what is settled in cash where that differs."""
    names = _tracks(tree)
    summary, guarantee = group(tree, "summary"), group(tree, "guarantee")
    shared, cash = summary["shared_after_sequestration"], summary["cash_due"]
    differing = [name for name in names if not shared.sel(track=name).equals(cash.sel(track=name))]
    yield section(
        f"Shared savings or losses after sequestration, {money.name}",
        _distribution(names, shared, ("P(loss)", guarantee["probability_of_loss"]), money),
        "" if differing else "Cash due at settlement is the same amount on every track.",
    )
    if differing:
        rest = " Tracks not listed settle only the amount above."
        yield section(
            f"Cash due at settlement, {money.name}",
            _distribution(differing, cash, ("P(owing)", guarantee["probability_owing"]), money),
            "The above with what else is settled in cash, such as enhanced capitation: it was "
            "received earlier, so its repayment is no cost of the track."
            + (rest if len(differing) < len(names) else ""),
        )


def _distribution(
    names: Sequence[str], line: xr.DataArray, chance: tuple[str, xr.DataArray], money: Money
) -> Table:
    columns = {}
    for header, statistic in HEADLINE.items():
        estimates = [estimate_of(line.sel(track=name, statistic=statistic)) for name in names]
        columns[header] = amount_column(estimates, money, refusal(needed_for(statistic)))
    header, probability = chance
    columns[header] = [percent(estimate_of(probability.sel(track=name))) for name in names]
    return _by_track(names, columns)


def _guarantee(tree: xr.DataTree, money: Money) -> Iterator[RenderableType]:
    names, guarantee = _tracks(tree), group(tree, "guarantee")
    if np.isnan(guarantee["required_guarantee"].values).all():
        yield Text(f"No guarantee is required: {_basis(tree, names)}.\n")
    else:
        yield section(
            f"Is the required guarantee enough? {money.name}",
            _required(guarantee, names, money),
            f"Required is {_basis(tree, names)}. Total owed is everything to be paid back at "
            "settlement, shared loss included. Expected shortfall is the total owed beyond the "
            "required amount over all draws; then, over the draws that exceed it.",
        )
    levels = [float(level) for level in guarantee["level"].values]
    for start in range(0, len(levels), _LEVELS_PER_TABLE):
        part = levels[start : start + _LEVELS_PER_TABLE]
        draws = int(tree.attrs["draws"])
        refused = any(int(guarantee["draws_needed"].sel(level=p)) > draws for p in part)
        yield section(
            f"Amount that covers the total owed with the probability given, {money.name}",
            _covering(guarantee, names, part, money),
            f"{counted(draws)} cannot support what is refused; run at least as many as it needs."
            if refused
            else "",
        )


def _required(guarantee: xr.Dataset, names: Sequence[str], money: Money) -> Table:
    def of_tracks(variable: str) -> list[Estimate]:
        return [estimate_of(guarantee[variable].sel(track=name)) for name in names]

    required = [float(guarantee["required_guarantee"].sel(track=name)) for name in names]
    shared_loss = of_tracks("probability_shared_loss_exceeds_required")
    total_owed = of_tracks("probability_total_owed_exceeds_required")
    columns = {
        "Required": [NONE if math.isnan(r) else Text(money.plain(r)) for r in required],
        "P(shared\nloss\n> it)": [percent(e) for e in shared_loss],
        "P(total\nowed\n> it)": [percent(e) for e in total_owed],
        "Expected\nshortfall": _shortfalls(of_tracks("expected_shortfall"), money),
        "When\nexceeded": amount_column(of_tracks("shortfall_when_exceeded"), money, NONE),
    }
    return _by_track(names, columns)


def _shortfalls(estimates: Sequence[Estimate], money: Money) -> list[Text]:
    """Expected shortfalls; one that no draw shows has a value but no limit."""
    cells = amount_column(estimates, money, NONE)
    return [
        two_lines("0", "no draw") if e.value == 0.0 and math.isnan(e.high) else cell
        for e, cell in zip(estimates, cells, strict=True)
    ]


def _basis(tree: xr.DataTree, names: Sequence[str]) -> str:
    """What the required amounts rest on, said once where tracks agree."""
    by_basis: dict[str, list[str]] = {}
    for name in names:
        basis = clean(group(tree, "guarantee")["guarantee_basis"].sel(track=name).item())
        by_basis.setdefault(basis, []).append(clean(name))
    if len(by_basis) == 1:
        return next(iter(by_basis))
    return "; ".join(f"{basis} ({', '.join(tracks)})" for basis, tracks in by_basis.items())


def _covering(
    guarantee: xr.Dataset, names: Sequence[str], levels: Sequence[float], money: Money
) -> Table:
    columns = {}
    for level in levels:
        amounts, needed = (
            guarantee[variable].sel(level=level) for variable in ("covering_amount", "draws_needed")
        )
        estimates = [estimate_of(amounts.sel(track=name)) for name in names]
        columns[f"{100 * level:g}%"] = range_column(estimates, money, refusal(int(needed)))
    return _by_track(names, columns)


def _observed(tree: xr.DataTree, money: Money) -> Iterator[RenderableType]:
    if "observed" not in tree.children:
        return
    outcome = group(tree, "observed")
    track = outcome.attrs["track"]
    published = [
        name for name in map(str, outcome.data_vars) if f"{name}_percentile" in outcome.data_vars
    ]
    table = new_table("Figure", ["Published", "Draws at\nor below", "5%", "50%", "95%"])
    for name in published:
        unit = Money(0.01, "%", 2) if outcome[name].attrs["units"] == "1" else money
        simulated = group(tree, "summary")[name].sel(track=track)
        table.add_row(
            Text(f"{name.replace('_', ' ')}, {unit.name}"),
            Text(unit.plain(float(outcome[name]))),
            percent(estimate_of(outcome[f"{name}_percentile"])),
            *(
                amount_column(
                    [estimate_of(simulated.sel(statistic=q))], unit, refusal(needed_for(q))
                )[0]
                for q in ("quantile_05", "quantile_50", "quantile_95")
            ),
        )
    yield section(
        f"Where the published outcome falls on track {clean(track)}",
        table,
        f"Published: {clean(outcome.attrs['source'])}",
    )


def _assumptions(tree: xr.DataTree) -> Iterator[RenderableType]:
    """What no source settles, one point each."""
    inputs = group(tree, "inputs")
    parts = [inputs[f"assumption_{part}"].values for part in ("subject", "statement", "source")]
    if not parts[0].size:
        return
    yield Text("Assumptions", style="bold")
    listed = Table.grid(padding=(0, 1))
    listed.add_column(no_wrap=True)
    listed.add_column(overflow="fold")
    for subject, statement, source in zip(*(map(clean, part) for part in parts), strict=True):
        listed.add_row(
            "•",
            Text.assemble(
                (subject, "bold"),
                f": {statement}",
                ("" if source == "assumption" else f" [{source}]", "dim"),
            ),
        )
    yield listed


def _by_track(names: Sequence[str], columns: Mapping[str, Sequence[Text]]) -> Table:
    table = new_table("Track", list(columns))
    for name, *cells in zip(names, *columns.values(), strict=True):
        table.add_row(Text(clean(name)), *cells)
    return table


def _tracks(tree: xr.DataTree) -> list[str]:
    return [str(name) for name in group(tree, "guarantee")["track"].values]
