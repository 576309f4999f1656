"""Capitation month by month: what is paid when, and what is still out at settlement."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pytest

from simdc.errors import InputError
from simdc.programs import load_program
from simdc.settlement.cash_flow import (
    CashFlow,
    PrimaryCare,
    Terms,
    TotalCare,
    Year,
    pay_capitation,
    sequestration_on,
)


def terms(year: int, option: str = "global", program: str = "", **overrides: object) -> Terms:
    name = program or ("gpdc" if year <= 2022 else "reach")
    return Terms.from_rules(load_program(name).rules(year, option).override(overrides))


# Everybody at a risk score of 1 and a benchmark of $1,000 a month: a month of 1,000 is $1M.
EVEN = Year(benchmark_pbpm=1000.0, beneficiaries=1000)


# --- sequestration by payment date ------------------------------------------------------------


# Public Law 117-71, section 2: suspended to March 2022, 1% in April to June, 2% after.
@pytest.mark.parametrize(
    ("paid_on", "rate"),
    [
        (date(2020, 5, 1), 0.0),
        (date(2021, 12, 31), 0.0),
        (date(2022, 3, 31), 0.0),
        (date(2022, 4, 1), 0.01),
        (date(2022, 6, 30), 0.01),
        (date(2022, 7, 1), 0.02),
        (date(2026, 1, 1), 0.02),
    ],
)
def test_sequestration_follows_the_payment_date(paid_on: date, rate: float) -> None:
    assert sequestration_on(terms(2022).sequestration_schedule, paid_on) == rate


def test_day_before_the_schedule_is_refused() -> None:
    with pytest.raises(InputError, match=r"begins on 2020-05-01 .*payment on 2020-04-30"):
        sequestration_on(terms(2022).sequestration_schedule, date(2020, 4, 30))


def test_payments_of_2022_step_down_with_sequestration() -> None:
    flow = pay_capitation(terms(2022), PrimaryCare(base_rate=0.03, enhanced_rate=0.04), EVEN)
    # 2% discount, full earn-back: 7% of $980,000 a month.
    before = 0.07 * 980_000
    np.testing.assert_allclose(
        flow.paid, before * np.repeat([1.0, 0.99, 0.98], [3, 3, 6]), rtol=1e-12
    )
    assert [month.paid_on.month for month in flow.months] == list(range(1, 13))


def test_first_year_has_nine_months_from_april() -> None:
    flow = pay_capitation(terms(2021), PrimaryCare(base_rate=0.02), EVEN)
    assert flow.paid_on[0] == date(2021, 4, 1)
    assert flow.paid_on[-1] == date(2021, 12, 1)
    np.testing.assert_allclose(flow.paid, np.full(9, 0.02 * 980_000), rtol=1e-12)


# --- what a month is paid on ------------------------------------------------------------------


def test_projected_quality_as_in_the_example_of_the_faq() -> None:
    # CMS finance FAQ, October 2020, Q25: a score of 90% and a withhold of 5% leave 99.5% of the
    # benchmark, and 7% of that are paid. Professional has no discount.
    year = Year(benchmark_pbpm=1000.0, beneficiaries=1000, projected_quality_score=0.9)
    flow = pay_capitation(
        terms(2022, "professional"), PrimaryCare(base_rate=0.03, enhanced_rate=0.04), year
    )
    np.testing.assert_allclose(flow.benchmark, np.full(12, 995_000.0), rtol=1e-12)
    np.testing.assert_allclose(
        flow.capitation + flow.enhanced, np.full(12, 0.07 * 995_000.0), rtol=1e-12
    )


def test_months_follow_the_aligned_beneficiaries() -> None:
    people = np.linspace(1000, 890, 12)
    flow = pay_capitation(
        terms(2023), PrimaryCare(base_rate=0.02), Year(benchmark_pbpm=1000.0, beneficiaries=people)
    )
    np.testing.assert_allclose(flow.capitation, 0.02 * 0.97 * 1000 * people, rtol=1e-12)


# --- claims-reduction floor -------------------------------------------------------------------


# CMS finance FAQ, October 2020, Q3.
@pytest.mark.parametrize(
    ("year", "floor"),
    [(2021, 0.0), (2022, 0.05), (2023, 0.10), (2024, 0.20), (2025, 1.0), (2026, 1.0)],
)
def test_floor_by_year_from_both_sides(year: int, floor: float) -> None:
    announced = terms(year, program="gpdc-2020")
    assert announced.claims_reduction_floor == floor
    pay_capitation(announced, PrimaryCare(base_rate=0.02, claims_reduced=floor), EVEN)
    if floor > 0:
        below = math.nextafter(floor, 0)
        with pytest.raises(InputError, match=rf"give up from {floor:g} to 1 .* in {year}"):
            pay_capitation(announced, PrimaryCare(base_rate=0.02, claims_reduced=below), EVEN)


def test_taking_part_in_2021_starts_at_one_percent() -> None:
    pay_capitation(terms(2021), PrimaryCare(base_rate=0.02, claims_reduced=0.01), EVEN)
    pay_capitation(terms(2021), PrimaryCare(base_rate=0.02, claims_reduced=0.0), EVEN)
    with pytest.raises(InputError, match=r"from 0\.01 to 1"):
        pay_capitation(terms(2021), PrimaryCare(base_rate=0.02, claims_reduced=0.005), EVEN)


@pytest.mark.parametrize("reduced", [1.01, math.nan, math.inf])
def test_more_than_all_claims_cannot_be_given_up(reduced: float) -> None:
    with pytest.raises(InputError, match="primary care claims"):
        pay_capitation(terms(2023), PrimaryCare(base_rate=0.02, claims_reduced=reduced), EVEN)


def test_claims_given_up_are_for_the_entity_to_pay() -> None:
    year = Year(benchmark_pbpm=1000.0, beneficiaries=1000, claims_in_scope=20_000.0)
    flow = pay_capitation(terms(2023), PrimaryCare(base_rate=0.02, claims_reduced=0.5), year)
    months = list(flow.months)
    assert {month.claims_given_up for month in months} == {10_000.0}
    monthly = 0.02 * 970_000 * 0.98 - 10_000
    assert months[0].retained == pytest.approx(monthly, rel=1e-12)
    assert months[-1].retained == pytest.approx(12 * monthly, rel=1e-12)


# --- enhanced capitation ----------------------------------------------------------------------


# CMS finance FAQ, October 2020, Q24: 7% in all, and 2% above a base of more than 5%.
@pytest.mark.parametrize(("base", "most"), [(0.03, 0.04), (0.05, 0.02), (0.06, 0.02), (0.08, 0.02)])
def test_enhanced_capitation_is_limited(base: float, most: float) -> None:
    pay_capitation(terms(2023), PrimaryCare(base_rate=base, enhanced_rate=most), EVEN)
    for rate in (most + 1e-6, -1e-6, math.nan):
        with pytest.raises(InputError, match=rf"from 0 to {most:g} of the benchmark"):
            pay_capitation(terms(2023), PrimaryCare(base_rate=base, enhanced_rate=rate), EVEN)


def test_enhanced_capitation_goes_back_as_it_came() -> None:
    flow = pay_capitation(terms(2022), PrimaryCare(base_rate=0.03, enhanced_rate=0.04), EVEN)
    months_paid_in_full = 3 + 3 * 0.99 + 6 * 0.98
    assert flow.enhanced_to_repay == pytest.approx(0.04 * 980_000 * months_paid_in_full, rel=1e-12)
    assert flow.out_at_settlement == pytest.approx(-flow.enhanced_to_repay, rel=1e-12)
    # It is no expenditure against the benchmark.
    assert flow.capitation_expenditure == pytest.approx(0.03 * 980_000 * 12, rel=1e-12)


# --- total care capitation --------------------------------------------------------------------


def test_leakage_withhold_changes_each_quarter() -> None:
    flow = pay_capitation(terms(2023), TotalCare(leakage_withhold=(0.96, 0.95, 0.97, 0.9)), EVEN)
    expected = 970_000 * np.repeat([0.04, 0.05, 0.03, 0.1], 3)
    np.testing.assert_allclose(flow.capitation, expected, rtol=1e-9)
    np.testing.assert_allclose(flow.paid, 0.98 * expected, rtol=1e-9)
    assert flow.enhanced_to_repay == 0


def test_participants_of_total_care_give_up_all_claims() -> None:
    year = Year(benchmark_pbpm=1000.0, beneficiaries=1000, claims_in_scope=30_000.0)
    flow = pay_capitation(terms(2023), TotalCare(leakage_withhold=(0.96,) * 4), year)
    np.testing.assert_array_equal(flow.claims_given_up, np.full(12, 30_000.0))


def test_nine_months_have_three_quarters() -> None:
    flow = pay_capitation(terms(2021), TotalCare(leakage_withhold=(0.9, 0.8, 0.7)), EVEN)
    np.testing.assert_allclose(flow.capitation, 980_000 * np.repeat([0.1, 0.2, 0.3], 3), rtol=1e-12)
    with pytest.raises(InputError, match="each of its 3 quarters"):
        pay_capitation(terms(2021), TotalCare(leakage_withhold=(0.9,) * 4), EVEN)


@pytest.mark.parametrize("withheld", [(), (0.9,), (0.9, 0.9, 0.9, 1.1), (0.9, 0.9, math.nan, 0.9)])
def test_leakage_withhold_that_makes_no_year_is_refused(withheld: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="each of its 4 quarters"):
        pay_capitation(terms(2023), TotalCare(leakage_withhold=withheld), EVEN)


def test_total_care_is_for_global_only() -> None:
    # CMS finance FAQ, October 2020, Q2.
    with pytest.raises(InputError, match="Global option only"):
        pay_capitation(terms(2023, "professional"), TotalCare(leakage_withhold=(0.9,) * 4), EVEN)


# --- interim risk scores ----------------------------------------------------------------------


def scored(interim: object, final: object) -> CashFlow:
    return pay_capitation(
        terms(2022),
        PrimaryCare(base_rate=0.03, enhanced_rate=0.04),
        Year(
            benchmark_pbpm=1000.0,
            beneficiaries=1000,
            interim_risk_score=interim,  # type: ignore[arg-type]
            final_risk_score=final,  # type: ignore[arg-type]
        ),
    )


def test_interim_scores_are_trued_up_at_settlement() -> None:
    # CMS finance FAQ, October 2020, Q43: scores are updated in the year and finalized after it.
    interim = np.repeat([1.00, 1.02, 1.05, 1.06], 3)
    flow = scored(interim, 1.08)
    np.testing.assert_allclose(flow.capitation, 0.03 * 980_000 * interim, rtol=1e-12)
    missing = 0.03 * 980_000 * 3 * (0.08 + 0.06 * 0.99 + 0.03 * 0.98 + 0.02 * 0.98)
    assert flow.risk_score_true_up == pytest.approx(missing, rel=1e-9)
    assert flow.capitation_expenditure == pytest.approx(12 * 0.03 * 980_000 * 1.08, rel=1e-12)


def test_true_up_is_owed_when_scores_fall() -> None:
    assert scored(1.0, 0.97).risk_score_true_up < 0
    assert scored(1.0, 1.0).risk_score_true_up == 0


def test_paid_and_trued_up_is_what_the_final_score_gives() -> None:
    rng = np.random.default_rng(43)
    flow = scored(rng.uniform(0.9, 1.1, 12), rng.uniform(0.9, 1.1, 12))
    base_paid = ((1 - flow.sequestration) * flow.capitation).sum()
    at_final = ((1 - flow.sequestration) * flow.capitation_at_final_score).sum()
    assert base_paid + flow.risk_score_true_up == pytest.approx(at_final, rel=1e-12)


# --- bad input --------------------------------------------------------------------------------


@pytest.mark.parametrize("people", [[1000.0] * 11, [], [[1.0] * 12]])
def test_one_number_for_each_month(people: object) -> None:
    with pytest.raises(InputError, match="beneficiaries: takes one number, or one for each of the"):
        pay_capitation(
            terms(2023),
            PrimaryCare(base_rate=0.02),
            Year(benchmark_pbpm=1000.0, beneficiaries=people),  # type: ignore[arg-type]
        )


@pytest.mark.parametrize("score", [math.nan, math.inf, -0.1])
def test_scores_must_be_finite_and_not_negative(score: float) -> None:
    with pytest.raises(InputError, match="interim_risk_score: must be finite and not negative"):
        scored(score, 1.0)
