"""What ``simdc settle`` may be given.

A figure has one name, which is its option on the command line and its key in a file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from simdc.errors import InputError, Problem

__all__ = [
    "DIRECT_CONTRACTING",
    "FIGURES",
    "NEXT_GENERATION",
    "SHARED_SAVINGS",
    "Figure",
    "Kind",
    "flag",
]

DIRECT_CONTRACTING = "direct_contracting"
SHARED_SAVINGS = "shared_savings"
NEXT_GENERATION = "next_generation"

_EVERY = (DIRECT_CONTRACTING, SHARED_SAVINGS, NEXT_GENERATION)
_TRENDED = (DIRECT_CONTRACTING, NEXT_GENERATION)


def flag(name: str) -> str:
    """The name of a figure as an option."""
    return "--" + name.replace("_", "-")


@dataclass(frozen=True)
class Kind:
    """What a number must be, and the sentence that refuses anything else."""

    metavar: str
    allowed: Callable[[float], bool]
    sentence: str

    def check(self, number: float, path: str, given: str) -> float:
        """The number itself, if it is allowed."""
        if not self.allowed(number):
            raise InputError(Problem(self.sentence, path, given))
        return number


_DOLLARS = Kind(
    "DOLLARS",
    lambda v: 0 <= v < math.inf,
    "must be a finite amount of US dollars, 0 or more",
)
_BENCHMARK = Kind(
    "DOLLARS",
    lambda v: 0 < v < math.inf,
    "must be a finite amount of US dollars above 0",
)
_EITHER_WAY = Kind(
    "DOLLARS",
    math.isfinite,
    "must be a finite amount of US dollars, negative if it was collected from the entity",
)
_DEDUCTION = Kind(
    "DOLLARS",
    lambda v: -math.inf < v <= 0,
    "must be a finite amount of US dollars, negative or 0, as CMS publishes it",
)
_RATE = Kind(
    "RATE",
    lambda v: 0 <= v <= 1,
    "must be a rate between 0 and 1, written as a fraction (2% is 0.02)",
)
# The bounds are no rule: they catch a percentage, and a deviation given for a ratio.
_RATIO = Kind(
    "RATIO",
    lambda v: 0.2 <= v <= 5,
    "must be a ratio between 0.2 and 5 (5% below projection is 0.95)",
)
_MONTHS = Kind(
    "MONTHS",
    lambda v: 0 <= v < math.inf,
    "must be a finite number of beneficiary-months, 0 or more",
)
_PEOPLE = Kind(
    "NUMBER",
    lambda v: 0 < v < math.inf,
    "must be a finite number of beneficiaries above 0",
)
_EFFICIENCY = Kind(
    "RATE",
    lambda v: -1 <= v <= 1,
    "must be a rate between -1 and 1, written as a fraction (1% is 0.01)",
)
_YEAR = Kind("YEAR", lambda v: v in range(1, 6), "must be a year of an agreement, 1 to 5")


@dataclass(frozen=True)
class Figure:
    """A figure the user may give, in programs of some families; a switch if it has no kind."""

    name: str
    kind: Kind | None
    help: str
    by_category: bool = False
    families: tuple[str, ...] = (DIRECT_CONTRACTING,)

    @property
    def flag(self) -> str:
        """Its name as an option."""
        return flag(self.name)


_DIRECT_CONTRACTING = (
    # Benchmark
    Figure(
        "unadjusted_benchmark",
        _BENCHMARK,
        "Benchmark before trend adjustment, discount and quality; or by category, given once as "
        "'A&D=DOLLARS' and once as 'ESRD=DOLLARS'.",
        by_category=True,
        families=_TRENDED,
    ),
    Figure(
        "trend_ratio",
        _RATIO,
        "Realised over projected trend of the reference population; by category likewise.",
        by_category=True,
    ),
    Figure(
        "seasonality",
        _RATIO,
        "Seasonality factor of the nine-month year 2021; by category likewise.",
        by_category=True,
    ),
    Figure("quality", _RATE, "Total quality score.", families=_EVERY),
    Figure(
        "performance_score",
        _RATE,
        "Score on the measures, from which the total quality score is worked out.",
    ),
    Figure("ci_sep_missed", None, "CI/SEP was missed (with --performance-score)."),
    Figure(
        "equity_reporting", _RATE, "Credit for health-equity reporting (with --performance-score)."
    ),
    Figure("retention_kept", None, "The entity left early: the retention withhold is kept."),
    Figure(
        "final_benchmark",
        _BENCHMARK,
        "Benchmark after all of the above, before health equity, in place of them.",
        families=_TRENDED,
    ),
    Figure("health_equity_up", _DOLLARS, "Upward health-equity adjustment."),
    Figure("health_equity_down", _DEDUCTION, "Downward health-equity adjustment, negative."),
    Figure("health_equity_up_months", _MONTHS, "Beneficiary-months adjusted upward."),
    Figure("health_equity_down_months", _MONTHS, "Beneficiary-months adjusted downward."),
    # Cost
    Figure("cost", _DOLLARS, "Total cost of care before stop-loss: claims and capitation."),
    Figure("claims", _DOLLARS, "Claims alone, in place of --cost.", families=_TRENDED),
    Figure("net_cost", _DOLLARS, "Cost after stop-loss and completion, in place of --cost."),
    Figure("base_capitation", _DOLLARS, "Base primary care capitation, before sequestration."),
    Figure("total_care_capitation", _DOLLARS, "Total care capitation, before sequestration."),
    Figure("stop_loss_payout", _DOLLARS, "Paid out under stop-loss."),
    Figure("stop_loss_charge", _DOLLARS, "Charged for stop-loss."),
    Figure("completion", _RATIO, "Completed claims over claims so far.", families=_TRENDED),
    # Settling up
    Figure("enhanced_capitation", _DOLLARS, "Enhanced primary care capitation, all recouped."),
    Figure("advanced_payments", _DOLLARS, "Advanced payments received."),
    Figure("advanced_payment_reductions", _DOLLARS, "Claims reductions they stood for."),
    Figure("high_performers_bonus", _DOLLARS, "Bonus from the high performers pool."),
    Figure(
        "provisional_settlement",
        _EITHER_WAY,
        "Paid at provisional settlement; negative if collected.",
    ),
)

_SHARED_SAVINGS = tuple(
    Figure(name, kind, f"Shared Savings: {help}", families=(SHARED_SAVINGS,))
    for name, kind, help in (
        ("benchmark", _BENCHMARK, "updated benchmark."),
        ("expenditure", _DOLLARS, "expenditure of the assigned beneficiaries."),
        ("beneficiaries", _PEOPLE, "assigned beneficiaries, a head count."),
        ("elected_minimum_rate", _RATE, "minimum savings and loss rate elected."),
        ("quality_standard_missed", None, "the quality standard was missed."),
        ("alternative_standard_met", None, "the alternative quality standard was met."),
        ("low_revenue", None, "low-revenue, in an agreement from 2024."),
        ("guardrail", None, "the guardrail of the benchmark update made the savings."),
        ("revenue", _DOLLARS, "participants' Part A and B revenue, which limits losses."),
        ("disaster_relief_share", _RATE, "share of losses forgiven."),
        ("disaster_relief", _DOLLARS, "losses forgiven, in place of their share."),
        ("advance_payments", _DOLLARS, "advance payments still to be recouped."),
        ("agreement_year", _YEAR, "year of the agreement, 1 to 5, for Track 2."),
    )
)

_NEXT_GENERATION = tuple(
    Figure(name, kind, f"Next Generation: {help}", families=(NEXT_GENERATION,))
    for name, kind, help in (
        ("regional_efficiency", _EFFICIENCY, "what low cost against the region takes off."),
        ("national_efficiency", _EFFICIENCY, "the same for the region against the nation."),
        ("infrastructure_payments", _DOLLARS, "received, all of which goes back."),
        ("population_based_payments", _DOLLARS, "received."),
        ("population_based_payment_reductions", _DOLLARS, "claims reductions they stood for."),
    )
)

FIGURES = (*_DIRECT_CONTRACTING, *_SHARED_SAVINGS, *_NEXT_GENERATION)
"""Everything that may be given, in the order of the help."""
