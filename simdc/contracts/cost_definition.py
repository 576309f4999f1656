"""What a program counts as cost: part of Part A and B spending, each beneficiary's truncated.

Truncation needs no pass of its own: what it takes off a beneficiary's cost is the excess above an
attachment point, which the kernel sums like that of any stop-loss design.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simdc.contracts.contract import Notes
from simdc.scenario.models import CostDefinition, StopLoss, StopLossBand, Track

__all__ = ["counted_cost", "note_cost_definition", "truncation_design"]

Array = NDArray[np.float64]


def truncation_design(cost: CostDefinition) -> StopLoss | None:
    """Bands that take off what lies above the truncation points; None where there are none.

    The program truncates the cost it counts, c (1 - x) with x the share left out, at T; the
    simulated cost c is therefore cut off at T / (1 - x).
    """
    if not cost.truncation or cost.excluded_share == 1.0:
        return None
    bands = tuple(
        StopLossBand.model_validate(
            {"from": point / (1.0 - cost.excluded_share), "payout_rate": 1.0, "category": category}
        )
        for category, point in cost.truncation.items()
    )
    return StopLoss(bands=bands)


def counted_cost(cost: CostDefinition, total: Array, truncated: Array) -> Array:
    """Cost as the program counts it, in each draw.

    Parameters
    ----------
    cost : CostDefinition
    total : array of shape (draw,)
        Part A and B cost, US dollars.
    truncated : array of shape (draw,)
        What truncation takes off it, US dollars.
    """
    return (total - truncated) * (1.0 - cost.excluded_share)


def note_cost_definition(track: Track, told: Notes) -> None:
    """Say what of the program's own definition of cost the scenario does not give."""
    missing = []
    if not track.cost.truncation:
        missing.append("no beneficiary's cost is truncated")
    if not track.cost.excluded_share:
        missing.append("medical education and disproportionate-share payments are counted as cost")
    if missing:
        told.say(
            f"cost under {track.program}",
            f"{' and '.join(missing)}, because the scenario gives no figures for it",
        )
