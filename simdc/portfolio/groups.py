"""What entities owe together: the sum of their settlements, and what one guarantee for all saves.

Three amounts are compared at each level:

* *separately*, the sum of what covers each entity on its own;
* *together*, what covers the sum of all that the entities owe, nobody's savings being touched;
* *netted*, what covers what is left to owe when those who earn pay for those who owe.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simdc.estimate import UNSUPPORTED, Estimate, normal_limits, probability, quantile
from simdc.figures import statistics
from simdc.guarantee import attempt

__all__ = ["Pooled", "pool"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Pooled:
    """How a group stands; amounts are US dollars.

    Attributes
    ----------
    settlement : list of Estimate
        `simdc.figures.STATISTICS` of the sum of cash due, positive paid to the entities.
    probability_owing : Estimate
        That the group owes more than it is due.
    separately, together, netted : tuple of Estimate
        Amounts that cover what is owed, by level. The first is a sum of quantiles; its limits hold
        whatever the entities have to do with each other.
    saved_together, saved_netted : tuple of Estimate
        What the others are below the first.
    """

    settlement: list[Estimate]
    probability_owing: Estimate
    separately: tuple[Estimate, ...]
    together: tuple[Estimate, ...]
    netted: tuple[Estimate, ...]
    saved_together: tuple[Estimate, ...]
    saved_netted: tuple[Estimate, ...]


def pool(cash_due: Iterable[Array], levels: Sequence[float]) -> Pooled:
    """Add entities up, draw by draw.

    Parameters
    ----------
    cash_due : iterable of array of shape (draw,)
        Of each entity in turn, US dollars, positive paid to it; draws of the same address belong
        together.
    levels : sequence of float
        One or more, each strictly between 0 and 1.

    Raises
    ------
    ValueError
        Without any entity.
    """
    separate: list[_SumOfQuantiles] = []
    for row in cash_due:
        owed = np.maximum(-row, 0.0)
        if not separate:
            net, gross = np.zeros_like(row), np.zeros_like(row)
            separate = [_SumOfQuantiles(level, np.zeros_like(row)) for level in levels]
        net += row
        gross += owed
        ordered = np.sort(owed)
        for amount in separate:
            amount.add(owed, ordered)
    if not separate:
        raise ValueError("there is no entity to add up")
    left = np.maximum(-net, 0.0)
    owing = int(np.count_nonzero(left))
    together, netted = _quantiles(gross, levels), _quantiles(left, levels)
    return Pooled(
        settlement=statistics(net),
        probability_owing=attempt(probability, owing, net.size),
        separately=tuple(amount.estimate for amount in separate),
        together=together,
        netted=netted,
        saved_together=tuple(
            amount.beyond(gross, found) for amount, found in zip(separate, together, strict=True)
        ),
        saved_netted=tuple(
            amount.beyond(left, found) for amount, found in zip(separate, netted, strict=True)
        ),
    )


def _quantiles(amounts: Array, levels: Sequence[float]) -> tuple[Estimate, ...]:
    ordered = np.sort(amounts)
    return tuple(attempt(quantile, ordered, level, is_sorted=True) for level in levels)


class _SumOfQuantiles:
    """A sum of quantiles at one level, with what each draw has to do with its error.

    A quantile errs by its standard error times how much more or less often than expected draws
    lie beyond it (its influence function, scaled to the distribution-free limits). Draws beyond
    several quantiles move them together.
    """

    def __init__(self, level: float, influence: Array) -> None:
        self._level = level
        self._influence = influence
        self._value = 0.0

    def add(self, amounts: Array, ordered: Array) -> None:
        """Add the quantile of further amounts, given in the order of the draws and rising."""
        found = attempt(quantile, ordered, self._level, is_sorted=True)
        self._value += found.value
        self._influence += _influence(amounts, found)

    @property
    def estimate(self) -> Estimate:
        """The sum with its limits."""
        return _limits(self._value, self._influence)

    def beyond(self, amounts: Array, found: Estimate) -> Estimate:
        """By how much the sum exceeds a quantile of other amounts on the same draws."""
        return _limits(self._value - found.value, self._influence - _influence(amounts, found))


def _influence(amounts: Array, found: Estimate) -> Array:
    """Standardised number of draws beyond a quantile, times its standard error."""
    beyond = amounts > found.value
    share = float(beyond.mean())
    spread = math.sqrt(share * (1.0 - share))
    if spread == 0.0 or not found.standard_error > 0.0:
        return np.zeros_like(amounts)
    return np.subtract(beyond, share) * (found.standard_error / spread)


def _limits(value: float, influence: Array) -> Estimate:
    """Normal limits; none where a quantile was refused, which left no value."""
    return UNSUPPORTED if math.isnan(value) else normal_limits(value, float(influence.std()))
