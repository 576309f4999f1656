"""Figures as people read them, each with its error: no digit that the draws do not support.

Below a figure stands what is known of it: ``±`` the wider side of its limits; ``<`` or ``>`` the
only limit there is, where the other is the edge of what can be; or both limits. Below a figure that
is the same at both stands nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from rich.text import Text

from simdc.estimate import MOMENT_DRAWS, Estimate, draws_needed
from simdc.figures import QUANTILES
from simdc.result import group

__all__ = [
    "HEADLINE",
    "NONE",
    "Money",
    "Prospect",
    "amount_column",
    "chance",
    "digits",
    "estimate_of",
    "fixed",
    "needed_for",
    "percent",
    "prospects",
    "range_column",
    "ranged",
    "refusal",
    "two_lines",
]

HEADLINE = {
    "Mean": "mean",
    "SD": "standard_deviation",
    "5%": "quantile_05",
    "50%": "quantile_50",
    "95%": "quantile_95",
}
"""Statistics of a distribution, by the header of their column."""

NONE = Text("-", style="dim")

_NEGLIGIBLE = 1e-9  # of a figure; a narrower error is that of floating point


@dataclass(frozen=True)
class Money:
    """The unit in which a report gives amounts."""

    dollars: float
    name: str
    decimals: int

    @classmethod
    def fitting(cls, tree: xr.DataTree) -> Money:
        """The unit that suits the amounts of a whole result."""
        summary, guarantee = group(tree, "summary"), group(tree, "guarantee")
        shown = [
            summary[line].sel(statistic=list(HEADLINE.values()), figure="estimate")
            for line in ("shared_after_sequestration", "cash_due")
        ]
        shown += [guarantee["required_guarantee"]]
        shown += [guarantee["covering_amount"].sel(figure="estimate")]
        largest = max(
            float(np.abs(array.values).max(initial=0.0, where=np.isfinite(array.values)))
            for array in shown
        )
        return cls.reaching(largest)

    @classmethod
    def reaching(cls, largest: float) -> Money:
        """Millions from ten of them, dollars below one, thousands between."""
        if largest >= 1e7:
            return cls(1e6, "$ million", 2)
        return cls(1e3, "$ thousand", 0) if largest >= 1e6 else cls(1.0, "$", 0)

    def scaled(self, estimate: Estimate) -> Estimate:
        """The estimate in this unit."""
        return Estimate(*(figure / self.dollars for figure in estimate))

    def plain(self, dollars: float) -> str:
        """An amount without error."""
        return fixed(dollars / self.dollars, self.decimals)

    def said(self, figure: str) -> str:
        """A figure in this unit as it stands in a sentence: ``$4.76 million``."""
        return f"${figure}{self.name.removeprefix('$')}"


@dataclass(frozen=True)
class Prospect:
    """What is expected beforehand of one track, US dollars.

    Attributes
    ----------
    benchmark : float
        Before trend adjustment, discount and quality.
    cost : float
        Expected Part A and B cost.
    months : float
        Eligible beneficiary-months.
    """

    benchmark: float
    cost: float
    months: float

    @property
    def below(self) -> float:
        """By how much expected cost lies below the benchmark; negative where above."""
        return self.benchmark - self.cost


def prospects(tree: xr.DataTree) -> dict[str, Prospect]:
    """What is expected beforehand, by track."""
    inputs = group(tree, "inputs")
    cost, months = (float(inputs[name].sum()) for name in ("expected_cost", "months"))
    benchmark = inputs["unadjusted_benchmark"]
    return {
        str(name): Prospect(float(benchmark.sel(track=name)), cost, months)
        for name in inputs["track"].values
    }


def estimate_of(array: xr.DataArray) -> Estimate:
    """An estimate as it lies in a result, along the dimension ``figure``."""
    return Estimate(*(float(figure) for figure in array.values))


def _half_width(estimate: Estimate) -> float:
    """Of the limits; the wider side where they are not symmetric."""
    return max(estimate.high - estimate.value, estimate.value - estimate.low)


def digits(error: float) -> int:
    """Decimals that an error above 0 supports, negative for tens and hundreds.

    The error keeps one significant digit, or two where the first is a 1 and a single one would
    round it by up to half of itself.
    """
    exponent = math.floor(math.log10(error))
    return (error < 2.0 * 10.0**exponent) - exponent


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals; negative ones round to tens and hundreds."""
    rounded = round(value, decimals) + 0.0  # adding zero turns -0.0 into 0.0
    return f"{rounded:,.{max(decimals, 0)}f}"


def _outward(low: float, high: float, decimals: int) -> tuple[float, float]:
    """Limits rounded so that they still hold what they held."""
    unit = 10.0**-decimals
    hair = _NEGLIGIBLE  # a limit that has so many decimals already stays
    return math.floor(low / unit + hair) * unit, math.ceil(high / unit - hair) * unit


def two_lines(first: str, second: str) -> Text:
    """A cell with its error or remark below its figure."""
    return Text.assemble(first, "\n", (second, "dim"))


def _is_exact(estimate: Estimate) -> bool:
    """Whether both limits are the figure itself."""
    return _half_width(estimate) <= _NEGLIGIBLE * max(abs(estimate.value), 1.0)


def _with_error(estimate: Estimate, exact_decimals: int, suffix: str = "") -> Text:
    """A figure above its error, to the digits that its own error supports."""
    value, low, high, _ = estimate
    if _is_exact(estimate):
        return Text(fixed(value, exact_decimals) + suffix)
    decimals = digits(_half_width(estimate))
    if low in (value, 0.0):
        error = f"<{fixed(high, decimals)}"
    elif high == value:
        error = f">{fixed(low, decimals)}"
    else:
        error = f"±{fixed(_half_width(estimate), decimals)}"
    return two_lines(fixed(value, decimals) + suffix, error + suffix)


def refusal(needed: int) -> Text:
    """The cell of a figure that takes more draws than there are."""
    return two_lines("refused", f"needs {needed:,}")


def needed_for(statistic: str) -> int:
    """Fewest draws that support a statistic of the headline."""
    return draws_needed(QUANTILES[statistic]) if statistic in QUANTILES else MOMENT_DRAWS


def _hundredfold(estimate: Estimate) -> Estimate:
    return Estimate(*(100.0 * figure for figure in estimate))


def percent(estimate: Estimate) -> Text:
    """A share or deviation, which may lie below 0 or above 100%."""
    if math.isnan(estimate.value):
        return NONE
    return _with_error(_hundredfold(estimate), 2, "%")


def chance(estimate: Estimate) -> Text:
    """A probability; where only one limit is inside 0 and 100%, that limit alone."""
    if math.isnan(estimate.value):
        return NONE
    value, low, high, _ = scaled = _hundredfold(estimate)
    half = _half_width(scaled)
    decimals = max(digits(half), 0)
    lowest, highest = _outward(low, high, decimals)
    if lowest <= 0.0:
        error = f"<{fixed(highest, decimals)}%"
    elif highest >= 100.0:
        error = f">{fixed(lowest, decimals)}%"
    elif value < half or value + half > 100.0:
        error = f"{fixed(lowest, decimals)}–{fixed(highest, decimals)}%"
    else:
        error = f"±{fixed(half, decimals)}%"
    if value in (0.0, 100.0):
        return Text(error)
    return two_lines(f"{fixed(value, decimals)}%", error)


def amount_column(estimates: Sequence[Estimate], money: Money, missing: Text) -> list[Text]:
    """A column of amounts with their errors."""
    return [
        missing if math.isnan(e.value) else _with_error(money.scaled(e), money.decimals)
        for e in estimates
    ]


def ranged(estimate: Estimate, money: Money) -> tuple[str, str]:
    """An amount and its limits, in the unit; no limits where both are the amount itself."""
    scaled = money.scaled(estimate)
    if _is_exact(scaled):
        return fixed(scaled.value, money.decimals), ""
    decimals = digits(_half_width(scaled))
    value, low, high = (fixed(figure, decimals) for figure in scaled[:3])
    return value, f"{low}–{high}"


def range_column(estimates: Sequence[Estimate], money: Money, missing: Text) -> list[Text]:
    """A column of amounts with their limits."""

    def cell(estimate: Estimate) -> Text:
        value, limits = ranged(estimate, money)
        return two_lines(value, limits) if limits else Text(value)

    return [missing if math.isnan(e.value) else cell(e) for e in estimates]
