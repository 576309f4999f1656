"""The kernel compiled for other instruction sets, each in a process of its own.

Run as ``python -m benchmarks.vectors`` to time the kernel as this process compiles it.
"""

from __future__ import annotations

import hashlib
import json
import statistics

from benchmarks.processes import interpreter
from benchmarks.ratios import pin, seconds
from benchmarks.registry import subject

__all__ = ["TARGETS", "measure"]

ROUNDS = 9
TARGETS = {
    "as this machine is": {},
    "AVX2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""},
    "SSE2": {"NUMBA_CPU_NAME": "generic"},
    "without Numba's internals": {"SIMDC_PLAIN_NUMBA": "1"},
}


def measure() -> dict[str, dict[str, object]]:
    """Nanoseconds per beneficiary-draw for each target, and whether its bits are the same."""
    found = {
        name: json.loads(interpreter("-m", "benchmarks.vectors", **environment))
        for name, environment in TARGETS.items()
    }
    first = next(iter(found.values()))["bits"]
    return {
        name: {"nanoseconds": told["nanoseconds"], "same_bits": told["bits"] == first}
        for name, told in found.items()
    }


def _here() -> dict[str, object]:
    pin()
    kernel = subject("kernel")
    cost, excess = kernel.call()
    took = statistics.median(seconds(kernel) for _ in range(ROUNDS))
    return {
        "nanoseconds": took / kernel.units * 1e9,
        "bits": hashlib.sha256(cost.tobytes() + excess.tobytes()).hexdigest(),
    }


if __name__ == "__main__":
    print(json.dumps(_here()))
