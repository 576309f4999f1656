"""A store worked through: what is left to do, unit by unit, with what is saved told after each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simdc import interrupts
from simdc.sweep.layout import Unit
from simdc.sweep.store import Finished, SweepStore

__all__ = ["StoreProgress", "Worked", "fill"]

Worked: TypeAlias = tuple[Unit, Mapping[str, NDArray[np.float64]]]
"""A unit with the values of its variables, by ``group/variable``."""


@dataclass(frozen=True)
class StoreProgress:
    """How much of a store is there.

    Attributes
    ----------
    points, done, damaged : int
        All points, those that are on disk, and those among the rest that had been on disk but were
        damaged.
    """

    points: int
    done: int
    damaged: int = 0


def fill(
    store: SweepStore,
    work: Callable[[Sequence[Unit]], Iterator[Worked]],
    *,
    is_new: bool,
    progress: Callable[[StoreProgress], None],
) -> None:
    """Work out every unit that is not on disk yet, and let go of the store.

    Parameters
    ----------
    store : SweepStore
    work : callable
        Given what is left, yields it in any order as it is finished.
    is_new : bool
        Whether the store has just been made, so that nothing needs to be read back.
    progress : callable
        Told how much is there, at first and after each unit.

    Raises
    ------
    SimdcError
        When the disk is full or fails; what is finished is safe.
    """
    with store:
        found = Finished((), ()) if is_new else store.finished()
        every = sum(unit.points.size for unit in store.units)
        done, damaged = (
            sum(store.units[index].points.size for index in indices)
            for indices in (found.whole, found.damaged)
        )
        progress(StoreProgress(every, done, damaged))
        whole = set(found.whole)
        for unit, values in work([unit for unit in store.units if unit.index not in whole]):
            with interrupts.held():  # so that what is told to be saved is
                store.write(unit, values)
                done += unit.points.size
                progress(StoreProgress(every, done, damaged))
