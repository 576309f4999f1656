"""A published table by meaning: columns under whatever name, numbers in dollars and fractions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from simdc.replay.cells import Cell, State, places, read_cell, read_flag
from simdc.replay.table import Damage, Table, plain_name

__all__ = ["MINIMUM_RATE", "REDUCTION", "SHARE", "Column", "Numbers", "Rate", "Sheet"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_AGREEING = 0.9  # share of a column's cells that must be of one scale for it to be believed


@dataclass(frozen=True)
class Column:
    """A column that a program's results may hold.

    Attributes
    ----------
    name : str
        CMS's name.
    others : tuple of str
        Names of other years and republishers, in plain form (see
        :func:`~simdc.replay.table.plain_name`).
    """

    name: str
    others: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All names in plain form."""
        return (plain_name(self.name), *self.others)


@dataclass(frozen=True)
class Rate:
    """What a rate can be, by which fractions are told from percentages.

    A rate other than zero lies above ``least`` and at or below ``most``. Since ``most`` is no more
    than a hundred times ``least``, no number fits both as a fraction and as a percentage.
    """

    least: float
    most: float

    def fits(self, values: Floats, scale: float) -> Flags:
        """Which numbers are possible rates when multiplied by the scale; zero fits any."""
        rates = values * scale
        possible: Flags = (values == 0.0) | ((rates > self.least) & (rates <= self.most))
        return possible


SHARE = Rate(0.01, 1.0)
"""Quality scores and sharing rates."""

MINIMUM_RATE = Rate(0.0031, 0.31)
"""Minimum savings and loss rates: 0.5% is the least that may be elected."""

REDUCTION = Rate(0.0031, 0.31)
"""Discounts and withholds."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """One column as numbers.

    Attributes
    ----------
    name : str
        The column's name in the file, or CMS's where the file has none.
    values : ndarray of shape (row,)
        US dollars, counts or fractions; NaN where the cell holds no number.
    half_digit : ndarray of shape (row,)
        Half of the last printed digit, in the same unit.
    states : tuple of State
        What each cell holds.
    """

    name: str
    values: Floats
    half_digit: Floats
    states: tuple[State, ...]

    @property
    def stated(self) -> Flags:
        """Where the cell holds a number."""
        return np.isfinite(self.values)

    def unstated(self, row: int) -> str:
        """Why a row's cell holds no number."""
        state = self.states[row]
        if state is State.ABSENT:
            return f"the file has no column {self.name}"
        return f"{self.name} is {state.value}"

    def is_state(self, *states: State) -> Flags:
        """Where the cell is one of these."""
        return np.array([state in states for state in self.states], dtype=bool)


@dataclass(eq=False)
class Sheet:
    """A table whose columns go by keys, and an account of what in it cannot be used.

    Attributes
    ----------
    table : Table
        As read.
    columns : mapping of str to Column
        What to look for, by key.
    notes : list of str
        How entries were read that could be read otherwise.
    damage : list of Damage
        Rows and cells that cannot be used.
    """

    table: Table
    columns: Mapping[str, Column]
    notes: list[str] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.damage.extend(self.table.damage)

    def __len__(self) -> int:
        return len(self.table.rows)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Position of each column found, by key; of two of one name the first counts."""
        found: dict[str, int] = {}
        for position, name in enumerate(self.table.header):
            found.setdefault(plain_name(name), position)
        return {
            key: next(found[name] for name in column.names if name in found)
            for key, column in self.columns.items()
            if any(name in found for name in column.names)
        }

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Identifier of each row; its line where it has none."""
        texts = self.texts("id")
        return tuple(
            text or f"line {line}" for text, line in zip(texts, self.table.lines, strict=True)
        )

    def has(self, key: str) -> bool:
        """Whether the file has the column."""
        return key in self.places

    def name(self, key: str) -> str:
        """The column's name in the file, or CMS's where the file has none."""
        return self.table.header[self.places[key]] if self.has(key) else self.columns[key].name

    def select(self, rows: Sequence[int]) -> Sheet:
        """The sheet with these rows only, and the same account."""
        table = Table(
            self.table.path,
            self.table.header,
            tuple(self.table.rows[row] for row in rows),
            tuple(self.table.lines[row] for row in rows),
            (),
        )
        return Sheet(table, self.columns, self.notes, self.damage)

    def texts(self, key: str) -> tuple[str, ...]:
        """The column as text, empty where the file has none."""
        if not self.has(key):
            return ("",) * len(self)
        position = self.places[key]
        return tuple(row[position].strip() for row in self.table.rows)

    def flags(self, key: str) -> tuple[bool | None, ...]:
        """The column as conditions, None where it says neither yes nor no."""
        return tuple(map(read_flag, self.texts(key)))

    def is_set(self, key: str) -> Flags:
        """Where the column says yes."""
        return np.array([flag is True for flag in self.flags(key)], dtype=bool)

    def years(self, key: str) -> tuple[int | None, ...]:
        """The column as calendar years, from years, dates and labels such as PY2022."""
        return tuple(map(_year, self.texts(key)))

    def amounts(self, key: str) -> Numbers:
        """The column as dollars or counts."""
        cells = [
            Cell(cell.text, State.DAMAGED) if cell.percent else cell for cell in self._cells(key)
        ]
        half = _half_digit(cells)
        return self._numbers(key, cells, np.array([c.value for c in cells]), half)

    def rates(self, key: str, kind: Rate) -> Numbers:
        """The column as fractions.

        A percent sign is believed cell by cell. Numbers without one are fractions or percentages
        together: the scale is the one that makes nine in ten of them possible rates. Those that
        it leaves impossible, or all where no scale does, are not used.
        """
        cells = self._cells(key)
        signed = np.array([cell.percent for cell in cells], dtype=bool)
        values = np.array([cell.value for cell in cells])
        half = _half_digit(cells)
        bare = ~signed & np.isfinite(values)
        scale = _scale(values[bare], kind)
        unclear = bare if scale is None else bare & ~kind.fits(values, scale)
        if scale is None:
            self.notes.append(
                f"Column {self.name(key)} mixes fractions and percentages, so its numbers without "
                "a percent sign are not used."
            )
        factor = np.where(signed, 0.01, 1.0 if scale is None else scale)
        values = np.where(unclear, np.nan, values * factor)
        cells = [
            Cell(cell.text, State.UNCLEAR) if drop else cell
            for cell, drop in zip(cells, unclear, strict=True)
        ]
        return self._numbers(key, cells, values, half * factor)

    def remark(self, row: int, key: str, given: str, problem: str) -> None:
        """Enter a cell, or with an empty key a row, that cannot be used."""
        column = self.name(key) if key else ""
        self.damage.append(Damage(self.table.lines[row], self.ids[row], column, given, problem))

    def _cells(self, key: str) -> list[Cell]:
        if not self.has(key):
            return [Cell("", State.ABSENT)] * len(self)
        return [read_cell(text) for text in self.texts(key)]

    def _numbers(self, key: str, cells: Sequence[Cell], values: Floats, half: Floats) -> Numbers:
        for row, cell in enumerate(cells):
            if cell.state in (State.DAMAGED, State.UNCLEAR):
                self.remark(row, key, cell.text, cell.state.value)
        states = tuple(cell.state for cell in cells)
        return Numbers(self.name(key), np.asarray(values, dtype=np.float64), half, states)


def _half_digit(cells: Sequence[Cell]) -> Floats:
    """Half of the last printed digit; cells with and without a percent sign are printed apart."""
    half = {
        percent: 0.5
        * 10.0 ** -places([c for c in cells if c.percent is percent and c.value == c.value])
        for percent in (False, True)
    }
    return np.array([half[cell.percent] for cell in cells], dtype=np.float64)


def _scale(values: Floats, kind: Rate) -> float | None:
    """1 if the numbers are fractions, 0.01 if percentages, None if that cannot be told."""
    telling = values[values != 0.0]
    if telling.size == 0:
        return 1.0
    for scale in (1.0, 0.01):
        if kind.fits(telling, scale).mean() >= _AGREEING:
            return scale
    return None


def _year(text: str) -> int | None:
    """The year in a text: 2022, 2022.0, PY2022, 7/1/12, 01/01/2022, 2022-01-01."""
    if match := re.search(r"(?<!\d)(20\d\d)(?!\d)", text):
        return int(match[1])
    if match := re.fullmatch(r"\d{1,2}[/-](?:\d{1,2}|[A-Za-z]{3})[/-](\d\d)", text):
        return 2000 + int(match[1])
    return None
