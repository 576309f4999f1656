"""Several performance years: each by its own rules, on luck of its own, and together."""

from __future__ import annotations

import copy
import io
import json
import math
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from simdc.cli.validate import command as validate
from simdc.engine import simulate
from simdc.errors import InputError
from simdc.executors import Threads
from simdc.population import build_population
from simdc.programs import load_program
from simdc.report.document import render_json
from simdc.report.terminal import render_run
from simdc.result import read_result, write_result
from simdc.runner import run
from simdc.scenario import load_scenario, parse_scenario
from simdc.scenario.load import LoadedScenario
from simdc.scenario.rolling import entity_effect_correlation, of_year
from simdc.settlement.provisional import Calendar
from simdc.years import simulate_years
from simdc.years.calendar import SettledYear, event_dates, guarantee_calendar

# Four standard errors: a false alarm once in about 16,000 comparisons.
ALARM = 4.0
FOLDER = Path(__file__).parents[2] / "scenarios"

SCENARIO = {
    "run": {"draws": 400, "seed": 11},
    "entity": {"id": "test", "type": "standard", "performance_year": 2022},
    "population": {
        "segment": [
            {
                "name": "many",
                "category": "A&D",
                "beneficiaries": 800,
                "expected_cost_pbpm": 1000.0,
                "severity": {"distribution": "gamma", "total_cv": 2.0, "risk_share": 0.12},
            },
            {
                "name": "few",
                "category": "ESRD",
                "beneficiaries": 20,
                "expected_cost_pbpm": 8000.0,
                "severity": {"distribution": "lognormal", "cv": 0.8},
            },
        ]
    },
    "benchmark": {"pbpm": 1250.0},
    "drivers": {
        "national_trend": {"distribution": "normal", "sd": 0.03},
        "entity_effect": {"distribution": "normal", "sd": 0.05},
        "quality_score": {"distribution": "beta", "alpha": 9, "beta": 1},
    },
    "track": [
        {
            "name": "global",
            "program": "gpdc",
            "option": "global",
            "stop_loss": {"bands": [{"from": 80_000, "payout_rate": 0.8}]},
            "from_year": {"2023": {"program": "reach"}},
        },
        {
            "name": "professional",
            "program": "gpdc",
            "option": "professional",
            "provisional_settlement": {},
            "from_year": {"2023": {"program": "reach"}},
        },
    ],
    "years": {"through": 2024, "benchmark_growth": 0.04},
}


def document(**changes):
    """The scenario with some tables changed key by key, or taken out where None."""
    changed = copy.deepcopy(SCENARIO)
    for table, values in changes.items():
        if values is None:
            del changed[table]
        elif isinstance(values, dict):
            changed.setdefault(table, {}).update(copy.deepcopy(values))
        else:
            changed[table] = copy.deepcopy(values)
    return changed


def scenario(**changes):
    return parse_scenario(document(**changes))


def years_of(asked, **options):
    return simulate_years(asked, base_dir=Path(), **{"executor": Threads(1), **options})


def lines_of(track):
    return {name: values.tobytes() for name, values in track.draws.items()}


@pytest.fixture(scope="module")
def three():
    return years_of(scenario())


def correlation_alarm(asked: float, draws: int) -> float:
    """Bound on the error of a correlation of normal pairs."""
    return ALARM * (1.0 - asked**2) / math.sqrt(draws)


# --- draws ------------------------------------------------------------------------------------


def test_the_first_year_has_the_bits_of_a_scenario_without_later_ones(three):
    tracks = [{**track, "from_year": {}} for track in SCENARIO["track"]]
    alone = scenario(years=None, track=tracks)
    single = simulate(alone, base_dir=Path(), executor=Threads(1))
    for mine, theirs in zip(three.years[0].tracks, single.tracks, strict=True):
        assert lines_of(mine) == lines_of(theirs)
    assert three.first.cost.tobytes() == single.cost.tobytes()


def test_a_further_year_changes_no_draw_of_the_others(three):
    two = years_of(scenario(years={"through": 2023}))
    for mine, theirs in zip(two.years, three.years, strict=False):
        assert mine.year == theirs.year
        for track, other in zip(mine.tracks, theirs.tracks, strict=True):
            assert lines_of(track) == lines_of(other)


def test_a_run_of_draws_is_part_of_a_longer_one(three):
    part = years_of(scenario(), first_draw=100, draws=50, block_size=17)
    for mine, theirs in zip(part.years, three.years, strict=True):
        for track, other in zip(mine.tracks, theirs.tracks, strict=True):
            assert np.array_equal(track.draws["cash_due"], other.draws["cash_due"][100:150])


def test_years_have_luck_of_their_own():
    still = years_of(scenario(drivers={"entity_effect": None, "national_trend": None}), draws=4000)
    cost = np.array([year.tracks[0].draws["net_cost_of_care"] for year in still.years])
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(cost[i], cost[j])[0, 1]) < correlation_alarm(0.0, 4000)


@pytest.mark.parametrize("asked", [-0.3, 0.0, 0.6, 0.9])
def test_the_entity_effect_is_carried_over(asked):
    draws = 20_000
    few = scenario(years={"entity_effect_correlation": asked})
    segment = few.population.segment[0].model_copy(update={"beneficiaries": 16})
    few = few.model_copy(
        update={"population": few.population.model_copy(update={"segment": (segment,)})}
    )
    effect = np.array([year.drivers["entity_effect"] for year in years_of(few, draws=draws).years])
    for i, j in ((0, 1), (1, 2), (0, 2)):
        expected = asked ** (j - i)
        found = np.corrcoef(effect[i], effect[j])[0, 1]
        assert abs(found - expected) < correlation_alarm(expected, draws)
    assert np.abs(effect.std(axis=1) - 0.05).max() < ALARM * 0.05 / math.sqrt(2 * draws)


def test_correlation_within_a_year_stays_beside_that_between_years():
    draws, between = 20_000, -0.5
    given = {
        "drivers": ["national_trend", "entity_effect"],
        "matrix": [[1.0, between], [between, 1.0]],
    }
    asked = scenario(drivers={"correlation": given})
    for year in years_of(asked, draws=draws).years:
        found = np.corrcoef(year.drivers["national_trend"], year.drivers["entity_effect"])[0, 1]
        assert abs(found - between) < correlation_alarm(between, draws)


def test_people_who_stay_may_keep_their_luck():
    """The total's luck has the correlation persistence x (1 - turnover), of successive years."""
    draws = 4000
    still = {"drivers": {"entity_effect": None, "national_trend": None, "quality_score": None}}
    kept = {"cost_persistence": 0.8, "alignment_turnover": 0.25}
    outcome = years_of(scenario(**still, years=kept, track=[{**SCENARIO["track"][1]}]), draws=draws)
    cost = np.array([year.tracks[0].draws["net_cost_of_care"] for year in outcome.years])
    people = build_population(scenario().population, Path()).segments
    variance = np.concatenate([(s.expected_cost * s.severity.cv) ** 2 for s in people])
    # Who keeps their luck is itself a sample of people.
    of_people = 0.5 * math.sqrt(float((variance**2).sum())) / float(variance.sum())
    for i, j, expected in ((0, 1, 0.6), (1, 2, 0.6), (0, 2, 0.36)):
        found = np.corrcoef(cost[i], cost[j])[0, 1]
        assert abs(found - expected) < correlation_alarm(expected, draws) + ALARM * of_people
    # Keeping luck changes no year's own law.
    spread = math.sqrt(float(variance.sum())) * np.array([1.0, 1.04, 1.04**2])
    assert np.abs(cost.std(axis=1) / spread - 1.0).max() < 0.1


def test_a_shock_is_followed_by_its_recovery():
    shock = {"distribution": "shock", "probability": 0.3, "size": -0.1, "recovery": 0.4}
    outcome = years_of(scenario(drivers={"pandemic": shock}), draws=4000)
    first, second, third = (year.drivers["pandemic"] for year in outcome.years)
    for before, after in ((first, second), (second, third)):
        struck = before == -0.1
        assert struck.any()
        assert np.allclose(after[struck], -0.06)
        assert set(np.unique(after[~struck])) == {-0.1, 0.0}


def test_a_shock_without_recovery_lasts_two_years_and_no_more():
    shock = {"distribution": "shock", "probability": 0.1, "size": -0.1, "recovery": 0.0}
    draws = 20_000
    outcome = years_of(scenario(drivers={"pandemic": shock}), draws=draws)
    first, second, third = (np.isclose(year.drivers["pandemic"], -0.1) for year in outcome.years)
    # Struck in this year or the one before: 0.2 of the first; later the wake of the year before's
    # shock, or a shock of 0.1 of the others. False alarm: once in a million (4.9 sd).
    for struck, expected in ((first, 0.2), (second, 0.1 + 0.9 * 0.1), (third, 0.09 + 0.91 * 0.1)):
        error = math.sqrt(expected * (1 - expected) / draws)
        assert abs(struck.mean() - expected) < 4.9 * error


def test_who_has_left_takes_no_further_part():
    leaving = {"distribution": "bernoulli", "probability": 0.3}
    outcome = years_of(scenario(drivers={"early_exit": leaving}))
    gone = np.zeros(400, dtype=bool)
    for year in outcome.years:
        for track in year.tracks:
            assert not track.draws["cash_due"][gone].any()
            assert track.draws["cash_due"][~gone].all()
        gone |= year.drivers["early_exit"] == 1.0
    assert 0 < gone.sum() < gone.size


# --- rules and amounts ------------------------------------------------------------------------


def test_each_year_is_settled_by_its_own_rules(three):
    """Global: 2% discount and 5% withhold in 2022, 3% and 2% in 2023 (CMS, see the programs)."""
    for year, discount, withhold in zip(three.years, (0.02, 0.03), (0.05, 0.02), strict=False):
        track = year.tracks[0]
        quality = year.drivers["quality_score"]
        trend = year.drivers["national_trend"] - 0.5 * 0.03**2
        deviation = np.exp(trend) - 1.0
        adjusted = np.where(np.abs(deviation) < 0.01, 1.0, 1.0 + deviation)
        expected = (
            track.fixed["unadjusted_benchmark"]
            * adjusted
            * (1.0 - discount - withhold * (1.0 - quality))
        )
        assert track.draws["final_benchmark"] == pytest.approx(expected, rel=1e-12)


def test_the_program_changes_when_it_is_told_to(three):
    assert [year.tracks[0].program for year in three.years] == ["gpdc", "reach", "reach"]
    assert [year.tracks[0].rules.year for year in three.years] == [2022, 2023, 2024]


def test_benchmark_and_cost_grow(three):
    months = 820 * 12
    for k, year in enumerate(three.years):
        assert year.tracks[0].fixed["unadjusted_benchmark"] == pytest.approx(
            1250.0 * months * 1.04**k
        )
        assert year.expected_cost == pytest.approx((800 * 1000 + 20 * 8000) * 12 * 1.04**k)
        required = {2022: 0.03, 2023: 0.03, 2024: 0.04}[year.year]
        assert year.tracks[0].required_guarantee == pytest.approx(
            required * 1250.0 * months * 1.04**k
        )


def test_a_year_may_have_its_own_benchmark_from_which_later_ones_grow():
    asked = scenario(
        years={
            "benchmark": {"2023": {"pbpm": 1400.0}},
            "benchmark_growth": {"2024": 0.05},
            "expected_cost_growth": {"2023": 0.1},
        }
    )
    pbpm = [of_year(asked, year).benchmark.pbpm for year in (2022, 2023, 2024)]
    assert pbpm == pytest.approx([1250.0, 1400.0, 1470.0])
    cost = [year.expected_cost for year in years_of(asked, draws=4).years]
    assert cost[1] == pytest.approx(1.1 * cost[0])
    assert cost[2] == pytest.approx(cost[1])


def test_changes_of_a_track_hold_from_their_year_on():
    changes = {"2023": {"program": "reach", "rules": {"discount": 0.01}}, "2024": {"rules": {}}}
    asked = scenario(track=[{**SCENARIO["track"][0], "from_year": changes}])
    discounts = [year.tracks[0].rules.value("discount") for year in years_of(asked, draws=4).years]
    assert discounts == [0.02, 0.01, 0.03]


def test_after_a_short_first_year_everybody_is_aligned_for_a_whole_one():
    segments = copy.deepcopy(SCENARIO["population"]["segment"])
    for segment in segments:
        segment["eligible_months"] = 9
    asked = scenario(
        entity={"performance_year": 2021},
        population={"segment": segments},
        benchmark={"pbpm": 1250.0, "seasonality": 0.97},
        years={
            "through": 2022,
            "benchmark_growth": 0.0,
            "entity_effect_correlation": 0.6,
        },
        track=[{"name": "global", "program": "gpdc", "option": "global"}],
    )
    first, second = years_of(asked, draws=4).years
    assert second.expected_cost == pytest.approx(first.expected_cost * 12 / 9)
    unadjusted = [year.tracks[0].fixed["unadjusted_benchmark"] for year in (first, second)]
    assert unadjusted[1] == pytest.approx(unadjusted[0] * 12 / 9)
    assert of_year(asked, 2022).benchmark.seasonality == 1.0


def test_reference_scores_roll_where_the_benchmark_is_built():
    """The reference year of the cap: 2020 for 2022, 2021 for 2023, 2022 for 2024 and after."""
    built = {
        "mode": "built",
        "base_year": [
            {
                "category": "A&D",
                "year": year,
                "pbpm": 900.0,
                "uspcc_trend": 1.2,
                "risk_score": 1.0,
            }
            for year in (2017, 2018, 2019)
        ],
        "region": [{"category": "A&D", "uspcc_pbpm": 1090.0, "rate_pbpm": 1120.0}],
        "risk": [{"category": "A&D", "raw_score": 1.21, "reference_score": 1.0}],
    }
    asked = document(benchmark=None, years={"through": 2025})
    asked["benchmark"] = built
    asked["population"]["segment"] = asked["population"]["segment"][:1]
    loaded = parse_scenario(asked)
    scores = [of_year(loaded, year).benchmark.risk[0].reference_score for year in range(2022, 2026)]
    assert scores == pytest.approx([1.0, 1.1, 1.21, 1.21])
    region = of_year(loaded, 2024).benchmark.region[0]
    assert region.uspcc_pbpm == pytest.approx(1090.0 * 1.04**2)
    assert region.rate_pbpm == pytest.approx(1120.0 * 1.04**2)
    assert of_year(loaded, 2024).benchmark.base_year[0].uspcc_trend == pytest.approx(1.2 * 1.04**2)
    told = {each.subject for each in years_of(loaded, draws=16).first.assumptions}
    assert "later reference scores" in told
    assert "later reference scores" not in {
        each.subject for each in years_of(scenario(), draws=16).first.assumptions
    }


# A book whose years roll with the performance year keeps the length of its trend; one whose years
# are held, such as to leave 2020 out, is one more year behind.
@pytest.mark.parametrize(
    ("rules", "trend"),
    [({}, 1.2), ({"rate_book_years": [2017, 2018, 2019]}, 1.2 * 1.04)],
)
def test_the_trend_of_a_rate_book_follows_its_years(tmp_path, rules, trend):
    for name in ("months.csv", "costs.csv"):
        (tmp_path / name).touch()
    asked = document(benchmark=None, years={"through": 2023})
    asked["track"] = [asked["track"][0] | {"rules": rules}]
    asked["population"]["segment"] = asked["population"]["segment"][:1]
    asked["benchmark"] = {
        "mode": "built",
        "base_year": [
            {"category": "A&D", "year": y, "pbpm": 900.0, "uspcc_trend": 1.2, "risk_score": 1.0}
            for y in (2017, 2018, 2019)
        ],
        "region": [{"category": "A&D", "uspcc_pbpm": 1090.0}],
        "rate_book": {
            "months_file": "months.csv",
            "costs_file": "costs.csv",
            "uspcc_trend": {"A&D": 1.2},
        },
        "risk": [{"category": "A&D", "raw_score": 1.0}],
    }
    later = of_year(parse_scenario(asked, base_dir=tmp_path), 2023).benchmark.rate_book
    assert later.uspcc_trend["A&D"] == pytest.approx(trend)


def test_the_default_correlation_is_the_published_one():
    """0.63 between Shared Savings entities, 0.64 and 0.59 between those of Direct Contracting."""
    for year, seen in ((2022, "0.63"), (2023, "0.64"), (2024, "0.59")):
        programs = {"program": "gpdc" if year == 2022 else "reach", "from_year": {}}
        if year == 2022:
            programs["from_year"] = {"2023": {"program": "reach"}}
        asked = scenario(
            entity={"performance_year": year},
            years={"through": year + 1},
            track=[{**SCENARIO["track"][0], **programs}],
        )
        value, basis, source = entity_effect_correlation(asked)
        assert value == 0.6
        assert seen in basis
        assert "public use file" in source
        assert ("0.59" in basis) == (year > 2023)  # no evidence of the years to be simulated


# --- totals and guarantees --------------------------------------------------------------------


@pytest.fixture(scope="module")
def tree():
    asked = scenario()
    loaded = LoadedScenario(asked, "", Path("three.toml"), Path(), "0" * 64)
    return run(loaded, executor=Threads(1))


def test_the_total_is_the_sum_of_the_years_in_every_draw(tree, three):
    draws = tree["years/draws"]
    assert np.allclose(
        draws["cash_of_years"].values, draws["cash_of_year"].sum("year").values, rtol=1e-13
    )
    for place, name in enumerate(("global", "professional")):
        expected = sum(
            year.tracks[place].draws["cash_due"]
            + (year.tracks[place].draws["provisional_settlement"] if place else 0.0)
            for year in three.years
        )
        assert np.allclose(draws["cash_of_years"].sel(track=name).values, expected, rtol=1e-12)
    years = tree["years"].dataset
    cash = draws["cash_of_year"]
    owing = years["probability_owing_of_year"].sel(figure="estimate")
    assert np.array_equal(owing.values, (cash < 0).mean("draw").values)
    any_year = years["probability_owing_in_any_year"].sel(figure="estimate")
    assert np.array_equal(any_year.values, (cash < 0).any("year").mean("draw").values)


def test_guarantees_of_two_years_that_overlap():
    """2021 is settled finally in June 2023, 2022 in July 2023 (CMS finance FAQ, 2020, Q48)."""
    calendars = {
        year: Calendar.from_rules(load_program("gpdc").rules(year, "global"))
        for year in (2021, 2022)
    }
    draws = np.arange(1000, dtype=np.float64)
    years = {
        2021: SettledYear(calendars[2021], True, 3.0, cash_due=-draws, moved=0.25 * draws),
        2022: SettledYear(calendars[2022], False, 4.0, cash_due=500.0 - draws, moved=0.0 * draws),
    }
    events = event_dates(years)
    assert events == {
        date(2021, 4, 1): ["2021 starts"],
        date(2022, 1, 1): ["2022 starts"],
        date(2022, 6, 1): ["2021 provisional"],
        date(2023, 6, 1): ["2021 final"],
        date(2023, 7, 1): ["2022 final"],
    }
    standing = guarantee_calendar(years, list(events), levels=(0.9,))
    assert [each.years for each in standing] == [(2021,), (2021, 2022), (2021, 2022), (2022,), ()]
    assert [each.required for each in standing] == [3.0, 7.0, 7.0, 4.0, 0]
    # The 900th of 1,000 draws is number 899: of 2021 three quarters are owed until the provisional
    # settlement has moved a quarter to the entity, then all; of 2022 what exceeds 500.
    expected = [0.75 * 899, 0.75 * 899 + 399, 899 + 399, 399, 0.0]
    assert [each.covering[0.9].value for each in standing] == pytest.approx(expected)


def test_from_2024_a_year_settled_provisionally_is_no_longer_secured(tree):
    years = tree["years"].dataset
    at = {"date": "2025-01-01"}
    assert years["event"].sel(track="professional", **at) == "2024 provisional"
    assert years["secured_years"].sel(track="professional", **at) == ""
    assert years["secured_years"].sel(track="global", **at) == "2024"
    assert years["secured_years"].sel(track="global", date="2024-01-01") == "2023, 2024"
    required = years["required_guarantee_of_year"].sel(track="global")
    both = float(required.sel(year=2023) + required.sel(year=2024))
    assert float(
        years["required_standing"].sel(track="global", date="2024-01-01")
    ) == pytest.approx(both)


def test_the_result_is_read_with_xarray_alone(tree, tmp_path):
    path = tmp_path / "years.nc"
    write_result(tree, path)
    with xr.open_datatree(path, engine="h5netcdf") as plain:
        assert list(plain["years"]["year"].values) == [2022, 2023, 2024]
        worst = plain["years/draws"]["cash_of_year"].sel(track="global", year=2023).min()
        assert np.isfinite(float(worst))
    with read_result(path) as stored:
        assert render_json(stored) == render_json(tree)


def test_the_report_fits_80_columns_and_json_says_the_same(tree):
    printed = io.StringIO()
    render_run(tree, printed)
    text = printed.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "all years" in text
    assert "2022 provisional" in text
    found = json.loads(json.dumps(render_json(tree)))["years"]["professional"]
    assert [each["year"] for each in found["years"]] == [2022, 2023, 2024]
    total = sum(each["cash"]["mean"]["estimate"] for each in found["years"])
    assert found["total"]["cash"]["mean"]["estimate"] == pytest.approx(total)
    first, *_ = found["guarantee"]
    assert (first["from"], first["secured_years"]) == ("2022-01-01", [2022])


# --- what is refused --------------------------------------------------------------------------

REACH = {"name": "global", "program": "reach", "option": "global"}
GPDC = {"name": "global", "program": "gpdc", "option": "global"}
REFUSED = {
    "reach before 2023": (
        {"track": [REACH]},
        "program 'reach' holds performance years 2023 to 2026; for 2022 take program 'gpdc'",
    ),
    "gpdc after 2022": (
        {"track": [GPDC]},
        "for 2023 take program 'reach', in a table [track.from_year.2023] (given 2023)",
    ),
    "a year too many": (
        {"years": {"through": 2027}},
        "track[0].from_year.2023.program: program 'reach' holds performance years 2023 to 2026",
    ),
    "no later year": ({"years": {"through": 2022}}, "must be a year after 2022"),
    "a year before the first": ({"years": {"through": 2021}}, "must be a year after 2022"),
    "a change without years": ({"years": None}, "needs a table [years]"),
    "a change of the first year": (
        {"track": [{**SCENARIO["track"][0], "from_year": {"2022": {"program": "gpdc"}}}]},
        "must be one of the later performance years, 2023 to 2024",
    ),
    "growth in per cent": (
        {"years": {"benchmark_growth": 4}},
        "must be a growth between -0.5 and 0.5, written as a fraction (4% is 0.04)",
    ),
    "growth of another year": (
        {"years": {"benchmark_growth": {"2026": 0.04}}},
        "years.benchmark_growth.2026: must be one of the later performance years",
    ),
    "a benchmark without the growth of cost": (
        {"years": {"benchmark": {"2023": {"pbpm": 1300.0}}}},
        "years.expected_cost_growth: is missing",
    ),
    "an amount and its growth": (
        {
            "years": {
                "benchmark": {"2023": {"pbpm": 1300.0}},
                "benchmark_growth": {"2023": 0.04},
                "expected_cost_growth": 0.04,
            }
        },
        "years.benchmark_growth.2023: must be left out",
    ),
    "a correlation of nothing": (
        {
            "drivers": {"entity_effect": None},
            "years": {"entity_effect_correlation": 0.6},
        },
        "must be left out: the scenario has no driver entity_effect",
    ),
    "a correlation beyond 1": (
        {"years": {"entity_effect_correlation": 1.5}},
        "must be a correlation between -1 and 1",
    ),
    "leaving before the end": (
        {"track": [{**SCENARIO["track"][0], "early_exit": True}]},
        "an entity that leaves in 2022 has no later performance years",
    ),
    "capitation that is not elected": (
        {
            "track": [
                {
                    **SCENARIO["track"][0],
                    "from_year": {
                        "2023": {
                            "program": "reach",
                            "primary_care_capitation": {"base_rate": 0.03},
                        }
                    },
                }
            ]
        },
        'needs capitation = "primary_care" on the track',
    ),
    "a rule that a later program has not": (
        {
            "track": [
                {
                    **SCENARIO["track"][0],
                    "from_year": {"2023": {"program": "reach", "rules": {"discuont": 0.01}}},
                }
            ]
        },
        "in 2023: 'reach' has no rule of this name",
    ),
    "turnover in per cent": (
        {"years": {"alignment_turnover": 15}},
        "must be a rate between 0 and 1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_a_sentence(name):
    changes, sentence = REFUSED[name]
    with pytest.raises(InputError) as refused:
        scenario(**changes)
    assert sentence in str(refused.value)


def test_the_first_years_correlation_has_no_evidence():
    with pytest.raises(InputError, match=r"years\.entity_effect_correlation: no default exists"):
        scenario(
            entity={"performance_year": 2021},
            population={
                "segment": [
                    {**segment, "eligible_months": 9}
                    for segment in SCENARIO["population"]["segment"]
                ]
            },
            years={"through": 2022},
            track=[{**GPDC}],
        )


def test_validate_shows_every_year():
    path = str(FOLDER / "years" / "standard-reach-2024-2026.toml")
    shown = CliRunner().invoke(validate, [path])
    assert shown.exit_code == 0
    years = json.loads(CliRunner().invoke(validate, [path, "--json"]).output)["years"]
    assert [each["year"] for each in years] == [2024, 2025, 2026]
    for each in years:
        required = {track["name"]: track["required_guarantee"] for track in each["tracks"]}
        benchmark = each["tracks"][0]["unadjusted_benchmark"]
        assert required["global"] == pytest.approx(0.04 * benchmark)
        assert f"{benchmark:,.0f}" in shown.output


def test_attribution_is_of_the_first_year():
    several = scenario()
    alone = several.model_copy(update={"years": None})
    found = [
        run(
            LoadedScenario(each, "", Path("years.toml"), Path(), "0" * 64),
            draws=2_000,
            attribution=True,
        )
        for each in (several, alone)
    ]
    assert "years" in found[0].children
    first, single = (tree.children["attribution"].dataset for tree in found)
    assert first.identical(single)
    assert first["variance_share"].sel(figure="estimate").notnull().all()
    shown = io.StringIO()
    render_run(found[0], shown)
    year = several.entity.performance_year
    assert f"What drives the outcome of track global in {year}" in shown.getvalue()


# --- ready scenarios --------------------------------------------------------------------------


def test_the_ready_scenario_of_several_years_runs():
    loaded = load_scenario(FOLDER / "years" / "standard-reach-2024-2026.toml")
    people = build_population(loaded.scenario.population, loaded.base_dir).segments
    pbpm = sum(s.total_expected_cost for s in people) / sum(s.total_months for s in people)
    # Benchmark x (1 - discount - withhold x (1 - quality)) x (1 - mean savings rate of 2023).
    assert pbpm == pytest.approx(1200 * (1 - 0.03 - 0.02 * 0.208) * (1 - 0.037), rel=1e-5)
    outcome = simulate_years(loaded.scenario, base_dir=loaded.base_dir, draws=64)
    global_ = [year.tracks[0].rules for year in outcome.years]
    assert [rules.value("discount") for rules in global_] == [0.03, 0.04, 0.04]
    assert [rules.value("quality_withhold") for rules in global_] == [0.02, 0.02, 0.05]
    assert [rules.value("corridors")[0][0] for rules in global_] == [0.25, 0.25, 0.10]


def test_the_ready_people_of_an_mltss_plan_have_the_published_relativities():
    loaded = load_scenario(FOLDER / "populations" / "dual-eligible-mltss.toml")
    cost = {s.name: s.expected_cost_pbpm for s in loaded.scenario.population.segment}
    assert cost["aged with Medicaid"] / 1000 == pytest.approx(16_545 / 10_258, abs=0.005)
    assert cost["disabled with Medicaid"] / 1000 == pytest.approx(11_006 / 10_258, abs=0.005)
    assert cost["ESRD"] / 1000 == pytest.approx(84_443 / 10_258, abs=0.05)
    assert cost["long-term services"] == pytest.approx(32_900 / 9, abs=1)
    simulation = simulate(loaded.scenario, base_dir=loaded.base_dir, draws=64)
    withheld = {track.name: track.rules.value("quality_withhold") for track in simulation.tracks}
    assert withheld["announced"] == 0.05
    assert withheld["proposed"] == 0.04
    by_name = {track.name: track.draws["net_cost_of_care"] for track in simulation.tracks}
    assert np.array_equal(by_name["announced"], by_name["proposed"])  # the same draws
