"""The engine: laws of the simulated sums against quadrature, and bits that nothing moves."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simdc.engine import simulate
from simdc.executors import Threads
from simdc.population import build_population
from simdc.scenario import parse_scenario
from simdc.stop_loss import expected_payout

# Four standard errors: a false alarm once in about 16,000 comparisons.
ALARM = 4.0

SCENARIO = {
    "run": {"draws": 2000, "seed": 4},
    "entity": {"id": "test", "type": "standard", "performance_year": 2022},
    "population": {
        "segment": [
            {
                "name": "many",
                "category": "A&D",
                "beneficiaries": 900,
                "expected_cost_pbpm": 1000.0,
                "eligible_months": [{"months": 12, "share": 0.8}, {"months": 5, "share": 0.2}],
                "severity": {
                    "distribution": "generalised_gamma",
                    "total_cv": 2.14,
                    "risk_share": 0.12,
                    "zero_probability": 0.05,
                },
            },
            {
                "name": "few",
                "category": "ESRD",
                "beneficiaries": 40,
                "expected_cost_pbpm": 8000.0,
                "severity": {"distribution": "lognormal", "cv": 0.8},
            },
        ]
    },
    "benchmark": {"pbpm": 1250.0},
    "track": [
        {
            "name": "global",
            "program": "gpdc",
            "option": "global",
            "capitation": "primary_care",
            "primary_care_capitation": {"base_rate": 0.02, "enhanced_rate": 0.04},
            "stop_loss": {
                "bands": [
                    {"from": 60_000, "to": 150_000, "payout_rate": 0.5},
                    {"from": 150_000, "payout_rate": 0.9},
                ],
            },
        },
        {
            "name": "professional",
            "program": "gpdc",
            "option": "professional",
            "capitation": "primary_care",
            "primary_care_capitation": {"base_rate": 0.02},
            "stop_loss": {
                "basis": "expected_cost",
                "bands": [{"from": 4.0, "to": 20.0, "payout_rate": 0.7, "category": "A&D"}],
            },
        },
    ],
}
DRIVERS = {
    "national_trend": {"distribution": "normal", "sd": 0.04},
    "regional_trend": {"distribution": "triangular", "low": -0.02, "mode": 0.0, "high": 0.02},
    "entity_effect": {"distribution": "student_t", "scale": 0.02, "degrees_of_freedom": 6},
    "quality_score": {"distribution": "beta", "alpha": 9, "beta": 1},
    "completion": {"distribution": "normal", "mean": 1.0, "sd": 0.002},
}


def scenario(**changes):
    document = copy.deepcopy(SCENARIO)
    document.update(copy.deepcopy(changes))
    return parse_scenario(document)


def run(asked, **options):
    return simulate(asked, base_dir=Path(), **{"executor": Threads(1), **options})


def bits(simulation):
    parts = [simulation.cost.tobytes()]
    for track in simulation.tracks:
        parts += [track.draws[name].tobytes() for name in sorted(track.draws)]
    return b"".join(parts)


def payout_of(simulation, index):
    """Payout in each draw, recovered from the net cost: claims - payout + charge + capitation."""
    track = simulation.tracks[index]
    expected = sum(simulation.segment_table["expected_cost"])
    total = simulation.cost.sum(axis=0)
    claims = total * (1.0 - track.fixed["base_capitation"] / expected)
    net = track.draws["net_cost_of_care"]
    return claims + track.fixed["base_capitation"] + track.fixed["stop_loss_charge"] - net


@pytest.fixture(scope="module")
def plain():
    return run(scenario(run={"draws": 40_000, "seed": 4}))


@pytest.fixture(scope="module")
def people():
    return build_population(scenario().population, Path()).segments


def test_mean_and_spread_of_cost(plain, people):
    for row, segment in enumerate(people):
        cost = plain.cost[row]
        sd = np.sqrt(np.sum((segment.expected_cost * segment.severity.cv) ** 2))
        assert abs(cost.mean() - segment.total_expected_cost) < ALARM * sd / np.sqrt(len(cost))
        fourth = np.mean((cost - cost.mean()) ** 4)
        error_of_variance = np.sqrt((fourth - sd**4) / len(cost))
        assert abs(cost.var() - sd**2) < ALARM * error_of_variance


def payout_moments(design, segments):
    """Mean and variance of the payout by integrating over each person's survival probability."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-44, 1)])
    v = ((edges[1:] + edges[:-1]) / 2)[:, None] + ((edges[1:] - edges[:-1]) / 2)[:, None] * nodes
    w = ((edges[1:] - edges[:-1]) / 2)[:, None] * weights
    mean = variance = 0.0
    for segment in segments:
        quantile = segment.severity.isf(v)
        for expected, months in zip(segment.expected_cost, segment.months, strict=True):
            cost = expected * quantile
            paid = np.zeros_like(cost)
            for band in design.bands:
                if band.category not in (None, segment.category):
                    continue
                unit = expected if design.basis == "expected_cost" else months / 12
                paid += band.payout_rate * np.clip(
                    cost - band.from_ * unit, 0.0, (band.to - band.from_) * unit
                )
            first = float(np.sum(w * paid))
            mean += first
            variance += float(np.sum(w * paid**2)) - first**2
    return mean, variance


@pytest.mark.parametrize("index", [0, 1])
def test_mean_and_spread_of_payout(plain, people, index):
    paid = payout_of(plain, index)
    mean, variance = payout_moments(scenario().track[index].stop_loss, people)
    # A kink inside a panel costs the quadrature a few parts in ten thousand.
    assert abs(paid.mean() - mean) < ALARM * np.sqrt(variance / len(paid)) + 1e-3 * mean
    fourth = np.mean((paid - paid.mean()) ** 4)
    error_of_variance = np.sqrt((fourth - variance**2) / len(paid))
    assert abs(paid.var() - variance) < ALARM * error_of_variance + 2e-3 * variance


@pytest.mark.parametrize("index", [0, 1])
def test_a_neutral_charge_is_the_expected_payout(plain, people, index):
    design = scenario().track[index].stop_loss
    mean, _ = payout_moments(design, people)
    charge = plain.tracks[index].fixed["stop_loss_charge"]
    assert charge == pytest.approx(mean, rel=1e-3)
    certain = (np.ones(1), np.ones(1))
    exact = sum(expected_payout(design, segment, *certain) for segment in people)
    assert charge == pytest.approx(exact, rel=1e-12)


def test_a_neutral_charge_stays_neutral_when_cost_is_uncertain():
    driven = run(scenario(run={"draws": 40_000, "seed": 4}, drivers=DRIVERS))
    completion = driven.drivers["completion"]
    for index in (0, 1):
        track = driven.tracks[index]
        expected = sum(driven.segment_table["expected_cost"])
        claims = driven.cost.sum(axis=0) * (1.0 - track.fixed["base_capitation"] / expected)
        fixed = track.fixed["base_capitation"] + track.fixed["stop_loss_charge"]
        paid = claims - (track.draws["net_cost_of_care"] - fixed) / completion
        error = paid.std() / np.sqrt(len(paid))
        assert abs(paid.mean() - track.fixed["stop_loss_charge"]) < ALARM * error


def test_cost_drivers_leave_expected_cost_alone():
    driven = run(scenario(run={"draws": 40_000, "seed": 4}, drivers=DRIVERS))
    total = driven.cost.sum(axis=0)
    error = total.std() / np.sqrt(len(total))
    assert abs(total.mean() - sum(driven.segment_table["expected_cost"])) < ALARM * error


# --- bits -------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("block_size", [128, 384, 1024, 5000])
def test_threads_and_blocks_move_no_bit(threads, block_size):
    asked = scenario(drivers=DRIVERS)
    here = run(asked, executor=Threads(threads), block_size=block_size)
    assert bits(here) == bits(run(asked))


def test_the_first_thousand_draws_of_two_thousand_are_the_thousand_draws():
    asked = scenario(drivers=DRIVERS)
    long, short = run(asked, draws=2000), run(asked, draws=1000)
    assert np.array_equal(long.cost[:, :1000], short.cost)
    for whole, part in zip(long.tracks, short.tracks, strict=True):
        for name in part.draws:
            assert np.array_equal(whole.draws[name][:1000], part.draws[name])


def test_consecutive_runs_join_into_one():
    asked = scenario(drivers=DRIVERS)
    whole = run(asked, draws=1500)
    last = run(asked, draws=700, first_draw=800)
    assert np.array_equal(whole.cost[:, 800:], last.cost)
    assert np.array_equal(whole.tracks[0].draws["cash_due"][800:], last.tracks[0].draws["cash_due"])


def test_another_track_changes_nobody_elses_luck():
    alone = run(scenario(track=SCENARIO["track"][:1]))
    both = run(scenario())
    for name, values in alone.tracks[0].draws.items():
        assert np.array_equal(values, both.tracks[0].draws[name])


def test_neither_the_order_of_tracks_nor_an_observed_outcome_feeds_the_model():
    default = {"entity_effect": {"distribution": "default"}}
    observed = {"track": "professional", "source": "published", "gross_savings": 1.0}
    plain = run(scenario(drivers=default))
    turned = run(scenario(drivers=default, track=SCENARIO["track"][::-1], observed=observed))
    assert np.array_equal(plain.cost, turned.cost)
    assert np.array_equal(plain.tracks[0].draws["cash_due"], turned.tracks[1].draws["cash_due"])


def test_reordered_segments_keep_their_luck():
    asked = scenario()
    turned = scenario(population={"segment": SCENARIO["population"]["segment"][::-1]})
    assert np.array_equal(run(asked).cost, run(turned).cost[::-1])


def test_assumptions_are_said_once_and_name_the_tracks_that_make_them():
    told = {a.subject: a.statement for a in run(scenario(), draws=128).assumptions}
    assert "stop-loss" in told  # both tracks make it, so neither is named
    # 2% of 98% of a benchmark of 1,250 x 10,020 months, over a cost of 13.38 million.
    assert "1.83% of all cost" in told["capitation (global)"]
    assert "capitation (professional)" in told


def test_seeds_differ():
    assert not np.array_equal(run(scenario(), seed=1).cost, run(scenario(), seed=2).cost)


# --- properties -------------------------------------------------------------------------------


def test_doubling_every_dollar_doubles_every_amount():
    """Doubling is exact in binary, so the bits double too."""
    document = copy.deepcopy(SCENARIO)
    for segment in document["population"]["segment"]:
        segment["expected_cost_pbpm"] *= 2
    document["benchmark"]["pbpm"] *= 2
    for band in document["track"][0]["stop_loss"]["bands"]:
        band["from"] *= 2
        if "to" in band:
            band["to"] *= 2
    once, twice = run(scenario()), run(parse_scenario(document))
    for single, double in zip(once.tracks, twice.tracks, strict=True):
        for name in single.draws:
            np.testing.assert_allclose(double.draws[name], 2 * single.draws[name], rtol=1e-12)


@settings(max_examples=10, deadline=None)
@given(rise=st.floats(0.001, 0.2))
def test_dearer_people_never_save_more(rise):
    document = copy.deepcopy(SCENARIO)
    document["track"] = [
        {key: value for key, value in track.items() if key != "stop_loss"}
        for track in document["track"]
    ]
    cheap = run(parse_scenario(document), draws=256)
    for segment in document["population"]["segment"]:
        segment["expected_cost_pbpm"] *= 1 + rise
    dear = run(parse_scenario(document), draws=256)
    for first, second in zip(cheap.tracks, dear.tracks, strict=True):
        assert np.all(second.draws["gross_savings"] < first.draws["gross_savings"])
        assert np.all(second.draws["shared_savings"] <= first.draws["shared_savings"])


def test_the_trend_adjustment_leaves_only_the_rest_at_risk():
    """In 2022 a deviation beyond 1% moves the benchmark in full, so the gross rate hardly moves."""
    shifted = scenario(drivers={"national_trend": {"distribution": "fixed", "value": 0.05}})
    steady, moved = run(scenario()), run(shifted)
    ratio = [r.tracks[0].draws["settlement_benchmark"].mean() for r in (steady, moved)]
    assert ratio[1] / ratio[0] == pytest.approx(np.exp(0.05), rel=1e-12)
    inside = run(scenario(drivers={"national_trend": {"distribution": "fixed", "value": 0.009}}))
    assert np.array_equal(
        inside.tracks[0].draws["settlement_benchmark"],
        steady.tracks[0].draws["settlement_benchmark"],
    )
    assert np.all(inside.cost > steady.cost)


def test_a_person_file_settles_like_the_segments_it_spells_out(tmp_path):
    segments = build_population(scenario().population, Path()).segments
    lines = ["segment,expected_cost,months"]
    for segment in segments:
        lines += [
            f"{segment.name},{cost!r},{months!r}"
            for cost, months in zip(
                segment.expected_cost.tolist(), segment.months.tolist(), strict=True
            )
        ]
    (tmp_path / "people.csv").write_text("\n".join(lines) + "\n")
    bare = copy.deepcopy(SCENARIO["population"]["segment"])
    for segment in bare:
        for key in ("beneficiaries", "expected_cost_pbpm", "eligible_months"):
            segment.pop(key, None)
    document = copy.deepcopy(SCENARIO) | {"population": {"segment": bare, "file": "people.csv"}}
    from_file = simulate(
        parse_scenario(document, base_dir=tmp_path), base_dir=tmp_path, executor=Threads(1)
    )
    assert bits(from_file) == bits(run(scenario()))


def test_an_interrupt_stops_the_run():
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    for threads in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            run(scenario(), draws=20_000, executor=Threads(threads), progress=stop)
