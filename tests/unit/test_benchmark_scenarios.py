"""Benchmarks built from scenarios: replications, the command, rate books and mistakes."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simdc.benchmark.of_scenario import build_benchmark, with_given_benchmark
from simdc.benchmark.risk import Moves
from simdc.cli.main import main
from simdc.engine import simulate
from simdc.errors import InputError
from simdc.population import build_population
from simdc.prepare import prepare
from simdc.programs import load_program
from simdc.scenario import load_scenario, parse_scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"
REPLICATIONS = SCENARIOS / "replications"
WORKED = REPLICATIONS / "worked-benchmark.toml"


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(["benchmark", *arguments])
    assert stopped.value.code == 0
    return capsys.readouterr().out


def steps(document: dict[str, Any]) -> list[dict[str, float]]:
    """What every step came to, by key, for each benchmark of a printed document."""
    return [
        {step["key"]: step["after"] for part in each["parts"] for step in part["steps"]}
        for each in document["benchmarks"]
    ]


# --- the worked example -----------------------------------------------------------------------


def test_worked_example_is_printed_figure_by_figure(capsys: pytest.CaptureFixture[str]) -> None:
    output = printed(capsys, str(WORKED))
    figures = "1,105.06 1,070.76 1,039.23 1,055.27 22.65 54.50 -21.80 1,077.93 1.1250 1.0282"
    for figure in f"{figures} 1.0918 1.0831 1,167.47 1,107.93 1,085.21".split():
        assert figure in output, figure
    assert max(map(len, output.splitlines())) <= 80


def test_worked_example_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    (chain,) = steps(json.loads(printed(capsys, str(WORKED), "--json")))
    months = 60_000
    by_month = {
        "unadjusted_benchmark": 1_167.47,
        "trend_adjusted_benchmark": 1_107.93,
        "final_benchmark": 1_085.21,
    }
    for key, pbpm in by_month.items():
        assert chain[key] / months == pytest.approx(pbpm, abs=0.005), key
    assert chain["settlement_benchmark"] == pytest.approx(65.11e6, abs=5e3)


def test_worked_example_settles_at_that_benchmark() -> None:
    loaded = load_scenario(WORKED)
    simulation = simulate(loaded.scenario, base_dir=loaded.base_dir, draws=16)
    settled = simulation.tracks[0].draws["settlement_benchmark"]
    assert settled / 60_000 == pytest.approx(np.full(16, 1_085.21), abs=0.005)


def test_built_benchmark_gives_the_draws_of_the_same_one_given() -> None:
    loaded = load_scenario(WORKED)
    built = prepare(loaded.scenario, loaded.base_dir).contracts[0]
    document = tomllib.loads(loaded.text)
    amount = built.fixed["unadjusted_benchmark"]
    document["benchmark"] = {"by_category": {"A&D": {"dollars": amount}}}
    given = simulate(parse_scenario(document), base_dir=loaded.base_dir, draws=64)
    same = simulate(loaded.scenario, base_dir=loaded.base_dir, draws=64)
    for line, draws in same.tracks[0].draws.items():
        assert np.array_equal(draws, given.tracks[0].draws[line]), line


def test_score_uncertainty_reaches_the_benchmark_through_the_cap() -> None:
    loaded = load_scenario(WORKED)
    scenario = loaded.scenario
    rules = load_program("gpdc").rules(2022, "global")
    people = build_population(scenario.population, loaded.base_dir)
    built = build_benchmark(scenario.benchmark, rules, people, loaded.base_dir)
    factor = np.array([0.5, 0.95, 1.0, 2.0])
    pbpm = built.by_category({"A&D": Moves(raw_score=factor)})["A&D"] / 60_000
    # Floor 1.0282, 1.125 x 0.95 within, ceiling 1.0918 twice; each times 0.992.
    expected = 1_077.925 * 0.992 * np.array([1.0282, 1.06875, 1.0918, 1.0918])
    assert pbpm == pytest.approx(expected, rel=1e-5)
    assert pbpm[2] == pbpm[3]


# --- two programs, one entity -----------------------------------------------------------------


# US dollars PBPM: Direct Contracting 35% of the difference within +5% and -2%; Shared Savings 35%
# of it in a first agreement and 50% later where the entity is cheaper, 15% and 50% where it is
# dearer, within 5%. All as the scenarios' heads work out.
@pytest.mark.parametrize(
    ("name", "direct_contracting", "first", "fourth"),
    [("cheaper", 981.75, 981.75, 997.50), ("dearer", 1_134.00, 1_139.25, 1_102.50)],
)
def test_programs_compared_for_one_entity(
    name: str,
    direct_contracting: float,
    first: float,
    fourth: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = REPLICATIONS / f"benchmarks-{name}-than-region.toml"
    chains = steps(json.loads(printed(capsys, str(path), "--json")))
    assert chains[0]["blended"] == pytest.approx(direct_contracting)
    assert [chain["updated_benchmark"] / 12 for chain in chains[1:]] == pytest.approx(
        [first, fourth]
    )
    loaded = load_scenario(path)
    contracts = prepare(loaded.scenario, loaded.base_dir).contracts
    assert [each.fixed["unadjusted_benchmark"] / 120_000 for each in contracts] == pytest.approx(
        [direct_contracting, first, fourth]
    )


# --- the command on other scenarios -----------------------------------------------------------


def shared_savings_2024(**elected: Any) -> dict[str, Any]:
    """An entity in 2024 that costs more than twice what its region does."""
    document = tomllib.loads(
        (REPLICATIONS / "benchmarks-dearer-than-region.toml").read_text("utf-8")
    )
    document["entity"]["performance_year"] = 2024
    document["track"] = document["track"][2:]
    document["track"][0]["shared_savings"] = elected
    for row in document["track"][0]["benchmark"]["shared_savings"]["stratum"]:
        row["regional_per_capita_dollars"] /= 2
    return document


# The floor of regional adjustment is 1.5% of national spending in agreements from 2024 on, and 5%
# in those that began before (42 CFR 425.652, 425.601).
@pytest.mark.parametrize(("agreement_year", "floor"), [(1, 0.015), (2, 0.05), (5, 0.05)])
def test_an_agreement_keeps_the_rules_that_it_began_under(
    agreement_year: int, floor: float
) -> None:
    asked = parse_scenario(shared_savings_2024(agreement_year=agreement_year))
    _, chain = with_given_benchmark(
        asked, asked.track[0], build_population(asked.population, Path()), Path()
    )
    assert chain is not None
    national = asked.track[0].benchmark.shared_savings.stratum[0].national_per_capita_dollars
    lost = chain.shared_savings["aged_non_dual_regional_adjustment"]
    assert lost == pytest.approx(-floor * national)
    assert (chain.rules.year, chain.rules.value("regional_adjustment_floor")) == (2024, floor)


def test_the_share_of_the_region_is_that_of_the_benchmark() -> None:
    built = prepare(parse_scenario(shared_savings_2024()), Path()).contracts[0]
    assert built.regional_share == 0.05
    assert not any("share of its region is not given" in a.statement for a in built.assumptions)
    with pytest.raises(InputError, match=r"regional_share: must be left out, or be the 0\.05"):
        prepare(parse_scenario(shared_savings_2024(regional_share=0.2)), Path())


def test_given_benchmark_is_printed_from_there_on(capsys: pytest.CaptureFixture[str]) -> None:
    output = printed(capsys, str(SCENARIOS / "standard-professional.toml"))
    assert "The benchmark is given, not built." in output
    assert "Unadjusted benchmark" in output
    assert max(map(len, output.splitlines())) <= 80


def test_a_later_year_is_printed_by_its_own_rules(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(SCENARIOS / "years" / "standard-reach-2024-2026.toml")
    amounts = []
    for year in ((), ("--year", "2026")):
        document = json.loads(printed(capsys, path, "--json", *year))
        amounts.append(steps(document)[0]["unadjusted_benchmark"])
        assert document["entity"]["performance_year"] == document["benchmarks"][0]["year"]
    assert amounts[1] == pytest.approx(amounts[0] * 1.045**2)
    with pytest.raises(SystemExit) as stopped:
        main(["benchmark", path, "--year", "2027"])
    assert stopped.value.code == 2
    told = capsys.readouterr().err
    assert "--year: the scenario has performance year 2024 to 2026 (given 2027)" in told


def test_tracks_that_share_a_benchmark_are_printed_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output = printed(capsys, str(SCENARIOS / "large-standard-global.toml"), "--json")
    tracks = [each["tracks"] for each in json.loads(output)["benchmarks"]]
    assert [len(names) for names in tracks] == [2, 4]


# --- rate books and several cells -------------------------------------------------------------

TWO_CELLS = """
[entity]
id = "two-cells"
type = "standard"
performance_year = 2025

[[population.segment]]
name = "by claims"
category = "A&D"
beneficiaries = 1_000
expected_cost_pbpm = 1_000.0
severity = { distribution = "gamma", cv = 1.0 }

[[population.segment]]
name = "by choice"
category = "A&D"
alignment = "voluntary"
beneficiaries = 100
expected_cost_pbpm = 1_000.0
severity = { distribution = "gamma", cv = 1.0 }

[benchmark]
mode = "built"

[benchmark.rate_book]
rates_file = "rates.csv"
months_file = "months.csv"

[[benchmark.region]]
category = "A&D"
uspcc_pbpm = 1_000.0

[[benchmark.risk]]
category = "A&D"
raw_score = 1.0

[[benchmark.risk]]
category = "A&D"
alignment = "newly_voluntary"
raw_score = 1.2
months = 300

[[benchmark.risk]]
category = "A&D"
alignment = "continuously_voluntary"
raw_score = 1.2
reference_score = 1.0
months = 900

[[track]]
name = "global"
program = "reach"
option = "global"
"""
RATES = "county,category,rate_pbpm\n01001,A&D,1000\n01003,A&D,1200\n"
MONTHS = (
    "county,category,alignment,months\n"
    "01001,A&D,claims,9000\n01003,A&D,claims,3000\n01003,A&D,voluntary,1200\n"
)


def history(alignment: str, first: int, pbpm: float) -> list[dict[str, Any]]:
    return [
        {
            "category": "A&D",
            "alignment": alignment,
            "year": year,
            "pbpm": pbpm,
            "uspcc_pbpm": 1_000.0,
            "risk_score": 1.0,
        }
        for year in range(first, first + 3)
    ]


def two_cells(folder: Path, rates: str = RATES, months: str = MONTHS) -> dict[str, Any]:
    (folder / "rates.csv").write_text(rates, encoding="utf-8")
    (folder / "months.csv").write_text(months, encoding="utf-8")
    document = tomllib.loads(TWO_CELLS)
    document["benchmark"]["base_year"] = [
        *history("claims", 2017, 1_030.0),
        *history("voluntary", 2021, 1_170.0),
    ]
    return document


def built(document: dict[str, Any], folder: Path) -> Any:
    scenario = parse_scenario(document, base_dir=folder)
    rules = load_program("reach").rules(2025, "global", scenario.entity.type)
    people = build_population(scenario.population, folder)
    return build_benchmark(scenario.benchmark, rules, people, folder)


def test_region_comes_from_the_rate_book_and_the_months(tmp_path: Path) -> None:
    claims, voluntary = built(two_cells(tmp_path), tmp_path).cells
    assert claims.statement["region"] == pytest.approx(1_050.0)
    assert voluntary.statement["region"] == pytest.approx(1_200.0)
    # 45% of the difference from the region, which is within 3% of 1,000 dollars in both.
    assert claims.statement["blended"] == pytest.approx(1_030.0 + 0.45 * 20.0)
    assert voluntary.statement["blended"] == pytest.approx(1_170.0 + 0.45 * 30.0)


def test_voluntary_score_joins_the_capped_and_the_uncapped(tmp_path: Path) -> None:
    _, voluntary = built(two_cells(tmp_path), tmp_path).cells
    statement = voluntary.statement
    assert statement["newly_voluntary_capped_score"] == pytest.approx(1.2)
    assert statement["continuously_voluntary_capped_score"] == pytest.approx(1.03)
    assert statement["score"] == pytest.approx(0.25 * 1.2 + 0.75 * 1.03)


def test_rate_book_is_built_from_county_costs(tmp_path: Path) -> None:
    document = two_cells(tmp_path)
    rows = ["county,category,year,pbpm,risk_score"]
    for year in (2021, 2022, 2023):
        rows += [f"national,A&D,{year},900,1.0", f"01001,A&D,{year},900,1.0"]
        rows += [f"01003,A&D,{year},1080,1.0"]
    (tmp_path / "costs.csv").write_text("\n".join(rows), encoding="utf-8")
    document["benchmark"]["rate_book"] = {
        "costs_file": "costs.csv",
        "months_file": "months.csv",
        "uspcc_trend": {"A&D": 1_000 / 900},
    }
    result = built(document, tmp_path)
    assert result.cells[0].statement["region"] == pytest.approx(1_050.0)
    assert any("rate_book_years" in each.subject for each in result.assumptions)
    assert "rate_book_years" in result.cells[0].statement.rules
    given = built(two_cells(tmp_path), tmp_path)
    assert "rate_book_years" not in given.cells[0].statement.rules


def test_assumptions_name_what_no_source_settles(tmp_path: Path) -> None:
    scenario = parse_scenario(two_cells(tmp_path), base_dir=tmp_path)
    subjects = {each.subject for each in prepare(scenario, tmp_path).assumptions}
    assert "reach 2025: history_weight_voluntary" in subjects
    assert "reach 2025: history_weight_claims" not in subjects  # CMS's own figure


def test_county_without_a_rate_is_told_with_the_file(tmp_path: Path) -> None:
    document = two_cells(tmp_path, rates="county,category,rate_pbpm\n01001,A&D,1000\n")
    with pytest.raises(InputError, match=r"rates\.csv: the rate book has no A&D rate.*'01003'"):
        built(document, tmp_path)


# --- mistakes ---------------------------------------------------------------------------------


def change(document: dict[str, Any], path: str, value: Any) -> None:
    """Set one key of a document, or take it out where the value is None."""
    *above, last = (int(part) if part.isdigit() else part for part in path.split("."))
    here: Any = document
    for part in above:
        here = here[part]
    if value is None:
        del here[last]
    else:
        here[last] = value


MISTAKES = [
    ("benchmark.pbpm", 1_000.0, "benchmark.pbpm: must be left out: mode = \"built\" works it out"),
    ("benchmark.mode", "given", "benchmark.base_year: this table needs mode = \"built\""),
    ("benchmark.mode", "build", "must be 'given' or 'built' (given \"build\"); did you mean"),
    ("benchmark.region", None, "benchmark.region: is missing; mode = \"built\" needs tables"),
    ("benchmark.rate_book", None, "benchmark.region[0].rate_pbpm: is missing"),
    ("benchmark.region.0.rate_pbpm", 1_000.0, "benchmark.rate_book: must be left out: every region "
     "gives its rate"),
    ("benchmark.rate_book.rates_file", "no.csv", "benchmark.rate_book.rates_file: there is no"),
    ("benchmark.rate_book.costs_file", "x.csv", "needs exactly one of 'rates_file' and"),
    ("benchmark.rate_book.uspcc_trend", {"A&D": 1.1}, "must be left out: rates need no trend"),
    ("benchmark.region.0.category", "ESRD", "no segment has ESRD beneficiaries"),
    ("benchmark.region.0.alignment", "claims", "benchmark.region: needs a table for A&D "
     "beneficiaries aligned voluntarily"),
    ("benchmark.risk.0.alignment", "newly_voluntary", "must not speak of the same beneficiaries "
     "as risk[0]"),
    ("benchmark.risk.1.months", None, "benchmark.risk[1].months: is missing; with newly"),
    ("benchmark.risk.0.raw_score", -1.0, "benchmark.risk[0].raw_score: must be a finite number"),
    ("benchmark.risk.0.raw_scor", 1.0, "did you mean 'raw_score'"),
    ("benchmark.base_year.0.year", 2016, "needs one table for each of 2017, 2018, 2019 for A&D "
     "beneficiaries aligned by claims: history weighs 0.55 in the benchmark of 'reach' in 2025 "
     "(given 2016, 2018, 2019)"),
    ("benchmark.base_year.1.year", 2017, "must not speak of the same beneficiaries as base_year"),
    ("benchmark.base_year.0.uspcc_trend", 1.1, "needs exactly one of 'uspcc_trend' and"),
    ("entity.performance_year", 2024, "must be left out for A&D beneficiaries aligned "
     "voluntarily: their benchmark rests on the region alone"),
    ("benchmark.base_year.0.pbpm", 12_000.0, "benchmark.base_year[0].pbpm: is "),
    ("benchmark.region.0.rate_pbpm", 12_000.0, "times the adjusted USPCC of the category"),
    ("benchmark.base_year.0.geographic_trend", 101.0, "geographic_trend: is a factor near 1"),
    ("benchmark.risk.0.raw_score", 112.0, "benchmark.risk[0].raw_score: is a mean score near 1"),
    ("benchmark.risk.0.reference_score", 105.0, "reference_score: is a mean score near 1"),
    ("benchmark.risk.0.coding_factor", 99.1, "coding_factor: is a factor near 1 (4% growth"),
    ("track.0.program", "lead", "must be 'given' for track 'global': no source says how"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "told"), MISTAKES, ids=[m[2][:50] for m in MISTAKES])
def test_mistakes_are_told(tmp_path: Path, path: str, value: Any, told: str) -> None:
    document = two_cells(tmp_path)
    if path == "track.0.program":
        document["entity"]["performance_year"] = 2027
    change(document, path, value)
    with pytest.raises(InputError) as refused:
        parse_scenario(document, base_dir=tmp_path)
    assert told in str(refused.value)


def test_shared_savings_track_needs_its_table(tmp_path: Path) -> None:
    document = two_cells(tmp_path)
    document["track"][0] |= {"program": "mssp", "option": "enhanced"}
    with pytest.raises(InputError, match=r"benchmark\.shared_savings: is missing; track 'global'"):
        parse_scenario(document, base_dir=tmp_path)


def test_same_enrollment_type_twice_is_refused() -> None:
    path = REPLICATIONS / "benchmarks-cheaper-than-region.toml"
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    document["track"][1]["benchmark"]["shared_savings"]["stratum"][1]["name"] = "aged_non_dual"
    with pytest.raises(InputError, match=r"stratum\[1\]\.name: must differ from stratum\[0\]"):
        parse_scenario(document)


STRATUM_MISTAKES = [
    ("risk_scores", [1.0, 1.0], "risk_scores: must be a list of 3 (given 2)"),
    ("risk_scores", [1.0] * 4, "risk_scores: must be a list of at most 3 (given 4)"),
    ("risk_scores", None, "risk_scores: is missing; it must be a list of 3"),
    ("risk_score", 101.0, "risk_score: is a mean score near 1"),
    ("national_trend", [1.0, 102.0], "national_trend: is a factor near 1"),
    ("prospective_growth", 104.0, "prospective_growth: is a factor near 1"),
    ("regional_per_capita_dollars", 900.0, "both are US dollars per person-year"),
]


@pytest.mark.parametrize(("key", "value", "told"), STRATUM_MISTAKES)
def test_mistakes_in_a_stratum_are_told_once(key: str, value: Any, told: str) -> None:
    document = shared_savings_2024()
    change(document, f"track.0.benchmark.shared_savings.stratum.0.{key}", value)
    with pytest.raises(InputError) as refused:
        parse_scenario(document)
    assert len(refused.value.problems) == 1
    assert told in str(refused.value)
