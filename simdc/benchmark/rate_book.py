"""County rates: what a month of an average beneficiary costs where the aligned people live.

    county rate   = national conversion factor x relative cost index of the county
    index         = mean over three years of (county cost / its risk score) / national cost
    factor        = national cost of the last of those years x adjusted USPCC trend to the year

A&D and ESRD have books of their own; within one, all beneficiaries of a county have the same rate
and differ through their risk scores (CMS finance FAQ, October 2020, Q16-18). An entity's region is
the mean over all counties in which at least one aligned beneficiary lives, weighted by months.

**Not the Medicare Advantage rate book.** This one rests on three years of spending that end two
years before the performance year, the other on five that end three before; it has no quartiles
(95 to 115% of local cost), which damp the differences between counties, and no quality bonus; it
covers only people with both Part A and Part B, counts hospice care, and leaves out payments for
uncompensated care (Kramer, Shellabarger and Reijula, Milliman, December 2020). A Medicare
Advantage rate put in its place therefore misstates the region, most in very dear and very cheap
counties.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from simdc.errors import InputError, Problem, nearest
from simdc.tabular import numbers, place_of_row, read_table, refuse_misspelt, require_columns, texts

__all__ = [
    "NATIONAL",
    "CountyCost",
    "RateBook",
    "build_rate_book",
    "conversion_factor",
    "county_index",
    "months_of",
    "read_costs",
    "read_months",
    "read_rates",
    "regional_rate",
]

NATIONAL = "national"
"""Name under which a table of county costs holds the nation."""

_EVERY_ALIGNMENT = "all"

Months = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class RateBook:
    """County rates by category: US dollars per beneficiary per month at a risk score of 1."""

    rates: Mapping[str, Mapping[str, float]]

    def of(self, category: str, months: Mapping[str, float]) -> float:
        """The rate of a population, from the months it spends in each county.

        Raises
        ------
        InputError
            If the book has no rate for one of the counties.
        """
        rates = self.rates.get(category, {})
        for county in months:
            if county not in rates:
                raise InputError(
                    Problem(
                        f"the rate book has no {category} rate for this county",
                        given=f"'{county}'",
                        suggestion=nearest(county, rates),
                    )
                )
        return regional_rate(rates, months)


@dataclass(frozen=True)
class CountyCost:
    """One county's cost in one year.

    Attributes
    ----------
    pbpm : float
        Part A and B cost of the national reference population living there, US dollars per
        beneficiary per month.
    risk_score : float
        Their mean normalized risk score.
    """

    county: str
    category: str
    year: int
    pbpm: float
    risk_score: float

    @property
    def standardized(self) -> float:
        """Cost at a risk score of 1."""
        return self.pbpm / self.risk_score


# --- arithmetic -------------------------------------------------------------------------------


def regional_rate(rates: Mapping[str, float], months: Mapping[str, float]) -> float:
    """Mean rate of the counties, weighted by the aligned beneficiaries' months there."""
    paid = math.fsum(rates[county] * spent for county, spent in months.items())
    return paid / math.fsum(months.values())


def county_index(
    county: Mapping[int, float], nation: Mapping[int, float], years: Iterable[int]
) -> float:
    """Relative cost of a county: the mean over the years of its cost over the nation's.

    Parameters
    ----------
    county, nation : mapping of int to float
        Cost at a risk score of 1, by year.
    years : iterable of int
        The years of the rate book.
    """
    relative = [county[year] / nation[year] for year in years]
    return math.fsum(relative) / len(relative)


def conversion_factor(nation: Mapping[int, float], years: Iterable[int], trend: float) -> float:
    """National cost of the last year of the book, brought to the performance year."""
    return nation[max(years)] * trend


def build_rate_book(
    costs: Iterable[CountyCost], years: tuple[int, ...], trend: Mapping[str, float]
) -> RateBook:
    """Make a rate book from county costs.

    Parameters
    ----------
    costs : iterable of CountyCost
        Every county and, as county `NATIONAL`, the nation, in each of the years.
    years : tuple of int
        Years of the book. They roll with the performance year; 2020 may be replaced.
    trend : mapping of str to float
        Adjusted USPCC of the performance year over that of the last year of the book, by category.

    Raises
    ------
    InputError
        If a county or the nation lacks one of the years.
    """
    by_category: dict[str, dict[str, dict[int, float]]] = {}
    for cost in costs:
        counties = by_category.setdefault(cost.category, {})
        counties.setdefault(cost.county, {})[cost.year] = cost.standardized
    rates: dict[str, dict[str, float]] = {}
    for category, counties in by_category.items():
        for county, known in {NATIONAL: {}, **counties}.items():
            if absent := [str(year) for year in years if year not in known]:
                raise InputError(
                    f"the rate book of this year rests on {', '.join(map(str, years))}, and there "
                    f"is no {category} cost of '{county}' in {' and '.join(absent)}"
                )
        if category not in trend:
            raise InputError(f"there is no trend to bring {category} costs to the performance year")
        nation = counties[NATIONAL]
        factor = conversion_factor(nation, years, trend[category])
        rates[category] = {
            county: factor * county_index(known, nation, years)
            for county, known in counties.items()
            if county != NATIONAL
        }
    return RateBook(rates)


# --- files ------------------------------------------------------------------------------------


def read_rates(path: Path) -> RateBook:
    """Read a rate book: CSV or Parquet with county, category and rate_pbpm.

    Raises
    ------
    InputError
        Naming file, column and line.
    """
    frame = read_table(path)
    require_columns(frame, ("county", "category", "rate_pbpm"), path)
    county, category = texts(frame, "county", path), texts(frame, "category", path)
    rate = numbers(frame, "rate_pbpm", path, lambda v: v > 0, "must be an amount above 0")
    rates: dict[str, dict[str, float]] = {}
    for row, (place, kind, amount) in enumerate(zip(county, category, rate, strict=True)):
        book = rates.setdefault(kind, {})
        if place in book:
            raise _twice(path, row, f"{kind} rate of '{place}'")
        book[place] = float(amount)
    return RateBook(rates)


def read_costs(path: Path) -> tuple[CountyCost, ...]:
    """Read county costs: county, category, year, pbpm, risk_score; the nation as 'national'.

    Raises
    ------
    InputError
        Naming file, column and line.
    """
    frame = read_table(path)
    require_columns(frame, ("county", "category", "year", "pbpm", "risk_score"), path)
    county, category = texts(frame, "county", path), texts(frame, "category", path)
    whole = "must be a calendar year"
    year = numbers(frame, "year", path, lambda v: (v >= 2000) & (v == np.floor(v)), whole)
    pbpm = numbers(frame, "pbpm", path, lambda v: v > 0, "must be an amount above 0")
    score = numbers(frame, "risk_score", path, lambda v: v > 0, "must be a score above 0")
    costs: dict[tuple[str, str, int], CountyCost] = {}
    for row, figures in enumerate(zip(county, category, year, pbpm, score, strict=True)):
        place, kind, when, cost, risk = figures
        key = (place, kind, int(when))
        if key in costs:
            raise _twice(path, row, f"{kind} cost of '{place}' in {int(when)}")
        costs[key] = CountyCost(*key, float(cost), float(risk))
    return tuple(costs.values())


def read_months(path: Path) -> dict[tuple[str, str], dict[str, float]]:
    """Read where the aligned live: county, category, months and, where they differ, alignment.

    Returns
    -------
    dict
        Months by county, for each category and alignment; alignment 'all' where the file does not
        tell alignments apart.

    Raises
    ------
    InputError
        Naming file, column and line.
    """
    frame = read_table(path)
    refuse_misspelt(frame, ("county", "category", "months", "alignment"), path)
    require_columns(frame, ("county", "category", "months"), path)
    county, category = texts(frame, "county", path), texts(frame, "category", path)
    months = numbers(frame, "months", path, lambda v: v > 0, "must be a number of months above 0")
    alignment = (
        texts(frame, "alignment", path)
        if "alignment" in frame.columns
        else np.full(len(frame), _EVERY_ALIGNMENT, dtype=np.object_)
    )
    spent: dict[tuple[str, str], dict[str, float]] = {}
    for row, figures in enumerate(zip(county, category, alignment, months, strict=True)):
        place, kind, way, amount = figures
        here = spent.setdefault((kind, way), {})
        if place in here:
            raise _twice(path, row, f"months of {kind} beneficiaries in '{place}'")
        here[place] = float(amount)
    return spent


def months_of(
    spent: Mapping[tuple[str, str], Mapping[str, float]], category: str, alignment: str
) -> Mapping[str, float]:
    """Months by county of one category and alignment, or of the category if not told apart.

    Raises
    ------
    InputError
        If there are none.
    """
    for way in (alignment, _EVERY_ALIGNMENT):
        if (category, way) in spent:
            return spent[category, way]
    raise InputError(f"has no months of {category} beneficiaries aligned by {alignment}")


def _twice(path: Path, row: int, what: str) -> InputError:
    return InputError(
        Problem(f"gives the {what} a second time", path=place_of_row(row, path)), file=path
    )
