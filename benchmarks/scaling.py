"""Time and memory against each size of the problem, with fitted exponents.

Run as ``python -m benchmarks.scaling``. Each point is a command in a process of its own. Time is
that of the kernel and the settlement; memory is the peak beyond that of the smallest run. An
exponent of 1 is proportional growth, 0 none.
"""

from __future__ import annotations

import numpy as np

from benchmarks.whole import Whole, command

__all__ = ["CURVES", "curve", "exponent"]

BASE = {"people": 5_000, "draws": 40_000, "tracks": 6, "segments": 4, "threads": 1}
CURVES = {
    "people": (2_500, 5_000, 10_000, 20_000),
    "draws": (20_000, 40_000, 80_000, 160_000),
    "tracks": (1, 2, 4, 8),
    "segments": (1, 2, 4, 8),
    "threads": (1, 2, 4),
}


def curve(axis: str) -> list[Whole]:
    """Runs along one axis, the others at their base."""
    return [command(**BASE | {axis: size}) for size in CURVES[axis]]


def exponent(sizes: list[float], values: list[float]) -> float:
    """Slope of the logarithm of the values against that of the sizes, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def fitted(axis: str, runs: list[Whole], smallest: int) -> dict[str, float]:
    """Exponents of time and of memory beyond the smallest run's."""
    sizes = [getattr(run, axis) for run in runs]
    time = [run.kernel_seconds + run.settle_seconds for run in runs]
    memory = [max(run.peak_bytes - smallest, 2**20) for run in runs]
    return {"time": exponent(sizes, time), "memory": exponent(sizes, memory)}


def measure() -> dict[str, dict[str, object]]:
    """Every curve: its sizes, seconds, peak bytes and exponents."""
    smallest = command(100, 100).peak_bytes
    found: dict[str, dict[str, object]] = {}
    for axis in CURVES:
        runs = curve(axis)
        found[axis] = {
            "sizes": list(CURVES[axis]),
            "seconds": [run.kernel_seconds + run.settle_seconds for run in runs],
            "peak_bytes": [run.peak_bytes for run in runs],
            "exponents": fitted(axis, runs, smallest),
        }
    return found


if __name__ == "__main__":
    for name, line in measure().items():
        seconds = ", ".join(f"{s:.2f}" for s in line["seconds"])
        memory = ", ".join(f"{b / 2**20:.0f}" for b in line["peak_bytes"])
        powers = ", ".join(f"{k} {v:.2f}" for k, v in line["exponents"].items())
        print(f"{name} {line['sizes']}: {seconds} s; {memory} MiB; exponents {powers}")
