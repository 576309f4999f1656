"""``simdc run``: the main job."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simdc.cli.keeping import draw_options
from simdc.cli.progress import progress_bar, say_if_compiling
from simdc.cli.room import draws_that_fit, in_words, refuse_what_does_not_fit
from simdc.cli.where import Where, executor_options

if TYPE_CHECKING:
    from simdc.runner import Forecast
    from simdc.scenario import LoadedScenario
    from simdc.watch import Until


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@draw_options("the scenario's")
@executor_options
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Where the result goes, in place of one that is there. Default: results/NAME.nc",
)
@click.option(
    "--attribution",
    is_flag=True,
    help="Also say what each driver and people's luck are worth, in the first performance year; "
    "takes a few times as long.",
)
@click.option(
    "--until",
    "bounds",
    metavar="'TRACK.FIGURE ± AMOUNT'",
    multiple=True,
    help="Go on until the 95% limits of the figure lie so near; +- stands for ±, * for every "
    "track. Draws are doubled, from --draws or the scenario's on. May be given several times.",
)
@click.option(
    "--max-draws",
    type=click.IntRange(min=1),
    help="With --until: never more. Default: 4,000,000, or what there is room for.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option("--discard", is_flag=True, help="Print the tables and keep no result.")
@click.option("--dry-run", is_flag=True, help="Say what the run will take, and stop.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    scenario: Path,
    draws: int | None,
    seed: int | None,
    where: Where,
    output: Path | None,
    attribution: bool,
    bounds: tuple[str, ...],
    max_draws: int | None,
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
      simdc run my.toml --until 'global.guarantee_99 +- 50000'
      simdc run my.toml --json | jq .tracks
    """  # noqa: D301 (click reads the backspace)
    from simdc.runner import forecast
    from simdc.scenario import load_scenario

    loaded = load_scenario(scenario)
    until = _until(loaded, bounds, draws, max_draws)
    target = None if discard else output or Path("results") / f"{scenario.stem}.nc"
    workers = where.jobs_at_once()

    def foretold(draws: int | None) -> Forecast:
        return forecast(loaded, draws=draws, workers=workers, attribution=attribution)

    if until is not None and max_draws is None:
        until = _within_room(until, foretold, target)
    if dry_run:
        _print_forecast(foretold, draws, until, as_json)
        return

    from simdc.result import check_target, write_result

    if target is not None:
        check_target(target)
    if until is None:
        refuse_what_does_not_fit(foretold(draws), target)
    else:
        refuse_what_does_not_fit(foretold(until.limit), target, instead="fewer with --max-draws")

    from simdc.report.convergence import not_reached
    from simdc.report.document import render_json
    from simdc.report.terminal import render_run
    from simdc.runner import run

    say_if_compiling(quiet)
    total = None if until else draws or loaded.scenario.run.draws
    with _saying_what_is_lost(), where.opened() as executor, progress_bar(total, quiet) as told:
        tree = run(
            loaded,
            draws=draws,
            seed=seed,
            executor=executor,
            attribution=attribution,
            until=until,
            progress=told,
        )
    if target is not None:
        write_result(tree, target)
    if as_json:
        click.echo(json.dumps(render_json(tree), indent=2))
    else:
        render_run(tree)
        if target is not None:
            click.echo(f"\nEvery draw is kept in\n{target}")
    if missed := not_reached(tree):
        click.echo(f"simdc: {missed}; allow more with --max-draws.", err=True)


@contextmanager
def _saying_what_is_lost() -> Iterator[None]:
    """Say so when something ends a run: a result is written whole, at the end."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        click.echo("simdc: no result has been written; the run would begin anew.", err=True)
        raise


def _until(
    loaded: LoadedScenario, bounds: tuple[str, ...], draws: int | None, max_draws: int | None
) -> Until | None:
    """What the run is to go on for, if it is not of a given number of draws."""
    if bounds:
        from simdc.watch import ask

        return ask(bounds, loaded, draws=draws, max_draws=max_draws)
    if max_draws is not None:
        raise click.UsageError("--max-draws goes with --until; by itself, --draws says how many")
    return None


def _within_room(until: Until, foretold: Callable[[int], Forecast], target: Path | None) -> Until:
    """No longer than there is room for, but for the first batch."""
    fitting = draws_that_fit(foretold, until.limit, target)
    return replace(until, limit=max(fitting, until.first))


def _print_forecast(
    foretold: Callable[[int | None], Forecast],
    draws: int | None,
    until: Until | None,
    as_json: bool,
) -> None:
    if until is None:
        expected = foretold(draws)
        told, document = _told(expected), asdict(expected)
    else:
        first, limit = foretold(until.first), foretold(until.limit)
        told = f"First batch: {_told(first)}\nAt the limit: {_told(limit)}"
        document = {"first_batch": asdict(first), "limit": asdict(limit)}
    click.echo(json.dumps(document, indent=2) if as_json else f"{told} Nothing was run.")


def _told(expected: Forecast) -> str:
    return (
        f"{expected.beneficiaries:,} beneficiaries x {expected.draws:,} draws x "
        f"{expected.tracks} tracks, {expected.workers} blocks of draws at a time: "
        f"{in_words(expected)}"
    )
