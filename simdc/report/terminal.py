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
from simdc.report.attribution import attribution_sections
from simdc.report.convergence import convergence_sections
from simdc.report.figures import (
    HEADLINE,
    NONE,
    Money,
    amount_column,
    chance,
    estimate_of,
    needed_for,
    range_column,
    ranged,
    refusal,
    two_lines,
)
from simdc.report.layout import (
    assumptions,
    clean,
    counted,
    heading,
    new_table,
    points,
    print_report,
    section,
)
from simdc.report.years import calendar_sections, has_years, years_sections
from simdc.result import group

__all__ = ["render_guarantee", "render_run"]

_LEVELS_PER_TABLE = 4
_ANSWER = 0.99  # level of the closing lines, or the highest there is
_STEPS = {
    "without": "without it",
    "at_provisional": "provisional",
    "until_final": "until final",
}


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
    if has_years(tree):
        parts = [*heading(tree, money), *years_sections(tree, money)]
        parts += [*calendar_sections(tree, money), *attribution_sections(tree, money)]
        print_report([*parts, *assumptions(tree)], file)
        return
    print_report(
        [
            *heading(tree, money),
            *_earnings(tree, money),
            *_guarantee(tree, money),
            *attribution_sections(tree, money),
            *_observed(tree, money),
            *convergence_sections(tree, money),
            *assumptions(tree),
        ],
        file,
    )


def render_guarantee(tree: xr.DataTree, file: IO[str] | None = None) -> None:
    """Print the guarantee alone: is the required amount enough, and what would be?"""
    money = Money.fitting(tree)
    by_date = calendar_sections(tree, money) if has_years(tree) else ()
    print_report(
        [*heading(tree, money), *_guarantee(tree, money), *by_date, *assumptions(tree)], file
    )


# --- sections ---------------------------------------------------------------------------------


def _earnings(tree: xr.DataTree, money: Money) -> Iterator[RenderableType]:
    """What tracks are compared by, and what is settled in cash where that differs."""
    names = _tracks(tree)
    summary, guarantee = group(tree, "summary"), group(tree, "guarantee")
    shared, cash = summary["shared_after_sequestration"], summary["cash_due"]
    differing = [name for name in names if _settles_more_than_savings(tree, name)]
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
            "The above with what else is settled in cash, such as enhanced capitation or what a "
            "provisional settlement paid: received earlier, its repayment is no cost of the track."
            + (rest if len(differing) < len(names) else ""),
        )


def _settles_more_than_savings(tree: xr.DataTree, track: str) -> bool:
    """Whether cash due is another amount than the shared savings in any draw."""
    draws = group(tree, "draws").sel(track=track)
    return not np.array_equal(draws["shared_after_sequestration"], draws["cash_due"])


def _distribution(
    names: Sequence[str], line: xr.DataArray, likelihood: tuple[str, xr.DataArray], money: Money
) -> Table:
    columns = {}
    for header, statistic in HEADLINE.items():
        estimates = [estimate_of(line.sel(track=name, statistic=statistic)) for name in names]
        columns[header] = amount_column(estimates, money, refusal(needed_for(statistic)))
    header, probability = likelihood
    columns[header] = [chance(estimate_of(probability.sel(track=name))) for name in names]
    return _by_track(names, columns)


def _guarantee(tree: xr.DataTree, money: Money) -> Iterator[RenderableType]:
    names, guarantee = _tracks(tree), group(tree, "guarantee")
    yield _beforehand(tree, names, money)
    if np.isnan(guarantee["required_guarantee"].values).all():
        yield Text(f"Required guarantee: {_basis(tree, names)}.\n")
    else:
        yield section(
            f"Is the required guarantee enough? {money.name}",
            _required(guarantee, names, money),
            f"Required: {_basis(tree, names)}. Total owed is everything to be paid back at "
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
            f"{counted(draws, 'draw')} cannot support what is refused; run at least as many as "
            "it needs."
            if refused
            else "",
        )
        yield from _provisional(tree, part, money)
    yield from _answers(tree, names, money)


def _beforehand(tree: xr.DataTree, names: Sequence[str], money: Money) -> RenderableType:
    """Where the required amount comes from, and what else no draw changes."""
    inputs, guarantee = group(tree, "inputs"), group(tree, "guarantee")

    def of_tracks(dataset: xr.Dataset, variable: str) -> list[float]:
        if variable not in dataset:  # in results of earlier versions
            return [math.nan] * len(names)
        return [float(dataset[variable].sel(track=name)) for name in names]

    def amounts(dollars: Sequence[float]) -> list[Text]:
        return [
            NONE if math.isnan(each) or each == 0.0 else Text(money.plain(each)) for each in dollars
        ]

    base, required = of_tracks(inputs, "guarantee_base"), of_tracks(guarantee, "required_guarantee")
    rates = [amount / whole for amount, whole in zip(required, base, strict=True)]
    columns = {
        "Guarantee\nbase": amounts(base),
        "Rate": [NONE if math.isnan(rate) else Text(f"{rate:.2%}") for rate in rates],
        "Required": amounts(required),
        "Enhanced\nto repay": amounts(of_tracks(inputs, "enhanced_capitation")),
        "Stop-loss\ncharge": amounts(of_tracks(inputs, "stop_loss_charge")),
    }
    return section(
        f"Known before the year, {money.name}",
        _by_track(names, columns),
        "Enhanced primary care capitation is paid during the year and repaid at settlement. The "
        "stop-loss charge counts as cost.",
    )


def _provisional(
    tree: xr.DataTree, levels: Sequence[float], money: Money
) -> Iterator[RenderableType]:
    """What provisional settlement does to the amount to be guaranteed, where a track takes it."""
    guarantee = group(tree, "guarantee")
    if "step" not in guarantee.dims:
        return
    moved = group(tree, "draws")["provisional_settlement"]
    names = [name for name in _tracks(tree) if moved.sel(track=name).values.any()]
    if not names:
        return
    table = new_table("Track", [f"{100 * level:g}%" for level in levels])
    for name in names:
        for step, when in _STEPS.items():
            amounts = guarantee["covering_amount_by_step"].sel(track=name, step=step)
            cells = [
                range_column(
                    [estimate_of(amounts.sel(level=level))],
                    money,
                    refusal(int(guarantee["draws_needed"].sel(level=level))),
                )[0]
                for level in levels
            ]
            table.add_row(two_lines(clean(name), f"  {when}"), *cells)
    yield section(
        f"What provisional settlement changes: amount that covers, {money.name}",
        table,
        "Without it: owed at the final settlement, were there no provisional one. Provisional: "
        "owed at that one. Until final: still owed at the final settlement after it, which is "
        "what a guarantee secures between the two.",
    )


def _answers(tree: xr.DataTree, names: Sequence[str], money: Money) -> Iterator[RenderableType]:
    """For each track in one sentence: how much has to be there."""
    guarantee = group(tree, "guarantee")
    levels = [float(level) for level in guarantee["level"].values]
    level = _ANSWER if _ANSWER in levels else levels[-1]

    def answer(name: str) -> Text:
        covering = estimate_of(guarantee["covering_amount"].sel(track=name, level=level))
        needed = int(guarantee["draws_needed"].sel(level=level))
        required = float(guarantee["required_guarantee"].sel(track=name))
        if math.isnan(covering.value):
            parts = [f"refused, needs {needed:,} draws"]
        elif covering.high == 0.0:
            parts = ["nothing"]
        else:
            parts = [_with_range(covering, money), *_split(tree, name, covering, money)]
        if not math.isnan(required):
            parts.append(f"required {money.said(money.plain(required))}")
        return Text(f"{clean(name)}: {'; '.join(parts)}")

    yield Text(f"To cover what is owed in {100 * level:g}% of years", style="bold")
    yield points(map(answer, names))
    yield Text()


def _split(tree: xr.DataTree, track: str, covering: Estimate, money: Money) -> Iterator[str]:
    """A covering amount as the loan that goes back in any case, and the loss beside it."""
    loan = float(group(tree, "inputs")["enhanced_capitation"].sel(track=track))
    if not loan:
        return
    draws = group(tree, "draws").sel(track=track)
    cash, shared = draws["cash_due"].values, draws["shared_after_sequestration"].values
    rest = "loss" if np.allclose(cash + loan, shared) else "loss and what else is settled"
    value, low, high, error = covering
    loss = Estimate(value - loan, low - loan, high - loan, error)
    known = f"{money.said(money.plain(loan))} enhanced capitation to repay, known"
    if loss.value >= 0.0:
        yield f"of it {known}, and {_with_range(loss, money)} {rest}"
    else:
        saved = Estimate(loan - value, loan - high, loan - low, error)
        yield f"{known}, less {_with_range(saved, money)} savings"


def _with_range(estimate: Estimate, money: Money) -> str:
    value, limits = ranged(estimate, money)
    return f"{money.said(value)} ({limits})" if limits else money.said(value)


def _required(guarantee: xr.Dataset, names: Sequence[str], money: Money) -> Table:
    def of_tracks(variable: str) -> list[Estimate]:
        return [estimate_of(guarantee[variable].sel(track=name)) for name in names]

    required = [float(guarantee["required_guarantee"].sel(track=name)) for name in names]
    shared_loss = of_tracks("probability_shared_loss_exceeds_required")
    total_owed = of_tracks("probability_total_owed_exceeds_required")
    columns = {
        "Required": [NONE if math.isnan(r) else Text(money.plain(r)) for r in required],
        "P(shared\nloss\n> it)": [chance(e) for e in shared_loss],
        "P(total\nowed\n> it)": [chance(e) for e in total_owed],
        "Expected\nshortfall": _shortfalls(of_tracks("expected_shortfall"), money),
        "When\nexceeded": amount_column(of_tracks("shortfall_when_exceeded"), money, NONE),
    }
    return _by_track(names, columns)


def _shortfalls(estimates: Sequence[Estimate], money: Money) -> list[Text]:
    """Expected shortfalls; one that no draw shows has a value but no limit."""
    return [
        two_lines("0", "no draw")
        if e.value == 0.0 and math.isnan(e.high)
        else amount_column([e], money, NONE)[0]
        for e in estimates
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
            chance(estimate_of(outcome[f"{name}_percentile"])),
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


def _by_track(names: Sequence[str], columns: Mapping[str, Sequence[Text]]) -> Table:
    table = new_table("Track", list(columns))
    for name, *cells in zip(names, *columns.values(), strict=True):
        table.add_row(Text(clean(name)), *cells)
    return table


def _tracks(tree: xr.DataTree) -> list[str]:
    return [str(name) for name in group(tree, "guarantee")["track"].values]
