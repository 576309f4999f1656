"""The Shared Savings benchmark: its steps, its limits, and how it differs by entity and year."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simdc.benchmark.shared_savings import (
    STRATA,
    Figures,
    Stratum,
    Terms,
    blend_growth,
    build,
    limit_risk_growth,
    negative_offset,
    regional_weight,
)
from simdc.programs import load_program


def terms(year: int = 2022) -> Terms:
    return Terms.from_rules(load_program("mssp").rules(year, "enhanced"))


def stratum(name: str = "aged_non_dual", **changes: Any) -> Stratum:
    figures: dict[str, Any] = {
        "name": name,
        "base_person_years": 1_000.0,
        "person_years": 1_000.0,
        "per_capita": (10_000.0, 10_000.0, 10_000.0),
        "risk_scores": (1.0, 1.0, 1.0),
        "risk_score": 1.0,
        "national_trend": (1.0, 1.0),
        "regional_trend": (1.0, 1.0),
        "national_growth": 1.0,
        "regional_growth": 1.0,
        "regional_per_capita": 10_000.0,
        "national_per_capita": 10_000.0,
    }
    return Stratum(**(figures | changes))


def benchmark(year: int = 2022, strata: tuple[Stratum, ...] | None = None, **facts: Any) -> Any:
    return build(terms(year), Figures(strata=strata or (stratum(),), **facts))


# --- steps ------------------------------------------------------------------------------------


def test_the_nation_weighs_as_much_as_the_entity_in_its_region() -> None:
    assert blend_growth(1.10, 1.04, 0.25) == pytest.approx(1.055)


# First, second, third, fourth and fifth agreement with a regional adjustment.
@pytest.mark.parametrize(
    ("difference", "weights"),
    [(1.0, [0.35, 0.5, 0.5, 0.5, 0.5]), (-1.0, [0.15, 0.25, 0.35, 0.5, 0.5])],
)
def test_share_of_the_difference_grows_with_exposure(
    difference: float, weights: list[float]
) -> None:
    assert [regional_weight(difference, terms(), nth) for nth in range(1, 6)] == weights


def test_share_of_the_difference_per_draw() -> None:
    shares = regional_weight(np.array([-1.0, 1.0]), terms(), 1)
    assert list(shares) == [0.15, 0.35]


def test_base_years_are_brought_to_prices_and_risk_of_the_third() -> None:
    one = stratum(
        per_capita=(9_000.0, 9_500.0, 10_000.0),
        risk_scores=(0.9, 0.95, 1.0),
        national_trend=(1.10, 1.05),
        regional_trend=(1.06, 1.03),
    )
    statement = benchmark(strata=(one,), national_weight=0.5)
    assert statement["aged_non_dual_b1"] == pytest.approx(9_000 * 1.08 / 0.9)
    assert statement["aged_non_dual_b2"] == pytest.approx(9_500 * 1.04 / 0.95)
    expected = 0.1 * 10_800 + 0.3 * 10_400 + 0.6 * 10_000
    assert statement["aged_non_dual_history"] == pytest.approx(expected)


# 10/30/60 in a first agreement, a third each later (Milliman, December 2020).
@pytest.mark.parametrize(("agreement", "history"), [(1, 11_500.0), (2, 11_000.0), (3, 11_000.0)])
def test_base_year_weights(agreement: int, history: float) -> None:
    one = stratum(per_capita=(10_000.0, 11_000.0, 12_000.0))
    statement = benchmark(strata=(one,), agreement_period=agreement)
    assert statement["aged_non_dual_history"] == pytest.approx(history)


def test_types_are_weighted_by_person_years_of_their_own_year() -> None:
    cheap = stratum("aged_non_dual", base_person_years=900.0, person_years=500.0)
    dear = stratum(
        "esrd",
        base_person_years=100.0,
        person_years=500.0,
        per_capita=(80_000.0,) * 3,
        regional_per_capita=80_000.0,
        national_per_capita=80_000.0,
    )
    statement = benchmark(strata=(cheap, dear))
    assert statement["historical_benchmark"] == pytest.approx(17_000.0)
    assert statement["updated_benchmark"] == pytest.approx(45_000.0)
    assert statement["benchmark"] == pytest.approx(45_000.0 * 1_000.0)


# Region 10% dearer with a first weight of 35% adds 3.5%; the limits are 5% of national spending.
@pytest.mark.parametrize(
    ("region", "adjustment"),
    [
        (11_000.0, 350.0),
        (10_000.0 + 500 / 0.35 - 1, 500 - 0.35),
        (10_000.0 + 500 / 0.35, 500.0),
        (10_000.0 + 500 / 0.35 + 1, 500.0),
        (9_000.0, -150.0),
        (10_000.0 - 500 / 0.15 + 1, -500 + 0.15),
        (10_000.0 - 500 / 0.15 - 1, -500.0),
        (1_000.0, -500.0),
    ],
)
def test_regional_adjustment_and_its_limits(region: float, adjustment: float) -> None:
    statement = benchmark(strata=(stratum(regional_per_capita=region),))
    assert statement["regional_adjustment"] == pytest.approx(adjustment)
    assert statement["historical_benchmark"] == pytest.approx(10_000 + adjustment)


def test_loss_by_the_region_is_limited_to_a_point_and_a_half_from_2024() -> None:
    far = (stratum(regional_per_capita=1_000.0),)
    assert benchmark(2023, far)["regional_adjustment"] == pytest.approx(-500.0)
    assert benchmark(2024, far)["regional_adjustment"] == pytest.approx(-150.0)
    scaled = benchmark(2024, far, dual_share=0.2, mean_risk_score=1.1)
    assert scaled["regional_adjustment"] == pytest.approx(-150.0 * 0.7)


@pytest.mark.parametrize(
    ("dual", "score", "kept"), [(0.0, 1.0, 1.0), (0.2, 1.1, 0.7), (0.9, 1.5, 0.0), (0.0, 0.8, 1.0)]
)
def test_negative_offset(dual: float, score: float, kept: float) -> None:
    assert negative_offset(dual, score) == pytest.approx(kept)


# Half of prior savings, where that is more than the regional adjustment, at most 5%.
@pytest.mark.parametrize(
    ("year", "prior", "region", "historical"),
    [
        (2022, 600.0, 10_000.0, 10_000.0),
        (2024, 600.0, 10_000.0, 10_300.0),
        (2024, 600.0, 11_000.0, 10_350.0),
        (2024, 800.0, 11_000.0, 10_400.0),
        (2024, 5_000.0, 10_000.0, 10_500.0),
        (2024, 600.0, 9_000.0, 10_300.0),
        (2024, 0.0, 9_000.0, 9_850.0),
    ],
)
def test_prior_savings(year: int, prior: float, region: float, historical: float) -> None:
    statement = benchmark(year, (stratum(regional_per_capita=region),), prior_savings=prior)
    assert statement["historical_benchmark"] == pytest.approx(historical)


# --- update -----------------------------------------------------------------------------------


def test_update_blends_three_ways_from_2024() -> None:
    one = (stratum(national_growth=1.06, regional_growth=1.12, prospective_growth=1.03),)
    two_way = 0.5 * 1.06 + 0.5 * 1.12
    before = benchmark(2023, one, national_weight=0.5)
    after = benchmark(2024, one, national_weight=0.5)
    assert before["updated_benchmark"] == pytest.approx(10_000 * two_way)
    assert after["updated_benchmark"] == pytest.approx(10_000 * (1.03 / 3 + two_way * 2 / 3))


@pytest.mark.parametrize(
    ("growth", "capped"), [(1.029, 1.029), (1.03, 1.03), (1.031, 1.03), (0.5, 0.5)]
)
def test_risk_growth_is_capped_upwards_only(growth: float, capped: float) -> None:
    assert limit_risk_growth(growth, 1.03, None) == capped


def test_from_2024_the_cap_looks_at_all_types_first() -> None:
    rising = stratum("disabled", risk_score=1.10)
    still = stratum("aged_non_dual", risk_score=0.98)
    each = benchmark(2023, (rising, still))
    together = benchmark(2024, (rising, still))
    assert each["disabled_risk_growth"] == pytest.approx(1.03)
    assert together["disabled_risk_growth"] == pytest.approx(1.03)  # 4% over both
    older = benchmark(2024, (rising, still), demographic_growth=1.02)
    assert older["disabled_risk_growth"] == pytest.approx(1.10)  # 4% is within 2% and 3 points


# 42 CFR 425.605(a)(1)(ii): at most the growth of demographic scores plus three percentage points.
@pytest.mark.parametrize(("growth", "capped"), [(1.05, 1.05), (1.051, 1.05), (1.2, 1.05)])
def test_from_2024_the_cap_moves_with_demographic_scores(growth: float, capped: float) -> None:
    one = benchmark(2024, (stratum(risk_score=growth),), demographic_growth=1.02)
    assert one["aged_non_dual_risk_growth"] == pytest.approx(capped)
    assert benchmark(2023, (stratum(risk_score=growth),), demographic_growth=1.02)[
        "aged_non_dual_risk_growth"
    ] == pytest.approx(1.03)


def test_from_2024_types_count_by_their_dollars_in_the_cap() -> None:
    # 10% growth of a tenth of the people: 1% by person-years, 4.7% by 80,000 x 100 : 10,000 x 900.
    dear = stratum(
        "esrd",
        person_years=100.0,
        per_capita=(80_000.0,) * 3,
        regional_per_capita=80_000.0,
        national_per_capita=80_000.0,
        risk_score=1.10,
    )
    statement = benchmark(2024, (dear, stratum(person_years=900.0)))
    assert statement["esrd_risk_growth"] == pytest.approx(1.03)


def test_nan_reaches_the_benchmark() -> None:
    assert math.isnan(benchmark(strata=(stratum(risk_score=math.nan),))["benchmark"])


# --- properties -------------------------------------------------------------------------------


@given(
    region=st.floats(1_000.0, 50_000.0),
    exposure=st.integers(1, 6),
    year=st.sampled_from([2019, 2022, 2024, 2026]),
)
def test_adjustment_moves_towards_the_region_within_limits(
    region: float, exposure: int, year: int
) -> None:
    rules = terms(year)
    statement = benchmark(year, (stratum(regional_per_capita=region),), regional_exposure=exposure)
    moved = statement["historical_benchmark"] - 10_000.0
    low, high = sorted((0.0, region - 10_000.0))
    assert low - 1e-6 <= moved <= high + 1e-6
    assert moved <= rules.regional_adjustment_ceiling * 10_000.0 + 1e-6
    assert moved >= -rules.regional_adjustment_floor * 10_000.0 - 1e-6


@given(factor=st.floats(0.1, 10.0))
def test_benchmark_scales_with_dollars(factor: float) -> None:
    one = stratum(regional_per_capita=10_600.0)
    scaled = replace(
        one,
        per_capita=tuple(cost * factor for cost in one.per_capita),
        regional_per_capita=one.regional_per_capita * factor,
        national_per_capita=one.national_per_capita * factor,
    )
    once, more = benchmark(strata=(one,)), benchmark(strata=(scaled,))
    assert more["benchmark"] == pytest.approx(once["benchmark"] * factor)


def test_strata_are_the_four_of_the_regulation() -> None:
    # 42 CFR 425.601(a)(2).
    assert set(STRATA) == {"esrd", "disabled", "aged_dual", "aged_non_dual"}
