"""Results as a risk officer first reads them: tables within 80 columns, each figure with its error.

Everything is drawn from the tree as it is on disk, so that a run and a later look at its file
show the same. No digit is shown that the draws do not support.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import IO

import numpy as np
import xarray as xr
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from simdc.estimate import Estimate, draws_needed
from simdc.result import QUANTILES, group

__all__ = ["render_guarantee", "render_run"]

_WIDTH = (80, 110)  # figures need the first, lines of text get hard to read beyond the second
_LEVELS_PER_TABLE = 4

_HEADLINE = {
    "Mean": "mean",
    "SD": "standard_deviation",
    "5%": "quantile_05",
    "50%": "quantile_50",
    "95%": "quantile_95",
}
_TYPES = {"standard": "Standard", "new_entrant": "New Entrant", "high_needs": "High Needs"}

_NONE = Text("-", style="dim")


def render_run(tree: xr.DataTree, file: IO[str] | None = None) -> None:
    """Print the whole report of a run.

    Parameters
    ----------
    tree : xarray.DataTree
        From `simdc.result.build_result` or `read_result`.
    file : text file, optional
        Standard output by default. Plain text is written to what is no terminal.
    """
    money = _Money.fitting(tree)
    _print(
        [
            *_heading(tree),
            *_earnings(tree, money),
            *_guarantee(tree, money),
            *_observed(tree, money),
            *_assumptions(tree),
        ],
        file,
    )


def render_guarantee(tree: xr.DataTree, file: IO[str] | None = None) -> None:
    """Print the guarantee alone: is the required amount enough, and what would be?"""
    _print([*_heading(tree), *_guarantee(tree, _Money.fitting(tree))], file)


def _print(parts: Iterable[RenderableType], file: IO[str] | None) -> None:
    """Print on at least 80 columns, whatever the terminal says: no figure may be cut."""
    console = Console(file=file, highlight=False)
    console.width = min(max(console.width, _WIDTH[0]), _WIDTH[1])
    console.print(Group(*parts))


# --- figures ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Money:
    """The unit in which a report gives amounts."""

    dollars: float
    name: str
    decimals: int

    @classmethod
    def fitting(cls, tree: xr.DataTree) -> _Money:
        """Millions where any amount shown reaches ten of them, else thousands."""
        summary, guarantee = group(tree, "summary"), group(tree, "guarantee")
        shown = [
            summary[line].sel(statistic=list(_HEADLINE.values()), figure="estimate")
            for line in ("shared_after_sequestration", "cash_due")
        ]
        shown += [guarantee["required_guarantee"]]
        shown += [guarantee["covering_amount"].sel(figure="estimate")]
        largest = max(
            float(np.abs(array.values).max(initial=0.0, where=np.isfinite(array.values)))
            for array in shown
        )
        return cls(1e6, "$ million", 2) if largest >= 1e7 else cls(1e3, "$ thousand", 0)

    def scaled(self, estimate: Estimate) -> Estimate:
        return Estimate(*(figure / self.dollars for figure in estimate))

    def plain(self, dollars: float) -> str:
        """An amount without error."""
        return _fixed(dollars / self.dollars, self.decimals)


def _estimate(array: xr.DataArray) -> Estimate:
    return Estimate(*(float(figure) for figure in array.values))


def _half_width(estimate: Estimate) -> float:
    """Of the limits; the wider side where they are not symmetric."""
    return max(estimate.high - estimate.value, estimate.value - estimate.low)


def _digits(errors: Iterable[float], otherwise: int) -> int:
    """Decimals that the middle error of a column supports, negative for tens and hundreds.

    The error keeps one significant digit, or two where the first is a 1 and a single one would
    round it by up to half of itself.
    """
    known = [error for error in errors if math.isfinite(error) and error > 0.0]
    if not known:
        return otherwise
    error = median_low(known)
    exponent = math.floor(math.log10(error))
    return min((error < 2.0 * 10.0**exponent) - exponent, 4)


def _fixed(value: float, decimals: int) -> str:
    rounded = round(value, decimals) + 0.0  # adding zero turns -0.0 into 0.0
    return f"{rounded:,.{max(decimals, 0)}f}"


def _two_lines(first: str, second: str) -> Text:
    return Text.assemble(first, "\n", (second, "dim"))


def _with_error(estimate: Estimate, decimals: int, suffix: str = "") -> Text:
    return _two_lines(
        _fixed(estimate.value, decimals) + suffix,
        f"±{_fixed(_half_width(estimate), decimals)}{suffix}",
    )


def _refused(needed: int) -> Text:
    return _two_lines("refused", f"needs {needed:,}")


def _needed(statistic: str) -> int:
    """Fewest draws that support a statistic of the headline."""
    return draws_needed(QUANTILES[statistic]) if statistic in QUANTILES else 2


def _percent(estimate: Estimate) -> Text:
    """A probability; its digits come from its own error, as errors differ by orders."""
    if math.isnan(estimate.value):
        return _NONE
    scaled = Estimate(*(100.0 * figure for figure in estimate))
    return _with_error(scaled, max(_digits([_half_width(scaled)], 1), 0), "%")


def _amounts(estimates: Sequence[Estimate], money: _Money, missing: Text) -> list[Text]:
    """A column of amounts with their errors, all to the same decimals."""
    scaled = [money.scaled(estimate) for estimate in estimates]
    decimals = _digits(map(_half_width, scaled), money.decimals)
    return [missing if math.isnan(e.value) else _with_error(e, decimals) for e in scaled]


def _ranges(estimates: Sequence[Estimate], money: _Money, missing: Text) -> list[Text]:
    """A column of amounts with their limits, all to the same decimals."""
    scaled = [money.scaled(estimate) for estimate in estimates]
    decimals = _digits(map(_half_width, scaled), money.decimals)

    def cell(estimate: Estimate) -> Text:
        value, low, high = (_fixed(figure, decimals) for figure in estimate[:3])
        return _two_lines(value, f"{low}–{high}")

    return [missing if math.isnan(e.value) else cell(e) for e in scaled]


# --- layout -----------------------------------------------------------------------------------


def _clean(text: object) -> str:
    """Text from a scenario without characters that would steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def _table(first: str, headers: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column(first, overflow="fold", min_width=12)
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def _by_track(names: Sequence[str], columns: Mapping[str, Sequence[Text]]) -> Table:
    table = _table("Track", list(columns))
    for name, *cells in zip(names, *columns.values(), strict=True):
        table.add_row(Text(_clean(name)), *cells)
    return table


def _section(title: str, table: Table, note: str = "") -> Group:
    parts: list[RenderableType] = [Text(title, style="bold"), table]
    if note:
        parts.append(Text(note, style="dim"))
    return Group(*parts, Text())


def _draws(number: int) -> str:
    return f"{number:,} draw{'' if number == 1 else 's'}"


def _tracks(tree: xr.DataTree) -> list[str]:
    return [str(name) for name in group(tree, "guarantee")["track"].values]


# --- sections ---------------------------------------------------------------------------------


def _heading(tree: xr.DataTree) -> Iterator[RenderableType]:
    about, inputs = tree.attrs, group(tree, "inputs")
    kind = _TYPES.get(about["entity_type"], about["entity_type"])
    yield Text(_clean(about["title"] or about["scenario_name"]), style="bold")
    yield Text(f"{_clean(about['entity'])}, {kind}, performance year {about['performance_year']}")
    yield Text(
        f"{int(inputs['beneficiaries'].sum()):,} beneficiaries, "
        f"{float(inputs['months'].sum()):,.0f} months, "
        f"expected cost ${float(inputs['expected_cost'].sum()) / 1e6:,.1f} million"
    )
    yield Text(
        f"{_draws(about['draws'])}, seed {about['seed']}; "
        f"± and ranges are {about['confidence']:.0%} confidence limits"
    )
    yield Text(f"Sign: {about['sign_convention']}.")
    yield Text()


def _earnings(tree: xr.DataTree, money: _Money) -> Iterator[RenderableType]:
    """What tracks are compared by, and what is settled in cash where that differs."""
    names = _tracks(tree)
    summary, guarantee = group(tree, "summary"), group(tree, "guarantee")
    shared, cash = summary["shared_after_sequestration"], summary["cash_due"]
    differing = [name for name in names if not shared.sel(track=name).equals(cash.sel(track=name))]
    yield _section(
        f"Shared savings or losses after sequestration, {money.name}",
        _distribution(names, shared, ("P(loss)", guarantee["probability_of_loss"]), money),
        "" if differing else "Cash due at settlement is the same amount on every track.",
    )
    if differing:
        rest = " Tracks not listed settle only the amount above."
        yield _section(
            f"Cash due at settlement, {money.name}",
            _distribution(differing, cash, ("P(owing)", guarantee["probability_owing"]), money),
            "The above with what else is settled in cash, such as enhanced capitation: it was "
            "received earlier, so its repayment is no cost of the track."
            + (rest if len(differing) < len(names) else ""),
        )


def _distribution(
    names: Sequence[str], line: xr.DataArray, chance: tuple[str, xr.DataArray], money: _Money
) -> Table:
    columns = {}
    for header, statistic in _HEADLINE.items():
        estimates = [_estimate(line.sel(track=name, statistic=statistic)) for name in names]
        columns[header] = _amounts(estimates, money, _refused(_needed(statistic)))
    header, probability = chance
    columns[header] = [_percent(_estimate(probability.sel(track=name))) for name in names]
    return _by_track(names, columns)


def _guarantee(tree: xr.DataTree, money: _Money) -> Iterator[RenderableType]:
    names, guarantee = _tracks(tree), group(tree, "guarantee")
    if np.isnan(guarantee["required_guarantee"].values).all():
        yield Text(f"No guarantee is required: {_basis(tree, names)}.\n")
    else:
        yield _section(
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
        yield _section(
            f"Amount that covers the total owed with the probability given, {money.name}",
            _covering(guarantee, names, part, money),
            f"{_draws(draws)} cannot support what is refused; run at least as many as it needs."
            if refused
            else "",
        )


def _required(guarantee: xr.Dataset, names: Sequence[str], money: _Money) -> Table:
    def of_tracks(variable: str) -> list[Estimate]:
        return [_estimate(guarantee[variable].sel(track=name)) for name in names]

    required = [float(guarantee["required_guarantee"].sel(track=name)) for name in names]
    shared_loss = of_tracks("probability_shared_loss_exceeds_required")
    total_owed = of_tracks("probability_total_owed_exceeds_required")
    columns = {
        "Required": [_NONE if math.isnan(r) else Text(money.plain(r)) for r in required],
        "P(shared\nloss\n> it)": [_percent(e) for e in shared_loss],
        "P(total\nowed\n> it)": [_percent(e) for e in total_owed],
        "Expected\nshortfall": _shortfalls(of_tracks("expected_shortfall"), money),
        "When\nexceeded": _amounts(of_tracks("shortfall_when_exceeded"), money, _NONE),
    }
    return _by_track(names, columns)


def _shortfalls(estimates: Sequence[Estimate], money: _Money) -> list[Text]:
    """Expected shortfalls; one that no draw shows has a value but no limit."""
    cells = _amounts(estimates, money, _NONE)
    return [
        _two_lines("0", "no draw") if e.value == 0.0 and math.isnan(e.high) else cell
        for e, cell in zip(estimates, cells, strict=True)
    ]


def _basis(tree: xr.DataTree, names: Sequence[str]) -> str:
    """What the required amounts rest on, said once where tracks agree."""
    by_basis: dict[str, list[str]] = {}
    for name in names:
        basis = _clean(group(tree, "guarantee")["guarantee_basis"].sel(track=name).item())
        by_basis.setdefault(basis, []).append(_clean(name))
    if len(by_basis) == 1:
        return next(iter(by_basis))
    return "; ".join(f"{basis} ({', '.join(tracks)})" for basis, tracks in by_basis.items())


def _covering(
    guarantee: xr.Dataset, names: Sequence[str], levels: Sequence[float], money: _Money
) -> Table:
    columns = {}
    for level in levels:
        amounts, needed = (
            guarantee[variable].sel(level=level) for variable in ("covering_amount", "draws_needed")
        )
        estimates = [_estimate(amounts.sel(track=name)) for name in names]
        columns[f"{100 * level:g}%"] = _ranges(estimates, money, _refused(int(needed)))
    return _by_track(names, columns)


def _observed(tree: xr.DataTree, money: _Money) -> Iterator[RenderableType]:
    if "observed" not in tree.children:
        return
    outcome = group(tree, "observed")
    track = outcome.attrs["track"]
    published = [
        name for name in map(str, outcome.data_vars) if f"{name}_percentile" in outcome.data_vars
    ]
    table = _table("Figure", ["Published", "Draws at\nor below", "5%", "50%", "95%"])
    for name in published:
        unit = _Money(0.01, "%", 2) if outcome[name].attrs["units"] == "1" else money
        simulated = group(tree, "summary")[name].sel(track=track)
        table.add_row(
            Text(f"{name.replace('_', ' ')}, {unit.name}"),
            Text(unit.plain(float(outcome[name]))),
            _percent(_estimate(outcome[f"{name}_percentile"])),
            *(
                _amounts([_estimate(simulated.sel(statistic=q))], unit, _refused(_needed(q)))[0]
                for q in ("quantile_05", "quantile_50", "quantile_95")
            ),
        )
    yield _section(
        f"Where the published outcome falls on track {_clean(track)}",
        table,
        f"Published: {_clean(outcome.attrs['source'])}",
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
    for subject, statement, source in zip(*(map(_clean, part) for part in parts), strict=True):
        listed.add_row(
            "•",
            Text.assemble(
                (subject, "bold"),
                f": {statement}",
                ("" if source == "assumption" else f" [{source}]", "dim"),
            ),
        )
    yield listed
