"""The points of a sweep: which settings it varies and which values they take.

A design is a grid, with one dimension for each setting, or a list of points: settings walked
together, a sample, or a table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from simdc.errors import InputError
from simdc.sweep.paths import Path
from simdc.sweep.places import MISSING
from simdc.sweep.values import MOST, as_toml

__all__ = ["Axis", "Design", "counted", "grid", "zipped"]

Kind: TypeAlias = Literal["grid", "zip", "sample", "table"]


@dataclass(frozen=True)
class Axis:
    """One setting and the values it takes.

    Attributes
    ----------
    path : Path
    values : tuple
        As TOML would hold them; MISSING leaves the scenario as it is.
    """

    path: Path
    values: tuple[object, ...]

    @property
    def label(self) -> str:
        """Name of the dimension or coordinate: the path."""
        return str(self.path)


@dataclass(frozen=True)
class Design:
    """The points of a sweep.

    Attributes
    ----------
    kind : {'grid', 'zip', 'sample', 'table'}
        In a grid every value meets every other; else there is one point for each place in the
        axes, which are equally long.
    axes : tuple of Axis
        In the order given; in a grid the last varies fastest.
    names : tuple of str
        Of the points of a table, if it gives them.
    """

    kind: Kind
    axes: tuple[Axis, ...]
    names: tuple[str, ...] = ()

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the dimensions: the paths of a grid, else ``point``."""
        return tuple(axis.label for axis in self.axes) if self.kind == "grid" else ("point",)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension."""
        lengths = tuple(len(axis.values) for axis in self.axes)
        return lengths if self.kind == "grid" else lengths[:1]

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    @property
    def coords(self) -> dict[str, tuple[str | float | bool, ...]]:
        """Coordinates by label, each all numbers, all true or false, or all text.

        A grid has them along its own dimensions; else each path, and ``name`` where points have
        names, lies along ``point``. Tables and lists are written as TOML.
        """
        coords = {axis.label: _as_coordinate(axis.values) for axis in self.axes}
        return coords | ({"name": self.names} if self.names else {})

    def point(self, index: int) -> dict[Path, object]:
        """The values of one point, by path; what it leaves as it is does not appear.

        Parameters
        ----------
        index : int
            From 0; a grid is counted in C order.
        """
        chosen = {}
        stride = self.size
        for axis in self.axes:
            place = index
            if self.kind == "grid":
                stride //= len(axis.values)
                place = index // stride % len(axis.values)
            if (value := axis.values[place]) is not MISSING:
                chosen[axis.path] = value
        return chosen

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[dict[Path, object]]:
        return map(self.point, range(self.size))


def _as_coordinate(values: Sequence[object]) -> tuple[str | float | bool, ...]:
    if all(isinstance(value, bool) for value in values):
        return tuple(bool(value) for value in values)
    numbers = [math.nan if value is MISSING else value for value in values]
    if all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
        return tuple(numbers)  # type: ignore[arg-type]
    return tuple(
        "" if value is MISSING else value if isinstance(value, str) else as_toml(value)
        for value in values
    )


def grid(axes: Sequence[Axis]) -> Design:
    """Every value of each axis with every value of the others.

    Raises
    ------
    InputError
        For more than a million points.
    """
    design = Design("grid", tuple(axes))
    if design.size > MOST:
        lengths = " x ".join(str(len(axis.values)) for axis in axes)
        raise InputError(f"the grid has {lengths} points; a sweep has at most {MOST:,}")
    return design


def zipped(axes: Sequence[Axis]) -> Design:
    """Lists of values walked together.

    Raises
    ------
    InputError
        If they differ in length.
    """
    first = axes[0]
    for axis in axes[1:]:
        if len(axis.values) != len(first.values):
            raise InputError(
                "lists that are walked together must be of one length: "
                f"{first.label} has {counted(first.values, 'value')} and {axis.label} has "
                f"{counted(axis.values, 'value')}"
            )
    return Design("zip", tuple(axes))


def counted(things: Sequence[object], what: str) -> str:
    return f"{len(things):,} {what}{'' if len(things) == 1 else 's'}"
