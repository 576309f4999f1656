"""Direct Contracting and ACO REACH: the settlement in the order of CMS's own worksheet.

Benchmark x retrospective trend x seasonality; discount, retention and quality in one additive
bracket; health equity; cost after stop-loss, completed; gross savings; corridors on the benchmark
they were measured against; sequestration. Apart from the shared savings stand the enhanced primary
care capitation, the advanced payments, the high performers bonus and the provisional settlement:
what is then due in cash is what a financial guarantee secures.

The order is that of the CMS benchmark report workbook. From the final benchmark on, the arithmetic
gives the gross and shared savings of all 99 entities of 2022 to the dollar (CMS participant-level
public use file); one entity that left early was paid nothing of what it had earned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields

from simdc.errors import InputError
from simdc.programs import RuleSet
from simdc.settlement import steps
from simdc.settlement.statement import Ledger, Statement
from simdc.settlement.steps import Amount, ByCategory, Corridors

__all__ = ["Figures", "Terms", "settle"]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The rules that a settlement applies, each under the name it has in the program's data.

    Attributes
    ----------
    trend_adjustment_trigger : float
        Size of trend deviation from which the benchmark moves.
    trend_adjustment_corridor : Corridors
        Share of the deviation by which it moves.
    discount, quality_withhold, retention_withhold : float
        Fractions of the benchmark after trend and seasonality.
    health_equity_up_pbpm, health_equity_down_pbpm : float
        US dollars per beneficiary per month; the downward one is negative.
    corridors : Corridors
        Entity's share of savings and losses, by their size over the settlement benchmark.
    sequestration_shared_savings : float
        Fraction cut from shared savings that are paid.
    loss_corridors : Corridors or None
        The corridors of losses, in a program that has others for them.

    Raises
    ------
    InputError
        If discount and withholds leave nothing of the benchmark.
    """

    trend_adjustment_trigger: float
    trend_adjustment_corridor: Corridors
    discount: float
    quality_withhold: float
    retention_withhold: float
    health_equity_up_pbpm: float
    health_equity_down_pbpm: float
    corridors: Corridors
    sequestration_shared_savings: float
    loss_corridors: Corridors | None = None

    def __post_init__(self) -> None:
        steps.refuse_whole_benchmark(
            discount=self.discount,
            quality_withhold=self.quality_withhold,
            retention_withhold=self.retention_withhold,
        )

    @classmethod
    def from_rules(cls, rules: RuleSet) -> Terms:
        """The terms that a rule set holds, overrides included."""
        return cls(
            **{
                field.name: rules.value(field.name)
                for field in fields(cls)
                if field.default is MISSING or field.name in rules
            }
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Figures:
    """One entity's year, as numbers or arrays of draws.

    Exactly one of ``unadjusted_benchmark`` and ``final_benchmark`` is given. Amounts are in US
    dollars, before sequestration unless said otherwise.

    Attributes
    ----------
    unadjusted_benchmark : mapping of str to Amount
        Benchmark by category, risk adjusted and prospectively trended, before any later step.
    final_benchmark : Amount
        Benchmark after trend, seasonality, discount, retention and quality; the settlement starts
        from it and the steps before it are left out.
    trend_ratio, seasonality : Amount or mapping of str to Amount
        Factors for every category of the unadjusted benchmark, or one for all. The trend ratio is
        the realised over the projected trend of the reference population; seasonality is that of
        the nine-month first year (CMS finance FAQ, October 2020, Q15).
    quality_score : Amount
        Total quality score, 0 to 1.
    retention_kept : Amount
        1 (or True) where the entity left early and the retention withhold is kept, else 0.
    health_equity_up_months, health_equity_down_months : Amount
        Beneficiary-months that move the benchmark up and down.
    health_equity_up, health_equity_down : Amount or None
        The adjustments themselves, in place of the months; the downward one is negative.
    claims : Amount
        Fee-for-service claims, those reduced by advanced payments included, those that capitation
        replaced left out.
    completion : Amount
        Completed claims over claims as they stand.
    stop_loss_payout, stop_loss_charge : Amount
        Both positive.
    capitation : Amount
        Base primary care capitation or total care capitation.
    enhanced_capitation : Amount
        Enhanced primary care capitation received, all of which goes back.
    advanced_payment_paid, advanced_payment_reductions : Amount
        Advanced payments, and the claims reductions they stood for.
    high_performers_bonus : Amount
        Paid outside the corridors.
    provisional_settlement : Amount
        Already paid to the entity (positive) or collected from it (negative).
    """

    claims: Amount
    unadjusted_benchmark: ByCategory | None = None
    final_benchmark: Amount | None = None
    trend_ratio: Amount | ByCategory = 1.0
    seasonality: Amount | ByCategory = 1.0
    quality_score: Amount = 1.0
    retention_kept: Amount = 0.0
    health_equity_up_months: Amount = 0.0
    health_equity_down_months: Amount = 0.0
    health_equity_up: Amount | None = None
    health_equity_down: Amount | None = None
    completion: Amount = 1.0
    stop_loss_payout: Amount = 0.0
    stop_loss_charge: Amount = 0.0
    capitation_expenditure: Amount = 0.0
    enhanced_capitation: Amount = 0.0
    advanced_payment_paid: Amount = 0.0
    advanced_payment_reductions: Amount = 0.0
    high_performers_bonus: Amount = 0.0
    provisional_settlement: Amount = 0.0

    def __post_init__(self) -> None:
        if (self.unadjusted_benchmark is None) == (self.final_benchmark is None):
            raise InputError(
                "a settlement starts from exactly one of 'unadjusted_benchmark' and "
                "'final_benchmark'"
            )


def settle(terms: Terms, figures: Figures) -> Statement:
    """Settle one performance year.

    Parameters
    ----------
    terms : Terms
        The rules of the program, year and option.
    figures : Figures
        Benchmark, cost and payments of the year.

    Returns
    -------
    Statement
        Lines ``unadjusted_benchmark``, ``trend_adjusted_benchmark``, ``seasonal_benchmark``
        (these three only when the settlement starts there), ``final_benchmark``,
        ``settlement_benchmark``, ``completed_claims``, ``net_cost_of_care``, ``gross_savings``,
        ``shared_savings``, ``shared_after_sequestration``; then the balance after each of
        ``enhanced_capitation_recouped``, ``advanced_payment_true_up``, ``high_performers_bonus``
        and ``provisional_settlement_netted``; and ``cash_due``.

    Raises
    ------
    InputError
        If the factors of trend or seasonality name other categories than the benchmark.
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
    if figures.final_benchmark is None:
        final = _final_benchmark(ledger, terms, figures)
    else:
        final = ledger.enter(
            "final_benchmark", "Final benchmark, as given", figures.final_benchmark
        )
    up, down = figures.health_equity_up, figures.health_equity_down
    rules: tuple[str, ...] = ()
    if up is None:
        up = steps.health_equity_dollars(
            figures.health_equity_up_months, terms.health_equity_up_pbpm
        )
        rules += ("health_equity_up_pbpm",)
    if down is None:
        down = steps.health_equity_dollars(
            figures.health_equity_down_months, terms.health_equity_down_pbpm
        )
        rules += ("health_equity_down_pbpm",)
    return ledger.enter(
        "settlement_benchmark",
        "Benchmark after health equity",
        steps.adjust_for_health_equity(final, up, down),
        before=final,
        rules=rules,
    )


def _final_benchmark(ledger: Ledger, terms: Terms, figures: Figures) -> Amount:
    """Unadjusted benchmark through trend, seasonality, discount and quality."""
    assert figures.unadjusted_benchmark is not None  # as the figures have made sure
    by_category = figures.unadjusted_benchmark
    unadjusted = ledger.enter(
        "unadjusted_benchmark",
        "Unadjusted benchmark",
        steps.sum_categories(by_category),
    )

    ratios = _for_categories(figures.trend_ratio, by_category, "trend_ratio")
    by_category = steps.scale(
        by_category,
        {
            category: steps.trend_adjustment(
                ratio, terms.trend_adjustment_trigger, terms.trend_adjustment_corridor
            )
            for category, ratio in ratios.items()
        },
    )
    trended = ledger.enter(
        "trend_adjusted_benchmark",
        "Benchmark after trend adjustment",
        steps.sum_categories(by_category),
        before=unadjusted,
        rules=("trend_adjustment_trigger", "trend_adjustment_corridor"),
    )

    by_category = steps.scale(
        by_category, _for_categories(figures.seasonality, by_category, "seasonality")
    )
    seasonal = ledger.enter(
        "seasonal_benchmark",
        "Benchmark after seasonality",
        steps.sum_categories(by_category),
        before=trended,
    )

    return ledger.enter(
        "final_benchmark",
        "Benchmark after discount and quality",
        steps.discounted_benchmark(
            seasonal,
            discount=terms.discount,
            retention_withhold=terms.retention_withhold * figures.retention_kept,
            quality_withhold=terms.quality_withhold,
            quality_score=figures.quality_score,
        ),
        before=seasonal,
        rules=("discount", "retention_withhold", "quality_withhold"),
    )


def _for_categories(
    factor: Amount | ByCategory, categories: Iterable[str], name: str
) -> ByCategory:
    """A factor for every category, from one for all or one for each."""
    if not isinstance(factor, Mapping):
        return dict.fromkeys(categories, factor)
    if set(factor) != set(categories):
        raise InputError(
            f"'{name}' must name the categories of the benchmark "
            f"({', '.join(categories)}), not {', '.join(factor) or 'none'}"
        )
    return factor


def _cost(ledger: Ledger, figures: Figures) -> Amount:
    """Expenditure that is held against the benchmark."""
    completed = ledger.enter(
        "completed_claims",
        "Claims after stop-loss, completed",
        steps.complete_claims(figures.claims, figures.stop_loss_payout, figures.completion),
        before=figures.claims,
    )
    return ledger.enter(
        "net_cost_of_care",
        "Cost with capitation and stop-loss charge",
        steps.net_cost_of_care(completed, figures.capitation_expenditure, figures.stop_loss_charge),
        before=completed,
    )


def _shared_savings(ledger: Ledger, terms: Terms, gross: Amount, benchmark: Amount) -> Amount:
    """The entity's share of savings or losses, as it is paid or owed."""
    rules: tuple[str, ...] = ("corridors",)
    if terms.loss_corridors is None:
        shared = steps.share_in_corridors(gross, benchmark, terms.corridors)
    else:
        shared = steps.share_savings_and_losses(
            gross, benchmark, terms.corridors, terms.loss_corridors
        )
        rules += ("loss_corridors",)
    ledger.enter("shared_savings", "Shared savings or losses", shared, before=gross, rules=rules)
    return ledger.enter(
        "shared_after_sequestration",
        "Shared, after sequestration",
        steps.sequester(shared, terms.sequestration_shared_savings),
        before=shared,
        rules=("sequestration_shared_savings",),
    )


def _cash_due(ledger: Ledger, figures: Figures, shared: Amount) -> Amount:
    """What changes hands at settlement once everything outside the corridors is squared."""
    recouped = ledger.enter(
        "enhanced_capitation_recouped",
        "Enhanced capitation recouped",
        steps.recoup(shared, figures.enhanced_capitation),
        before=shared,
    )
    trued_up = ledger.enter(
        "advanced_payment_true_up",
        "Advanced payments trued up",
        steps.true_up(
            recouped,
            paid=figures.advanced_payment_paid,
            earned=figures.advanced_payment_reductions,
        ),
        before=recouped,
    )
    with_bonus = ledger.enter(
        "high_performers_bonus",
        "High performers bonus",
        steps.pay_bonus(trued_up, figures.high_performers_bonus),
        before=trued_up,
    )
    netted = ledger.enter(
        "provisional_settlement_netted",
        "Provisional settlement netted",
        steps.net_provisional_settlement(with_bonus, figures.provisional_settlement),
        before=with_bonus,
    )
    return ledger.enter("cash_due", "Cash due", netted, before=shared)
