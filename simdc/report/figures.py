"""Figures as people read them, each with its error: no digit that the draws do not support."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median_low

import numpy as np
import xarray as xr
from rich.text import Text

from simdc.estimate import Estimate, draws_needed
from simdc.result import QUANTILES, group

__all__ = [
    "HEADLINE",
    "NONE",
    "Money",
    "amount_column",
    "digits",
    "estimate_of",
    "fixed",
    "needed_for",
    "percent",
    "range_column",
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
        """Millions where the largest amount shown reaches ten of them, else thousands."""
        return cls(1e6, "$ million", 2) if largest >= 1e7 else cls(1e3, "$ thousand", 0)

    def scaled(self, estimate: Estimate) -> Estimate:
        """The estimate in this unit."""
        return Estimate(*(figure / self.dollars for figure in estimate))

    def plain(self, dollars: float) -> str:
        """An amount without error."""
        return fixed(dollars / self.dollars, self.decimals)


def estimate_of(array: xr.DataArray) -> Estimate:
    """An estimate as it lies in a result, along the dimension ``figure``."""
    return Estimate(*(float(figure) for figure in array.values))


def _half_width(estimate: Estimate) -> float:
    """Of the limits; the wider side where they are not symmetric."""
    return max(estimate.high - estimate.value, estimate.value - estimate.low)


def digits(errors: Iterable[float], otherwise: int) -> int:
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


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals; negative ones round to tens and hundreds."""
    rounded = round(value, decimals) + 0.0  # adding zero turns -0.0 into 0.0
    return f"{rounded:,.{max(decimals, 0)}f}"


def two_lines(first: str, second: str) -> Text:
    """A cell with its error or remark below its figure."""
    return Text.assemble(first, "\n", (second, "dim"))


def _with_error(estimate: Estimate, decimals: int, suffix: str = "") -> Text:
    return two_lines(
        fixed(estimate.value, decimals) + suffix,
        f"±{fixed(_half_width(estimate), decimals)}{suffix}",
    )


def refusal(needed: int) -> Text:
    """The cell of a figure that takes more draws than there are."""
    return two_lines("refused", f"needs {needed:,}")


def needed_for(statistic: str) -> int:
    """Fewest draws that support a statistic of the headline."""
    return draws_needed(QUANTILES[statistic]) if statistic in QUANTILES else 2


def percent(estimate: Estimate) -> Text:
    """A probability; its digits come from its own error, as errors differ by orders."""
    if math.isnan(estimate.value):
        return NONE
    scaled = Estimate(*(100.0 * figure for figure in estimate))
    return _with_error(scaled, max(digits([_half_width(scaled)], 1), 0), "%")


def amount_column(estimates: Sequence[Estimate], money: Money, missing: Text) -> list[Text]:
    """A column of amounts with their errors, all to the same decimals."""
    scaled = [money.scaled(estimate) for estimate in estimates]
    decimals = digits(map(_half_width, scaled), money.decimals)
    return [missing if math.isnan(e.value) else _with_error(e, decimals) for e in scaled]


def range_column(estimates: Sequence[Estimate], money: Money, missing: Text) -> list[Text]:
    """A column of amounts with their limits, all to the same decimals."""
    scaled = [money.scaled(estimate) for estimate in estimates]
    decimals = digits(map(_half_width, scaled), money.decimals)

    def cell(estimate: Estimate) -> Text:
        value, low, high = (fixed(figure, decimals) for figure in estimate[:3])
        return two_lines(value, f"{low}–{high}")

    return [missing if math.isnan(e.value) else cell(e) for e in scaled]
