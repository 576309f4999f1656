"""Provisional settlement of Direct Contracting and ACO REACH: what it pays before the final one,
and what has to be guaranteed in between.

An entity that elects it before the year (in 2021 every entity, because that year was short) is paid
interim shared savings, or pays interim shared losses, on the experience of the year's first months;
the final settlement nets what has changed hands (CMS finance FAQ, October 2020, Q48). From 2024 the
experience is the whole year's, seen without run-out.

Taken where no source speaks: the months looked at are settled on the contract's own terms as if
they were the year, and the result is paid in full, without holdback or interest. Only shared
savings and losses are settled: what stands outside the corridors waits for the final settlement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date

import numpy as np

from simdc.errors import InputError, Problem
from simdc.programs import RuleSet
from simdc.settlement import direct_contracting, steps
from simdc.settlement.direct_contracting import Figures
from simdc.settlement.steps import Amount

__all__ = [
    "Calendar",
    "Exposure",
    "exposure",
    "owed",
    "provisional_figures",
    "provisional_settlement",
    "secured_amount",
    "unsettled_years",
]


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """When a performance year is settled, from the rules of the same names.

    Attributes
    ----------
    performance_year : int
        Calendar year in which the performance year ends.
    performance_year_months : int
        Its length; a short one starts late and ends in December.
    provisional_mandatory : bool
        Whether every entity takes provisional settlement.
    provisional_settlement_months, provisional_run_out_months : int
        Months of experience looked at, and months after them up to which claims are counted.
    provisional_months_after, final_settlement_months_after : int
        Months from the end of the year to either settlement.
    provisional_frees_guarantee : bool
        Whether a year settled provisionally need no longer be secured.
    """

    performance_year: int
    performance_year_months: int
    provisional_mandatory: bool
    provisional_settlement_months: int
    provisional_run_out_months: int
    provisional_months_after: int
    final_settlement_months_after: int
    provisional_frees_guarantee: bool

    @classmethod
    def from_rules(cls, rules: RuleSet) -> Calendar:
        """The calendar of a rule set's year.

        Raises
        ------
        InputError
            If the program states no provisional settlement.
        """
        names = [field.name for field in fields(cls) if field.name != "performance_year"]
        if missing := [name for name in names if name not in rules]:
            raise InputError(
                f"program '{rules.program}' does not state when it settles: it has no rule "
                f"'{missing[0]}' for {rules.year}"
            )
        return cls(performance_year=rules.year, **{name: rules.value(name) for name in names})

    @property
    def start(self) -> date:
        """First day of the performance year."""
        return date(self.performance_year, 13 - self.performance_year_months, 1)

    @property
    def claims_seen_to(self) -> date:
        """Day before which claims must have been paid to be counted provisionally."""
        seen = self.provisional_settlement_months + self.provisional_run_out_months
        years, month = divmod(self.start.month - 1 + seen, 12)
        return date(self.performance_year + years, month + 1, 1)

    @property
    def provisional(self) -> date:
        """First day of the month of provisional settlement."""
        return self._months_after_the_year(self.provisional_months_after)

    @property
    def final(self) -> date:
        """First day of the month of final settlement."""
        return self._months_after_the_year(self.final_settlement_months_after)

    @property
    def experience_share(self) -> float:
        """Share of the performance year that provisional settlement looks at."""
        return min(self.provisional_settlement_months / self.performance_year_months, 1.0)

    def takes_provisional(self, elected: bool) -> bool:
        """Whether an entity is settled provisionally.

        Raises
        ------
        InputError
            If it declines a provisional settlement that is mandatory.
        """
        if self.provisional_mandatory and not elected:
            raise InputError(
                Problem(
                    f"provisional settlement is mandatory for {self.performance_year}",
                    given="declined",
                )
            )
        return elected

    def unsettled(self, on: date, *, provisional: bool) -> bool:
        """Whether the year must still be secured on a day.

        Parameters
        ----------
        on : date
            From the start of the year on.
        provisional : bool
            Whether the entity is settled provisionally and has squared what that came to.
        """
        frees = provisional and self.provisional_frees_guarantee
        return self.start <= on < (self.provisional if frees else self.final)

    def _months_after_the_year(self, months: int) -> date:
        years, month = divmod(max(months, 1) - 1, 12)
        return date(self.performance_year + 1 + years, month + 1, 1)


def provisional_figures(
    figures: Figures,
    calendar: Calendar,
    *,
    cost_share: Amount | None = None,
    completion: Amount = 1.0,
    quality_score: Amount | None = None,
    trend_ratio: Amount = 1.0,
) -> Figures:
    """A year's figures as they stand at provisional settlement.

    Benchmark, health-equity months, capitation and the stop-loss charge accrue evenly over the
    year. Enhanced capitation, advanced payments and the High Performers Pool are left to the final
    settlement.

    Parameters
    ----------
    figures : Figures
        The whole year's, as the final settlement will see them.
    calendar : Calendar
        Which months are looked at.
    cost_share : Amount, optional
        Share of the year's claims and stop-loss payout that CMS counts, completed; the share of
        months by default. Seasonality, claims that miss the cut-off and a completion factor that
        proves wrong make it a random amount.
    completion : Amount
        Completed claims over claims as they stand, at that time. The claims are set so that
        completing them gives the share counted.
    quality_score : Amount, optional
        As assumed before it is known; by default the year's.
    trend_ratio : Amount
        As known by then; 1 leaves the retrospective trend adjustment to the final settlement.

    Returns
    -------
    Figures
    """
    months = calendar.experience_share
    counted = months if cost_share is None else cost_share
    completed = (figures.claims - figures.stop_loss_payout) * figures.completion * counted
    return replace(
        figures,
        unadjusted_benchmark=None
        if figures.unadjusted_benchmark is None
        else {name: amount * months for name, amount in figures.unadjusted_benchmark.items()},
        final_benchmark=_part(figures.final_benchmark, months),
        trend_ratio=trend_ratio,
        quality_score=figures.quality_score if quality_score is None else quality_score,
        health_equity_up_months=figures.health_equity_up_months * months,
        health_equity_down_months=figures.health_equity_down_months * months,
        health_equity_up=_part(figures.health_equity_up, months),
        health_equity_down=_part(figures.health_equity_down, months),
        claims=completed / completion,
        completion=completion,
        stop_loss_payout=0.0,
        stop_loss_charge=figures.stop_loss_charge * months,
        capitation_expenditure=figures.capitation_expenditure * months,
        enhanced_capitation=0.0,
        advanced_payment_paid=0.0,
        advanced_payment_reductions=0.0,
        high_performers_bonus=0.0,
        provisional_settlement=0.0,
    )


def provisional_settlement(terms: direct_contracting.Terms, figures: Figures) -> Amount:
    """What changes hands at provisional settlement, in US dollars, after sequestration.

    Parameters
    ----------
    terms : Terms
        The contract's own.
    figures : Figures
        Of the months looked at, from :func:`provisional_figures`.

    Returns
    -------
    Amount
        Interim shared savings paid (positive) or shared losses collected (negative): what the
        final settlement takes as ``provisional_settlement``.
    """
    return direct_contracting.settle(terms, figures)["shared_after_sequestration"]


def owed(amount: Amount) -> Amount:
    """What an entity has to pay, as a positive amount: nothing where it is paid."""
    return np.maximum(-amount, 0.0)


@dataclass(frozen=True, eq=False)
class Exposure:
    """What an entity may have to pay at each step, in US dollars, as positive amounts.

    Attributes
    ----------
    without : Amount
        At the final settlement, had there been no provisional one.
    at_provisional : Amount
        At provisional settlement.
    in_between : Amount
        At the final settlement, after the provisional one: what a guarantee secures from one to
        the other.
    """

    without: Amount
    at_provisional: Amount
    in_between: Amount

    @property
    def added(self) -> Amount:
        """What the provisional settlement adds to the amount to be secured after it.

        Positive where savings were paid too early and go back, negative where losses have been
        collected already.
        """
        return self.in_between - self.without


def exposure(cash_due: Amount, provisional: Amount) -> Exposure:
    """What an entity may have to pay before and after a provisional settlement, draw by draw.

    Parameters
    ----------
    cash_due : Amount
        Cash due for the whole year before anything is netted, positive when paid to the entity.
    provisional : Amount
        Paid (positive) or collected (negative) at provisional settlement.
    """
    return Exposure(
        without=owed(cash_due),
        at_provisional=owed(provisional),
        in_between=owed(steps.net_provisional_settlement(cash_due, provisional)),
    )


def unsettled_years(
    calendars: Mapping[int, Calendar], provisional: Mapping[int, bool], on: date
) -> tuple[int, ...]:
    """Performance years that must be secured on a day, the earliest first.

    Parameters
    ----------
    calendars : mapping of int to Calendar
        By performance year.
    provisional : mapping of int to bool
        Whether the entity elects provisional settlement, by performance year.
    on : date
        The day.

    Raises
    ------
    InputError
        If a mandatory provisional settlement is declined.
    """
    return tuple(
        year
        for year, calendar in sorted(calendars.items())
        if calendar.unsettled(on, provisional=calendar.takes_provisional(provisional[year]))
    )


def secured_amount(still_due: Mapping[int, Amount], years: tuple[int, ...]) -> Amount:
    """What is to be secured for several unsettled years at once, draw by draw, in US dollars.

    Each year is owed on its own: that savings of one year might be set off against losses of
    another is not assumed.

    Parameters
    ----------
    still_due : mapping of int to Amount
        Cash still due by performance year, positive when paid to the entity; net of what a
        provisional settlement has moved.
    years : tuple of int
        The unsettled ones.
    """
    nothing: Amount = 0.0
    return sum((owed(still_due[year]) for year in years), start=nothing)


def _part(amount: Amount | None, share: float) -> Amount | None:
    return None if amount is None else amount * share
