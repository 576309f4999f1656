"""The Medicare Shared Savings Program: BASIC A to E, ENHANCED and the legacy tracks.

Benchmark less expenditure; the minimum savings or loss rate, beyond which sharing runs from the
first dollar; final sharing and loss rates with quality. Then, for losses, the lower of the limits
by revenue and by benchmark, and disaster relief; for savings, sequestration and after it the
payment limit. Advance payments are recouped apart.

The order is that of 42 CFR 425.604 to 425.610. That sequestration comes before the payment limit
is read off the published results (CMS ACO-level public use files, 2014-2024).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from simdc.errors import InputError
from simdc.programs import RuleSet
from simdc.programs.units import Rates, SizeTable
from simdc.settlement import shared_savings_steps as own
from simdc.settlement import steps
from simdc.settlement.shared_savings_steps import Condition
from simdc.settlement.statement import Ledger, Statement
from simdc.settlement.steps import Amount

__all__ = ["Figures", "Terms", "check_elected_minimum_rate", "repayment_mechanism", "settle"]

_EARLY_LIMITS = {1: "loss_limit_first_year", 2: "loss_limit_second_year"}


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The rules that a settlement applies, each under the name it has in the program's data.

    What a track does not have is None: losses on one-sided tracks, the reduced rate before 2024.

    Attributes
    ----------
    two_sided : bool
        Whether losses are shared.
    maximum_sharing_rate : float
        Fraction of savings.
    quality_method : {'multiplied', 'cliff', 'alternative'}
        How quality makes the final sharing rate.
    payment_limit : float
        Fraction of benchmark.
    minimum_savings_rate_table : SizeTable
        Bands (first, last, rate at first, rate at last) of assigned beneficiaries.
    elected_minimum_rates : tuple of float
        Rates that may be elected in place of the table.
    sequestration_shared_savings : float
        Fraction cut from shared savings that are paid.
    loss_rate_floor, loss_rate_ceiling : float or None
        Fractions of losses.
    loss_limit_benchmark, loss_limit_revenue : float or None
        Fractions of the benchmark, and of participants' Part A and B revenue.
    loss_limit_rule : str
        Name of the rule that the limit of benchmark was taken from.
    disaster_relief_share : float
        Fraction of losses forgiven to every entity.
    reduced_sharing_multiplier : float or None
        For low-revenue entities below the minimum savings rate.
    reduced_sharing_minimum_size : int or None
        Size from which they earn it.
    guardrail : bool
        Whether gains made by the guardrail of the benchmark update are kept back.
    """

    two_sided: bool
    maximum_sharing_rate: float
    quality_method: str
    payment_limit: float
    minimum_savings_rate_table: SizeTable
    elected_minimum_rates: Rates
    sequestration_shared_savings: float
    loss_rate_floor: float | None = None
    loss_rate_ceiling: float | None = None
    loss_limit_benchmark: float | None = None
    loss_limit_revenue: float | None = None
    loss_limit_rule: str = "loss_limit_benchmark"
    disaster_relief_share: float = 0.0
    reduced_sharing_multiplier: float | None = None
    reduced_sharing_minimum_size: int | None = None
    guardrail: bool = False

    def __post_init__(self) -> None:
        if not self.two_sided:
            return
        if self.loss_rate_floor is None or self.loss_rate_ceiling is None:
            raise InputError("a two-sided track needs a loss rate floor and ceiling")
        if self.loss_limit_benchmark is None:
            raise InputError("a two-sided track needs a loss limit of benchmark")
        if self.loss_rate_floor > self.loss_rate_ceiling:
            raise InputError(
                f"the loss rate floor ({self.loss_rate_floor:g}) must not be above the ceiling "
                f"({self.loss_rate_ceiling:g}); to change a fixed rate, set both"
            )

    @classmethod
    def from_rules(cls, rules: RuleSet, agreement_year: int = 3) -> Terms:
        """The terms that a rule set holds, overrides included.

        Parameters
        ----------
        rules : RuleSet
            Of program ``mssp``.
        agreement_year : int
            Year of the entity's agreement, from 1; on Track 2 the limit of losses rises to the
            third year and holds from there.
        """
        terms: dict[str, Any] = {
            field.name: rules.value(field.name) for field in fields(cls) if field.name in rules
        }
        early = _EARLY_LIMITS.get(agreement_year, "")
        if early in rules:
            terms |= {"loss_limit_benchmark": rules.value(early), "loss_limit_rule": early}
        return cls(**terms)


@dataclass(frozen=True, kw_only=True, eq=False)
class Figures:
    """Entities' years on one track, as numbers or arrays of draws or of entities.

    Amounts are in US dollars, rates and scores fractions, conditions true or false.

    Attributes
    ----------
    benchmark : Amount
        Updated benchmark, per capita times person-years.
    expenditure : Amount
        Part A and B expenditure of the assigned beneficiaries as the program defines it:
        truncated, completed, without indirect medical education and disproportionate share.
    beneficiaries : Amount
        Assigned beneficiaries, a head count.
    elected_minimum_rate : Amount or None
        Minimum savings and loss rate elected; None or NaN where the size table holds.
    quality_score : Amount
        0 to 1.
    quality_standard_met, alternative_standard_met : Condition
        Quality performance standard, and the alternative one from 2023.
    low_revenue : Condition
        Entitled to the reduced rate below the minimum savings rate: low-revenue, in an agreement
        that began in 2024 or later.
    guardrail : Condition
        The two-way update was used because the three-way update would have made losses.
    revenue : Amount or None
        Participants' Medicare Part A and B revenue; None where it is not known.
    disaster_relief_share : Amount or None
        Share of losses forgiven; None for the share that the rules give everyone that year.
    disaster_relief : Amount or None
        The relief itself, positive, in place of the share.
    advance_payments : Amount
        Advance payments still to be recouped.
    """

    benchmark: Amount
    expenditure: Amount
    beneficiaries: Amount
    elected_minimum_rate: Amount | None = None
    quality_score: Amount = 1.0
    quality_standard_met: Condition = True
    alternative_standard_met: Condition = False
    low_revenue: Condition = False
    guardrail: Condition = False
    revenue: Amount | None = None
    disaster_relief_share: Amount | None = None
    disaster_relief: Amount | None = None
    advance_payments: Amount = 0.0

    def __post_init__(self) -> None:
        if self.disaster_relief is not None and self.disaster_relief_share is not None:
            raise InputError(
                "disaster relief is given once: as 'disaster_relief_share' or in dollars as "
                "'disaster_relief'"
            )


def settle(terms: Terms, figures: Figures) -> Statement:
    """Settle one performance year.

    Parameters
    ----------
    terms : Terms
        The rules of the year and track.
    figures : Figures
        Benchmark, expenditure, size, quality and elections.

    Returns
    -------
    Statement
        Lines ``settlement_benchmark``, ``net_cost_of_care``, ``gross_savings``,
        ``minimum_rate``, ``generated_savings``, ``savings_after_guardrail`` (from 2024),
        ``final_sharing_rate``; on two-sided tracks ``loss_rate``, ``shared_at_final_rates`` and
        ``limited_losses``; ``shared_savings`` (losses as owed), ``sequestered_savings``,
        ``shared_after_sequestration`` (after the payment limit too),
        ``advance_payments_recouped`` and ``cash_due``. The rates among them are fractions, the
        others US dollars.

    Raises
    ------
    InputError
        If a minimum rate is elected that the track does not offer.
    """
    check_elected_minimum_rate(figures.elected_minimum_rate, terms.elected_minimum_rates)
    ledger = Ledger()
    benchmark = ledger.enter("settlement_benchmark", "Updated benchmark", figures.benchmark)
    expenditure = ledger.enter(
        "net_cost_of_care", "Expenditure of assigned beneficiaries", figures.expenditure
    )
    gross = ledger.enter(
        "gross_savings",
        "Benchmark less expenditure",
        steps.gross_savings(benchmark, expenditure),
        before=benchmark,
    )
    payable, multiplier = _payable(ledger, terms, figures, gross)
    shared = _shared(ledger, terms, figures, payable, multiplier)
    _cash_due(ledger, figures, _paid(ledger, terms, benchmark, shared))
    return ledger.statement()


def repayment_mechanism(
    rules: RuleSet, benchmark: Amount, revenue: Amount | None = None
) -> Amount | None:
    """Financial guarantee that a two-sided entity has to post, US dollars.

    Parameters
    ----------
    rules : RuleSet
        Of program ``mssp``.
    benchmark : Amount
        Expenditure that the entity's benchmark stands for.
    revenue : Amount or None
        Participants' Medicare Part A and B revenue; None leaves the amount by benchmark.

    Returns
    -------
    Amount or None
        The lower of the two amounts (42 CFR 425.204(f)); None where the rules require nothing.
    """
    if "repayment_mechanism_benchmark" not in rules:
        return None
    by_revenue = "repayment_mechanism_revenue"
    return own.lower_of_shares(
        benchmark,
        rules.value("repayment_mechanism_benchmark"),
        revenue,
        rules.value(by_revenue) if by_revenue in rules else None,
    )


def check_elected_minimum_rate(elected: Amount | None, allowed: Rates) -> None:
    """Refuse an elected rate that is not on offer; NaN is no election."""
    if elected is None:
        return
    rates = np.unique(np.asarray(elected, dtype=np.float64))
    for rate in rates[~np.isnan(rates)]:
        if not any(np.isclose(rate, offer, rtol=0.0, atol=1e-12) for offer in allowed):
            offers = ", ".join(f"{offer:g}" for offer in allowed)
            raise InputError(
                f"'elected_minimum_rate' {rate:g} is not on offer: "
                + (f"it may be {offers}" if offers else "a one-sided track takes the size table")
            )


def _payable(
    ledger: Ledger, terms: Terms, figures: Figures, gross: Amount
) -> tuple[Amount, Amount]:
    """Savings or losses that are shared, and what multiplies their sharing rate."""
    minimum = ledger.enter(
        "minimum_rate",
        "Minimum savings and loss rate" if terms.two_sided else "Minimum savings rate",
        own.minimum_rate(
            figures.beneficiaries, figures.elected_minimum_rate, terms.minimum_savings_rate_table
        ),
        rules=("minimum_savings_rate_table", "elected_minimum_rates"),
        unit="fraction",
    )
    reached = own.reaches_minimum(gross, figures.benchmark, minimum, two_sided=terms.two_sided)
    multiplier: Amount = 1.0
    rules: tuple[str, ...] = ("two_sided",)
    fewest = terms.reduced_sharing_minimum_size
    if terms.reduced_sharing_multiplier is not None and fewest is not None:
        reduced = own.earns_reduced_rate(
            gross, reached, figures.low_revenue, figures.beneficiaries, fewest
        )
        multiplier = own.reduced_rate_multiplier(reduced, terms.reduced_sharing_multiplier)
        reached = np.logical_or(reached, reduced)
        rules += ("reduced_sharing_minimum_size",)
    payable = ledger.enter(
        "generated_savings",
        "Generated savings or losses" if terms.two_sided else "Generated savings",
        own.first_dollar(gross, reached, minimum),
        before=gross,
        rules=rules,
    )
    if terms.guardrail:
        payable = ledger.enter(
            "savings_after_guardrail",
            "Without gains made by the guardrail",
            own.withhold_guardrail_gain(payable, figures.guardrail),
            before=payable,
            rules=("guardrail",),
        )
    return payable, multiplier


def _shared(
    ledger: Ledger, terms: Terms, figures: Figures, payable: Amount, multiplier: Amount
) -> Amount:
    """Shared savings or losses, before what is done to a payment."""
    quality = (
        terms.quality_method,
        figures.quality_score,
        figures.quality_standard_met,
        figures.alternative_standard_met,
    )
    rules: tuple[str, ...] = ("maximum_sharing_rate", "quality_method")
    if terms.reduced_sharing_multiplier is not None:
        rules += ("reduced_sharing_multiplier",)
    sharing_rate = ledger.enter(
        "final_sharing_rate",
        "Final sharing rate",
        own.final_sharing_rate(terms.maximum_sharing_rate, *quality) * multiplier,
        before=terms.maximum_sharing_rate,
        rules=rules,
        unit="fraction",
    )
    loss_rate: Amount = 0.0
    if terms.two_sided:
        assert terms.loss_rate_floor is not None  # as the terms have made sure
        assert terms.loss_rate_ceiling is not None
        loss_rate = ledger.enter(
            "loss_rate",
            "Shared loss rate",
            own.loss_rate(
                terms.maximum_sharing_rate,
                *quality,
                floor=terms.loss_rate_floor,
                ceiling=terms.loss_rate_ceiling,
            ),
            rules=(
                "maximum_sharing_rate",
                "quality_method",
                "loss_rate_floor",
                "loss_rate_ceiling",
            ),
            unit="fraction",
        )
    shared = own.share_at_rates(payable, sharing_rate, loss_rate)
    if not terms.two_sided:
        return ledger.enter(
            "shared_savings", "Shared at the final sharing rate", shared, before=payable
        )
    ledger.enter("shared_at_final_rates", "Shared at the final rates", shared, before=payable)
    return _losses_owed(ledger, terms, figures, shared)


def _losses_owed(ledger: Ledger, terms: Terms, figures: Figures, shared: Amount) -> Amount:
    """The shared amount with its losses limited and relieved."""
    assert terms.loss_limit_benchmark is not None  # as the terms have made sure
    rules: tuple[str, ...] = (terms.loss_limit_rule,)
    label = "Losses limited by benchmark"
    if terms.loss_limit_revenue is not None and figures.revenue is None:
        label += "; revenue is not known"
    elif terms.loss_limit_revenue is not None:
        label = "Losses limited by revenue or benchmark"
        rules = ("loss_limit_revenue", *rules)
    limit = own.lower_of_shares(
        figures.benchmark, terms.loss_limit_benchmark, figures.revenue, terms.loss_limit_revenue
    )
    limited = ledger.enter(
        "limited_losses", label, own.limit_losses(shared, limit), before=shared, rules=rules
    )
    rules = ()
    if figures.disaster_relief is not None:
        relieved = own.forgive_losses(limited, figures.disaster_relief)
    elif figures.disaster_relief_share is not None:
        relieved = own.forgive_share_of_losses(limited, figures.disaster_relief_share)
    else:
        relieved = own.forgive_share_of_losses(limited, terms.disaster_relief_share)
        rules = ("disaster_relief_share",)
    return ledger.enter(
        "shared_savings", "Losses after disaster relief", relieved, before=limited, rules=rules
    )


def _paid(ledger: Ledger, terms: Terms, benchmark: Amount, shared: Amount) -> Amount:
    """What is paid of shared savings; losses are owed as they are."""
    sequestered = ledger.enter(
        "sequestered_savings",
        "Shared, after sequestration",
        steps.sequester(shared, terms.sequestration_shared_savings),
        before=shared,
        rules=("sequestration_shared_savings",),
    )
    return ledger.enter(
        "shared_after_sequestration",
        "Shared, after the payment limit",
        own.limit_payment(sequestered, benchmark, terms.payment_limit),
        before=sequestered,
        rules=("payment_limit",),
    )


def _cash_due(ledger: Ledger, figures: Figures, shared: Amount) -> Amount:
    """What changes hands once advance payments are recouped."""
    recouped = ledger.enter(
        "advance_payments_recouped",
        "Advance payments recouped",
        own.recoup_from_savings(shared, figures.advance_payments),
        before=shared,
    )
    return ledger.enter("cash_due", "Cash due", recouped, before=shared)
