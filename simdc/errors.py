"""Errors a user can cause, each told in one sentence that says how to mend it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["InputError", "Problem", "SimdcError", "nearest"]

_LONGEST = 200  # characters of what was given
_SHOWN = 12  # places of one mistake


class SimdcError(Exception):
    """A failure that is told to the user without a traceback.

    Attributes
    ----------
    exit_status : int
        What the command line exits with.
    """

    exit_status = 1


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one input.

    Attributes
    ----------
    message : str
        What is wrong and what is allowed, as a sentence without its full stop.
    path : str
        Where in the input, such as ``track[0].stop_loss.bands[1].from``; empty for the whole.
    given : str
        The value as the user wrote it; empty when something is missing.
    suggestion : str
        The nearest valid name, when a name was mistyped; else empty.
    line : int
        Line of the file, counted from 1; 0 when it is not known.
    """

    message: str
    path: str = ""
    given: str = ""
    suggestion: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        shown = self.given if len(self.given) <= _LONGEST else f"{self.given[:_LONGEST]}..."
        given = f" (given {shown})" if shown else ""
        hint = f"; did you mean '{self.suggestion}'?" if self.suggestion else "."
        return f"{where}{self.message}{given}{hint}"


class InputError(SimdcError):
    """The input is wrong; nothing was run and nothing was written.

    A mistake that is made in several places is told once, with all of them.

    Parameters
    ----------
    problems : str or Problem or sequence of Problem
        What is wrong, in the order of the input.
    file : path-like, optional
        The file the problems are in; named in front of each sentence.
    """

    exit_status = 2

    def __init__(
        self, problems: str | Problem | Sequence[Problem], *, file: str | Path | None = None
    ) -> None:
        if isinstance(problems, str):
            problems = Problem(problems)
        if isinstance(problems, Problem):
            problems = (problems,)
        self.problems = tuple(problems)
        self.file = None if file is None else str(file)
        super().__init__("\n".join(self._sentences()))

    def _sentences(self) -> Iterator[str]:
        same: dict[tuple[str, ...], list[Problem]] = {}
        for problem in self.problems:
            key = re.sub(r"\[\d+\]", "[]", problem.path)
            mistake = (problem.message, key, problem.given, problem.suggestion)
            same.setdefault(mistake, []).append(problem)
        for first, *others in same.values():
            again = f" The same at {_places(first, others)}." if others else ""
            yield f"{self._where(first)}{first}{again}"

    def _where(self, problem: Problem) -> str:
        if self.file is None:
            return ""
        return f"{self.file}:{problem.line}: " if problem.line else f"{self.file}: "


def _places(first: Problem, others: Sequence[Problem]) -> str:
    """Paths of the first others with lines, without the keys at the end that all share."""
    keys = [problem.path.split(".") for problem in (first, *others)]
    while len(keys[0]) > 1 and len({path[-1] for path in keys}) == 1:
        keys = [path[:-1] for path in keys]
    places = [
        ".".join(path) + (f" (line {other.line})" if other.line else "")
        for path, other in zip(keys[1:], others, strict=True)
    ]
    more = len(places) - _SHOWN
    return ", ".join(places[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def nearest(name: str, valid: Iterable[str]) -> str:
    """The valid name closest to a mistyped one, or an empty string if none is close.

    Parameters
    ----------
    name : str
        What the user wrote.
    valid : iterable of str
        What would have been accepted.
    """
    by_lower = {candidate.lower(): candidate for candidate in valid}
    matches = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[matches[0]] if matches else ""
