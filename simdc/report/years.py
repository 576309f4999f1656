"""Several performance years: what each and all of them come to, and the guarantee by date."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from simdc.figures import FIGURES, STATISTICS
from simdc.report.figures import (
    HEADLINE,
    NONE,
    Money,
    amount_column,
    chance,
    estimate_of,
    needed_for,
    refusal,
    two_lines,
)
from simdc.report.layout import clean, new_table, section
from simdc.result import group

__all__ = ["calendar_sections", "has_years", "years_json", "years_sections"]


def has_years(tree: xr.DataTree) -> bool:
    """Whether a result is of several performance years."""
    return "years" in tree.children


# --- tables -----------------------------------------------------------------------------------


def years_sections(tree: xr.DataTree, money: Money) -> Iterator[RenderableType]:
    """What each year and all years come to, one table for each track."""
    years = group(tree, "years")
    first, last = int(years["year"][0]), int(years["year"][-1])
    yield Text(
        f"Performance years {first} to {last}; people and amounts above are those of {first}.\n"
    )
    for name in _tracks(years):
        of_track = years.sel(track=name)
        any_year = chance(estimate_of(of_track["probability_owing_in_any_year"]))
        yield section(
            f"Cash settled by performance year, track {clean(name)}, {money.name}",
            _by_year(of_track, money),
            f"All years: their sum, draw by draw. Owed in one year or more: "
            f"{any_year.plain.replace(chr(10), ' ')}.",
        )


def _by_year(years: xr.Dataset, money: Money) -> Table:
    numbers = [int(year) for year in years["year"].values]
    rows = [
        *(years["cash_of_year"].sel(year=year) for year in numbers),
        years["cash_of_years"],
    ]
    owing = [
        *(years["probability_owing_of_year"].sel(year=year) for year in numbers),
        years["probability_owing_of_years"],
    ]
    columns = {
        header: amount_column(
            [estimate_of(row.sel(statistic=statistic)) for row in rows],
            money,
            refusal(needed_for(statistic)),
        )
        for header, statistic in HEADLINE.items()
    }
    columns["P(owing)"] = [chance(estimate_of(each)) for each in owing]
    labels = [
        two_lines(str(year), clean(years["program_of_year"].sel(year=year).item()))
        for year in numbers
    ]
    return _table("Year", [*labels, Text("all years")], columns)


def calendar_sections(tree: xr.DataTree, money: Money) -> Iterator[RenderableType]:
    """What must be guaranteed from each date on, one table for each track."""
    years = group(tree, "years")
    silent = []
    for name in _tracks(years):
        of_track = years.sel(track=name)
        happens = [place for place, event in enumerate(of_track["event"].values) if event]
        if not happens:
            silent.append(clean(name))
            continue
        yield section(
            f"Guarantee that must stand from each date, track {clean(name)}, {money.name}",
            _by_date(of_track.isel(date=happens), money),
            "Required: sum over the years secured. Percentages: the amount that covers with that "
            "probability what is owed of them, each year's losses in full whatever the others "
            "save.",
        )
    if silent:
        yield Text(f"When it settles is not stated by the program of: {', '.join(silent)}.\n")


def _by_date(standing: xr.Dataset, money: Money) -> Table:
    secured = [str(text).replace(", ", "\n") or "-" for text in standing["secured_years"].values]
    required = [float(amount) for amount in standing["required_standing"].values]
    columns = {
        "Secures": [Text(text) for text in secured],
        "Required": [NONE if math.isnan(r) else Text(money.plain(r)) for r in required],
    }
    for level in standing["level"].values:
        amounts = standing["covering_standing"].sel(level=level)
        columns[f"{100 * float(level):g}%"] = amount_column(
            [estimate_of(row) for row in amounts], money, Text("refused")
        )
    labels = [
        two_lines(str(date), str(event).replace(", ", "\n"))
        for date, event in zip(standing["date"].values, standing["event"].values, strict=True)
    ]
    return _table("From", labels, columns)


def _table(first: str, labels: Sequence[Text], columns: dict[str, list[Text]]) -> Table:
    table = new_table(first, list(columns))
    for label, *cells in zip(labels, *columns.values(), strict=True):
        table.add_row(label, *cells)
    return table


# --- JSON -------------------------------------------------------------------------------------


def years_json(tree: xr.DataTree) -> dict[str, Any] | None:
    """Every year, all of them and the guarantee by date, per track; None of a single year.

    ``years``: per year ``year``, ``program``, ``option``, ``benchmark``, ``expected_cost``,
    ``required_guarantee``, ``cash``, ``shared_after_sequestration`` and ``probability_owing``;
    ``total``: the same of all years, with ``probability_owing_in_any_year``; ``guarantee``: per
    date ``from``, ``event``, ``secured_years``, ``required`` and ``covering`` by level.
    """
    if not has_years(tree):
        return None
    years = group(tree, "years")
    return {name: _track_json(years.sel(track=name)) for name in _tracks(years)}


def _track_json(of_track: xr.Dataset) -> dict[str, Any]:
    return {
        "years": [
            {
                "year": int(year),
                "program": str(each["program_of_year"].item()),
                "option": str(each["option_of_year"].item()),
                "benchmark": _number(each["benchmark_of_year"].item()),
                "expected_cost": _number(each["expected_cost_of_year"].item()),
                "required_guarantee": _number(each["required_guarantee_of_year"].item()),
                "cash": _statistics(each["cash_of_year"]),
                "shared_after_sequestration": _statistics(each["shared_of_year"]),
                "probability_owing": _estimate(each["probability_owing_of_year"]),
            }
            for year in of_track["year"].values
            for each in [of_track.sel(year=year)]
        ],
        "total": {
            "cash": _statistics(of_track["cash_of_years"]),
            "shared_after_sequestration": _statistics(of_track["shared_of_years"]),
            "probability_owing": _estimate(of_track["probability_owing_of_years"]),
            "probability_owing_in_any_year": _estimate(of_track["probability_owing_in_any_year"]),
        },
        "guarantee": [
            {
                "from": str(date),
                "event": str(each["event"].item()),
                "secured_years": [
                    int(year) for year in str(each["secured_years"].item()).split(", ") if year
                ],
                "required": _number(each["required_standing"].item()),
                "covering": [
                    {
                        "level": float(level),
                        "amount": _estimate(each["covering_standing"].sel(level=level)),
                    }
                    for level in each["level"].values
                ],
            }
            for date in of_track["date"].values
            for each in [of_track.sel(date=date)]
            if each["event"].item()
        ],
    }


def _statistics(array: xr.DataArray) -> dict[str, Any]:
    return {statistic: _estimate(array.sel(statistic=statistic)) for statistic in STATISTICS}


def _estimate(array: xr.DataArray) -> dict[str, Any]:
    return {key: _number(figure) for key, figure in zip(FIGURES, array.values, strict=True)}


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _tracks(years: xr.Dataset) -> list[str]:
    return [str(name) for name in years["track"].values]
