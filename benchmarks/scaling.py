"""Time and memory against each size of the problem, with fitted exponents.

Run as ``python -m benchmarks.scaling``. Each point is a command in a process of its own. Time is
that of the kernel and the settlement; memory is the peak beyond that of the smallest run. An
exponent of 1 is proportional growth, 0 none.

Threads share the kernel alone, so their curve is of its time, over a run of seconds: processors
times time with one thread over threads times time with them is the efficiency. It needs a quiet
machine; ``python -m benchmarks.scaling --threads`` waits for one and measures nothing else.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

from benchmarks.whole import Whole, command
from simdc.executors import available_threads

__all__ = ["BASE", "CURVES", "THREADED", "curve", "efficiencies", "exponent", "threads"]

BASE = {"people": 5_000, "draws": 40_000, "tracks": 6, "segments": 4, "threads": 1}
THREADED = {"people": 20_000, "draws": 400_000}
QUIET = 0.5  # most processors that others may keep busy
CURVES = {
    "people": (2_500, 5_000, 10_000, 20_000),
    "draws": (20_000, 40_000, 80_000, 160_000),
    "tracks": (1, 2, 4, 8),
    "segments": (1, 2, 4, 8),
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


def threads(rounds: int = 3) -> dict[str, list[float]]:
    """Kernel seconds by number of threads, up to every processor: the best of some rounds each."""
    most = available_threads()
    numbers = sorted({most, *(2**k for k in range(most.bit_length()) if 2**k < most)})
    best = dict.fromkeys(numbers, float("inf"))
    for _ in range(rounds):
        for number in numbers:
            took = command(**THREADED, threads=number).kernel_seconds
            best[number] = min(best[number], took)
    return {"sizes": list(best), "seconds": list(best.values())}


def efficiencies(found: dict[str, list[float]]) -> list[float]:
    """Share of the processors' time that each number of threads puts to use."""
    alone = found["seconds"][0]
    return [
        alone / (number * seconds)
        for number, seconds in zip(found["sizes"], found["seconds"], strict=True)
    ]


def wait_for_quiet() -> None:
    """Return once the machine has had next to nothing to do for a minute."""
    while os.getloadavg()[0] > QUIET:
        time.sleep(10)


def measure() -> dict[str, dict[str, object]]:
    """Every curve but that of threads: its sizes, seconds, peak bytes and exponents."""
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


def print_threads() -> None:
    """Measure and print the efficiency of every number of threads."""
    found = threads()
    lines = zip(found["sizes"], found["seconds"], efficiencies(found), strict=True)
    for number, seconds, efficiency in lines:
        print(f"{number} threads: kernel {seconds:.2f} s, efficiency {efficiency:.0%}")


def print_curves() -> None:
    """Measure and print every other curve."""
    for name, line in measure().items():
        seconds = ", ".join(f"{s:.2f}" for s in line["seconds"])
        memory = ", ".join(f"{b / 2**20:.0f}" for b in line["peak_bytes"])
        powers = ", ".join(f"{k} {v:.2f}" for k, v in line["exponents"].items())
        print(f"{name} {line['sizes']}: {seconds} s; {memory} MiB; exponents {powers}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", action="store_true")
    if parser.parse_args().threads:
        wait_for_quiet()
    else:
        print_curves()
    print_threads()
