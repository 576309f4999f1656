"""What must hold of every settlement, whatever the figures and the corridors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simdc.programs import load_program
from simdc.settlement import steps
from simdc.settlement.direct_contracting import Figures, Terms, settle
from simdc.settlement.statement import Statement

rates = st.floats(0, 1)
dollars = st.floats(0, 1e10)
benchmarks = st.floats(1e3, 1e10)
gross_amounts = st.floats(-2e10, 2e10)


@st.composite
def corridors(draw: st.DrawFn) -> steps.Corridors:
    """Bands with rising edges that end at infinity, any share in each."""
    edges = sorted(draw(st.sets(st.floats(0.001, 2.0), max_size=5)))
    return [(edge, draw(rates)) for edge in [*edges, math.inf]]


@st.composite
def published_terms(draw: st.DrawFn) -> Terms:
    """The terms of some program, year and option."""
    program = load_program(draw(st.sampled_from(["gpdc-2020", "gpdc", "reach"])))
    year = draw(st.sampled_from(program.years))
    return Terms.from_rules(program.rules(year, draw(st.sampled_from(program.options))))


# --- corridors --------------------------------------------------------------------------------


@given(gross_amounts, benchmarks, corridors())
def test_losses_mirror_savings(gross: float, benchmark: float, bands: steps.Corridors) -> None:
    gain = steps.share_in_corridors(gross, benchmark, bands)
    assert steps.share_in_corridors(-gross, benchmark, bands) == -gain


@given(gross_amounts, gross_amounts, benchmarks, corridors())
def test_more_savings_are_never_worth_less(
    one: float, other: float, benchmark: float, bands: steps.Corridors
) -> None:
    low, high = sorted((one, other))
    less = steps.share_in_corridors(low, benchmark, bands)
    more = steps.share_in_corridors(high, benchmark, bands)
    # Sums of at most six rounded terms: a few units in the last place of the larger amount.
    assert more >= less - 1e-14 * max(abs(low), abs(high))


@given(gross_amounts, gross_amounts, benchmarks, corridors())
def test_a_dollar_of_gross_moves_the_share_by_a_dollar_at_most(
    one: float, other: float, benchmark: float, bands: steps.Corridors
) -> None:
    moved = steps.share_in_corridors(one, benchmark, bands) - steps.share_in_corridors(
        other, benchmark, bands
    )
    assert abs(moved) <= abs(one - other) + 1e-14 * max(abs(one), abs(other))


@given(gross_amounts, benchmarks, corridors())
def test_the_share_lies_between_nothing_and_all(
    gross: float, benchmark: float, bands: steps.Corridors
) -> None:
    shared = steps.share_in_corridors(gross, benchmark, bands)
    assert shared * gross >= 0
    assert abs(shared) <= abs(gross) * (1 + 1e-14)


@given(st.floats(-2, 2), benchmarks, benchmarks, corridors())
def test_the_share_depends_on_the_rate_of_savings_alone(
    rate: float, benchmark: float, other: float, bands: steps.Corridors
) -> None:
    here = steps.share_in_corridors(rate * benchmark, benchmark, bands) / benchmark
    there = steps.share_in_corridors(rate * other, other, bands) / other
    assert here == pytest.approx(there, rel=1e-12, abs=1e-14)


@given(gross_amounts, benchmarks, corridors())
def test_the_share_is_the_sum_of_each_bands_overlap_times_its_rate(
    gross: float, benchmark: float, bands: steps.Corridors
) -> None:
    # The formula as the rules state it, in plain Python: overlaps of |gross| with each band.
    lower, expected = 0.0, 0.0
    for edge, share in bands:
        upper = edge * benchmark
        expected += share * max(0.0, min(abs(gross), upper) - lower)
        lower = upper
    shared = steps.share_in_corridors(gross, benchmark, bands)
    assert shared == pytest.approx(math.copysign(expected, gross), rel=1e-12, abs=1e-6)


@given(benchmarks, corridors(), st.sampled_from([1, -1]))
def test_the_share_is_continuous_at_every_edge(
    benchmark: float, bands: steps.Corridors, sign: int
) -> None:
    for edge, _ in bands[:-1]:
        at = sign * edge * benchmark
        around = np.array([np.nextafter(at, -np.inf), at, np.nextafter(at, np.inf)])
        shared = steps.share_in_corridors(around, benchmark, bands)
        assert np.ptp(shared) <= 1e-14 * abs(at)


# --- the other steps --------------------------------------------------------------------------


@given(gross_amounts, rates)
def test_sequestration_never_raises_a_payment_nor_touches_a_debt(
    amount: float, rate: float
) -> None:
    after = steps.sequester(amount, rate)
    if amount > 0:
        assert after == pytest.approx(amount * (1 - rate), rel=1e-15)
        assert 0 <= after <= amount
    else:
        assert after == amount


@given(st.floats(0.5, 2), st.floats(0.5, 2), st.floats(0, 0.05), corridors())
def test_a_higher_trend_never_lowers_the_benchmark(
    one: float, other: float, trigger: float, bands: steps.Corridors
) -> None:
    low, high = sorted((one, other))
    less = steps.trend_adjustment(low, trigger, bands)
    more = steps.trend_adjustment(high, trigger, bands)
    assert more >= less - 1e-14


@given(benchmarks, rates, rates, rates, rates)
def test_a_higher_score_never_lowers_the_benchmark_and_full_marks_restore_it(
    benchmark: float, discount: float, withhold: float, one: float, other: float
) -> None:
    def left(score: float) -> float:
        return float(
            steps.discounted_benchmark(
                benchmark,
                discount=discount,
                retention_withhold=0.0,
                quality_withhold=withhold,
                quality_score=score,
            )
        )

    low, high = sorted((one, other))
    assert left(low) <= left(high) <= left(1.0)
    assert left(1.0) == pytest.approx(benchmark * (1 - discount), rel=1e-12, abs=1e-6)


@given(rates, rates, rates, rates)
def test_a_total_quality_score_stays_between_nothing_and_one(
    performance: float, reporting: float, multiplier: float, equity: float
) -> None:
    score = steps.total_quality_score(performance, reporting, multiplier, equity)
    assert 0 <= score <= 1
    assert score >= min(1.0, equity)


# --- whole settlements ------------------------------------------------------------------------


def settled(terms: Terms, scale: float = 1.0, **changes: float) -> Statement:
    """A settlement of round figures, every dollar of them times a scale."""
    amounts = {
        "final_benchmark": 1000.0,
        "health_equity_up": 12.0,
        "health_equity_down": -7.0,
        "claims": 930.0,
        "stop_loss_payout": 25.0,
        "stop_loss_charge": 20.0,
        "capitation_expenditure": 40.0,
        "enhanced_capitation": 15.0,
        "advanced_payment_paid": 9.0,
        "advanced_payment_reductions": 6.0,
        "high_performers_bonus": 3.0,
        "provisional_settlement": 4.0,
    } | changes
    return settle(terms, Figures(**{name: scale * amount for name, amount in amounts.items()}))


@given(published_terms(), st.floats(1e-3, 1e7), st.floats(0, 2500))
def test_dollars_scale_through_a_settlement(terms: Terms, scale: float, claims: float) -> None:
    once, scaled = settled(terms, claims=claims), settled(terms, scale, claims=claims)
    for line in once.lines:
        assert scaled[line.key] == pytest.approx(scale * line.after, rel=1e-9, abs=1e-9 * scale)


@given(published_terms(), st.floats(0, 2500), st.floats(0, 2500))
def test_a_costlier_year_is_never_paid_more(terms: Terms, one: float, other: float) -> None:
    low, high = sorted((one, other))
    cheap, dear = settled(terms, claims=low), settled(terms, claims=high)
    for key in ("gross_savings", "shared_savings", "shared_after_sequestration", "cash_due"):
        assert dear[key] <= cheap[key] + 1e-9


@given(published_terms(), st.floats(0, 2500), st.floats(0, 100))
def test_stop_loss_that_pays_what_it_charges_changes_nothing_at_full_run_out(
    terms: Terms, claims: float, amount: float
) -> None:
    without = settled(terms, claims=claims, stop_loss_payout=0.0, stop_loss_charge=0.0)
    with_it = settled(terms, claims=claims, stop_loss_payout=amount, stop_loss_charge=amount)
    assert with_it["gross_savings"] == pytest.approx(without["gross_savings"], abs=1e-9)


@given(published_terms(), st.floats(0, 2500), dollars)
def test_enhanced_capitation_is_owed_dollar_for_dollar_and_shared_savings_ignore_it(
    terms: Terms, claims: float, enhanced: float
) -> None:
    without = settled(terms, claims=claims, enhanced_capitation=0.0)
    with_it = settled(terms, claims=claims, enhanced_capitation=enhanced)
    assert with_it["shared_savings"] == without["shared_savings"]
    owed = float(without["cash_due"]) - float(with_it["cash_due"])
    assert owed == pytest.approx(enhanced, rel=1e-9, abs=1e-9)


@given(st.lists(st.floats(0, 2500), min_size=1, max_size=20), st.integers(0, 2**32))
def test_the_order_of_draws_is_kept(claims: list[float], seed: int) -> None:
    terms = Terms.from_rules(load_program("reach").rules(2023, "global"))
    order = np.random.default_rng(seed).permutation(len(claims))
    drawn = np.array(claims)
    straight = settle(terms, Figures(final_benchmark=1000.0, claims=drawn))["cash_due"]
    shuffled = settle(terms, Figures(final_benchmark=1000.0, claims=drawn[order]))["cash_due"]
    assert np.array_equal(shuffled, np.asarray(straight)[order])
