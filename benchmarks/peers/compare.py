"""Every library on the same job: time, and the answer with its distance from the truth.

Run as ``python -m benchmarks.peers.compare`` in an environment with ``peers/requirements.txt``;
keeps ``results/peers.json``, which ``benchmarks.report`` puts on its page.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from benchmarks.peers.job import BENCHMARK, PEOPLE, truth
from benchmarks.peers.tools import TOOLS, by_aggregate
from benchmarks.ratios import pin, processor_seconds
from simdc.kernels.ready import warm_up

__all__ = ["measure"]

KEPT = Path(__file__).parent.parent / "results" / "peers.json"
DRAWS = {"simdc": 100_000, "Numba, Generator, even table": 10_000}
OTHERS = 1_000
ALARM = 5.0  # standard errors: once in a million comparisons of a right sampler


def measure() -> dict[str, object]:
    """Time and answer of each library; raises where a sampler is off by more than chance."""
    mean, sd = truth()
    rows = []
    for name, prepare in TOOLS.items():
        draws = DRAWS.get(name, OTHERS)
        call = prepare(draws)
        started = processor_seconds()
        net = call()
        took = processor_seconds() - started
        z = (net.mean() - mean) / (sd / np.sqrt(draws))
        assert abs(z) < ALARM, f"{name}: mean is {z:.1f} standard errors from the truth"
        # The total of thousands is near enough to normal for the error of its spread.
        z_sd = (net.std() - sd) / (sd / np.sqrt(2 * draws))
        assert abs(z_sd) < ALARM, f"{name}: spread is {z_sd:.1f} standard errors from the truth"
        exceeds = float(np.mean(net > BENCHMARK))
        rows.append(_row(name, draws, took, net.mean(), net.std(), exceeds))
    try:
        version("aggregate")
    except PackageNotFoundError:
        print("aggregate is not installed and left out")
    else:
        call = by_aggregate()
        started = processor_seconds()
        answer = call()
        rows.append(_row("aggregate, 12 bands", None, processor_seconds() - started, *answer))
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "truth": {"mean": mean, "sd": sd},
        "tools": rows,
    }


def _row(
    name: str, draws: int | None, seconds: float, mean: float, sd: float, exceeds: float
) -> dict[str, object]:
    return {
        "name": name,
        "draws": draws,
        "seconds": seconds,
        "nanoseconds": None if draws is None else seconds / (draws * PEOPLE) * 1e9,
        "mean": float(mean),
        "sd": float(sd),
        "exceeds": exceeds,
    }


def main() -> None:
    """Measure, keep and print."""
    pin()
    warm_up()
    found = measure()
    KEPT.parent.mkdir(exist_ok=True)
    KEPT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
