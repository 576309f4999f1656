"""One command line, run and judged: how it ended, what it said, what it wrote, what it took."""

from __future__ import annotations

import contextlib
import faulthandler
import hashlib
import io
import json
import re
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from simdc.cli.main import main

__all__ = [
    "MOST_BYTES",
    "MOST_SECONDS",
    "Ending",
    "Trial",
    "in_a_process",
    "in_here",
    "limited",
]

MOST_SECONDS = 20
MOST_BYTES = 2 * 2**30
_GUARD_BYTES = 12 * 2**30  # of addresses: most of them are never used
_SMALL_SECONDS, _SMALL_BYTES = 8.0, 2**30  # what a dry run may foretell of a real one

_Run: TypeAlias = Callable[[Sequence[str], Path], tuple[int, str, str, int]]

_LONGEST = 4_000  # characters of a sentence

_BUG = re.compile(r"Traceback|This is a bug|\w+Warning:|Exception ignored")
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Trial:
    """A folder of files and what is run in it.

    Attributes
    ----------
    kind : str
    files : mapping of str to bytes
    dry : sequence of str
        The command line. If it ends well and promises that the other is small, so is that run.
    real : sequence of str
        Empty where there is none.
    """

    kind: str
    files: Mapping[str, bytes]
    dry: Sequence[str]
    real: Sequence[str] = ()


@dataclass(frozen=True)
class Ending:
    """How a command ended, and what is wrong with that."""

    args: Sequence[str]
    status: int
    told: str
    seconds: float
    bytes: int
    faults: tuple[str, ...]


class _TooLongError(BaseException):
    """Passes every handler of the command line."""


# --- running ------------------------------------------------------------------------------------


def in_here(trial: Trial, folder: Path) -> list[Ending]:
    """Run the commands of a trial in this process, in an empty folder."""
    return _all(trial, folder, _call)


def in_a_process(trial: Trial, folder: Path) -> list[Ending]:
    """Run the commands of a trial in processes of their own, in an empty folder."""
    return _all(trial, folder, _spawn)


def limited() -> None:
    """Keep a mistake of memory from the rest of the machine, where the system can."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (_GUARD_BYTES, resource.RLIM_INFINITY))


def _all(trial: Trial, folder: Path, run: _Run) -> list[Ending]:
    for name, content in trial.files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    endings = [_ended(trial.dry, folder, run)]
    if trial.real and endings[0].status == 0 and _is_small(endings[0].told):
        endings.append(_ended(trial.real, folder, run))
    return endings


def _is_small(forecast: str) -> bool:
    told = json.loads(forecast)
    return bool(told["seconds"] < _SMALL_SECONDS and told["memory_bytes"] < _SMALL_BYTES)


def _ended(args: Sequence[str], folder: Path, run: _Run) -> Ending:
    before, started = _content(folder), time.monotonic()
    status, out, err, peak = run(args, folder)
    seconds = time.monotonic() - started
    faults = list(_faults(status, out, err))
    if status == 2 and _content(folder) != before:
        faults.append("wrote something")
    if seconds > MOST_SECONDS:
        faults.append(f"took more than {MOST_SECONDS} s")
    if peak > MOST_BYTES:
        faults.append("took more than 2 GiB")
    return Ending(args, status, out if status == 0 else err, seconds, peak, tuple(faults))


def _faults(status: int, out: str, err: str) -> Iterator[str]:
    if status not in (0, 2):
        yield f"exit status {status}"
    if found := _BUG.search(out + err):
        yield f"said '{found[0]}'"
    if status == 2 and (out or not err.strip()):
        yield "refused in the wrong place" if out else "refused without a word"
    if steering := _STEERING.search(out + err):
        yield f"printed {steering[0]!r}"
    if any(len(line) > _LONGEST and line.startswith("simdc: ") for line in err.split("\n")):
        yield "said a sentence without end"


def _content(folder: Path) -> dict[str, str]:
    """What is in a folder, but for the locks of stores, which stay where they are made."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else ""
        for path in sorted(folder.rglob("*"))
        if path.name != "lock"
    }


# --- in this process ----------------------------------------------------------------------------


def _call(args: Sequence[str], folder: Path) -> tuple[int, str, str, int]:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    _forget_peak()
    status = 0
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
        _for_at_most(2 * MOST_SECONDS),
    ):
        warnings.simplefilter("default")
        try:
            main(list(args))
        except SystemExit as ended:
            status = int(ended.code or 0)
        except _TooLongError:
            status = 124
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the command line had switched it off
    return status, _text(out), _text(err), _peak()


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    raw = stream.buffer.raw if hasattr(stream.buffer, "raw") else stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()


@contextlib.contextmanager
def _for_at_most(seconds: int) -> Iterator[None]:
    def stop(signum: int, frame: object) -> None:
        raise _TooLongError

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    assert sys.__stderr__ is not None
    faulthandler.dump_traceback_later(2 * seconds, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.alarm(0)


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Most memory since the peak was forgotten; where that cannot be known, of the process."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return int(found[1]) * 1024
    return _largest(resource.RUSAGE_SELF)


def _largest(whose: int) -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(whose).ru_maxrss * unit


# --- in another ---------------------------------------------------------------------------------


def _spawn(args: Sequence[str], folder: Path) -> tuple[int, str, str, int]:
    with subprocess.Popen(
        [sys.executable, "-m", "simdc", *args],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=limited,
    ) as process:
        out, err = process.communicate(timeout=6 * MOST_SECONDS)
    peak = _largest(resource.RUSAGE_CHILDREN)
    return process.returncode, out.decode(), err.decode(), peak
