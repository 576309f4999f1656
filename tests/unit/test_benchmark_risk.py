"""Risk scores: the cap from both sides, whom it holds for by year, and the atoms it leaves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simdc.benchmark.risk import (
    Group,
    ScoreModel,
    Terms,
    benchmark_score,
    cap_band,
    coding_factor,
    limit_coding_factor,
    limit_growth,
    mean_score,
    normalize,
    uncapped_because,
    within_band,
)
from simdc.programs import load_program
from simdc.settlement.statement import Ledger


def terms(program: str, year: int, entity_type: str = "standard") -> Terms:
    return Terms.from_rules(load_program(program).rules(year, "global", entity_type))


def group(**changes: Any) -> Group:
    figures: dict[str, Any] = {
        "alignment": "claims",
        "months": 1_000.0,
        "raw_score": 1.0,
        "reference_score": 1.0,
    }
    return Group(**(figures | changes))


def score(rules: Terms, **changes: Any) -> Any:
    return benchmark_score(rules, group(**changes), Ledger())


# --- the cap ----------------------------------------------------------------------------------


# 3% either way of a reference score of 1.06: 1.0282 and 1.0918.
@pytest.mark.parametrize(
    ("normalized", "capped"),
    [
        (1.0918, 1.0918),
        (1.0917, 1.0917),
        (1.0919, 1.0918),
        (1.0282, 1.0282),
        (1.0283, 1.0283),
        (1.0281, 1.0282),
        (math.inf, 1.0918),
    ],
)
def test_cap_from_both_sides(normalized: float, capped: float) -> None:
    floor, ceiling = cap_band(1.06, 0.03)
    assert within_band(normalized, floor, ceiling) == pytest.approx(capped, abs=1e-12)


def test_nan_stays_nan() -> None:
    assert math.isnan(within_band(math.nan, 0.97, 1.03))
    assert math.isnan(limit_growth(math.nan, 1.0, 0.03))


def test_normalization_divides_by_the_reference_population() -> None:
    assert normalize(1.17, 1.04) == 1.125


# Which cap holds for whom. CMS finance FAQ, October 2020, Q28 and Q41 (2021-22); CMS's notices for
# 2024 to 2026, and reports of them.
@pytest.mark.parametrize(
    ("program", "year", "entity_type", "alignment", "capped"),
    [
        ("gpdc", 2021, "standard", "claims", 1.03),
        ("gpdc", 2022, "new_entrant", "claims", 1.03),
        ("gpdc", 2022, "standard", "newly_voluntary", 1.5),
        ("gpdc", 2022, "standard", "continuously_voluntary", 1.5),
        ("gpdc", 2022, "high_needs", "claims", 1.5),
        ("reach", 2023, "standard", "claims", 1.03),
        ("reach", 2023, "standard", "newly_voluntary", 1.5),
        ("reach", 2023, "standard", "continuously_voluntary", 1.03),
        ("reach", 2024, "high_needs", "claims", 1.5),
        ("reach", 2025, "high_needs", "claims", 1.10),
        ("reach", 2025, "high_needs", "continuously_voluntary", 1.10),
        ("reach", 2026, "high_needs", "newly_voluntary", 1.5),
        ("gpdc-2020", 2023, "high_needs", "claims", 1.5),
        ("gpdc-2020", 2024, "high_needs", "claims", 1.03),
    ],
)
def test_whom_the_cap_holds_for(
    program: str, year: int, entity_type: str, alignment: str, capped: float
) -> None:
    rules = terms(program, year, entity_type)
    assert score(rules, raw_score=1.5, alignment=alignment) == pytest.approx(capped)


def test_without_a_reference_score_there_is_no_cap() -> None:
    assert score(terms("gpdc", 2022), raw_score=1.5, reference_score=None) == 1.5


@pytest.mark.parametrize(("year", "ceiling"), [(2023, 1.03), (2024, 1.03 * 1.05)])
def test_demographic_score_moves_the_cap_from_2024(year: int, ceiling: float) -> None:
    capped = score(terms("reach", year), raw_score=2.0, demographic_change=1.05)
    assert capped == pytest.approx(ceiling)


@pytest.mark.parametrize(("most", "capped"), [(749, 1.5), (750, 1.1), (751, 1.1), (None, 1.1)])
def test_high_needs_cap_needs_750_beneficiaries_once(most: int | None, capped: float) -> None:
    rules = terms("reach", 2025, "high_needs")
    got = score(rules, raw_score=1.5, most_historical_beneficiaries=most)
    assert got == pytest.approx(capped)


@pytest.mark.parametrize(
    ("people", "exempt"), [(2_999, False), (3_000, True), (3_001, True), (None, False)]
)
def test_entity_grown_threefold_is_exempt_from_2025(people: int | None, exempt: bool) -> None:
    grown = group(beneficiaries=people, reference_beneficiaries=1_000)
    assert (uncapped_because(terms("reach", 2025), grown) != "") is exempt
    assert uncapped_because(terms("reach", 2024), grown) == ""


@pytest.mark.parametrize(
    ("program", "year", "entity_type", "reference"),
    [
        ("gpdc", 2021, "standard", 2019),
        ("gpdc", 2022, "standard", 2020),
        ("reach", 2023, "standard", 2021),
        ("reach", 2024, "standard", 2022),
        ("reach", 2026, "high_needs", 2022),
        ("gpdc-2020", 2026, "standard", 2024),
    ],
)
def test_reference_year(program: str, year: int, entity_type: str, reference: int) -> None:
    rules = load_program(program).rules(year, "global", entity_type)
    assert rules.value("risk_cap_reference_year") == reference


# --- coding intensity -------------------------------------------------------------------------


def test_coding_factor_undoes_growth_since_the_reference_year() -> None:
    assert coding_factor(1.10, 1.12, math.inf) * 1.12 == pytest.approx(1.10)
    assert coding_factor(1.10, 1.12, 0.01) == 0.99


# CMS's notices: within 1% from 2024, 2% for High Needs entities in 2026.
@pytest.mark.parametrize(
    ("program", "year", "entity_type", "factor"),
    [
        ("gpdc", 2022, "standard", 0.95),
        ("reach", 2023, "standard", 0.95),
        ("reach", 2024, "standard", 0.99),
        ("reach", 2026, "standard", 0.99),
        ("reach", 2025, "high_needs", 0.99),
        ("reach", 2026, "high_needs", 0.98),
    ],
)
def test_limit_of_the_coding_factor(
    program: str, year: int, entity_type: str, factor: float
) -> None:
    rules = terms(program, year, entity_type)
    assert score(rules, coding_factor=0.95) == pytest.approx(factor)


@pytest.mark.parametrize(("factor", "limited"), [(0.989, 0.99), (0.991, 0.991), (1.02, 1.01)])
def test_coding_factor_is_limited_either_way(factor: float, limited: float) -> None:
    assert limit_coding_factor(factor, 0.01) == pytest.approx(limited)


def test_solely_voluntary_have_no_coding_factor() -> None:
    # CMS finance FAQ, October 2020, Q41.
    assert score(terms("gpdc", 2022), alignment="newly_voluntary", coding_factor=0.95) == 1.0
    assert score(terms("reach", 2023), alignment="newly_voluntary", coding_factor=0.95) == 1.0


def test_cap_comes_before_the_coding_factor() -> None:
    # CMS finance FAQ, October 2020, Q36.
    assert score(terms("gpdc", 2022), raw_score=1.5, coding_factor=0.95) == pytest.approx(
        1.03 * 0.95
    )


# --- further ceilings of 2026 -----------------------------------------------------------------


# 3% above the score of 2019 after cap and factor, and no floor.
@pytest.mark.parametrize(
    ("score_2019", "expected"), [(1.0, 1.03), (0.99, 1.0197), (1.02, 1.03), (5.0, 1.03)]
)
def test_standard_growth_since_2019_is_capped_in_2026(score_2019: float, expected: float) -> None:
    got = score(terms("reach", 2026), raw_score=1.2, growth_reference_score=score_2019)
    assert got == pytest.approx(expected)
    assert score(terms("reach", 2025), raw_score=1.2, growth_reference_score=0.5) == 1.03


@pytest.mark.parametrize(
    ("year", "alignment", "told"),
    [(2026, "claims", True), (2026, "newly_voluntary", False), (2025, "claims", False)],
)
def test_a_ceiling_without_its_score_is_told(year: int, alignment: Any, told: bool) -> None:
    ledger = Ledger()
    benchmark_score(terms("reach", year), group(alignment=alignment, raw_score=1.2), ledger)
    lines = {line.key: line for line in ledger.statement().lines}
    assert ("growth_limited_score" in lines) == told
    if told:
        line = lines["growth_limited_score"]
        assert line.label == "No ceiling of growth: no earlier score"
        assert line.after == line.before == pytest.approx(1.03)


def test_high_needs_ceiling_of_2026_is_for_the_newly_voluntary() -> None:
    rules = terms("reach", 2026, "high_needs")
    new = {"raw_score": 4.5, "growth_reference_score": 4.0, "reference_score": 4.0}
    assert score(rules, alignment="newly_voluntary", **new) == pytest.approx(4.32)
    assert score(rules, alignment="claims", **new) == pytest.approx(4.4)


# --- both kinds of voluntary alignment --------------------------------------------------------


def test_voluntary_score_is_the_mean_by_months() -> None:
    assert mean_score([1.5, 1.03], [100.0, 300.0]) == pytest.approx(1.1475)


# --- over draws -------------------------------------------------------------------------------


def test_uncertain_score_shows_atoms_at_floor_and_ceiling() -> None:
    """About 40% of entities ended on floor or ceiling in 2023 (CMS public use file)."""
    draws, sd = 200_000, 0.035
    raw = 1.0 + sd * stats.norm.ppf(np.random.default_rng(7).random(draws))
    capped = score(terms("reach", 2023), raw_score=raw)
    for edge in (0.97, 1.03):
        expected = stats.norm.sf(0.03 / sd)
        # False alarm once in about 30,000.
        allowed = 4.2 * math.sqrt(expected * (1 - expected) / draws)
        assert np.mean(capped == edge) == pytest.approx(expected, abs=allowed)
    inside = (capped > 0.97) & (capped < 1.03)
    assert np.array_equal(capped[inside], raw[inside])


@given(
    raw=st.floats(0.1, 5.0),
    reference=st.floats(0.1, 5.0),
    factor=st.floats(0.9, 1.1),
    moved=st.floats(0.9, 1.1),
)
def test_score_stays_within_band_and_factor(
    raw: float, reference: float, factor: float, moved: float
) -> None:
    got = score(
        terms("reach", 2024),
        raw_score=raw,
        reference_score=reference,
        coding_factor=factor,
        demographic_change=moved,
    )
    limited = min(max(factor, 0.99), 1.01)
    assert 0.97 * reference * moved * limited - 1e-12 <= got
    assert got <= 1.03 * reference * moved * limited + 1e-12


@given(low=st.floats(0.5, 2.0), more=st.floats(0.0, 1.0))
def test_a_higher_raw_score_never_lowers_the_benchmark(low: float, more: float) -> None:
    rules = terms("reach", 2026)
    assert score(rules, raw_score=low) <= score(rules, raw_score=low + more)


# --- what a score knows of cost ---------------------------------------------------------------


def test_prospective_score_stands_still_and_concurrent_follows() -> None:
    dear = np.array([0.9, 1.0, 1.1])
    prospective = ScoreModel(prospective_share=0.12, concurrent_share=0.12)
    assert prospective.score_factor(dear).tolist() == [1.0, 1.0, 1.0]
    concurrent = ScoreModel(prospective_share=0.0, concurrent_share=0.45)
    assert concurrent.score_factor(dear) == pytest.approx([0.955, 1.0, 1.045])
    assert ScoreModel(prospective_share=0.12, concurrent_share=0.45).slope == pytest.approx(3 / 8)


def test_score_factor_has_the_moments_of_an_entity_of_people() -> None:
    """Against people simulated one by one: S normal, Y = S + noise, R squared 0.45."""
    share, people, entities, cv = 0.45, 50, 20_000, 0.3
    random = np.random.default_rng(11)
    scores = 1 + cv * math.sqrt(share) * random.standard_normal((entities, people))
    costs = scores + cv * math.sqrt(1 - share) * random.standard_normal((entities, people))
    mean_scores, mean_costs = scores.mean(axis=1), costs.mean(axis=1)
    model = ScoreModel(prospective_share=0.0, concurrent_share=share)
    slope = np.cov(mean_scores, mean_costs)[0, 1] / mean_costs.var(ddof=1)
    left = mean_scores - model.score_factor(mean_costs)
    sd = model.remaining_sd(cv / math.sqrt(people))
    # Standard errors: of the slope sd / (sd of cost x sqrt n), of a deviation sd / sqrt(2 n); false
    # alarm of both together once in about 8,000.
    cost_sd = cv / math.sqrt(people)
    assert slope == pytest.approx(model.slope, abs=4 * sd / (cost_sd * math.sqrt(entities)))
    assert left.std() == pytest.approx(sd, rel=4 / math.sqrt(2 * entities))


@pytest.mark.parametrize("shares", [(-0.1, 0.2), (0.3, 0.2), (0.1, 1.0), (0.1, math.nan)])
def test_impossible_shares_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="needs 0 <="):
        ScoreModel(prospective_share=shares[0], concurrent_share=shares[1])
