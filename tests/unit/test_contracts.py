"""Tracks of every program on one population: each with its own cost, benchmark and elections."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest

from simdc.engine import simulate
from simdc.errors import InputError
from simdc.executors import Threads
from simdc.prepare import prepare
from simdc.programs import load_program
from simdc.scenario import parse_scenario

SEGMENT = {
    "name": "everyone",
    "category": "A&D",
    "beneficiaries": 2_000,
    "expected_cost_pbpm": 1_000.0,
    "severity": {"distribution": "gamma", "cv": 2.0},
}
SHORT = {"segment": [SEGMENT | {"eligible_months": 9}]}  # the first year had nine months
BENCHMARK = {"pbpm": 1_020.0}  # 24.48 million in a year of twelve months


def scenario(*tracks, year=2022, **changes):
    document = {
        "run": {"draws": 4_000, "seed": 9},
        "entity": {"id": "test", "type": "standard", "performance_year": year},
        "population": {"segment": [copy.deepcopy(SEGMENT)]},
        "benchmark": BENCHMARK,
        "track": [dict(track) for track in tracks],
    }
    return parse_scenario(document | changes)


def run(*tracks, **options):
    return simulate(scenario(*tracks, **options), base_dir=Path(), executor=Threads(1))


GLOBAL = {"name": "global", "program": "gpdc", "option": "global"}
ENHANCED = {
    "name": "enhanced",
    "program": "mssp",
    "option": "enhanced",
    "benchmark": {"dollars": 20_000_000.0},
    "cost": {"excluded_share": 0.06, "truncation": {"A&D": 150_000}},
    "shared_savings": {"elected_minimum_rate": 0.0, "disaster_relief_share": 0.0},
}


def test_shared_savings_truncates_and_leaves_out_what_its_cost_leaves_out():
    """Against each person's cost, recomputed with the addressed random numbers of the kernel."""
    from simdc.kernels.philox import philox_words, stream_of
    from simdc.severity import from_cv
    from simdc.severity_table import lookup, quantile_table

    found = run(GLOBAL, ENHANCED)
    draws = 64
    table = quantile_table(from_cv("gamma", 2.0))
    expected = np.zeros(draws)
    for group in range(500):
        address = (9, 0, draws, stream_of(1, "everyone"), group)
        main, fine = philox_words(*address, 0), philox_words(*address, 1)
        cost = 12_000.0 * lookup(table, main, fine)
        expected += np.minimum(cost * 0.94, 150_000.0).sum(axis=1)
    got = found.tracks[1].draws["net_cost_of_care"][:draws]
    np.testing.assert_allclose(got, expected, rtol=2e-7)
    np.testing.assert_allclose(
        found.tracks[1].draws["gross_savings"], 20e6 - found.tracks[1].draws["net_cost_of_care"]
    )


def test_shared_savings_enhanced_shares_from_the_first_dollar_and_limits_losses():
    """42 CFR 425.610: 75% of savings less 2%, 40% to 75% of losses, at most 15% of benchmark."""
    found = run(ENHANCED).tracks[0]
    gross, paid = found.draws["gross_savings"], found.draws["shared_after_sequestration"]
    gains = gross > 0
    limit = 0.20 * 20e6
    np.testing.assert_allclose(paid[gains], np.minimum(0.75 * 0.98 * gross[gains], limit))
    # Quality is 1 where nothing is said of it: 1 - 0.75 is below the floor of 40%.
    np.testing.assert_allclose(paid[~gains], np.maximum(0.40 * gross[~gains], -0.15 * 20e6))


def test_one_sided_levels_owe_nothing_and_need_no_guarantee():
    found = run(ENHANCED | {"option": "basic-a", "shared_savings": {}}).tracks[0]
    assert found.draws["shared_savings"].min() == 0.0
    assert found.required_guarantee is None


def test_next_generation_caps_gross_before_it_shares():
    """Cap 5% under arrangement A pays at most 80% of 5%; no sequestration on losses."""
    track = {
        "name": "a",
        "program": "ngaco",
        "option": "arrangement-a",
        "rules": {"savings_losses_cap": 0.05},
    }
    found = run(track, year=2018).tracks[0]
    benchmark, gross = found.draws["settlement_benchmark"], found.draws["gross_savings"]
    capped = np.clip(gross, -0.05 * benchmark, 0.05 * benchmark)
    expected = 0.80 * capped * np.where(capped > 0, 0.98, 1.0)
    np.testing.assert_allclose(found.draws["shared_after_sequestration"], expected)


def test_all_tracks_see_the_same_costs():
    found = run(GLOBAL, ENHANCED | {"cost": {}})
    dc, ssp = (track.draws["net_cost_of_care"] for track in found.tracks)
    assert np.array_equal(dc, ssp)


def test_geographic_settles_like_global_with_its_own_discount():
    bid = {
        "name": "geo",
        "program": "geographic",
        "option": "global",
        "rules": {"discount": 0.02},
    }
    found = run(GLOBAL, bid)
    assert np.array_equal(
        found.tracks[0].draws["gross_savings"], found.tracks[1].draws["gross_savings"]
    )
    assert any("never" in a.statement for a in found.assumptions)


def test_the_withhold_of_the_proposal_and_of_the_rule_run_side_by_side():
    """The proposal withholds 1% in its first year where the rule withholds 5%."""
    quality = {"quality_score": {"distribution": "fixed", "value": 0.5}}
    proposal = {"name": "proposal", "program": "mltss", "option": "global"}
    found = run(
        GLOBAL | {"program": "gpdc-2020"}, proposal, year=2021, drivers=quality, population=SHORT
    )
    rule, asked = (track.draws["settlement_benchmark"][0] for track in found.tracks)
    assert rule == pytest.approx(18.36e6 * (1 - 0.02 - 0.05 * 0.5))
    assert asked == pytest.approx(18.36e6 * (1 - 0.02 - 0.01 * 0.5))


def test_opting_out_leaves_fewer_people():
    plan = copy.deepcopy(SEGMENT) | {"alignment": "plan", "opt_out": 0.25}
    found = run(GLOBAL, population={"segment": [plan]})
    assert found.segment_table["beneficiaries"] == (1_500,)
    assert any(a.subject == "alignment" for a in found.assumptions)


def test_a_high_performers_bonus_is_paid_outside_the_corridors():
    bonus = {"high_performers_bonus": {"distribution": "fixed", "value": 0.008}}
    reach = GLOBAL | {"program": "reach"}
    without, paid = run(reach, year=2024), run(reach, year=2024, drivers=bonus)
    np.testing.assert_allclose(
        paid.tracks[0].draws["cash_due"] - without.tracks[0].draws["cash_due"], 0.008 * 24.48e6
    )
    assert np.array_equal(
        paid.tracks[0].draws["shared_savings"], without.tracks[0].draws["shared_savings"]
    )


def test_no_bonus_before_there_was_a_pool():
    bonus = {"high_performers_bonus": {"distribution": "fixed", "value": 0.008}}
    early = run(GLOBAL, drivers=bonus).tracks[0].draws["cash_due"]
    assert np.array_equal(early, run(GLOBAL).tracks[0].draws["cash_due"])


def test_provisional_settlement_is_netted_in_the_final_one():
    """Six of twelve months at half the cost: half of what the year comes to has moved before."""
    taken = GLOBAL | {"name": "taken", "provisional_settlement": {}}
    found = run(GLOBAL, taken)
    alone, netted = (track.draws["cash_due"] for track in found.tracks)
    shared = found.tracks[0].draws["shared_after_sequestration"]
    np.testing.assert_allclose(netted, alone - shared / 2, atol=0.01)


def test_provisional_settlement_was_mandatory_in_2021():
    found = run(GLOBAL, year=2021, population=SHORT).tracks[0]
    assert not np.array_equal(found.draws["cash_due"], found.draws["shared_after_sequestration"])


@pytest.mark.parametrize(
    ("track", "sentence"),
    [
        (ENHANCED | {"capitation": "primary_care", "primary_care_capitation": {"base_rate": 0.02}},
         "no such election"),
        (ENHANCED | {"stop_loss": {"bands": [{"from": 1e5, "payout_rate": 0.5}]}},
         "no such election"),
        (GLOBAL | {"shared_savings": {}}, "no such election"),
        (GLOBAL | {"cost": {"excluded_share": 0.05}}, "no such election"),
        (ENHANCED | {"cost": {"truncation": {"ESRD": 4e5}}}, "no segment has category ESRD"),
        (ENHANCED | {"option": "basic-f"}, "basic-e"),
    ],
)  # fmt: skip
def test_what_another_program_offers_is_refused(track, sentence):
    with pytest.raises(InputError, match=sentence):
        scenario(track)


def test_one_benchmark_is_not_passed_off_as_every_programs():
    bare = {key: value for key, value in ENHANCED.items() if key != "benchmark"}
    with pytest.raises(InputError, match="needs its own target"):
        scenario(GLOBAL, bare)
    scenario(bare)  # alone, the scenario's benchmark is its own


def test_an_elected_rate_that_is_not_on_offer_is_refused():
    with pytest.raises(InputError, match=r"0\.013"):
        run(ENHANCED | {"shared_savings": {"elected_minimum_rate": 0.013}})


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_the_shared_savings_benchmark_follows_the_trends(share):
    """National growth of 5% and a region 2% above it, blended by the entity's share."""
    drivers = {
        "national_trend": {"distribution": "fixed", "value": float(np.log(1.05))},
        "regional_trend": {"distribution": "fixed", "value": float(np.log(1.02))},
    }
    elected = ENHANCED["shared_savings"] | {"regional_share": share}
    found = run(ENHANCED | {"shared_savings": elected}, drivers=drivers).tracks[0]
    expected = 20e6 * 1.05 * (share + (1 - share) * 1.02)
    np.testing.assert_allclose(found.draws["settlement_benchmark"], expected, rtol=1e-12)


# --- what is said of a scenario ---------------------------------------------------------------


def said(*tracks, **options):
    prepared = prepare(scenario(*tracks, **options), Path())
    return {each.subject: each for each in prepared.assumptions}


def test_overrides_are_told_as_the_program_shows_its_values():
    rules = {
        "discount": 0.03,
        "corridors": [[0.1, 0.5], [float("inf"), 0.2]],
        "health_equity_up_pbpm": 20,
    }
    told = said(GLOBAL | {"rules": rules})
    assert told["discount"].statement == (
        "the scenario overrides 2% of benchmark with 3% of benchmark"
    )
    assert told["corridors"].statement == (
        "the scenario overrides 0-25%: 100%, 25-35%: 50%, 35-50%: 25%, above 50%: 10% (of "
        "benchmark) with 0-10%: 50%, above 10%: 20% (of benchmark)"
    )
    assert told["health_equity_up_pbpm"].statement == (
        "the scenario overrides $0.00 PBPM with $20.00 PBPM"
    )


def test_rules_that_no_source_settles_are_told_as_the_program_shows_them():
    told = said(GLOBAL | {"program": "reach"}, year=2026)
    unsure = {name: each for name, each in told.items() if name.startswith("reach 2026 global: ")}
    for name, each in unsure.items():
        rule = load_program("reach").rules(2026, "global")[name.rpartition(" ")[2]]
        value = rule.shown.replace("\n(", " (").replace("\n", ", ")
        assert each.statement.startswith(f"{value} is {rule.confidence}")
    assert unsure["reach 2026 global: corridors"].statement.startswith("0-10%: 100%, 10-35%: 50%")


@pytest.mark.parametrize(("people", "warned"), [(4_999, True), (5_000, False), (5_001, False)])
def test_fewer_people_than_the_program_asks_for_are_settled_with_a_warning(people, warned):
    """Standard entities of 2022 needed 5,000 aligned beneficiaries."""
    told = said(GLOBAL, population={"segment": [SEGMENT | {"beneficiaries": people}]})
    assert ("warning: size" in told) == warned
    if warned:
        assert "4,999" in told["warning: size"].statement
        assert "5,000" in told["warning: size"].statement
