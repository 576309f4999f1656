"""``simdc run``: the main job."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from simdc.scenario import LoadedScenario


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--draws", type=click.IntRange(min=1), help="Draws, instead of the scenario's.")
@click.option("--seed", type=click.IntRange(min=0, max=2**64 - 1), help="Seed, likewise.")
@click.option("--threads", type=click.IntRange(min=1), help="Default: every processor.")
@click.option(
    "--executor",
    type=click.Choice(["serial", "threads"]),
    default="threads",
    show_default=True,
    help="Where blocks of draws run; the result is the same to the bit.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Where the result goes. Default: results/NAME.nc",
)
@click.option(
    "--attribution",
    is_flag=True,
    help="Also say what each driver and people's luck are worth; takes a few times as long.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option("--discard", is_flag=True, help="Print the tables and keep no result.")
@click.option("--dry-run", is_flag=True, help="Say what the run will take, and stop.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    scenario: Path,
    draws: int | None,
    seed: int | None,
    threads: int | None,
    executor: str,
    output: Path | None,
    attribution: bool,
    as_json: bool,
    discard: bool,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Simulate SCENARIO and settle every track on the same draws.

    Prints, for each track, what the entity could earn or owe, the financial guarantee that covers
    it, and how sure each figure is. The draws are kept in a netCDF file.

    \b
    Examples:
      simdc run scenarios/large-standard-global.toml
      simdc run my.toml --draws 100000 -o results/mine.nc
      simdc run my.toml --attribution
      simdc run my.toml --json | jq .tracks
    """  # noqa: D301 (click reads the backspace)
    from simdc.scenario import load_scenario

    loaded = load_scenario(scenario)
    if executor == "serial":
        threads = 1
    if dry_run:
        _print_forecast(loaded, draws, threads, as_json)
        return
    target = None if discard else output or Path("results") / f"{scenario.stem}.nc"

    from simdc.result import check_target, write_result

    if target is not None:
        check_target(target)
    _refuse_what_does_not_fit(loaded, draws, threads, target)

    from simdc.report.document import render_json
    from simdc.report.terminal import render_run
    from simdc.runner import run

    _say_if_compiling(quiet)
    with _progress(draws or loaded.scenario.run.draws, quiet) as progress:
        tree = run(
            loaded,
            draws=draws,
            seed=seed,
            threads=threads,
            attribution=attribution,
            progress=progress,
        )
    if target is not None:
        write_result(tree, target)
    if as_json:
        click.echo(json.dumps(render_json(tree), indent=2))
    else:
        render_run(tree)
        if target is not None:
            click.echo(f"\nEvery draw is kept in\n{target}")


def _refuse_what_does_not_fit(
    loaded: LoadedScenario, draws: int | None, threads: int | None, target: Path | None
) -> None:
    """Refuse beforehand what would end in a crash after hours."""
    import shutil

    from simdc.errors import InputError
    from simdc.runner import forecast

    expected = forecast(loaded, draws=draws, threads=threads)
    room = {"memory": (expected.memory_bytes, _physical_memory())}
    if target is not None:
        room["disk space"] = (expected.disk_bytes, shutil.disk_usage(target.parent).free)
    for what, (needed, there) in room.items():
        if there is not None and needed > there:
            raise InputError(
                f"{expected.draws:,} draws need about {needed / 2**30:,.1f} GiB of {what}, and "
                f"there are {there / 2**30:,.1f} GiB; ask for fewer with --draws"
            )


def _physical_memory() -> int | None:
    """Bytes of memory in this machine, where the system tells."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _say_if_compiling(quiet: bool) -> None:
    from simdc.kernels.ready import is_compiled

    if not quiet and not is_compiled():
        click.echo("Compiling the kernels once for this machine, some seconds ...", err=True)


@contextmanager
def _progress(draws: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal's standard error; silence elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = ("simulating", BarColumn(), MofNCompleteColumn(), "draws", TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=draws)
        yield lambda done: bar.update(task, completed=done)


def _print_forecast(
    loaded: LoadedScenario, draws: int | None, threads: int | None, as_json: bool
) -> None:
    from dataclasses import asdict

    from simdc.runner import forecast

    expected = forecast(loaded, draws=draws, threads=threads)
    if as_json:
        click.echo(json.dumps(asdict(expected), indent=2))
        return
    click.echo(
        f"{expected.beneficiaries:,} beneficiaries x {expected.draws:,} draws x "
        f"{expected.tracks} tracks on {expected.threads} threads: about "
        f"{expected.seconds:,.0f} s, {expected.memory_bytes / 2**20:,.0f} MiB of memory, "
        f"{expected.disk_bytes / 2**20:,.1f} MiB of disk. Nothing was run."
    )
