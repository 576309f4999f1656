"""What is saved of a store when something ends the work on it, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from simdc.errors import SimdcError

if TYPE_CHECKING:
    from simdc.sweep.run import SweepProgress

__all__ = ["Saved", "saying_what_is_saved"]


@dataclass
class Saved:
    """How much of a store is on disk, and where.

    Attributes
    ----------
    target : Path
    what : str
        What its points are called, such as ``entities``.
    so_far : SweepProgress or None
        To be kept up to date; None until the store is there.
    """

    target: Path
    what: str
    so_far: SweepProgress | None = None

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
