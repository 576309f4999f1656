"""The rules of the programs: figures against their sources, and what a data file may not do."""

from __future__ import annotations

import copy
import csv
import json
import math
import pickle
import subprocess
import sys
from itertools import product
from typing import Any

import pytest
from click.testing import CliRunner, Result
from published import published

from simdc.cli.programs import command
from simdc.errors import InputError
from simdc.programs import Program, Rule, load_program, program_names
from simdc.programs.load import parse_program
from simdc.programs.model import CONFIDENCES, UNSETTLED, source_keys
from simdc.programs.units import checked, shown

DIRECT_CONTRACTING = ("gpdc", "gpdc-2020", "reach")
FAMILY_RULES = {
    "discount",
    "quality_withhold",
    "quality_reporting_share",
    "ci_sep_multiplier",
    "equity_reporting_maximum",
    "retention_withhold",
    "high_performers_pool",
    "corridors",
    "health_equity_up_pbpm",
    "health_equity_down_pbpm",
    "trend_adjustment_trigger",
    "trend_adjustment_corridor",
    "sequestration_shared_savings",
    "sequestration_schedule",
    "primary_care_capitation_total",
    "enhanced_capitation_minimum",
    "claims_reduction_floor",
    "total_care_capitation_allowed",
    "minimum_aligned_beneficiaries",
    "performance_year_months",
    "provisional_mandatory",
    "provisional_settlement_months",
    "provisional_run_out_months",
    "provisional_months_after",
    "final_settlement_months_after",
    "provisional_frees_guarantee",
    "history_weight_claims",
    "history_weight_voluntary",
    "base_years_claims",
    "base_years_voluntary",
    "base_year_weights",
    "regional_ceiling",
    "regional_floor",
    "rate_book_years",
    "concurrent_risk_model",
    "risk_cap",
    "risk_cap_reference_year",
    "risk_cap_demographic",
    "continuously_voluntary_capped",
    "coding_factor_limit",
    "coding_factor_reference_year",
}
LATER_RULES = {  # of risk adjustment, from 2025 or 2026 on
    "risk_cap_minimum_beneficiaries",
    "risk_cap_exemption_multiple",
    "growth_ceiling",
    "growth_ceiling_reference_year",
    "growth_ceiling_alignment",
}
GLOBAL = ((0.25, 1.0), (0.35, 0.5), (0.5, 0.25), (math.inf, 0.1))
GLOBAL_2026 = ((0.1, 1.0), (0.35, 0.5), (0.5, 0.25), (math.inf, 0.1))
PROFESSIONAL = ((0.05, 0.5), (0.1, 0.35), (0.15, 0.15), (math.inf, 0.05))


def as_run(year: int) -> str:
    return "gpdc" if year <= 2022 else "reach"


# --- figures ----------------------------------------------------------------------------------


# CMS finance FAQ, October 2020, Q4 and Q6.
@pytest.mark.parametrize(
    ("year", "discount"),
    [(2021, 0.02), (2022, 0.02), (2023, 0.03), (2024, 0.04), (2025, 0.05), (2026, 0.05)],
)
def test_announced_discount_climbs_to_five_percent(year: int, discount: float) -> None:
    program = load_program("gpdc-2020")
    assert program.rules(year, "global").value("discount") == discount
    assert program.rules(year, "professional").value("discount") == 0
    assert program.rules(year, "professional").value("quality_withhold") == 0.05


# ACO REACH request for applications, 2022, table 6.16; the CMS public use files of 2021-2023;
# Modern Healthcare, July 2024 (2025-26); the CMS notice for 2026 (withhold).
@pytest.mark.parametrize(
    ("year", "discount", "withhold", "reporting_share"),
    [
        (2021, 0.02, 0.05, 0.8),
        (2022, 0.02, 0.05, 0.8),
        (2023, 0.03, 0.02, 0.0),
        (2024, 0.03, 0.02, 0.0),
        (2025, 0.04, 0.02, 0.0),
        (2026, 0.04, 0.05, 0.0),
    ],
)
def test_reductions_as_run(
    year: int, discount: float, withhold: float, reporting_share: float
) -> None:
    rules = load_program(as_run(year)).rules(year, "global")
    assert rules.value("discount") == discount
    assert rules.value("quality_withhold") == withhold
    assert rules.value("quality_reporting_share") == reporting_share


@pytest.mark.parametrize("year", range(2021, 2027))
def test_corridors(year: int) -> None:
    run, announced = load_program(as_run(year)), load_program("gpdc-2020")
    assert run.rules(year, "global").value("corridors") == (GLOBAL_2026 if year == 2026 else GLOBAL)
    assert announced.rules(year, "global").value("corridors") == GLOBAL
    # The first two bands: CMS finance FAQ, October 2020, Q46.
    assert run.rules(year, "professional").value("corridors") == PROFESSIONAL
    assert announced.rules(year, "professional").value("corridors") == PROFESSIONAL


# Trade-press report of the changes announced in August 2023.
@pytest.mark.parametrize(
    ("year", "on_global", "on_professional"),
    [(2021, 0.03, 0.025), (2022, 0.03, 0.025), (2023, 0.03, 0.025)]
    + [(year, 0.04, 0.04) for year in (2024, 2025, 2026)],
)
def test_guarantee_rates_as_run(year: int, on_global: float, on_professional: float) -> None:
    program = load_program(as_run(year))
    assert program.rules(year, "global").value("guarantee_rate") == on_global
    assert program.rules(year, "professional").value("guarantee_rate") == on_professional


@pytest.mark.parametrize("year", range(2021, 2027))
def test_no_guarantee_rate_was_announced_in_2020(year: int) -> None:
    assert "guarantee_rate" not in load_program("gpdc-2020").rules(year, "global")


# CMS public use file of 2023 (+$30 and -$6 PBPM); reports of the CMS notice for 2024 (-$10).
@pytest.mark.parametrize(
    ("year", "up", "down"),
    [(2021, 0, 0), (2022, 0, 0), (2023, 30, -6), (2024, 30, -10), (2025, 30, -10), (2026, 30, -10)],
)
def test_health_equity_adjustment(year: int, up: float, down: float) -> None:
    rules = load_program(as_run(year)).rules(year, "global")
    assert rules.value("health_equity_up_pbpm") == up
    assert rules.value("health_equity_down_pbpm") == down


@pytest.mark.parametrize("year", range(2021, 2027))
def test_trend_adjustment_softens_from_2024(year: int) -> None:
    rules = load_program(as_run(year)).rules(year, "global")
    softened = ((0.04, 1.0), (0.08, 0.5), (math.inf, 0.0))
    whole = ((math.inf, 1.0),)
    assert rules.value("trend_adjustment_trigger") == 0.01
    assert rules.value("trend_adjustment_corridor") == (softened if year >= 2024 else whole)


def test_sequestration_of_capitation_follows_the_payment_date() -> None:
    # Public Law 117-71, section 2.
    schedule = dict(load_program("gpdc").rules(2022, "global").value("sequestration_schedule"))
    assert schedule == {"2020-05-01": 0.0, "2022-04-01": 0.01, "2022-07-01": 0.02}


# ACO REACH participation agreement, section 5.03; CMS finance FAQ, October 2020, Q31.
@pytest.mark.parametrize(
    ("year", "entity_type", "minimum"),
    [
        (2021, "high_needs", 250),
        (2023, "new_entrant", 2000),
        (2024, "high_needs", 750),
        (2025, "new_entrant", 4000),
        (2026, "high_needs", 1250),
        (2026, "standard", 5000),
    ],
)
def test_minimum_size_depends_on_the_type(year: int, entity_type: str, minimum: int) -> None:
    rules = load_program(as_run(year)).rules(year, "global", entity_type)
    assert rules.value("minimum_aligned_beneficiaries") == minimum


@pytest.mark.parametrize("name", DIRECT_CONTRACTING)
def test_total_care_capitation_is_for_global_only(name: str) -> None:
    # CMS finance FAQ, October 2020, Q2.
    program = load_program(name)
    for year in program.years:
        assert program.rules(year, "global").value("total_care_capitation_allowed") is True
        assert program.rules(year, "professional").value("total_care_capitation_allowed") is False


def test_published_results_of_2022_follow_the_rules_called_proven() -> None:
    program = load_program("gpdc")
    # To the dollar: CMS prints ten digits, and D0054's payment lies 17 cents off its own savings.
    dollar = 1.0
    results = published("gpdc_results_py2022.csv")
    for row in csv.DictReader(results.read_text(encoding="utf-8").splitlines()):
        rules = program.rules(2022, row["risk_arrangement"].lower())
        retention = float(row["retention_withhold"]) / 100
        assert float(row["discount"]) / 100 == rules.value("discount"), row["aco_id"]
        assert retention in (0.0, rules.value("retention_withhold")), row["aco_id"]

        benchmark, gross = float(row["final_benchmark"]), float(row["gross_savings"])
        lower, shared = 0.0, 0.0
        for upper, share in rules.value("corridors"):
            within = min(abs(gross), upper * benchmark) - lower * benchmark
            shared += share * max(within, 0.0)
            lower = upper
        assert float(row["shared_savings"]) == pytest.approx(
            math.copysign(shared, gross), abs=dollar
        )

        # D0128 left early and its savings were not paid.
        if gross > 0 and row["aco_id"] != "D0128":
            paid = float(row["shared_savings"]) * (1 - rules.value("sequestration_shared_savings"))
            assert float(row["shared_savings_seq"]) == pytest.approx(paid, abs=dollar)


# --- every data file --------------------------------------------------------------------------


@pytest.mark.parametrize("name", DIRECT_CONTRACTING)
def test_every_case_has_every_rule_of_the_family(name: str) -> None:
    program = load_program(name)
    expected = FAMILY_RULES | (set() if name == "gpdc-2020" else {"guarantee_rate"})
    for case in product(program.years, program.options, program.entity_types):
        assert set(program.rules(*case)) - LATER_RULES == expected, case


@pytest.mark.parametrize("name", program_names())
def test_every_figure_is_cited_and_every_citation_used(name: str) -> None:
    program = load_program(name)
    used = {key for p in program.provisions for key in source_keys(p.rule.source)}
    assert used == set(program.sources)
    assert all(p.rule.confidence in CONFIDENCES for p in program.provisions)


@pytest.mark.parametrize("name", program_names())
def test_unsettled_figures_say_why(name: str) -> None:
    for provision in load_program(name).provisions:
        if provision.rule.confidence in UNSETTLED:
            assert len(provision.rule.note) > 20, provision.rule


def test_conflicts_between_sources_are_labelled() -> None:
    reach = load_program("reach")
    for year in (2025, 2026):
        assert reach.rules(year, "global")["discount"].confidence == "conflicting"
    assert reach.rules(2026, "global")["corridors"].confidence == "inferred"
    assert reach.rules(2024, "global")["trend_adjustment_corridor"].confidence == "inferred"


@pytest.mark.parametrize("name", program_names())
def test_years_elsewhere_are_held_there_and_not_here(name: str) -> None:
    program = load_program(name)
    for other, years in program.elsewhere.items():
        assert set(years) == set(load_program(other).years)
        assert not set(years) & set(program.years)


# --- asking -----------------------------------------------------------------------------------


def refusal(program: Program, *case: Any) -> str:
    with pytest.raises(InputError) as caught:
        program.rules(*case)
    return str(caught.value)


def test_unknown_program_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"given 'reech'.*did you mean 'reach'"):
        load_program("reech")


@pytest.mark.parametrize("name", ["../reach", "reach.toml", "", "README"])
def test_only_listed_names_are_programs(name: str) -> None:
    with pytest.raises(InputError, match="there is no such program"):
        load_program(name)


def test_years_of_the_other_program_point_to_it() -> None:
    assert "for 2023 take program 'reach'" in refusal(load_program("gpdc"), 2023, "global")
    assert "for 2022 take program 'gpdc'" in refusal(load_program("reach"), 2022, "global")


def test_years_nobody_holds_are_refused_with_those_held() -> None:
    sentence = refusal(load_program("gpdc-2020"), 2027, "global")
    assert sentence == ("program 'gpdc-2020' holds performance years 2021 to 2026 (given 2027).")


def test_unknown_option_and_type_are_refused() -> None:
    reach = load_program("reach")
    option = refusal(reach, 2023, "globl")
    assert "it has 'global', 'professional' (given 'globl'); did you mean 'global'?" in option
    entity_type = refusal(reach, 2023, "global", "high-needs")
    assert "no such entity type" in entity_type
    assert "did you mean 'high_needs'?" in entity_type


def test_rules_survive_pickling() -> None:
    rules = load_program("reach").rules(2023, "global")
    assert pickle.loads(pickle.dumps(rules)) == rules


def test_citation_is_written_out_with_its_place() -> None:
    citation = load_program("gpdc").rules(2022, "global").citation("enhanced_capitation_minimum")
    assert citation.startswith(
        "CMS Innovation Center, Direct Contracting (Professional and Global)"
    )
    assert citation.endswith("October 2020. (Q24)")


# --- overriding -------------------------------------------------------------------------------


def test_override_replaces_the_value_and_shows_as_such() -> None:
    rules = load_program("reach").rules(2025, "global")
    changed = rules.override({"discount": 0.035})
    rule = changed["discount"]
    assert (rule.value, rule.original, rule.overridden) == (0.035, 0.04, True)
    assert rule.confidence == "assumption"
    assert "4% of benchmark" in rule.note
    assert changed.citation("discount") == "scenario override"
    assert (changed.year, changed.option) == (2025, "global")
    assert [name for name in changed if changed[name].overridden] == ["discount"]


def test_override_leaves_the_programs_own_rules_alone() -> None:
    rules = load_program("reach").rules(2025, "global")
    rules.override({"discount": 0.0})
    assert rules.value("discount") == 0.04
    assert load_program("reach").rules(2025, "global").value("discount") == 0.04


def test_second_override_remembers_the_programs_value() -> None:
    rules = load_program("reach").rules(2025, "global")
    twice = rules.override({"discount": 0.01}).override({"discount": 0.02})
    assert twice["discount"].original == 0.04


def test_an_overridden_false_counts_as_overridden() -> None:
    rules = load_program("reach").rules(2025, "professional")
    assert rules.override({"total_care_capitation_allowed": True})[
        "total_care_capitation_allowed"
    ].overridden


def test_every_bad_override_is_told_at_once() -> None:
    rules = load_program("reach").rules(2025, "global")
    with pytest.raises(InputError) as caught:
        rules.override({"discont": 0.02, "quality_withhold": 2})
    unknown, percent = caught.value.problems
    assert (unknown.path, unknown.suggestion) == ("discont", "discount")
    assert "written as a fraction (2% is 0.02)" in percent.message
    assert (percent.path, percent.given) == ("quality_withhold", "2")


# --- units ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("fraction of benchmark", 0),
        ("fraction of benchmark", 1),
        ("dollars PBPM", -6.0),
        ("multiplier", 0.5),
        ("beneficiaries", 0),
        ("bool", False),
        ("corridors", [[math.inf, 1]]),
        ("corridors", [[0.1, 1], [math.inf, 0]]),
        ("schedule", [["2022-04-01", 0.01], ["2022-07-01", 0.02]]),
        ("limit either way", 0.03),
        ("limit either way", math.inf),
        ("year", 2019),
    ],
)
def test_allowed_values(unit: str, value: Any) -> None:
    frozen = checked(value, unit)
    assert hash(frozen) is not None
    assert (
        [list(pair) for pair in frozen] == value if isinstance(frozen, tuple) else frozen == value
    )


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("fraction", math.nextafter(1, 2)),
        ("fraction", -5e-324),
        ("fraction", math.nan),
        ("fraction", math.inf),
        ("fraction", True),
        ("fraction", "0.02"),
        ("fraction", None),
        ("dollars", math.inf),
        ("dollars", math.nan),
        ("dollars", math.nextafter(1e15, math.inf)),
        ("dollars", math.nextafter(1e-12, 0)),
        ("dollars", 10**400),  # no float holds it
        ("multiplier", -0.1),
        ("multiplier", math.inf),
        ("beneficiaries", 0.5),
        ("beneficiaries", -1),
        ("beneficiaries", math.inf),
        ("beneficiaries", math.nan),
        ("bool", 1),
        ("corridors", []),
        ("corridors", 0.5),
        ("corridors", [[0.1, 1.0]]),
        ("corridors", [[0.2, 1.0], [0.1, 0.5], [math.inf, 0.1]]),
        ("corridors", [[0.1, 1.0], [0.1, 0.5], [math.inf, 0.1]]),
        ("corridors", [[math.nan, 1.0], [math.inf, 0.1]]),
        ("corridors", [[0.0, 1.0], [math.inf, 0.1]]),
        ("corridors", [[math.inf, 1.1]]),
        ("corridors", [[0.1, 1.0, 2.0], [math.inf, 0.1]]),
        ("corridors", "ab"),
        ("schedule", [["2022-07-01", 0.02], ["2022-04-01", 0.01]]),
        ("schedule", [["July 2022", 0.02]]),
        ("schedule", [["2022-07-01", 2]]),
        ("limit", -0.01),
        ("limit", math.nan),
        ("year", 2019.5),
        ("year", 19),
        ("years", [2019, 2018]),
        ("years", 2019),
        ("weights", [0.1, 0.3, 0.5]),
        ("weights", []),
        ("weights", [-0.1, 1.1]),
    ],
)
def test_refused_values(unit: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^must be"):
        checked(value, unit)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.07, "fraction of benchmark", "7% of benchmark"),
        (0.035, "fraction", "3.5%"),
        (-6.0, "dollars PBPM", "-$6.00 PBPM"),
        (0.5, "multiplier", "x 0.5"),
        (1250, "beneficiaries", "1,250 beneficiaries"),
        (True, "bool", "yes"),
        (((math.inf, 1.0),), "corridors of trend", "any size: 100% of trend"),
        (((0.1, 1.0), (math.inf, 0.5)), "corridors of benchmark",
         "0-10%: 100%\nabove 10%: 50%\n(of benchmark)"),
        ((("2022-07-01", 0.02),), "schedule", "2022-07-01: 2%"),
        (math.inf, "limit either way", "no limit either way"),
        (0.03, "limit either way", "3% either way"),
        ((2017, 2018, 2019), "years", "2017, 2018, 2019"),
        ((), "years", "none"),
        ((0.1, 0.3, 0.6), "weights", "10%, 30%, 60%"),
    ],
)  # fmt: skip
def test_values_are_shown_with_their_unit(value: Any, unit: str, text: str) -> None:
    assert shown(value, unit) == text
    assert Rule("r", value, unit, "S", "official").shown == text


# --- data files that must not load ------------------------------------------------------------

SMALL: dict[str, Any] = {
    "program": "small",
    "title": "A program",
    "status": "as run",
    "family": "direct_contracting",
    "note": "",
    "years": [2030, 2031],
    "options": ["one", "two"],
    "sources": {"A": "A source."},
    "meaning": {"sharing_rate": "Share of savings."},
    "rule": [
        {
            "name": "sharing_rate",
            "years": [2030, 2031],
            "value": 0.5,
            "unit": "fraction of savings",
            "source": "A p. 3",
            "confidence": "official",
        }
    ],
}


def test_a_family_with_other_rules_needs_only_a_data_file() -> None:
    rules = parse_program(SMALL).rules(2031, "two", "any type at all")
    assert dict(rules) == {
        "sharing_rate": Rule("sharing_rate", 0.5, "fraction of savings", "A p. 3", "official")
    }


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("confidence", "certain", "unknown confidence: certain"),
        ("confidence", "inferred", "needs a note"),
        ("source", "B p. 3", "unknown source: B"),
        ("unit", "percent", "unknown unit: percent"),
        ("value", 50, "written as a fraction"),
        ("years", [2029], "unknown year: 2029"),
        ("options", ["three"], "unknown option: three"),
        ("entity_types", ["standard"], "unknown entity type: standard"),
        ("remark", "", "unknown field: remark"),
        ("name", "rate", "disagree about"),
    ],
)
def test_faulty_rule_is_refused(field: str, value: object, complaint: str) -> None:
    table = copy.deepcopy(SMALL)
    table["rule"][0][field] = value
    with pytest.raises(ValueError, match=complaint):
        parse_program(table)


def test_figure_stated_twice_is_refused() -> None:
    table = copy.deepcopy(SMALL)
    table["rule"].append(table["rule"][0] | {"years": [2031], "options": ["two"], "value": 0.4})
    with pytest.raises(ValueError, match="stated twice: sharing_rate, 2031, two"):
        parse_program(table)


# --- the command ------------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_bare_command_lists_the_programs() -> None:
    bare = run()
    assert bare.exit_code == 0
    assert bare.output == run("list").output
    assert all(name in bare.output for name in program_names())


@pytest.mark.parametrize("name", program_names())
def test_show_fits_80_columns_and_crops_nothing(name: str) -> None:
    output = run("show", name).output
    lines = [line.rstrip() for line in output.splitlines()]
    # Web addresses stay whole so that they can be followed.
    assert [line for line in lines if len(line) > 80 and "https://" not in line] == []
    assert "\u2026" not in output
    program = load_program(name)
    assert all(rule in output for rule in program.meanings)
    assert all(f"\n{key}: " in output for key in program.sources)


@pytest.mark.parametrize("name", program_names())
def test_show_prints_every_note_once(name: str) -> None:
    output = " ".join(run("show", name).output.split())
    for note in {p.rule.note for p in load_program(name).provisions if p.rule.note}:
        assert output.count(f"] {note}") == 1


def test_show_labels_what_no_source_settles() -> None:
    lines = run("show", "reach", "--year", "2026", "--option", "global").output.splitlines()
    assert any(line.startswith("discount ") and "! conflicting [" in line for line in lines)
    assert any(line.startswith("corridors ") and "! inferred [" in line for line in lines)
    assert not any(line.startswith("quality_withhold ") and "!" in line for line in lines)


def test_show_without_a_year_gives_each_year() -> None:
    output = run("show", "gpdc-2020", "--option", "global").output
    discounts = output.partition("discount")[2].partition("quality_withhold")[0]
    rows = [line.split()[:2] for line in discounts.splitlines() if line.startswith("  20")]
    assert rows == [["2021-2022", "2%"], ["2023", "3%"], ["2024", "4%"], ["2025-2026", "5%"]]


def test_json_is_strict_and_holds_the_rules() -> None:
    def refuse_constant(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    arguments = ("show", "reach", "--year", "2026", "--option", "global", "--json")
    shown_program = json.loads(run(*arguments).output, parse_constant=refuse_constant)
    rules = {rule["name"]: rule for rule in shown_program["rules"]}
    assert rules["discount"]["value"] == 0.04
    assert rules["discount"]["confidence"] == "conflicting"
    assert rules["corridors"]["value"] == [[0.1, 1.0], [0.35, 0.5], [0.5, 0.25], [None, 0.1]]
    assert set(source_keys(rules["discount"]["source"])) <= set(shown_program["sources"])
    listed = json.loads(run("list", "--json").output)
    assert [program["program"] for program in listed] == list(program_names())


@pytest.mark.parametrize(
    "arguments",
    [("show", "reech"), ("show", "reach", "--year", "2021"), ("show", "gpdc", "--option", "x")],
)
def test_bad_selection_is_an_input_error(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, InputError)
    assert result.output == ""


def test_rules_load_without_heavy_libraries() -> None:
    code = (
        "import sys; from simdc.programs import load_program; load_program('reach'); "
        "heavy = {'numpy', 'scipy', 'numba', 'xarray', 'pydantic', 'rich'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
