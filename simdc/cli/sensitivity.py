"""``simdc sensitivity``: which settings matter, how much, and how sure that is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simdc.cli.keeping import draw_options, saying_what_is_saved, store_options
from simdc.cli.progress import progress_bar, say_if_compiling
from simdc.cli.room import in_words, refuse_what_does_not_fit
from simdc.cli.where import Where, executor_options

if TYPE_CHECKING:
    from simdc.sweep.plan import SweepForecast


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option(
    "--vary",
    metavar="PATH=RANGE",
    multiple=True,
    help="A setting and what it may be: uniform(low,high), triangular(low,mode,high), "
    "normal(mean,sd), loguniform, beta, integers, or a list of values V1,V2,...",
)
@click.option(
    "--samples",
    type=int,
    default=128,
    show_default=True,
    help="Base samples N, a power of two. N x (settings + 2) points are worked out.",
)
@draw_options("the scenario's")
@click.option(
    "--track",
    "tracks",
    metavar="NAME",
    multiple=True,
    help="A track to tell about; may be given several times. Default: all.",
)
@click.option(
    "--level",
    type=float,
    default=0.99,
    show_default=True,
    help="Probability with which the guarantee is to cover the total owed.",
)
@executor_options
@store_options("sensitivity", "point")
def command(
    scenario: Path,
    vary: tuple[str, ...],
    samples: int,
    draws: int | None,
    seed: int | None,
    tracks: tuple[str, ...],
    level: float,
    where: Where,
    output: Path | None,
    resume: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Say which settings of SCENARIO matter, given what each may be.

    For each track's mean settlement, probability of owing and guarantee: Sobol' indices, the
    shares of its variance that each setting explains by itself and together with others, and a
    tornado, how far each moves it alone. Everything is worked out on the same draws.

    \b
    Examples:
      simdc sensitivity my.toml --vary 'benchmark.dollars=normal(1.1e8,2e6)'
      simdc sensitivity my.toml --vary 'track.*.early_exit=true,false' \\
        --vary 'track.*.rules.discount=uniform(0.01,0.04)' --dry-run
    """  # noqa: D301 (click reads the backspace)
    from simdc.scenario import load_scenario
    from simdc.sensitivity.design import settings_of
    from simdc.sweep.disk import check_new

    instead = {"run.draws": draws, "run.seed": seed}
    given = {path: value for path, value in instead.items() if value is not None}
    loaded = load_scenario(scenario, given)
    settings = settings_of(loaded, vary)
    target = output or Path("results") / f"{scenario.stem}.sensitivity.zarr"
    if not (resume or dry_run):
        check_new(target)

    from simdc.executors import available_threads
    from simdc.sensitivity.run import Sensitivity

    with progress_bar(samples * (len(settings) + 2), quiet, "checking", "points") as told:
        asked = Sensitivity(loaded, settings, samples, level=level, tracks=tracks, told=told)
    expected = asked.forecast(where.jobs_at_once() or available_threads())
    if dry_run:
        click.echo(json.dumps(asdict(expected), indent=2) if as_json else _told(expected))
        return
    refuse_what_does_not_fit(
        expected,
        None if resume else target,
        asked=f"{expected.points:,} points",
        instead="fewer with --samples, or fewer draws with --draws",
    )

    from simdc.report.sensitivity import render_sensitivity
    from simdc.report.sensitivity_document import sensitivity_document

    say_if_compiling(quiet)
    with where.opened() as executor, saying_what_is_saved(target) as saved:
        with progress_bar(asked.points, quiet, "simulating", "points") as told:
            asked.run(target, executor, resume=resume, progress=saved.telling(told))
        with progress_bar(asked.compared, quiet, "comparing", "points") as told:
            findings = asked.findings(target, executor, progress=told)
    if as_json:
        click.echo(json.dumps(sensitivity_document(findings), indent=2))
    else:
        render_sensitivity(findings)
        click.echo(f"\nEvery point is kept in\n{target}")
    saved.say_what_was_damaged()


def _told(expected: SweepForecast) -> str:
    return (
        f"{expected.points:,} points of at most {expected.beneficiaries:,} beneficiaries x "
        f"{expected.draws:,} draws, those of the tornado among them: kernel passes "
        f"{expected.passes:,}, settlements of a track {expected.settlements:,}, "
        f"{expected.workers} blocks of draws at a time: {in_words(expected)} Nothing was run."
    )
