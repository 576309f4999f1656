"""What a program counts as cost: part of Part A and B spending, each beneficiary's truncated.

Truncation needs no pass of its own: what it takes off a beneficiary's cost is the excess above an
attachment point, which the kernel sums like that of any stop-loss design.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simdc.contracts.contract import Contract, Notes
from simdc.scenario.models import CostDefinition, StopLoss, StopLossBand, Track
from simdc.sums import CostDraws

__all__ = ["OwnCostContract", "note_cost_definition"]

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnCostContract(Contract):
    """A track whose program counts cost in its own way."""

    @cached_property
    def truncation(self) -> StopLoss | None:
        """What truncation takes off each beneficiary's cost; None where there is none."""
        return _truncation(self.track.cost)

    @property
    def designs(self) -> tuple[StopLoss, ...]:
        """Truncation, where there is any."""
        return () if self.truncation is None else (self.truncation,)

    def counted_cost(self, sums: CostDraws) -> Array:
        """Cost as the program counts it, US dollars, shape (draw,)."""
        left = sums.total_cost - sums.payout_of(self.truncation)
        return left * (1.0 - self.track.cost.excluded_share)


def _truncation(cost: CostDefinition) -> StopLoss | None:
    """Bands that take off what lies above the truncation points.

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
