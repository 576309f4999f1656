"""Several performance years as the group ``/years`` of a result.

``/years`` holds what is estimated, by track and year, over all years, and by date; ``/years/draws``
the draws that it was estimated from, so that totals and other dates can be worked out again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from simdc.engine import PROVISIONAL_LINE
from simdc.errors import InputError
from simdc.estimate import Estimate, probability
from simdc.figures import FIGURES, STATISTICS, statistics
from simdc.guarantee import LEVELS, attempt
from simdc.result import labelled, rule_columns
from simdc.settlement.provisional import Calendar
from simdc.variables import VARIABLES
from simdc.years.calendar import SettledYear, event_dates, guarantee_calendar
from simdc.years.simulate import YearOutcome, YearsOutcome

__all__ = ["add_years"]

Array = NDArray[np.float64]


def add_years(
    tree: xr.DataTree, outcome: YearsOutcome, levels: Sequence[float] = LEVELS
) -> xr.DataTree:
    """The result of the first year with every year, all together, and the guarantee by date.

    Parameters
    ----------
    tree : xarray.DataTree
        Of the first year, from `simdc.result.build_result`.
    outcome : YearsOutcome
    levels : sequence of float, optional
        Probabilities with which a guarantee is to cover what is owed.
    """
    draws = _draws(outcome)
    return xr.DataTree.from_dict(
        {
            **tree.to_dict(),
            "/years": _estimates(outcome, draws).merge(_calendar(outcome, levels)),
            "/years/draws": draws,
        }
    )


def _names(outcome: YearsOutcome) -> list[str]:
    return [track.name for track in outcome.first.tracks]


def _moved(year: YearOutcome, place: int) -> Array:
    """Paid (positive) or collected (negative) at a track's provisional settlement."""
    lines = year.tracks[place].draws
    nothing: Array = np.zeros_like(lines["cash_due"])
    return lines.get(PROVISIONAL_LINE, nothing) if year.provisional[place] else nothing


def _draws(outcome: YearsOutcome) -> xr.Dataset:
    first, years = outcome.first, outcome.years
    places = range(len(first.tracks))
    cash = np.array([[y.tracks[p].draws["cash_due"] + _moved(y, p) for y in years] for p in places])
    shared = np.array(
        [[y.tracks[p].draws["shared_after_sequestration"] for y in years] for p in places]
    )
    effect = [year.drivers["entity_effect"] for year in years if "entity_effect" in year.drivers]
    return labelled(
        {
            "track": _names(outcome),
            "year": [year.year for year in years],
            "draw": np.arange(first.first_draw, first.first_draw + first.draws, dtype=np.int64),
            "cash_of_year": cash,
            "cash_of_years": cash.sum(axis=1),
            "shared_of_year": shared,
            "shared_of_years": shared.sum(axis=1),
            **({"entity_effect_of_year": effect} if effect else {}),
        }
    )


def _estimates(outcome: YearsOutcome, draws: xr.Dataset) -> xr.Dataset:
    years, places = outcome.years, range(len(outcome.first.tracks))
    cash, total = draws["cash_of_year"].values, draws["cash_of_years"].values
    labels = labelled(
        {
            "track": _names(outcome),
            "year": [year.year for year in years],
            "statistic": list(STATISTICS),
            "figure": list(FIGURES),
            "program_of_year": [[y.tracks[p].program for y in years] for p in places],
            "option_of_year": [[y.tracks[p].option for y in years] for p in places],
            "benchmark_of_year": [
                [y.tracks[p].fixed["unadjusted_benchmark"] for y in years] for p in places
            ],
            "expected_cost_of_year": [year.expected_cost for year in years],
            "required_guarantee_of_year": [
                [_or_nan(y.tracks[p].required_guarantee) for y in years] for p in places
            ],
            "probability_owing_of_year": [[_owing(each) for each in row] for row in cash],
            "probability_owing_of_years": [_owing(each) for each in total],
            "probability_owing_in_any_year": [_owing(row.min(axis=0)) for row in cash],
            "rule_year": [y.year for y in years for track in y.tracks for _ in track.rules],
            **rule_columns((track.name, track.rules) for y in years for track in y.tracks),
        }
    )
    return labels.assign(
        {
            name: _estimated(name, draws[name])
            for name in ("cash_of_year", "cash_of_years", "shared_of_year", "shared_of_years")
        }
    )


def _estimated(name: str, draws: xr.DataArray) -> xr.Variable:
    """Statistics in place of draws."""
    dims = tuple(str(dim) for dim in draws.dims[:-1])
    rows = draws.values.reshape(-1, draws.sizes["draw"])
    found = np.array([statistics(row) for row in rows])
    shape = (*draws.shape[:-1], len(STATISTICS), len(FIGURES))
    return xr.Variable(
        (*dims, "statistic", "figure"), found.reshape(shape), VARIABLES[name].attributes
    )


def _owing(cash: Array) -> Estimate:
    return attempt(probability, int(np.count_nonzero(cash < 0.0)), cash.size)


def _or_nan(amount: float | None) -> float:
    return math.nan if amount is None else amount


# --- by date ----------------------------------------------------------------------------------


def _calendar(outcome: YearsOutcome, levels: Sequence[float]) -> xr.Dataset:
    """Guarantees by date of the tracks whose programs state when they settle; NaN of the others."""
    levels = sorted(set(levels))
    settled = [_settled_years(outcome, place) for place in range(len(outcome.first.tracks))]
    events = [event_dates(years or {}) for years in settled]
    dates = sorted({on for of_track in events for on in of_track})
    shape = len(settled), len(dates)
    secured = np.full(shape, "", dtype=object)
    required = np.full(shape, math.nan)
    covering = np.full((*shape, len(levels), len(FIGURES)), math.nan)
    for row, years in enumerate(settled):
        if years is not None:
            standing = guarantee_calendar(years, dates, levels)
            secured[row] = [", ".join(map(str, each.years)) for each in standing]
            required[row] = [_or_nan(each.required) for each in standing]
            covering[row] = [[each.covering[p] for p in levels] for each in standing]
    return labelled(
        {
            "track": _names(outcome),
            "date": [on.isoformat() for on in dates],
            "level": np.array(levels, dtype=np.float64),
            "figure": list(FIGURES),
            "event": [[", ".join(each.get(on, ())) for on in dates] for each in events],
            "secured_years": secured,
            "required_standing": required,
            "covering_standing": covering,
        }
    )


def _settled_years(outcome: YearsOutcome, place: int) -> dict[int, SettledYear] | None:
    """A track's years, or None where a program does not state when it settles."""
    try:
        return {
            year.year: SettledYear(
                calendar=Calendar.from_rules(year.tracks[place].rules),
                provisional=year.provisional[place],
                required=year.tracks[place].required_guarantee,
                cash_due=year.tracks[place].draws["cash_due"],
                moved=_moved(year, place),
            )
            for year in outcome.years
        }
    except InputError:
        return None
