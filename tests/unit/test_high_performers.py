"""The High Performers Pool: who funds it, how it is divided, what one entity gets."""

from __future__ import annotations

import numpy as np
import pytest

from simdc.errors import InputError
from simdc.programs import load_program
from simdc.settlement.direct_contracting import Figures, Terms, settle
from simdc.settlement.high_performers import (
    bonus_share,
    distribute_pool,
    entity_bonus,
    pool_contribution,
)


def test_only_entities_that_met_ci_sep_fund_the_pool() -> None:
    benchmark = np.array([100e6, 100e6, 100e6])
    contributions = pool_contribution(
        benchmark, 0.02, np.array([0.8, 0.4, 1.0]), np.array([True, False, True])
    )
    # 2% of 100M, of which a score of 80% leaves a fifth; a missed CI/SEP leaves nothing here.
    np.testing.assert_allclose(contributions, [400e3, 0.0, 0.0], atol=1e-6)


# CMS public use file of 2023: the unearned withholds of the 64 entities that met CI/SEP come to
# about $47.4M; 24 of 132 entities received a bonus, with benchmarks of about $5.96bn together.
# CMS's total of net savings for the year, $948.4M, exceeds the entities' own settlements, $899.65M.
POOL_2023 = 47.4e6
RECIPIENTS_2023 = 5.96e9
PAID_BESIDE_SETTLEMENTS_2023 = 948.4e6 - 899.65e6


def test_pool_of_2023_is_about_the_bonus_that_cms_paid() -> None:
    assert pytest.approx(PAID_BESIDE_SETTLEMENTS_2023, rel=0.03) == POOL_2023
    assert bonus_share(POOL_2023, RECIPIENTS_2023) == pytest.approx(0.008, abs=0.0001)


def test_pool_of_2023_asks_for_contributors_that_can_have_existed() -> None:
    # Backwards from the published pool: at a withhold of 2% and the mean score of about 79% the
    # contributors' benchmarks come to some $11bn, part of the $29.3bn of all 132 entities.
    withhold = load_program("reach").rules(2023, "global").value("quality_withhold")
    contributors = POOL_2023 / float(pool_contribution(1.0, withhold, 0.79, 1.0))
    assert contributors == pytest.approx(64 / 132 * 29.3e9, rel=0.25)


def test_pool_is_in_force_from_the_third_year() -> None:
    for year in range(2021, 2027):
        program = load_program("gpdc" if year <= 2022 else "reach")
        in_force = program.rules(year, "global").value("high_performers_pool")
        assert in_force is (year >= 2023)


# --- division ---------------------------------------------------------------------------------


def test_pool_is_divided_by_benchmark_among_recipients() -> None:
    bonus = distribute_pool(90.0, np.array([1, 0, 1]), np.array([100.0, 500.0, 200.0]))
    np.testing.assert_allclose(bonus, [30.0, 0.0, 60.0])


def test_pool_without_a_recipient_stays_with_cms() -> None:
    bonus = distribute_pool(90.0, np.zeros(3), np.array([100.0, 500.0, 200.0]))
    np.testing.assert_array_equal(bonus, np.zeros(3))


def test_each_draw_divides_its_own_pool() -> None:
    rng = np.random.default_rng(2023)
    benchmark = rng.uniform(50e6, 900e6, size=(200, 24))
    met = rng.random((200, 24)) < 0.8
    pool = pool_contribution(benchmark, 0.02, rng.random((200, 24)), met).sum(axis=-1)
    recipient = rng.random((200, 24)) < 0.2
    bonus = distribute_pool(pool, recipient, benchmark)
    anyone = recipient.any(axis=-1)
    assert 0 < anyone.sum() < 200
    np.testing.assert_allclose(bonus.sum(axis=-1), np.where(anyone, pool, 0.0), rtol=1e-12)
    assert (bonus[~recipient] == 0).all()
    # By benchmark, every recipient of a draw gets the same share of its benchmark.
    for row in np.flatnonzero(anyone)[:20]:
        shares = (bonus[row] / benchmark[row])[recipient[row]]
        np.testing.assert_allclose(
            shares, bonus_share(pool[row], benchmark[row][recipient[row]].sum()), rtol=1e-12
        )


@pytest.mark.parametrize("together", [0.0, -1.0, float("nan")])
def test_recipients_need_a_benchmark(together: float) -> None:
    with pytest.raises(InputError, match="must come to more than 0"):
        bonus_share(1.0, together)


# --- one entity -------------------------------------------------------------------------------


def test_bonus_of_one_entity_is_paid_outside_the_corridors() -> None:
    terms = Terms.from_rules(load_program("reach").rules(2023, "global"))
    bonus = entity_bonus(100e6, np.array([0.0, 1.0]), 0.008)
    np.testing.assert_allclose(bonus, [0.0, 800e3])
    statement = settle(
        terms, Figures(final_benchmark=100e6, claims=130e6, high_performers_bonus=bonus)
    )
    # A loss of 30%: 25 at 100% and 5 at 50%, whatever the bonus.
    assert statement["shared_savings"] == pytest.approx(-27.5e6, rel=1e-12)
    np.testing.assert_allclose(statement["cash_due"], [-27.5e6, -26.7e6], rtol=1e-12)
