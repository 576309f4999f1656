"""What may happen to a command while it runs, or to what it left on disk."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from jobs import DASK, Job, finished, once, over

__all__ = [
    "DAMAGE", "MOUNTS", "Ending", "damage", "disk_full", "driver_lost", "file_limit", "mounted",
    "read_only", "second_writer", "signalled", "worker_lost",
]  # fmt: skip

Ending = tuple[int, str]


# --- of processes -------------------------------------------------------------------------------


def signalled(job: Job, target: Path, moment: float, by: signal.Signals) -> Ending | None:
    """A signal after so many seconds; None where all was over by then."""
    process = job.started(target)
    time.sleep(moment)
    process.send_signal(by)
    ending = over(process)
    return ending if ending[0] else None


def driver_lost(job: Job, target: Path, moment: float) -> Ending | None:
    """The driver of a cluster killed; its workers have to notice. None where all was over."""
    process = job.started(target, *DASK)
    time.sleep(moment)
    below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.kill()
    status, told = over(process)
    _, left = psutil.wait_procs(below, timeout=60)
    for each in left:
        each.kill()
    told += f"left {len(left)} processes behind" if left else ""
    return (status, told) if status else None


def worker_lost(job: Job, target: Path, moment: float, random_: random.Random) -> Ending | None:
    """A worker of a cluster killed so many seconds after the first was there; None if none was."""
    process = job.started(target, *DASK)
    killed = None
    if once(process, lambda: bool(_workers(process.pid))):
        time.sleep(moment)
        if there := _workers(process.pid):
            killed = random_.choice(there)
            killed.kill()
    ending = over(process)
    return ending if killed else None


def _workers(driver: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return [
            child
            for child in psutil.Process(driver).children(recursive=True)
            if "spawn_main" in " ".join(child.cmdline())
        ]
    return []


def second_writer(job: Job, target: Path) -> Ending:
    """Another command on the same store; how that one ends."""
    first = job.started(target)
    once(first, target.exists)
    second = over(job.started(target, "--resume"))
    assert first.poll() is None, "the first writer ended before the second came"
    status, told = over(first)
    assert status == 0, told
    return second


# --- of file systems ----------------------------------------------------------------------------


def file_limit(job: Job, target: Path, size: int, *, from_the_start: bool) -> Ending:
    """No file may be longer; from the start, or once some of a store is there."""
    if from_the_start:
        limit = functools.partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))
        return over(job.started(target, before=limit))
    process = job.started(target)
    if once(process, lambda: target.exists() and bool(finished(target))):
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
    return over(process)


def _mount(*arguments: str) -> bool:
    return subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def mounted(place: Path) -> Iterator[bool]:
    """A small file system in memory, where the system allows it."""
    place.mkdir()
    allowed = _mount("-t", "tmpfs", "-o", "size=512m", "tmpfs", str(place))
    try:
        yield allowed
    finally:
        if allowed:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def _mounts() -> bool:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, mounted(Path(folder) / "disk") as allowed:
        return allowed


MOUNTS = _mounts()
"""Whether this process may mount file systems."""


def disk_full(job: Job, target: Path, room: int) -> Ending:
    """A file system in memory on which others leave so many bytes, once the store is there."""
    process = job.started(target)
    ballast = target.parent / "ballast"
    if once(process, target.exists):
        free = os.statvfs(target.parent)
        ballast.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - room)))
    ended = over(process)
    ballast.unlink(missing_ok=True)
    return ended


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[None]:
    """A folder in which nothing can be written."""
    if MOUNTS:
        assert _mount("-o", "remount,ro", str(place))
    else:
        place.chmod(0o555)
    try:
        yield
    finally:
        if MOUNTS:
            assert _mount("-o", "remount,rw", str(place))
        else:
            place.chmod(0o755)


# --- of stores ----------------------------------------------------------------------------------


def damage(store: Path, what: str, how: str, random_: random.Random) -> None:
    """Damage one file of a finished store.

    Parameters
    ----------
    store : Path
    what : {'chunk', 'record', 'labels or metadata'}
    how : str
        One of `DAMAGE`.
    random_ : Random
    """
    chunks = sorted(store.rglob("c.*"))
    unit = [file for file in chunks if file.parent.parent.name in ("summary", "guarantee")]
    swept = [file for file in unit if file.name.count(".") > 2]
    records = sorted((store / "progress").rglob("c.*"))
    others = sorted(set(store.rglob("zarr.json")) | (set(chunks) - set(swept) - set(records)))
    files = {"chunk": swept, "record": records, "labels or metadata": others}[what]
    file = random_.choice(files)
    DAMAGE[how](file, random_, files)


def _cut(file: Path, random_: random.Random, files: list[Path]) -> None:
    os.truncate(file, random_.randrange(file.stat().st_size))


def _flipped(file: Path, random_: random.Random, files: list[Path]) -> None:
    raw = bytearray(file.read_bytes())
    raw[random_.randrange(len(raw))] ^= 1 << random_.randrange(8)
    file.write_bytes(raw)


def _deleted(file: Path, random_: random.Random, files: list[Path]) -> None:
    file.unlink()


def _swapped(file: Path, random_: random.Random, files: list[Path]) -> None:
    content = file.read_bytes()
    different = [other for other in files if other.read_bytes() != content]
    other = random_.choice(different)
    file.write_bytes(other.read_bytes())
    other.write_bytes(content)


DAMAGE: dict[str, Callable[[Path, random.Random, list[Path]], None]] = {
    "truncated": _cut,
    "with a bit flipped": _flipped,
    "deleted": _deleted,
    "swapped with another": _swapped,
}
