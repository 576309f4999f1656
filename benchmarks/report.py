"""Measure everything that docs/performance.md states, keep it as JSON, write the page from it.

``python -m benchmarks.report`` takes some minutes, and wants a machine that does nothing else;
``--page`` only writes the page anew from what was kept. ``--large`` adds the run of 100,000
beneficiaries and a million draws.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import ratios, scaling, vectors, whole
from benchmarks.registry import subjects
from simdc.executors import available_threads
from simdc.kernels.ready import warm_up
from simdc.provenance import versions

HERE = Path(__file__).parent
KEPT = HERE / "results" / "performance.json"
PEERS = HERE / "results" / "peers.json"
PAGE = HERE.parent / "docs" / "performance.md"

ROUNDS = 5
VECTOR_NAMES = {"avx512": "AVX-512", "avx2": "AVX2", "other": "neither AVX2 nor AVX-512"}


def measure(*, large: bool) -> dict[str, Any]:
    """Everything, as plain data."""
    sizes = [(20_000, 1_000), (20_000, 100_000)] + [(100_000, 1_000_000)] * large
    threads = available_threads()
    warm_up()
    found: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "vectors": ratios.vectors(),
            "processors": threads,
        },
        "versions": versions(("simdc", "numpy", "scipy", "numba", "llvmlite", "xarray")),
        "vectors": vectors.measure(),
        "whole": [asdict(whole.command(*size, threads=threads)) for size in sizes],
        "scaling": scaling.measure(),
        "threads": scaling.threads(),
    }
    ratios.pin()  # from here on, one processor
    found["ratios"] = [asdict(ratios.measure(pair)) for pair in ratios.PAIRS]
    found["subjects"] = []
    for each in subjects():
        each.call()
        rounds = 1 if each.slow else ROUNDS
        took = statistics.median(ratios.seconds(each) for _ in range(rounds))
        found["subjects"].append(
            {
                "name": each.name,
                "phase": each.phase,
                "seconds": took,
                "units": each.units,
                "unit": each.unit,
            }
        )
    found["load"] = round(os.getloadavg()[1], 1)  # over the last five minutes
    return found


# --- the page ---------------------------------------------------------------------------------


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table whose first column is text and the others numbers."""
    rule = ["---"] + ["--:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))


def page(found: dict[str, Any], peers: dict[str, Any] | None) -> str:
    """The text of docs/performance.md."""
    machine = found["machine"]
    made_with = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    sections = [
        "# Performance",
        "<!-- Written by python -m benchmarks.report; do not edit. -->",
        f"Measured on {found['date']} on a {machine['processor']} machine with "
        f"{VECTOR_NAMES[machine['vectors']]} and {machine['processors']} processors "
        f"({machine['system']}), with {made_with}. The load was {found['load']:g}: other work ran "
        "beside. Processor times bear that, but the wall times of whole commands and of growth, "
        "threads above all, suffer from it. Absolute figures belong to the machine; compare "
        "ratios, or run `simdc doctor --benchmark` for your own.",
        "A *beneficiary-draw* is one person's cost in one draw of the year: random number, "
        "quantile of the severity, systemic factor, two stop-loss designs of two bands with "
        "attachment points of the person's own, sums. The case has 20,000 people in four segments "
        "of different severity.",
        "## Against what one would write instead",
        "One processor, in turn in one process, medians of processor time. The loops in "
        "`benchmarks/baselines.py` make the same sums. Continuous integration fails when a ratio "
        "falls below its gate.",
        _ratios(found),
        "## By instruction set",
        "The same bits on each. AVX2 is slower than its width suggests because LLVM reads the "
        "table with single loads there.",
        _vectors(found),
        "## Whole commands",
        "`simdc run` with six tracks on every processor, from the start of the interpreter to the "
        "result on disk, and the memory that `--dry-run` foretells. What xarray finds installed "
        "it imports: Dask, where it is there, takes some tenths of a second of each.",
        _whole(found),
        "## Every subject",
        "One processor; medians of processor time, that of child processes included.",
        _subjects(found),
        "## Growth",
        f"Around {scaling.BASE['people']:,} people, {scaling.BASE['draws']:,} draws, "
        f"{scaling.BASE['tracks']} tracks, {scaling.BASE['segments']} segments and one thread. "
        "Seconds of kernel and settlement, peak memory in MiB, and the exponents of a fitted "
        "power: 1 is proportional, 0 is none.",
        _scaling(found),
        f"Threads share the kernel: {scaling.THREADED['people']:,} people, "
        f"{scaling.THREADED['draws']:,} draws. The efficiency is the time of one thread over the "
        "threads' time together; what else ran beside takes from it.",
        _threads(found),
    ]
    if peers is not None:
        known = peers["truth"]
        sections += [
            "## Other libraries on one job",
            "20,000 people, one severity, one stop-loss, no systemic shocks, no settlement; one "
            f"processor, measured on {peers['date']}. By quadrature the net cost is "
            f"{known['mean'] / 1e6:.3f} million dollars with a standard deviation of "
            f"{known['sd'] / 1e6:.3f}. What each library cannot do is in "
            "`benchmarks/peers/README.md`.",
            _peers(peers),
        ]
    sections.append("")
    return "\n\n".join(sections)


def _ratios(found: dict[str, Any]) -> str:
    rows = [
        (
            each["name"],
            each["baseline"],
            _time(each["nanoseconds"]),
            _time(each["baseline_nanoseconds"]),
            f"{each['ratio']:.3g}",
            f"{each['gate']:.2g}",
        )
        for each in found["ratios"]
    ]
    return table(("measured", "against", "its time", "theirs", "times as fast", "gate"), rows)


def _vectors(found: dict[str, Any]) -> str:
    rows = [
        (name, f"{told['nanoseconds']:.2f}", "yes" if told["same_bits"] else "NO")
        for name, told in found["vectors"].items()
    ]
    return table(("compiled for", "ns per beneficiary-draw", "same bits"), rows)


def _whole(found: dict[str, Any]) -> str:
    rows = [
        (
            f"{run['people']:,} × {run['draws']:,}",
            f"{run['seconds']:.1f}",
            f"{run['kernel_seconds']:.1f}",
            f"{run['peak_bytes'] / 2**20:,.0f}",
            f"{run['forecast_bytes'] / 2**20:,.0f}",
        )
        for run in found["whole"]
    ]
    head = ("people × draws", "seconds", "of them kernel", "peak MiB", "foretold MiB")
    return table(head, rows)


def _subjects(found: dict[str, Any]) -> str:
    rows = [
        (
            f"{each['phase']}: {each['name']}",
            _time(each["seconds"] / each["units"] * 1e9),
            each["unit"],
            f"{each['units'] / each['seconds']:.3g}",
        )
        for each in found["subjects"]
    ]
    return table(("subject", "time", "for one", "per second"), rows)


def _scaling(found: dict[str, Any]) -> str:
    rows = [
        (
            axis,
            ", ".join(f"{size:,}" for size in line["sizes"]),
            ", ".join(f"{s:.2f}" for s in line["seconds"]),
            ", ".join(f"{b / 2**20:.0f}" for b in line["peak_bytes"]),
            f"{line['exponents']['time']:.2f}",
            f"{line['exponents']['memory']:.2f}",
        )
        for axis, line in found["scaling"].items()
    ]
    head = ("of", "sizes", "seconds", "MiB", "exponent of time", "of memory")
    return table(head, rows)


def _threads(found: dict[str, Any]) -> str:
    line = found["threads"]
    rows = [
        (str(number), f"{seconds:.2f}", f"{efficiency:.0%}")
        for number, seconds, efficiency in zip(
            line["sizes"], line["seconds"], scaling.efficiencies(line), strict=True
        )
    ]
    return table(("threads", "seconds of the kernel", "efficiency"), rows)


def _peers(peers: dict[str, Any]) -> str:
    rows = [
        (
            each["name"],
            "none" if each["draws"] is None else f"{each['draws']:,}",
            f"{each['seconds']:.2f}",
            "" if each["nanoseconds"] is None else f"{each['nanoseconds']:.3g}",
            f"{each['mean'] / 1e6:.3f}",
            f"{each['sd'] / 1e6:.3f}",
            f"{each['exceeds']:.2%}",
        )
        for each in peers["tools"]
    ]
    head = ("library", "draws", "seconds", "ns per draw of a person", "mean", "sd", "P(> $230M)")
    return table(head, rows)


def _time(nanoseconds: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.3g} ns"


def main() -> None:
    """Measure unless told otherwise, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--large", action="store_true")
    asked = parser.parse_args()
    if not asked.page:
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(json.dumps(measure(large=asked.large), indent=2) + "\n", encoding="utf-8")
    found = json.loads(KEPT.read_text(encoding="utf-8"))
    peers = json.loads(PEERS.read_text(encoding="utf-8")) if PEERS.exists() else None
    PAGE.write_text(page(found, peers), encoding="utf-8")


if __name__ == "__main__":
    main()
