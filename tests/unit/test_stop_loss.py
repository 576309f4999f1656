"""Expected payouts of large segments against those of the same people in small ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simdc import stop_loss
from simdc.population import build_population
from simdc.scenario.models import Population, StopLoss
from simdc.stop_loss import expected_payout

SEVERITIES = [
    {"distribution": "generalised_gamma", "total_cv": 2.14, "risk_share": 0.12},
    {"distribution": "lognormal", "total_cv": 2.14, "risk_share": 0.12, "zero_probability": 0.1},
    {"distribution": "gamma", "cv": 0.8},
    {
        "distribution": "pareto_splice",
        "body": {"distribution": "gamma", "shape": 0.7},
        "splice_probability": 0.01,
        "tail_index": 2.5,
    },
]
DESIGNS = [
    {
        "bands": [
            {"from": 60_000, "to": 150_000, "payout_rate": 0.5},
            {"from": 150_000, "payout_rate": 0.9},
        ]
    },
    {"basis": "expected_cost", "bands": [{"from": 3.0, "to": 20.0, "payout_rate": 0.7}]},
    {"bands": [{"from": 0, "to": 500_000, "payout_rate": 1.0}]},
]
FACTORS, WEIGHTS = np.array([0.8, 0.97, 1.05, 1.3]), np.array([0.1, 0.5, 0.3, 0.1])
SMALL = 1000  # people, few enough to be summed one by one


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("severity", SEVERITIES, ids=lambda s: s["distribution"])
def test_many_people_are_paid_like_the_few_they_divide_into(severity, design):
    segment = {
        "name": "many",
        "category": "A&D",
        "beneficiaries": 12 * SMALL,
        "expected_cost_pbpm": 1000.0,
        "eligible_months": [{"months": 12, "share": 0.8}, {"months": 1, "share": 0.2}],
        "severity": severity,
    }
    (people,) = build_population(Population.model_validate({"segment": [segment]}), None).segments
    parts = [
        replace(
            people,
            expected_cost=people.expected_cost[start : start + SMALL],
            months=people.months[start : start + SMALL],
            risk_score=people.risk_score[start : start + SMALL],
        )
        for start in range(0, 12 * SMALL, SMALL)
    ]
    elected = StopLoss.model_validate(design)
    whole = expected_payout(elected, people, FACTORS, WEIGHTS)
    one_by_one = sum(expected_payout(elected, part, FACTORS, WEIGHTS) for part in parts)
    assert whole == pytest.approx(one_by_one, rel=1e-10)


def test_a_payout_is_worked_out_once_for_all_designs_that_pay_alike(monkeypatch):
    segment = {
        "name": "all",
        "category": "A&D",
        "beneficiaries": 100,
        "expected_cost_pbpm": 1000.0,
        "severity": SEVERITIES[2],
    }
    population = Population.model_validate({"segment": [segment]})
    people, others = (build_population(population, None).segments[0] for _ in range(2))
    worked_out = []

    def work_out(*arguments):
        worked_out.append(arguments)
        return real(*arguments)

    real = stop_loss._work_out_payout
    monkeypatch.setattr(stop_loss, "_work_out_payout", work_out)
    plain, loaded = (
        StopLoss.model_validate(DESIGNS[0] | {"loading": loading}) for loading in (1.0, 1.2)
    )
    first = expected_payout(plain, people, FACTORS, WEIGHTS)
    assert expected_payout(loaded, people, FACTORS, WEIGHTS) == first
    assert len(worked_out) == 1
    # Another law of the factor, another design, other people.
    assert expected_payout(plain, people, 1.1 * FACTORS, WEIGHTS) > first
    half = StopLoss.model_validate(DESIGNS[0] | {"payout_neutrality_factor": 0.5})
    assert expected_payout(half, people, FACTORS, WEIGHTS) == pytest.approx(0.5 * first)
    assert expected_payout(plain, others, FACTORS, WEIGHTS) == first
    assert len(worked_out) == 4
