"""Estimates against closed forms, published sample sizes and the binomial law behind the limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import binom, norm

from simdc.errors import InputError, SimdcError
from simdc.estimate import (
    UnsupportedEstimate,
    draws_needed,
    expected_excess,
    mean,
    mean_excess,
    moments,
    probability,
    quantile,
    standard_deviation,
    tail_mean,
)

ESTIMATORS = {
    "quantile": lambda sample: quantile(sample, 0.5),
    "mean": mean,
    "standard_deviation": standard_deviation,
    "tail_mean": lambda sample: tail_mean(sample, 0.5),
    "expected_excess": lambda sample: expected_excess(sample, 0.0),
    "mean_excess": lambda sample: mean_excess(sample, 0.0),
}
over_estimators = pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS.keys())


class TestDrawsNeeded:
    @pytest.mark.parametrize(
        ("p", "confidence", "draws"),
        [
            # Wilks (1941): 59 and 299 draws bound the 95% and 99% quantile with 95% confidence on
            # one side, which is 90% between two limits.
            (0.95, 0.90, 59),
            (0.99, 0.90, 299),
        ],
    )
    def test_sample_sizes_of_wilks(self, p, confidence, draws):
        assert draws_needed(p, confidence) == draws

    @given(st.floats(0.001, 0.999), st.floats(0.5, 0.999))
    def test_is_the_fewest_that_leave_little_enough_outside(self, p, confidence):
        outside = (1 - confidence) / 2
        n = draws_needed(p, confidence)
        hardest = max(p, 1 - p)
        assert hardest**n <= outside * (1 + 1e-9)
        assert hardest ** (n - 1) > outside * (1 - 1e-9)

    @pytest.mark.parametrize("p", [0.0, 1.0, -0.1, 99.0, math.nan, math.inf])
    def test_refuses_a_level_that_is_no_fraction(self, p):
        with pytest.raises(InputError, match=r"between 0 and 1, written as a fraction"):
            draws_needed(p)


class TestQuantile:
    @pytest.mark.parametrize(("p", "expected"), [(0.07, 7), (0.5, 50), (0.90, 90), (0.9001, 91)])
    def test_is_the_smallest_draw_that_reaches_the_share(self, p, expected):
        sample = np.random.default_rng(1).permutation(np.arange(1.0, 101.0))
        assert quantile(sample, p).value == expected

    @given(st.floats(0.02, 0.98), st.integers(200, 5000))
    def test_limits_hold_the_quantile_with_the_confidence_asked_and_no_wider(self, p, n):
        # Draws 1..n: a limit is its own rank. Draw r lies above the quantile when fewer than r
        # draws fall at or below it, a binomial count.
        _, low, high, _ = quantile(np.arange(1.0, n + 1), p)
        assert binom.cdf(low - 1, n, p) <= 0.025
        assert binom.cdf(low, n, p) > 0.025
        assert binom.sf(high - 1, n, p) <= 0.025
        assert binom.sf(high - 2, n, p) > 0.025

    def test_standard_error_is_that_of_the_normal_law(self):
        # At the median of n normal draws: sqrt(pi / 2 n). Midpoints stand for draws.
        n = 100_000
        found = quantile(ndtri((np.arange(n) + 0.5) / n), 0.5)
        assert found.value == pytest.approx(0.0, abs=1e-4)
        assert found.standard_error == pytest.approx(math.sqrt(math.pi / 2 / n), rel=0.01)

    @pytest.mark.parametrize(("p", "needed"), [(0.9, 36), (0.995, 736)])
    def test_refused_one_draw_short_and_given_at_the_number_named(self, p, needed):
        sample = np.arange(float(needed))
        assert quantile(sample, p).high == needed - 1
        with pytest.raises(
            UnsupportedEstimate, match=f"it takes {needed} draws or more"
        ) as refusal:
            quantile(sample[:-1], p)
        assert refusal.value.needed == needed
        assert refusal.value.draws == needed - 1

    def test_an_atom_is_answered_by_itself(self):
        sample = np.concatenate([np.zeros(950), np.arange(1.0, 51.0)])
        assert quantile(sample, 0.95).value == 0.0
        assert quantile(sample, 0.951).value == 1.0
        assert quantile(sample, 0.5)[:3] == (0.0, 0.0, 0.0)

    def test_sorted_draws_give_the_same(self):
        sample = np.random.default_rng(2).normal(size=1000)
        assert quantile(np.sort(sample), 0.9, is_sorted=True) == quantile(sample, 0.9)

    def test_leaves_the_draws_as_they_are(self):
        sample = np.random.default_rng(3).normal(size=1000)
        before = sample.copy()
        quantile(sample, 0.9)
        np.testing.assert_array_equal(sample, before)


class TestMeanAndStandardDeviation:
    def test_mean_of_thirty(self):
        # Student's t with 29 degrees of freedom: 2.0452 at 97.5%.
        value, low, high, error = mean([1.0, 2.0, 3.0, 4.0, 5.0] * 6)
        assert value == 3.0
        assert error == pytest.approx(math.sqrt(60 / 29 / 30))
        assert high - value == pytest.approx(2.0452 * error, rel=1e-4)
        assert value - low == pytest.approx(high - value)

    def test_standard_deviation_of_a_normal_law_has_error_sigma_over_root_2n(self):
        n = 20_000
        found = standard_deviation(10.0 + 3.0 * ndtri((np.arange(n) + 0.5) / n))
        assert found.value == pytest.approx(3.0, rel=1e-3)
        assert found.standard_error == pytest.approx(3.0 / math.sqrt(2 * n), rel=0.01)

    def test_of_a_constant_is_zero_without_error(self):
        assert standard_deviation(np.full(30, -4.0)) == (0.0, 0.0, 0.0, 0.0)

    @pytest.mark.parametrize(
        "estimator", [mean, standard_deviation, lambda sample: expected_excess(sample, 0.0)]
    )
    @pytest.mark.parametrize("draws", [1, 2, 29])
    def test_a_handful_of_draws_has_no_error_to_speak_of(self, estimator, draws):
        estimator(np.arange(30.0))
        with pytest.raises(UnsupportedEstimate, match=r"cannot support .* it takes 30 draws"):
            estimator(np.arange(float(draws)))


class TestProbability:
    @pytest.mark.parametrize(
        ("count", "n", "low", "high"),
        [
            (5, 10, 0.1871, 0.8129),  # tables of Clopper and Pearson
            (0, 100, 0.0, 1 - 0.025 ** (1 / 100)),
            (100, 100, 0.025 ** (1 / 100), 1.0),
        ],
    )
    def test_limits(self, count, n, low, high):
        found = probability(count, n)
        assert found.value == count / n
        assert found.low == pytest.approx(low, abs=5e-5)
        assert found.high == pytest.approx(high, abs=5e-5)

    @given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_limits_are_where_the_count_becomes_unlikely(self, case):
        count, n = case
        found = probability(count, n)
        assert 0.0 <= found.low <= found.value <= found.high <= 1.0
        if count > 0:
            assert binom.sf(count - 1, n, found.low) == pytest.approx(0.025, rel=1e-6)
        if count < n:
            assert binom.cdf(count, n, found.high) == pytest.approx(0.025, rel=1e-6)

    def test_standard_error_is_binomial(self):
        assert probability(20, 100).standard_error == pytest.approx(0.04)

    def test_without_draws(self):
        with pytest.raises(UnsupportedEstimate):
            probability(0, 0)

    @pytest.mark.parametrize("count", [-1, 11])
    def test_a_count_outside_the_draws_is_a_bug(self, count):
        with pytest.raises(ValueError, match="of 10 draws"):
            probability(count, 10)


class TestTail:
    def test_average_of_the_largest_hundredth(self):
        assert tail_mean(np.arange(1.0, 1001.0), 0.99).value == pytest.approx(995.5)

    def test_only_the_part_of_an_atom_that_fills_the_tail_counts(self):
        # The largest tenth: 50 draws of 8 and 50 of the 900 zeros.
        sample = np.concatenate([np.zeros(950), np.full(50, 8.0)])
        assert tail_mean(sample, 0.90).value == pytest.approx(4.0)

    def test_an_atom_that_fills_the_tail_is_its_mean(self):
        sample = np.concatenate([np.arange(100.0), np.full(100, 250.0)])
        assert tail_mean(sample, 0.9) == (250.0, 250.0, 250.0, 0.0)

    def test_of_a_normal_law(self):
        n = 200_000
        found = tail_mean(ndtri((np.arange(n) + 0.5) / n), 0.95)
        assert found.value == pytest.approx(norm.pdf(norm.ppf(0.95)) / 0.05, rel=1e-3)

    def test_error_is_the_spread_between_independent_runs(self):
        # 400 runs: the spread itself is known to 1 / sqrt(800); four times that fails a right
        # error once in 16,000 seeds.
        generator = np.random.default_rng(11)
        runs = [tail_mean(generator.normal(size=2000), 0.95) for _ in range(400)]
        spread = np.std([run.value for run in runs], ddof=1)
        told = np.mean([run.standard_error for run in runs])
        assert told == pytest.approx(spread, rel=4 / math.sqrt(800))

    def test_refused_with_fewer_than_ten_draws_in_the_tail(self):
        sample = np.arange(2000.0)
        assert tail_mean(sample, 0.995).value == pytest.approx(1994.5)
        with pytest.raises(UnsupportedEstimate, match="it takes 2,000 draws or more"):
            tail_mean(sample[:-1], 0.995)


class TestExcess:
    SAMPLE = (-5.0, 0.0, 1.0, 2.0, 4.0) * 6

    def test_expected_over_all_draws(self):
        found = expected_excess(self.SAMPLE, 1.0)
        assert found.value == pytest.approx((1 + 3) / 5)
        spread = np.std([0, 0, 0, 1, 3] * 6, ddof=1)
        assert found.standard_error == pytest.approx(spread / math.sqrt(30))

    def test_expected_is_never_below_zero(self):
        assert expected_excess([0.0] * 29 + [1.0], 0.0).low == 0.0

    def test_mean_over_the_draws_beyond(self):
        assert mean_excess(self.SAMPLE, 1.0).value == pytest.approx((1 + 3) / 2)

    def test_a_draw_at_the_threshold_exceeds_nothing(self):
        assert mean_excess([1.0, 2.0, 4.0] * 5, 1.0).value == pytest.approx(2.0)
        assert expected_excess(np.ones(30), 1.0).value == 0.0

    def test_without_excess_the_value_is_zero_and_the_upper_limit_unknown(self):
        found = expected_excess(self.SAMPLE, 4.0)
        assert (found.value, found.low) == (0.0, 0.0)
        assert math.isnan(found.high)
        assert math.isnan(found.standard_error)

    def test_mean_of_fewer_than_ten_excesses_is_refused(self):
        assert mean_excess([*range(10), -1.0], -0.5).value == pytest.approx(5.0)
        with pytest.raises(UnsupportedEstimate, match="average excess over 0"):
            mean_excess(range(10), 0.0)


class TestBadDraws:
    @over_estimators
    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    def test_what_is_not_finite_is_told(self, estimator, bad):
        with pytest.raises(SimdcError, match="1 of 100 draws are not finite"):
            estimator([bad, *range(99)])

    @over_estimators
    def test_no_draws_support_nothing(self, estimator):
        with pytest.raises(UnsupportedEstimate, match="0 draws cannot support"):
            estimator([])

    @over_estimators
    def test_a_table_is_no_sample(self, estimator):
        with pytest.raises(ValueError, match="one dimension"):
            estimator(np.zeros((50, 2)))


@given(st.integers(0, 2**32), st.floats(-1e6, 1e6), st.floats(0.1, 1e6))
def test_estimates_move_and_scale_with_the_draws(seed, shift, scale):
    draws = np.random.default_rng(seed).standard_t(3, size=200)
    for estimator in (ESTIMATORS["quantile"], ESTIMATORS["tail_mean"], mean):
        before, after = estimator(draws), estimator(shift + scale * draws)
        tolerance = 1e-9 * (abs(shift) + scale)
        for old, new in zip(before[:3], after[:3], strict=True):
            assert new == pytest.approx(shift + scale * old, rel=1e-9, abs=tolerance)
        assert after.standard_error == pytest.approx(scale * before.standard_error, rel=1e-6)
        assert after.low <= after.value <= after.high


@given(st.integers(30, 400), st.integers(0, 2**32), st.floats(-1e9, 1e9), st.floats(1e-3, 1e9))
def test_moments_are_the_mean_and_the_deviation_of_numpy(n, seed, location, scale):
    values = location + scale * np.random.default_rng(seed).normal(size=n)
    centre, deviation = moments(values)
    assert (centre, deviation) == (mean(values), standard_deviation(values))
    assert (centre.value, deviation.value) == (values.mean(), values.std(ddof=1))
    assert centre.standard_error == values.std(ddof=1) / math.sqrt(n)


def test_moments_need_draws():
    with pytest.raises(UnsupportedEstimate):
        moments(np.arange(29.0))
