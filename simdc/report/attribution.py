"""What each driver and people's own luck are worth, one table for each track."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import xarray as xr
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from simdc.estimate import Estimate, draws_needed
from simdc.report.figures import Money, amount_column, estimate_of, percent, refusal
from simdc.report.layout import clean, new_table, section
from simdc.result import group
from simdc.shares import draws_for_worst

__all__ = ["attribution_sections"]

_LEVEL = 0.99
_NOTE = (
    "Share of the variance (of shared savings, and of cash due where that differs) that each "
    "explains by itself, and what would be gone with it fixed at "
    "its mean. 99% amount: change of the amount that covers the total owed, with it fixed. Mean: "
    "of its value, in all draws and in the worst 1% by cash due; cost drivers are deviations, "
    "'all drivers' is the cost that they let expect over what was expected beforehand, 'people' is "
    "cost over what the drivers let expect."
)
_ROUNDING = 1e-6  # cash due may differ by a constant, which moves no share but in its last bits


def attribution_sections(tree: xr.DataTree, money: Money) -> Iterator[RenderableType]:
    """One table for each track, where the run was asked for them; of several years the first."""
    if "attribution" not in tree.children:
        return
    found = group(tree, "attribution")
    names = [str(name) for name in found["track"].values]
    when = f" in {tree.attrs['performance_year']}" if "years" in tree.children else ""
    for name in names:
        yield section(
            f"What drives the outcome of track {clean(name)}{when}, {money.name}",
            _table(found.sel(track=name), money),
            _NOTE if name == names[-1] else "",
        )


def _table(found: xr.Dataset, money: Money) -> Table:
    """Drivers of one track in rows; cash due has a column where it varies otherwise."""
    sources = [str(name) for name in found["driver"].values]

    def column(variable: xr.DataArray) -> list[Estimate]:
        return [estimate_of(variable.sel(driver=source)) for source in sources]

    def shares(variable: str, line: str) -> list[Text]:
        return [percent(each) for each in column(found[variable].sel(line=line))]

    shared, cash = "shared_after_sequestration", "cash_due"
    columns = {"Share of\nvariance": shares("variance_share", shared)}
    share = found["variance_share"].sel(figure="estimate")
    differences = share.sel(line=shared).values - share.sel(line=cash).values
    if np.nanmax(np.abs(differences), initial=0.0) > _ROUNDING:
        columns["of cash\ndue"] = shares("variance_share", cash)
    columns |= {
        "Gone if\nfixed": shares("variance_removed", shared),
        "99% amount\nif fixed": amount_column(
            column(found["covering_change"]), money, refusal(draws_needed(_LEVEL))
        ),
        "Mean": [percent(each) for each in column(found["driver_mean"])],
        "Mean in\nworst 1%": [
            refusal(draws_for_worst(1.0 - _LEVEL)) if math.isnan(each.value) else percent(each)
            for each in column(found["driver_mean_in_worst"])
        ],
    }
    table = new_table("Driver", list(columns))
    for source, *cells in zip(sources, *columns.values(), strict=True):
        table.add_row(Text(source.replace("_", " ")), *cells)
    return table
