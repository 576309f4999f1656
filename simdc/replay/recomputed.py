"""What recomputing the rows of a file yields, whatever the program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdc.programs import Program
from simdc.replay.judge import Check
from simdc.replay.sheet import Column, Sheet

__all__ = ["Reader", "Reason", "Recomputed", "agreement", "groups_of"]

Reason = Callable[[int, str], str]
"""Likely reason of a mismatch, by row and step."""


@dataclass(frozen=True, eq=False)
class Recomputed:
    """The checks of a file and what else was learned on the way.

    Attributes
    ----------
    checks : tuple of Check
        Gross, shared and paid.
    reason : Reason
        Explains a mismatch.
    unchecked : Reason
        Says why a row could not be checked.
    information : mapping
        Findings that are no settlement step: rates, the benchmark's bracket.
    """

    checks: tuple[Check, ...]
    reason: Reason
    unchecked: Reason
    information: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reader:
    """How to read and recompute the results of one family of programs.

    Attributes
    ----------
    family : str
        Settlement family of the programs, as their rules have it.
    columns : mapping of str to Column
        Columns by key.
    option : str
        Key of the column that states a row's option.
    needed : mapping of str to str
        What cannot be checked without a column.
    signature : tuple of str
        Keys of columns of which a file of these results has at least one.
    option_of : callable
        Each row's option, None where it is not known; and the columns it was read from.
    recompute : callable
        Recomputes every row of a sheet, given each row's year and option.
    """

    family: str
    columns: Mapping[str, Column]
    option: str
    needed: Mapping[str, str]
    signature: tuple[str, ...]
    option_of: Callable[[Sheet], tuple[tuple[str | None, ...], str]]
    recompute: Callable[[Program, Sheet, Sequence[int], Sequence[str]], Recomputed]


def groups_of(*labels: Sequence[Any]) -> dict[tuple[Any, ...], NDArray[np.intp]]:
    """Positions of the rows that share all labels, by those labels, in order of appearance."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row, key in enumerate(zip(*labels, strict=True)):
        groups.setdefault(key, []).append(row)
    return {key: np.array(rows, dtype=np.intp) for key, rows in groups.items()}


def agreement(
    published: NDArray[np.float64], computed: NDArray[np.float64], tolerance: NDArray[np.float64]
) -> dict[str, int]:
    """Rows in which two columns of rates can be compared, and in which they agree."""
    compared = np.isfinite(published) & np.isfinite(computed)
    close = np.abs(published - computed) <= tolerance * (1.0 + 1e-6) + 1e-9
    return {"checked": int(compared.sum()), "agreeing": int((compared & close).sum())}
