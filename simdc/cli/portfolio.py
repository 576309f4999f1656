"""``simdc portfolio``: many entities at once, and what a group of them owes together."""

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
    from simdc.portfolio.forecast import PortfolioForecast


@click.command()
@click.argument("portfolio", metavar="FILE", type=click.Path(path_type=Path))
@draw_options("the portfolio's")
@level_option
@executor_options
@store_options("portfolio", "entity")
def command(
    portfolio: Path,
    draws: int | None,
    seed: int | None,
    levels: tuple[float, ...],
    where: Where,
    output: Path | None,
    resume: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Settle every entity of a portfolio, and what groups of them owe together.

    FILE lists the entities, in TOML or as a CSV table: for each a scenario, the track that it has
    elected, the settings that are its own, and the group that it is guaranteed with. What acts on
    the whole nation is the same for all in every draw. Every entity is checked before any is run,
    and saved as soon as it is finished: whatever ends the command, the same command with --resume
    goes on; when all are finished it prints the tables again.

    \b
    Examples:
      simdc portfolio scenarios/portfolios/two-acos.toml
      simdc portfolio entities.csv --draws 100000 --level 0.99
      simdc portfolio entities.csv --executor dask --scheduler tcp://10.0.0.5:8786
    """  # noqa: D301 (click reads the backspace)
    from simdc.executors import available_threads
    from simdc.guarantee import LEVELS
    from simdc.portfolio.members import load_portfolio
    from simdc.portfolio.run import PortfolioRun

    loaded = load_portfolio(portfolio, draws=draws, seed=seed)
    entities = len(loaded.members)
    target = output or Path("results") / f"{portfolio.stem}.portfolio.zarr"
    if not dry_run:
        _check_target(target, resume)
    with progress_bar(entities, quiet, "checking", "entities") as told:
        asked = PortfolioRun(loaded, levels=levels or LEVELS, told=told)
    expected = asked.forecast(where.jobs_at_once() or available_threads())
    if dry_run:
        click.echo(json.dumps(asdict(expected), indent=2) if as_json else _told(expected))
        return
    refuse_what_does_not_fit(
        expected,
        None if resume else target,
        asked=f"{expected.draws:,} draws of {_entities(expected)}",
    )

    from simdc.portfolio.read import read_portfolio
    from simdc.report.portfolio import render_portfolio
    from simdc.report.portfolio_document import portfolio_document

    say_if_compiling(quiet)
    with (
        where.opened() as executor,
        saying_what_is_saved(target, "entities") as saved,
        progress_bar(entities, quiet, "simulating", "entities") as told,
    ):
        asked.run(target, executor, resume=resume, progress=saved.telling(told))
    tree = read_portfolio(target)
    if as_json:
        click.echo(json.dumps(portfolio_document(tree), indent=2))
    else:
        render_portfolio(tree)
        click.echo(f"\nEvery entity is kept in\n{target}")
    saved.say_what_was_damaged()


def _check_target(target: Path, resume: bool) -> None:
    """Make sure that the store can be made, or gone on with, before anything is run."""
    from simdc.errors import InputError
    from simdc.sweep.disk import check_new, is_sweep

    if resume and not target.exists():
        raise InputError("there is nothing to go on with; leave out --resume", file=target)
    if not resume and is_sweep(target):
        raise InputError(
            "there are results already; go on with them by --resume, or remove them first",
            file=target,
        )
    if not resume:
        check_new(target)


def _told(expected: PortfolioForecast) -> str:
    return (
        f"{_entities(expected)} with {expected.beneficiaries:,} beneficiaries x "
        f"{expected.draws:,} draws, {expected.workers} blocks of draws at a time: "
        f"{in_words(expected)} Nothing was run."
    )


def _entities(expected: PortfolioForecast) -> str:
    return f"{expected.entities:,} {'entity' if expected.entities == 1 else 'entities'}"
