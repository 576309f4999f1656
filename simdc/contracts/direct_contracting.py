"""One track of a scenario as a contract: what is fixed before the year, and how a draw settles.

Everything that does not depend on a draw is worked out here once: the rules with their overrides,
the prospective benchmark, capitation, the stop-loss charge and the required guarantee.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from simdc.drivers import ResolvedDrivers
from simdc.outcome import Assumption
from simdc.population import Population
from simdc.programs import Program, RuleSet, load_program
from simdc.scenario.models import Benchmark, Scenario, StopLoss, Track
from simdc.settlement.direct_contracting import Figures, Terms, settle
from simdc.settlement.statement import Statement
from simdc.stop_loss import expected_payout

__all__ = ["Contract", "write_contract"]

Array = NDArray[np.float64]

_UNSURE = ("inferred", "conflicting", "assumption")


@dataclass(frozen=True)
class Contract:
    """A track with everything known before the performance year.

    Attributes
    ----------
    track : Track
    rules : RuleSet
        The program's rules for the year and option, overrides marked.
    terms : Terms
        The same, typed.
    benchmark : mapping of category to float
        Unadjusted benchmark, US dollars.
    seasonality : float
    health_equity_months : tuple of (up, down)
    replaced_share : float
        Share of all cost that capitation replaces.
    capitation : float
        Base primary care or total care capitation, US dollars before sequestration.
    enhanced_capitation : float
        Enhanced primary care capitation, US dollars.
    advanced_payment : tuple of (share of cost reduced, US dollars prepaid)
    stop_loss_charge : float
        US dollars.
    required_guarantee : float or None
    guarantee_basis : str
    categories : tuple of str
        Category of each row of the simulated cost.
    assumptions : tuple of Assumption
    """

    track: Track
    rules: RuleSet
    terms: Terms
    benchmark: Mapping[str, float]
    seasonality: float
    health_equity_months: tuple[float, float]
    replaced_share: float
    capitation: float
    enhanced_capitation: float
    advanced_payment: tuple[float, float]
    stop_loss_charge: float
    required_guarantee: float | None
    guarantee_basis: str
    assumptions: tuple[Assumption, ...]

    @property
    def fixed(self) -> dict[str, float]:
        """Figures that are the same in every draw, US dollars."""
        return {
            "unadjusted_benchmark": sum(self.benchmark.values()),
            "stop_loss_charge": self.stop_loss_charge,
            "base_capitation": self.capitation,
            "enhanced_capitation": self.enhanced_capitation,
        }

    def settle(
        self, cost: Array, payout: Array, drivers: ResolvedDrivers, values: Mapping[str, Array]
    ) -> Statement:
        """Settle a run of draws.

        Parameters
        ----------
        cost : array of shape (segment, draw)
            Part A and B cost, US dollars.
        payout : array of shape (draw,)
            Stop-loss payout, US dollars.
        drivers, values
            The drivers and their values in these draws.

        Returns
        -------
        Statement
            Lines of shape (draw,) or scalars.
        """
        total_cost = cost[0].copy()
        for row in cost[1:]:  # in the order of the segments, so that the sum has one value
            total_cost += row
        reduced_share, prepaid = self.advanced_payment
        months_up, months_down = self.health_equity_months
        figures = Figures(
            unadjusted_benchmark=self.benchmark,
            trend_ratio={
                category: drivers.trend_ratio(values, category) for category in self.benchmark
            },
            seasonality=self.seasonality,
            quality_score=drivers.quality(values),
            retention_kept=float(self.track.early_exit),
            health_equity_up_months=months_up,
            health_equity_down_months=months_down,
            claims=total_cost * (1.0 - self.replaced_share),
            completion=drivers.completion(values),
            stop_loss_payout=payout,
            stop_loss_charge=self.stop_loss_charge,
            capitation_expenditure=self.capitation,
            enhanced_capitation=self.enhanced_capitation,
            advanced_payment_paid=prepaid,
            advanced_payment_reductions=reduced_share * total_cost,
        )
        return settle(self.terms, figures)


def write_contract(
    scenario: Scenario, track: Track, population: Population, drivers: ResolvedDrivers
) -> Contract:
    """Work out what one track fixes before the year.

    Raises
    ------
    InputError
        For a program, year, option or rule that does not exist.
    """
    program = load_program(track.program)
    rules = program.rules(
        scenario.entity.performance_year, track.option, scenario.entity.type
    ).override(track.rules)
    terms = Terms.from_rules(rules)
    told = _Notes()
    told.program(program)
    told.rules(rules, {field.name for field in fields(terms)} | {"guarantee_rate"})

    target = track.benchmark or scenario.benchmark
    benchmark = _benchmark_by_category(target, population, told)
    prospective = sum(benchmark.values())
    expected_cost = sum(s.total_expected_cost for s in population.segments)

    capitation_base = prospective * (
        1.0
        - terms.discount
        - terms.quality_withhold
        + terms.quality_withhold * track.projected_quality_score
    )
    capitation, enhanced, replaced = _capitation(track, capitation_base, expected_cost, told)
    charge = 0.0
    if track.stop_loss is not None:
        charge = _stop_loss_charge(track.stop_loss, population, drivers, prospective, told)
    required, basis = _required_guarantee(scenario, rules, prospective, told)

    return Contract(
        track=track,
        rules=rules,
        terms=terms,
        benchmark=benchmark,
        seasonality=target.seasonality,
        health_equity_months=(target.health_equity_up_months, target.health_equity_down_months),
        replaced_share=replaced,
        capitation=capitation,
        enhanced_capitation=enhanced,
        advanced_payment=_advanced_payment(track, expected_cost),
        stop_loss_charge=charge,
        required_guarantee=required,
        guarantee_basis=basis,
        assumptions=tuple(told.assumptions),
    )


class _Notes:
    """Collects what is assumed while a contract is written."""

    def __init__(self) -> None:
        self.assumptions: list[Assumption] = []

    def say(self, subject: str, statement: str, source: str = "assumption") -> None:
        self.assumptions.append(Assumption(subject, statement, source))

    def program(self, program: Program) -> None:
        """What a program is, where it is not one as it was run."""
        if program.status != "as run":
            self.say(f"program {program.name}", f"{program.title}: {program.status}", "program")

    def rules(self, rules: RuleSet, applied: Iterable[str]) -> None:
        """Overrides, and those of the applied rules that no source settles."""
        for name, rule in rules.items():
            if rule.overridden:
                self.say(
                    name,
                    f"the scenario overrides {rule.original} with {rule.value}",
                    "scenario",
                )
            elif name in applied and rule.confidence in _UNSURE:
                note = f": {rule.note}" if rule.note else ""
                self.say(
                    f"{rules.program} {rules.year} {rules.option}: {name}",
                    f"{rule.value} is {rule.confidence}{note}",
                    rule.source,
                )


def _benchmark_by_category(
    target: Benchmark, population: Population, told: _Notes
) -> dict[str, float]:
    months: dict[str, float] = {}
    cost: dict[str, float] = {}
    for segment in population.segments:
        months[segment.category] = months.get(segment.category, 0.0) + segment.total_months
        cost[segment.category] = cost.get(segment.category, 0.0) + segment.total_expected_cost
    if target.by_category is not None:
        return {
            category: amount.dollars
            if amount.dollars is not None
            else (amount.pbpm or 0.0) * months[category]
            for category, amount in target.by_category.items()
        }
    total = (
        target.dollars
        if target.dollars is not None
        else (target.pbpm or 0.0) * sum(months.values())
    )
    if len(cost) > 1:
        told.say(
            "benchmark",
            "one benchmark is given for all categories; it is split in proportion to expected cost",
        )
    everything = sum(cost.values())
    return {category: total * amount / everything for category, amount in cost.items()}


def _capitation(
    track: Track, base: float, expected_cost: float, told: _Notes
) -> tuple[float, float, float]:
    """Capitation paid, enhanced capitation paid, and the share of cost replaced."""
    enhanced = 0.0
    if track.primary_care_capitation is not None:
        paid = track.primary_care_capitation.base_rate * base
        enhanced = track.primary_care_capitation.enhanced_rate * base
        replaced = track.primary_care_capitation.claims_reduced
    elif track.total_care_capitation is not None:
        paid = (1.0 - track.total_care_capitation.leakage_withhold) * base
        replaced = track.total_care_capitation.claims_reduced
    else:
        return 0.0, 0.0, 0.0
    if replaced is None:
        replaced = min(paid / expected_cost, 1.0)
        told.say(
            "capitation",
            f"the payment replaces {replaced:.2%} of all cost, as much as it pays on average",
        )
    return paid, enhanced, replaced


def _advanced_payment(track: Track, expected_cost: float) -> tuple[float, float]:
    if track.advanced_payment is None:
        return 0.0, 0.0
    share = track.advanced_payment.claims_reduced
    prepaid = track.advanced_payment.prepaid_dollars
    return share, share * expected_cost if prepaid is None else prepaid


def _stop_loss_charge(
    design: StopLoss,
    population: Population,
    drivers: ResolvedDrivers,
    prospective: float,
    told: _Notes,
) -> float:
    told.say(
        "stop-loss",
        "attachment points and payout rates are the scenario's: no public source gives CMS's",
        design.source or "assumption",
    )
    if design.charge == "neutral":
        charge = design.loading * sum(
            expected_payout(design, segment, *drivers.cost_factor_law(segment.category))
            for segment in population.segments
        )
        told.say(
            "stop-loss charge",
            f"neutral: {design.loading:g} times the expected payout at prospective expected cost",
        )
        return charge
    if hasattr(design.charge, "pbpm"):
        return design.charge.pbpm * sum(s.total_months for s in population.segments)
    return design.charge.rate * prospective


def _required_guarantee(
    scenario: Scenario, rules: RuleSet, prospective: float, told: _Notes
) -> tuple[float | None, str]:
    wanted = scenario.guarantee
    if wanted.base == "dollars" and wanted.dollars is not None:
        return wanted.dollars, "dollars given in the scenario"
    if "guarantee_rate" not in rules:
        return None, "the rules state none"
    rate = rules.value("guarantee_rate")
    if wanted.base == "prior_expenditure" and wanted.prior_expenditure is not None:
        return rate * wanted.prior_expenditure, f"{rate:.2%} of prior expenditure"
    told.say(
        "guarantee",
        "no source states what the required percentage is of; the prospective benchmark before "
        "trend adjustment, discount and quality is taken",
    )
    return rate * prospective, f"{rate:.2%} of the prospective benchmark"
