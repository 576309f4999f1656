"""A portfolio as tables within 80 columns: its entities, then what groups of them owe together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np
import xarray as xr
from rich.console import RenderableType
from rich.text import Text

from simdc.estimate import MOMENT_DRAWS, Estimate, draws_needed
from simdc.report.figures import (
    NONE,
    Money,
    amount_column,
    chance,
    estimate_of,
    range_column,
    ranged,
    refusal,
    two_lines,
)
from simdc.report.layout import (
    assumptions,
    clean,
    counted,
    how_to_read,
    new_table,
    points,
    print_report,
    section,
)
from simdc.result import group

__all__ = ["render_portfolio"]

_ROWS = 40  # of a table; beyond, those that matter most
_FEW = 10  # that are shown then
_NAMED = 3  # entities that make an assumption, in its line
_ANSWER = 0.99  # level of the entities' table, or the highest there is

_COVERING = {
    "Separately": "covering_separately",
    "Together": "covering_together",
    "Netted": "covering_netted",
    "Saved\ntogether": "saved_together",
    "Saved\nnetted": "saved_netted",
}


def render_portfolio(tree: xr.DataTree, file: IO[str] | None = None) -> None:
    """Print a finished portfolio.

    Parameters
    ----------
    tree : xarray.DataTree
        From `simdc.portfolio.read.read_portfolio`.
    file : text file, optional
        Standard output by default.
    """
    print_report([*_heading(tree), *_entities(tree), *_groups(tree), *_assumptions(tree)], file)


def _heading(tree: xr.DataTree) -> Iterator[RenderableType]:
    about, inputs = tree.attrs, group(tree, "inputs")
    people = float(inputs["beneficiaries_of_entity"].sum())
    yield Text(clean(about["title"] or about["portfolio"]), style="bold")
    yield Text(
        f"{counted(inputs.sizes['entity'], 'entity', 'entities')}, "
        f"{counted(people, 'beneficiary', 'beneficiaries')}, "
        f"performance year {about['performance_year']}"
    )
    for row in _rows(inputs):
        if "warning: " in inputs["assumption_subject"].values[row]:
            statement = clean(inputs["assumption_statement"].values[row])
            makers = _makers(inputs, row)
            yield Text(f"Warning{f' ({makers})' if makers else ''}: {statement}.", style="bold")
    yield Text(f"{counted(about['draws'], 'draw')}, seed {about['seed']}")
    yield from how_to_read(about)
    yield Text()


# --- entities ---------------------------------------------------------------------------------


def _entities(tree: xr.DataTree) -> Iterator[RenderableType]:
    inputs, guarantee = group(tree, "inputs"), group(tree, "guarantee")
    level = _answer_level(guarantee)
    shown = _most(guarantee["mean_total_owed"].sel(figure="estimate").values)
    guarantee = guarantee.isel(entity=shown)
    net = group(tree, "summary")["cash_due"].sel(statistic="mean").isel(entity=shown)
    covering = guarantee["covering_amount"].sel(level=level)
    required = guarantee["required_guarantee"].values
    money = _money(net, covering, guarantee["required_guarantee"])
    columns = {
        "Net": amount_column(_each(net), money, refusal(MOMENT_DRAWS)),
        "P(owing)": [chance(each) for each in _each(guarantee["probability_owing"])],
        _percent(level): range_column(_each(covering), money, refusal(draws_needed(level))),
        "Required": [_amount(each, money) for each in required],
        "Fails": [
            chance(each) for each in _each(guarantee["probability_total_owed_exceeds_required"])
        ],
    }
    table = new_table("Entity", list(columns))
    for place, *cells in zip(shown, *columns.values(), strict=True):
        name, track = (str(inputs[key].values[place]) for key in ("entity", "elected_track"))
        table.add_row(two_lines(clean(name), f"  {clean(track)}"), *cells)
    left = inputs.sizes["entity"] - len(shown)
    yield section(
        f"Entities{_of_all(left, 'owe')}, {money.name}",
        table,
        "Net: mean of the cash due at settlement. "
        f"{_percent(level)}: the amount that covers the total owed with that probability. "
        "Fails: how often the total owed exceeds the required guarantee.",
    )
    yield from _how_to_read_the_rest(left, "entity", "entities")


# --- groups -----------------------------------------------------------------------------------


def _groups(tree: xr.DataTree) -> Iterator[RenderableType]:
    groups = _distinct(group(tree, "groups"))
    level = _answer_level(groups)
    saved = groups["saved_netted"].sel(figure="estimate", level=level).values
    shown = _most(saved)
    groups = groups.isel(group=shown)
    answer = groups.sel(level=level)
    money = _money(groups["covering_separately"], groups["required_of_group"])
    yield _sums(groups, money)
    yield _guarantees(groups, money)
    yield Text(
        f"To cover what is owed in {_percent(float(answer['level']))} of years", style="bold"
    )
    yield points(_answer(answer.isel(group=place), money) for place in range(len(shown))[:_FEW])
    yield Text()
    yield from _how_to_read_the_rest(saved.size - len(shown), "group")


def _distinct(groups: xr.Dataset) -> xr.Dataset:
    """Without the group of all entities where a named one is of all."""
    every, *named = groups["entities_of_group"].values
    return groups.isel(group=slice(1, None)) if every in named else groups


def _sums(groups: xr.Dataset, money: Money) -> RenderableType:
    columns = {
        head: amount_column(
            _each(groups[f"{line}_of_group"].sel(statistic="mean")), money, refusal(MOMENT_DRAWS)
        )
        for head, line in (
            ("Gross\nsavings", "gross_savings"),
            ("Shared", "shared"),
            ("Net", "settlement"),
        )
    }
    columns["P(owing)"] = [chance(each) for each in _each(groups["probability_owing_of_group"])]
    columns["Required"] = [_amount(each, money) for each in groups["required_of_group"].values]
    table = new_table("Group", list(columns))
    for name, entities, *cells in zip(
        groups["group"].values, groups["entities_of_group"].values, *columns.values(), strict=True
    ):
        table.add_row(
            two_lines(clean(name), f"  {counted(entities, 'entity', 'entities')}"), *cells
        )
    return section(
        f"What groups come to, means in {money.name}",
        table,
        "Shared: savings or losses after sequestration. Net: the cash due to all. P(owing): that "
        "the group owes more than it is due. Required: the sum of what the rules require of each.",
    )


def _guarantees(groups: xr.Dataset, money: Money) -> RenderableType:
    levels = [float(level) for level in groups["level"].values]
    if groups.sizes["group"] * len(levels) > _ROWS:
        levels = [_answer_level(groups)]
    table = new_table("Group", ["Level", *_COVERING])
    for place, name in enumerate(groups["group"].values):
        for level in levels:
            here = groups.isel(group=place).sel(level=level)
            refused = [refusal(draws_needed(level))] * 3
            table.add_row(
                Text(clean(name) if level == levels[0] else ""),
                Text(_percent(level)),
                *(
                    amount_column([estimate_of(here[key])], money, missing)[0]
                    for key, missing in zip(_COVERING.values(), (*refused, NONE, NONE), strict=True)
                ),
            )
    return section(
        f"Guaranteed separately, together or netted, {money.name}",
        table,
        "Amounts that cover what is owed with the probability of the level. Separately: the sum of "
        "what covers each entity on its own. Together: what covers the sum of all that entities "
        "owe, for rarely do all owe most in the same year. Netted: what covers what is left to owe "
        "when entities that are paid make up for those that owe. Saved: how much less than "
        "separately; amounts so covered do not always add up, and then it is below 0.",
    )


def _answer(figures: xr.Dataset, money: Money) -> Text:
    """What one guarantee for a group saves, in a sentence."""
    name = clean(figures["group"].item())
    apart, together, netted, saved, saved_netted = (
        estimate_of(figures[key]) for key in _COVERING.values()
    )
    if np.isnan(apart.value):
        return Text(f"{name}: refused, needs {draws_needed(float(figures['level'])):,} draws")
    entities = counted(int(figures["entities_of_group"]), "guarantee")
    return Text(
        f"{name}: {_said(apart, money)} in {entities}, one for each entity; in one for all "
        f"{_said(together, money)}, {_less(saved, apart, money)}; netted {_said(netted, money)}, "
        f"{_less(saved_netted, apart, money)}"
    )


def _said(estimate: Estimate, money: Money) -> str:
    value, limits = ranged(estimate, money)
    return f"{money.said(value)} ({limits})" if limits else money.said(value)


def _less(saved: Estimate, of: Estimate, money: Money) -> str:
    value, low, high, error = saved
    if value == 0.0:
        return "as much"
    way, amount = ("less", saved) if value > 0.0 else ("more", Estimate(-value, -high, -low, error))
    share = f" or {abs(value) / of.value:.1%}" if of.value > 0.0 else ""
    return f"{_said(amount, money)}{share} {way}"


# --- what both need ---------------------------------------------------------------------------


def _assumptions(tree: xr.DataTree) -> Iterator[RenderableType]:
    """What no source settles, with who makes it; what single entities make last, a few of them."""
    inputs = group(tree, "inputs")
    rows = list(_rows(inputs))
    alone = [row for row in rows if _count(inputs, row) == 1]
    shared = [row for row in rows if _count(inputs, row) != 1]
    shown = [*shared, *alone[:_ROWS]]
    columns = [name for name in inputs.data_vars if str(name).startswith("assumption_")]
    told = inputs[columns].isel(assumption=shown)
    subjects = [
        f"{subject} ({makers})" if (makers := _makers(inputs, row)) else subject
        for row, subject in zip(shown, told["assumption_subject"].values, strict=True)
    ]
    told = told.assign(assumption_subject=("assumption", subjects))
    yield from assumptions(xr.DataTree.from_dict({"/inputs": told}))
    left = len(alone) - len(alone[:_ROWS])
    yield from _how_to_read_the_rest(left, "assumption of one entity", "assumptions of one entity")


def _rows(inputs: xr.Dataset) -> range:
    return range(inputs.sizes["assumption"])


def _count(inputs: xr.Dataset, row: int) -> int:
    """How many entities make an assumption; none named means all."""
    makers = str(inputs["assumption_entities"].values[row])
    return len(makers.split(", ")) if makers else inputs.sizes["entity"] + 1


def _makers(inputs: xr.Dataset, row: int) -> str:
    names = str(inputs["assumption_entities"].values[row]).split(", ")
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return clean(", ".join(names[:_NAMED])) + more


def _answer_level(figures: xr.Dataset) -> float:
    levels = [float(level) for level in figures["level"].values]
    return _ANSWER if _ANSWER in levels else levels[-1]


def _percent(level: float) -> str:
    return f"{100 * level:g}%"


def _each(array: xr.DataArray) -> list[Estimate]:
    return [Estimate(*map(float, figures)) for figures in array.values]


def _amount(dollars: float, money: Money) -> Text:
    return NONE if np.isnan(dollars) else Text(money.plain(dollars))


def _money(*shown: xr.DataArray) -> Money:
    largest = max(
        float(np.abs(each.values).max(initial=0.0, where=np.isfinite(each.values)))
        for each in shown
    )
    return Money.reaching(largest)


def _most(amounts: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[int]:
    """Places that are shown, in their order: all, or those of the largest amounts."""
    if amounts.size <= _ROWS:
        return [*range(amounts.size)]
    return sorted(np.argsort(-amounts, kind="stable")[:_FEW].tolist())


def _of_all(left: int, do: str) -> str:
    return f", the {_FEW} that {do} most" if left else ""


def _how_to_read_the_rest(left: int, one: str, several: str = "") -> Iterator[Text]:
    if left:
        yield Text(
            f"{counted(left, f'more {one}', several and f'more {several}')} in the store; print "
            "all with --json (and --resume), or read them with simdc.read_portfolio(PATH)."
        )
        yield Text()
