"""Contracts of the Medicare Shared Savings Program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdc.contracts.contract import (
    Notes,
    Setting,
    benchmark_by_category,
    fixed_figures,
    required_guarantee,
)
from simdc.contracts.cost_definition import OwnCostContract, note_cost_definition
from simdc.drivers import ResolvedDrivers
from simdc.scenario.models import SharedSavings
from simdc.settlement.shared_savings import (
    Figures,
    Terms,
    check_elected_minimum_rate,
    repayment_mechanism,
    settle,
)
from simdc.settlement.statement import Statement
from simdc.sums import CostDraws

__all__ = ["SharedSavingsContract", "write"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SharedSavingsContract(OwnCostContract):
    """A track of the Shared Savings Program.

    Attributes
    ----------
    terms : Terms
        The rules, typed.
    elections : SharedSavings
        What the entity elects and is.
    benchmark : float
        Updated benchmark, US dollars.
    beneficiaries : int
        Assigned beneficiaries, a head count.
    """

    terms: Terms
    elections: SharedSavings
    benchmark: float
    beneficiaries: int

    def settle(
        self, sums: CostDraws, drivers: ResolvedDrivers, values: Mapping[str, Array]
    ) -> Statement:
        """Settle a run of draws; see `Contract.settle`."""
        elected = self.elections
        score: Any = elected.quality_score
        figures = Figures(
            benchmark=self.benchmark,
            expenditure=self.counted_cost(sums) * drivers.completion(values),
            beneficiaries=self.beneficiaries,
            elected_minimum_rate=elected.elected_minimum_rate,
            quality_score=drivers.quality(values) if score is None else score,
            quality_standard_met=elected.quality_standard_met,
            alternative_standard_met=elected.alternative_standard_met,
            low_revenue=elected.low_revenue,
            revenue=elected.participant_revenue,
            disaster_relief_share=elected.disaster_relief_share,
            advance_payments=elected.advance_payments,
        )
        return settle(self.terms, figures)


def write(setting: Setting) -> SharedSavingsContract:
    """Work out what a Shared Savings track fixes before the year."""
    track, rules = setting.track, setting.rules
    elections = track.shared_savings or SharedSavings()
    terms = Terms.from_rules(rules, agreement_year=elections.agreement_year)
    told = Notes()
    told.program(setting.program)
    told.rules(rules, {field.name for field in fields(terms)})
    note_cost_definition(track, told)
    check_elected_minimum_rate(elections.elected_minimum_rate, terms.elected_minimum_rates)
    if terms.two_sided and terms.disaster_relief_share and elections.disaster_relief_share is None:
        told.say(
            "disaster relief",
            f"{terms.disaster_relief_share:.1%} of losses are forgiven, as everyone's were in "
            f"{rules.year}; give disaster_relief_share = 0 for a year without a disaster",
            "published results",
        )
    if terms.two_sided and terms.loss_limit_revenue and elections.participant_revenue is None:
        told.say(
            "loss limit",
            "participants' revenue is not given, so only the limit by benchmark binds and losses "
            "may be overstated",
        )
    benchmark = sum(benchmark_by_category(setting, told).values())
    posted = repayment_mechanism(rules, benchmark, elections.participant_revenue)
    if setting.scenario.guarantee.base == "prospective_benchmark" and posted is not None:
        required: float | None = float(posted)
        basis = "the repayment mechanism, of benchmark or revenue"
    else:
        required, basis = required_guarantee(setting, None, benchmark, told)
    return SharedSavingsContract(
        track=track,
        rules=rules,
        terms=terms,
        elections=elections,
        benchmark=benchmark,
        beneficiaries=sum(segment.beneficiaries for segment in setting.population.segments),
        fixed=fixed_figures(benchmark),
        required_guarantee=required,
        guarantee_basis=basis,
        assumptions=tuple(told.assumptions),
    )
