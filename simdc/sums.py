"""What one pass of the kernel leaves: sums over people, per draw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simdc.scenario.models import StopLoss

__all__ = ["CostDraws", "payout_key"]

Array = NDArray[np.float64]


def payout_key(design: StopLoss) -> tuple[object, ...]:
    """What two designs must share to pay the same; how they are charged for does not matter."""
    return design.basis, design.bands, design.payout_neutrality_factor


@dataclass(frozen=True, eq=False)
class CostDraws:
    """Sums over people in a run of draws.

    Attributes
    ----------
    cost : array of shape (segment, draw)
        Part A and B cost, US dollars.
    payout : array of shape (design, draw)
        Cost that each design takes away, US dollars, in the order of `designs`.
    designs : tuple of StopLoss
        The distinct designs of all contracts.
    """

    cost: Array
    payout: Array
    designs: tuple[StopLoss, ...]

    @property
    def total_cost(self) -> Array:
        """Cost of all segments, added in their order so that the sum has one value."""
        total: Array = self.cost[0].copy()
        for row in self.cost[1:]:
            total += row
        return total

    def payout_of(self, design: StopLoss | None) -> Array:
        """What one design takes away in each draw; zero where there is none."""
        if design is None:
            return np.zeros(self.cost.shape[1])
        row = [payout_key(known) for known in self.designs].index(payout_key(design))
        paid: Array = self.payout[row]
        return paid

    def part(self, draws: slice) -> CostDraws:
        """The same for some of the draws."""
        return CostDraws(self.cost[:, draws], self.payout[:, draws], self.designs)
