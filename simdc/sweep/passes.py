"""One pass of the kernel that many points are settled on, asked for more designs as they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simdc.engine import SegmentPlan, draw_costs
from simdc.executors import Executor
from simdc.population import Population
from simdc.scenario.models import StopLoss
from simdc.severity_table import QuantileTable
from simdc.sums import CostDraws, payout_key

__all__ = ["DESIGNS_AT_ONCE", "PAYOUT_BYTES", "CostPass"]

Array: TypeAlias = NDArray[np.float64]

PAYOUT_BYTES = 128 * 2**20
"""What the payouts that are held may take."""

DESIGNS_AT_ONCE = 16
"""Designs that one pass of the kernel takes; each of more would take it longer."""


class CostPass:
    """Cost draws of one population under one law of the drivers.

    Cost is drawn once. A design that was not asked for before takes the same draws again, with as
    many others as are asked for with it; what they share comes out the same to the bit.

    Parameters
    ----------
    population : Population
    tables : sequence of QuantileTable
        Of the segments' severities.
    factor : mapping of category to array of shape (draw,)
        Systemic cost factor.
    seed, draws : int
    executor : Executor
    progress : callable
        Told the number of draws done.
    """

    def __init__(
        self,
        population: Population,
        tables: Sequence[QuantileTable],
        factor: Mapping[str, Array],
        *,
        seed: int,
        draws: int,
        executor: Executor,
        progress: Callable[[int], None],
    ) -> None:
        self._segments = tuple(zip(population.segments, tables, strict=True))
        self._factor = factor
        self._seed, self._draws = seed, draws
        self._executor = executor
        self._progress = progress
        self._cost: Array | None = None
        self._payouts: dict[tuple[object, ...], Array] = {}
        self.room = max(1, PAYOUT_BYTES // (8 * draws))
        """Designs that can be held at the same time, beyond those of one point."""

    def hold(self, designs: Sequence[StopLoss]) -> None:
        """Have the payouts of these designs, and of earlier ones as far as there is room."""
        wanted = {payout_key(design): design for design in designs}
        missing = [design for key, design in wanted.items() if key not in self._payouts]
        others = [key for key in self._payouts if key not in wanted]
        for key in others[: max(0, len(self._payouts) + len(missing) - self.room)]:
            del self._payouts[key]
        for start in range(0, len(missing), DESIGNS_AT_ONCE):
            self._draw(tuple(missing[start : start + DESIGNS_AT_ONCE]))
        if self._cost is None:
            self._draw(())

    def _draw(self, designs: tuple[StopLoss, ...]) -> None:
        drawn = draw_costs(
            tuple(SegmentPlan.of(segment, designs, table) for segment, table in self._segments),
            designs,
            self._factor,
            seed=self._seed,
            first_draw=0,
            draws=self._draws,
            executor=self._executor,
            progress=self._progress,
        )
        self._cost = drawn.cost
        for design, row in zip(designs, drawn.payout, strict=True):
            self._payouts[payout_key(design)] = row.copy()  # a row would keep all others

    def sums(self, designs: tuple[StopLoss, ...]) -> CostDraws:
        """Cost, and the payouts of some of the designs that are held."""
        assert self._cost is not None
        paid = [self._payouts[payout_key(design)] for design in designs]
        return CostDraws(self._cost, np.array(paid).reshape(len(designs), self._draws), designs)
