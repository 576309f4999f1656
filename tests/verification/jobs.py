"""Commands that take some seconds and leave something on disk, and what they have left of it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import h5py

from simdc.sweep.stored import content_hash

__all__ = [
    "DASK",
    "SCENARIOS",
    "Finished",
    "Job",
    "Process",
    "file_hash",
    "finished",
    "once",
    "over",
]

SCENARIOS = Path(__file__).parents[2] / "scenarios"
DASK = ("--executor", "dask", "--workers", "2")
_PATIENCE = 600  # seconds; nothing here takes a tenth of that

Process: TypeAlias = "subprocess.Popen[str]"
Finished: TypeAlias = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Job:
    """A command line that makes something, and what tells whether it is what it should be.

    Attributes
    ----------
    args : sequence of str
        Without the target.
    hash_of : callable
        Of what was made, by its path.
    again : sequence of str
        What is added to go on with what is there.
    made : str
        Name of what it makes.
    """

    args: Sequence[str]
    hash_of: Callable[[Path], str] = content_hash
    again: Sequence[str] = ("--resume",)
    made: str = "made.zarr"

    def started(
        self, target: Path, *more: str, before: Callable[[], None] | None = None
    ) -> Process:
        """The command, running."""
        return subprocess.Popen(
            [sys.executable, "-m", "simdc", *self.args, "-o", str(target), "--quiet", *more],
            cwd=target.parent,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,
        )

    def gone_on_with(self, target: Path) -> tuple[int, str]:
        """Do what a user does next: go on with what is there, or start anew where nothing is."""
        return over(self.started(target, *(self.again if target.exists() else ())))


def over(process: Process) -> tuple[int, str]:
    """How a process ended, and what it said."""
    _, told = process.communicate(timeout=_PATIENCE)
    return process.returncode, told


def once(process: Process, wanted: Callable[[], bool]) -> bool:
    """Wait until something is so; False if the process ends before."""
    while not wanted():
        if process.poll() is not None:
            return False
        time.sleep(0.01)
    return True


def finished(store: Path) -> Finished:
    """Units of a store that are on record, each with what tells when its records were written.

    It looks at names and times alone, so that nothing in the store need be sound.
    """
    groups = sorted(path for path in (store / "progress").iterdir() if path.is_dir())
    written = [{file.name: file.stat().st_mtime_ns for file in g.glob("c.*")} for g in groups]
    whole = set.intersection(*map(set, written))
    return {name: tuple(group[name] for group in written) for name in whole}


def file_hash(path: Path) -> str:
    """One hash of all numbers and texts in a result file."""
    whole = hashlib.sha256()

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            values = item[...]
            whole.update(name.encode())
            whole.update(
                repr(values.tolist()).encode() if values.dtype == object else values.tobytes()
            )

    with h5py.File(path) as file:
        file.visititems(add)
    return whole.hexdigest()
