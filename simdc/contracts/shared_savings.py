"""Contracts of the Medicare Shared Savings Program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdc.benchmark.of_scenario import BuiltBenchmark
from simdc.benchmark.shared_savings import REFORM, limit_risk_growth
from simdc.contracts.contract import (
    Notes,
    Required,
    Setting,
    benchmark_by_category,
    fixed_figures,
    required_guarantee,
)
from simdc.contracts.cost_definition import OwnCostContract, note_cost_definition
from simdc.drivers import ResolvedDrivers
from simdc.errors import InputError, Problem
from simdc.priors import percent
from simdc.programs import RuleSet
from simdc.scenario.models import SharedSavings
from simdc.settlement.shared_savings import (
    Figures,
    Terms,
    check_elected_minimum_rate,
    repayment_mechanism,
    settle,
)
from simdc.settlement.statement import Statement
from simdc.settlement.steps import Amount
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
    benchmark : mapping of category to float
        Benchmark at the trends projected before the year, US dollars.
    prospective_trend_weight : float
        Weight of the projected trend in the update of the benchmark.
    regional_share : float
        Weight of national growth in that update.
    beneficiaries : int
        Assigned beneficiaries, a head count.
    built : BuiltBenchmark or None
        How the benchmark came about, where it is built.
    """

    terms: Terms
    elections: SharedSavings
    benchmark: Mapping[str, float]
    prospective_trend_weight: float
    regional_share: float
    beneficiaries: int
    built: BuiltBenchmark | None

    def settle(
        self, sums: CostDraws, drivers: ResolvedDrivers, values: Mapping[str, Array]
    ) -> Statement:
        """Settle a run of draws; see `Contract.settle`."""
        elected = self.elections
        score: Any = elected.quality_score
        figures = Figures(
            benchmark=self._updated_benchmark(drivers, values) * self._risk_ratio(drivers, values),
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

    def _updated_benchmark(self, drivers: ResolvedDrivers, values: Mapping[str, Array]) -> Array:
        """The benchmark updated by trends as they turned out (42 CFR 425.601, 425.652).

        National and regional growth are blended by the entity's share of its region; in newer
        agreements part of the update is the trend projected beforehand.
        """
        region = drivers.regional_ratio(values)
        weight = self.regional_share
        blend = weight + (1.0 - weight) * region
        total: Array = np.zeros_like(values["completion"])
        for category, amount in self.benchmark.items():
            growth = drivers.trend_ratio(values, category) * blend
            fixed = self.prospective_trend_weight
            total += amount * (fixed + (1.0 - fixed) * growth)
        return total

    def _risk_ratio(self, drivers: ResolvedDrivers, values: Mapping[str, Array]) -> Amount:
        """What growth of risk scores beyond the expected one, capped, makes of the benchmark."""
        if "raw_risk_score" not in drivers.laws:
            return 1.0
        raw = values["raw_risk_score"]
        if self.built is not None:
            return self.built.shared_savings_ratio(raw)
        return limit_risk_growth(raw, 1.0 + self.rules.value("risk_growth_cap"), None)


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
    by_category = benchmark_by_category(setting, told)
    benchmark = sum(by_category.values())
    regional_share = _regional_share(setting, elections)
    if not regional_share:
        told.say(
            "benchmark update",
            "the entity's share of its region is not given; the benchmark follows the region alone",
        )
    if "raw_risk_score" in setting.drivers.laws and setting.built is None:
        told.say(
            "risk score",
            "the benchmark is given; its scores are taken to be those of base year 3, from which "
            f"growth counts up to {percent(rules.value('risk_growth_cap'))}",
        )
    required = _required(setting, terms, benchmark, told)
    return SharedSavingsContract(
        track=track,
        rules=rules,
        terms=terms,
        elections=elections,
        benchmark=by_category,
        prospective_trend_weight=_prospective_trend_weight(rules, elections),
        regional_share=regional_share,
        beneficiaries=sum(segment.beneficiaries for segment in setting.population.segments),
        built=setting.built,
        fixed=fixed_figures(benchmark),
        required_guarantee=required.amount,
        guarantee_basis=required.basis,
        assumptions=tuple(told.assumptions),
    )


def _required(setting: Setting, terms: Terms, benchmark: float, told: Notes) -> Required:
    """The repayment mechanism, unless the scenario gives an amount."""
    if not terms.two_sided:
        return Required(None, "none is required, because the track has no losses to repay")
    elected = setting.track.shared_savings or SharedSavings()
    posted = repayment_mechanism(setting.rules, benchmark, elected.participant_revenue)
    if setting.scenario.guarantee.base == "prospective_benchmark" and posted is not None:
        return Required(float(posted), "the repayment mechanism, of benchmark or revenue")
    return required_guarantee(setting, None, benchmark, told)


def _regional_share(setting: Setting, elected: SharedSavings) -> float:
    """The entity's share of its region, as elected or as its benchmark is built with it."""
    built = setting.built
    if built is None or built.strata is None:
        return elected.regional_share
    share = built.strata.national_weight
    if "regional_share" in elected.model_fields_set and elected.regional_share != share:
        raise InputError(
            Problem(
                f"must be left out, or be the {share:g} that the benchmark is built with "
                "(benchmark.shared_savings.national_weight)",
                f"track '{setting.track.name}': shared_savings.regional_share",
                f"{elected.regional_share:g}",
            )
        )
    return share


def _prospective_trend_weight(rules: RuleSet, elections: SharedSavings) -> float:
    """The projected trend counts in agreements that began when the rules first gave it weight."""
    first = rules.year - elections.agreement_year + 1
    weight: float = rules.value("prospective_trend_weight", 0.0)
    return weight if first >= REFORM else 0.0
