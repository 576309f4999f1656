"""The benchmark chain: a worked example, its limits from both sides, and who gets what by year."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simdc.benchmark import risk
from simdc.benchmark.construction import (
    BaseYear,
    Cell,
    Terms,
    blend,
    build,
    limit_adjustment,
    standardize,
    weigh,
)
from simdc.programs import load_program

CENT = 0.005


def terms(program: str = "gpdc", year: int = 2022, entity_type: str = "standard") -> Terms:
    return Terms.from_rules(load_program(program).rules(year, "global", entity_type))


# Base years of the worked example, whose arithmetic can be followed on paper.
WORKED = (
    BaseYear(year=2017, pbpm=900, uspcc_trend=1.24, geographic_trend=1.010, risk_score=1.02),
    BaseYear(year=2018, pbpm=930, uspcc_trend=1.18, geographic_trend=1.005, risk_score=1.03),
    BaseYear(year=2019, pbpm=965, uspcc_trend=1.12, geographic_trend=1.000, risk_score=1.04),
)


def worked(**changes: Any) -> Cell:
    group = risk.Group(
        alignment="claims",
        months=60_000,
        raw_score=1.17,
        normalization_factor=1.04,
        reference_score=1.06,
        coding_factor=0.992,
    )
    cell = Cell(
        category="A&D",
        alignment="claims",
        months=60_000,
        regional_rate=1_120.0,
        uspcc=1_090.0,
        groups=(group,),
        base_years=WORKED,
    )
    return replace(cell, **changes)


def test_worked_example_line_by_line() -> None:
    statement = build(terms(), worked())
    expected = {
        "2017_standardized": 1_105.06,
        "2018_standardized": 1_070.76,
        "2019_standardized": 1_039.23,
        "history": 1_055.27,
        "region": 1_120.00,
        "regional_adjustment": 22.65,
        "adjustment_ceiling": 54.50,
        "adjustment_floor": -21.80,
        "limited_adjustment": 22.65,
        "blended": 1_077.93,
        "risk_adjusted": 1_167.47,
    }
    for key, amount in expected.items():
        assert statement[key] == pytest.approx(amount, abs=CENT), key
    scores = {"normalized_score": 1.125, "capped_score": 1.0918, "score": 1.0831}
    for key, score in scores.items():
        assert statement[key] == pytest.approx(score, abs=5e-5), key
    assert statement["benchmark"] == pytest.approx(statement["risk_adjusted"] * 60_000)


def test_steps_between_the_base_years_are_kept() -> None:
    statement = build(terms(), worked())
    assert statement["2017_trended"] == pytest.approx(900 * 1.24)
    assert statement["2017_geographic"] == pytest.approx(900 * 1.24 * 1.01)
    assert {"history_weight_claims", "regional_ceiling", "risk_cap"} <= set(statement.rules)


# Limits are flat dollars of adjusted USPCC, 5% up and 2% down: with 1,000 dollars, +50 and -20.
@pytest.mark.parametrize(
    ("adjustment", "limited"),
    [
        (49.99, 49.99),
        (50.0, 50.0),
        (50.01, 50.0),
        (1e9, 50.0),
        (-19.99, -19.99),
        (-20.0, -20.0),
        (-20.01, -20.0),
        (-math.inf, -20.0),
        (0.0, 0.0),
    ],
)
def test_limits_from_both_sides(adjustment: float, limited: float) -> None:
    assert limit_adjustment(adjustment, 1_000.0, 0.05, 0.02) == pytest.approx(limited)


def test_limit_keeps_nan_and_works_on_draws() -> None:
    assert math.isnan(limit_adjustment(math.nan, 1_000.0, 0.05, 0.02))
    many = limit_adjustment(np.array([60.0, -60.0]), np.array([1_000.0, 2_000.0]), 0.05, 0.02)
    assert many.tolist() == [50.0, -40.0]


# CMS's 2025 notice: 3% up for Standard entities, whose floor stays; 5% before.
@pytest.mark.parametrize(("year", "ceiling"), [(2024, 0.05), (2025, 0.03), (2026, 0.03)])
def test_ceiling_of_a_standard_entity_is_lower_from_2025(year: int, ceiling: float) -> None:
    cell = worked(regional_rate=10_000.0)
    statement = build(terms("reach", year), cell)
    assert statement["limited_adjustment"] == pytest.approx(ceiling * 1_090.0)
    assert build(terms("reach", year), worked(regional_rate=1.0))[
        "limited_adjustment"
    ] == pytest.approx(-0.02 * 1_090.0)


def test_region_alone_is_not_limited() -> None:
    statement = build(terms(entity_type="new_entrant"), worked(regional_rate=5_000.0))
    assert statement["blended"] == 5_000.0
    assert "history" not in statement
    assert "limited_adjustment" not in statement


# Weight of history for beneficiaries aligned by claims and voluntarily, and the last base year of
# each. Standard entities: Milliman, December 2020, figure 1; CMS's notices for 2025 and 2026. The
# others have the region alone to 2024.
BY_TYPE_AND_YEAR = [
    ("gpdc", 2021, "standard", 0.65, 0.0, 2019, None),
    ("gpdc", 2022, "standard", 0.65, 0.0, 2019, None),
    ("reach", 2023, "standard", 0.60, 0.0, 2019, None),
    ("reach", 2024, "standard", 0.55, 0.0, 2019, None),
    ("reach", 2025, "standard", 0.55, 0.55, 2019, 2023),
    ("reach", 2026, "standard", 0.60, 0.60, 2019, 2024),
    ("gpdc", 2022, "new_entrant", 0.0, 0.0, None, None),
    ("reach", 2024, "new_entrant", 0.0, 0.0, None, None),
    ("reach", 2025, "new_entrant", 0.50, 0.50, 2023, 2023),
    ("reach", 2026, "new_entrant", 0.55, 0.55, 2024, 2024),
    ("gpdc", 2021, "high_needs", 0.0, 0.0, None, None),
    ("reach", 2024, "high_needs", 0.0, 0.0, None, None),
    ("reach", 2025, "high_needs", 0.50, 0.50, 2023, 2023),
    ("reach", 2026, "high_needs", 0.55, 0.55, 2024, 2024),
    ("gpdc-2020", 2023, "standard", 0.65, 0.0, 2019, None),
    ("gpdc-2020", 2024, "standard", 0.60, 0.0, 2019, None),
    ("gpdc-2020", 2025, "standard", 0.55, 0.55, 2019, 2023),
    ("gpdc-2020", 2026, "standard", 0.50, 0.50, 2019, 2024),
]


@pytest.mark.parametrize(
    ("program", "year", "entity_type", "by_claims", "voluntary", "last_claims", "last_voluntary"),
    BY_TYPE_AND_YEAR,
)
def test_who_gets_history(
    program: str,
    year: int,
    entity_type: str,
    by_claims: float,
    voluntary: float,
    last_claims: int | None,
    last_voluntary: int | None,
) -> None:
    chain = terms(program, year, entity_type)
    assert chain.history_weight == {"claims": by_claims, "voluntary": voluntary}
    last = {way: years[-1] if years else None for way, years in chain.base_years.items()}
    assert last == {"claims": last_claims, "voluntary": last_voluntary}


@pytest.mark.parametrize("name", ["gpdc", "gpdc-2020", "reach"])
def test_history_has_base_years_exactly_where_it_has_weight(name: str) -> None:
    program = load_program(name)
    for year in program.years:
        for kind in program.entity_types:
            chain = Terms.from_rules(program.rules(year, "global", kind))
            for way, years in chain.base_years.items():
                assert bool(years) == chain.has_history(way)
                assert len(years) in (0, len(chain.base_year_weights))
                assert all(base < year for base in years)


@pytest.mark.parametrize("year", range(2021, 2027))
def test_announced_rate_book_years_roll(year: int) -> None:
    # CMS finance FAQ, October 2020, Q16.
    assert terms("gpdc-2020", year).rate_book_years == (year - 4, year - 3, year - 2)


# --- properties -------------------------------------------------------------------------------

money = st.floats(100.0, 10_000.0)
share = st.floats(0.0, 1.0)


@given(history=money, region=money, weight=st.floats(0.01, 1.0), uspcc=money)
def test_blend_lies_between_history_and_region_and_within_limits(
    history: float, region: float, weight: float, uspcc: float
) -> None:
    blended = blend(history, region, weight, uspcc, ceiling=0.05, floor=0.02)
    low, high = sorted((history, region))
    assert low - 1e-6 <= blended <= high + 1e-6
    assert -0.02 * uspcc - 1e-6 <= blended - history <= 0.05 * uspcc + 1e-6


@given(history=money, weight=share, uspcc=money)
def test_an_entity_like_its_region_is_left_alone(
    history: float, weight: float, uspcc: float
) -> None:
    assert blend(history, history, weight, uspcc, ceiling=0.05, floor=0.02) == history


@given(factor=st.floats(0.1, 10.0))
def test_chain_scales_with_dollars(factor: float) -> None:
    cell = worked()
    scaled = replace(
        cell,
        regional_rate=cell.regional_rate * factor,
        uspcc=cell.uspcc * factor,
        base_years=tuple(replace(base, pbpm=base.pbpm * factor) for base in cell.base_years),
    )
    before, after = build(terms(), cell)["benchmark"], build(terms(), scaled)["benchmark"]
    assert after == pytest.approx(before * factor)


@given(factor=st.floats(0.5, 2.0))
def test_cost_trend_and_geography_count_alike(factor: float) -> None:
    base = WORKED[0]
    standardized = [
        standardize(replace(base, **{name: getattr(base, name) * factor}))
        for name in ("pbpm", "uspcc_trend", "geographic_trend")
    ]
    assert standardized == pytest.approx([standardize(base) * factor] * 3)


def test_weights_must_fit_the_years() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        weigh([1.0, 2.0], (0.1, 0.3, 0.6))
