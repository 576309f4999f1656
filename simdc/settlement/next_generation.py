"""Next Generation ACO: the settlement in the order of its participation agreement.

Benchmark less discount; cost; gross savings; the cap that the ACO elected, on gross savings and
losses alike; the sharing rate of its arrangement; sequestration on what is paid. So a cap of 5%
under Arrangement A leaves at most 4% of the benchmark before sequestration. Apart from the shared
savings stand the infrastructure payments, which are recouped in full, and the population-based
payments, which are reconciled to the claims reductions they stood for.

The trend of the benchmark is set before the year, so nothing here follows the trend as it turned
out. There is no minimum savings or loss rate.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from simdc.errors import InputError, Problem
from simdc.programs import RuleSet
from simdc.settlement import steps
from simdc.settlement.statement import Ledger, Statement
from simdc.settlement.steps import Amount

__all__ = ["Figures", "Terms", "discount_after_adjustments", "settle"]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The rules that a settlement applies, each under the name it has in the program's data.

    Attributes
    ----------
    discount : float
        Fraction of the benchmark, before quality and efficiency move it.
    quality_discount_maximum : float
        How much of the discount a perfect quality score takes away.
    regional_efficiency_maximum, national_efficiency_maximum : float
        Most that either efficiency adjustment moves the discount.
    quality_withhold : float
        Fraction of the benchmark that the quality score earns back.
    savings_losses_cap : float
        The ACO's election, as a fraction of the benchmark.
    savings_losses_cap_minimum, savings_losses_cap_maximum : float
        What it may elect.
    sharing_rate : float
        Share of capped savings and losses.
    sequestration_shared_savings : float
        Fraction cut from shared savings that are paid.

    Raises
    ------
    InputError
        If the elected cap is not one that may be elected, or discount and withhold leave nothing of
        the benchmark.
    """

    discount: float
    quality_discount_maximum: float
    regional_efficiency_maximum: float
    national_efficiency_maximum: float
    quality_withhold: float
    savings_losses_cap: float
    savings_losses_cap_minimum: float
    savings_losses_cap_maximum: float
    sharing_rate: float
    sequestration_shared_savings: float

    def __post_init__(self) -> None:
        steps.refuse_whole_benchmark(
            discount=self.discount,
            quality_withhold=self.quality_withhold,
            regional_efficiency_maximum=self.regional_efficiency_maximum,
            national_efficiency_maximum=self.national_efficiency_maximum,
        )
        lowest, highest = self.savings_losses_cap_minimum, self.savings_losses_cap_maximum
        if not lowest <= self.savings_losses_cap <= highest:
            raise InputError(
                Problem(
                    f"an ACO elects a cap on savings and losses from {lowest:g} to {highest:g} of "
                    "the benchmark",
                    path="savings_losses_cap",
                    given=f"{self.savings_losses_cap:g}",
                )
            )

    @classmethod
    def from_rules(cls, rules: RuleSet) -> Terms:
        """The terms that a rule set holds, overrides included."""
        return cls(**{field.name: rules.value(field.name) for field in fields(cls)})


@dataclass(frozen=True, kw_only=True, eq=False)
class Figures:
    """One ACO's year, as numbers or arrays of draws.

    Exactly one of ``unadjusted_benchmark`` and ``final_benchmark`` is given. Amounts are in US
    dollars, before sequestration.

    Attributes
    ----------
    claims : Amount
        Part A and B claims, each beneficiary's truncated, those that population-based payments
        reduced included in full.
    unadjusted_benchmark : Amount or None
        Trended and risk adjusted, before the discount.
    final_benchmark : Amount or None
        Benchmark after discount and quality; the settlement starts from it.
    quality_score : Amount
        0 to 1; 1 in a year in which reporting alone counts.
    regional_efficiency, national_efficiency : Amount
        Fractions of the benchmark by which low cost against the region, and the region's against
        the nation, lessen the discount; negative ones add to it. No more counts than the rules
        allow.
    completion : Amount
        Completed claims over claims as they stand.
    infrastructure_payments : Amount
        Received during the year, all of which goes back.
    population_based_payment_paid, population_based_payment_reductions : Amount
        Population-based payments, capitation included, and the claims reductions they stood for.
    """

    claims: Amount
    unadjusted_benchmark: Amount | None = None
    final_benchmark: Amount | None = None
    quality_score: Amount = 1.0
    regional_efficiency: Amount = 0.0
    national_efficiency: Amount = 0.0
    completion: Amount = 1.0
    infrastructure_payments: Amount = 0.0
    population_based_payment_paid: Amount = 0.0
    population_based_payment_reductions: Amount = 0.0

    def __post_init__(self) -> None:
        if (self.unadjusted_benchmark is None) == (self.final_benchmark is None):
            raise InputError(
                "a settlement starts from exactly one of 'unadjusted_benchmark' and "
                "'final_benchmark'"
            )


def discount_after_adjustments(
    terms: Terms,
    quality_score: Amount,
    regional_efficiency: Amount = 0.0,
    national_efficiency: Amount = 0.0,
) -> Amount:
    """Discount once quality and efficiency have moved it, as a fraction of the benchmark.

    Parameters
    ----------
    terms : Terms
        The rules of the year and arrangement.
    quality_score : Amount
        0 to 1.
    regional_efficiency, national_efficiency : Amount
        As in :class:`Figures`; cut to what the rules allow.

    Examples
    --------
    >>> from simdc.programs import load_program
    >>> terms = Terms.from_rules(load_program("ngaco").rules(2016, "arrangement-b"))
    >>> round(float(discount_after_adjustments(terms, 1.0, 0.01, 0.005)), 6)
    0.005
    """
    regional, national = terms.regional_efficiency_maximum, terms.national_efficiency_maximum
    efficiency: Amount = np.clip(regional_efficiency, -regional, regional) + np.clip(
        national_efficiency, -national, national
    )
    return terms.discount - terms.quality_discount_maximum * quality_score - efficiency


def settle(terms: Terms, figures: Figures) -> Statement:
    """Settle one performance year.

    Parameters
    ----------
    terms : Terms
        The rules of the year and arrangement.
    figures : Figures
        Benchmark, cost and payments of the year.

    Returns
    -------
    Statement
        Lines ``unadjusted_benchmark`` (only when the settlement starts there),
        ``final_benchmark``, ``settlement_benchmark`` (the same amount: nothing is added after
        the discount), ``completed_claims``, ``net_cost_of_care`` (the same again),
        ``gross_savings``, ``capped_savings``, ``shared_savings``, ``shared_after_sequestration``;
        then the balance after each of ``infrastructure_payments_recouped`` and
        ``population_based_payment_true_up``; and ``cash_due``.
    """
    ledger = Ledger()
    benchmark = _benchmark(ledger, terms, figures)
    cost = _cost(ledger, figures)
    gross = ledger.enter(
        "gross_savings",
        "Gross savings or losses",
        steps.gross_savings(benchmark, cost),
        before=benchmark,
    )
    shared = _shared_savings(ledger, terms, gross, benchmark)
    _cash_due(ledger, figures, shared)
    return ledger.statement()


def _benchmark(ledger: Ledger, terms: Terms, figures: Figures) -> Amount:
    """Benchmark that savings are measured against."""
    if figures.unadjusted_benchmark is None:
        assert figures.final_benchmark is not None  # as the figures have made sure
        final = ledger.enter(
            "final_benchmark", "Final benchmark, as given", figures.final_benchmark
        )
    else:
        unadjusted = ledger.enter(
            "unadjusted_benchmark", "Benchmark before discount", figures.unadjusted_benchmark
        )
        reduction = discount_after_adjustments(
            terms,
            figures.quality_score,
            figures.regional_efficiency,
            figures.national_efficiency,
        ) + terms.quality_withhold * (1.0 - figures.quality_score)
        final = ledger.enter(
            "final_benchmark",
            "Benchmark after discount and quality",
            unadjusted * (1.0 - reduction),
            before=unadjusted,
            rules=(
                "discount",
                "quality_discount_maximum",
                "regional_efficiency_maximum",
                "national_efficiency_maximum",
                "quality_withhold",
            ),
        )
    return ledger.enter("settlement_benchmark", "Performance year benchmark", final, before=final)


def _cost(ledger: Ledger, figures: Figures) -> Amount:
    """Expenditure that is held against the benchmark."""
    completed = ledger.enter(
        "completed_claims",
        "Claims, completed",
        steps.complete_claims(figures.claims, 0.0, figures.completion),
        before=figures.claims,
    )
    return ledger.enter(
        "net_cost_of_care", "Performance year expenditure", completed, before=completed
    )


def _shared_savings(ledger: Ledger, terms: Terms, gross: Amount, benchmark: Amount) -> Amount:
    """The ACO's share of savings or losses, as it is paid or owed."""
    capped = ledger.enter(
        "capped_savings",
        "Savings or losses, capped",
        steps.cap_savings(gross, benchmark, terms.savings_losses_cap),
        before=gross,
        rules=("savings_losses_cap",),
    )
    shared = ledger.enter(
        "shared_savings",
        "Shared savings or losses",
        steps.share(capped, terms.sharing_rate),
        before=capped,
        rules=("sharing_rate",),
    )
    return ledger.enter(
        "shared_after_sequestration",
        "Shared, after sequestration",
        steps.sequester(shared, terms.sequestration_shared_savings),
        before=shared,
        rules=("sequestration_shared_savings",),
    )


def _cash_due(ledger: Ledger, figures: Figures, shared: Amount) -> Amount:
    """What changes hands at settlement once the payments of the year are squared."""
    recouped = ledger.enter(
        "infrastructure_payments_recouped",
        "Infrastructure payments recouped",
        steps.recoup(shared, figures.infrastructure_payments),
        before=shared,
    )
    trued_up = ledger.enter(
        "population_based_payment_true_up",
        "Population-based payments trued up",
        steps.true_up(
            recouped,
            paid=figures.population_based_payment_paid,
            earned=figures.population_based_payment_reductions,
        ),
        before=recouped,
    )
    return ledger.enter("cash_due", "Cash due", trued_up, before=shared)
