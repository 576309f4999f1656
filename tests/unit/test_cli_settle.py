"""The ``settle`` command: what it accepts, what it refuses in one sentence, what it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from simdc.cli.main import main
from simdc.cli.settle import command
from simdc.errors import InputError

GPDC = ["--program", "gpdc", "--year", "2022", "--option", "global"]
REACH = ["--program", "reach", "--year", "2023", "--option", "global"]
# CMS participant-level public use file 2022, D0088: Global, second corridor, net stop-loss payout.
D0088 = [
    *GPDC,
    *("--entity-type", "high_needs", "--final-benchmark", "43984166.24"),
    *("--cost", "31345778.22", "--stop-loss-payout", "694063.79"),
]
# A settlement that is in order, for changes that put it out of order.
PLAIN = ["--final-benchmark", "1000", "--cost", "900"]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def steps_of(*arguments: str) -> dict[str, dict[str, Any]]:
    result = invoke(*arguments, "--json")
    assert result.exception is None, result.exception
    return {step["key"]: step for step in json.loads(result.stdout)["steps"]}


def sentences(*arguments: str) -> list[str]:
    error = invoke(*arguments).exception
    assert isinstance(error, InputError)
    assert error.exit_status == 2
    return str(error).splitlines()


# --- what it computes -------------------------------------------------------------------------


def test_a_published_settlement_from_its_final_benchmark() -> None:
    steps = steps_of(*D0088)
    assert steps["gross_savings"]["after"] == pytest.approx(13_332_451.81, abs=1.0)
    assert steps["shared_savings"]["after"] == pytest.approx(12_164_246.69, abs=1.0)
    assert steps["shared_after_sequestration"]["after"] == pytest.approx(11_920_961.75, abs=1.0)


def test_each_step_starts_where_one_before_it_ended() -> None:
    steps = list(
        steps_of(
            *REACH,
            *("--unadjusted-benchmark", "1000", "--trend-ratio", "0.95", "--quality", "0.8"),
            *("--cost", "700", "--enhanced-capitation", "40"),
        ).values()
    )
    reached: list[float] = []
    for step in steps:
        if step["before"] is not None and step["key"] != "completed_claims":
            assert step["before"] in reached, step["key"]
        reached.append(step["after"])


def test_categories_have_their_own_benchmark_and_trend() -> None:
    steps = steps_of(
        *REACH,
        *("--unadjusted-benchmark", "A&D=900", "--unadjusted-benchmark", "ESRD=100"),
        *("--trend-ratio", "A&D=0.95", "--trend-ratio", "ESRD=1.004"),
        *("--quality", "1", "--cost", "800"),
    )
    assert steps["unadjusted_benchmark"]["after"] == pytest.approx(1000.0)
    assert steps["trend_adjusted_benchmark"]["after"] == pytest.approx(955.0)


def test_amounts_may_be_pasted_with_dollar_signs_and_commas() -> None:
    steps = steps_of(*GPDC, "--final-benchmark", "$43,984,166.24", "--cost", "31,345,778.22")
    assert steps["final_benchmark"]["after"] == 43_984_166.24
    assert steps["completed_claims"]["before"] == 31_345_778.22


def test_cost_claims_and_net_cost_are_three_ways_to_say_the_same() -> None:
    start = [*GPDC, "--final-benchmark", "1000", "--base-capitation", "50"]
    by_cost = steps_of(*start, "--cost", "850", "--stop-loss-charge", "10")
    by_claims = steps_of(*start, "--claims", "800", "--stop-loss-charge", "10")
    by_net_cost = steps_of(*start, "--net-cost", "860")
    for steps in (by_cost, by_claims, by_net_cost):
        assert steps["net_cost_of_care"]["after"] == pytest.approx(860.0)


def test_completion_leaves_capitation_alone() -> None:
    steps = steps_of(
        *GPDC,
        *("--final-benchmark", "1000", "--cost", "850", "--base-capitation", "50"),
        *("--completion", "1.1"),
    )
    assert steps["net_cost_of_care"]["after"] == pytest.approx(930.0)


def test_a_performance_score_becomes_a_total_quality_score() -> None:
    # 4 of the 5 points are for reporting: 80% on the measures is 96% in all.
    result = invoke(
        *GPDC,
        *("--unadjusted-benchmark", "1000", "--performance-score", "0.8"),
        *("--cost", "900", "--json"),
    )
    document = json.loads(result.stdout)
    assert document["quality_score"] == pytest.approx(0.96)
    final = next(s["after"] for s in document["steps"] if s["key"] == "final_benchmark")
    assert final == pytest.approx(978.0)  # 1 - 2% - 5% x 4%


def test_missing_ci_sep_halves_the_score_before_equity_reporting() -> None:
    result = invoke(
        *REACH,
        *("--unadjusted-benchmark", "1000", "--performance-score", "0.6", "--ci-sep-missed"),
        *("--equity-reporting", "0.1", "--cost", "900", "--json"),
    )
    assert json.loads(result.stdout)["quality_score"] == pytest.approx(0.4)


def test_everything_outside_the_corridors_is_settled_in_cash() -> None:
    steps = steps_of(
        *REACH,
        *PLAIN,
        *("--enhanced-capitation", "30", "--advanced-payments", "12"),
        *("--advanced-payment-reductions", "10", "--high-performers-bonus", "5"),
        *("--provisional-settlement", "-8"),
    )
    # 98% of 100, less 30, less 2, plus 5, plus the 8 collected already.
    assert steps["cash_due"]["after"] == pytest.approx(98 - 30 - 2 + 5 + 8)


def test_rules_can_be_overridden_and_show_it() -> None:
    result = invoke(*GPDC, *PLAIN, "--set", "corridors=[[0.05, 1.0], [inf, 0.5]]", "--json")
    document = json.loads(result.stdout)
    shared = next(s["after"] for s in document["steps"] if s["key"] == "shared_savings")
    assert shared == pytest.approx(75.0)
    rule = next(rule for rule in document["rules"] if rule["name"] == "corridors")
    assert rule["value"] == [[0.05, 1.0], [None, 0.5]]
    assert rule["original"] == [[0.25, 1.0], [0.35, 0.5], [0.5, 0.25], [None, 0.1]]


# --- a file -----------------------------------------------------------------------------------


def written(folder: Path, text: str) -> str:
    path = folder / "figures.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


FILE = """
program = "reach"
year = 2023
option = "global"
trend-ratio = { "A&D" = 0.95, ESRD = 1.0 }
unadjusted_benchmark = { "A&D" = 900, ESRD = 100 }
quality = 0.5
cost = 700.0
ci_sep_missed = false

[set]
discount = 0.04
"""


def test_a_file_holds_the_same_names_as_the_options(tmp_path: Path) -> None:
    file = written(tmp_path, FILE)
    options = steps_of(
        *REACH,
        *("--unadjusted-benchmark", "A&D=900", "--unadjusted-benchmark", "ESRD=100"),
        *("--trend-ratio", "A&D=0.95", "--trend-ratio", "ESRD=1.0"),
        *("--quality", "0.5", "--cost", "700", "--set", "discount=0.04"),
    )
    assert steps_of(file) == options


def test_the_command_line_takes_precedence_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, FILE)
    steps = steps_of(file, "--quality", "1", "--set", "discount=0.1")
    assert steps["final_benchmark"]["after"] == pytest.approx(955.0 * 0.9)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("cost = 1\ncots = 2", "cots: there is no such figure; did you mean 'cost'?"),
        ('cost = "5"', "cost: must be a finite amount of US dollars, 0 or more, without quotes"),
        ("quality = 80", "quality: must be a rate between 0 and 1, written as a fraction"),
        ("quality = nan", "quality: must be a rate between 0 and 1"),
        ("retention_kept = 1", "retention_kept: must be true or false (given 1)."),
        ("year = 2022.5", "year: must be a performance year, such as 2022 (given 2022.5)."),
        ("program = 3", "program: must be a name in quotes (given 3)."),
        ("trend_ratio = { ESDR = 1.0 }", "trend_ratio: the categories are A&D and ESRD"),
        ("trend_ratio = { ESRD = -1.0 }", "trend_ratio.ESRD: must be a ratio"),
        ("set = 4", "set: must be a table of rules and their values."),
        ("cost = ", "the file must be valid TOML: Invalid value (at "),
    ],
)
def test_a_file_is_refused_with_its_name(tmp_path: Path, text: str, sentence: str) -> None:
    file = written(tmp_path, text)
    told = sentences(file)
    assert len(told) == 1
    assert told[0].startswith(f"{file}: {sentence}")


def test_everything_wrong_with_a_file_is_told_at_once(tmp_path: Path) -> None:
    told = sentences(written(tmp_path, "quality = 2\ncost = -1\nyear = 'x'"))
    assert [line.rpartition("toml: ")[2].split(":")[0] for line in told] == [
        "quality",
        "cost",
        "year",
    ]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert sentences(str(tmp_path / "no.toml")) == [
        f"{tmp_path / 'no.toml'}: the file cannot be read: No such file or directory."
    ]
    (tmp_path / "latin.toml").write_bytes("note = 'caf\xe9'".encode("latin-1"))
    assert "must be text in UTF-8" in sentences(str(tmp_path / "latin.toml"))[0]


# --- what it refuses --------------------------------------------------------------------------

UNADJUSTED = ["--unadjusted-benchmark", "1000", "--cost", "900"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        # Numbers
        (["--final-benchmark", "-5", "--cost", "1"], "--final-benchmark: must be a finite amount"),
        (["--final-benchmark", "0", "--cost", "1"], "of US dollars above 0 (given 0)."),
        (["--final-benchmark", "nan", "--cost", "1"], "of US dollars above 0 (given nan)."),
        (["--final-benchmark", "10", "--cost", "inf"], "--cost: must be a finite amount"),
        (["--final-benchmark", "10", "--cost", "1,5"], "--cost: must be a finite amount"),
        (["--final-benchmark", "10", "--cost", "ten"], "0 or more (given 'ten')."),
        ([*UNADJUSTED, "--quality", "2"], "written as a fraction (2% is 0.02) (given 2)."),
        ([*UNADJUSTED, "--quality", "81%"], "written as a fraction (2% is 0.02) (given '81%')."),
        ([*UNADJUSTED, "--trend-ratio", "-0.05"], "5% below projection is 0.95"),
        ([*UNADJUSTED, "--trend-ratio", "95"], "5% below projection is 0.95"),
        ([*PLAIN, "--health-equity-down", "5"], "negative or 0, as CMS publishes it (given 5)."),
        ([*PLAIN, "--completion", "0"], "--completion: must be a ratio between 0.2 and 5"),
        # Categories
        (["--unadjusted-benchmark", "A+D=5", "--cost", "1"], "did you mean 'A&D'?"),
        (
            ["--unadjusted-benchmark", "5", "--unadjusted-benchmark", "6", "--cost", "1"],
            "--unadjusted-benchmark: must be given once, or once for each category",
        ),
        (
            [*UNADJUSTED, "--trend-ratio", "ESRD=1.1"],
            "'trend_ratio' must name the categories of the benchmark",
        ),
        # What contradicts what
        (
            ["--cost", "1"],
            "exactly one of --unadjusted-benchmark and --final-benchmark must be given "
            "(given none).",
        ),
        ([*PLAIN, "--unadjusted-benchmark", "5"], "must be given (given --unadjusted-benchmark"),
        (["--final-benchmark", "5"], "exactly one of --cost and --claims and --net-cost"),
        ([*PLAIN, "--net-cost", "5"], "(given --cost and --net-cost)."),
        (
            [*PLAIN, "--quality", "0.9"],
            "--quality: cannot be given together with --final-benchmark: the final benchmark has "
            "it in it already.",
        ),
        ([*PLAIN, "--retention-kept"], "--retention-kept: cannot be given together with"),
        (
            ["--final-benchmark", "5", "--net-cost", "5", "--completion", "1.1"],
            "--completion: cannot be given together with --net-cost",
        ),
        (
            [*UNADJUSTED, "--quality", "0.9", "--performance-score", "0.8"],
            "--quality: cannot be given together with --performance-score",
        ),
        ([*UNADJUSTED, "--equity-reporting", "0.1"], "--equity-reporting: needs --performance-"),
        (
            [*PLAIN, "--total-care-capitation", "5", "--enhanced-capitation", "5"],
            "--enhanced-capitation: cannot be given together with --total-care-capitation",
        ),
        ([*PLAIN, "--base-capitation", "901"], "--cost: must be at least the capitation in it"),
        (
            [*PLAIN, "--health-equity-up", "5", "--health-equity-up-months", "5"],
            "--health-equity-up-months: cannot be given together with --health-equity-up",
        ),
        ([*PLAIN, "--health-equity-down", "-1000"], "nothing is left of the benchmark"),
        # Against the rules
        ([*UNADJUSTED, "--seasonality", "1.1"], "the nine-month performance year 2021 only"),
        (
            [*UNADJUSTED, "--performance-score", "0.8", "--equity-reporting", "0.2"],
            "--equity-reporting: must be at most 0.1 in reach 2023 global",
        ),
        ([*PLAIN, "--set", "discount=2"], "discount: must be a rate between 0 and 1"),
        ([*PLAIN, "--set", "discuont=0.1"], "did you mean 'discount'?"),
        ([*PLAIN, "--set", "discount"], "--set: must be RULE=VALUE"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(arguments: list[str], sentence: str) -> None:
    told = sentences(*REACH, *arguments)
    assert len(told) == 1
    assert sentence in told[0]


@pytest.mark.parametrize(
    ("program", "year", "option", "arguments", "sentence"),
    [
        ("gpdc", "2022", "professional", ["--total-care-capitation", "5"], "no total care"),
        ("gpdc", "2022", "global", ["--high-performers-bonus", "5"], "no high performers pool"),
        ("gpdc", "2022", "global", ["--health-equity-up", "5"], "no health-equity adjustment"),
        ("gpdc", "2019", "global", [], "holds performance years 2021 to 2022"),
        ("gpdc", "2023", "global", [], "take program 'reach'"),
        ("gpcd", "2022", "global", [], "did you mean 'gpdc'?"),
        ("gpdc", "2022", "globl", [], "did you mean 'global'?"),
        ("gpdc", "MMXX", "global", [], "--year: must be a performance year"),
    ],
)
def test_what_a_program_does_not_have_is_refused(
    program: str, year: str, option: str, arguments: list[str], sentence: str
) -> None:
    told = sentences(
        *("--program", program, "--year", year, "--option", option), *PLAIN, *arguments
    )
    assert len(told) == 1
    assert sentence in told[0]


def test_the_contract_must_be_named() -> None:
    (told,) = sentences(*PLAIN, "--program", "gpdc")
    assert told.startswith("--year and --option must be given, such as --program reach")


def test_refusals_leave_with_status_2_and_an_empty_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["settle", *GPDC, "--final-benchmark", "-5", "--cost", "1", "--json"])
    shown = capsys.readouterr()
    assert left.value.code == 2
    assert shown.out == ""
    assert shown.err.startswith("simdc: --final-benchmark: must be")
    assert "Traceback" not in shown.err


# --- what it prints ---------------------------------------------------------------------------


def test_the_table_shows_each_step_and_each_rule_with_its_source() -> None:
    text = invoke(*D0088).stdout
    assert "Settlement: gpdc 2022, global, high needs" in text
    assert "43,984,166.24" in text
    assert "13,332,451.81" in text
    assert "Paid to the entity: $11,920,961.7" in text
    assert "25-35%: 50%" in text
    assert "sequestration_shared_savings" in text
    assert "Finance-Focused" in text
    # Only web addresses, which must stay whole, go beyond 80 columns.
    assert all(len(line) <= 80 for line in text.splitlines() if "http" not in line)


def test_a_debt_is_called_one() -> None:
    text = invoke(*GPDC, "--final-benchmark", "1000", "--cost", "1100").stdout
    assert "Gross losses: 10.00% of the benchmark" in text
    assert "Owed by the entity: $100.00." in text


def test_what_was_not_given_is_said() -> None:
    text = invoke(*REACH, *UNADJUSTED).stdout
    assert "Not given, so taken as 1: --trend-ratio, --quality." in text
    assert "Not given" not in invoke(*REACH, *PLAIN).stdout


def test_json_is_all_there_is_on_stdout_and_holds_plain_numbers() -> None:
    result = invoke(*D0088, "--json")
    document = json.loads(result.stdout, parse_constant=pytest.fail)
    assert document["entity_type"] == "high_needs"
    assert {rule["name"] for rule in document["rules"]} == {
        name for step in document["steps"] for name in step["rules"]
    }
    assert all(rule["source"] and rule["confidence"] for rule in document["rules"])


def test_help_has_examples_that_run() -> None:
    text = invoke("--help").stdout
    examples = [
        block.replace("\\\n", " ").split()[2:]
        for block in text.split("\n\n")
        if "--final-benchmark" in block or "--unadjusted-benchmark" in block
        for block in [block[block.find("simdc settle") :]]
        if block.startswith("simdc settle --program")
    ]
    assert len(examples) == 2
    for example in examples:
        assert invoke(*example).exception is None


# --- other programs ---------------------------------------------------------------------------

MSSP = ["--program", "mssp", "--year", "2024", "--option", "enhanced"]
ENHANCED = [*("--benchmark", "100,000,000", "--expenditure", "90e6"), "--beneficiaries", "20,000"]


def test_shared_savings_are_settled() -> None:
    # 42 CFR 425.610: 75% of savings from the first dollar; 2% sequestration.
    steps = steps_of(*MSSP, *ENHANCED)
    assert steps["cash_due"]["after"] == pytest.approx(0.98 * 7.5e6)
    assert steps["final_sharing_rate"]["unit"] == "fraction"
    assert steps["cash_due"]["unit"] == "dollars"


def test_a_missed_standard_costs_the_savings_and_the_alternative_saves_a_part() -> None:
    # 42 CFR 425.610(d): nothing without the standard; the rate times the score with the other.
    missed = steps_of(*MSSP, *ENHANCED, "--quality-standard-missed", "--quality", "0.6")
    assert missed["cash_due"]["after"] == 0.0
    other = steps_of(
        *MSSP,
        *ENHANCED,
        "--quality-standard-missed",
        "--alternative-standard-met",
        *("--quality", "0.6"),
    )
    assert other["shared_savings"]["after"] == pytest.approx(0.6 * 7.5e6)


def test_the_year_of_the_agreement_limits_losses() -> None:
    # 42 CFR 425.606(g): 5% of benchmark in the first year, 10% from the third.
    track_2 = ["--program", "mssp", "--year", "2016", "--option", "track-2"]
    figures = ["--benchmark", "100", "--expenditure", "160", "--beneficiaries", "20000"]
    first = steps_of(*track_2, *figures, "--agreement-year", "1")
    assert first["cash_due"]["after"] == pytest.approx(-5.0)
    assert steps_of(*track_2, *figures)["cash_due"]["after"] == pytest.approx(-10.0)


def test_next_generation_is_settled() -> None:
    steps = steps_of(
        *("--program", "ngaco", "--year", "2017", "--option", "arrangement-a"),
        *("--final-benchmark", "1000", "--claims", "700", "--set", "savings_losses_cap=0.05"),
    )
    assert steps["capped_savings"]["after"] == pytest.approx(50.0)
    assert steps["cash_due"]["after"] == pytest.approx(39.2)


def test_rates_are_shown_as_rates_and_what_is_missing_is_said() -> None:
    shown = " ".join(invoke(*MSSP, *ENHANCED).stdout.split())
    assert "Settlement: mssp 2024, enhanced Step" in shown
    assert "Final sharing rate 75.000% 75.000%" in shown
    assert "Not given, so taken as 1: --quality." in shown


def test_shared_savings_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "figures.toml"
    file.write_text(
        'program = "mssp"\nyear = 2024\noption = "basic-e"\nbenchmark = 100e6\n'
        "expenditure = 110e6\nbeneficiaries = 20_000\nrevenue = 30e6\n"
    )
    # 30% of $10M, but no more than 8% of revenue (42 CFR 425.605(d)).
    assert steps_of(str(file))["cash_due"]["after"] == pytest.approx(-2.4e6)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([*MSSP, "--benchmark", "100"], "mssp also needs --expenditure and --beneficiaries;"),
        (
            [*MSSP, *ENHANCED, "--stop-loss-charge", "1"],
            "--stop-loss-charge: is a figure of Direct Contracting and ACO REACH, not of mssp.",
        ),
        (
            [*GPDC, *PLAIN, "--benchmark", "100"],
            "--benchmark: is a figure of the Shared Savings Program, not of gpdc.",
        ),
        (
            [*MSSP, *ENHANCED, "--final-benchmark", "1"],
            "--final-benchmark: is a figure of Direct Contracting and ACO REACH and of Next "
            "Generation ACO, not of mssp.",
        ),
        (
            [*MSSP, *ENHANCED, "--agreement-year", "6"],
            "--agreement-year: must be a year of an agreement, 1 to 5 (given 6).",
        ),
        (
            [
                *("--program", "ngaco", "--year", "2017", "--option", "arrangement-b"),
                *("--claims", "1", "--unadjusted-benchmark", "A&D=1"),
            ],
            "--unadjusted-benchmark: is one amount in this program, not one by category.",
        ),
    ],
)
def test_figures_that_a_program_does_not_know(arguments: list[str], sentence: str) -> None:
    assert sentences(*arguments)[0].startswith(sentence)
