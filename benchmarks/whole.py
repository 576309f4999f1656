"""One whole command in a process of its own: seconds by phase, peak memory, and the forecast.

Run as ``python -m benchmarks.whole PEOPLE DRAWS TRACKS SEGMENTS THREADS``; prints JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import interpreter

__all__ = ["Whole", "command"]

_CHILD = """
import contextlib, json, os, resource, sys, time
started = time.perf_counter()
from simdc.cli.main import main
path, draws, threads, output = sys.argv[1:]
sys.argv = ["simdc", "run", path, "--draws", draws, "--threads", threads, "-o", output, "--quiet"]
with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
    with contextlib.suppress(SystemExit):
        main()
unit = 1 if sys.platform == "darwin" else 1024
peak = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seconds = time.perf_counter() - started
from simdc.result import read_result
with read_result(output) as tree:
    durations = json.loads(tree.attrs["durations"])
print(json.dumps({"seconds": seconds, "peak_bytes": peak, "durations": durations}))
"""


@dataclass(frozen=True)
class Whole:
    """What a command took and what was foretold.

    Attributes
    ----------
    people, draws, tracks, segments, threads : int
    seconds : float
        Wall time, interpreter and imports included.
    kernel_seconds, settle_seconds : float
        Of it, those phases.
    peak_bytes, forecast_bytes : int
    """

    people: int
    draws: int
    tracks: int
    segments: int
    threads: int
    seconds: float
    kernel_seconds: float
    settle_seconds: float
    peak_bytes: int
    forecast_bytes: int


def command(people: int, draws: int, tracks: int = 6, segments: int = 4, threads: int = 1) -> Whole:
    """Run ``simdc run`` on the benchmark scenario."""
    from benchmarks.scenario import toml

    with tempfile.TemporaryDirectory() as folder:
        path, output = Path(folder) / "scenario.toml", Path(folder) / "result.nc"
        path.write_text(toml(people, segments, tracks), encoding="utf-8")
        told = json.loads(
            interpreter("-c", _CHILD, str(path), str(draws), str(threads), str(output))
        )
        foretold = json.loads(
            interpreter(
                "-m", "simdc", "run", str(path), "--draws", str(draws), "--dry-run", "--json"
            )
        )
    return Whole(
        people,
        draws,
        tracks,
        segments,
        threads,
        told["seconds"],
        told["durations"]["kernel"],
        told["durations"]["settle"],
        told["peak_bytes"],
        foretold["memory_bytes"],
    )


if __name__ == "__main__":
    print(json.dumps(vars(command(*(int(word) for word in sys.argv[1:]))), indent=2))
