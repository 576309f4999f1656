"""``simdc extend``: more draws for a result, without repeating those it holds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from simdc.cli.progress import progress_bar, say_if_compiling
from simdc.cli.room import refuse_what_does_not_fit
from simdc.cli.where import Where, executor_options


@click.command()
@click.argument("result", type=click.Path(path_type=Path))
@click.option("--draws", type=click.IntRange(min=1), required=True, help="How many to add.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Where the longer result goes. Default: in place of RESULT, whole or not at all.",
)
@click.option(
    "--scenario",
    type=click.Path(path_type=Path),
    help="The scenario it was run from; only needed where that names files that lie neither "
    "beside RESULT nor in the current folder.",
)
@executor_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    result: Path,
    draws: int,
    output: Path | None,
    scenario: Path | None,
    where: Where,
    as_json: bool,
    quiet: bool,
) -> None:
    """Add draws to RESULT, a file that 'simdc run' wrote.

    Its draws are kept; those that follow are simulated by the scenario and the seed that it
    holds, and everything is estimated anew. The outcome is that of one run of all the draws.

    \b
    Examples:
      simdc extend results/mine.nc --draws 90000
      simdc extend results/mine.nc --draws 90000 -o results/longer.nc
    """  # noqa: D301 (click reads the backspace)
    from simdc.result import check_target, read_result, write_result

    target = output or result
    with read_result(result) as tree, _saying_what_is_left(result):
        from simdc.extend import extend, stored_run
        from simdc.report.document import render_json
        from simdc.report.terminal import render_run
        from simdc.runner import forecast

        stored = stored_run(tree, result, scenario)
        total = stored.draws + draws
        expected = forecast(stored.loaded, draws=total, workers=where.jobs_at_once())
        refuse_what_does_not_fit(expected, target)
        check_target(target)
        say_if_compiling(quiet)
        with where.opened() as executor, progress_bar(draws, quiet) as progress:
            longer = extend(stored, draws, executor=executor, progress=progress)
        tree.close()  # before its file is replaced
        write_result(longer, target)
    if as_json:
        click.echo(json.dumps(render_json(longer), indent=2))
    else:
        render_run(longer)
        click.echo(f"\n{draws:,} draws were added; all {total:,} are kept in\n{target}")


@contextmanager
def _saying_what_is_left(result: Path) -> Iterator[None]:
    """Say that a result is as it was when something ends the work on it."""
    before = result.stat()
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        if os.path.samestat(before, result.stat()):
            click.echo(f"simdc: {result} is left as it was.", err=True)
        raise
