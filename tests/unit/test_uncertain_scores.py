"""Uncertain risk scores: normalization, cap and coding factor in every draw, and cost of the year.

Statistical tests use fixed seeds and bounds of four standard errors: a right program fails any one
of them with probability 6e-5.
"""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from simdc.cli.main import main
from simdc.drivers import ResolvedDrivers, resolve_drivers
from simdc.engine import simulate
from simdc.outcome import Simulation
from simdc.prepare import prepare
from simdc.scenario import parse_scenario
from simdc.scenario.models import Drivers, Entity

REPLICATIONS = Path(__file__).parents[2] / "scenarios" / "replications"
DRAWS = 20_000
DEFAULT = {"distribution": "default"}


def normal(sd: float) -> dict[str, Any]:
    return {"distribution": "normal", "mean": 1.0, "sd": sd}


def fixed(value: float) -> dict[str, Any]:
    return {"distribution": "fixed", "value": value}


def resolve(*, entity_type: str = "standard", **drivers: object) -> ResolvedDrivers:
    return resolve_drivers(
        Drivers.model_validate(drivers),
        Entity.model_validate({"id": "D0000", "type": entity_type, "performance_year": 2024}),
        option="global",
        person_cv=0.0,
        base_dir=Path(),
    )


def simulated(document: dict[str, Any], draws: int = DRAWS) -> Simulation:
    return simulate(parse_scenario(document), base_dir=REPLICATIONS, draws=draws)


def said(simulation: Simulation) -> str:
    return " ".join(a.statement for a in simulation.assumptions if a.subject == "risk score")


# --- a benchmark that is built ----------------------------------------------------------------


def worked(**drivers: object) -> dict[str, Any]:
    """The worked example: raw score 1.17 over 1.04 is 1.125, a coding factor of 0.992.

    Its reference score is moved to 1.125, so that the expected score lies in the middle of the cap.
    """
    document = tomllib.loads((REPLICATIONS / "worked-benchmark.toml").read_text(encoding="utf-8"))
    document["benchmark"]["risk"][0]["reference_score"] = 1.125
    document["drivers"] |= drivers
    return document


# 35% of the region's 1,120 PBPM; then 60,000 months, a trend of 0.949 and 0.9795 of discount and
# quality.
HISTORY = (
    0.1 * 900 * 1.24 * 1.010 / 1.02
    + 0.3 * 930 * 1.18 * 1.005 / 1.03
    + 0.6 * 965 * 1.12 * 1.000 / 1.04
)
AT_SCORE_ONE = (0.65 * HISTORY + 0.35 * 1_120) * 60_000 * math.exp(-0.0523464752) * 0.9795


def final_scores(**drivers: object) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Values of the drivers, and the score that each draw's benchmark has been multiplied by."""
    found = simulated(worked(**drivers))
    return dict(found.drivers), found.tracks[0].draws["final_benchmark"] / AT_SCORE_ONE


def test_final_scores_have_atoms_at_floor_and_ceiling() -> None:
    """With the spread of 2023 about 40% of entities end on a limit, as they did."""
    values, score = final_scores(raw_risk_score=normal(0.035))
    raw = values["raw_risk_score"]
    expected = stats.norm.sf(0.03 / 0.035)
    assert 2 * expected == pytest.approx(0.4, abs=0.01)
    for edge, beyond in ((0.97, raw <= 0.97), (1.03, raw >= 1.03)):
        at_edge = np.isclose(score, 1.125 * edge * 0.992, rtol=1e-9, atol=0.0)
        assert np.array_equal(at_edge, beyond)
        assert np.unique(score[at_edge]).size == 1
        error = math.sqrt(expected * (1.0 - expected) / DRAWS)
        assert abs(at_edge.mean() - expected) < 4.0 * error
    inside = np.abs(raw - 1.0) < 0.0299
    assert score[inside] == pytest.approx(1.125 * 0.992 * raw[inside], rel=1e-9)


def test_drift_acts_before_the_cap_and_coding_after_it() -> None:
    # A reference population 5% sicker than projected puts the entity on its floor, and no lower.
    _, drifted = final_scores(reference_population_drift=fixed(1.05))
    assert drifted == pytest.approx(1.125 * 0.97 * 0.992, rel=1e-9)
    # A coding factor 5% lower lowers the score by as much, past the floor.
    _, coded = final_scores(coding_factor=fixed(0.95))
    assert coded == pytest.approx(1.125 * 0.992 * 0.95, rel=1e-9)
    _, both = final_scores(
        raw_risk_score=fixed(1.06), reference_population_drift=fixed(1.05), coding_factor=fixed(0.9)
    )
    assert both == pytest.approx(1.125 * 1.06 / 1.05 * 0.992 * 0.9, rel=1e-9)


def test_coding_factor_stays_within_its_limit() -> None:
    document = worked(coding_factor=fixed(0.95), national_trend=fixed(0.0))
    document["entity"]["performance_year"] = 2024  # REACH limits it to 1% either way
    document["track"][0] |= {"program": "reach"}
    document["benchmark"]["risk"][0]["coding_factor"] = 1.0
    benchmarks = [
        simulated({**document, "drivers": drivers}, 16).tracks[0].draws["final_benchmark"]
        for drivers in ({"coding_factor": fixed(0.95)}, {})
    ]
    assert benchmarks[0] / benchmarks[1] == pytest.approx(np.full(16, 0.99))


def test_scores_as_expected_give_the_benchmark_as_built() -> None:
    _, score = final_scores(raw_risk_score=fixed(1.0))
    _, plain = final_scores()
    assert score == pytest.approx(plain, rel=1e-12)


# --- a benchmark that is given ----------------------------------------------------------------


def given(
    *, program: str = "reach", option: str = "global", year: int = 2024, **drivers: object
) -> dict[str, Any]:
    return {
        "run": {"draws": DRAWS, "seed": 3},
        "entity": {"id": "test", "type": "standard", "performance_year": year},
        "population": {
            "segment": [
                {
                    "name": "all",
                    "category": "A&D",
                    "beneficiaries": 16,
                    "expected_cost_pbpm": 1000.0,
                    "severity": {"distribution": "gamma", "cv": 0.5},
                }
            ]
        },
        "benchmark": {"pbpm": 1050.0},
        "drivers": drivers,
        "track": [{"name": "only", "program": program, "option": option}],
    }


def ratios(document: dict[str, Any], line: str) -> tuple[np.ndarray, Simulation]:
    """Benchmark over that without any driver."""
    found = simulated(document)
    plain = simulated({**document, "drivers": {}})
    return found.tracks[0].draws[line] / plain.tracks[0].draws[line], found


def test_given_scores_are_taken_to_lie_in_the_middle_of_the_cap() -> None:
    drift, coding = fixed(1.01), fixed(0.99)
    ratio, found = ratios(
        given(raw_risk_score=normal(0.035), reference_population_drift=drift, coding_factor=coding),
        "final_benchmark",
    )
    raw = found.drivers["raw_risk_score"]
    assert ratio == pytest.approx(np.clip(raw / 1.01, 0.97, 1.03) * 0.99)
    assert "in the middle of the cap of 3% either way" in said(found)


def test_without_a_raw_score_given_benchmarks_move_by_plain_factors() -> None:
    ratio, found = ratios(given(reference_population_drift=fixed(1.1)), "final_benchmark")
    assert ratio == pytest.approx(1.0 / 1.1)
    assert "move it by a factor, without any cap" in said(found)


def test_shared_savings_caps_growth_upwards_only() -> None:
    """Growth of more than 3% does not count; scores may fall without limit (42 CFR 425.605)."""
    document = given(program="mssp", option="enhanced", year=2022, raw_risk_score=normal(0.035))
    ratio, found = ratios(document, "settlement_benchmark")
    assert ratio == pytest.approx(np.minimum(found.drivers["raw_risk_score"], 1.03))
    assert "growth counts up to 3%" in said(found)


def test_shared_savings_strata_are_built_anew() -> None:
    """Each type's growth is capped by itself in 2022, as the statement of the chain says."""
    path = REPLICATIONS / "benchmarks-cheaper-than-region.toml"
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    document["track"] = document["track"][1:2]
    plain = simulated(document, 16).tracks[0].draws["settlement_benchmark"]
    risen = {}
    for raw in (0.98, 1.02, 1.10):
        document["drivers"] = {"raw_risk_score": fixed(raw)}
        risen[raw] = simulated(document, 16).tracks[0].draws["settlement_benchmark"] / plain
    # Its scores are as in base year 3, so that 2% counts whole and 10% as 3%.
    assert risen[0.98] == pytest.approx(np.full(16, 0.98))
    assert risen[1.02] == pytest.approx(np.full(16, 1.02))
    assert risen[1.10] == pytest.approx(np.full(16, 1.03))


# --- scores and the cost of the year ----------------------------------------------------------


def high_needs(risk_share: float | None, **benchmark: float) -> dict[str, Any]:
    document = given(raw_risk_score=fixed(1.0), entity_effect=normal(0.05) | {"mean": 0.0})
    document["entity"]["type"] = "high_needs"  # no cap in 2023
    document["entity"]["performance_year"] = 2023
    spread = {"cv": 0.5} if risk_share is None else {"total_cv": 0.5, "risk_share": risk_share}
    document["population"]["segment"][0]["severity"] = {"distribution": "gamma", **spread}
    document["benchmark"] |= benchmark
    return document


@pytest.mark.parametrize(
    ("risk_share", "stated", "slope"),
    [
        (0.12, {}, (0.45 - 0.12) / 0.88),
        (0.0, {"concurrent_risk_share": 0.5}, 0.5),
        (0.45, {}, 0.0),
        (0.6, {}, 0.0),
        (None, {}, 0.0),
    ],
)
def test_concurrent_scores_take_up_what_their_model_adds(
    risk_share: float | None, stated: dict[str, float], slope: float
) -> None:
    """Of people's luck, not of the entity's own effect on cost."""
    ratio, found = ratios(high_needs(risk_share, **stated), "final_benchmark")
    effect = found.drivers["entity_effect"]
    factor = np.exp(effect - 0.5 * 0.05**2)
    luck = found.cost[0] / (factor * 16 * 12 * 1000.0)
    assert ratio == pytest.approx(1.0 + slope * (luck - 1.0))
    assert "a concurrent score explains" in said(found)


def test_prospective_scores_stand_still() -> None:
    document = high_needs(0.12)
    document["entity"]["type"] = "standard"
    ratio, found = ratios(document, "final_benchmark")
    assert ratio == pytest.approx(np.ones(DRAWS))
    assert "concurrent" not in said(found)


# --- the default ------------------------------------------------------------------------------


def test_default_spread_puts_the_published_shares_on_the_limits() -> None:
    """18 of 118 entities on the floor and 29 on the ceiling: 0.06 between the two quantiles."""
    law = resolve(raw_risk_score=DEFAULT).laws["raw_risk_score"]
    between = stats.norm.isf(18 / 118) + stats.norm.isf(29 / 118)
    assert law.sd == pytest.approx(0.06 / between)
    assert law.mean == pytest.approx(1.0)
    at_limits = 2 * stats.norm.sf(0.03 / law.sd)
    assert at_limits == pytest.approx(47 / 118, abs=0.01)


@pytest.mark.parametrize("entity_type", ["standard", "high_needs"])
def test_the_entity_effect_leaves_scores_their_part(entity_type: str) -> None:
    sd = 0.02
    alone = resolve(entity_type=entity_type, entity_effect=DEFAULT)
    beside = resolve(entity_type=entity_type, entity_effect=DEFAULT, raw_risk_score=normal(sd))
    variances = [each.laws["entity_effect"].sd ** 2 for each in (alone, beside)]
    # High Needs entities had no cap in 2023; a standard normal held within 1.5 either way has the
    # variance 1 - 2 x 1.5 phi(1.5) - 2 Q(1.5) + 2 x 1.5^2 Q(1.5).
    tail, density = stats.norm.sf(1.5), stats.norm.pdf(1.5)
    held = 1.0 - 3.0 * density - 2.0 * tail + 4.5 * tail
    expected = sd**2 * (held if entity_type == "standard" else 1.0)
    assert variances[0] - variances[1] == pytest.approx(expected, rel=2e-3)


def test_a_lognormal_score_is_fixed_at_its_mean() -> None:
    drivers = resolve(raw_risk_score={"distribution": "lognormal", "cv": 0.03})
    held = drivers.fixed_at_mean(["raw_risk_score"])
    assert held.draw(1, 0, 4)["raw_risk_score"] == pytest.approx(np.ones(4), abs=1e-9)


# --- the command ------------------------------------------------------------------------------


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(["benchmark", *arguments])
    assert stopped.value.code == 0
    return capsys.readouterr().out


def scenario_file(folder: Path, **drivers: str) -> Path:
    """The worked example in the middle of its cap with further drivers."""
    text = (REPLICATIONS / "worked-benchmark.toml").read_text(encoding="utf-8")
    text = text.replace("reference_score = 1.06", "reference_score = 1.125")
    lines = "\n".join(f"{name} = {{ {law} }}" for name, law in drivers.items())
    path = folder / "scenario.toml"
    path.write_text(text.replace("[drivers]", f"[drivers]\n{lines}"), encoding="utf-8")
    return path


RAW = 'distribution = "normal", mean = 1.0, sd = 0.035'
CODING = 'distribution = "triangular", low = 0.99, mode = 1.0, high = 1.01'


def test_the_command_shows_the_atoms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A coding factor that is uncertain too smears the final score, but not who was capped."""
    path = scenario_file(tmp_path, raw_risk_score=RAW, coding_factor=CODING)
    (chain,) = json.loads(printed(capsys, str(path), "--json"))["benchmarks"]
    (score,) = chain["scores"]
    assert (score["category"], score["alignment"]) == ("A&D", "claims")
    assert (score["floor"], score["ceiling"]) == pytest.approx((1.125 * 0.97, 1.125 * 1.03))
    expected = stats.norm.sf(0.03 / 0.035)
    for share in (score["at_floor"], score["at_ceiling"]):
        error = math.sqrt(expected * (1.0 - expected) / chain["draws"])
        assert abs(share["estimate"] - expected) < 4.0 * error
        assert share["standard_error"] == pytest.approx(error, rel=0.1)
    assert score["mean"]["estimate"] == pytest.approx(1.125 * 0.992, abs=0.005)
    output = printed(capsys, str(path))
    assert "Risk scores of 1,000 draws of the drivers" in output
    assert max(map(len, output.splitlines())) <= 80


def test_the_command_says_nothing_of_certain_scores(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = scenario_file(tmp_path)
    (chain,) = json.loads(printed(capsys, str(path), "--json"))["benchmarks"]
    assert chain["scores"] == []
    assert "Risk scores of" not in printed(capsys, str(path))


def test_the_command_counts_ci_sep_as_the_rules_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = scenario_file(tmp_path, ci_sep_missed='distribution = "bernoulli", probability = 1.0')
    text = path.read_text(encoding="utf-8").replace('"gpdc"', '"reach"')
    path.write_text(text.replace("year = 2022", "year = 2024"), encoding="utf-8")
    (chain,) = json.loads(printed(capsys, str(path), "--json"))["benchmarks"]
    assert chain["quality_score"] == pytest.approx(0.99 * 0.5)


def test_a_ceiling_of_growth_counts_as_a_ceiling(tmp_path: Path) -> None:
    from simdc.contracts.final_scores import final_scores

    document = worked(raw_risk_score=fixed(1.02), national_trend=fixed(0.0))
    document["entity"]["performance_year"] = 2026
    document["track"][0] |= {"program": "reach"}
    document["benchmark"]["risk"][0] |= {"coding_factor": 1.0, "growth_reference_score": 1.1}
    scenario = parse_scenario(document)
    prepared = prepare(scenario, tmp_path)
    contract = prepared.contracts[0]
    (found,) = final_scores(contract.scores, prepared.drivers, draws=100, seed=1)  # type: ignore[attr-defined]
    # 2026: at most 3% above 2019, which 1.125 x 1.02 is, while 3% above 2022 it is not.
    assert found.at_ceiling.value == 1.0
    assert found.at_floor.value == 0.0
    assert found.mean.value == pytest.approx(1.1 * 1.03)
