"""The financial guarantee: is the required amount enough, and how much would be?

What the guarantee secures is the total owed, ``max(0, -cash due)``: the shared loss and everything
else that is to be paid back at settlement (CMS finance FAQ, October 2020, Q50). The shared loss
alone, ``max(0, -shared savings after sequestration)``, is judged beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ParamSpec

import numpy as np
from numpy.typing import NDArray

from simdc.estimate import (
    UNSUPPORTED,
    Estimate,
    UnsupportedEstimate,
    draws_needed,
    expected_excess,
    mean,
    mean_excess,
    probability,
    quantile,
    tail_mean,
)
from simdc.settlement.provisional import exposure

__all__ = ["LEVELS", "STEPS", "GuaranteeFigures", "attempt", "cover_by_step", "size_guarantee"]

P = ParamSpec("P")

LEVELS = (0.90, 0.95, 0.99, 0.995)
"""Levels at which covering amounts are given unless others are asked for."""

STEPS = ("without", "at_provisional", "until_final")
"""What is owed at the final settlement without a provisional one, at the provisional one, and at
the final one after it."""


@dataclass(frozen=True)
class GuaranteeFigures:
    """How one track's guarantee stands.

    Amounts are positive US dollars. An estimate that the draws cannot support, or that asks for a
    required amount where there is none, is `UNSUPPORTED` (all NaN).

    Attributes
    ----------
    required : float or None
        What the rules require.
    probability_of_loss : Estimate
        That there is a shared loss.
    probability_owing : Estimate
        That anything is owed at settlement.
    mean_owed : Estimate
        Over all draws, those that owe nothing included.
    shared_loss_exceeds, total_owed_exceeds : Estimate
        Probability that the shared loss, and the total owed, exceeds the required amount.
    expected_shortfall : Estimate
        Average, over all draws, of the total owed beyond the required amount.
    shortfall_when_exceeded : Estimate
        The same over the draws that exceed it.
    covering : mapping of float to Estimate
        Level to the amount that covers the total owed with that probability.
    mean_beyond : mapping of float to Estimate
        Level to the average total owed in the draws beyond it (tail value at risk).
    draws_needed : mapping of float to int
        Level to the fewest draws that support the covering amount.
    """

    required: float | None
    probability_of_loss: Estimate
    probability_owing: Estimate
    mean_owed: Estimate
    shared_loss_exceeds: Estimate
    total_owed_exceeds: Estimate
    expected_shortfall: Estimate
    shortfall_when_exceeded: Estimate
    covering: Mapping[float, Estimate]
    mean_beyond: Mapping[float, Estimate]
    draws_needed: Mapping[float, int]


def attempt(estimator: Callable[P, Estimate], /, *args: P.args, **options: P.kwargs) -> Estimate:
    """What an estimator gives, or `UNSUPPORTED` where the draws cannot support it."""
    try:
        return estimator(*args, **options)
    except UnsupportedEstimate:
        return UNSUPPORTED


def size_guarantee(
    cash_due: NDArray[np.float64],
    shared_after_sequestration: NDArray[np.float64],
    required: float | None,
    levels: Sequence[float] = LEVELS,
) -> GuaranteeFigures:
    """Judge the required guarantee and find the amounts that would cover the total owed.

    Parameters
    ----------
    cash_due, shared_after_sequestration : array of shape (draw,)
        US dollars, positive paid to the entity.
    required : float or None
        US dollars, fixed before the year.
    levels : sequence of float, optional
        Strictly between 0 and 1.

    Raises
    ------
    InputError
        For a level that is not a fraction.
    """
    needed = {level: draws_needed(level) for level in levels}
    owed = np.maximum(-cash_due, 0.0)
    owed.sort()  # once, for every quantile
    draws = owed.size

    def exceeding(amounts: NDArray[np.float64], threshold: float) -> Estimate:
        return attempt(probability, int(np.count_nonzero(amounts > threshold)), draws)

    def where_required(
        estimator: Callable[[NDArray[np.float64], float], Estimate], amounts: NDArray[np.float64]
    ) -> Estimate:
        return UNSUPPORTED if required is None else attempt(estimator, amounts, required)

    # An amount required is never negative, so no gain can count as a loss that exceeds it.
    loss = -shared_after_sequestration
    return GuaranteeFigures(
        required=required,
        probability_of_loss=exceeding(loss, 0.0),
        probability_owing=exceeding(owed, 0.0),
        mean_owed=attempt(mean, owed),
        shared_loss_exceeds=where_required(exceeding, loss),
        total_owed_exceeds=where_required(exceeding, owed),
        expected_shortfall=where_required(expected_excess, owed),
        shortfall_when_exceeded=where_required(mean_excess, owed),
        covering={p: attempt(quantile, owed, p, is_sorted=True) for p in levels},
        mean_beyond={p: attempt(tail_mean, owed, p, is_sorted=True) for p in levels},
        draws_needed=needed,
    )


def cover_by_step(
    cash_due: NDArray[np.float64],
    provisional: NDArray[np.float64],
    levels: Sequence[float] = LEVELS,
) -> dict[str, dict[float, Estimate]]:
    """What provisional settlement does to the amount that has to be guaranteed.

    Parameters
    ----------
    cash_due : array of shape (draw,)
        US dollars due at the final settlement, net of the provisional one; positive paid to the
        entity.
    provisional : array of shape (draw,)
        US dollars paid (positive) or collected (negative) at the provisional settlement.
    levels : sequence of float, optional
        Strictly between 0 and 1.

    Returns
    -------
    dict of str to dict of float to Estimate
        For each of `STEPS`, level to the amount that covers what is owed with that probability.
    """
    owed = exposure(cash_due + provisional, provisional)
    by_step = zip(STEPS, (owed.without, owed.at_provisional, owed.in_between), strict=True)
    return {step: {p: attempt(quantile, amounts, p) for p in levels} for step, amounts in by_step}
