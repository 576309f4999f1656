"""Backtests: statistics against textbook laws, scenarios against the ready ones, whole runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from published import published
from scipy import integrate, stats

from simdc.backtest import backtest, ready, scores
from simdc.backtest.forecast import forecast
from simdc.backtest.published import Entity, read_published
from simdc.backtest.ready import scenario_of
from simdc.backtest.words import findings, sections
from simdc.cli.main import cli
from simdc.errors import InputError
from simdc.executors import Threads
from simdc.prepare import prepare
from simdc.priors import expected_savings_rate
from simdc.scenario import load_scenario

ROOT = Path(__file__).parents[2]
READY = sorted((ROOT / "scenarios").glob("*.toml"))

Row = dict[str, object]


def entity(**changes: object) -> Entity:
    """A small Standard Global entity of 2022 in a scenario's terms."""
    known = Entity(
        id="D0001",
        entity_type="standard",
        option="global",
        year=2022,
        beneficiaries=900,
        benchmark=12_000_000.0,
        stop_loss=False,
        capitation="none",
        capitation_paid=0.0,
        equity_months=(0.0, 0.0),
        savings_rate=0.02,
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def gpdc(identifier: str = "D0001", rate: float = 0.02, **changes: object) -> Row:
    """A row in the layout of 2022: percentages from 0 to 100, the benchmark after a 5% trend."""
    final = 12_000_000.0 * 0.95 * 0.98
    row: Row = {
        "aco_id": identifier,
        "aco_type": "Standard",
        "perf_year": "2022",
        "risk_arrangement": "Global",
        "capitation": "PCC",
        "stop_loss": "No",
        "discount": 2.0,
        "retention_withhold": 0.0,
        "final_benchmark": final,
        "unadj_benchmark": 12_000_000.0,
        "gross_savings": rate * final,
        "cap_pmt": 200_000.0,
        "bene_cnt": 900.0,
    }
    return row | changes


def reach(identifier: str, **changes: object) -> Row:
    """A row in the layout of 2023: upper case, health-equity adjustment."""
    row: Row = {name.upper(): value for name, value in gpdc(identifier).items()}
    equity = {"HEBA_UP_MNTHS": 1_000, "HEBA_DN_MNTHS": 2_000}
    return row | {"PERF_YEAR": "2023", "DISCOUNT": 3.0} | equity | changes


def write(folder: Path, rows: Sequence[Row], name: str = "results.csv") -> Path:
    header = list(rows[0])
    lines = [header, *([str(row[column]) for column in header] for row in rows)]
    path = folder / name
    path.write_text("\n".join(",".join(line) for line in lines) + "\n", encoding="utf-8")
    return path


def without(rows: Sequence[Row], *columns: str) -> list[Row]:
    return [{k: v for k, v in row.items() if k not in columns} for row in rows]


# --- statistics -------------------------------------------------------------------------------


def test_transform_ranks_outcomes_among_draws():
    sample = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    outcome = np.array([0.0, 2.5, 9.0, 2.0])
    assert scores.pit(sample, outcome) == pytest.approx([0.125, 0.625, 0.875, 0.5])


def test_ranks_of_draws_are_even():
    sample = np.random.default_rng(1).normal(size=(3, 8))
    ranks = scores.ranks_of_draws(sample)
    assert np.sort(ranks, axis=1) == pytest.approx(np.tile((np.arange(8) + 0.5) / 8, (3, 1)))
    assert np.array_equal(np.argmax(ranks, axis=1), np.argmax(sample, axis=1))


def test_coverage_from_both_sides_of_the_limits():
    transform = np.array([0.049, 0.051, 0.5, 0.949, 0.951])
    assert scores.covered(transform, 0.9).tolist() == [False, True, True, True, False]


def test_uniformity_statistics_are_the_textbook_ones():
    transform = np.random.default_rng(2).beta(2.0, 1.0, size=57)
    counts, _ = np.histogram(transform, bins=10, range=(0.0, 1.0))
    assert scores.chi_square(transform, 10) == pytest.approx(stats.chisquare(counts).statistic)
    expected = stats.kstest(transform, "uniform").statistic
    assert scores.kolmogorov_smirnov(transform) == pytest.approx(expected)
    many = np.stack([transform, transform**2], axis=1)
    assert scores.kolmogorov_smirnov(many)[0] == pytest.approx(expected)
    assert scores.chi_square(many, 10)[0] == pytest.approx(stats.chisquare(counts).statistic)


@pytest.mark.parametrize(("mean", "sd", "outcome"), [(0.0, 1.0, 0.3), (0.02, 0.05, -0.2)])
def test_normal_score_is_the_integral_that_defines_it(mean: float, sd: float, outcome: float):
    """The integral of (F(x) - 1{x >= y}) squared."""
    law = stats.norm(mean, sd)
    below, _ = integrate.quad(lambda x: law.cdf(x) ** 2, -np.inf, outcome)
    above, _ = integrate.quad(lambda x: law.sf(x) ** 2, outcome, np.inf)
    score = scores.crps_normal(np.array([mean]), np.array([sd]), np.array([outcome]))
    assert score[0] == pytest.approx(below + above, rel=1e-7)


def test_score_of_a_certainty_is_the_absolute_error():
    mean, outcome = np.array([0.02, 0.02]), np.array([0.05, -0.05])
    assert scores.crps_normal(mean, np.zeros(2), outcome) == pytest.approx([0.03, 0.07])


def test_mixture_score_is_the_integral_that_defines_it():
    means, sds, weights = np.array([0.0, 2.0]), np.array([1.0, 0.5]), np.array([0.3, 0.7])

    def cdf(x: float) -> float:
        return float(weights @ stats.norm.cdf(x, means, sds))

    below, _ = integrate.quad(lambda x: cdf(x) ** 2, -12.0, 1.4)
    above, _ = integrate.quad(lambda x: (1.0 - cdf(x)) ** 2, 1.4, 12.0)
    score = scores.crps_mixture(means, sds, weights, np.array([1.4]))
    assert score[0] == pytest.approx(below + above, rel=1e-7)


def test_sample_score_is_the_mean_over_pairs_of_draws():
    sample = np.random.default_rng(3).normal(size=(2, 7))
    outcome = np.array([0.4, -3.0])
    pairs = np.abs(sample[:, :, None] - sample[:, None, :]).sum(axis=(1, 2)) / (7 * 6)
    expected = np.abs(sample - outcome[:, None]).mean(axis=1) - 0.5 * pairs
    assert scores.crps_sample(sample, outcome) == pytest.approx(expected)


def test_sample_score_estimates_the_formula_without_bias():
    """Over 4,000 samples of 20; five standard errors, false alarm below 1e-6."""
    sample = np.random.default_rng(4).normal(size=(4_000, 20))
    found = scores.crps_sample(sample, np.full(4_000, 0.7))
    formula = scores.crps_normal(np.zeros(1), np.ones(1), np.array([0.7]))[0]
    assert abs(found.mean() - formula) < 5.0 * found.std() / np.sqrt(4_000)


def test_chance_counts_both_sides_and_is_never_nothing():
    simulated = np.arange(1.0, 100.0)
    assert scores.two_sided_chance(1_000.0, simulated) == pytest.approx(0.02)
    assert scores.two_sided_chance(-1_000.0, simulated) == pytest.approx(0.02)
    assert scores.two_sided_chance(50.0, simulated) == 1.0
    assert scores.upper_chance(95.0, simulated) == pytest.approx(0.06)  # 95 to 99, and itself


# --- scenarios --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_scenarios_are_built_as_the_ready_ones(path: Path):
    """The same people, expected cost, drivers and stop-loss, from a benchmark and a head count."""
    ready = load_scenario(path).scenario
    assert ready.observed is not None
    assert ready.benchmark.dollars is not None
    track = next(t for t in ready.track if t.name == ready.observed.track)
    built = scenario_of(
        entity(
            entity_type=ready.entity.type,
            option=track.option,
            beneficiaries=sum(s.beneficiaries or 0 for s in ready.population.segment),
            benchmark=ready.benchmark.dollars,
            stop_loss=True,
        ),
        "gpdc",
    )
    assert built.drivers == ready.drivers
    assert len(built.population.segment) == len(ready.population.segment)
    for mine, theirs in zip(built.population.segment, ready.population.segment, strict=True):
        assert mine.name == theirs.name
        assert mine.beneficiaries == theirs.beneficiaries
        assert mine.severity == theirs.severity
        assert mine.risk_score_cv == theirs.risk_score_cv
        assert mine.expected_cost_pbpm == pytest.approx(theirs.expected_cost_pbpm, rel=2e-6)
    with_stop_loss = next(t for t in ready.track if t.name == f"{track.option}-stop-loss")
    assert built.track[0].stop_loss == with_stop_loss.stop_loss


def test_capitation_is_a_rate_of_the_benchmark_after_discount():
    primary = scenario_of(entity(capitation="primary_care", capitation_paid=235_200.0), "gpdc")
    assert primary.track[0].primary_care_capitation is not None
    rate = primary.track[0].primary_care_capitation.base_rate
    assert rate == pytest.approx(235_200.0 / (12_000_000.0 * 0.98))
    total = scenario_of(entity(capitation="total_care", capitation_paid=1_176_000.0), "gpdc")
    assert total.track[0].total_care_capitation is not None
    assert total.track[0].total_care_capitation.leakage_withhold == pytest.approx(0.9)


@pytest.mark.parametrize("people", [1, 7, 30, 217])
@pytest.mark.parametrize("kind", ["standard", "high_needs"])
def test_few_people_are_all_there(people: int, kind: str):
    built = scenario_of(entity(beneficiaries=people, entity_type=kind), "gpdc")
    assert sum(s.beneficiaries or 0 for s in built.population.segment) == people


def test_only_older_evidence_is_used():
    for year, evidence in ((2022, 2021), (2023, 2022)):
        assert expected_savings_rate("standard", "global", year).evidence_year == evidence


# --- reading ----------------------------------------------------------------------------------


def test_published_year_as_others_have_counted_it():
    """Mean 4.58%, standard deviation 7.10%, 22 of 99 owing in the file of 2022."""
    found = read_published(published("gpdc_results_py2022.csv"), "gpdc")
    rates = np.array([each.savings_rate for each in found.entities])
    assert found.year == 2022
    assert len(found.entities) == 99
    assert rates.mean() == pytest.approx(0.0458, abs=5e-5)
    assert rates.std(ddof=1) == pytest.approx(0.0710, abs=5e-5)
    assert np.count_nonzero(rates < 0.0) == 22
    assert not found.left_out
    assert "4 of the entities left early" in found.notes[0]


def test_layout_with_health_equity(tmp_path: Path):
    by_months = reach("D1")
    by_amount = reach(
        "D2", HEBA_UP_MNTHS="", HEBA_DN_MNTHS="", HEBA_UP_AMT=30_000, HEBA_DOWN_AMT=-12_000
    )
    rows = [by_months | {"HEBA_UP_AMT": "", "HEBA_DOWN_AMT": ""}, by_amount]
    found = read_published(write(tmp_path, rows), "reach")
    assert found.year == 2023
    # $30 a month up and $6 a month down in 2023.
    assert [each.equity_months for each in found.entities] == [(1_000.0, 2_000.0)] * 2
    assert not any("health-equity" in note for note in found.notes)


def test_missing_health_equity_is_told(tmp_path: Path):
    rows = without([reach("D1")], "HEBA_UP_MNTHS", "HEBA_DN_MNTHS")
    found = read_published(write(tmp_path, rows), "reach")
    assert any("health-equity" in note for note in found.notes)
    assert found.entities[0].equity_months == (0.0, 0.0)


@pytest.mark.parametrize(
    "column", ["aco_type", "bene_cnt", "unadj_benchmark", "final_benchmark", "gross_savings"]
)
def test_a_column_that_a_forecast_needs(tmp_path: Path, column: str):
    path = write(tmp_path, without([gpdc()], column))
    with pytest.raises(InputError, match=f"column '{column.upper()}': the file has no such column"):
        read_published(path, "gpdc")


@pytest.mark.parametrize("column", ["stop_loss", "capitation", "cap_pmt"])
def test_a_column_that_is_done_without(tmp_path: Path, column: str):
    found = read_published(write(tmp_path, without([gpdc()], column)), "gpdc")
    assert any(f"no column {column.upper()}" in note for note in found.notes)
    assert len(found.entities) == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aco_type": "Kidney"}, "is no type of entity"),
        ({"bene_cnt": "*"}, "is suppressed"),
        ({"bene_cnt": "0"}, "is not above 0"),
        ({"unadj_benchmark": "-5"}, "is not above 0"),
        ({"gross_savings": ""}, "is blank"),
        ({"aco_id": "D0001"}, "a second time"),
    ],
)
def test_rows_that_cannot_be_tested_are_named(tmp_path: Path, changes: Row, why: str):
    found = read_published(write(tmp_path, [gpdc(), gpdc("D0002", **changes)]), "gpdc")
    assert [each.id for each in found.entities] == ["D0001"]
    assert len(found.left_out) == 1
    assert why in str(found.left_out[0])


def test_nothing_to_test_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"no row can be tested.*is suppressed"):
        read_published(write(tmp_path, [gpdc(bene_cnt="*")]), "gpdc")


@pytest.mark.parametrize("year", [None, 2021])
def test_the_first_year_has_no_older_evidence(tmp_path: Path, year: int | None):
    path = write(tmp_path, [gpdc(perf_year="2021")])
    with pytest.raises(InputError, match=r"2021 cannot be tested.*2022 is the first year to test"):
        read_published(path, "gpdc", year)


def test_one_year_at_a_time(tmp_path: Path):
    path = write(tmp_path, [gpdc(perf_year="2021"), gpdc("D0002")])
    with pytest.raises(InputError, match=r"holds the years 2021, 2022; .*--year"):
        read_published(path, "gpdc")
    assert [each.id for each in read_published(path, "gpdc", 2022).entities] == ["D0002"]


def test_other_programs_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="gpdc and reach, not for 'mssp'"):
        read_published(write(tmp_path, [gpdc()]), "mssp")


# --- forecasts --------------------------------------------------------------------------------


def test_an_entity_has_the_same_luck_in_any_company():
    first, second = entity(), entity(id="D0002", entity_type="high_needs", stop_loss=True)
    together = forecast([second, first], "gpdc", draws=130, seed=5)
    alone = forecast([first], "gpdc", draws=200, seed=5, executor=Threads(1))
    assert np.array_equal(together.rates[1], alone.rates[0, :130])


def test_entities_share_the_nation(monkeypatch: pytest.MonkeyPatch):
    """Within 1% of the prospective trend, where no adjustment takes it out, a nation dearer by so
    much lowers both rates by so much; four standard errors each, false alarm 6e-5.
    """
    monkeypatch.setattr(ready, "_DRIVERS", (ready.NATIONAL_DRIVER,))
    twins = [entity(id=name, beneficiaries=20_000, benchmark=2.4e8) for name in ("D1", "D2")]
    drivers = prepare(scenario_of(twins[0], "gpdc"), Path()).drivers
    nation = drivers.draw(6, 0, 4_000)[ready.NATIONAL_DRIVER]
    rates = forecast(twins, "gpdc", draws=4_000, seed=6).rates
    within = np.abs(nation) < 0.008
    for rate in rates[:, within]:
        fit = stats.linregress(nation[within], rate)
        assert abs(fit.slope + 1.0) < 4.0 * fit.stderr
        assert fit.slope < -4.0 * fit.stderr


def test_entities_share_nothing_else():
    """Five standard errors of a correlation of independent rates, false alarm 6e-7."""
    twins = [entity(id=name, beneficiaries=5_000, benchmark=6e7) for name in ("D1", "D2")]
    rates = forecast(twins, "gpdc", draws=1_000, seed=6).rates
    assert abs(np.corrcoef(rates)[0, 1]) < 5.0 / np.sqrt(1_000)


def test_the_mean_forecast_is_last_years_mean():
    """Expected cost is set for it; four standard errors, false alarm 6e-5."""
    rates = forecast([entity(beneficiaries=5_000)], "gpdc", draws=4_000, seed=7).rates[0]
    expected = expected_savings_rate("standard", "global", 2022).mean
    assert abs(rates.mean() - expected) < 4.0 * rates.std() / np.sqrt(4_000) + 1e-3


# --- whole runs -------------------------------------------------------------------------------


def test_outcomes_far_above_are_called_so(tmp_path: Path):
    rows = [gpdc(f"D{i}", rate=0.4, cap_pmt=0) for i in range(12)]
    result = backtest(write(tmp_path, rows), "gpdc", draws=200)
    told = {each.text: each.poor for each in findings(result)}
    assert any(text.startswith("Outcomes lie above") and poor for text, poor in told.items())
    assert any(text.startswith("Forecasts are too narrow") and poor for text, poor in told.items())
    assert any("narrower than simulated" in text for text in told)
    assert result.uniformity.histogram == (0,) * 9 + (12,)
    assert len(result.misses) == 12
    assert result.total.owing.published == 0.0


def test_outcomes_at_the_median_make_forecasts_too_wide(tmp_path: Path):
    people = [entity(id=f"D{i}") for i in range(12)]
    medians = np.median(forecast(people, "gpdc", draws=200, seed=1).rates, axis=1)
    rows = [gpdc(each.id, rate=rate, cap_pmt=0) for each, rate in zip(people, medians, strict=True)]
    result = backtest(write(tmp_path, rows), "gpdc", draws=200)
    told = {each.text: each.poor for each in findings(result)}
    assert any(text.startswith("Forecasts are too wide") and poor for text, poor in told.items())
    assert [each.covered.published for each in result.coverage] == [12.0] * 4


def test_outcomes_drawn_from_the_forecasts_fit(tmp_path: Path):
    """One simulated year taken for the truth: of its four coverages and two tests of evenness none
    is called unlikely at 0.1% each, false alarm below 0.6%.
    """
    people = [entity(id=f"D{i}") for i in range(20)]
    year = forecast(people, "gpdc", draws=1, seed=99).rates[:, 0]
    rows = [gpdc(each.id, rate=rate, cap_pmt=0) for each, rate in zip(people, year, strict=True)]
    result = backtest(write(tmp_path, rows), "gpdc", draws=2_500)
    chances = [each.covered.chance for each in result.coverage]
    chances += [result.uniformity.chi_square.chance, result.uniformity.kolmogorov_smirnov.chance]
    assert min(chances) > 0.001


def test_reach_runs_with_the_adjustment_in_its_outcome(tmp_path: Path):
    """Health equity of $18,000 moves a draw's rate by that over its final benchmark."""
    with_equity = entity(year=2023, equity_months=(1_000.0, 2_000.0))
    rates = forecast([with_equity], "reach", draws=50, seed=1).rates
    plain = forecast([replace(with_equity, equity_months=(0.0, 0.0))], "reach", draws=50, seed=1)
    gain = (rates - plain.rates)[0]
    dollars = 1_000.0 * 30.0 - 2_000.0 * 6.0
    # The final benchmark lies within trend and discount of the unadjusted one.
    assert np.all(gain > dollars / (12_000_000.0 * 1.3))
    assert np.all(gain < dollars / (12_000_000.0 * 0.7))
    result = backtest(write(tmp_path, [reach("D1"), reach("D2")]), "reach", draws=100)
    assert {prior.evidence_year for prior in result.priors} == {2022}


def test_a_single_entity_has_no_spread(tmp_path: Path):
    result = backtest(write(tmp_path, [gpdc()]), "gpdc", draws=100)
    assert result.total.spread is None
    assert result.groups[0].kind == "Standard"
    assert sections(result)


def test_command_in_its_three_forms(tmp_path: Path):
    path = str(write(tmp_path, [gpdc("D|1"), gpdc("D2", rate=-0.3)]))
    wanted = ["backtest", path, "--program", "gpdc", "--draws", "100"]
    plain = CliRunner().invoke(cli, wanted)
    assert plain.exit_code == 0, plain.output
    assert "What the numbers say" in plain.stdout
    assert max(map(len, plain.stdout.splitlines())) <= 80

    as_json = CliRunner().invoke(cli, [*wanted, "--json"])
    document = json.loads(as_json.stdout)
    assert document["year"] == 2022
    assert [each["id"] for each in document["entities"]] == ["D|1", "D2"]
    assert document["groups"][0]["owing"]["published"] == 1.0
    assert [each["level"] for each in document["coverage"]] == [0.5, 0.8, 0.9, 0.95]

    markdown = CliRunner().invoke(cli, [*wanted, "--markdown"])
    assert markdown.stdout.startswith("# Backtest: results.csv")
    tables = [line for line in markdown.stdout.splitlines() if line.startswith("|")]
    assert tables

    assert CliRunner().invoke(cli, [*wanted, "--json", "--markdown"]).exit_code == 2


def test_tables_fit_a_terminal(tmp_path: Path):
    """No figure is cut on 80 columns, two of which go between each pair of columns."""
    sizes = (500, 2_000, 5_000, 20_000)
    rows = [
        gpdc(f"D{people}", bene_cnt=people, unadj_benchmark=13_000.0 * people, cap_pmt=0)
        for people in sizes
    ]
    result = backtest(write(tmp_path, rows), "gpdc", draws=100)
    for section in sections(result):
        if len(section.header) > 6:
            table = [section.header, *section.rows]
            widths = [max(len(row[c]) for row in table) for c in range(len(section.header))]
            assert sum(widths) + 2 * len(widths) <= 80


def test_the_document_is_made_by_the_command():
    """The committed report names the command that makes it."""
    text = (ROOT / "docs" / "backtest.md").read_text(encoding="utf-8")
    assert "simdc backtest gpdc_results_py2022.csv --program gpdc" in text
