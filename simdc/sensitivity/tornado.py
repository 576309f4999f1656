"""What moving one setting does to a track, estimated on the same draws before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simdc.estimate import Estimate, mean, normal_limits, probability, quantile
from simdc.guarantee import attempt
from simdc.sensitivity.design import Change, Setting
from simdc.shares import change_of_quantile

__all__ = ["OUTPUTS", "Swing", "changes", "figures", "widest_first"]

Array: TypeAlias = NDArray[np.float64]

OUTPUTS = ("mean_settlement", "probability_owing", "covering_amount")
"""Mean of cash due; probability that it is negative; amount that covers the total owed."""


def figures(cash_due: Array, level: float) -> dict[str, Estimate]:
    """Each of `OUTPUTS` at one point.

    Parameters
    ----------
    cash_due : array of shape (draw,)
        US dollars, positive paid to the entity.
    level : float
        Probability with which the amount is to cover the total owed.
    """
    owing = int(np.count_nonzero(cash_due < 0.0))
    estimates = (
        attempt(mean, cash_due),
        attempt(probability, owing, cash_due.size),
        attempt(quantile, _owed(cash_due), level),
    )
    return dict(zip(OUTPUTS, estimates, strict=True))


def changes(before: Array, after: Array, level: float) -> dict[str, Estimate]:
    """The change of each of `OUTPUTS` from one point to another.

    Draws are the same at both, so that limits are of the differences draw by draw.

    Parameters
    ----------
    before, after : array of shape (draw,)
        Cash due.
    level : float
    """
    if np.array_equal(before, after):
        return dict.fromkeys(OUTPUTS, Estimate(0.0, 0.0, 0.0, 0.0))
    estimates = (
        attempt(mean, after - before),
        attempt(_change_of_probability, before < 0.0, after < 0.0),
        attempt(change_of_quantile, _owed(before), _owed(after), level),
    )
    return dict(zip(OUTPUTS, estimates, strict=True))


def _owed(cash_due: Array) -> Array:
    return np.maximum(-cash_due, 0.0)


def _change_of_probability(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> Estimate:
    """Change of the probability of what happens in some draws before and in some after."""
    if np.array_equal(before, after):
        # None of so many draws has changed sides; a few of more might.
        rare = probability(0, before.size)
        return normal_limits(0.0, 0.0)._replace(low=-rare.high, high=rare.high)
    return mean(after.astype(np.float64) - before)


@dataclass(frozen=True)
class Swing:
    """How far one setting moves a figure.

    Attributes
    ----------
    setting : Setting
    changes : tuple of (Change, Estimate)
        Each value that it was moved to, and by how much the figure changes from the base.
    """

    setting: Setting
    changes: tuple[tuple[Change, Estimate], ...]

    @property
    def width(self) -> float:
        """From the lowest value of the figure to its highest, the base included."""
        moved = [0.0, *(change.value for _, change in self.changes)]
        return float(np.ptp(moved))


def widest_first(effects: Sequence[tuple[Change, Estimate]]) -> tuple[Swing, ...]:
    """Settings by how far they move a figure; those that move it as far, as they were given."""
    of_setting: dict[str, list[tuple[Change, Estimate]]] = {}
    for change, effect in effects:
        of_setting.setdefault(change.setting.label, []).append((change, effect))
    swings = [Swing(found[0][0].setting, tuple(found)) for found in of_setting.values()]
    return tuple(sorted(swings, key=lambda swing: -swing.width))
