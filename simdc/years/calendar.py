"""What must be guaranteed on each date, while performance years overlap until they are settled.

From 2024 on a year that has been settled provisionally need no longer be secured; before, each year
counts until its final settlement (`simdc.settlement.provisional`). A year whose provisional
settlement lies ahead is secured for all that may be owed of it; afterwards for what is still due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from simdc.estimate import Estimate, quantile
from simdc.guarantee import LEVELS, attempt
from simdc.settlement.provisional import Calendar, secured_amount, unsettled_years

__all__ = ["SettledYear", "Standing", "event_dates", "guarantee_calendar"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SettledYear:
    """One performance year of one track, as far as its guarantee goes.

    Attributes
    ----------
    calendar : Calendar
    provisional : bool
        Whether it is settled provisionally.
    required : float or None
        What the rules require, US dollars; None where they state no amount.
    cash_due : array of shape (draw,)
        At the final settlement, net of the provisional one; positive paid to the entity.
    moved : array of shape (draw,)
        At the provisional settlement, paid (positive) or collected (negative).
    """

    calendar: Calendar
    provisional: bool
    required: float | None
    cash_due: Array
    moved: Array

    def still_due(self, on: date) -> Array:
        """What the year will yet bring, positive paid to the entity, US dollars per draw."""
        ahead = self.provisional and on < self.calendar.provisional
        return self.cash_due + self.moved if ahead else self.cash_due


@dataclass(frozen=True)
class Standing:
    """What must stand from a date to the next.

    Attributes
    ----------
    on : date
    years : tuple of int
        Performance years that must be secured.
    required : float or None
        Sum of their required guarantees, US dollars; None where that of one is not stated.
    covering : mapping of float to Estimate
        Level to the amount that covers with that probability what is owed of these years, each
        year's losses in full whatever the others save.
    """

    on: date
    years: tuple[int, ...]
    required: float | None
    covering: Mapping[float, Estimate]


def event_dates(years: Mapping[int, SettledYear]) -> dict[date, list[str]]:
    """When anything changes, and what, in order: starts, provisional and final settlements."""
    events: dict[date, list[str]] = {}
    for year, settled in sorted(years.items()):
        calendar = settled.calendar
        events.setdefault(calendar.start, []).append(f"{year} starts")
        if settled.provisional:
            events.setdefault(calendar.provisional, []).append(f"{year} provisional")
        events.setdefault(calendar.final, []).append(f"{year} final")
    return dict(sorted(events.items()))


def guarantee_calendar(
    years: Mapping[int, SettledYear],
    dates: Sequence[date],
    levels: Sequence[float] = LEVELS,
) -> tuple[Standing, ...]:
    """What one track must have secured on each date.

    Parameters
    ----------
    years : mapping of int to SettledYear
        By performance year.
    dates : sequence of date
        Such as those of `event_dates`.
    levels : sequence of float, optional
        Probabilities with which an amount is to cover what is owed.
    """
    calendars = {year: settled.calendar for year, settled in years.items()}
    provisional = {year: settled.provisional for year, settled in years.items()}
    return tuple(
        _standing(years, unsettled_years(calendars, provisional, on), on, levels) for on in dates
    )


def _standing(
    years: Mapping[int, SettledYear], open_: tuple[int, ...], on: date, levels: Sequence[float]
) -> Standing:
    amounts = [years[year].required for year in open_]
    stated = [amount for amount in amounts if amount is not None]
    draws = next(iter(years.values())).cash_due.size
    owed = np.zeros(draws) + secured_amount({y: years[y].still_due(on) for y in open_}, open_)
    owed.sort()
    return Standing(
        on=on,
        years=open_,
        required=sum(stated) if len(stated) == len(amounts) else None,
        covering={p: attempt(quantile, owed, p, is_sorted=True) for p in levels},
    )
