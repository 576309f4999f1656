"""Provisional settlement: when, how much, and what must be guaranteed until the final one."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest

from simdc.errors import InputError
from simdc.programs import load_program
from simdc.settlement.direct_contracting import Figures, Terms, settle
from simdc.settlement.provisional import (
    Calendar,
    exposure,
    owed,
    provisional_figures,
    provisional_settlement,
    secured_amount,
    unsettled_years,
)


def rules_of(year: int, option: str = "global"):  # type: ignore[no-untyped-def]
    return load_program("gpdc" if year <= 2022 else "reach").rules(year, option)


def calendar(year: int) -> Calendar:
    return Calendar.from_rules(rules_of(year))


def terms(year: int, option: str = "global") -> Terms:
    return Terms.from_rules(rules_of(year, option))


# --- when -------------------------------------------------------------------------------------


def test_calendar_of_2021() -> None:
    # CMS finance FAQ, October 2020, Q48: provisional about six months after the nine-month year,
    # mandatory; final twelve months after that, together with the final settlement of 2022.
    first = calendar(2021)
    assert first.provisional_mandatory
    assert first.start == date(2021, 4, 1)
    assert first.provisional == date(2022, 6, 1)
    assert first.final == date(2023, 6, 1)
    assert 0 <= (calendar(2022).final - first.final).days <= 31


@pytest.mark.parametrize("year", range(2022, 2027))
def test_final_settlement_is_in_july(year: int) -> None:
    # The FAQ speaks of about six and about seven months.
    assert calendar(year).final == date(year + 1, 7, 1)
    assert not calendar(year).provisional_mandatory
    assert calendar(year).takes_provisional(True)
    assert not calendar(year).takes_provisional(False)


@pytest.mark.parametrize(
    ("year", "share"), [(2021, 6 / 9), (2022, 0.5), (2023, 0.5), (2024, 1.0), (2026, 1.0)]
)
def test_experience_looked_at(year: int, share: float) -> None:
    assert calendar(year).experience_share == pytest.approx(share, rel=1e-15)


def test_from_2024_the_whole_year_is_seen_without_run_out() -> None:
    # Reports of the CMS notice for 2024.
    assert calendar(2024).provisional_run_out_months == 0
    assert calendar(2024).claims_seen_to == date(2025, 1, 1)
    assert calendar(2022).claims_seen_to == date(2023, 1, 1)


@pytest.mark.parametrize("year", range(2021, 2027))
def test_claims_are_seen_before_they_are_settled(year: int) -> None:
    assert calendar(year).claims_seen_to <= calendar(year).provisional < calendar(year).final


def test_mandatory_settlement_cannot_be_declined() -> None:
    assert calendar(2021).takes_provisional(True)
    with pytest.raises(InputError, match="mandatory for 2021"):
        calendar(2021).takes_provisional(False)


def test_program_without_a_calendar_is_refused() -> None:
    with pytest.raises(InputError, match="'lead' does not state when it settles"):
        Calendar.from_rules(load_program("lead").rules(2027, "global"))


# --- how much ---------------------------------------------------------------------------------

YEAR = Figures(
    final_benchmark=120e6,
    claims=100e6,
    capitation_expenditure=8e6,
    stop_loss_charge=1e6,
    stop_loss_payout=3e6,
    completion=1.02,
    enhanced_capitation=5e6,
    advanced_payment_paid=2e6,
    advanced_payment_reductions=1e6,
    high_performers_bonus=1e6,
)


def test_even_experience_pays_the_same_part_of_the_year() -> None:
    # Corridors, benchmark and cost all scale, so half a year pays half of what the year pays.
    whole = settle(terms(2022), YEAR)["shared_after_sequestration"]
    half = provisional_settlement(terms(2022), provisional_figures(YEAR, calendar(2022)))
    assert half == pytest.approx(0.5 * whole, rel=1e-12)


def test_provisional_settlement_of_a_full_year_is_its_shared_savings() -> None:
    whole = settle(terms(2024), YEAR)["shared_after_sequestration"]
    seen = provisional_figures(YEAR, calendar(2024), completion=1.3)
    assert provisional_settlement(terms(2024), seen) == pytest.approx(whole, rel=1e-12)


def test_claims_as_they_stand_are_completed() -> None:
    seen = provisional_figures(YEAR, calendar(2022), completion=1.25)
    assert seen.claims * 1.25 == pytest.approx((100e6 - 3e6) * 1.02 * 0.5, rel=1e-12)


def test_share_of_cost_that_is_counted_moves_the_interim_result() -> None:
    figures = Figures(final_benchmark=100e6, claims=100e6)
    shares = np.array([0.48, 0.5, 0.52])
    seen = provisional_figures(figures, calendar(2022), cost_share=shares)
    # Benchmark 50M against 48, 50 and 52M: savings cut by 2%, losses whole.
    np.testing.assert_allclose(
        provisional_settlement(terms(2022), seen), [1.96e6, 0.0, -2e6], atol=1e-6
    )


def test_trend_and_quality_are_as_known_by_then() -> None:
    figures = Figures(
        unadjusted_benchmark={"A&D": 80e6, "ESRD": 20e6},
        trend_ratio={"A&D": 0.95, "ESRD": 0.97},
        quality_score=0.6,
        claims=90e6,
    )
    seen = provisional_figures(figures, calendar(2023), quality_score=1.0)
    statement = settle(terms(2023), seen)
    assert statement["trend_adjusted_benchmark"] == pytest.approx(50e6, rel=1e-12)
    assert statement["final_benchmark"] == pytest.approx(50e6 * 0.97, rel=1e-12)
    kept = settle(terms(2023), provisional_figures(figures, calendar(2023)))
    assert kept["final_benchmark"] == pytest.approx(50e6 * (0.97 - 0.02 * 0.4), rel=1e-12)


def test_final_settlement_nets_what_was_paid() -> None:
    interim = provisional_settlement(terms(2022), provisional_figures(YEAR, calendar(2022)))
    alone = settle(terms(2022), YEAR)
    netted = settle(
        terms(2022),
        Figures(**{**YEAR.__dict__, "provisional_settlement": interim}),
    )
    assert netted["cash_due"] + interim == pytest.approx(alone["cash_due"], rel=1e-12)


# --- what must be guaranteed ------------------------------------------------------------------


def test_owed_is_positive_or_nothing() -> None:
    np.testing.assert_array_equal(owed(np.array([-3.0, 0.0, 3.0])), [3.0, 0.0, 0.0])
    assert math.isnan(float(owed(math.nan)))


@pytest.mark.parametrize(
    ("due", "provisional", "without", "at_provisional", "in_between"),
    [
        (-10.0, 0.0, 10.0, 0.0, 10.0),
        (-10.0, -6.0, 10.0, 6.0, 4.0),  # losses collected early leave less to secure
        (-10.0, 5.0, 10.0, 0.0, 15.0),  # savings paid too early go back on top
        (3.0, 5.0, 0.0, 0.0, 2.0),  # even a year that ends with savings can owe
        (10.0, 5.0, 0.0, 0.0, 0.0),
        (-2.0, -6.0, 2.0, 6.0, 0.0),  # collected too much, so CMS pays back
    ],
)
def test_exposure(
    due: float, provisional: float, without: float, at_provisional: float, in_between: float
) -> None:
    found = exposure(due, provisional)
    assert (found.without, found.at_provisional, found.in_between) == (
        without,
        at_provisional,
        in_between,
    )
    assert found.added == in_between - without


def test_exposure_of_draws() -> None:
    rng = np.random.default_rng(7)
    due, provisional = rng.normal(0, 5e6, 1000), rng.normal(0, 2e6, 1000)
    found = exposure(due, provisional)
    # What is paid in the end is the same either way.
    np.testing.assert_allclose(
        owed(due) - owed(-due), found.in_between - owed(provisional - due) - provisional, rtol=1e-9
    )
    # It never adds more than what was paid out provisionally, nor saves more than was collected.
    assert (found.added <= owed(-provisional) + 1e-6).all()
    assert (found.added >= -found.at_provisional - 1e-6).all()


def calendars(*years: int) -> dict[int, Calendar]:
    return {year: calendar(year) for year in years}


@pytest.mark.parametrize(
    ("on", "years"),
    [
        (date(2021, 3, 31), ()),
        (date(2021, 4, 1), (2021,)),
        (date(2022, 1, 1), (2021, 2022)),
        (date(2023, 1, 1), (2021, 2022, 2023)),
        (date(2023, 6, 1), (2022, 2023)),
        (date(2023, 6, 30), (2022, 2023)),
        (date(2023, 7, 1), (2023,)),
        (date(2024, 7, 1), ()),
    ],
)
def test_years_that_must_be_secured_at_once(on: date, years: tuple[int, ...]) -> None:
    elections = dict.fromkeys((2021, 2022, 2023), True)
    assert unsettled_years(calendars(2021, 2022, 2023), elections, on) == years


def test_from_2024_a_provisional_settlement_frees_the_guarantee() -> None:
    # Reports of the CMS notice for 2024.
    on = date(2025, 3, 1)
    both = calendars(2024, 2025)
    assert unsettled_years(both, {2024: True, 2025: False}, on) == (2025,)
    assert unsettled_years(both, {2024: False, 2025: False}, on) == (2024, 2025)
    before = calendars(2023, 2024)
    assert unsettled_years(before, {2023: True, 2024: True}, date(2024, 3, 1)) == (2023, 2024)


def test_years_are_not_set_off_against_each_other() -> None:
    due = {2022: np.array([-5.0, 8.0]), 2023: np.array([4.0, -1.0]), 2024: np.array([-9.0, -9.0])}
    np.testing.assert_array_equal(secured_amount(due, (2022, 2023)), [5.0, 1.0])
    assert secured_amount(due, ()) == 0.0
