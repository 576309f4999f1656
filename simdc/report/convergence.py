"""How watched figures settled with the number of draws, of a run that went on until they did."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import xarray as xr
from rich.console import RenderableType
from rich.text import Text

from simdc.estimate import Estimate
from simdc.figures import FIGURES
from simdc.report.figures import NONE, Money, amount_column, estimate_of, percent
from simdc.report.layout import clean, counted, new_table, section
from simdc.result import group

__all__ = ["convergence_json", "convergence_sections", "not_reached"]

_LOOKS = 4  # the last ones, as many as the width takes


def convergence_sections(tree: xr.DataTree, money: Money) -> Iterator[RenderableType]:
    """Each watched figure at the last looks, beside the bound that was asked for."""
    if "convergence" not in tree.children:
        return
    found = group(tree, "convergence")
    draws = [int(each) for each in found["draws"].values][-_LOOKS:]
    table = new_table("Figure", ["Asked for", *(f"{each:,}\ndraws" for each in draws)])
    for row in _rows(found):
        share = row["watched_units"].item() == "1"
        bound = row["bound"].item()
        asked = f"{100.0 * bound:g}%" if share else f"{bound / money.dollars:g}"
        looks = [estimate_of(row["watched_figure"].sel(draws=each)) for each in draws]
        cells = map(percent, looks) if share else amount_column(looks, money, NONE)
        table.add_row(Text(clean(row["watched"].item())), Text(f"±{asked}"), *cells)
    missed = not_reached(tree)
    yield section(
        f"Watched figures by number of draws, {money.name}",
        table,
        f"{missed}." if missed else "Draws were added until each was known as asked for.",
    )


def not_reached(tree: xr.DataTree) -> str:
    """Which figures are not known as well as asked for, in a sentence without its full stop."""
    if "convergence" not in tree.children:
        return ""
    found = group(tree, "convergence")
    missed = [_known(row) for row in _rows(found) if not row["bound_reached"].item()]
    if not missed:
        return ""
    return (
        f"{counted(int(found['draws'][-1]), 'draw')} left "
        f"{counted(len(missed), 'figure')} less well known than asked for: {', '.join(missed)}"
    )


def _known(row: xr.Dataset) -> str:
    """How well a watched figure is known, beside how well it was to be."""
    units = row["watched_units"].item()
    known = _distance(estimate_of(row["watched_figure"].isel(draws=-1)))
    told = "without limits" if math.isnan(known) else f"±{_said(known, units)}"
    return f"{clean(row['watched'].item())} ({told}, not ±{_said(row['bound'].item(), units)})"


def convergence_json(tree: xr.DataTree) -> dict[str, Any] | None:
    """The same figures for programs, at every look; None where nothing was watched."""
    if "convergence" not in tree.children:
        return None
    found = group(tree, "convergence")
    return {
        "limit": int(found.attrs["limit"]),
        "watched": [
            {
                "figure": str(row["watched"].item()),
                "units": str(row["watched_units"].item()),
                "bound": row["bound"].item(),
                "reached": bool(row["bound_reached"].item()),
                "looks": [
                    {"draws": int(look["draws"]), **_figures(estimate_of(look))}
                    for look in row["watched_figure"]
                ],
            }
            for row in _rows(found)
        ],
    }


def _rows(found: xr.Dataset) -> Iterator[xr.Dataset]:
    return (found.isel(watched=place) for place in range(found.sizes["watched"]))


def _figures(estimate: Estimate) -> dict[str, float | None]:
    return {
        name: None if math.isnan(value) else value
        for name, value in zip(FIGURES, estimate, strict=True)
    }


def _distance(estimate: Estimate) -> float:
    """From the figure to the limit farther away; NaN where there is none."""
    sides = (estimate.value - estimate.low, estimate.high - estimate.value)
    return math.nan if any(map(math.isnan, sides)) else max(sides)


def _said(amount: float, units: str) -> str:
    return f"{100.0 * amount:.3g}%" if units == "1" else f"${amount:,.2f}".removesuffix(".00")
