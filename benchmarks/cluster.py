"""What a Dask cluster costs, measured here, and what the whole program would take, on paper.

Run as ``python -m benchmarks.cluster``; it takes some minutes, and writes results/cluster.json and
the measured part of docs/distributed.md. ``--page`` only writes that part anew from what was kept.
Every time is the least of some repeats, since what else runs on a machine only adds to it.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import ratios
from benchmarks.report import VECTOR_NAMES, table
from benchmarks.scenario import toml
from simdc.engine import SECONDS_PER_BENEFICIARY_DRAW, SegmentPlan, distinct_designs, simulate
from simdc.executors import Executor, Threads, available_threads
from simdc.executors.cluster import Dask
from simdc.kernels.ready import warm_up
from simdc.portfolio.members import load_portfolio
from simdc.portfolio.run import KEPT_DRAWS, PortfolioRun
from simdc.prepare import prepare
from simdc.provenance import versions
from simdc.runner import Forecast, forecast
from simdc.scenario import LoadedScenario, load_scenario

__all__ = ["measure", "page", "whole_program"]

HERE = Path(__file__).parent
KEPT = HERE / "results" / "cluster.json"
PAGE = HERE.parent / "docs" / "distributed.md"
START, END = "<!-- measured: python -m benchmarks.cluster -->", "<!-- end -->"

REPEATS = 5
WORKERS = (1, 2, 4)
MEGABYTES = (1, 10, 100)
JOBS = 100
PEOPLE, DRAWS = 20_000, 100_000  # of the pass that is compared with threads
SEGMENTS, TRACKS, DESIGNS = 4, 6, 2

PROGRAM_PEOPLE, PROGRAM_ENTITIES, PROGRAM_DRAWS = 2_050_000, 132, 1_000_000
PROGRAM_CORES = (1, 4, 16, 64)


def least(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Seconds of the fastest of some calls."""
    return min(_seconds(call) for _ in range(repeats))


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


# Work; workers import it from here.


def nothing(shared: object, job: object) -> None:
    """What a job costs when it does nothing."""


def bytes_of(shared: object, size: int) -> np.ndarray:
    """A result of a size."""
    return np.zeros(size, dtype=np.uint8)


def measure() -> dict[str, Any]:
    """Everything, as plain data."""
    warm_up()
    case = loaded(PEOPLE)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "vectors": ratios.vectors(),
            "processors": available_threads(),
        },
        "versions": versions(("simdc", "numpy", "numba", "dask", "distributed")),
        "start": {workers: least(lambda n=workers: _start(n), 3) for workers in WORKERS},
        "job": {workers: _job_seconds(workers) for workers in WORKERS},
        **_moved(),
        "sizes": _sizes(case),
        "pass": _compared(case),
        "program": whole_program(),
        "load": round(os.getloadavg()[1], 1),  # over the last five minutes
    }


def loaded(people: int) -> LoadedScenario:
    """The benchmark scenario with so many people."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.toml"
        path.write_text(toml(people, SEGMENTS, TRACKS), encoding="utf-8")
        return load_scenario(path)


def _drain(executor: Executor, work: Callable[..., object], shared: object, jobs: Iterable) -> None:
    for _ in executor.run(work, shared, jobs):
        pass


def _start(workers: int) -> None:
    """Start a cluster, have a first job done, end it."""
    with Dask.connect(workers=workers) as executor:
        _drain(executor, nothing, None, range(workers))


def _job_seconds(workers: int) -> float:
    with Dask.connect(workers=workers) as executor:
        _drain(executor, nothing, None, range(4 * workers))  # loads the kernels
        return least(lambda: _drain(executor, nothing, None, range(JOBS))) / JOBS


def _moved() -> dict[str, Any]:
    """Data to a worker and results back: seconds, and bytes seen on the loopback interface."""
    there, back = {}, {}
    with Dask.connect(workers=1) as executor:
        _drain(executor, nothing, None, range(4))
        for size in MEGABYTES:
            data = np.zeros(size * 10**6, dtype=np.uint8)
            there[size] = _on_the_wire(lambda d=data: _drain(executor, nothing, d, [0]))
            back[size] = _on_the_wire(lambda s=size: _drain(executor, bytes_of, 0, [s * 10**6]))
    return {"there": there, "back": back}


def _on_the_wire(call: Callable[[], object]) -> dict[str, float]:
    """Least seconds, and least bytes sent over the loopback interface."""
    seconds, sent = [], []
    for _ in range(REPEATS):
        before = psutil.net_io_counters(pernic=True)["lo"].bytes_sent
        seconds.append(_seconds(call))
        sent.append(psutil.net_io_counters(pernic=True)["lo"].bytes_sent - before)
    return {"seconds": min(seconds), "bytes": min(sent)}


def _sizes(case: LoadedScenario) -> dict[str, float]:
    """Bytes of what a pass sends, from the very objects."""
    prepared = prepare(case.scenario, case.base_dir)
    designs = distinct_designs(prepared.contracts)
    plans = [SegmentPlan.of(segment, designs) for segment in prepared.population.segments]
    tables = sum(plan.table.body.nbytes + plan.table.tail.nbytes for plan in plans)
    return {
        "shared": len(pickle.dumps((plans, designs))),
        "tables": tables,
        "people": PEOPLE,
        "out_per_draw": 8 * len({plan.segment.category for plan in plans}),
        "back_per_draw": 8 * (len(plans) + len(designs)),
    }


def _compared(case: LoadedScenario) -> dict[str, float]:
    """Kernel seconds of one pass on two threads and on two processes, in turn."""
    with Dask.connect(workers=2) as executor:
        _kernel_seconds(case, executor)
        pairs = [
            (_kernel_seconds(case, Threads(2)), _kernel_seconds(case, executor))
            for _ in range(REPEATS)
        ]
    threads, processes = (min(side) for side in zip(*pairs, strict=True))
    return {"threads": threads, "processes": processes}


def _kernel_seconds(case: LoadedScenario, executor: Executor) -> float:
    simulation = simulate(case.scenario, base_dir=case.base_dir, draws=DRAWS, executor=executor)
    return simulation.durations["kernel"]


# --- on paper ---------------------------------------------------------------------------------


def whole_program() -> dict[str, Any]:
    """The work of the program's entities of equal size, one after another, from the forecasts."""
    entity = loaded(PROGRAM_PEOPLE // PROGRAM_ENTITIES)
    one: Forecast = forecast(entity, draws=PROGRAM_DRAWS, workers=1)
    kernel = one.beneficiaries * one.draws * SECONDS_PER_BENEFICIARY_DRAW
    sizes = _sizes(entity)
    entity_draws = PROGRAM_ENTITIES * PROGRAM_DRAWS
    return {
        "kernel_seconds": PROGRAM_PEOPLE * PROGRAM_DRAWS * SECONDS_PER_BENEFICIARY_DRAW,
        "driver_seconds": PROGRAM_ENTITIES * (one.seconds - kernel),
        "network_bytes": 2 * entity_draws * (sizes["out_per_draw"] + sizes["back_per_draw"]),
        "shared_bytes": PROGRAM_ENTITIES * sizes["shared"],
        "memory_bytes": one.memory_bytes,
        "disk_bytes": PROGRAM_ENTITIES * one.disk_bytes,
        "portfolio": _as_portfolio(),
    }


def _as_portfolio() -> dict[str, float]:
    """The same entities as one portfolio, each on the track it has elected."""
    with tempfile.TemporaryDirectory() as folder:
        scenario = toml(PROGRAM_PEOPLE // PROGRAM_ENTITIES, SEGMENTS, TRACKS)
        (Path(folder) / "scenario.toml").write_text(scenario, encoding="utf-8")
        track = load_scenario(Path(folder) / "scenario.toml").scenario.track[0].name
        rows = [f"entity {place},scenario.toml,{track}" for place in range(PROGRAM_ENTITIES)]
        table_of_them = Path(folder) / "program.csv"
        table_of_them.write_text("\n".join(["name,scenario,track", *rows]), encoding="utf-8")
        portfolio = load_portfolio(table_of_them, draws=PROGRAM_DRAWS)
        expected = PortfolioRun(portfolio).forecast(1)
    return {
        "seconds": expected.seconds,
        "network_bytes": 2 * 8 * len(KEPT_DRAWS) * PROGRAM_ENTITIES * PROGRAM_DRAWS,
        "memory_bytes": expected.memory_bytes,
        "disk_bytes": expected.disk_bytes,
    }


# --- the page ---------------------------------------------------------------------------------


def page(found: dict[str, Any]) -> str:
    """The measured part of the guide."""
    machine = found["machine"]
    made_with = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    sizes, compared = found["sizes"], found["pass"]
    per_person = (sizes["shared"] - sizes["tables"]) / sizes["people"]
    sections = [
        START,
        f"Measured on {found['date']} on a {machine['processor']} machine with "
        f"{VECTOR_NAMES[machine['vectors']]} and {machine['processors']} processors "
        f"({machine['system']}), all of the cluster on it, with {made_with}. The load was "
        f"{found['load']:g}: other work ran beside, so every time is the least of {REPEATS} "
        "repeats (of 3 for a start) and an upper limit.",
        _costs_by_workers(found),
        "Sent to a worker as what a pass shares, and fetched as one result, over the loopback "
        "interface. The bytes are those the interface counted: both cross it twice, since the "
        "scheduler passes them on. What is shared crosses it once more for each further worker, "
        "from one that has it.",
        _transfers(found),
        f"A pass over {PEOPLE:,} people in {SEGMENTS} segments with {DESIGNS} stop-loss designs "
        f"shares {sizes['shared'] / 1e6:.1f} MB: {per_person:.0f} bytes for each person and "
        f"{sizes['tables'] / 1e6:.1f} MB of severity tables. A draw takes "
        f"{sizes['out_per_draw']:.0f} bytes to a worker (8 for each category's cost factor) and "
        f"{sizes['back_per_draw']:.0f} back (8 for each segment and each design). {DRAWS:,} draws "
        f"of it take {compared['threads']:.2f} s on two threads and {compared['processes']:.2f} s "
        f"on two worker processes, {compared['processes'] / compared['threads']:.2f} times as "
        "long.",
        "### The whole program, on paper",
        _program(found),
        _portfolio(found),
        END,
    ]
    return "\n\n".join(sections)


def _costs_by_workers(found: dict[str, Any]) -> str:
    rows = [
        (f"{workers}", f"{seconds:.1f} s", f"{found['job'][workers] * 1e3:.1f} ms")
        for workers, seconds in found["start"].items()
    ]
    return table(
        ("worker processes", "start, kernels loaded, end", "a job that does nothing"), rows
    )


def _transfers(found: dict[str, Any]) -> str:
    rows = [
        (
            f"{size} MB",
            f"{there['seconds'] * 1e3:.0f} ms",
            f"{there['bytes'] / 1e6:.0f} MB",
            f"{back['seconds'] * 1e3:.0f} ms",
            f"{back['bytes'] / 1e6:.0f} MB",
        )
        for (size, there), back in zip(found["there"].items(), found["back"].values(), strict=True)
    ]
    return table(("data", "shared", "on the wire", "fetched", "on the wire"), rows)


def _program(found: dict[str, Any]) -> str:
    program = found["program"]
    kernel, driver = program["kernel_seconds"], program["driver_seconds"]
    relayed = _bytes_per_second(found)
    network = program["network_bytes"] / 2 / relayed
    per_draw = found["sizes"]["out_per_draw"] + found["sizes"]["back_per_draw"]
    rows = [
        (
            f"{cores}",
            f"{kernel / cores / 60:,.1f} min",
            f"{network / 60:,.1f} min",
            f"{driver / 60:,.1f} min",
            f"{(max(kernel / cores, network) + driver) / 60:,.0f} min",
        )
        for cores in PROGRAM_CORES
    ]
    head = ("cores", "kernel", "through the scheduler", "in the driver", "together")
    return "\n\n".join(
        (
            f"{PROGRAM_PEOPLE:,} people in {PROGRAM_ENTITIES} entities of equal size, "
            f"{PROGRAM_DRAWS:,} draws, {TRACKS} tracks, one entity after another; together is the "
            "longer of kernel and scheduler, and the driver.",
            f"* Kernel: {PROGRAM_PEOPLE:,} × {PROGRAM_DRAWS:,} × "
            f"{SECONDS_PER_BENEFICIARY_DRAW * 1e9:.1f} ns = {kernel:,.0f} core-seconds, "
            f"{kernel / 3600:.2f} core-hours.\n"
            f"* Driver: start, drivers, settlement, estimates and writing as `--dry-run` foretells "
            f"them, {driver / PROGRAM_ENTITIES:.0f} s for each entity.\n"
            f"* Network: twice {per_draw:.0f} bytes for each draw of an entity, "
            f"{program['network_bytes'] / 1e9:.0f} GB, and "
            f"{program['shared_bytes'] / 1e9:.1f} GB that passes share, for each worker at most "
            f"once. At the {relayed / 1e6:,.0f} MB/s that one scheduler passed on above, "
            f"{network / 60:.1f} minutes; divide by your own network's.\n"
            f"* Disk: {program['disk_bytes'] / 1e9:.0f} GB with every draw kept, "
            f"{program['disk_bytes'] / PROGRAM_ENTITIES / 1e6:.0f} MB for each entity.\n"
            f"* Memory: {program['memory_bytes'] / 1e9:.1f} GB in the driver, for one entity at a "
            "time; a worker holds what a pass shares and a few blocks, some hundred MB with the "
            "interpreter.",
            table(head, rows),
        )
    )


def _portfolio(found: dict[str, Any]) -> str:
    asked = found["program"]["portfolio"]
    each = asked["seconds"] / PROGRAM_ENTITIES
    network = asked["network_bytes"] / 2 / _bytes_per_second(found)
    rows = [
        (f"{workers}", f"{max(rounds * each, network) / 60:,.0f} min")
        for workers in PROGRAM_CORES
        for rounds in [-(-PROGRAM_ENTITIES // workers)]
    ]
    return "\n\n".join(
        (
            "As one portfolio (`simdc portfolio program.csv --scheduler ...`) each entity, on the "
            "track it has elected, is one job that a worker does from beginning to end: "
            f"{each:.0f} s of one core as `--dry-run` foretells it. The driver writes "
            f"{len(KEPT_DRAWS)} lines of every draw, {asked['disk_bytes'] / 1e9:.1f} GB on disk; "
            f"through the scheduler they are {asked['network_bytes'] / 1e9:.1f} GB on the "
            "network. It holds one entity at a time, and a worker needs up to "
            f"{asked['memory_bytes'] / 1e9:.1f} GB.",
            table(("worker processes", "together"), rows),
        )
    )


def _bytes_per_second(found: dict[str, Any]) -> float:
    """Of results, from the difference between the largest and the smallest that was fetched."""
    small, large = str(MEGABYTES[0]), str(MEGABYTES[-1])
    back = found["back"]
    seconds = back[large]["seconds"] - back[small]["seconds"]
    return (MEGABYTES[-1] - MEGABYTES[0]) * 1e6 / seconds


def write_page(found: dict[str, Any]) -> None:
    """Put the measured part into the guide."""
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    after = rest.split(END)[1]
    PAGE.write_text(before + page(found) + after, encoding="utf-8")


def main() -> None:
    """Measure, keep and write; or only write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", action="store_true", help="only write the page")
    if not parser.parse_args().page:
        KEPT.write_text(json.dumps(measure(), indent=2) + "\n", encoding="utf-8")
    write_page(json.loads(KEPT.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
