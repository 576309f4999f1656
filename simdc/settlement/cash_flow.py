"""Capitation month by month: what is paid when, and what is still out at settlement.

CMS pays an entity monthly, ahead of settlement. Each month's payment is a share of that month's
benchmark, taken after discount and the part of the quality withhold that is not expected to be
earned back (CMS finance FAQ, October 2020, Q25), and is cut by the sequestration in force on the
day it is paid (Q22). Risk scores are updated during the year, so a month is paid on the score of
its time and the benchmark is settled on the final one (Q43). The withhold of total care capitation
for care by others, the leakage, is updated each quarter (Q20, Q26).

Taken where no source speaks: a month is paid on its first day; no month is paid anew when a risk
score changes, and the difference to the final score is trued up once, at settlement, at the
sequestration of the month it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simdc.errors import InputError, Problem
from simdc.programs import RuleSet
from simdc.settlement.steps import entitled_enhanced_capitation

__all__ = [
    "CashFlow",
    "Month",
    "PrimaryCare",
    "Terms",
    "TotalCare",
    "Year",
    "pay_capitation",
    "sequestration_on",
]

Schedule: TypeAlias = Sequence[tuple[str, float]]
Monthly: TypeAlias = NDArray[np.float64]

_QUARTER = 3
_LEAST_REDUCTION = 0.01  # of a provider that takes part where the floor leaves it free to


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The rules that capitation follows, each under the name it has in the program's data.

    Attributes
    ----------
    performance_year : int
        Calendar year in which the performance year ends.
    performance_year_months : int
        Its length; a short one starts late and ends in December.
    discount, quality_withhold : float
        Fractions of the benchmark.
    primary_care_capitation_total, enhanced_capitation_minimum : float
        What base and enhanced payment come to together, and the least enhanced entitlement, as
        fractions of the benchmark that capitation is paid on.
    claims_reduction_floor : float
        Least share of primary care claims that a participating provider gives up.
    total_care_capitation_allowed : bool
        Whether total care capitation may be elected.
    sequestration_schedule : Schedule
        (ISO date, rate) in rising order, each rate holding from its date on.
    """

    performance_year: int
    performance_year_months: int
    discount: float
    quality_withhold: float
    primary_care_capitation_total: float
    enhanced_capitation_minimum: float
    claims_reduction_floor: float
    total_care_capitation_allowed: bool
    sequestration_schedule: Schedule

    @classmethod
    def from_rules(cls, rules: RuleSet) -> Terms:
        """The terms that a rule set holds, overrides included.

        A program that does not state the length of its year has one of twelve months.
        """
        length = "performance_year_months"
        names = (
            "discount",
            "quality_withhold",
            "primary_care_capitation_total",
            "enhanced_capitation_minimum",
            "claims_reduction_floor",
            "total_care_capitation_allowed",
            "sequestration_schedule",
        )
        return cls(
            performance_year=rules.year,
            performance_year_months=rules.value(length) if length in rules else 12,
            **{name: rules.value(name) for name in names},
        )

    @property
    def payment_dates(self) -> tuple[date, ...]:
        """First day of each month of the performance year."""
        first = 13 - self.performance_year_months
        return tuple(date(self.performance_year, month, 1) for month in range(first, 13))


@dataclass(frozen=True, kw_only=True)
class PrimaryCare:
    """Primary care capitation as elected.

    Attributes
    ----------
    base_rate, enhanced_rate : float
        Fractions of the benchmark that capitation is paid on.
    claims_reduced : float
        Share of their primary care claims that participating providers give up.
    """

    base_rate: float
    enhanced_rate: float = 0.0
    claims_reduced: float = 1.0


@dataclass(frozen=True, kw_only=True)
class TotalCare:
    """Total care capitation as elected; participating providers give up all their claims.

    Attributes
    ----------
    leakage_withhold : tuple of float
        Share of the benchmark held back for care by others, one for each quarter.
    """

    leakage_withhold: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Year:
    """What the months of a performance year are paid on.

    Attributes
    ----------
    benchmark_pbpm : float
        Benchmark per beneficiary per month at a risk score of 1, before discount, in US dollars.
    beneficiaries : array of shape (month,)
        Aligned beneficiaries.
    interim_risk_score : array of shape (month,)
        Mean risk score known when the month is paid.
    final_risk_score : float or array of shape (month,)
        As finalized for the settlement.
    projected_quality_score : float
        Expected when payments are set, 0 to 1.
    claims_in_scope : array of shape (month,)
        Claims of participating providers for the services that capitation covers, in US dollars,
        by the month in which they would have been paid.
    """

    benchmark_pbpm: float
    beneficiaries: ArrayLike
    interim_risk_score: ArrayLike = 1.0
    final_risk_score: ArrayLike = 1.0
    projected_quality_score: float = 1.0
    claims_in_scope: ArrayLike = 0.0


class Month(NamedTuple):
    """One row of the table of payments, in US dollars.

    Attributes
    ----------
    paid_on : date
    capitation, enhanced : float
        Base primary care or total care capitation, and enhanced primary care capitation, before
        sequestration.
    sequestration : float
        Rate in force on the day.
    paid : float
        What arrives.
    claims_given_up : float
        Claims that Medicare no longer pays to participating providers: what the entity has to pay
        them by its own arrangements.
    retained : float
        Paid less claims given up, since the start of the year.
    """

    paid_on: date
    capitation: float
    enhanced: float
    sequestration: float
    paid: float
    claims_given_up: float
    retained: float


@dataclass(frozen=True, eq=False)
class CashFlow:
    """A performance year's capitation; arrays of shape (month,), in US dollars.

    Attributes
    ----------
    paid_on : tuple of date
    benchmark : array
        What each month was paid on: at the interim risk score, after discount and withhold.
    capitation, enhanced : array
        Before sequestration.
    capitation_at_final_score : array
        The same capitation on the final risk score.
    sequestration : array
        Rate in force when each month was paid.
    claims_given_up : array
    """

    paid_on: tuple[date, ...]
    benchmark: Monthly
    capitation: Monthly
    enhanced: Monthly
    capitation_at_final_score: Monthly
    sequestration: Monthly
    claims_given_up: Monthly

    @property
    def paid(self) -> Monthly:
        """What arrives each month, after sequestration."""
        return (self.capitation + self.enhanced) * (1.0 - self.sequestration)

    @property
    def months(self) -> Iterator[Month]:
        """The table of payments, month by month."""
        retained = np.cumsum(self.paid - self.claims_given_up)
        columns = (
            self.capitation,
            self.enhanced,
            self.sequestration,
            self.paid,
            self.claims_given_up,
            retained,
        )
        for paid_on, *amounts in zip(self.paid_on, *columns, strict=True):
            yield Month(paid_on, *map(float, amounts))

    @property
    def capitation_expenditure(self) -> float:
        """Expenditure held against the benchmark: trued up and before sequestration (Q22, Q44)."""
        return float(self.capitation_at_final_score.sum())

    @property
    def risk_score_true_up(self) -> float:
        """Still to be paid to the entity (positive) or by it (negative) for the final score."""
        difference = self.capitation_at_final_score - self.capitation
        return float((difference * (1.0 - self.sequestration)).sum())

    @property
    def enhanced_to_repay(self) -> float:
        """Enhanced capitation as it arrived, all of which goes back (Q24); a positive amount."""
        return float((self.enhanced * (1.0 - self.sequestration)).sum())

    @property
    def out_at_settlement(self) -> float:
        """What capitation leaves to be settled, positive when paid to the entity."""
        return self.risk_score_true_up - self.enhanced_to_repay


def sequestration_on(schedule: Schedule, paid_on: date) -> float:
    """Sequestration in force on a day.

    Raises
    ------
    InputError
        If the day lies before the schedule begins.
    """
    in_force = [rate for start, rate in schedule if date.fromisoformat(start) <= paid_on]
    if not in_force:
        raise InputError(
            Problem(
                f"the sequestration schedule begins on {schedule[0][0]}",
                path="sequestration_schedule",
                given=f"a payment on {paid_on}",
            )
        )
    return in_force[-1]


def pay_capitation(terms: Terms, election: PrimaryCare | TotalCare, year: Year) -> CashFlow:
    """A performance year's capitation, month by month.

    Parameters
    ----------
    terms : Terms
        The rules of the year and option.
    election : PrimaryCare or TotalCare
        The mechanism that the entity elected.
    year : Year
        What its months are paid on.

    Raises
    ------
    InputError
        If the rules forbid the election, or an array has not one entry for each month.
    """
    length = terms.performance_year_months
    beneficiaries = _monthly("beneficiaries", year.beneficiaries, length)
    unearned = terms.quality_withhold * (1.0 - year.projected_quality_score)
    at_score_one = year.benchmark_pbpm * (1.0 - terms.discount - unearned) * beneficiaries
    interim = at_score_one * _monthly("interim_risk_score", year.interim_risk_score, length)
    final = at_score_one * _monthly("final_risk_score", year.final_risk_score, length)

    if isinstance(election, PrimaryCare):
        _check_primary_care(terms, election)
        rate = np.full(length, election.base_rate)
        enhanced_rate, reduced = election.enhanced_rate, election.claims_reduced
    else:
        rate = 1.0 - _leakage_by_month(terms, election)
        enhanced_rate, reduced = 0.0, 1.0

    dates = terms.payment_dates
    return CashFlow(
        paid_on=dates,
        benchmark=interim,
        capitation=rate * interim,
        enhanced=enhanced_rate * interim,
        capitation_at_final_score=rate * final,
        sequestration=np.array([sequestration_on(terms.sequestration_schedule, d) for d in dates]),
        claims_given_up=reduced * _monthly("claims_in_scope", year.claims_in_scope, length),
    )


def _check_primary_care(terms: Terms, election: PrimaryCare) -> None:
    # In a year without a floor, taking no part is allowed; taking part starts at 1% (Q3).
    floor = terms.claims_reduction_floor
    takes_part = floor > 0 or election.claims_reduced > 0
    least = max(floor, _LEAST_REDUCTION) if takes_part else 0.0
    if not least <= election.claims_reduced <= 1.0:
        raise InputError(
            Problem(
                f"participating providers give up from {least:g} to 1 of their primary care claims "
                f"in {terms.performance_year}",
                path="claims_reduced",
                given=f"{election.claims_reduced:g}",
            )
        )
    entitled = float(
        entitled_enhanced_capitation(
            election.base_rate,
            terms.primary_care_capitation_total,
            terms.enhanced_capitation_minimum,
        )
    )
    # A hair of tolerance: 0.07 - 0.03 falls short of 0.04 in binary.
    if not 0.0 <= election.enhanced_rate <= entitled + 1e-12:
        raise InputError(
            Problem(
                f"with a base of {election.base_rate:g} enhanced primary care capitation is from 0 "
                f"to {entitled:g} of the benchmark",
                path="enhanced_rate",
                given=f"{election.enhanced_rate:g}",
            )
        )


def _leakage_by_month(terms: Terms, election: TotalCare) -> Monthly:
    if not terms.total_care_capitation_allowed:
        raise InputError("total care capitation may be elected under the Global option only")
    quarters = terms.performance_year_months // _QUARTER
    withheld = np.asarray(election.leakage_withhold, dtype=np.float64)
    if withheld.shape != (quarters,) or not ((withheld >= 0) & (withheld <= 1)).all():
        raise InputError(
            Problem(
                f"{terms.performance_year} takes a leakage withhold between 0 and 1 for each of "
                f"its {quarters} quarters",
                path="leakage_withhold",
                given=str(list(election.leakage_withhold)),
            )
        )
    return np.repeat(withheld, _QUARTER)


def _monthly(name: str, values: ArrayLike, length: int) -> Monthly:
    """One finite, non-negative number for each month, from one for all or one for each."""
    given = np.asarray(values, dtype=np.float64)
    if given.shape not in ((), (length,)):
        raise InputError(
            Problem(
                f"takes one number, or one for each of the {length} months",
                path=name,
                given=f"{given.size} numbers",
            )
        )
    if not (np.isfinite(given) & (given >= 0)).all():
        raise InputError(Problem("must be finite and not negative", path=name))
    return np.broadcast_to(given, (length,))
