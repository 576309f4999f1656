"""Geographic Direct Contracting, LEAD, the MLTSS proposal: what they state, inherit, warn of."""

from __future__ import annotations

import copy
import json
import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from simdc.cli.programs import command
from simdc.engine import simulate
from simdc.errors import InputError
from simdc.outcome import Simulation
from simdc.programs import load_program, program_names
from simdc.programs.load import parse_program
from simdc.programs.model import UNSETTLED, source_keys
from simdc.programs.units import checked, shown
from simdc.scenario import parse_scenario
from simdc.settlement import steps
from simdc.settlement.direct_contracting import Figures, Terms, settle

FAMILY = ("geographic", "lead", "mltss")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


# --- lists ------------------------------------------------------------------------------------


def test_lead_is_off_the_default_list_and_offered_with_a_flag() -> None:
    assert "lead" not in program_names()
    assert set(program_names(include_unconfirmed=True)) == {*program_names(), "lead"}
    assert {"geographic", "mltss", "ngaco", "gpdc", "reach"} <= set(program_names())


def test_list_says_that_unconfirmed_programs_exist() -> None:
    assert "listed only with --unconfirmed: lead." in " ".join(run("list").output.split())
    everything = run("list", "--unconfirmed").output
    assert "not confirmed" in everything
    assert "--unconfirmed" not in everything
    listed = json.loads(run("list", "--unconfirmed", "--json").output)
    statuses = {program["program"]: program["status"] for program in listed}
    assert statuses["lead"] == "not confirmed"
    assert statuses["geographic"] == "never started"
    assert statuses["mltss"] == "proposal, not adopted"


@pytest.mark.parametrize(
    ("name", "status"),
    [("lead", "not confirmed"), ("geographic", "never started"), ("mltss", "not adopted")],
)
def test_show_says_what_a_program_is(name: str, status: str) -> None:
    output = run("show", name).output
    assert status in output.splitlines()[1]
    assert [line for line in output.splitlines() if len(line) > 80 and "https" not in line] == []


def test_misspelt_unconfirmed_program_is_suggested() -> None:
    with pytest.raises(InputError, match="did you mean 'lead'"):
        load_program("leed")


@pytest.mark.parametrize("name", FAMILY)
def test_every_case_settles(name: str) -> None:
    program = load_program(name)
    assert program.family == "direct_contracting"
    for case in product(program.years, program.options, program.entity_types):
        terms = Terms.from_rules(program.rules(*case))
        statement = settle(terms, Figures(unadjusted_benchmark={"all": 100.0}, claims=100.0))
        assert math.isfinite(float(statement["cash_due"])), case


@pytest.mark.parametrize("name", FAMILY)
def test_every_figure_is_cited_and_every_citation_used(name: str) -> None:
    program = load_program(name)
    used = {key for p in program.provisions for key in source_keys(p.rule.source)}
    assert used == set(program.sources)
    assert {p.rule.name for p in program.provisions} == set(program.meanings)
    for provision in program.provisions:
        assert provision.rule.confidence not in UNSETTLED or len(provision.rule.note) > 20


def test_each_program_names_its_settlement() -> None:
    families = {name: load_program(name).family for name in program_names()}
    assert families.pop("mssp") == "shared_savings"
    assert families.pop("ngaco") == "next_generation"
    assert set(families.values()) == {"direct_contracting"}


# --- Geographic -------------------------------------------------------------------------------


def test_geographic_settles_as_global_at_its_own_bid() -> None:
    figures = Figures(unadjusted_benchmark={"all": 100.0}, claims=90.0, quality_score=0.9)
    geographic = load_program("geographic").rules(2023, "global").override({"discount": 0.06})
    as_global = load_program("gpdc-2020").rules(2023, "global").override({"discount": 0.06})
    assert (
        settle(Terms.from_rules(geographic), figures)["cash_due"]
        == settle(Terms.from_rules(as_global), figures)["cash_due"]
    )
    # 6% bid, and a tenth of the 5% withhold.
    assert settle(Terms.from_rules(geographic), figures)["final_benchmark"] == pytest.approx(93.5)


def test_nothing_taken_from_global_passes_as_published_for_geographic() -> None:
    rules = load_program("geographic").rules(2023, "global")
    for rule in rules.values():
        if rule.name.startswith("alignment"):
            continue
        assert rule.confidence == "assumption", rule.name
        assert "never started" in rule.note, rule.name


def test_geographic_aligns_by_choice_before_all_else() -> None:
    # HealthScape Advisors, December 2020.
    rules = load_program("geographic").rules(2022, "global")
    assert rules.value("alignment_priority") == (
        "voluntary",
        "plan_enrolment",
        "aco",
        "claims",
        "random",
    )
    assert rules.value("alignment_opt_out_allowed") is False


# --- LEAD -------------------------------------------------------------------------------------


def lead(option: str) -> Terms:
    return Terms.from_rules(load_program("lead").rules(2027, option))


def lead_shared(option: str, rate: float) -> float:
    """Share of the benchmark kept or owed, before sequestration."""
    statement = settle(lead(option), Figures(final_benchmark=1.0, claims=1.0 - rate))
    return float(statement["shared_savings"])


# The edges of each band by hand: the sum of width x share of the bands below.
@pytest.mark.parametrize(
    ("option", "rate", "shared"),
    [
        ("professional", 0.10, 0.06),
        ("professional", 0.15, 0.0775),
        ("professional", 0.20, 0.085),
        ("professional", 0.60, 0.105),
        ("professional", -0.10, -0.05),
        ("professional", -0.15, -0.0675),
        ("professional", -0.20, -0.075),
        ("professional", -0.60, -0.095),
        ("global", 0.15, 0.15),
        ("global", 0.35, 0.25),
        ("global", 0.50, 0.2875),
        ("global", -0.15, -0.15),
        ("global", -0.60, -0.2975),
        ("professional", 0.0, 0.0),
    ],
)
def test_lead_corridors(option: str, rate: float, shared: float) -> None:
    assert lead_shared(option, rate) == pytest.approx(shared, abs=1e-12)


def test_lead_shares_losses_of_professional_less_than_savings() -> None:
    for rate in (0.001, 0.05, 0.1, 0.15, 0.3):
        assert lead_shared("professional", rate) > -lead_shared("professional", -rate)
        assert lead_shared("global", rate) == pytest.approx(-lead_shared("global", -rate))


def test_lead_leaves_losses_whole_and_cuts_savings() -> None:
    for option in ("global", "professional"):
        gain = settle(lead(option), Figures(final_benchmark=100.0, claims=90.0))
        loss = settle(lead(option), Figures(final_benchmark=100.0, claims=110.0))
        assert gain["shared_after_sequestration"] == pytest.approx(0.98 * gain["shared_savings"])
        assert loss["shared_after_sequestration"] == loss["shared_savings"]


def test_loss_corridors_are_named_in_the_statement() -> None:
    professional = settle(lead("professional"), Figures(final_benchmark=1.0, claims=1.0))
    assert {"corridors", "loss_corridors"} <= set(professional.rules)
    assert (
        "loss_corridors"
        not in settle(lead("global"), Figures(final_benchmark=1.0, claims=1.0)).rules
    )


def test_two_thirds_of_the_trend_reach_the_benchmark_of_lead() -> None:
    for ratio, expected in ((1.03, 102.0), (0.97, 98.0), (1.003, 100.2), (1.0, 100.0)):
        statement = settle(
            lead("professional"),
            Figures(unadjusted_benchmark={"all": 100.0}, trend_ratio=ratio, claims=100.0),
        )
        assert statement["trend_adjusted_benchmark"] == pytest.approx(expected, rel=1e-12)


def test_conflicting_values_of_lead_are_labelled() -> None:
    professional = load_program("lead").rules(2027, "professional")
    global_ = load_program("lead").rules(2027, "global")
    for rules, names in (
        (professional, ("corridors", "loss_corridors", "sequestration_shared_savings")),
        (global_, ("discount", "sequestration_shared_savings", "guarantee_rate")),
    ):
        assert {rules[name].confidence for name in names} == {"conflicting"}
    assert global_.value("discount") == 0.03
    assert global_.value("discount_higher_spending") == 0.0175
    assert professional.value("discount") == 0


@given(rate=st.floats(-2.0, 2.0), base=st.floats(1.0, 1e9), scale=st.sampled_from([1.0, 1e-3]))
def test_equal_corridors_on_both_sides_change_nothing(
    rate: float, base: float, scale: float
) -> None:
    corridors = ((0.05, 0.50), (0.10, 0.35), (0.15, 0.15), (math.inf, 0.05))
    gross = rate * scale * base
    assert steps.share_savings_and_losses(
        gross, base, corridors, corridors
    ) == steps.share_in_corridors(gross, base, corridors)


def test_separate_corridors_on_draws_keep_nan() -> None:
    gross = np.array([10.0, -10.0, np.nan, 0.0])
    shared = steps.share_savings_and_losses(gross, 100.0, ((math.inf, 0.6),), ((math.inf, 0.5),))
    np.testing.assert_allclose(shared, [6.0, -5.0, np.nan, 0.0])


# --- the MLTSS proposal -----------------------------------------------------------------------


def test_withhold_is_phased_in_over_five_years() -> None:
    program = load_program("mltss")
    assert [program.rules(y, "global").value("quality_withhold") for y in program.years] == [
        0.01,
        0.02,
        0.03,
        0.04,
        0.05,
    ]


def test_withhold_can_be_set_year_by_year() -> None:
    vector = {2021: 0.0, 2022: 0.005, 2023: 0.01, 2024: 0.03, 2025: 0.05}
    program = load_program("mltss")
    for year, withhold in vector.items():
        rules = program.rules(year, "global").override({"quality_withhold": withhold})
        assert Terms.from_rules(rules).quality_withhold == withhold
        assert rules["quality_withhold"].original == program.rules(year, "global").value(
            "quality_withhold"
        )


def test_proposal_changes_what_it_asks_for_and_nothing_else() -> None:
    proposal, rule = load_program("mltss"), load_program("gpdc-2020")
    asked = {
        "quality_withhold",
        "benchmark_approach",
        "alignment_priority",
        "alignment_opt_out_allowed",
    }
    for case in product(proposal.years, proposal.options, proposal.entity_types):
        proposed, announced = proposal.rules(*case), rule.rules(*case)
        assert set(proposed) == set(announced) | asked
        assert {n: r for n, r in proposed.items() if n not in asked} == {
            n: r for n, r in announced.items() if n not in asked
        }
    assert proposal.rules(2021, "global").value("discount") == 0.02


def test_plan_enrolment_ranks_first_and_may_be_declined() -> None:
    rules = load_program("mltss").rules(2021, "global", "high_needs")
    assert rules.value("alignment_priority") == ("plan_enrolment", "voluntary", "claims")
    assert rules.value("alignment_opt_out_allowed") is True
    assert rules.value("benchmark_approach") == ("high_needs",)
    as_announced = rules.override({"alignment_priority": ["voluntary", "claims"]})
    assert as_announced.value("alignment_priority") == ("voluntary", "claims")


# --- data files: names, months, and rules taken from another program --------------------------


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (("high_needs",), "names", "high needs"),
        (("plan_enrolment", "claims"), "names", "1. plan enrolment\n2. claims"),
        (1, "months", "1 month"),
        (6, "months of experience", "6 months of experience"),
    ],
)
def test_names_and_months_are_shown(value: Any, unit: str, text: str) -> None:
    assert shown(value, unit) == text
    assert checked(value, unit) == value


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("names", []),
        ("names", "claims"),
        ("names", ["claims", "claims"]),
        ("names", ["claims", 1]),
        ("names", [""]),
        ("months", 1.5),
        ("months", -1),
        ("months", True),
        ("months", math.inf),
    ],
)
def test_refused_names_and_months(unit: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"^must be"):
        checked(value, unit)


BASED: dict[str, Any] = {
    "program": "based",
    "title": "A program",
    "status": "as run",
    "family": "direct_contracting",
    "note": "",
    "years": [2023, 2030],
    "options": ["global", "other"],
    "entity_types": ["standard", "high_needs"],
    "based_on": {"program": "gpdc-2020", "confidence": "assumption", "note": "Taken over."},
    "sources": {"A": "A source."},
    "meaning": {"discount": "Cut."},
    "rule": [
        {
            "name": "discount",
            "years": [2023],
            "options": ["global"],
            "value": 0.01,
            "unit": "fraction",
            "source": "A",
            "confidence": "official",
        }
    ],
}


def test_rules_are_taken_over_where_both_programs_hold() -> None:
    program = parse_program(BASED)
    here, base = program.rules(2023, "global"), load_program("gpdc-2020").rules(2023, "global")
    assert set(here) == set(base)
    assert (here["discount"].value, here["discount"].confidence) == (0.01, "official")
    assert here["corridors"].value == base["corridors"].value
    assert here["corridors"].confidence == "assumption"
    assert here["corridors"].note.endswith("Taken over.")
    assert here.citation("quality_withhold") == base.citation("quality_withhold")
    for year, option in ((2030, "global"), (2023, "other")):
        assert program.matching(year, option) == ()


def test_a_source_key_cannot_mean_two_things() -> None:
    table = copy.deepcopy(BASED)
    table["sources"] = {"FAQ-2020": "Something else."}
    table["rule"][0]["source"] = "FAQ-2020"
    with pytest.raises(ValueError, match="means another source by \\['FAQ-2020'\\]"):
        parse_program(table)


# --- as tracks of a scenario ------------------------------------------------------------------


def side_by_side(year: int, *programs: str) -> Simulation:
    """A small population, settled under several programs' Global option on the same draws."""
    scenario = {
        "run": {"draws": 200, "seed": 9},
        "entity": {"id": "test", "type": "standard", "performance_year": year},
        "population": {
            "segment": [
                {
                    "name": "all",
                    "category": "A&D",
                    "beneficiaries": 500,
                    "expected_cost_pbpm": 1000.0,
                    "severity": {"distribution": "gamma", "cv": 2.0},
                }
            ]
        },
        "benchmark": {"pbpm": 1050.0},
        "drivers": {
            "quality_score": {"distribution": "fixed", "value": 0.8},
            "entity_effect": {"distribution": "fixed", "value": 0.0},
        },
        "track": [
            {"name": name, "program": name, "option": "global", "capitation": "none"}
            for name in programs
        ],
    }
    return simulate(parse_scenario(scenario), base_dir=Path())


def test_proposal_and_rule_run_side_by_side() -> None:
    proposal, rule = side_by_side(2022, "mltss", "gpdc-2020").tracks
    # 2% instead of 5% withheld, of which a score of 80% leaves a fifth unearned either way.
    difference = proposal.draws["final_benchmark"] / rule.draws["final_benchmark"]
    np.testing.assert_allclose(difference, (1 - 0.02 - 0.2 * 0.02) / (1 - 0.02 - 0.2 * 0.05))


@pytest.mark.parametrize(
    ("name", "year", "status"),
    [
        ("geographic", 2022, "never started"),
        ("mltss", 2022, "proposal, not adopted"),
        ("lead", 2027, "not confirmed"),
    ],
)
def test_results_say_what_a_program_is(name: str, year: int, status: str) -> None:
    found = side_by_side(year, name)
    told = [a.statement for a in found.assumptions if f"program {name}" in a.subject]
    assert len(told) == 1
    assert told[0].endswith(status)


def test_scenario_of_an_unconfirmed_program_is_checked_like_any_other() -> None:
    with pytest.raises(InputError, match="program 'lead' holds performance years 2027"):
        side_by_side(2026, "lead")
