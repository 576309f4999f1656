"""Contracts of Next Generation ACO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdc.contracts.contract import (
    Contract,
    Notes,
    Setting,
    benchmark_by_category,
    required_guarantee,
)
from simdc.contracts.cost_definition import counted_cost, note_cost_definition, truncation_design
from simdc.drivers import ResolvedDrivers
from simdc.scenario.models import NextGeneration, StopLoss
from simdc.settlement.next_generation import Figures, Terms, settle
from simdc.settlement.statement import Statement
from simdc.sums import CostDraws

__all__ = ["NextGenerationContract", "write"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class NextGenerationContract(Contract):
    """A risk arrangement of Next Generation ACO.

    Attributes
    ----------
    terms : Terms
        The rules, typed.
    elections : NextGeneration
        What the ACO elects and is.
    benchmark : float
        Before the discount, US dollars.
    truncation : StopLoss or None
        What truncation takes off each beneficiary's cost.
    """

    terms: Terms
    elections: NextGeneration
    benchmark: float
    truncation: StopLoss | None

    @property
    def designs(self) -> tuple[StopLoss, ...]:
        """Truncation, where there is any."""
        return () if self.truncation is None else (self.truncation,)

    def settle(
        self, sums: CostDraws, drivers: ResolvedDrivers, values: Mapping[str, Array]
    ) -> Statement:
        """Settle a run of draws; see `Contract.settle`."""
        elected = self.elections
        score: Any = elected.quality_score
        figures = Figures(
            claims=counted_cost(self.track.cost, sums.total_cost, sums.payout_of(self.truncation)),
            unadjusted_benchmark=self.benchmark,
            quality_score=drivers.quality(values) if score is None else score,
            regional_efficiency=elected.regional_efficiency,
            national_efficiency=elected.national_efficiency,
            completion=drivers.completion(values),
            infrastructure_payments=elected.infrastructure_payments,
        )
        return settle(self.terms, figures)


def write(setting: Setting) -> NextGenerationContract:
    """Work out what a Next Generation track fixes before the year."""
    track, rules = setting.track, setting.rules
    terms = Terms.from_rules(rules)
    told = Notes()
    told.program(setting.program)
    told.rules(rules, {field.name for field in fields(terms)})
    note_cost_definition(track, told)
    benchmark = sum(benchmark_by_category(setting, told).values())
    rate = rules.value("guarantee_rate", None)
    required, basis = required_guarantee(setting, rate, benchmark, told)
    return NextGenerationContract(
        track=track,
        rules=rules,
        terms=terms,
        elections=track.next_generation or NextGeneration(),
        benchmark=benchmark,
        truncation=truncation_design(track.cost),
        fixed={
            "unadjusted_benchmark": benchmark,
            "stop_loss_charge": 0.0,
            "base_capitation": 0.0,
            "enhanced_capitation": 0.0,
        },
        required_guarantee=required,
        guarantee_basis=basis,
        assumptions=tuple(told.assumptions),
    )
