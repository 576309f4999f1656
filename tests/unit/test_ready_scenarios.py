"""The ready scenarios: they run, and their figures follow from the published ones they cite."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from simdc.engine import simulate
from simdc.population import build_population
from simdc.priors import expected_savings_rate
from simdc.programs import load_program
from simdc.scenario import load_scenario

FOLDER = Path(__file__).parents[2] / "scenarios"
READY = sorted(FOLDER.glob("*.toml"))


def published_entity(loaded):
    """The option of the published outcome, which expected cost is set for."""
    scenario = loaded.scenario
    track = next(t for t in scenario.track if t.name == scenario.observed.track)
    return scenario.entity, track


def test_there_is_one_for_each_kind_of_entity():
    kinds = set()
    for path in READY:
        entity, track = published_entity(load_scenario(path))
        kinds.add((entity.type, track.option))
    assert {
        ("standard", "global"),
        ("standard", "professional"),
        ("new_entrant", "global"),
        ("high_needs", "global"),
    } <= kinds
    assert len(READY) >= 5


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_expected_cost_follows_the_published_benchmark(path):
    """Benchmark x (1 - discount - withhold x (1 - expected quality)) x (1 - mean savings rate)."""
    loaded = load_scenario(path)
    entity, track = published_entity(loaded)
    rules = load_program(track.program).rules(entity.performance_year, track.option, entity.type)
    savings = expected_savings_rate(entity.type, track.option, entity.performance_year).mean
    expected_quality = 1.0  # every entity scored 100% in 2021
    bracket = (
        1.0 - rules.value("discount") - rules.value("quality_withhold") * (1 - expected_quality)
    )
    expected = loaded.scenario.benchmark.dollars * bracket * (1.0 - savings)
    people = build_population(loaded.scenario.population, loaded.base_dir)
    total = sum(segment.total_expected_cost for segment in people.segments)
    assert total == pytest.approx(expected, rel=1e-5)  # typed to a hundredth of a cent


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_observed_figures_agree_with_each_other(path):
    """Shared is gross through the corridors; paid is shared after sequestration."""
    from simdc.settlement.direct_contracting import Terms
    from simdc.settlement.steps import sequester, share_in_corridors

    loaded = load_scenario(path)
    observed = loaded.scenario.observed
    entity, track = published_entity(loaded)
    rules = load_program(track.program).rules(entity.performance_year, track.option, entity.type)
    terms = Terms.from_rules(rules)
    final = observed.gross_savings / observed.gross_savings_rate
    shared = share_in_corridors(observed.gross_savings, final, terms.corridors)
    assert shared == pytest.approx(observed.shared_savings, rel=1e-5)
    paid = sequester(observed.shared_savings, terms.sequestration_shared_savings)
    assert paid == pytest.approx(observed.shared_after_sequestration, abs=0.10)


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_each_settles_the_six_tracks(path):
    loaded = load_scenario(path)
    simulation = simulate(loaded.scenario, base_dir=loaded.base_dir, draws=64)
    found = {
        (track.option, track.capitation, track.stop_loss is not None)
        for track in loaded.scenario.track
    }
    options = [
        ("professional", "primary_care"),
        ("global", "primary_care"),
        ("global", "total_care"),
    ]
    assert found == {(*o, s) for o, s in product(options, (False, True))}
    assert len(simulation.tracks) == 6
