"""Shared Savings settlements: worked examples from the regulation, edges from both sides.

Rates and limits: 42 CFR 425.604 to 425.610; the order of sequestration and payment limit, and the
rates of sequestration, from CMS's ACO-level public use files of 2014-2024.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from simdc.errors import InputError
from simdc.programs import RuleSet, load_program
from simdc.programs.units import checked, shown
from simdc.settlement import shared_savings_steps as own
from simdc.settlement.shared_savings import Figures, Terms, repayment_mechanism, settle
from simdc.settlement.statement import Statement

BENCHMARK = 100e6
TEN_THOUSAND = 10_000  # assigned beneficiaries: a minimum savings rate of 3.0%
OPTIONS = load_program("mssp").options
TWO_SIDED_NOW = ("basic-c", "basic-d", "basic-e", "enhanced")


def rules(year: int, option: str) -> RuleSet:
    return load_program("mssp").rules(year, option)


def settled(year: int, option: str, gain: Any, **figures: Any) -> Any:
    """A benchmark of $100M with so much saved (negative: overspent)."""
    values = {"beneficiaries": TEN_THOUSAND, "benchmark": BENCHMARK} | figures
    terms = Terms.from_rules(rules(year, option))
    return settle(terms, Figures(expenditure=values["benchmark"] - gain, **values))


def cash(year: int, option: str, gain: Any, **figures: Any) -> Any:
    return settled(year, option, gain, **figures)["cash_due"]


# --- minimum savings rate ---------------------------------------------------------------------

TABLE = rules(2022, "basic-e").value("minimum_savings_rate_table")


# 42 CFR 425.604(b): both ends of every band.
@pytest.mark.parametrize(
    ("beneficiaries", "rate"),
    [
        (500, 0.122),
        (999, 0.087),
        (1_000, 0.087),
        (2_999, 0.05),
        (3_000, 0.05),
        (4_999, 0.039),
        (5_000, 0.039),
        (5_999, 0.036),
        (6_000, 0.036),
        (6_999, 0.034),
        (7_000, 0.034),
        (7_999, 0.032),
        (8_000, 0.032),
        (8_999, 0.031),
        (9_000, 0.031),
        (9_999, 0.03),
        (10_000, 0.03),
        (14_999, 0.027),
        (15_000, 0.027),
        (19_999, 0.025),
        (20_000, 0.025),
        (49_999, 0.022),
        (50_000, 0.022),
        (59_999, 0.02),
        (60_000, 0.02),
        (1_000_000, 0.02),
    ],
)
def test_ends_of_the_bands_are_exact(beneficiaries: int, rate: float) -> None:
    assert own.minimum_rate_by_size(beneficiaries, TABLE) == rate


def test_rate_runs_straight_within_a_band() -> None:
    assert own.minimum_rate_by_size(12_345, TABLE) == pytest.approx(0.03 - 0.003 * 2_345 / 4_999)
    assert own.minimum_rate_by_size(7_001, TABLE) == pytest.approx(0.034 - 0.002 / 999)


def test_rate_is_flat_between_bands_and_below_the_first() -> None:
    assert own.minimum_rate_by_size(14_999.5, TABLE) == 0.027
    assert own.minimum_rate_by_size(152, TABLE) == 0.122


def test_unknown_size_has_no_rate_and_shares_nothing_known() -> None:
    assert math.isnan(own.minimum_rate_by_size(math.nan, TABLE))


@given(st.lists(st.floats(1, 1e6), min_size=2, max_size=20))
def test_larger_entities_never_need_more(sizes: list[float]) -> None:
    rates = np.asarray(own.minimum_rate_by_size(np.sort(sizes), TABLE))
    assert (np.diff(rates) <= 1e-16).all()
    assert (rates >= 0.02).all()
    assert (rates <= 0.122).all()


def test_table_and_elections_mix_in_one_array() -> None:
    elected = np.array([np.nan, 0.0, 0.015])
    rates = own.minimum_rate(np.array([60_000, 5_000, 5_000]), elected, TABLE)
    assert np.asarray(rates).tolist() == [0.02, 0.0, 0.015]


@pytest.mark.parametrize(("gain", "generated"), [(3_000_000.0, 3_000_000.0), (2_999_999.0, 0.0)])
def test_savings_count_from_the_first_dollar_once_the_minimum_is_reached(
    gain: float, generated: float
) -> None:
    assert settled(2022, "basic-a", gain)["generated_savings"] == generated
    assert settled(2022, "basic-e", gain)["generated_savings"] == generated


@pytest.mark.parametrize(("gain", "generated"), [(-3e6, -3e6), (-2_999_999.0, 0.0)])
def test_losses_count_likewise_where_they_are_shared(gain: float, generated: float) -> None:
    assert settled(2024, "enhanced", gain)["generated_savings"] == generated
    assert settled(2024, "basic-b", gain)["generated_savings"] == 0


@pytest.mark.parametrize("rate", [0.0, 0.005, 0.01, 0.015, 0.02])
def test_elected_rate_holds_for_savings_and_losses(rate: float) -> None:
    at, short = rate * BENCHMARK, rate * BENCHMARK - 1
    reached = settled(2024, "basic-e", np.array([at, -at]), elected_minimum_rate=rate)
    assert reached["generated_savings"].tolist() == [at, -at]
    if rate:
        missed = settled(2024, "basic-e", np.array([short, -short]), elected_minimum_rate=rate)
        assert missed["generated_savings"].tolist() == [0, 0]


def test_minimum_rate_is_not_rounded() -> None:
    # 12,345 beneficiaries need 2.8593%, which prints as 2.86%.
    assert settled(2022, "basic-a", 2_859_500.0, beneficiaries=12_345)["cash_due"] > 0


def test_elections_not_on_offer_are_refused() -> None:
    with pytest.raises(InputError, match=r"0\.03 is not on offer: it may be 0, 0\.005, 0\.01"):
        cash(2022, "basic-e", 5e6, elected_minimum_rate=0.03)
    with pytest.raises(InputError, match="a one-sided track takes the size table"):
        cash(2022, "basic-a", 5e6, elected_minimum_rate=0.02)
    with pytest.raises(InputError, match=r"0\.002 is not on offer"):
        cash(2022, "enhanced", 5e6, elected_minimum_rate=np.array([0.02, 0.002]))


def test_early_track_2_had_two_percent_without_a_choice() -> None:
    assert settled(2014, "track-2", 2e6, beneficiaries=5_000)["generated_savings"] == 2e6
    assert settled(2014, "track-2", 1_999_999.0, beneficiaries=5_000)["generated_savings"] == 0


# --- each track, both sides -------------------------------------------------------------------


# Of $10M, less 2% sequestration.
@pytest.mark.parametrize(
    ("year", "option", "score", "paid"),
    [
        (2022, "basic-a", 0.9, 3_920_000),
        (2022, "basic-b", 0.9, 3_920_000),
        (2022, "basic-c", 0.9, 4_900_000),
        (2022, "basic-d", 0.9, 4_900_000),
        (2022, "basic-e", 0.9, 4_900_000),
        (2022, "enhanced", 0.9, 7_350_000),
        (2018, "track-1", 0.9, 4_410_000),
        (2018, "track-1-plus", 0.9, 4_410_000),
        (2018, "track-2", 0.9, 5_292_000),
        (2018, "track-3", 0.9, 6_615_000),
    ],
)
def test_savings_by_track(year: int, option: str, score: float, paid: float) -> None:
    assert cash(year, option, 10e6, quality_score=score) == pytest.approx(paid, rel=1e-12)


# Of $10M, with $30M of participant revenue.
@pytest.mark.parametrize(
    ("year", "option", "score", "owed"),
    [
        (2024, "basic-a", 0.9, 0),
        (2024, "basic-b", 0.9, 0),
        (2024, "basic-c", 0.9, 600_000),
        (2024, "basic-d", 0.9, 1_200_000),
        (2024, "basic-e", 0.9, 2_400_000),
        (2024, "enhanced", 0.9, 4_000_000),
        (2024, "enhanced", 0.7, 4_750_000),
        (2024, "enhanced", 0.2, 7_500_000),
        (2018, "track-1", 0.9, 0),
        (2018, "track-1-plus", 0.9, 2_400_000),
        (2018, "track-2", 0.9, 4_600_000),
        (2018, "track-2", 1.0, 4_000_000),
        (2018, "track-2", 0.5, 6_000_000),
        (2018, "track-3", 0.9, 4_000_000),
        (2018, "track-3", 0.2, 7_500_000),
    ],
)
def test_losses_by_track(year: int, option: str, score: float, owed: float) -> None:
    due = cash(year, option, -10e6, quality_score=score, revenue=30e6)
    assert due == pytest.approx(-owed, rel=1e-12)


def test_every_open_track_settles_in_every_year() -> None:
    program, seen = load_program("mssp"), 0
    for option in OPTIONS:
        for year in sorted({year for p in program.matching(option=option) for year in p.years}):
            due = cash(year, option, np.array([20e6, 0.0, -20e6]))
            assert due[0] > 0
            assert due[1] == 0
            assert (due[2] <= 0) is np.True_
            seen += 1
    assert seen == 6 * 8 + 8 + 4 + 8 + 6


def test_tracks_that_were_not_open_are_refused_with_their_years() -> None:
    with pytest.raises(InputError, match=r"'track-3' of program 'mssp' was open in 2016 to 2021"):
        rules(2024, "track-3")
    with pytest.raises(InputError, match=r"'basic-a' of program 'mssp' was open in 2019 to 2026"):
        rules(2018, "basic-a")


# --- quality ----------------------------------------------------------------------------------

STANDINGS = {
    "quality_standard_met": np.array([True, False, False]),
    "alternative_standard_met": np.array([True, True, False]),
}


@pytest.mark.parametrize(
    ("year", "rates"),
    [
        (2019, [0.45, 0.0, 0.0]),
        (2020, [0.45, 0.0, 0.0]),
        (2021, [0.75, 0.0, 0.0]),
        (2022, [0.75, 0.0, 0.0]),
        (2023, [0.75, 0.45, 0.0]),
        (2024, [0.75, 0.45, 0.0]),
        (2026, [0.75, 0.45, 0.0]),
    ],
)
def test_final_sharing_rate_by_year(year: int, rates: list[float]) -> None:
    statement = settled(year, "enhanced", 10e6, quality_score=0.6, **STANDINGS)
    assert statement["final_sharing_rate"] == pytest.approx(rates)


@pytest.mark.parametrize(
    ("year", "rates"),
    [(2019, [0.55, 0.75, 0.75]), (2022, [0.55, 0.75, 0.75]), (2023, [0.55, 0.55, 0.75])],
)
def test_loss_rate_by_year(year: int, rates: list[float]) -> None:
    statement = settled(year, "enhanced", -10e6, quality_score=0.6, **STANDINGS)
    assert statement["loss_rate"] == pytest.approx(rates)


@pytest.mark.parametrize(("score", "rate"), [(0.8, 0.4), (0.801, 0.4), (0.799, 0.40075)])
def test_loss_rate_leaves_its_floor_below_a_score_of_80(score: float, rate: float) -> None:
    statement = settled(2024, "enhanced", -10e6, quality_score=score)
    assert statement["loss_rate"] == pytest.approx(rate, rel=1e-12)


def test_fixed_loss_rate_does_not_see_quality() -> None:
    statement = settled(2024, "basic-e", -1e6, quality_score=0.1, elected_minimum_rate=0.0)
    assert statement["loss_rate"] == 0.3
    assert statement["cash_due"] == pytest.approx(-300_000)


# --- payment ----------------------------------------------------------------------------------


# Half of the gain, less 2%, at most $10M: the limit is reached at a gain of 20.408% of benchmark.
@pytest.mark.parametrize(
    ("gain", "paid"),
    [(20e6, 9_800_000), (20.3e6, 9_947_000), (20.5e6, 10_000_000), (30e6, 10_000_000)],
)
def test_sequestration_comes_before_the_payment_limit(gain: float, paid: float) -> None:
    assert cash(2018, "track-1", gain) == pytest.approx(paid, rel=1e-12)


@pytest.mark.parametrize(("option", "limit"), [("basic-e", 10e6), ("enhanced", 20e6)])
def test_payment_limit_of_the_current_tracks(option: str, limit: float) -> None:
    assert cash(2024, option, 40e6) == limit


@pytest.mark.parametrize("year", range(2014, 2027))
def test_sequestration_was_suspended_for_2019_and_2020(year: int) -> None:
    option, rate = ("track-1", 0.5) if year <= 2018 else ("basic-e", 0.5)
    kept = 1.0 if year in (2019, 2020) else 0.98
    assert cash(year, option, 10e6) == pytest.approx(10e6 * rate * kept, rel=1e-12)


def test_losses_are_not_sequestered() -> None:
    statement = settled(2024, "enhanced", -10e6)
    assert statement["cash_due"] == statement["shared_savings"] == -4e6


def test_advance_payments_come_out_of_what_is_paid_and_no_further() -> None:
    gains = np.array([10e6, 1e6, -10e6])
    statement = settled(
        2024, "enhanced", gains, elected_minimum_rate=0.0, advance_payments=np.full(3, 1e6)
    )
    assert statement["shared_after_sequestration"] == pytest.approx([7.35e6, 0.735e6, -4e6])
    assert statement["cash_due"] == pytest.approx([6.35e6, 0.0, -4e6])


def test_low_revenue_earns_half_the_rate_below_the_minimum() -> None:
    entitled = np.array([True, False, True, True])
    gains = np.array([2e6, 2e6, 3e6, -2e6])
    statement = settled(2024, "basic-a", gains, low_revenue=entitled)
    assert statement["final_sharing_rate"].tolist() == [0.2, 0.4, 0.4, 0.4]
    assert statement["cash_due"] == pytest.approx([392_000, 0, 1_176_000, 0])
    assert cash(2024, "basic-e", 1e6, elected_minimum_rate=0.02, low_revenue=True) == (
        pytest.approx(245_000)
    )


@pytest.mark.parametrize(("beneficiaries", "paid"), [(5_000, 392_000), (4_999, 0)])
def test_half_rate_needs_5000_beneficiaries(beneficiaries: int, paid: float) -> None:
    due = cash(2024, "basic-b", 2e6, beneficiaries=beneficiaries, low_revenue=True)
    assert due == pytest.approx(paid)


@pytest.mark.parametrize(("year", "option"), [(2023, "basic-a"), (2024, "enhanced")])
def test_half_rate_is_for_the_basic_track_from_2024(year: int, option: str) -> None:
    assert cash(year, option, 2e6, low_revenue=True) == 0


def test_guardrail_keeps_gains_back_and_leaves_losses() -> None:
    gains = np.array([10e6, -10e6])
    statement = settled(2024, "enhanced", gains, guardrail=np.array([True, True]))
    assert statement["savings_after_guardrail"].tolist() == [0, -10e6]
    assert statement["cash_due"].tolist() == [0, -4e6]
    assert "savings_after_guardrail" not in settled(2023, "enhanced", 10e6)


# --- losses -----------------------------------------------------------------------------------


# BASIC E: 8% of revenue or 4% of benchmark ($4M), whichever is lower: equal at revenue of $50M.
@pytest.mark.parametrize(
    ("revenue", "owed"), [(49e6, 3_920_000), (50e6, 4e6), (51e6, 4e6), (0.0, 0.0)]
)
def test_lower_of_the_two_loss_limits_holds(revenue: float, owed: float) -> None:
    assert cash(2024, "basic-e", -20e6, revenue=revenue) == pytest.approx(-owed)


def test_loss_below_its_limits_is_owed_in_full() -> None:
    assert cash(2024, "basic-e", -10e6, revenue=50e6) == pytest.approx(-3e6)


def label(statement: Statement, key: str) -> str:
    return next(line.label for line in statement.lines if line.key == key)


def test_unknown_revenue_leaves_the_limit_of_benchmark_and_is_told() -> None:
    unknown = settled(2024, "basic-e", -20e6)
    assert unknown["cash_due"] == -4e6
    assert "revenue is not known" in label(unknown, "limited_losses")
    assert "loss_limit_revenue" not in unknown.rules
    known = settled(2024, "basic-e", -20e6, revenue=10e6)
    assert "not known" not in label(known, "limited_losses")
    assert "loss_limit_revenue" in known.rules
    # ENHANCED has no limit of revenue, so nothing is missing there.
    assert "not known" not in label(settled(2024, "enhanced", -20e6), "limited_losses")


def test_enhanced_loss_limit() -> None:
    assert cash(2024, "enhanced", -50e6, quality_score=0.0) == -15e6


@pytest.mark.parametrize(("agreement_year", "limit"), [(1, 5e6), (2, 7.5e6), (3, 10e6), (4, 10e6)])
def test_track_2_loss_limit_rises_with_the_agreement(agreement_year: int, limit: float) -> None:
    terms = Terms.from_rules(rules(2016, "track-2"), agreement_year)
    figures = Figures(benchmark=BENCHMARK, expenditure=150e6, beneficiaries=TEN_THOUSAND)
    statement = settle(terms, figures)
    assert statement["cash_due"] == -limit
    assert all(rule in rules(2016, "track-2") for rule in statement.rules)


@pytest.mark.parametrize(
    ("year", "owed"), [(2019, 4e6), (2020, 0), (2021, 0), (2022, 0), (2023, 4e6 * 7 / 12)]
)
def test_the_public_health_emergency_forgave_losses(year: int, owed: float) -> None:
    assert cash(year, "enhanced", -10e6) == pytest.approx(-owed)


def test_relief_of_the_entity_replaces_that_of_the_year() -> None:
    assert cash(2024, "enhanced", -10e6, disaster_relief_share=0.25) == pytest.approx(-3e6)
    assert cash(2022, "enhanced", -10e6, disaster_relief_share=0.0) == pytest.approx(-4e6)
    assert cash(2022, "enhanced", -10e6, disaster_relief=1e6) == pytest.approx(-3e6)


def test_relief_ends_at_nothing_owed_and_leaves_savings_alone() -> None:
    gains = np.array([-10e6, 10e6])
    assert cash(2024, "enhanced", gains, disaster_relief=9e6).tolist() == [0, 7.35e6]
    assert cash(2022, "enhanced", gains).tolist() == [0, 7.35e6]


def test_relief_is_given_once() -> None:
    with pytest.raises(InputError, match="disaster relief is given once"):
        cash(2024, "enhanced", -10e6, disaster_relief=1.0, disaster_relief_share=0.5)


@pytest.mark.parametrize(
    ("year", "option", "revenue", "amount"),
    [
        (2020, "enhanced", 30e6, 600_000),
        (2020, "enhanced", 60e6, 1_000_000),
        (2024, "basic-e", 30e6, 300_000),
        (2024, "basic-e", 60e6, 500_000),
        (2024, "basic-e", None, 500_000),
        (2024, "basic-a", 30e6, None),
        (2018, "track-3", 30e6, 1_000_000),
    ],
)
def test_repayment_mechanism(
    year: int, option: str, revenue: float | None, amount: float | None
) -> None:
    assert repayment_mechanism(rules(year, option), BENCHMARK, revenue) == amount


# --- the statement ----------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["basic-a", "enhanced"])
def test_lines_follow_one_another(option: str) -> None:
    statement = settled(2024, option, 10e6)
    keys = list(statement)
    common = ["gross_savings", "shared_savings", "shared_after_sequestration", "cash_due"]
    assert [key for key in keys if key in common] == common
    assert keys.index("sequestered_savings") < keys.index("shared_after_sequestration")
    assert ("loss_rate" in keys) is (option == "enhanced")
    fractions = {line.key for line in statement.lines if line.unit == "fraction"}
    assert fractions == {"minimum_rate", "final_sharing_rate", "loss_rate"} & set(keys)
    assert all(rule in rules(2024, option) for rule in statement.rules)


def test_nothing_at_stake_is_a_plain_zero() -> None:
    for year, gain in [(2024, -1e6), (2022, -10e6)]:
        due = cash(year, "enhanced", np.array([gain]))
        assert due.tolist() == [0.0]
        assert not np.signbit(due).any()


def test_unknown_expenditure_stays_unknown() -> None:
    statement = settled(2024, "enhanced", np.array([math.nan, 10e6]))
    assert np.isnan(statement["cash_due"]).tolist() == [True, False]
    assert math.isnan(cash(2024, "enhanced", 10e6, beneficiaries=math.nan))


def test_labels_come_out_as_they_went_in() -> None:
    gains = xr.DataArray([10e6, -10e6], dims="entity", coords={"entity": ["A1", "A2"]})
    sizes = xr.full_like(gains, 20_000.0)
    due = cash(2024, "basic-e", gains, beneficiaries=sizes, low_revenue=gains > 0)
    assert isinstance(due, xr.DataArray)
    assert due.sel(entity="A2").item() == pytest.approx(-3e6)
    assert due.sel(entity="A1").item() == pytest.approx(4.9e6)


# --- overriding -------------------------------------------------------------------------------


def test_override_reaches_the_settlement() -> None:
    proposal = rules(2026, "basic-e").override({"maximum_sharing_rate": 0.6})
    figures = Figures(benchmark=BENCHMARK, expenditure=90e6, beneficiaries=TEN_THOUSAND)
    assert settle(Terms.from_rules(proposal), figures)["cash_due"] == pytest.approx(5.88e6)


def test_half_an_override_of_a_fixed_rate_is_refused() -> None:
    with pytest.raises(InputError, match="to change a fixed rate, set both"):
        Terms.from_rules(rules(2026, "basic-e").override({"loss_rate_floor": 0.4}))


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ([0.01, 0.005], "rates"),
        ([2.0], "rates"),
        ("all", "rates"),
        ([[500, 999, 0.1, 0.09]], "size-table"),
        ([[500, 999, 0.1, 0.09], [999, math.inf, 0.09, 0.09]], "size-table"),
        ([[500, math.inf, 12.2, 8.7]], "size-table"),
        ([[500, math.inf, 0.1]], "size-table"),
        ([], "size-table"),
        ("cliffs", "quality-method"),
        (1, "quality-method"),
    ],
)
def test_values_that_their_unit_forbids(value: object, unit: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        checked(value, unit)


def test_values_are_shown_for_people() -> None:
    assert shown((0.0, 0.005), "rates") == "0%, 0.5%"
    assert shown((), "rates") == "none"
    assert shown("cliff", "quality-method") == "cliff"
    bands = ((500, 999, 0.122, 0.087), (1_000, math.inf, 0.087, 0.087))
    assert shown(bands, "size-table") == "500-999: 12.2% to 8.7%\n1,000 and over: 8.7%"


# --- properties -------------------------------------------------------------------------------

GAINS = st.lists(st.floats(-60e6, 60e6), min_size=1, max_size=20).map(np.array)
SIZES = st.integers(500, 200_000)
SCORES = st.floats(0, 1)


@given(GAINS, SIZES, SCORES, st.sampled_from(OPTIONS[:6]), st.floats(0, 200e6))
def test_what_is_due_stays_within_its_limits(
    gains: Any, size: int, score: float, option: str, revenue: float
) -> None:
    in_force = rules(2024, option)
    figures = {"beneficiaries": size, "quality_score": score, "revenue": revenue}
    statement = settled(2024, option, gains, **figures)
    gross, due = statement["gross_savings"], statement["cash_due"]
    assert (due <= in_force.value("payment_limit") * BENCHMARK).all()
    assert (due <= np.maximum(gross, 0)).all()
    if option in TWO_SIDED_NOW:
        assert (due >= np.minimum(gross, 0) * in_force.value("loss_rate_ceiling")).all()
        assert (due >= -in_force.value("loss_limit_benchmark") * BENCHMARK).all()
    if "loss_limit_revenue" in in_force:
        assert (due >= -in_force.value("loss_limit_revenue") * revenue).all()
    if option in ("basic-a", "basic-b"):
        assert (due >= 0).all()


@given(GAINS, SIZES, SCORES, st.sampled_from(OPTIONS[:6]))
def test_spending_less_never_costs_money(gains: Any, size: int, score: float, option: str) -> None:
    due = cash(2024, option, np.sort(gains), beneficiaries=size, quality_score=score)
    assert (np.diff(due) >= 0).all()


@given(GAINS, SIZES, SCORES)
def test_rows_settle_as_they_do_alone(gains: Any, size: int, score: float) -> None:
    together = cash(2023, "enhanced", gains, beneficiaries=size, quality_score=score)
    alone = [cash(2023, "enhanced", g, beneficiaries=size, quality_score=score) for g in gains]
    assert together.tolist() == [float(due) for due in alone]


@given(st.floats(-60e6, 60e6), SIZES, st.floats(0, 1), st.floats(0, 1))
def test_better_quality_never_costs_money(gain: float, size: int, one: float, two: float) -> None:
    low, high = sorted((one, two))
    for year in (2019, 2022, 2024):
        scores = np.array([low, high])
        due = cash(year, "enhanced", gain, beneficiaries=size, quality_score=scores)
        assert due[0] <= due[1]
