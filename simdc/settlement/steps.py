"""The arithmetic of contract terms, one pure function per step.

Every amount is in US dollars and may be a number or an array of draws; numbers and arrays mix by
NumPy's broadcasting, and nothing is changed in place. Positive is paid to the entity, negative is
owed by it; benchmarks, costs and payouts are positive. Rates are fractions. NaN stays NaN.

Only elementwise NumPy functions are used, so that labelled arrays keep their labels, and a term
that is the plain number 0, or a factor that is the plain number 1, hands back the very array it
was given instead of a copy: most terms are absent in most contracts, and draws run to millions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simdc.errors import InputError, Problem

__all__ = [
    "Amount",
    "ByCategory",
    "Corridors",
    "adjust_for_health_equity",
    "cap_savings",
    "complete_claims",
    "discounted_benchmark",
    "entitled_enhanced_capitation",
    "gross_savings",
    "health_equity_dollars",
    "net_cost_of_care",
    "net_provisional_settlement",
    "pay_bonus",
    "recoup",
    "refuse_whole_benchmark",
    "scale",
    "sequester",
    "share",
    "share_in_corridors",
    "share_savings_and_losses",
    "sum_categories",
    "total_quality_score",
    "trend_adjustment",
    "true_up",
]

Amount: TypeAlias = float | NDArray[np.float64]
"""A number, or one number per draw."""

ByCategory: TypeAlias = Mapping[str, Amount]
"""An amount per category of beneficiary, such as A&D and ESRD."""

Corridors: TypeAlias = Sequence[tuple[float, float]]
"""Bands in rising order: (upper edge as a fraction of the base, share within the band)."""


# --- benchmark --------------------------------------------------------------------------------


def sum_categories(amounts: ByCategory) -> Amount:
    """The categories taken together."""
    nothing: Amount = 0.0
    return reduce(_plus, amounts.values(), nothing)


def scale(amounts: ByCategory, factors: ByCategory) -> dict[str, Amount]:
    """Each category's amount times that category's factor."""
    return {category: _times(amount, factors[category]) for category, amount in amounts.items()}


def trend_adjustment(trend_ratio: Amount, trigger: float, corridors: Corridors) -> Amount:
    """Factor by which the retrospective trend adjustment moves a benchmark.

    Parameters
    ----------
    trend_ratio : Amount
        Trend of the reference population as it turned out, over the trend that the benchmark was
        set with; 1 is as projected.
    trigger : float
        A deviation smaller than this leaves the benchmark alone. One that reaches it counts from
        zero, not from the trigger (CMS bulletin on the COVID policy of performance year 2021).
    corridors : Corridors
        Share of the deviation that moves the benchmark, by the size of the deviation.

    Returns
    -------
    Amount
        1 within the trigger.
    """
    deviation = trend_ratio - 1.0
    counted = np.multiply(deviation, np.abs(deviation) >= trigger)
    return 1.0 + share_in_corridors(counted, 1.0, corridors)


def refuse_whole_benchmark(**taken: float) -> None:
    """Refuse rules that may leave nothing of a benchmark: no savings rate could be told of it.

    Parameters
    ----------
    **taken : float
        The most that each rule takes, as a fraction of the benchmark.

    Raises
    ------
    InputError
    """
    if sum(taken.values()) >= 1.0:
        *first, last = taken
        names = f"{', '.join(first)} and {last}"
        given = ", ".join(f"{name} = {value:g}" for name, value in taken.items())
        raise InputError(Problem(f"{names} must leave some of the benchmark", "rules", given))


def discounted_benchmark(
    benchmark: Amount,
    *,
    discount: float,
    retention_withhold: Amount,
    quality_withhold: float,
    quality_score: Amount,
) -> Amount:
    """Benchmark after discount and withholds, with what quality earned back.

    All reductions are fractions of the same benchmark, so they add and do not compound: the
    factor is 1 - discount - retention - withhold + withhold x score. The published results of 2023
    fit this form to four digits and not the compounded one.

    Parameters
    ----------
    benchmark : Amount
        US dollars, after trend and seasonality.
    discount, quality_withhold : float
        Fractions of the benchmark.
    retention_withhold : Amount
        Fraction kept because the entity left early; 0 when it stayed.
    quality_score : Amount
        Total quality score, 0 to 1.
    """
    unearned = quality_withhold * (1.0 - quality_score)
    return _times(benchmark, 1.0 - discount - retention_withhold - unearned)


def total_quality_score(
    performance_score: Amount,
    reporting_share: float,
    ci_sep_multiplier: Amount = 1.0,
    equity_reporting: Amount = 0.0,
) -> Amount:
    """Share of the quality withhold that is earned back.

    Parameters
    ----------
    performance_score : Amount
        Points earned over points possible on the measures, 0 to 1.
    reporting_share : float
        Share of the withhold that is earned by reporting alone (4 points of 5 in the first two
        performance years).
    ci_sep_multiplier : Amount
        1 where continuous improvement or sustained exceptional performance is shown or not asked
        for; else what the rules multiply the score by.
    equity_reporting : Amount
        Credit for reporting health-equity data, added after the multiplier.
    """
    earned = reporting_share + (1.0 - reporting_share) * performance_score
    return np.minimum(1.0, earned * ci_sep_multiplier + equity_reporting)


def health_equity_dollars(months: Amount, pbpm: float) -> Amount:
    """US dollars that so many beneficiary-months move the benchmark, at so much a month.

    The downward amount a month is negative, as CMS publishes it.
    """
    return _times(months, pbpm)


def adjust_for_health_equity(benchmark: Amount, up: Amount, down: Amount) -> Amount:
    """Benchmark that savings are measured against: neither discounted nor withheld any further.

    ``down`` is negative.
    """
    return _plus(_plus(benchmark, up), down)


# --- cost -------------------------------------------------------------------------------------


def complete_claims(claims: Amount, stop_loss_payout: Amount, completion: Amount) -> Amount:
    """Claims after stop-loss, grossed up for those that have not come in yet.

    Completion comes after stop-loss, in the order of CMS's settlement workbook, and touches claims
    only: never capitation, never the stop-loss charge.
    """
    return _times(_minus(claims, stop_loss_payout), completion)


def net_cost_of_care(
    completed_claims: Amount, capitation: Amount, stop_loss_charge: Amount
) -> Amount:
    """Expenditure that is held against the benchmark.

    Base primary care capitation and total care capitation count as paid, before sequestration, and
    are not reconciled to actual services (CMS finance FAQ, October 2020, Q22 and Q44).
    """
    return _plus(_plus(completed_claims, capitation), stop_loss_charge)


# --- savings ----------------------------------------------------------------------------------


def gross_savings(benchmark: Amount, net_cost: Amount) -> Amount:
    """Benchmark less cost: savings when positive, losses when negative."""
    return _minus(benchmark, net_cost)


def share_in_corridors(gross: Amount, base: Amount, corridors: Corridors) -> Amount:
    """The entity's share of savings or losses, band by band.

    Shares are marginal: each applies to the part of the gross amount that lies in its band, and
    losses mirror savings.

    Parameters
    ----------
    gross : Amount
        Savings (positive) or losses (negative), in US dollars.
    base : Amount
        What the edges are fractions of, in US dollars, zero or more: the benchmark on which the
        gross amount was measured.
    corridors : Corridors
        ``(upper edge, share)`` in rising order; the last edge is infinite, or else nothing is
        shared beyond it.

    Examples
    --------
    >>> professional = [(0.05, 0.5), (0.10, 0.35), (0.15, 0.15), (float("inf"), 0.05)]
    >>> round(float(share_in_corridors(7.5, 100.0, professional)), 3)
    3.375
    """
    shared: Amount = 0.0
    below: Amount = 0.0
    for edge, share in corridors:
        within = gross if math.isinf(edge) else _limit(gross, edge * base)
        # Differences of limited amounts vanish exactly outside the band, so that a first band at
        # 100% returns the gross amount to the last bit.
        shared = _plus(shared, _times(_minus(within, below), share))
        below = within
    return shared


def share_savings_and_losses(
    gross: Amount, base: Amount, corridors: Corridors, loss_corridors: Corridors
) -> Amount:
    """The entity's share where losses have corridors of their own.

    Parameters
    ----------
    gross, base : Amount
        As for :func:`share_in_corridors`.
    corridors, loss_corridors : Corridors
        The bands of savings and those of losses.
    """
    savings = share_in_corridors(np.maximum(gross, 0.0), base, corridors)
    losses = share_in_corridors(np.minimum(gross, 0.0), base, loss_corridors)
    return savings + losses


def cap_savings(gross: Amount, benchmark: Amount, cap: float) -> Amount:
    """Savings and losses as far as they count: no further than a share of the benchmark."""
    return _limit(gross, cap * benchmark)


def share(gross: Amount, rate: float) -> Amount:
    """The entity's share at one rate, both ways and from the first dollar."""
    return _times(gross, rate)


def sequester(amount: Amount, rate: float) -> Amount:
    """Amount after sequestration, which cuts what is paid and never what is owed."""
    # Scaling moves a gain down and a debt up towards zero, so the smaller of the two is right.
    return np.minimum(amount, (1.0 - rate) * amount)


# --- settling up, outside the corridors -------------------------------------------------------


def recoup(balance: Amount, lent: Amount) -> Amount:
    """Balance after money paid ahead during the year is taken back in full."""
    return _minus(balance, lent)


def true_up(balance: Amount, paid: Amount, earned: Amount) -> Amount:
    """Balance after prepayments are reconciled in full to what they should have been.

    For advanced payments ``earned`` is the amount by which claims were in fact reduced; both sides
    are taken before sequestration (CMS finance FAQ, October 2020, Q44).
    """
    return _minus(_plus(balance, earned), paid)


def pay_bonus(balance: Amount, bonus: Amount) -> Amount:
    """Balance after a bonus that is outside the corridors."""
    return _plus(balance, bonus)


def net_provisional_settlement(balance: Amount, provisional: Amount) -> Amount:
    """Balance after what an earlier settlement paid (positive) or collected (negative)."""
    return _minus(balance, provisional)


# --- capitation -------------------------------------------------------------------------------


def entitled_enhanced_capitation(base_rate: Amount, total: float, minimum: float) -> Amount:
    """Highest enhanced primary care capitation, as a fraction of the same benchmark as the base.

    It tops the base up to the total, and an entity whose base is near the total or beyond it keeps
    a minimum (CMS finance FAQ, October 2020, Q24: 7% in total, at least 2%).
    """
    return np.maximum(total - base_rate, minimum)


# --- plain arithmetic -------------------------------------------------------------------------


def _is(amount: Amount, number: float) -> bool:
    return isinstance(amount, (int, float)) and amount == number


def _plus(amount: Amount, term: Amount) -> Amount:
    if _is(term, 0):
        return amount
    return term if _is(amount, 0) else amount + term


def _minus(amount: Amount, term: Amount) -> Amount:
    return amount if _is(term, 0) else amount - term


def _times(amount: Amount, factor: Amount) -> Amount:
    return amount if _is(factor, 1) else amount * factor


def _limit(amount: Amount, size: Amount) -> Amount:
    """Amount cut to a size on either side of zero."""
    return np.minimum(np.maximum(amount, -size), size)
