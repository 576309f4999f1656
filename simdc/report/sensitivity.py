"""What moves each track: Sobol' indices and a tornado, as tables within 80 columns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import IO

from rich.console import RenderableType
from rich.text import Text

from simdc.estimate import Estimate
from simdc.report.figures import (
    NONE,
    Money,
    amount_column,
    chance,
    digits,
    fixed,
    two_lines,
)
from simdc.report.layout import (
    assumptions,
    clean,
    counted,
    new_table,
    of_whom,
    points,
    print_report,
    section,
)
from simdc.sensitivity.design import SAMPLES
from simdc.sensitivity.findings import Findings, OutputFindings
from simdc.sensitivity.indices import FINE, is_coarse, samples_for
from simdc.sweep.values import as_toml

__all__ = ["render_sensitivity"]

_PROBABILITY = "probability_owing"
_POINTS = Money(0.01, "percentage points", 2)
_BAR = 8  # characters on each side of a tornado's middle
_WIDEST_VALUE = 16  # characters


def render_sensitivity(findings: Findings, file: IO[str] | None = None) -> None:
    """Print what moves each track.

    Parameters
    ----------
    findings : Findings
        From `simdc.sensitivity.run.Sensitivity.findings`.
    file : text file, optional
        Standard output by default.
    """
    parts = [*_heading(findings)]
    for track, outputs in findings.tracks.items():
        money = _fitting(outputs)
        parts += [
            _spread(findings, track, outputs, money),
            *_indices(findings, track, outputs),
            *(
                _tornado(findings, track, output, found, money)
                for output, found in outputs.items()
                if not math.isnan(found.base.value)
            ),
        ]
    print_report([*parts, *assumptions(findings.tree)], file)


def _heading(findings: Findings) -> Iterator[RenderableType]:
    about = findings.tree.attrs
    yield from of_whom(about)
    yield Text(
        f"{counted(findings.samples, 'sample')} of {counted(len(findings.settings), 'setting')}, "
        f"{counted(findings.points, 'point')}, each on the same "
        f"{counted(about['draws'], 'draw')}, seed {about['seed']}"
    )
    yield Text(f"Sign: {about['sign_convention']}.")
    yield Text()
    yield Text("What is varied", style="bold")
    yield points(
        Text.assemble((clean(each.label), "bold"), f" = {clean(each.text)}")
        for each in findings.settings
    )
    yield Text()
    yield Text("How to read it", style="bold")
    yield points(Text(remark) for remark in _reading(findings))
    yield Text()


def _reading(findings: Findings) -> Iterator[str]:
    yield (
        "Mean settlement is that of cash due; owing is that it is negative; the "
        f"{_percentage(findings.level)} guarantee covers the total owed in that share of draws."
    )
    yield (
        "All points have the same draws. The error of a point, its standard error from the "
        "simulation, moves them together: differences between points are known better."
    )
    yield (
        "Indices are shares of the variance over the points. First: what a setting explains by "
        "itself. Total: what it has a part in, by itself or together with others. Limits are of "
        "the sample of points, given the draws."
    )
    yield (
        "One setting at a time: numbers start from the median of their range and go to its 5% and "
        "95% quantile; what is chosen from a list starts from what the scenario has and goes to "
        "each value. Limits are of the change draw by draw."
    )
    yield "No limits hold doubt about the ranges, or about the assumptions listed below."


def _fitting(outputs: Mapping[str, OutputFindings]) -> Money:
    amounts = [
        abs(amount)
        for output, found in outputs.items()
        if output != _PROBABILITY
        for amount in (found.base.value, found.mean, *(swing.width for swing in found.swings))
    ]
    return Money.reaching(max(filter(math.isfinite, amounts), default=0.0))


def _title(output: str, level: float) -> str:
    titles = {"mean_settlement": "Mean settlement", _PROBABILITY: "Probability of owing"}
    return titles.get(output, f"{_percentage(level)} guarantee")


def _percentage(level: float) -> str:
    return f"{100.0 * level:.10g}%"


def _spread(
    findings: Findings, track: str, outputs: Mapping[str, OutputFindings], money: Money
) -> RenderableType:
    """How far each figure varies over the points, beside how well a point's figure is known."""
    table = new_table("Figure", ["Mean", "SD", "Error of\na point"])
    for output, found in outputs.items():
        told = (found.mean, found.standard_deviation, found.simulation_error)
        table.add_row(_title(output, findings.level), *_plain(output, told, money))
    return section(f"Track {clean(track)}: figures over the points, {money.name}", table)


def _plain(output: str, values: tuple[float, ...], money: Money) -> list[str]:
    """Figures without error, to the digits that the last one of them supports."""
    scale, suffix = (100.0, "%") if output == _PROBABILITY else (1.0 / money.dollars, "")
    scaled = [value * scale for value in values]
    if not all(map(math.isfinite, scaled)):
        return ["-"] * len(values)
    decimals = digits(scaled[-1]) if scaled[-1] > 0.0 else money.decimals
    return [f"{fixed(value, decimals)}{suffix}" for value in scaled]


def _indices(
    findings: Findings, track: str, outputs: Mapping[str, OutputFindings]
) -> Iterator[RenderableType]:
    shown = {output: found for output, found in outputs.items() if found.indices}
    if shown:
        heads = {"mean_settlement": "Mean", _PROBABILITY: "Owing"}
        headers = [
            f"{heads.get(output, _percentage(findings.level))}\n{which}"
            for output in shown
            for which in ("first", "total")
        ]
        table = new_table("Setting", headers)
        for place, setting in enumerate(findings.settings):
            every = (found.indices[place] for found in shown.values())
            cells = (_share(index) for each in every for index in (each.first, each.total))
            table.add_row(Text(clean(setting.label)), *cells)
        yield section(f"Track {clean(track)}: Sobol' indices", table)
    remarks = [
        f"{_title(output, findings.level)} {found.obstacle}."
        for output, found in outputs.items()
        if found.obstacle
    ]
    remarks += _too_few(findings, shown)
    for remark in remarks:
        yield Text(remark)
    if remarks:
        yield Text()


def _share(index: Estimate) -> Text:
    """An index above its error, in percent: whole ones, or tenths where the error is below one."""
    value, half = 100.0 * index.value, 50.0 * (index.high - index.low)
    decimals = min(max(digits(half), 0), 1) if half > 0.0 else 0
    star = "*" if is_coarse(index) else ""
    if half == 0.0:
        return Text(f"{fixed(value, decimals)}%")
    return two_lines(f"{fixed(value, decimals)}%", f"±{fixed(half, decimals)}%{star}")


def _too_few(findings: Findings, shown: Mapping[str, OutputFindings]) -> Iterator[str]:
    """That indices say next to nothing, and how many samples would change it."""
    needed = [
        samples_for(index, findings.samples)
        for found in shown.values()
        for each in found.indices
        for index in (each.first, each.total)
        if is_coarse(index)
    ]
    known = [samples for samples in needed if samples is not None]
    if known:
        yield (
            f"* Limits too wide to say much: about {max(known):,} samples would bring them to "
            f"±{FINE:.0%}."
        )
    if len(known) < len(needed):
        yield (
            f"* More than {SAMPLES[1]:,} samples would be needed for ±{FINE:.0%} of "
            f"{counted(len(needed) - len(known), 'index', 'indices')}."
        )


def _tornado(
    findings: Findings, track: str, output: str, found: OutputFindings, money: Money
) -> RenderableType:
    """A line for each value that a setting is moved to, settings by how far they move it."""
    unit = _POINTS if output == _PROBABILITY else money
    table = new_table("Setting", ["Moved to", "Change"])
    table.add_column("", no_wrap=True)
    effects = [effect.value for swing in found.swings for _, effect in swing.changes]
    widest = max((abs(effect) for effect in effects if math.isfinite(effect)), default=0.0)
    for swing in found.swings:
        changes = amount_column([effect for _, effect in swing.changes], unit, NONE)
        table.add_row(
            Text(clean(swing.setting.label)),
            Text("\n".join(_value(change.value) for change, _ in swing.changes)),
            Text("\n".join(map(_one_line, changes))),
            Text("\n".join(_bar(effect.value, widest) for _, effect in swing.changes)),
        )
    (base,) = (
        [chance(found.base)] if output == _PROBABILITY else amount_column([found.base], money, NONE)
    )
    return section(
        f"Track {clean(track)}: {_title(output, findings.level).lower()}, one setting at a time, "
        f"{unit.name}",
        table,
        f"From {_one_line(base)}.",
    )


def _one_line(cell: Text) -> str:
    return cell.plain.replace("\n", " ")


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e4 else f"{value:,.0f}"
    text = value if isinstance(value, str) else as_toml(value)
    return clean(text if len(text) <= _WIDEST_VALUE else f"{text[: _WIDEST_VALUE - 3]}...")


def _bar(change: float, widest: float) -> str:
    """A bar to the left or right of the middle."""
    length = round(_BAR * abs(change) / widest) if widest > 0.0 and math.isfinite(change) else 0
    left, right = (length, 0) if change < 0.0 else (0, length)
    return f"{'█' * left:>{_BAR}}│{'█' * right:<{_BAR}}"
