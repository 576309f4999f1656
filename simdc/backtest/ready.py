"""A published entity as a ready scenario sees it: from before the year, every driver at default."""

from __future__ import annotations

import math
from typing import Any

from simdc.backtest.published import Entity
from simdc.drivers.defaults import default_quality_score
from simdc.priors import expected_savings_rate, load_priors
from simdc.programs import RuleSet, load_program
from simdc.scenario import Scenario, parse_scenario
from simdc.settlement.steps import discounted_benchmark

__all__ = ["NATIONAL_DRIVER", "scenario_of"]

NATIONAL_DRIVER = "national_trend"
"""The driver that is one for all entities."""

_DRIVERS = (NATIONAL_DRIVER, "regional_trend", "entity_effect", "quality_score")


def scenario_of(entity: Entity, program: str) -> Scenario:
    """The scenario of one entity, in the one track it was published for.

    Expected cost is the benchmark after discount and expected quality, less the mean savings rate
    that entities of its type and option had in the latest year before.

    Parameters
    ----------
    entity : Entity
    program : {'gpdc', 'reach'}

    Raises
    ------
    InputError
        If the entity's figures do not make a scenario.
    """
    rules = load_program(program).rules(entity.year, entity.option, entity.entity_type)
    discounted = _discounted_benchmark(entity, rules)
    savings = expected_savings_rate(entity.entity_type, entity.option, entity.year).mean
    up, down = entity.equity_months
    return parse_scenario(
        {
            "entity": {
                # A file's own identifier may hold characters that a scenario's must not.
                "id": "published entity",
                "type": entity.entity_type,
                "performance_year": entity.year,
                "option": entity.option,
            },
            "population": {"segment": _segments(entity, discounted * (1.0 - savings))},
            "benchmark": {
                "dollars": entity.benchmark,
                "health_equity_up_months": up,
                "health_equity_down_months": down,
            },
            "drivers": {name: {"distribution": "default"} for name in _DRIVERS},
            "track": [_track(entity, program, discounted)],
        }
    )


def _discounted_benchmark(entity: Entity, rules: RuleSet) -> float:
    """Benchmark after discount and the withhold that the expected quality score does not earn."""
    quality, _ = default_quality_score(entity.entity_type, entity.year)
    return float(
        discounted_benchmark(
            entity.benchmark,
            discount=rules.value("discount"),
            retention_withhold=0.0,
            quality_withhold=rules.value("quality_withhold"),
            quality_score=quality.mean,
        )
    )


def _track(entity: Entity, program: str, discounted: float) -> dict[str, Any]:
    """The elections of the file; capitation as a rate of the benchmark after discount."""
    track: dict[str, Any] = {
        "name": entity.option,
        "program": program,
        "option": entity.option,
        "capitation": entity.capitation,
    }
    paid = min(entity.capitation_paid / discounted, 1.0)
    if entity.capitation == "primary_care":
        track["primary_care_capitation"] = {"base_rate": paid}
    elif entity.capitation == "total_care":
        track["total_care_capitation"] = {"leakage_withhold": 1.0 - paid}
    if entity.stop_loss:
        designs = load_priors("population")["stop_loss"]
        bands = designs["high_needs" if entity.entity_type == "high_needs" else "standard"]
        track["stop_loss"] = {"bands": bands, "charge": "neutral"}
    return track


# --- people -----------------------------------------------------------------------------------


def _segments(entity: Entity, expected_cost: float) -> list[dict[str, Any]]:
    """People by how their cost behaves, their expected cost summing to the entity's."""
    months = load_priors("population")["eligible_months"][entity.entity_type]
    divide = _high_needs if entity.entity_type == "high_needs" else _by_category
    segments = [segment for segment in divide(entity.beneficiaries, months) if segment]
    relative = sum(
        segment["beneficiaries"] * _mean_months(segment) * segment["expected_cost_pbpm"]
        for segment in segments
    )
    for segment in segments:
        segment["expected_cost_pbpm"] *= expected_cost / relative
    return segments


def _high_needs(people: int, months: float) -> list[dict[str, Any]]:
    return [
        {
            "name": "high needs",
            "category": "A&D",
            "beneficiaries": people,
            "expected_cost_pbpm": 1.0,
            "eligible_months": _whole_or_half_year(people, months * people),
            "severity": load_priors("population")["high_needs"]["severity"],
        }
    ]


def _by_category(people: int, months: float) -> list[dict[str, Any]]:
    """Aged and disabled who live, those who die in the year, and those with ESRD.

    Expected cost is relative to those who live. Empty segments are left out.
    """
    priors = load_priors("population")
    deaths, cost = priors["deaths"], priors["cost_by_type"]
    esrd = round(people * cost["esrd"]["share"])
    lasting = deaths["months"]
    dying = len(lasting) * round(people * deaths["share"] / len(lasting))
    living = people - esrd - dying

    dying_months = dying * sum(lasting) / len(lasting)
    eligible = _whole_or_half_year(living, months * (living + dying) - dying_months)
    living_months = living * sum(part["months"] * part["share"] for part in eligible)
    dying_pbpm = deaths["last_year_cost"] / deaths["survivor_cost"]
    mean_pbpm = (living_months + dying_months * dying_pbpm) / (living_months + dying_months)

    segments = [
        {
            "name": "aged and disabled",
            "category": "A&D",
            "beneficiaries": living,
            "expected_cost_pbpm": 1.0,
            "eligible_months": eligible,
            "severity": priors["aged_and_disabled"]["severity"],
        },
        {
            "name": "died in the year",
            "category": "A&D",
            "beneficiaries": dying,
            "expected_cost_pbpm": dying_pbpm,
            "eligible_months": [{"months": m, "share": 1.0 / len(lasting)} for m in lasting],
            "risk_score_cv": deaths["risk_score_cv"],
            "severity": deaths["severity"],
        },
        {
            "name": "ESRD",
            "category": "ESRD",
            "beneficiaries": esrd,
            "expected_cost_pbpm": mean_pbpm * _esrd_relativity(cost),
            "eligible_months": months,
            "severity": priors["esrd"]["severity"],
        },
    ]
    return [segment for segment in segments if segment["beneficiaries"]]


def _esrd_relativity(cost: dict[str, Any]) -> float:
    """Cost of a person-year with ESRD over one of an aged or disabled beneficiary."""
    others = [cost[name] for name in ("aged_non_dual", "aged_dual", "disabled")]
    mean = math.fsum(o["cost"] * o["share"] for o in others) / math.fsum(o["share"] for o in others)
    return float(cost["esrd"]["cost"] / mean)


def _whole_or_half_year(people: int, total_months: float) -> list[dict[str, float]]:
    """Whole people aligned for twelve or six months, coming as near to the total as they can."""
    whole = min(max(math.floor((total_months / 6.0 - people) + 0.5), 0), people)
    parts = [(12.0, whole), (6.0, people - whole)]
    return [{"months": m, "share": n / people} for m, n in parts if n]


def _mean_months(segment: dict[str, Any]) -> float:
    months = segment["eligible_months"]
    if isinstance(months, list):
        return math.fsum(part["months"] * part["share"] for part in months)
    return float(months)
