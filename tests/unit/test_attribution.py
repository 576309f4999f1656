"""What each source of uncertainty is worth, against closed forms and against runs without it.

Statistical tests use fixed seeds and bounds of four standard errors of the estimator: a right
program fails any one of them with probability 6e-5.
"""

from __future__ import annotations

import copy
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri

from simdc.attribution import ALL_DRIVERS, LEVEL, LINES, PEOPLE, _expected_payouts, attribute
from simdc.engine import simulate
from simdc.estimate import UnsupportedEstimate, mean, probability, quantile, standard_deviation
from simdc.executors import Threads
from simdc.population import build_population
from simdc.report.document import render_json
from simdc.report.terminal import render_run
from simdc.result import add_attribution, build_result, group, read_result, write_result
from simdc.scenario import LoadedScenario, parse_scenario
from simdc.shares import change_of_quantile, explained_share, mean_in_worst, removed_share
from simdc.stop_loss import expected_payout
from simdc.variables import VARIABLES

ALARM = 4.0
DRAWS = 20_000

# No corridor and no sequestration, so that what is settled is benchmark less cost.
LINEAR = {"corridors": [[math.inf, 1.0]], "sequestration_shared_savings": 0.0}
PLAIN = {
    "run": {"draws": DRAWS, "seed": 11},
    "entity": {"id": "test", "type": "standard", "performance_year": 2022},
    "population": {
        "segment": [
            {
                "name": "all",
                "category": "A&D",
                "beneficiaries": 1500,
                "expected_cost_pbpm": 1000.0,
                "severity": {"distribution": "lognormal", "cv": 1.6},
            }
        ]
    },
    "benchmark": {"pbpm": 1030.0},
    "track": [{"name": "linear", "program": "gpdc", "option": "global", "rules": LINEAR}],
}
STOP_LOSS = {
    "bands": [
        {"from": 60_000, "to": 150_000, "payout_rate": 0.5},
        {"from": 150_000, "payout_rate": 0.9},
    ],
    "charge": {"pbpm": 12.0},
}
PROFESSIONAL = {
    "name": "professional",
    "program": "gpdc",
    "option": "professional",
    "capitation": "primary_care",
    "primary_care_capitation": {"base_rate": 0.02, "enhanced_rate": 0.04},
    "stop_loss": STOP_LOSS,
}
SD = {"regional_trend": 0.03, "entity_effect": 0.04}
TWO_DRIVERS = {name: {"distribution": "normal", "sd": sd} for name, sd in SD.items()}
CENTRED = {
    **TWO_DRIVERS,
    "national_trend": {"distribution": "normal", "sd": 0.03},
    "completion": {"distribution": "normal", "mean": 1.0, "sd": 0.01},
    "correlation": {
        "drivers": ["national_trend", "regional_trend"],
        "matrix": [[1.0, 0.4], [0.4, 1.0]],
    },
}


def scenario(**changes):
    return parse_scenario(copy.deepcopy(PLAIN) | copy.deepcopy(changes))


def run(asked, **options):
    return simulate(asked, base_dir=Path(), **{"executor": Threads(1), **options})


def attributed(asked):
    simulation = run(asked)
    return simulation, attribute(simulation, asked, base_dir=Path(), executor=Threads(1))


# --- the variance of a linear settlement ------------------------------------------------------


def analytic_shares():
    """Of (1 + v1)(1 + v2)(1 + v) - 1, the squared coefficient of variation of the cost."""
    people = build_population(scenario().population, Path()).segments[0]
    parts = {name: math.expm1(sd**2) for name, sd in SD.items()}
    parts[PEOPLE] = people.severity.cv**2 / people.beneficiaries
    whole = math.prod(1.0 + part for part in parts.values()) - 1.0
    shares = {name: part / whole for name, part in parts.items()}
    drivers = (1.0 + parts["regional_trend"]) * (1.0 + parts["entity_effect"]) - 1.0
    return shares | {ALL_DRIVERS: drivers / whole}


def standard_error(share):
    """Of an explained share of nearly normal sources: that of a squared correlation."""
    return 2.0 * math.sqrt(share) * (1.0 - share) / math.sqrt(DRAWS)


@pytest.fixture(scope="module")
def linear():
    return attributed(scenario(drivers=TWO_DRIVERS))


@pytest.mark.parametrize("source", [*SD, ALL_DRIVERS, PEOPLE])
def test_shares_are_those_of_the_closed_form(linear, source):
    figures = linear[1].tracks["linear"][source]
    exact = analytic_shares()[source]
    # What curvature the groups' lines leave out is below a thousandth.
    bound = ALARM * standard_error(exact) + 1e-3
    for line in LINES:
        assert abs(figures.variance_share[line].value - exact) < bound
        assert abs(figures.variance_removed[line].value - exact) < bound
        assert figures.variance_share[line].standard_error == pytest.approx(
            standard_error(exact), rel=0.25
        )


def test_shares_of_a_linear_settlement_sum_to_one(linear):
    figures = linear[1].tracks["linear"]
    exact = analytic_shares()
    for names in ([*SD, PEOPLE], [ALL_DRIVERS, PEOPLE]):
        found = sum(figures[name].variance_share["cash_due"].value for name in names)
        bound = ALARM * math.hypot(*(standard_error(exact[name]) for name in names)) + 2e-3
        assert abs(found - 1.0) < bound


def test_means_in_the_worst_draws_are_those_of_a_normal_law(linear):
    """E[X | Y among its lowest p] = rho sd phi(z) / p."""
    z = ndtri(1.0 - LEVEL)
    tilt = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) / (1.0 - LEVEL)
    simulation, found = linear
    cash = simulation.tracks[0].draws["cash_due"]
    for name, sd in SD.items():
        worst = found.tracks["linear"][name].driver_mean_in_worst
        rho = -np.corrcoef(simulation.drivers[name], cash)[0, 1]
        # The cost is slightly skewed: a few per cent of the shift.
        assert abs(worst.value - rho * sd * tilt) < ALARM * worst.standard_error + 0.05 * sd
        assert found.means[name].value == pytest.approx(0.0, abs=ALARM * sd / math.sqrt(DRAWS))
    assert found.tracks["linear"][PEOPLE].driver_mean_in_worst.value > 1.0


# --- what-ifs ---------------------------------------------------------------------------------


def assert_settled_like(figures, draws):
    owed = np.maximum(-draws["cash_due"], 0.0)
    for line in LINES:
        for estimator, found in (
            (mean, figures.what_if_mean),
            (standard_deviation, figures.what_if_standard_deviation),
        ):
            assert found[line] == pytest.approx(estimator(draws[line]), rel=1e-9)
    assert figures.what_if_covering_amount == pytest.approx(quantile(owed, LEVEL), rel=1e-9)
    assert figures.what_if_probability_owing == probability(np.count_nonzero(owed), owed.size)


@pytest.fixture(scope="module")
def contracts():
    return attributed(scenario(track=[*PLAIN["track"], PROFESSIONAL], drivers=CENTRED))


def test_all_drivers_fixed_is_a_run_without_drivers(contracts):
    _, found = contracts
    without = run(scenario(track=[*PLAIN["track"], PROFESSIONAL]))
    for track in without.tracks:
        assert_settled_like(found.tracks[track.name][ALL_DRIVERS], track.draws)


@pytest.mark.parametrize("name", ["national_trend", "completion"])
def test_one_driver_fixed_is_a_run_without_it(contracts, name):
    """A correlated one too: the others keep their draws."""
    _, found = contracts
    fixed = CENTRED | {name: {"distribution": "fixed", "value": float(name == "completion")}}
    without = run(scenario(track=[*PLAIN["track"], PROFESSIONAL], drivers=fixed))
    for track in without.tracks:
        assert_settled_like(found.tracks[track.name][name], track.draws)


def test_the_change_of_the_covering_amount_is_between_the_two_amounts(contracts):
    simulation, found = contracts
    for track in simulation.tracks:
        before = quantile(np.maximum(-track.draws["cash_due"], 0.0), LEVEL).value
        for figures in found.tracks[track.name].values():
            change = figures.what_if_covering_amount.value - before
            assert figures.covering_change.value == pytest.approx(change, abs=1e-6)


def test_a_lognormal_driver_is_fixed_at_its_mean_factor():
    drivers = {"entity_effect": {"distribution": "lognormal", "mean": 1.02, "cv": 0.05}}
    _, found = attributed(scenario(drivers=drivers))
    dearer = run(
        scenario(drivers={"entity_effect": {"distribution": "fixed", "value": math.log(1.02)}})
    )
    assert_settled_like(found.tracks["linear"]["entity_effect"], dearer.tracks[0].draws)


def test_people_held_at_their_mean_leave_no_variance_without_drivers():
    neutral = {**STOP_LOSS, "charge": "neutral"}
    track = {**PLAIN["track"][0], "stop_loss": neutral}
    _, found = attributed(scenario(track=[track]))
    assert found.sources == (ALL_DRIVERS, PEOPLE)
    people = found.tracks["linear"][PEOPLE]
    assert people.variance_share["cash_due"].value == pytest.approx(1.0, abs=1e-12)
    assert people.variance_removed["cash_due"].value == pytest.approx(1.0, abs=1e-12)
    assert people.what_if_standard_deviation["cash_due"].value == pytest.approx(0.0, abs=1e-3)
    # The charge is the expected payout, so they cancel: 98% of the benchmark less expected cost.
    exact = (0.98 * 1030.0 - 1000.0) * 12 * 1500
    assert people.what_if_mean["cash_due"].value == pytest.approx(exact, rel=1e-9)
    drivers = found.tracks["linear"][ALL_DRIVERS]
    assert drivers.variance_share["cash_due"].value == 0.0
    assert drivers.variance_removed["cash_due"].value == 0.0
    assert drivers.covering_change.value == 0.0


def test_expected_payouts_follow_the_factor():
    asked = scenario(track=[PROFESSIONAL])
    (segment,) = build_population(asked.population, Path()).segments
    design = asked.track[0].stop_loss
    factor = np.exp(np.random.default_rng(5).normal(0.0, 0.06, 200))
    found = _expected_payouts(design, segment, factor)
    exact = [expected_payout(design, segment, np.array([f]), np.ones(1)) for f in factor]
    np.testing.assert_allclose(found, exact, rtol=1e-6)
    same = _expected_payouts(design, segment, np.ones(3))
    np.testing.assert_allclose(same, expected_payout(design, segment, np.ones(1), np.ones(1)))


# --- drivers that do nothing ------------------------------------------------------------------


def test_a_driver_that_is_off_is_no_source():
    drivers = {"entity_effect": {"distribution": "normal", "sd": 0.0}, "pandemic": None}
    _, found = attributed(scenario(drivers=drivers))
    assert found.sources == (ALL_DRIVERS, PEOPLE)


def test_a_driver_that_acts_on_nothing_explains_nothing():
    rules = LINEAR | {"quality_withhold": 0.0}
    drivers = {"quality_score": {"distribution": "beta", "alpha": 4, "beta": 1}, **TWO_DRIVERS}
    _, found = attributed(scenario(track=[{**PLAIN["track"][0], "rules": rules}], drivers=drivers))
    figures = found.tracks["linear"]["quality_score"]
    # Of 64 coefficients fitted to nothing: a variance of 2 x 64 / n^2.
    assert abs(figures.variance_share["cash_due"].value) < ALARM * math.sqrt(128) / DRAWS
    assert figures.variance_removed["cash_due"].value == 0.0
    assert figures.covering_change[:2] == (0.0, 0.0)


# --- estimators -------------------------------------------------------------------------------


def test_an_explained_share_needs_no_straight_line():
    """Y = X^2 + e: the correlation is zero, the share is 2 / (2 + 1)."""
    rng = np.random.default_rng(8)
    x, noise = rng.normal(size=(2, 50_000))
    found = explained_share(x**2 + noise, x)
    assert abs(found.value - 2.0 / 3.0) < ALARM * found.standard_error + 2e-3


def test_an_explained_share_of_a_rare_event():
    """Y = 5 B + e with B of probability 1%: 25 x 0.0099 / (25 x 0.0099 + 1)."""
    rng = np.random.default_rng(9)
    event = (rng.random(50_000) < 0.01).astype(float)
    found = explained_share(5.0 * event + rng.normal(size=event.size), event)
    exact = 25 * 0.0099 / (25 * 0.0099 + 1)
    assert abs(found.value - exact) < ALARM * found.standard_error


ESTIMATORS = {
    "explained_share": lambda x, e: explained_share(x + e, x),
    "removed_share": lambda x, e: removed_share(x + e, e),
    "mean_in_worst": lambda x, e: mean_in_worst(x, x + e, 0.01),
    "change_of_quantile": lambda x, e: change_of_quantile(x + e, e, 0.99),
}
EXACT = {
    "explained_share": 0.5,
    "removed_share": 0.5,
    "mean_in_worst": -2.665214 / math.sqrt(2.0),  # phi(z) / p at p = 1%
    "change_of_quantile": 2.326348 * (1.0 - math.sqrt(2.0)),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_errors_are_what_repetition_shows(name):
    """300 repetitions know a standard deviation to 4%; the errors are asymptotic themselves."""
    rng = np.random.default_rng(10)
    found = [ESTIMATORS[name](*rng.normal(size=(2, 4000))) for _ in range(300)]
    values = np.array([each.value for each in found])
    told = np.mean([each.standard_error for each in found])
    assert told == pytest.approx(values.std(), rel=0.25)
    # An empirical quantile of 4,000 draws is off by a hundredth of the spread or two.
    assert abs(values.mean() - EXACT[name]) < ALARM * values.std() / math.sqrt(300) + 0.015


def test_too_few_draws_are_refused():
    few = np.arange(99.0)
    with pytest.raises(UnsupportedEstimate, match="takes 100 draws or more"):
        explained_share(few, few)
    with pytest.raises(UnsupportedEstimate, match="takes 1,000 draws or more"):
        mean_in_worst(few, few, 0.01)
    with pytest.raises(UnsupportedEstimate, match="takes 368 draws or more"):
        change_of_quantile(few, few, 0.99)


def test_a_share_of_no_variance_is_refused():
    with pytest.raises(UnsupportedEstimate, match="variance of zero"):
        removed_share(np.ones(500), np.ones(500))


# --- results ----------------------------------------------------------------------------------


def tree_of(asked):
    simulation, found = attributed(asked)
    loaded = LoadedScenario(asked, "", Path("test.toml"), Path(), "0" * 64)
    return found, add_attribution(build_result(simulation, loaded), found)


@pytest.fixture(scope="module")
def tree():
    """The figures, and the result that holds them."""
    return tree_of(scenario(run={"draws": 2000, "seed": 1}, drivers=TWO_DRIVERS))


def test_the_result_holds_the_figures_as_the_registry_describes_them(tree, tmp_path):
    found, built = tree
    write_result(built, tmp_path / "x.nc")
    with read_result(tmp_path / "x.nc") as read:
        kept = group(read, "attribution")
        for name, variable in kept.variables.items():
            assert variable.dims == VARIABLES[name].dims, name
            assert variable.attrs["units"] == VARIABLES[name].units
        for source in found.sources:
            figures = found.tracks["linear"][source]
            share = kept["variance_share"].sel(track="linear", driver=source, line="cash_due")
            assert tuple(share.values) == figures.variance_share["cash_due"]
            change = kept["covering_change"].sel(track="linear", driver=source)
            assert tuple(change.values) == figures.covering_change


def test_the_report_shows_every_source_within_80_columns(tree):
    found, built = tree
    out = io.StringIO()
    render_run(built, out)
    text = out.getvalue()
    assert "What drives the outcome of track linear" in text
    shown = text[text.index("What drives") :]
    assert all(source.split("_")[0] in shown for source in found.sources)
    assert max(map(len, text.splitlines())) <= 80


def test_json_has_the_figures_by_track_and_driver(tree):
    found, built = tree
    document = json.loads(json.dumps(render_json(built), allow_nan=False))
    told = document["attribution"]["linear"]["entity_effect"]
    figures = found.tracks["linear"]["entity_effect"]
    assert (
        told["variance_share"]["cash_due"]["estimate"] == figures.variance_share["cash_due"].value
    )
    assert told["covering_change"]["ci_low"] == figures.covering_change.low


def test_json_of_a_run_without_attribution_says_so(tree):
    _, built = tree
    assert render_json(built.drop_nodes("attribution"))["attribution"] is None
