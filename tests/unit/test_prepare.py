"""What is known before the first draw: expected savings, the guarantee, provisional settlement."""

from __future__ import annotations

from pathlib import Path

import pytest

from simdc.drivers.resolved import DRIVER_NAMES
from simdc.engine import KEPT_LINES, simulate
from simdc.executors import Threads
from simdc.prepare import prepare
from simdc.scenario import parse_scenario
from simdc.variables import VARIABLES

GLOBAL = {"name": "global", "program": "gpdc", "option": "global"}
ONE_SIDED = {"name": "ssp", "program": "mssp", "option": "basic-a"}
PROVISIONAL = {"name": "early", "provisional_settlement": {}}


def scenario(*tracks, pbpm=960.0, year=2022, option="global", quality=1.0, **changes):
    document = {
        "run": {"draws": 500, "seed": 4},
        "entity": {
            "id": "test",
            "type": "standard",
            "performance_year": year,
            "option": option,
        },
        "population": {
            "segment": [
                {
                    "name": "everyone",
                    "category": "A&D",
                    "beneficiaries": 6_000,
                    "expected_cost_pbpm": pbpm,
                    "eligible_months": 9 if year == 2021 else 12,
                    "severity": {"distribution": "gamma", "cv": 2.0},
                }
            ]
        },
        "benchmark": {"pbpm": 1_000.0},
        "drivers": {"quality_score": {"distribution": "fixed", "value": quality}},
        "track": list(tracks),
    }
    return parse_scenario(document | changes)


def told(subject, *tracks, **options):
    found = prepare(scenario(*tracks, **options), Path()).assumptions
    return [each for each in found if each.subject.startswith(subject)]


def contracts(*tracks, **options):
    return prepare(scenario(*tracks, **options), Path()).contracts


# --- expected savings -------------------------------------------------------------------------


def test_expected_savings_are_told_beside_the_published_ones():
    # Global keeps 98% of the benchmark: 960 lies 2.04% below 980, and 22 entities saved 2.3%.
    (found,) = told("expected savings", GLOBAL)
    assert found.statement == (
        "expected cost lies 2.04% below the Global benchmark after discount and expected quality, "
        "but 22 Standard Global entities in 2021 saved 2.3% of theirs on average"
    )
    assert "public use files" in found.source


@pytest.mark.parametrize(
    ("pbpm", "relation"),
    [(956.96, "but"), (956.98, "just as"), (957.94, "just as"), (957.96, "but")],
)
def test_savings_agree_when_they_are_the_same_to_the_digits_published(pbpm, relation):
    # 2.3% to within 0.05 points: from 980 x 0.9765 = 956.97 to 980 x 0.9775 = 957.95.
    assert f", {relation} 22 " in told("expected savings", GLOBAL, pbpm=pbpm)[0].statement


def test_expected_quality_counts():
    # 1 - 2% - 5% x (1 - 0.4) = 0.95 of the benchmark.
    (found,) = told("expected savings", GLOBAL, quality=0.4)
    assert "lies 1.05% above the Global benchmark" in found.statement


def test_savings_are_those_of_the_entitys_option():
    professional = {"name": "professional", "program": "gpdc", "option": "professional"}
    (found,) = told("expected savings", GLOBAL, professional, option="professional")
    assert "lies 4% below the Professional benchmark" in found.statement
    assert "7 Standard Professional entities in 2021 saved 1.8%" in found.statement


def test_before_anything_was_published_only_the_scenarios_are_told():
    (found,) = told("expected savings", GLOBAL, year=2021)
    assert found.source == "scenario"
    assert found.statement.endswith("after discount and expected quality")


def test_shared_savings_have_no_such_published_rate():
    assert told("expected savings", ONE_SIDED) == []


# --- the guarantee ----------------------------------------------------------------------------


def test_a_required_guarantee_is_a_rate_of_a_base():
    (contract,) = contracts(GLOBAL)
    assert contract.fixed["guarantee_base"] == pytest.approx(72e6)
    assert contract.required_guarantee == pytest.approx(0.03 * 72e6)


def test_a_given_amount_is_a_rate_of_nothing():
    (contract,) = contracts(GLOBAL, guarantee={"base": "dollars", "dollars": 5e6})
    assert contract.required_guarantee == 5e6
    assert "guarantee_base" not in contract.fixed


def test_announced_rules_require_a_guarantee_of_no_stated_percentage():
    (contract,) = contracts(GLOBAL | {"program": "gpdc-2020"})
    assert contract.required_guarantee is None
    assert contract.guarantee_basis == (
        "a guarantee is required, but the documents state no percentage"
    )


@pytest.mark.parametrize("given", [{}, {"guarantee": {"base": "dollars", "dollars": 5e6}}])
def test_a_one_sided_track_requires_none(given):
    (contract,) = contracts(ONE_SIDED, **given)
    assert contract.required_guarantee is None
    assert contract.guarantee_basis.startswith("none is required")


# --- provisional settlement -------------------------------------------------------------------


def run(*tracks, **options):
    return simulate(scenario(*tracks, **options), base_dir=Path(), executor=Threads(1)).tracks


def test_what_is_settled_provisionally_is_kept_where_a_track_takes_it():
    late, early = run(GLOBAL, GLOBAL | PROVISIONAL)
    assert not late.draws["provisional_settlement"].any()
    moved = early.draws["provisional_settlement"]
    # Half the year on the same terms: half of what the year pays, and the rest afterwards.
    assert moved == pytest.approx(0.5 * late.draws["shared_after_sequestration"])
    assert early.draws["cash_due"] + moved == pytest.approx(late.draws["cash_due"])


def test_it_is_kept_for_other_programs_beside_it():
    _, other = run(GLOBAL | PROVISIONAL, ONE_SIDED | {"benchmark": {"pbpm": 1_000.0}})
    assert not other.draws["provisional_settlement"].any()


def test_nothing_is_kept_of_it_where_no_track_takes_it():
    (track,) = run(GLOBAL)
    assert tuple(track.draws) == KEPT_LINES


def test_it_is_mandatory_in_the_first_year():
    # CMS finance FAQ, October 2020, Q48.
    (track,) = run(GLOBAL, year=2021)
    assert track.draws["provisional_settlement"].any()


# --- the registry -----------------------------------------------------------------------------


def test_every_driver_is_described_and_those_of_cost_in_the_terms_of_their_law():
    assert set(DRIVER_NAMES) <= set(VARIABLES)
    for name in ("national_trend", "regional_trend", "entity_effect", "pandemic"):
        assert "factor where it is lognormal" in VARIABLES[name].long_name
