"""Pandemic, risk scores, CI/SEP, health-equity months and early exit: laws, defaults, settlement.

Statistical tests use fixed seeds and bounds of four standard errors: a right program fails any one
of them with probability 6e-5.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest

from simdc.drivers import ResolvedDrivers, resolve_drivers
from simdc.engine import simulate
from simdc.errors import InputError
from simdc.executors import Threads
from simdc.priors import load_priors
from simdc.scenario import parse_scenario
from simdc.scenario.models import Drivers, Entity

SEED = 7
DRAWS = 200_000
DEFAULT = {"distribution": "default"}
LEVELS = {"official", "proven", "secondary", "inferred", "conflicting", "assumption"}


def resolve(
    *, entity_type: str = "standard", year: int = 2024, **drivers: object
) -> ResolvedDrivers:
    return resolve_drivers(
        Drivers.model_validate(drivers),
        Entity.model_validate({"id": "D0000", "type": entity_type, "performance_year": year}),
        option="global",
        person_cv=0.0,
        base_dir=Path(),
    )


def event(probability: float) -> dict[str, object]:
    return {"distribution": "bernoulli", "probability": probability}


def normal(sd: float, mean: float) -> dict[str, object]:
    return {"distribution": "normal", "mean": mean, "sd": sd}


def assert_share(happened: np.ndarray, probability: float) -> None:
    error = math.sqrt(probability * (1.0 - probability) / happened.size)
    assert abs(happened.mean() - probability) < 4.0 * error


# --- pandemic ---------------------------------------------------------------------------------

SHOCK = {"distribution": "shock", "probability": 0.1, "size": -0.12, "recovery": 0.25}


def test_a_shock_strikes_and_is_partly_made_up_for() -> None:
    values = resolve(pandemic=SHOCK).draw(SEED, 0, DRAWS)["pandemic"]
    assert_share(values == -0.12, 0.1)
    assert_share(np.isclose(values, -0.09), 0.1)
    assert_share(values == 0.0, 0.8)


def test_a_full_recovery_leaves_the_year_after_as_any_other() -> None:
    shock = {"distribution": "shock", "probability": 0.1, "size": 0.05}
    values = resolve(pandemic=shock).draw(SEED, 0, DRAWS)["pandemic"]
    assert_share(values == 0.05, 0.1)
    assert set(values.tolist()) == {0.0, 0.05}


def test_a_pandemic_is_the_nations() -> None:
    """It moves everyone's cost and what the trend adjustment sees, over the national trend."""
    drivers = resolve(pandemic=SHOCK, national_trend=normal(0.02, 0.0))
    values = drivers.draw(SEED, 0, DRAWS)
    for category in ("A&D", "ESRD"):
        factor = drivers.cost_factor(values, category)
        assert np.array_equal(factor, drivers.trend_ratio(values, category))
        # The mean factor is the exponential of the mean deviation: -0.12 x 0.1 x (1 + 0.75).
        expected = math.exp(-0.021)
        assert abs(factor.mean() - expected) < 4.0 * factor.std() / math.sqrt(DRAWS)
    struck = values["pandemic"] == -0.12
    quiet = values["pandemic"] == 0.0
    alone = factor / np.exp(values["national_trend"])
    assert alone[struck].mean() / alone[quiet].mean() == pytest.approx(math.exp(-0.12))


def test_the_default_pandemic_is_that_of_2020() -> None:
    drivers = resolve(year=2022, pandemic=DEFAULT)
    law = drivers.laws["pandemic"]
    struck = math.log(0.906 / 1.032)  # fell by 9.4% where 3.2% more were usual
    after = math.log(0.906 * 1.073 / 1.032**2)  # and rose by 7.3%
    values, weights = law.rule()
    assert values == pytest.approx([struck, after, 0.0])
    assert weights == pytest.approx([0.02, 0.02, 0.96])
    (told,) = drivers.assumptions
    assert "-9.4% in 2020 and 7.3% in 2021" in told.statement


def test_the_last_pandemic_does_not_count_twice() -> None:
    """With a pandemic of its own, a scenario's trend is not also widened by 2021 and 2022."""
    both = resolve(year=2023, national_trend=DEFAULT, pandemic=DEFAULT)
    assert both.laws["national_trend"].sd == pytest.approx(0.016)
    assert "are left to the pandemic driver" in both.assumptions[0].statement
    later = resolve(year=2024, national_trend=DEFAULT, pandemic=DEFAULT)
    rms = math.sqrt((0.016**2 + math.log(0.9667) ** 2) / 2)
    assert later.laws["national_trend"].sd == pytest.approx(rms)


@pytest.mark.parametrize("probability", [0.51, 1.0])
def test_a_shock_needs_room_for_the_year_after(probability: float) -> None:
    with pytest.raises(ValueError, match=r"at most 0\.5"):
        resolve(pandemic=SHOCK | {"probability": probability})
    resolve(pandemic=SHOCK | {"probability": 0.5})


# --- quality ----------------------------------------------------------------------------------


def test_a_spike_stands_on_top_of_the_density() -> None:
    spiked = {"distribution": "beta", "alpha": 2.0, "beta": 3.0, "spike": 0.3}
    drivers = resolve(quality_score=spiked)
    scores = drivers.draw(SEED, 0, DRAWS)["quality_score"]
    assert_share(scores == 1.0, 0.3)
    below = scores[scores < 1.0]
    mean, sd = 2 / 5, math.sqrt(2 * 3 / (25 * 6))
    assert abs(below.mean() - mean) < 4.0 * sd / math.sqrt(below.size)
    assert drivers.laws["quality_score"].mean == pytest.approx(0.3 + 0.7 * mean, abs=1e-9)


@pytest.mark.parametrize(("spike", "always"), [(0.0, None), (1.0, 1.0)])
def test_a_spike_may_be_nothing_or_everything(spike: float, always: float | None) -> None:
    model = {"distribution": "beta", "alpha": 2.0, "beta": 3.0, "spike": spike}
    scores = resolve(quality_score=model).draw(SEED, 0, 1000)["quality_score"]
    assert (set(scores.tolist()) == {always}) if always else scores.max() < 1.0


PUBLISHED_2023 = {
    "standard": (0.792, 0.215),
    "new_entrant": (0.732, 0.2),
    "high_needs": (0.867, 0.167),
}


@pytest.mark.parametrize("entity_type", PUBLISHED_2023)
def test_default_scores_of_2023_have_their_spike_and_moments(entity_type: str) -> None:
    law = resolve(entity_type=entity_type, quality_score=DEFAULT).laws["quality_score"]
    assert (law.mean, law.sd) == pytest.approx(PUBLISHED_2023[entity_type], rel=1e-6)
    scores = law.at(np.linspace(-6.0, 6.0, 101))
    assert np.all(np.diff(scores) >= 0.0)
    drawn = resolve(entity_type=entity_type, quality_score=DEFAULT).draw(SEED, 0, DRAWS)
    assert_share(drawn["quality_score"] == 1.0, 0.2576)  # 34 of 132


@pytest.mark.parametrize("entity_type", PUBLISHED_2023)
def test_what_ci_sep_did_to_published_scores_does_not_count_twice(entity_type: str) -> None:
    """Halved as often as was published, 10 of 132, the score is as was published."""
    drivers = resolve(entity_type=entity_type, quality_score=DEFAULT, ci_sep_missed=event(0.0758))
    total = drivers.quality(drivers.draw(SEED, 0, DRAWS), 0.5)
    mean, sd = PUBLISHED_2023[entity_type]
    assert abs(total.mean() - mean) < 4.0 * sd / math.sqrt(DRAWS)
    fourth = np.mean((total - mean) ** 4)
    assert abs(total.std() - sd) < 4.0 * math.sqrt((fourth - sd**4) / DRAWS) / (2.0 * sd)
    assert drivers.mean_quality(0.5) == pytest.approx(mean, rel=1e-6)


def test_ci_sep_multiplies_the_score_where_it_is_missed() -> None:
    drivers = resolve(quality_score=normal(0.02, 0.8), ci_sep_missed=event(0.3))
    values = drivers.draw(SEED, 0, 1000)
    missed = values["ci_sep_missed"] == 1.0
    total = drivers.quality(values, 0.5)
    assert total[missed] == pytest.approx(0.5 * values["quality_score"][missed])
    assert np.array_equal(total[~missed], values["quality_score"][~missed])
    assert np.array_equal(drivers.quality(values, 1.0), values["quality_score"])
    assert drivers.mean_quality(0.5) == pytest.approx(0.8 * (0.7 + 0.3 * 0.5))


# --- defaults and their evidence --------------------------------------------------------------


@pytest.mark.parametrize(
    ("year", "probability"), [(2022, 1 / 53), (2023, 5 / 152), (2024, 7 / 284), (2026, 7 / 284)]
)
def test_early_exits_are_counted_up_to_the_year_before(year: int, probability: float) -> None:
    drivers = resolve(year=year, early_exit=DEFAULT)
    assert drivers.laws["early_exit"].mean == pytest.approx(probability)


def test_defaults_of_what_is_known_once() -> None:
    drivers = resolve(
        ci_sep_missed=DEFAULT, reference_population_drift=DEFAULT, coding_factor=DEFAULT
    )
    assert drivers.laws["ci_sep_missed"].mean == pytest.approx(10 / 83)
    drift = drivers.laws["reference_population_drift"]
    assert (drift.mean, drift.sd) == pytest.approx((1.0, 0.009))
    coding = drivers.laws["coding_factor"]
    assert coding.mean == pytest.approx(1.0)
    low, high = coding.at(np.array([-9.0, 9.0]))
    assert high / low == pytest.approx(1.0 / 0.99)  # limited to 1%
    assert len(drivers.assumptions) == 3


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("pandemic", 2021),
        ("early_exit", 2021),
        ("ci_sep_missed", 2023),
        ("coding_factor", 2023),
        ("reference_population_drift", 2023),
        ("raw_risk_score", 2023),
    ],
)
def test_a_default_rests_on_older_evidence_only(name: str, first: int) -> None:
    with pytest.raises(InputError, match=rf"drivers\.{name}: .* the first is of {first};"):
        resolve(year=first, **{name: DEFAULT})
    resolve(year=first + 1, **{name: DEFAULT})


def test_health_equity_months_have_no_default() -> None:
    with pytest.raises(InputError, match="health_equity_months: has no documented default"):
        resolve(health_equity_months=DEFAULT)


@pytest.mark.parametrize("name", ["pandemic", "ci_sep", "early_exit", "risk_score"])
def test_every_prior_has_a_source_and_a_confidence(name: str) -> None:
    table = load_priors(name)
    figures = {
        "ci_sep": lambda: table["evidence"],
        "risk_score": lambda: [table[part] for part in sorted(table)],
    }.get(name, lambda: [table])()
    assert all(figure["source"] and figure["confidence"] in LEVELS for figure in figures)


def test_the_entity_effect_leaves_early_exit_and_ci_sep_their_part() -> None:
    score = {"distribution": "fixed", "value": 0.9}
    parts = {"quality_score": score, "ci_sep_missed": event(0.2), "early_exit": event(0.1)}
    drivers = resolve(entity_effect=DEFAULT, **parts)
    # 2023: withholds of 2% for quality and retention; a miss halves 0.9.
    quality = 0.02 * 0.45 * math.sqrt(0.2 * 0.8)
    leaving = 0.02 * math.sqrt(0.1 * 0.9)
    expected = math.sqrt((0.063 / 0.963) ** 2 - quality**2 - leaving**2)
    assert drivers.laws["entity_effect"].sd == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("driver", "model", "sentence"),
    [
        ("early_exit", {"distribution": "fixed", "value": 0.5}, "the entity leaves early"),
        ("early_exit", normal(0.1, 0.5), "is 1 where the entity leaves early and else 0"),
        ("ci_sep_missed", {"distribution": "fixed", "value": 2.0}, "CI/SEP is missed"),
        ("coding_factor", normal(0.001, 0.01), "a median between 0.5 and 2"),
        ("reference_population_drift", {"distribution": "fixed", "value": 0.0}, "always above 0"),
        ("health_equity_months", {"distribution": "fixed", "value": -1.0}, "always above 0"),
        ("raw_risk_score", normal(0.03, 0.0), "a raw score over the expected one"),
        ("pandemic", SHOCK | {"size": -9.4}, r"fractions \(4% is 0.04\)"),
    ],
)
def test_values_a_driver_cannot_take_are_refused(
    driver: str, model: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence) as refused:
        resolve(**{driver: model})
    assert refused.value.problems[0].path == f"drivers.{driver}"


# --- in the settlement ------------------------------------------------------------------------

SCENARIO = {
    "run": {"draws": 2000, "seed": 3},
    "entity": {"id": "test", "type": "standard", "performance_year": 2024},
    "population": {
        "segment": [
            {
                "name": "all",
                "category": "A&D",
                "beneficiaries": 300,
                "expected_cost_pbpm": 1000.0,
                "severity": {"distribution": "gamma", "cv": 1.5},
            }
        ]
    },
    "benchmark": {
        "pbpm": 1050.0,
        "health_equity_up_months": 500.0,
        "health_equity_down_months": 200.0,
    },
    "track": [{"name": "global", "program": "reach", "option": "global"}],
}


def settled(*, leaves: bool = False, **drivers: object) -> tuple[dict, dict]:
    """Values of the drivers and lines of the settlement; `leaves` is the track's election."""
    document = copy.deepcopy(SCENARIO)
    document["track"][0]["early_exit"] = leaves
    document["drivers"] = drivers
    found = simulate(parse_scenario(document), base_dir=Path(), executor=Threads(1))
    return found.drivers, found.tracks[0].draws


@pytest.fixture(scope="module")
def plain() -> dict:
    return settled()[1]


def test_risk_scores_move_the_benchmark_and_no_cost(plain: dict) -> None:
    values, draws = settled(
        coding_factor=normal(0.005, 1.0), reference_population_drift=normal(0.01, 1.0)
    )
    expected = values["coding_factor"] / values["reference_population_drift"]
    assert draws["final_benchmark"] / plain["final_benchmark"] == pytest.approx(expected)
    assert np.array_equal(draws["net_cost_of_care"], plain["net_cost_of_care"])


def test_health_equity_months_move_both_adjustments() -> None:
    values, draws = settled(health_equity_months=normal(0.05, 1.0))
    equity = draws["settlement_benchmark"] - draws["final_benchmark"]
    # 2024: $30 up and $10 down a month.
    expected = (500.0 * 30.0 - 200.0 * 10.0) * values["health_equity_months"]
    assert equity == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("election", [False, True])
def test_early_exit_takes_the_place_of_the_election(plain: dict, election: bool) -> None:
    _, always = settled(leaves=True)
    # 2024: a retention withhold of 2% beside a discount of 3%.
    assert always["final_benchmark"] / plain["final_benchmark"] == pytest.approx(0.95 / 0.97)
    values, draws = settled(leaves=election, early_exit=event(0.2))
    left = values["early_exit"] == 1.0
    assert_share(left, 0.2)
    assert np.array_equal(draws["cash_due"][left], always["cash_due"][left])
    assert np.array_equal(draws["cash_due"][~left], plain["cash_due"][~left])


def test_ci_sep_halves_the_score_by_the_years_rule() -> None:
    values, draws = settled(
        quality_score={"distribution": "fixed", "value": 0.8}, ci_sep_missed=event(0.3)
    )
    missed = values["ci_sep_missed"] == 1.0
    benchmark = 1050.0 * 12 * 300
    # 2024: discount 3%, quality withhold 2%; the multiplier is 0.5.
    assert draws["final_benchmark"][missed] == pytest.approx(benchmark * (0.95 + 0.02 * 0.4))
    assert draws["final_benchmark"][~missed] == pytest.approx(benchmark * (0.95 + 0.02 * 0.8))
