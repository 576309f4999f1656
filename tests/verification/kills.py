"""Accidents on purpose: whatever ends a command, going on gives what an uninterrupted one gives.

    python tests/verification/kills.py [--seed N] [--times 10] [--only WORD] [--markdown]

A small sweep runs once without interruption. Then for every kind of accident it is started anew,
stopped or damaged at a random moment, and gone on with as a user would: by --resume, or from the
beginning where nothing had been made. What comes out must have the same hash, and no point that
was finished and sound may be worked out again. Likewise a portfolio, a run and an extension.
``--only`` takes the accidents whose names hold a word. ``--markdown`` puts the table into
docs/robustness.md. Takes about a quarter of an hour.
"""

from __future__ import annotations

import argparse
import functools
import random
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import accidents
from accidents import DAMAGE, MOUNTS, Ending
from bench import Bench
from jobs import DASK, SCENARIOS, Job, file_hash, finished, once, over
from ledger import HEAD
from page import put_into_page, table

from simdc.sweep.stored import content_hash

_ENTITIES = "name,scenario,track\n" + "".join(
    f"{track} {number},{SCENARIOS / file},{track}\n"
    for number in range(3)
    for file, track in (
        ("small-standard-global-tcc.toml", "global-tcc"),
        ("high-needs-global.toml", "global"),
    )
)


def of_a_sweep(bench: Bench, job: Job) -> None:
    """Everything that may happen to a sweep."""
    made, seconds = bench.uninterrupted(job, "sweep")

    def moment(random_: random.Random) -> float:
        return random_.uniform(0.0, seconds)

    def stopped(by: signal.Signals) -> Callable[[Path, random.Random], Ending | None]:
        return lambda target, random_: accidents.signalled(job, target, moment(random_), by)

    def half(target: Path) -> None:
        """A store with some of the points."""
        process = job.started(target)
        once(process, lambda: target.exists() and bool(finished(target)))
        process.kill()
        over(process)

    tries = functools.partial(bench.tries, job=job, made=made)
    few = functools.partial(tries, times=bench.few)
    tries("driver killed", happens=stopped(signal.SIGKILL), endings={-9}, times=bench.times)
    few("SIGTERM", happens=stopped(signal.SIGTERM), endings={143, -15})
    few("SIGINT", happens=stopped(signal.SIGINT), endings={130, -2})
    _on_a_cluster(bench, job, made, few)

    largest = max(file.stat().st_size for file in made.rglob("*") if file.is_file())
    few(
        "limit on the size of files",
        happens=lambda target, random_: accidents.file_limit(
            job, target, int(largest ** random_.uniform(0.5, 1.0)), from_the_start=True
        ),
        endings={1},
    )
    if hasattr(resource, "prlimit"):
        chunk = max(file.stat().st_size for file in (made / "summary").rglob("c.*"))
        few(
            "the same, once the store is there",
            happens=lambda target, random_: accidents.file_limit(
                job, target, random_.randrange(chunk), from_the_start=False
            ),
            endings={1},
        )
    if MOUNTS:
        size = sum(file.stat().st_blocks * 512 for file in made.rglob("*"))
        few(
            "disk filled up by others (tmpfs)",
            happens=lambda target, random_: accidents.disk_full(
                job, target, int(size * random_.uniform(0.0, 0.4))
            ),
            endings={1},
        )

    def refused(target: Path, random_: random.Random, *, there: bool) -> Ending:
        if there:
            half(target)
        with accidents.read_only(target.parent):
            return over(job.started(target, *(["--resume"] if target.exists() else [])))

    few("read-only target", happens=functools.partial(refused, there=False), endings={2})
    few("read-only on going on", happens=functools.partial(refused, there=True), endings={2})
    few(
        "second writer at the same time",
        happens=lambda target, random_: accidents.second_writer(job, target),
        endings={2},
    )

    def left_locked(target: Path, random_: random.Random) -> Ending:
        half(target)
        (target / ".simdc" / "writer").write_text("1")
        (target / ".simdc" / "lock").touch()
        return 0, ""

    few("stale lock", happens=left_locked, endings={0})

    def damaged(target: Path, random_: random.Random, *, what: str, how: str) -> Ending:
        shutil.copytree(made, target)
        accidents.damage(target, what, how, random_)
        return 0, ""

    for what in ("chunk", "record", "labels or metadata"):
        for how in DAMAGE:
            if (what, how) != ("record", "swapped with another"):  # as a swap of chunks
                few(
                    f"{what} {how}",
                    happens=functools.partial(damaged, what=what, how=how),
                    endings={0},
                    damaged=finished(made),
                )


def _on_a_cluster(bench: Bench, job: Job, made: Path, few: Callable[..., None]) -> None:
    """What may happen to a cluster of two processes."""
    worker, driver = "worker killed (Dask, 2 workers)", "driver of a cluster killed"
    if not bench.wants(worker, driver):
        return
    again, seconds = bench.uninterrupted(job, "cluster", *DASK)
    assert content_hash(again) == content_hash(made)
    bench.tries(
        worker,
        job,
        made,
        lambda target, random_: accidents.worker_lost(
            job, target, random_.uniform(0.0, max(seconds - 3.0, 1.0)), random_
        ),
        endings={0},
        times=bench.times,
    )
    few(
        driver,
        happens=lambda target, random_: accidents.driver_lost(
            job, target, random_.uniform(0.0, seconds)
        ),
        endings={-9},
    )


def of_other_commands(bench: Bench, draws: int) -> None:
    """Drivers of a portfolio, a run and an extension killed."""
    listed = bench.folder / "entities.csv"
    listed.write_text(_ENTITIES, encoding="utf-8")
    scenario = str(SCENARIOS / "standard-professional.toml")
    jobs = {
        "portfolio": Job(("portfolio", str(listed), "--draws", f"{5 * draws}")),
        "run": Job(("run", scenario, "--draws", f"{5 * draws}"), file_hash, (), "made.nc"),
    }
    for name, job in jobs.items():
        if bench.wants(f"{name} killed"):
            made, seconds = bench.uninterrupted(job, name)
            _killed(bench, name, job, made, seconds)
    if bench.wants("extend killed"):
        short = Job(("run", scenario, "--draws", f"{2 * draws}"), file_hash, (), "made.nc")
        start, _ = bench.uninterrupted(short, "short")
        longer = Job(("extend", str(start), "--draws", f"{3 * draws}"), file_hash, (), "made.nc")
        made, seconds = bench.uninterrupted(longer, "longer")
        _killed(bench, "extend", longer, made, seconds)


def _killed(bench: Bench, name: str, job: Job, made: Path, seconds: float) -> None:
    def killed(target: Path, random_: random.Random) -> Ending | None:
        ending = accidents.signalled(job, target, random_.uniform(0, seconds), signal.SIGKILL)
        if target.is_file():  # then it is whole
            assert job.hash_of(target) == job.hash_of(made)
        return ending

    bench.tries(f"{name} killed", job, made, killed, endings={-9}, times=bench.few)


def main() -> None:
    """Try everything and exit with 1 if anything was lost or differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--draws", type=int, default=100_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--markdown", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), asked.seed, asked.times, asked.only)
        of_a_sweep(bench, _sweep(asked.draws))
        of_other_commands(bench, asked.draws)
    text = table(HEAD, [row.cells() for row in bench.rows])
    print(f"\n{text}")
    if asked.markdown:
        options = f"--seed {asked.seed} --times {asked.times} --markdown"
        put_into_page("kills", f"python tests/verification/kills.py {options}", text)
    sys.exit(any(row.failed for row in bench.rows))


def _sweep(draws: int) -> Job:
    """24 passes of the kernel in units of several points, of two settings."""
    vary = ("--vary", "run.seed=1:24:1", "--vary", "track.*.rules.discount=0.01,0.02,0.03,0.04")
    scenario = str(SCENARIOS / "high-needs-global.toml")
    return Job(("sweep", scenario, *vary, "--draws", str(draws)))


if __name__ == "__main__":
    main()
