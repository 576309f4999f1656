"""What is estimated of one settled track, as plain arrays.

An estimate lies along a last axis of four: `FIGURES`. NaN stands where the draws do not support it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simdc.estimate import UNSUPPORTED, Estimate, UnsupportedEstimate, moments, quantile
from simdc.guarantee import LEVELS, STEPS, attempt, cover_by_step, size_guarantee

__all__ = [
    "FIGURES",
    "QUANTILES",
    "STATISTICS",
    "guarantee_figures",
    "outcome",
    "statistic_figures",
    "statistics",
    "summary_figures",
]

Array: TypeAlias = NDArray[np.float64]

FIGURES = ("estimate", "ci_low", "ci_high", "standard_error")
QUANTILES = {f"quantile_{percent:02}": percent / 100 for percent in (1, 5, 25, 50, 75, 95, 99)}
STATISTICS = ("mean", "standard_deviation", *QUANTILES)


def outcome(draws: Mapping[str, Array], line: str) -> Array:
    """A settlement line, or the rate that is published of it, per draw."""
    if line == "gross_savings_rate":
        return draws["gross_savings"] / draws["final_benchmark"]
    return draws[line]


def statistics(values: Array) -> list[Estimate]:
    """Estimates of one variable over its draws, in the order of `STATISTICS`."""
    ordered = np.sort(values)
    try:
        mean_and_deviation = moments(values)
    except UnsupportedEstimate:
        mean_and_deviation = UNSUPPORTED, UNSUPPORTED
    return [
        *mean_and_deviation,
        *(attempt(quantile, ordered, p, is_sorted=True) for p in QUANTILES.values()),
    ]


def statistic_figures(values: Array) -> Array:
    """`statistics` as an array of shape (statistic, figure)."""
    return np.array(statistics(values))


def summary_figures(
    draws: Mapping[str, Array], of: Callable[[Array], Array] = statistic_figures
) -> dict[str, Array]:
    """Every kept line of a track and its savings rate, arrays of shape (statistic, figure).

    Parameters
    ----------
    draws : mapping of line to array of shape (draw,)
    of : callable, optional
        What makes figures of a line, if it remembers any.
    """
    return {line: of(outcome(draws, line)) for line in (*draws, "gross_savings_rate")}


def guarantee_figures(
    draws: Mapping[str, Array], required: float | None, levels: Sequence[float] = LEVELS
) -> dict[str, Array]:
    """How a track's guarantee stands.

    Parameters
    ----------
    draws : mapping of line to array of shape (draw,)
        ``cash_due``, ``shared_after_sequestration`` and, where the track takes one,
        ``provisional_settlement``; US dollars.
    required : float or None
        What the rules require.
    levels : sequence of float, optional
        Rising, each strictly between 0 and 1.

    Returns
    -------
    dict of str to array
        Scalars, and arrays of shape (figure,), (level, figure) and (step, level, figure).

    Raises
    ------
    InputError
        For a level that is not a fraction.
    """
    sized = size_guarantee(draws["cash_due"], draws["shared_after_sequestration"], required, levels)
    found: dict[str, object] = {
        "required_guarantee": math.nan if sized.required is None else sized.required,
        "probability_of_loss": sized.probability_of_loss,
        "probability_owing": sized.probability_owing,
        "mean_total_owed": sized.mean_owed,
        "probability_shared_loss_exceeds_required": sized.shared_loss_exceeds,
        "probability_total_owed_exceeds_required": sized.total_owed_exceeds,
        "expected_shortfall": sized.expected_shortfall,
        "shortfall_when_exceeded": sized.shortfall_when_exceeded,
        "covering_amount": [sized.covering[p] for p in levels],
        "mean_owed_beyond": [sized.mean_beyond[p] for p in levels],
    }
    if "provisional_settlement" in draws:
        steps = cover_by_step(draws["cash_due"], draws["provisional_settlement"], levels)
        found["covering_amount_by_step"] = [[steps[step][p] for p in levels] for step in STEPS]
    return {name: np.array(value, dtype=np.float64) for name, value in found.items()}
