"""Jobs that meet accidents and are gone on with, and what came of it."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from accidents import Ending, mounted
from jobs import Finished, Job, finished, over
from ledger import Row

from simdc.sweep.read import read_sweep

__all__ = ["Bench"]

_FEW = 3


class Bench:
    """A folder in which jobs meet accidents.

    Parameters
    ----------
    folder : Path
    seed, times : int
    only : str
        Word in the names of the accidents to be tried.

    Attributes
    ----------
    rows : list of Row
    """

    def __init__(self, folder: Path, seed: int, times: int, only: str) -> None:
        self.folder, self._seed, self._only = folder, seed, only
        self.times, self.few = times, min(times, _FEW)
        self.rows: list[Row] = []

    def uninterrupted(self, job: Job, name: str, *more: str) -> tuple[Path, float]:
        """Run a job without interruption: what it made, and how long that took."""
        target = self.folder / name / job.made
        target.parent.mkdir()
        started = time.monotonic()
        status, told = over(job.started(target, *more))
        assert status == 0, told
        return target, time.monotonic() - started

    def wants(self, *names: str) -> bool:
        """Whether any of these accidents is to be tried."""
        return any(self._only in name for name in names)

    def tries(
        self,
        name: str,
        job: Job,
        made: Path,
        happens: Callable[[Path, random.Random], Ending | None],
        *,
        endings: set[int],
        times: int,
        damaged: Finished | None = None,
    ) -> None:
        """Let an accident happen some times, each in a new folder, and go on after each.

        Parameters
        ----------
        name : str
        job : Job
        made : Path
            What it makes without interruption.
        happens : callable
            Given the target and random numbers; returns how the command ended, or None where it
            had ended before anything could happen to it.
        endings : set of int
            Exit statuses that may be.
        times : int
        damaged : mapping, optional
            Units that are finished and of which some are then damaged.
        """
        if not self.wants(name):
            return
        row = Row(name, endings)
        self.rows.append(row)
        random_ = random.Random(f"{self._seed} {name}")
        for _ in range(times):
            place = Path(tempfile.mkdtemp(dir=self.folder))
            with mounted(place / "disk"):
                target = place / "disk" / job.made
                ending = happens(target, random_)
                while ending is None:
                    shutil.rmtree(target) if target.is_dir() else target.unlink()
                    ending = happens(target, random_)
                row.happened(*ending)
                _go_on(row, job, target, job.hash_of(made), damaged)
            shutil.rmtree(place)
        print(" | ".join(row.cells()), *row.faults, sep="\n    ", flush=True)


def _go_on(row: Row, job: Job, target: Path, wanted: str, damaged: Finished | None) -> None:
    """Go on as a user would, and see what had to be done again."""
    is_store = target.is_dir()
    before = damaged if damaged is not None else finished(target) if is_store else {}
    if is_store and damaged is None:
        read_sweep(target)  # as anybody may at any time
    status, told = job.gone_on_with(target)
    if status:
        row.faults.append(f"going on ended with {status}: {told[-500:]}")
        return
    row.same += job.hash_of(target) == wanted
    if left := [each.name for each in target.parent.iterdir() if each != target]:
        row.faults.append(f"left {', '.join(left)} behind")
    if is_store:
        after = finished(target)
        of_unit = read_sweep(target).attrs["points"] // len(after)
        again = sum(after[unit] != records for unit, records in before.items())
        row.repeated(len(before) * of_unit, again * of_unit, on_purpose=damaged is not None)
