"""Guarantee sizing on draws whose answer can be counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simdc.errors import InputError
from simdc.estimate import UNSUPPORTED
from simdc.guarantee import LEVELS, STEPS, cover_by_step, size_guarantee


def ladder(draws: int = 1000) -> np.ndarray:
    """Half the draws gain, the others owe $1, $2, ... million, in no order."""
    owed = np.arange(1, draws // 2 + 1) * 1e6
    cash_due = np.concatenate([np.full(draws - owed.size, 7e6), -owed])
    return np.random.default_rng(5).permutation(cash_due)


def test_figures_of_the_ladder():
    found = size_guarantee(ladder(), ladder() + 100e6, 400e6)
    assert found.probability_owing.value == 0.5
    assert found.mean_owed.value == pytest.approx(sum(range(501)) / 1000 * 1e6)
    assert found.total_owed_exceeds.value == 0.1
    assert found.expected_shortfall.value == pytest.approx(sum(range(101)) / 1000 * 1e6)
    assert found.shortfall_when_exceeded.value == pytest.approx(50.5e6)
    assert {p: e.value for p, e in found.covering.items()} == {
        0.90: 400e6,
        0.95: 450e6,
        0.99: 490e6,
        0.995: 495e6,
    }
    assert found.mean_beyond[0.99].value == pytest.approx(495.5e6)


def test_shared_loss_and_total_owed_are_judged_apart():
    # Repaying $100 million of enhanced capitation makes total owed exceed what no loss does.
    shared = ladder()
    found = size_guarantee(shared - 100e6, shared, 450e6)
    assert found.probability_of_loss.value == 0.5
    assert found.probability_owing.value == 1.0
    assert found.shared_loss_exceeds.value == 0.05
    assert found.total_owed_exceeds.value == 0.15


@pytest.mark.parametrize(
    ("required", "exceeding"), [(399_999_999.99, 101), (400e6, 100), (400_000_000.01, 100)]
)
def test_owing_exactly_what_is_required_does_not_exceed_it(required, exceeding):
    found = size_guarantee(ladder(), ladder(), required)
    assert found.total_owed_exceeds.value == exceeding / 1000
    assert found.shared_loss_exceeds.value == exceeding / 1000


def test_without_a_required_amount_only_what_asks_for_it_is_missing():
    found = size_guarantee(ladder(), ladder(), None)
    for figure in (
        found.shared_loss_exceeds,
        found.total_owed_exceeds,
        found.expected_shortfall,
        found.shortfall_when_exceeded,
    ):
        assert figure is UNSUPPORTED
    assert found.covering[0.9].value == 400e6


def test_an_entity_that_never_owes():
    found = size_guarantee(np.full(1000, 2e6), np.full(1000, 2e6), 3e6)
    assert found.mean_owed == (0.0, 0.0, 0.0, 0.0)
    assert found.covering[0.995][:3] == (0.0, 0.0, 0.0)
    assert found.total_owed_exceeds.value == 0.0
    assert found.total_owed_exceeds.high == pytest.approx(1 - 0.025 ** (1 / 1000))
    assert found.expected_shortfall.value == 0.0
    assert math.isnan(found.expected_shortfall.high)
    assert found.shortfall_when_exceeded is UNSUPPORTED


def test_levels_that_the_draws_cannot_support_are_refused_with_their_number():
    found = size_guarantee(ladder(368), ladder(368), 1e6)
    assert math.isnan(found.covering[0.995].value)
    assert found.draws_needed[0.995] == 736
    assert not math.isnan(found.covering[0.99].value)
    assert found.draws_needed[0.99] == 368


def test_a_level_as_a_percentage_is_refused():
    with pytest.raises(InputError, match=r"99% is 0\.99"):
        size_guarantee(ladder(), ladder(), None, levels=(99.0,))


def test_the_draws_are_left_in_their_order():
    cash_due = ladder()
    before = cash_due.copy()
    size_guarantee(cash_due, cash_due, 1e6)
    np.testing.assert_array_equal(cash_due, before)


# Whole dollars, so that draws tie with each other and with the required amount.
cash = st.integers(0, 2**32).map(
    lambda seed: np.random.default_rng(seed).integers(-10_000, 10_000, size=736).astype(float)
)


@given(cash, st.integers(0, 10_000))
def test_more_confidence_costs_more_and_more_required_fails_less(cash_due, required):
    found = size_guarantee(cash_due, cash_due, float(required))
    amounts = [found.covering[p].value for p in LEVELS]
    assert amounts == sorted(amounts)
    more = size_guarantee(cash_due, cash_due, required + 100.0)
    assert more.total_owed_exceeds.value <= found.total_owed_exceeds.value
    assert more.expected_shortfall.value <= found.expected_shortfall.value


@given(cash)
def test_the_covering_amount_is_exceeded_as_seldom_as_it_says(cash_due):
    for level, covering in size_guarantee(cash_due, cash_due, None).covering.items():
        assert np.mean(-cash_due > covering.value) <= 1 - level


class TestProvisionalSettlement:
    def covering(self, before, provisional):
        found = cover_by_step(before - provisional, provisional, levels=(0.9,))
        return {step: found[step][0.9].value for step in STEPS}

    def test_losses_collected_early_need_no_longer_be_guaranteed(self):
        # Of $1 to 500 million owed, 60% are collected at the provisional settlement.
        before = np.minimum(ladder(), 0.0)
        assert self.covering(before, 0.6 * before) == pytest.approx(
            {"without": 400e6, "at_provisional": 240e6, "until_final": 160e6}
        )

    def test_savings_paid_too_early_are_owed_again(self):
        # Nothing is owed for the year as a whole, and all that was paid provisionally goes back.
        paid = np.maximum(-ladder(), 0.0)
        assert self.covering(np.zeros(1000), paid) == pytest.approx(
            {"without": 0.0, "at_provisional": 0.0, "until_final": 400e6}
        )

    def test_what_is_owed_until_the_final_one_is_what_the_guarantee_covers(self):
        cash_due, provisional = ladder(), np.roll(ladder(), 7)
        steps = cover_by_step(cash_due, provisional)
        sized = size_guarantee(cash_due, cash_due, None)
        for level in LEVELS:
            assert steps["until_final"][level] == pytest.approx(sized.covering[level])

    def test_levels_that_the_draws_cannot_support_are_refused(self):
        found = cover_by_step(ladder(100), ladder(100))
        assert found["without"][0.99] is UNSUPPORTED
