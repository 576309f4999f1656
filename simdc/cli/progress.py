"""What a command that simulates says while it works, on standard error alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

__all__ = ["progress_bar", "say_if_compiling"]


def say_if_compiling(quiet: bool) -> None:
    """Say so where the kernels have to be compiled first."""
    from simdc.kernels.ready import is_compiled

    if not quiet and not is_compiled():
        click.echo("Compiling the kernels once for this machine, some seconds ...", err=True)


@contextmanager
def progress_bar(
    total: int | None, quiet: bool, doing: str = "simulating", unit: str = "draws"
) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; silence elsewhere.

    Parameters
    ----------
    total : int or None
        How many draws there will be; None where that is not known.
    quiet : bool
        Whether to be silent on a terminal too.
    doing, unit : str, optional
        What is done, and to what.

    Yields
    ------
    callable
        To be told the number done so far.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (doing, BarColumn(), MofNCompleteColumn(), unit, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)
