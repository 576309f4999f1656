"""Ratios against a baseline, alternating in one process on one core, medians.

Run as ``python -m benchmarks.ratios``; with ``--gate`` it fails when a ratio is below its gate.
"""

from __future__ import annotations

import statistics
import sys
import time

from benchmarks.subjects import Subject, subject

# (measured, baseline, gate): the gate leaves a third of the expected ratio as slack for noise.
PAIRS = [("kernel", "numpy loop", 10.0)]
ROUNDS = 5


def seconds(measured: Subject) -> float:
    """Time one call, after which its answer is checked."""
    started = time.perf_counter()
    answer = measured.call()
    elapsed = time.perf_counter() - started
    measured.check(answer)
    return elapsed


def main() -> int:
    """Print each pair's medians and ratio; return 1 when a gate is missed."""
    missed = 0
    for name, baseline_name, gate in PAIRS:
        measured, baseline = subject(name), subject(baseline_name)
        measured.call()
        pairs = [(seconds(measured), seconds(baseline)) for _ in range(ROUNDS)]
        ratio = statistics.median(slow / fast for fast, slow in pairs)
        fast = statistics.median(fast for fast, _ in pairs) / measured.units * 1e9
        slow = statistics.median(slow for _, slow in pairs) / baseline.units * 1e9
        print(
            f"{name}: {fast:.2f} ns per {measured.unit}; {baseline_name}: {slow:.1f} ns; "
            f"{ratio:.0f} times as fast (gate {gate:g})"
        )
        missed += ratio < gate
    return int("--gate" in sys.argv and missed > 0)


if __name__ == "__main__":
    sys.exit(main())
