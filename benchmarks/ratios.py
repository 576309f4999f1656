"""Ratios against a baseline, alternating in one process on one core, medians.

Run as ``python -m benchmarks.ratios``; with ``--gate`` it fails when a ratio has fallen by a third
below what is expected of the machine's vectors; with ``--json FILE`` it keeps what it found.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import llvmlite.binding

from benchmarks.registry import Subject, subject
from simdc.kernels.ready import warm_up

__all__ = ["PAIRS", "Ratio", "measure", "pin", "processor_seconds", "seconds", "vectors"]

ROUNDS = 7
SLACK = 2 / 3


@dataclass(frozen=True)
class Pair:
    """Two subjects that do the same; how many times as fast the first is, by instruction set."""

    name: str
    baseline: str
    expected: dict[str, float]


PAIRS = (
    Pair("kernel", "NumPy loop", {"avx512": 45.0, "avx2": 18.0, "other": 14.0}),
    Pair("kernel", "Numba loop, np.random", {"avx512": 70.0, "avx2": 28.0, "other": 22.0}),
    Pair("kernel", "Numba, Generator, even table", {"avx512": 7.0, "avx2": 3.0, "other": 2.5}),
    Pair("kernel, truncation besides", "kernel", {"avx512": 0.95, "avx2": 0.9, "other": 0.9}),
    Pair(
        "kernel, residual stop-loss besides", "kernel", {"avx512": 0.9, "avx2": 0.85, "other": 0.85}
    ),
    Pair("settlement", "settlement, plain NumPy", dict.fromkeys(("avx512", "avx2", "other"), 1.0)),
    Pair("simdc --help", "import click", dict.fromkeys(("avx512", "avx2", "other"), 0.75)),
    # By the point; at a ratio of 50 the thousand take twice the time of the ten.
    Pair(
        "simdc sweep, 1,000 points",
        "simdc sweep, 10 points",
        dict.fromkeys(("avx512", "avx2", "other"), 70.0),
    ),
)


@dataclass(frozen=True)
class Ratio:
    """What was found of a pair: medians in nanoseconds per unit, and their ratio with its gate."""

    name: str
    baseline: str
    unit: str
    nanoseconds: float
    baseline_nanoseconds: float
    ratio: float
    gate: float

    @property
    def passed(self) -> bool:
        """Whether the ratio has not fallen below its gate."""
        return self.ratio >= self.gate


def vectors() -> str:
    """The instruction set that the kernels are compiled for."""
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return "avx512"
    return "avx2" if features.get("avx2") else "other"


def seconds(measured: Subject) -> float:
    """Processor time of one call and its processes, after which its answer is checked.

    Processor time, because a busy machine takes turns.
    """
    started = processor_seconds()
    answer = measured.call()
    elapsed = processor_seconds() - started
    measured.check(answer)
    return elapsed


def processor_seconds() -> float:
    """Seconds of processor that this process and those it waited for have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(pair: Pair, rounds: int = ROUNDS) -> Ratio:
    """Time a pair in turn, so that whatever else the machine does falls on both."""
    measured, baseline = subject(pair.name), subject(pair.baseline)
    measured.call()
    baseline.call()
    fast, slow = zip(*((seconds(measured), seconds(baseline)) for _ in range(rounds)), strict=True)
    per_unit = 1e9 / measured.units, 1e9 / baseline.units
    ratios = [(b * per_unit[1]) / (a * per_unit[0]) for a, b in zip(fast, slow, strict=True)]
    return Ratio(
        name=pair.name,
        baseline=pair.baseline,
        unit=measured.unit,
        nanoseconds=statistics.median(fast) * per_unit[0],
        baseline_nanoseconds=statistics.median(slow) * per_unit[1],
        ratio=statistics.median(ratios),
        gate=SLACK * pair.expected[vectors()],
    )


def pin() -> None:
    """Stay on one processor, where the system lets us."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def main() -> int:
    """Print each pair's medians and ratio; return 1 when a gate is missed and gates are asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gate", action="store_true")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    pin()
    warm_up()
    found = [measure(pair) for pair in PAIRS]
    for each in found:
        print(
            f"{each.name}: {each.nanoseconds:,.3g} ns per {each.unit}; "
            f"{each.baseline}: {each.baseline_nanoseconds:,.3g} ns; "
            f"{each.ratio:.3g} times as fast (gate {each.gate:.2g})"
            + ("" if each.passed else "  BELOW ITS GATE")
        )
    if asked.json:
        asked.json.write_text(json.dumps([asdict(each) for each in found], indent=2) + "\n")
    return int(asked.gate and not all(each.passed for each in found))


if __name__ == "__main__":
    sys.exit(main())
