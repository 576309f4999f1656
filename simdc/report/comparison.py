"""Tracks against each other: tables within 80 columns, and the same figures as JSON.

The JSON form starts with the head of a result and has the keys ``line`` and ``pairs``. A pair has
``first`` and ``second`` (names of tracks), ``difference`` (first less second, by statistic),
``probability`` (``first_pays_more``, ``second_pays_more``, ``equal``), ``break_even`` and
``obstacle`` (why there is no break-even, else null). A break-even has ``line``,
``gross_savings_rates`` (of the first track, the range searched), ``benchmark`` (``first`` and
``second``), ``crossings`` in rising order of gross savings and ``pays_more``: which of the two
pays more below, between and above the crossings, null where both pay the same. Amounts are US
dollars; rates are relative to each track's own settlement benchmark.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import IO, Any

import xarray as xr
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from simdc.compare import EARNED, BreakEven, Comparison, Crossing, Pair
from simdc.estimate import Estimate
from simdc.figures import FIGURES
from simdc.report.document import head, number
from simdc.report.figures import (
    HEADLINE,
    Money,
    amount_column,
    chance,
    needed_for,
    refusal,
)
from simdc.report.layout import (
    assumptions,
    clean,
    heading,
    new_table,
    print_report,
    section,
)
from simdc.variables import VARIABLES

__all__ = ["comparison_document", "render_comparison"]


def render_comparison(
    tree: xr.DataTree, comparison: Comparison, file: IO[str] | None = None
) -> None:
    """Print a comparison.

    Parameters
    ----------
    tree : xarray.DataTree
        The result that the comparison is of.
    comparison : Comparison
        From `simdc.compare.compare`.
    file : text file, optional
        Standard output by default.
    """
    money = _fitting(comparison)
    print_report(
        [
            *heading(tree, money),
            _differences(comparison, money),
            _chances(comparison),
            *_break_evens(comparison, money),
            *assumptions(tree),
        ],
        file,
    )


def _fitting(comparison: Comparison) -> Money:
    values = [each.value for pair in comparison.pairs for each in pair.difference.values()]
    return Money.reaching(max((abs(value) for value in values if isfinite(value)), default=0.0))


def _differences(comparison: Comparison, money: Money) -> RenderableType:
    table = new_table("Tracks", list(HEADLINE))
    columns = [
        amount_column(
            [pair.difference[statistic] for pair in comparison.pairs],
            money,
            refusal(needed_for(statistic)),
        )
        for statistic in HEADLINE.values()
    ]
    for pair, *cells in zip(comparison.pairs, *columns, strict=True):
        table.add_row(Text(f"{clean(pair.first)}\nless {clean(pair.second)}"), *cells)
    return section(
        f"Difference on the same draws, {money.name}",
        table,
        f"Compared by {VARIABLES[comparison.line].long_name}.",
    )


def _chances(comparison: Comparison) -> RenderableType:
    table = new_table("Tracks", ["Pays more\nin", "Both the same\nin"])
    for pair in comparison.pairs:
        table.add_row(_name(pair.first), _one_line(pair.first_pays_more), _one_line(pair.equal))
        table.add_row(_name(pair.second), _one_line(pair.second_pays_more))
    return section(
        "Which of the two pays more? Share of draws",
        table,
        "Both the same: to the cent.",
    )


def _name(track: str) -> Text:
    """A track's name as it is, though it look like markup."""
    return Text(clean(track))


def _one_line(estimate: Estimate) -> Text:
    return Text(chance(estimate).plain.replace("\n", " "))


def _break_evens(comparison: Comparison, money: Money) -> Iterator[RenderableType]:
    """Where tracks cross; then what never crosses and what cannot be said."""
    table = new_table("Tracks", ["Gross\nsavings", f"Pays,\n{money.name}", "Pays\nmore", "Draws"])
    remarks: list[str] = []
    for pair in comparison.pairs:
        found = pair.break_even
        if found is None:
            remarks.append(f"{_names(pair)}: {clean(pair.obstacle)}")
        elif not found.crossings:
            remarks.append(f"{_names(pair)}: {_never(found)}")
        else:
            _add_crossings(table, pair, found, money)
    if table.row_count:
        yield section(
            "Where they cross as gross savings rise",
            table,
            f"Crossed by {VARIABLES[EARNED].long_name}, at the same cost of care. Gross savings "
            "are over each track's own settlement benchmark, held at its mean. Draws: the share "
            "in which gross savings of the track named first are below and above.",
        )
    for remark in remarks:
        yield Text(remark)


def _add_crossings(table: Table, pair: Pair, found: BreakEven, money: Money) -> None:
    for crossing, below, above in zip(
        found.crossings, found.better, found.better[1:], strict=False
    ):
        shares = (
            f"below {_one_line(crossing.draws_below)}",
            f"above {_one_line(crossing.draws_above)}",
        )
        for place, name in enumerate((pair.first, pair.second)):
            table.add_row(
                _name(name),
                f"{crossing.gross_savings_rate[place]:.2%}",
                _paid(crossing, place, money),
                " ".join(["below"] * (name == below) + ["above"] * (name == above)),
                shares[place],
            )


def _paid(crossing: Crossing, place: int, money: Money) -> str:
    below, above = (money.plain(pays[place]) for pays in (crossing.pays_below, crossing.pays_above))
    return below if below == above else f"{below} → {above}"


def _names(pair: Pair) -> str:
    return f"{clean(pair.first)} and {clean(pair.second)}"


def _never(found: BreakEven) -> str:
    low, high = found.rates
    between = f"between gross savings of {low:.0%} and {high:.0%}"
    if found.better[0] is None:
        return f"pay the same everywhere {between}."
    return f"never cross {between}; {clean(found.better[0])} always pays more."


# --- for programs -----------------------------------------------------------------------------


def comparison_document(tree: xr.DataTree, comparison: Comparison) -> dict[str, Any]:
    """A comparison as plain objects that ``json.dumps`` takes; the keys are listed above."""
    return {
        **head(tree),
        "line": comparison.line,
        "pairs": [_pair(pair) for pair in comparison.pairs],
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        "difference": _estimates(pair.difference),
        "probability": _estimates(
            {key: getattr(pair, key) for key in ("first_pays_more", "second_pays_more", "equal")}
        ),
        "break_even": None if pair.break_even is None else _break_even(pair.break_even),
        "obstacle": pair.obstacle or None,
    }


def _estimates(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    return {
        name: {key: number(figure) for key, figure in zip(FIGURES, estimate, strict=True)}
        for name, estimate in estimates.items()
    }


def _break_even(found: BreakEven) -> dict[str, Any]:
    return {
        "line": EARNED,
        "gross_savings_rates": list(found.rates),
        "benchmark": _both(found.benchmark),
        "crossings": [
            {
                "cost": crossing.cost,
                "gross_savings_rate": _both(crossing.gross_savings_rate),
                "pays_below": _both(crossing.pays_below),
                "pays_above": _both(crossing.pays_above),
                "jumps": crossing.jumps,
                "draws": _estimates({"below": crossing.draws_below, "above": crossing.draws_above}),
            }
            for crossing in found.crossings
        ],
        "pays_more": list(found.better),
    }


def _both(of_tracks: tuple[float, float]) -> dict[str, float]:
    return dict(zip(("first", "second"), of_tracks, strict=True))
