"""Whether there is room, in memory and on disk, for what a run will take."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from simdc.errors import InputError

if TYPE_CHECKING:
    from simdc.runner import Forecast

__all__ = ["draws_that_fit", "in_words", "refuse_what_does_not_fit"]


class Needs(Protocol):
    """What a run or a sweep will take."""

    @property
    def draws(self) -> int:
        """Of each performance year."""

    @property
    def seconds(self) -> float:
        """Wall time."""

    @property
    def memory_bytes(self) -> int:
        """Peak memory of the process."""

    @property
    def disk_bytes(self) -> int:
        """Size of what is written."""


def refuse_what_does_not_fit(
    expected: Needs, target: Path | None, *, asked: str = "", instead: str = "fewer with --draws"
) -> None:
    """Refuse beforehand what would end in a crash after hours.

    Parameters
    ----------
    expected : Forecast or SweepForecast
        What it will take.
    target : Path, optional
        Where the result goes, if anywhere; its folder need not be there yet.
    asked, instead : str, optional
        What was asked for, if not so many draws, and what to ask for instead.

    Raises
    ------
    InputError
        When the machine has less memory, or the disk less space, than is needed.
    """
    there = _there(target)
    for what, needed in _needed(expected).items():
        if what in there and needed > there[what]:
            raise InputError(
                f"{asked or f'{expected.draws:,} draws'} need about {_size(needed)} of {what}, and "
                f"there are {_size(there[what])}; ask for {instead}"
            )


def in_words(expected: Needs) -> str:
    """Time, memory and disk in words, as a dry run says them."""
    return (
        f"about {expected.seconds:,.0f} s, {expected.memory_bytes / 2**20:,.0f} MiB of memory, "
        f"{expected.disk_bytes / 2**20:,.1f} MiB of disk."
    )


def _size(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB" if size >= 2**30 else f"{size / 2**20:,.1f} MiB"


def draws_that_fit(foretold: Callable[[int], Forecast], most: int, target: Path | None) -> int:
    """As many draws as there is room for, from one to so many.

    What a run needs grows in proportion to its draws, from what it needs without any.

    Parameters
    ----------
    foretold : callable
        What a run of so many draws will take.
    most : int
    target : Path, optional
        As in `refuse_what_does_not_fit`.
    """
    none, all_of_them = _needed(foretold(0)), _needed(foretold(most))
    shares = [
        (room - none[what]) / (all_of_them[what] - none[what])
        for what, room in _there(target).items()
    ]
    return max(1, int(most * min([1.0, *shares])))


def _needed(expected: Needs) -> dict[str, int]:
    return {"memory": expected.memory_bytes, "disk space": expected.disk_bytes}


def _there(target: Path | None) -> dict[str, int]:
    """Bytes of this machine, as far as the system tells."""
    found = {"memory": _physical_memory()}
    if target is not None:
        folder = next(folder for folder in target.absolute().parents if folder.exists())
        found["disk space"] = shutil.disk_usage(folder).free
    return {what: room for what, room in found.items() if room is not None}


def _physical_memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
