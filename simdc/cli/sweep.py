"""``simdc sweep``: many variants of a scenario, simulated once where they can be."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simdc.cli.keeping import draw_options, level_option, saying_what_is_saved, store_options
from simdc.cli.progress import progress_bar, say_if_compiling
from simdc.cli.room import in_words, refuse_what_does_not_fit
from simdc.cli.where import Where, executor_options

if TYPE_CHECKING:
    from simdc.sweep.plan import SweepForecast


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option(
    "--vary",
    metavar="PATH=VALUES",
    multiple=True,
    help="A setting and the values it takes: V1,V2,... or start:stop:step or lin(first,last,count) "
    "or log(first,last,count). Several make a grid.",
)
@click.option("--zip", "walk", is_flag=True, help="Walk the lists together; no grid.")
@click.option(
    "--sample",
    metavar="sobol:N|lhs:N",
    help="Draw N points from ranges instead: --vary PATH=uniform(low,high) and the like.",
)
@click.option(
    "--from",
    "table",
    type=click.Path(path_type=Path),
    help="Take the points from a CSV file, its header paths, or TOML with [[point]] tables.",
)
@draw_options("the scenario's")
@level_option
@click.option("--keep-draws", is_flag=True, help="Keep every draw of every point besides.")
@executor_options
@store_options("sweep", "point")
def command(
    scenario: Path,
    vary: tuple[str, ...],
    walk: bool,
    sample: str | None,
    table: Path | None,
    draws: int | None,
    seed: int | None,
    levels: tuple[float, ...],
    keep_draws: bool,
    where: Where,
    output: Path | None,
    resume: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Settle variants of SCENARIO, all on the same draws.

    Variants that differ in contract terms alone share one simulation, so that the second costs
    little. Every variant is checked before any is run. Each is saved as soon as it is finished:
    whatever ends the command, the same command with --resume goes on.

    \b
    Examples:
      simdc sweep my.toml --vary track.global.rules.discount=0.01:0.04:0.005
      simdc sweep my.toml --vary benchmark.pbpm=990,1000 --vary run.seed=1,2
      simdc sweep my.toml --sample lhs:99 --vary 'benchmark.pbpm=uniform(1e3,2e3)'
      simdc sweep my.toml --from points.csv --dry-run
    """  # noqa: D301 (click reads the backspace)
    from simdc.guarantee import LEVELS
    from simdc.scenario import load_scenario
    from simdc.sweep.disk import check_new
    from simdc.sweep.points import design_of

    instead = {"run.draws": draws, "run.seed": seed}
    given = {path: value for path, value in instead.items() if value is not None}
    loaded = load_scenario(scenario, given)
    design = design_of(
        loaded, vary, zip=walk, sample=sample, table=table, seed=loaded.scenario.run.seed
    )
    for path in given.keys() & design.coords:
        raise click.UsageError(f"{path} is varied; leave out --{path.removeprefix('run.')}")
    target = output or Path("results") / f"{scenario.stem}.sweep.zarr"
    if not (resume or dry_run):
        check_new(target)
    workers = where.jobs_at_once()

    from simdc.executors import available_threads
    from simdc.sweep.run import Sweep

    with progress_bar(design.size, quiet, "checking", "points") as told:
        sweep = Sweep(loaded, design, levels=levels or LEVELS, keep_draws=keep_draws, told=told)
    expected = sweep.forecast(available_threads() if workers is None else workers)
    if dry_run:
        click.echo(json.dumps(asdict(expected), indent=2) if as_json else _told(expected))
        return
    refuse_what_does_not_fit(
        expected,
        None if resume else target,
        asked=f"{expected.points:,} points",
        instead="fewer points, or fewer draws with --draws",
    )

    from simdc.report.sweep import render_sweep, sweep_document
    from simdc.sweep.read import read_sweep

    say_if_compiling(quiet)
    with (
        where.opened() as executor,
        saying_what_is_saved(target) as saved,
        progress_bar(design.size, quiet, "simulating", "points") as told,
    ):
        sweep.run(target, executor, resume=resume, progress=saved.telling(told))
    tree = read_sweep(target, whole=False)
    if as_json:
        click.echo(json.dumps(sweep_document(tree), indent=2))
    else:
        render_sweep(tree)
        click.echo(f"\nEvery point is kept in\n{target}")
    saved.say_what_was_damaged()


def _told(expected: SweepForecast) -> str:
    return (
        f"{_counted(expected.points, 'point')} of at most {expected.beneficiaries:,} beneficiaries "
        f"x {expected.draws:,} draws x {_counted(expected.tracks, 'track')}: "
        f"{_counted(expected.passes, 'pass', 'passes')} of the kernel and "
        f"{_counted(expected.settlements, 'settlement')} of a track, {expected.workers} at a "
        f"time: {in_words(expected)} Nothing was run."
    )


def _counted(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"
