"""The arithmetic that is peculiar to the Shared Savings Program, one pure function per step.

Amounts, rates and signs are as in :mod:`simdc.settlement.steps`, and so is the restriction to
elementwise functions. Conditions are true or false, or one such per draw; a NaN amount stays NaN
whatever the condition says.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simdc.programs.units import SizeTable
from simdc.settlement.steps import Amount

__all__ = [
    "Condition",
    "earns_reduced_rate",
    "final_sharing_rate",
    "first_dollar",
    "forgive_losses",
    "forgive_share_of_losses",
    "limit_losses",
    "limit_payment",
    "loss_rate",
    "lower_of_shares",
    "minimum_rate",
    "minimum_rate_by_size",
    "reaches_minimum",
    "recoup_from_savings",
    "reduced_rate_multiplier",
    "share_at_rates",
    "withhold_guardrail_gain",
]

Condition: TypeAlias = bool | NDArray[np.bool_]
"""True or false, or one such per draw."""


# --- minimum savings and loss rates -----------------------------------------------------------


def minimum_rate_by_size(beneficiaries: Amount, table: SizeTable) -> Amount:
    """Minimum savings rate of so many assigned beneficiaries, not rounded.

    Parameters
    ----------
    beneficiaries : Amount
        Head count, not person-years.
    table : sequence of (first, last, rate at first, rate at last)
        Bands of the regulation (42 CFR 425.604(b)). The rate runs straight between a band's own
        first and last whole number and is flat from there to the next band; below the first band
        its first rate holds.

    Examples
    --------
    >>> table = ((5_000, 5_999, 0.039, 0.036), (6_000, math.inf, 0.036, 0.036))
    >>> round(float(minimum_rate_by_size(5_500, table)), 6)
    0.037498
    """
    size = np.maximum(beneficiaries, table[0][0])
    edges = [*(first for first, *_ in table), math.inf]
    rate: Amount = 0.0
    for (first, last, low, high), (start, end) in zip(table, pairwise(edges), strict=True):
        inside = np.logical_and(start <= size, size < end)
        along = (np.minimum(size, last) - first) / (last - first)
        rate = rate + inside * (low + (high - low) * along)
    return rate


def minimum_rate(beneficiaries: Amount, elected: Amount | None, table: SizeTable) -> Amount:
    """Minimum savings or loss rate: the elected one, or by size where that is None or NaN."""
    by_size = minimum_rate_by_size(beneficiaries, table)
    if elected is None:
        return by_size
    # fmax passes over NaN, so that each place takes one of the two unchanged.
    return np.fmax(elected, 0.0) + by_size * np.isnan(elected)


def reaches_minimum(
    gross: Amount, benchmark: Amount, minimum: Amount, *, two_sided: bool
) -> Condition:
    """Whether savings, or losses where they are shared, are at least the minimum rate.

    The quotient is compared, not the product: it is exact where a rate sits on its threshold.
    """
    rate = gross / benchmark
    saved: Condition = rate >= minimum
    return np.logical_or(saved, -rate >= minimum) if two_sided else saved


def earns_reduced_rate(
    gross: Amount, reached: Condition, entitled: Condition, beneficiaries: Amount, fewest: float
) -> Condition:
    """Whether savings below the minimum rate are shared at the reduced rate.

    That is for entitled entities of a size (42 CFR 425.605(h)).
    """
    short = np.logical_and(gross > 0.0, np.logical_not(reached))
    return np.logical_and(short, np.logical_and(entitled, beneficiaries >= fewest))


def reduced_rate_multiplier(reduced: Condition, multiplier: float) -> Amount:
    """What multiplies the sharing rate: the multiplier where the reduced rate is earned, else 1."""
    return np.multiply(multiplier, reduced) + np.logical_not(reduced)


def first_dollar(gross: Amount, shared: Condition, minimum: Amount) -> Amount:
    """The whole of the savings or losses where they are shared, else nothing.

    Where the minimum rate is NaN, nobody knows whether they are, and so is the amount.
    """
    # The zero also turns the negative one of a loss that is not shared into a plain one.
    return np.multiply(gross, shared) + 0.0 * minimum


def withhold_guardrail_gain(generated: Amount, guardrail: Condition) -> Amount:
    """Savings or losses without a gain that only the guardrail of the update made."""
    return np.minimum(generated, generated * np.logical_not(guardrail))


# --- rates of sharing -------------------------------------------------------------------------


def final_sharing_rate(
    maximum: float,
    method: str,
    score: Amount,
    standard_met: Condition,
    alternative_met: Condition,
) -> Amount:
    """Share of savings paid, by quality.

    Parameters
    ----------
    maximum : float
        Maximum sharing rate.
    method : {'multiplied', 'cliff', 'alternative'}
        To 2020 the score multiplied the rate of whoever met the standard; in 2021-2022 the
        standard alone decided; since then an alternative standard keeps the rate times the score.
    score : Amount
        Quality score, 0 to 1.
    standard_met, alternative_met : Condition
        Whether the quality performance standard, and the alternative one, were met.
    """
    earned = np.multiply(maximum, standard_met)
    if method == "multiplied":
        return earned * score
    if method == "alternative":
        return np.maximum(earned, np.multiply(maximum * score, alternative_met))
    return earned


def loss_rate(
    maximum_sharing_rate: float,
    method: str,
    score: Amount,
    standard_met: Condition,
    alternative_met: Condition,
    *,
    floor: float,
    ceiling: float,
) -> Amount:
    """Share of losses owed: 1 less the maximum sharing rate times the score, within limits.

    Under every method the score counts, and one that missed its standards counts as 0 (42 CFR
    425.610(f)). A fixed rate has equal limits.
    """
    passed = standard_met
    if method == "alternative":
        passed = np.logical_or(standard_met, alternative_met)
    rate = 1.0 - maximum_sharing_rate * np.multiply(score, passed)
    return np.minimum(np.maximum(rate, floor), ceiling)


def share_at_rates(amount: Amount, sharing_rate: Amount, loss_rate: Amount) -> Amount:
    """Savings at the sharing rate, losses at the loss rate."""
    return np.maximum(amount, 0.0) * sharing_rate + np.minimum(amount, 0.0) * loss_rate


# --- limits -----------------------------------------------------------------------------------


def lower_of_shares(
    benchmark: Amount, benchmark_rate: float, revenue: Amount | None, revenue_rate: float | None
) -> Amount:
    """So much of the benchmark, or of participants' revenue where that is less, US dollars.

    Loss limits and repayment mechanisms are of this form. Without a ``revenue_rate``, as on
    tracks that have none, or without a known revenue, the share of benchmark is left.
    """
    by_benchmark = benchmark_rate * benchmark
    if revenue is None or revenue_rate is None:
        return by_benchmark
    return np.minimum(by_benchmark, revenue_rate * revenue)


def limit_losses(shared: Amount, limit: Amount) -> Amount:
    """Shared amount with losses no greater than the limit."""
    return np.maximum(shared, -limit)


def limit_payment(shared: Amount, benchmark: Amount, limit: float) -> Amount:
    """Shared amount with savings no greater than so much of the benchmark.

    The limit is not sequestered itself: ACOs that reached it in 2016, 2017 and 2018 were paid
    exactly 10% of their benchmark (CMS ACO-level public use files).
    """
    return np.minimum(shared, limit * benchmark)


def forgive_share_of_losses(shared: Amount, share: Amount) -> Amount:
    """Shared amount after a share of losses is forgiven."""
    # Adding zero turns the negative zero of a loss forgiven in full into a plain one.
    return np.maximum(shared, (1.0 - share) * shared) + 0.0


def forgive_losses(shared: Amount, relief: Amount) -> Amount:
    """Shared amount after so many US dollars of losses are forgiven, down to nothing owed."""
    return np.maximum(shared, np.minimum(shared + relief, 0.0))


# --- settling up ------------------------------------------------------------------------------


def recoup_from_savings(balance: Amount, advance: Amount) -> Amount:
    """Balance after advance payments are taken back out of what is paid, never beyond it."""
    return balance - np.minimum(np.maximum(balance, 0.0), advance)
