"""Contracts of Direct Contracting, ACO REACH and the programs that settle like them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from simdc.contracts.contract import (
    Contract,
    Notes,
    Setting,
    benchmark_by_category,
    fixed_figures,
    required_guarantee,
)
from simdc.contracts.risk_scores import UncertainScores, uncertain_scores
from simdc.drivers import ResolvedDrivers
from simdc.errors import InputError, Problem
from simdc.scenario.models import ChargePBPM, ChargeRate, ProvisionalSettlement, StopLoss, Track
from simdc.settlement import cash_flow, provisional, steps
from simdc.settlement.direct_contracting import Figures, Terms, settle
from simdc.settlement.statement import Statement
from simdc.settlement.steps import Amount
from simdc.stop_loss import expected_payout
from simdc.sums import CostDraws

__all__ = ["DirectContractingContract", "capitation_cash_flow", "write"]

Array = NDArray[np.float64]

_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class DirectContractingContract(Contract):
    """A Professional or Global track.

    Attributes
    ----------
    terms : Terms
        The rules, typed.
    benchmark : mapping of category to float
        Unadjusted benchmark, US dollars.
    seasonality : float
    health_equity_months : tuple of (up, down)
    replaced_share : float
        Share of all cost that capitation replaces.
    capitation : float
        Base primary care or total care capitation, US dollars before sequestration.
    enhanced_capitation : float
        Enhanced primary care capitation to be repaid, US dollars.
    advanced_payment : tuple of (share of cost reduced, US dollars prepaid)
    stop_loss_charge : float
        US dollars.
    projected_quality_score : float
        As assumed until it is known.
    ci_sep_multiplier : float
        What the quality score is multiplied by where CI/SEP is missed.
    scores : UncertainScores or None
        What moves the benchmark by its risk scores, where that takes more than a factor.
    calendar : Calendar or None
        When the year is settled provisionally, where that is elected or mandatory.
    pays_high_performers : bool
        Whether the year has a High Performers Pool.
    """

    terms: Terms
    benchmark: Mapping[str, float]
    seasonality: float
    health_equity_months: tuple[float, float]
    replaced_share: float
    capitation: float
    enhanced_capitation: float
    advanced_payment: tuple[float, float]
    stop_loss_charge: float
    projected_quality_score: float
    ci_sep_multiplier: float
    scores: UncertainScores | None
    calendar: provisional.Calendar | None
    pays_high_performers: bool

    @property
    def designs(self) -> tuple[StopLoss, ...]:
        """The stop-loss elected, if any."""
        return () if self.track.stop_loss is None else (self.track.stop_loss,)

    @property
    def settles_provisionally(self) -> bool:
        """Whether it is elected or mandatory."""
        return self.calendar is not None

    def expected_savings_rate(self, expected_cost: float, quality_score: float) -> float:
        """Gross savings over the final benchmark, were cost and quality as expected.

        Without stop-loss, whose charge and payout are neutral, and without trend adjustment.

        Parameters
        ----------
        expected_cost : float
            Part A and B cost of the year, US dollars.
        quality_score : float
            Expected total quality score, 0 to 1.
        """
        months_up, months_down = self.health_equity_months
        statement = settle(
            self.terms,
            Figures(
                unadjusted_benchmark=self.benchmark,
                seasonality=self.seasonality,
                quality_score=quality_score,
                retention_kept=float(self.track.early_exit),
                health_equity_up_months=months_up,
                health_equity_down_months=months_down,
                claims=expected_cost,
            ),
        )
        return float(statement["gross_savings"] / statement["final_benchmark"])

    def settle(
        self, sums: CostDraws, drivers: ResolvedDrivers, values: Mapping[str, Array]
    ) -> Statement:
        """Settle a run of draws; see `Contract.settle`."""
        total_cost = sums.total_cost
        reduced_share, prepaid = self.advanced_payment
        benchmark = self._unadjusted_benchmark(sums, drivers, values)
        months_up, months_down = self.health_equity_months
        months = drivers.ratio(values, "health_equity_months")
        bonus = drivers.high_performers_bonus(values) if self.pays_high_performers else 0.0
        figures = Figures(
            unadjusted_benchmark=benchmark,
            trend_ratio={
                category: drivers.trend_ratio(values, category) for category in self.benchmark
            },
            seasonality=self.seasonality,
            quality_score=drivers.quality(values, self.ci_sep_multiplier),
            retention_kept=drivers.early_exit(values, self.track.early_exit),
            health_equity_up_months=months_up * months,
            health_equity_down_months=months_down * months,
            claims=total_cost * (1.0 - self.replaced_share),
            completion=drivers.completion(values),
            stop_loss_payout=sums.payout_of(self.track.stop_loss),
            stop_loss_charge=self.stop_loss_charge,
            capitation_expenditure=self.capitation,
            enhanced_capitation=self.enhanced_capitation,
            advanced_payment_paid=prepaid,
            advanced_payment_reductions=reduced_share * total_cost,
            high_performers_bonus=bonus * sum(benchmark.values()),
            provisional_settlement=0.0,
        )
        return settle(self.terms, self._with_provisional(figures))

    def _unadjusted_benchmark(
        self, sums: CostDraws, drivers: ResolvedDrivers, values: Mapping[str, Array]
    ) -> Mapping[str, Amount]:
        """Benchmark of each category with the risk scores of each draw, US dollars."""
        if self.scores is not None:
            return self.scores.by_category(sums, drivers, values)
        drift = drivers.ratio(values, "reference_population_drift")
        factor = drivers.ratio(values, "coding_factor") / drift
        return steps.scale(self.benchmark, dict.fromkeys(self.benchmark, factor))

    def _with_provisional(self, figures: Figures) -> Figures:
        """The same figures with what provisional settlement has moved before the final one."""
        if self.calendar is None:
            return figures
        election = self.track.provisional_settlement or ProvisionalSettlement()
        early = provisional.provisional_figures(
            figures,
            self.calendar,
            cost_share=election.cost_share,
            completion=election.completion,
            quality_score=self.projected_quality_score,
        )
        moved = provisional.provisional_settlement(self.terms, early)
        return replace(figures, provisional_settlement=moved)


def write(setting: Setting) -> DirectContractingContract:
    """Work out what a Professional or Global track fixes before the year."""
    track, rules = setting.track, setting.rules
    terms = Terms.from_rules(rules)
    told = Notes()
    told.program(setting.program)
    told.rules(rules, {field.name for field in fields(terms)} | {"guarantee_rate"})

    _note_silent_choices(setting, told)
    benchmark = benchmark_by_category(setting, told)
    prospective = sum(benchmark.values())
    capitation, enhanced, replaced = _capitation(setting, prospective, told)
    charge = 0.0
    if track.stop_loss is not None:
        charge = _stop_loss_charge(track.stop_loss, setting, prospective, told)
    rate = rules.value("guarantee_rate", None)
    required = required_guarantee(setting, rate, prospective, told)
    if required.amount is None:
        unstated = "a guarantee is required, but the documents state no percentage"
        required = required._replace(basis=unstated)
    target = setting.target
    return DirectContractingContract(
        track=track,
        rules=rules,
        terms=terms,
        benchmark=benchmark,
        seasonality=target.seasonality,
        health_equity_months=(target.health_equity_up_months, target.health_equity_down_months),
        replaced_share=replaced,
        capitation=capitation,
        enhanced_capitation=enhanced,
        advanced_payment=_advanced_payment(track, setting.expected_cost, replaced),
        stop_loss_charge=charge,
        projected_quality_score=projected_quality_score(setting),
        ci_sep_multiplier=_ci_sep_multiplier(setting),
        scores=uncertain_scores(setting, benchmark, told),
        calendar=_provisional_calendar(setting, told),
        pays_high_performers=rules.value("high_performers_pool", False),
        fixed=fixed_figures(
            prospective,
            stop_loss_charge=charge,
            capitation=capitation,
            enhanced=enhanced,
            guarantee_base=required.base,
        ),
        required_guarantee=required.amount,
        guarantee_basis=required.basis,
        assumptions=tuple(told.assumptions),
    )


def capitation_cash_flow(
    setting: Setting, prospective: float, interim_risk_score: float | tuple[float, ...] = 1.0
) -> cash_flow.CashFlow | None:
    """A track's capitation month by month; None where it elects none.

    Parameters
    ----------
    setting : Setting
    prospective : float
        Unadjusted benchmark of the year, US dollars.
    interim_risk_score : float or tuple of float
        Score known when each month is paid, over the final one.
    """
    election: cash_flow.PrimaryCare | cash_flow.TotalCare
    track = setting.track
    terms = cash_flow.Terms.from_rules(setting.rules)
    if track.primary_care_capitation is not None:
        given = track.primary_care_capitation
        election = cash_flow.PrimaryCare(
            base_rate=given.base_rate, enhanced_rate=given.enhanced_rate
        )
    elif track.total_care_capitation is not None:
        withheld = track.total_care_capitation.leakage_withhold
        quarters = terms.performance_year_months // 3
        by_quarter = withheld if isinstance(withheld, tuple) else (withheld,) * quarters
        election = cash_flow.TotalCare(leakage_withhold=by_quarter)
    else:
        return None
    months = terms.performance_year_months
    year = cash_flow.Year(
        benchmark_pbpm=prospective / setting.months,
        beneficiaries=setting.months / months,
        interim_risk_score=interim_risk_score,
        projected_quality_score=projected_quality_score(setting),
    )
    return cash_flow.pay_capitation(terms, election, year)


def _capitation(setting: Setting, prospective: float, told: Notes) -> tuple[float, float, float]:
    """Capitation paid, enhanced capitation to repay, and the share of cost replaced."""
    flow = capitation_cash_flow(setting, prospective)
    if flow is None:
        return 0.0, 0.0, 0.0
    elected = setting.track.primary_care_capitation or setting.track.total_care_capitation
    replaced = None if elected is None else elected.claims_reduced
    paid = flow.capitation_expenditure
    if replaced is None:
        replaced = min(paid / setting.expected_cost, 1.0)
        told.say(
            "capitation",
            f"the payment replaces {replaced:.2%} of all cost, as much as it pays on average",
        )
    if flow.enhanced_to_repay:
        told.say(
            "enhanced capitation",
            "what was received after sequestration goes back; no source says whether the amount "
            "before sequestration does",
        )
    return paid, flow.enhanced_to_repay, replaced


def projected_quality_score(setting: Setting) -> float:
    """Score that capitation is paid on: as given, else the mean of the quality driver."""
    given = setting.track.projected_quality_score
    if given is not None:
        return given
    return setting.drivers.mean_quality(_ci_sep_multiplier(setting))


def _ci_sep_multiplier(setting: Setting) -> float:
    return float(setting.rules.value("ci_sep_multiplier", 1.0))


def _note_silent_choices(setting: Setting, told: Notes) -> None:
    """Say what the scenario leaves open and how it is taken."""
    track, rules, drivers = setting.track, setting.rules, setting.drivers
    segments = setting.population.segments
    if track.capitation == "none":
        told.say(
            "capitation",
            "none is elected, although the rules ask for primary care or total care capitation",
            "CMS finance FAQ, October 2020, Q2",
        )
    elif track.projected_quality_score is None:
        told.say(
            "projected quality score",
            f"monthly capitation is paid on {projected_quality_score(setting):.1%}, the mean of "
            "the quality driver",
        )
    if track.early_exit or "early_exit" in drivers.laws:
        told.say(
            "early exit",
            "the retention withhold is kept and savings are paid, although one entity that left "
            "in 2022 was paid none",
        )
    if (
        rules.value("high_performers_pool", False)
        and not setting.scenario.drivers.high_performers_bonus
    ):
        told.say("high performers pool", "no bonus from it is counted: the scenario gives none")
    if any(s.category == "ESRD" for s in segments) and (
        "national_trend" in drivers.laws and "national_trend_esrd" not in drivers.laws
    ):
        told.say("driver national_trend", "ESRD shares the draw of aged and disabled")
    target = setting.target
    if target.health_equity_up_months or target.health_equity_down_months:
        for name in ("health_equity_up_pbpm", "health_equity_down_pbpm"):
            if rules[name].note:
                told.say(name, rules[name].note, rules[name].source)
    if rules.value("performance_year_months", 12) < 12 and target.seasonality == 1.0:
        told.say("seasonality", "the factor of the short first year is taken as 1")
    people = sum(segment.beneficiaries for segment in segments)
    if people < rules.value("minimum_aligned_beneficiaries", 0):
        needed = rules["minimum_aligned_beneficiaries"]
        told.say(
            "warning: size",
            f"there are fewer beneficiaries, {people:,}, than the {needed.value:,} that "
            f"'{track.program}' asks for; they are settled as if they were enough",
            needed.source,
        )
    if "alignment_priority" not in rules and any(s.alignment == "plan" for s in segments):
        told.say(
            "alignment",
            "people aligned through a plan's enrolment are settled as if "
            f"'{track.program}' had such an alignment",
        )


def _advanced_payment(track: Track, expected_cost: float, replaced: float) -> tuple[float, float]:
    if track.advanced_payment is None:
        return 0.0, 0.0
    share = track.advanced_payment.claims_reduced
    if share + replaced > 1.0 + _ROUNDING:
        raise InputError(
            Problem(
                f"must leave room for the {replaced:.4g} of all cost that capitation replaces",
                f"track '{track.name}': advanced_payment.claims_reduced",
                f"{share:g}",
            )
        )
    prepaid = track.advanced_payment.prepaid_dollars
    return share, share * expected_cost if prepaid is None else prepaid


def _stop_loss_charge(design: StopLoss, setting: Setting, prospective: float, told: Notes) -> float:
    told.say(
        "stop-loss",
        "attachment points and payout rates are the scenario's: no public source gives CMS's",
        design.source or "assumption",
    )
    if isinstance(design.charge, ChargePBPM):
        return design.charge.pbpm * setting.months
    if isinstance(design.charge, ChargeRate):
        return design.charge.rate * prospective
    told.say(
        "stop-loss charge",
        f"neutral: {design.loading:g} times the expected payout at prospective expected cost",
    )
    return design.loading * sum(
        expected_payout(design, segment, *setting.drivers.cost_factor_law(segment.category))
        for segment in setting.population.segments
    )


def _provisional_calendar(setting: Setting, told: Notes) -> provisional.Calendar | None:
    mandatory = setting.rules.value("provisional_mandatory", False)
    if setting.track.provisional_settlement is None and not mandatory:
        return None
    told.say(
        "provisional settlement",
        "the months looked at are settled on the contract's own terms as if they were the year, "
        "and the result is paid in full",
    )
    return provisional.Calendar.from_rules(setting.rules)
