"""The Next Generation ACO settlement: cap first, then the sharing rate, then sequestration."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simdc.errors import InputError
from simdc.programs import load_program
from simdc.settlement.next_generation import (
    Figures,
    Terms,
    discount_after_adjustments,
    settle,
)

A, B = "arrangement-a", "arrangement-b"


def terms_of(year: int, option: str, **overrides: object) -> Terms:
    return Terms.from_rules(load_program("ngaco").rules(year, option).override(overrides))


# --- discount ---------------------------------------------------------------------------------


# AJMC, May 2016: savings of somewhere between 0.5% and 4.5% go to CMS before an ACO earns any.
def test_discount_of_the_first_years_spans_the_published_range() -> None:
    terms = terms_of(2016, B)
    assert discount_after_adjustments(terms, 1.0, 0.01, 0.005) == pytest.approx(0.005, abs=1e-15)
    assert discount_after_adjustments(terms, 0.0, -0.01, -0.005) == pytest.approx(0.045, abs=1e-15)
    assert discount_after_adjustments(terms, 0.0) == pytest.approx(0.03, abs=1e-15)


def test_efficiency_counts_no_further_than_the_rules_allow() -> None:
    terms = terms_of(2017, A)
    assert discount_after_adjustments(terms, 0.5, 0.2, 0.2) == discount_after_adjustments(
        terms, 0.5, 0.01, 0.005
    )
    assert discount_after_adjustments(terms, 0.5, -0.2, -0.2) == discount_after_adjustments(
        terms, 0.5, -0.01, -0.005
    )


def test_from_2019_quality_is_a_withhold_and_efficiency_is_gone() -> None:
    terms = terms_of(2019, B)
    statement = settle(
        terms,
        Figures(
            unadjusted_benchmark=100.0,
            claims=90.0,
            quality_score=0.5,
            regional_efficiency=0.01,
            national_efficiency=0.005,
        ),
    )
    # 1.25% discount under B, and half of a 2% withhold.
    assert statement["final_benchmark"] == pytest.approx(100 * (1 - 0.0125 - 0.01), rel=1e-14)


# --- order ------------------------------------------------------------------------------------


def test_cap_of_5_percent_and_80_percent_leave_at_most_4_percent() -> None:
    # Next Generation participation agreement, risk arrangement (clause text).
    terms = terms_of(2017, A, savings_losses_cap=0.05)
    gain = settle(terms, Figures(final_benchmark=1000.0, claims=0.0))
    loss = settle(terms, Figures(final_benchmark=1000.0, claims=3000.0))
    assert gain["shared_savings"] == pytest.approx(40.0, rel=1e-14)
    assert gain["shared_after_sequestration"] == pytest.approx(39.2, rel=1e-14)
    assert loss["shared_after_sequestration"] == pytest.approx(-40.0, rel=1e-14)


def test_cap_comes_before_the_sharing_rate() -> None:
    # Savings of 6%: capped at 5% and then shared at 80% they are 4%; the other way they were 4.8%.
    terms = terms_of(2018, A, savings_losses_cap=0.05)
    statement = settle(terms, Figures(final_benchmark=100.0, claims=94.0))
    assert statement["gross_savings"] == 6.0
    assert statement["capped_savings"] == 5.0
    assert statement["shared_savings"] == pytest.approx(4.0, rel=1e-14)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("rate", "counted"),
    [(0.0999, 0.0999), (0.1, 0.1), (0.1001, 0.1), (0.5, 0.1), (math.inf, 0.1), (0.0001, 0.0001)],
)
def test_cap_from_both_sides(sign: int, rate: float, counted: float) -> None:
    terms = terms_of(2017, B, savings_losses_cap=0.1)
    statement = settle(terms, Figures(final_benchmark=100.0, claims=100.0 * (1 - sign * rate)))
    assert statement["shared_savings"] == pytest.approx(sign * 100 * counted, rel=1e-9)


# --- arrangements and years -------------------------------------------------------------------


@pytest.mark.parametrize(("option", "rate"), [(A, 0.8), (B, 1.0)])
@pytest.mark.parametrize("year", range(2016, 2022))
def test_sharing_rate_of_each_arrangement(year: int, option: str, rate: float) -> None:
    assert terms_of(year, option).sharing_rate == rate


def test_rules_that_sources_do_not_settle_say_so() -> None:
    program = load_program("ngaco")
    assert program.family == "next_generation"
    assert program.rules(2019, A)["sharing_rate"].confidence == "conflicting"
    assert program.rules(2019, A)["discount"].confidence == "assumption"
    assert program.rules(2017, B)["savings_losses_cap"].confidence == "assumption"


# Suspended from 1 May 2020 to 31 March 2022 (Public Law 117-71, section 2), when 2019 and 2020
# were settled.
@pytest.mark.parametrize(("year", "paid"), [(2018, 9.8), (2019, 10.0), (2020, 10.0), (2021, 9.8)])
def test_sequestration_by_year_of_payment(year: int, paid: float) -> None:
    statement = settle(terms_of(year, B), Figures(final_benchmark=100.0, claims=90.0))
    assert statement["shared_after_sequestration"] == pytest.approx(paid, rel=1e-14)


@pytest.mark.parametrize("cap", [0.05, 0.075, 0.15])
def test_caps_that_may_be_elected(cap: float) -> None:
    assert terms_of(2017, A, savings_losses_cap=cap).savings_losses_cap == cap


@pytest.mark.parametrize("cap", [math.nextafter(0.05, 0), math.nextafter(0.15, 1), 0.0, 1.0])
def test_caps_that_may_not_be_elected(cap: float) -> None:
    with pytest.raises(InputError, match=r"elects a cap .* from 0.05 to 0.15 of the benchmark"):
        terms_of(2017, A, savings_losses_cap=cap)


def test_discount_withhold_and_efficiency_leave_some_of_the_benchmark() -> None:
    with pytest.raises(InputError, match="must leave some of the benchmark"):
        terms_of(2017, A, savings_losses_cap=0.05, discount=1.0)


# --- settling up ------------------------------------------------------------------------------


def test_payments_of_the_year_are_squared() -> None:
    statement = settle(
        terms_of(2017, B),
        Figures(
            final_benchmark=100.0,
            claims=95.0,
            infrastructure_payments=2.0,
            population_based_payment_paid=30.0,
            population_based_payment_reductions=29.0,
        ),
    )
    assert statement["infrastructure_payments_recouped"] == pytest.approx(4.9 - 2.0, rel=1e-13)
    assert statement["cash_due"] == pytest.approx(4.9 - 2.0 - 1.0, rel=1e-13)


def test_every_line_that_a_result_keeps_is_there() -> None:
    statement = settle(terms_of(2017, B), Figures(unadjusted_benchmark=100.0, claims=95.0))
    for line in (
        "final_benchmark",
        "settlement_benchmark",
        "net_cost_of_care",
        "gross_savings",
        "shared_savings",
        "shared_after_sequestration",
        "cash_due",
    ):
        assert line in statement
    assert set(statement.rules) <= set(load_program("ngaco").rules(2017, B))


def test_a_settlement_starts_from_one_benchmark() -> None:
    with pytest.raises(InputError, match="exactly one"):
        Figures(claims=1.0)
    with pytest.raises(InputError, match="exactly one"):
        Figures(claims=1.0, final_benchmark=1.0, unadjusted_benchmark=1.0)


def test_draws_settle_as_numbers_do_and_nan_stays_nan() -> None:
    terms = terms_of(2016, A)
    claims = np.array([80.0, 99.0, 120.0, np.nan])
    together = settle(terms, Figures(unadjusted_benchmark=100.0, claims=claims))["cash_due"]
    alone = [
        settle(terms, Figures(unadjusted_benchmark=100.0, claims=float(claim)))["cash_due"]
        for claim in claims
    ]
    np.testing.assert_array_equal(together, alone)
    assert np.isnan(np.asarray(together)[3])


@given(
    target=st.floats(1e3, 1e10),
    cost=st.floats(0.0, 3.0),
    cap=st.floats(0.05, 0.15),
    option=st.sampled_from([A, B]),
)
def test_shared_amount_is_bounded_and_never_exceeds_the_gross(
    target: float, cost: float, cap: float, option: str
) -> None:
    terms = replace(terms_of(2018, option), savings_losses_cap=cap)
    statement = settle(terms, Figures(final_benchmark=target, claims=cost * target))
    shared, gross = float(statement["shared_savings"]), float(statement["gross_savings"])
    assert abs(shared) <= cap * terms.sharing_rate * target * (1 + 1e-12)
    assert abs(shared) <= abs(gross)
    assert shared * gross >= 0
