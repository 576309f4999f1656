"""What commands that fill a store share: options, and what is saved when they end early."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from simdc.errors import SimdcError

if TYPE_CHECKING:
    from simdc.sweep.fill import StoreProgress

__all__ = ["Saved", "draw_options", "level_option", "saying_what_is_saved", "store_options"]

Command = TypeVar("Command", bound=Callable[..., Any])


def draw_options(whose: str) -> Callable[[Command], Command]:
    """``--draws`` and ``--seed``, instead of whose they are."""
    return _all(
        click.option("--draws", type=click.IntRange(min=1), help=f"Draws, instead of {whose}."),
        click.option("--seed", type=click.IntRange(min=0, max=2**64 - 1), help="Seed, likewise."),
    )


def level_option(command: Command) -> Command:
    """``--level``, any number of times."""
    return click.option(
        "--level",
        "levels",
        type=float,
        multiple=True,
        help="Probability with which a guarantee is to cover the total owed, as a fraction. May be "
        "given several times; by default 90, 95, 99 and 99.5%.",
    )(command)


def store_options(kind: str, one: str) -> Callable[[Command], Command]:
    """Where the store is, whether to go on with it, and how to tell about it.

    Parameters
    ----------
    kind : str
        Of store, as its name says.
    one : str
        What one of its points is called.
    """
    return _all(
        click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path),
            help=f"Folder of the store. Default: results/NAME.{kind}.zarr",
        ),
        click.option("--resume", is_flag=True, help="Go on with the store that is there."),
        click.option(
            "--dry-run", is_flag=True, help=f"Check every {one}, say what it takes, and stop."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else."),
        click.option("--quiet", is_flag=True, help="No progress."),
    )


def _all(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


@dataclass
class Saved:
    """How much of a store is on disk, and where.

    Attributes
    ----------
    target : Path
    what : str
        What its points are called, such as ``entities``.
    so_far : StoreProgress or None
        None until the store is there.
    """

    target: Path
    what: str
    so_far: StoreProgress | None = None

    def telling(self, told: Callable[[int], None]) -> Callable[[StoreProgress], None]:
        """What to call as points come to be on disk; it also tells how many there are."""

        def progress(so_far: StoreProgress) -> None:
            self.so_far = so_far
            told(so_far.done)

        return progress

    def say_what_was_damaged(self) -> None:
        """Say what had to be worked out again, if anything."""
        so_far = self.so_far
        if so_far is not None and so_far.damaged:
            click.echo(
                f"simdc: {so_far.damaged:,} of {so_far.points:,} {self.what} were damaged on disk "
                "and have been worked out again.",
                err=True,
            )

    def __str__(self) -> str:
        assert self.so_far is not None
        return (
            f"{self.so_far.done:,} of {self.so_far.points:,} {self.what} are saved in "
            f"{self.target}; the same command with --resume goes on."
        )


@contextmanager
def saying_what_is_saved(target: Path, what: str = "points") -> Iterator[Saved]:
    """Say what is left to go on with when something ends work that has begun.

    Parameters
    ----------
    target : Path
        The store.
    what : str, optional
        What its points are called.

    Yields
    ------
    Saved
        To be kept up to date.
    """
    saved = Saved(target, what)
    try:
        yield saved
    except SimdcError as error:
        if saved.so_far is None:
            raise
        raise SimdcError(f"{error}\n{saved}") from error
    except BaseException:
        if saved.so_far is not None:
            click.echo(f"simdc: {saved}", err=True)
        raise
