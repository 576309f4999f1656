"""Contracts of Next Generation ACO."""

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
from simdc.scenario.models import NextGeneration
from simdc.settlement.next_generation import Figures, Terms, settle
from simdc.settlement.statement import Statement
from simdc.sums import CostDraws

__all__ = ["NextGenerationContract", "write"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class NextGenerationContract(OwnCostContract):
    """A risk arrangement of Next Generation ACO.

    Attributes
    ----------
    terms : Terms
        The rules, typed.
    elections : NextGeneration
        What the ACO elects and is.
    benchmark : float
        Before the discount, US dollars.
    """

    terms: Terms
    elections: NextGeneration
    benchmark: float

    def settle(
        self, sums: CostDraws, drivers: ResolvedDrivers, values: Mapping[str, Array]
    ) -> Statement:
        """Settle a run of draws; see `Contract.settle`."""
        elected = self.elections
        score: Any = elected.quality_score
        figures = Figures(
            claims=self.counted_cost(sums),
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
    required = required_guarantee(setting, rate, benchmark, told)
    return NextGenerationContract(
        track=track,
        rules=rules,
        terms=terms,
        elections=track.next_generation or NextGeneration(),
        benchmark=benchmark,
        fixed=fixed_figures(benchmark, guarantee_base=required.base),
        required_guarantee=required.amount,
        guarantee_basis=required.basis,
        assumptions=tuple(told.assumptions),
    )
