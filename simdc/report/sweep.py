"""A sweep as tables within 80 columns, and the same figures as JSON.

The JSON form starts with ``title``, ``entity``, ``entity_type``, ``performance_year``,
``sign_convention``, ``confidence``, ``draws`` and ``seed``, all of the scenario as it is, and goes
on with ``swept`` (the paths, in their order), ``points`` and ``assumptions`` (of the scenario as it
is). A point has ``values`` (by path; null where it leaves the scenario as it is), ``name`` where
points have names, ``finished``, and ``tracks``: by name, ``mean_net_settlement``,
``probability_owing``, ``required_guarantee`` (null where none is stated),
``probability_total_owed_exceeds_required`` and ``covering_amount``, a list of ``level`` with its
estimate. Amounts are US dollars; what the draws cannot support is null.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import IO, Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from simdc.estimate import Estimate, draws_needed
from simdc.figures import FIGURES
from simdc.report.document import number
from simdc.report.figures import Money, amount_column, chance, range_column, refusal
from simdc.report.layout import (
    assumptions,
    clean,
    counted,
    how_to_read,
    new_table,
    of_whom,
    points,
    print_report,
    section,
)
from simdc.result import group

__all__ = ["render_sweep", "sweep_document"]

Array: TypeAlias = NDArray[np.float64]

_ROWS = 40  # of all tables together
_LEAST_ROWS = 4  # of each
_COLUMNS = 3  # swept values that get a column of their own
_WHOLE = 1e5  # amounts of this size are written out
_LONGEST = 18  # characters of a value that gets one
_ANSWER = 0.99  # level of the tables, or the highest there is
_HEAD = (
    "title",
    "entity",
    "entity_type",
    "performance_year",
    "sign_convention",
    "confidence",
    "draws",
    "seed",
)


def render_sweep(tree: xr.DataTree, file: IO[str] | None = None) -> None:
    """Print a sweep: of every track that varies, what each point is worth and what it risks.

    Parameters
    ----------
    tree : xarray.DataTree
        From `simdc.sweep.read.read_sweep`.
    file : text file, optional
        Standard output by default.
    """
    swept = _Swept(tree)
    print_report([*_heading(swept), *_tables(swept), *assumptions(tree)], file)


def sweep_document(tree: xr.DataTree) -> dict[str, Any]:
    """Every point as plain objects that ``json.dumps`` takes."""
    swept = _Swept(tree)
    return {
        **{key: number(tree.attrs[key]) for key in _HEAD},
        "swept": swept.paths,
        "points": [swept.point(place) for place in range(swept.size)],
        "assumptions": swept.assumptions,
    }


class _Swept:
    """The figures of a sweep that reports show, points in one line in their C order."""

    def __init__(self, tree: xr.DataTree) -> None:
        self.about = tree.attrs
        self._inputs, self._guarantee = group(tree, "inputs"), group(tree, "guarantee")
        self.dims: tuple[str, ...] = tuple(self.about["swept_dims"])
        self.shape: tuple[int, ...] = tuple(self.about["swept_shape"])
        self.size = math.prod(self.shape)
        self.paths = [str(label) for label in self.about["swept"] if label != "name"]
        self.tracks = [str(name) for name in self._guarantee["track"].values]
        self.levels = [float(level) for level in self._guarantee["level"].values]
        self.mean = self._of_points(group(tree, "summary")["cash_due"].sel(statistic="mean"))
        self.owing = self._of_points(self._guarantee["probability_owing"])
        self.required = self._of_points(self._guarantee["required_guarantee"])
        self.exceeds = self._of_points(self._guarantee["probability_total_owed_exceeds_required"])
        self.covering = self._of_points(self._guarantee["covering_amount"])

    def _of_points(self, variable: xr.DataArray) -> Array:
        """Values with all swept dimensions as one in front, then tracks."""
        values: Array = variable.values
        return values.reshape(self.size, *values.shape[len(self.shape) :])

    def given(self, path: str) -> list[Any]:
        """The values of a path, as they were given."""
        values: list[Any] = self._guarantee[path].values.tolist()
        return values

    @cached_property
    def labels(self) -> dict[str, list[Any]]:
        """Value of each path at each point; its own dimension varies as in the C order."""
        found = {}
        for label in self.about["swept"]:
            given = self._guarantee[label]
            along = self.dims.index(str(given.dims[0]))
            place = np.unravel_index(np.arange(self.size), self.shape)[along]
            found[str(label)] = given.values[place].tolist()
        return found

    @property
    def varying(self) -> list[int]:
        """Tracks that any figure of differs between points."""
        figures = (self.mean, self.owing, self.required, self.exceeds, self.covering)
        return [
            track
            for track in range(len(self.tracks))
            if not all(
                np.array_equal(
                    each[:, track],
                    np.broadcast_to(each[:1, track], each[:, track].shape),
                    equal_nan=True,
                )
                for each in figures
            )
        ]

    @property
    def assumptions(self) -> list[dict[str, str]]:
        parts = ("subject", "statement", "source")
        columns = [self._inputs[f"assumption_{part}"].values for part in parts]
        return [dict(zip(parts, map(str, row), strict=True)) for row in zip(*columns, strict=True)]

    def point(self, place: int) -> dict[str, Any]:
        """One point for programs."""
        values = {path: _plain(self.labels[path][place]) for path in self.paths}
        name = {"name": self.labels["name"][place]} if "name" in self.labels else {}
        return {
            "values": values,
            **name,
            "finished": bool(np.isfinite(self.owing[place]).any()),
            "tracks": {
                name: {
                    "mean_net_settlement": _figures(self.mean[place, track]),
                    "probability_owing": _figures(self.owing[place, track]),
                    "required_guarantee": number(self.required[place, track]),
                    "probability_total_owed_exceeds_required": _figures(self.exceeds[place, track]),
                    "covering_amount": [
                        {"level": level, **_figures(self.covering[place, track, at])}
                        for at, level in enumerate(self.levels)
                    ],
                }
                for track, name in enumerate(self.tracks)
            },
        }


def _figures(values: Array) -> dict[str, Any]:
    return {name: number(value) for name, value in zip(FIGURES, values, strict=True)}


def _plain(value: Any) -> Any:
    return None if value == "" else number(value)


# --- tables -----------------------------------------------------------------------------------


def _heading(swept: _Swept) -> Iterator[RenderableType]:
    about = swept.about
    yield from of_whom(about)
    size = " x ".join(map(str, swept.shape)) + " = " if len(swept.shape) > 1 else ""
    seed = "" if "run.seed" in swept.paths else f", seed {about['seed']}"
    draws = "" if "run.draws" in swept.paths else f" of {counted(about['draws'], 'draw')}"
    yield Text(f"Sweep: {size}{counted(swept.size, 'point')}{draws}{seed}")
    if missing := about["points_unfinished"]:
        yield Text(f"{counted(missing, 'point')} of them not finished yet", style="bold")
    yield from how_to_read(about)
    heads = _heads(swept.paths)
    yield Text("Varied", style="bold")
    yield points(
        Text(clean(path) if head == path else f"{head}: {clean(path)}")
        for head, path in zip(heads, swept.paths, strict=True)
    )
    yield Text()


def _tables(swept: _Swept) -> Iterator[RenderableType]:
    varying = swept.varying
    money = Money.reaching(_largest(swept))
    level = _ANSWER if _ANSWER in swept.levels else swept.levels[-1]
    shown = _shown(swept.size, max(_LEAST_ROWS, _ROWS // max(len(varying), 1)))
    left = swept.size - len(shown)
    for track in varying:
        table = new_table(*_value_columns(swept))
        _add_figures(table, swept, level)
        before = -1
        for place in shown:
            if place > before + 1:
                table.add_row(Text("...", style="dim"))
            cells = _cells(swept, place, track, money, level)
            table.add_row(*_values(swept, place), *cells)
            before = place
        yield section(f"Track {clean(swept.tracks[track])}, {money.name}", table)
    same = [track for track in range(len(swept.tracks)) if track not in varying]
    if same:
        table = new_table("Track", [])
        _add_figures(table, swept, level)
        for track in same:
            cells = _cells(swept, 0, track, money, level)
            table.add_row(Text(clean(swept.tracks[track])), *cells)
        which = "Tracks that are" if varying else "Every track is"
        yield section(f"{which} the same at every point, {money.name}", table)
    yield Text(
        "Net: mean of the cash due at settlement. "
        f"{100 * level:g}%: the amount that covers the total owed with that probability. "
        "Fails: how often the total owed exceeds the required guarantee.",
        style="dim",
    )
    if left and varying:
        yield Text(
            f"{counted(left, 'more point')} in the store; it is read with "
            'xarray.open_datatree(PATH, engine="zarr"), or print all with --json.',
        )
    yield Text()


def _add_figures(table: Table, swept: _Swept, level: float) -> None:
    heads = ["Net", "P(owing)", f"{100 * level:g}%"]
    heads += [] if np.isnan(swept.required).all() else ["Fails"]
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)


def _cells(swept: _Swept, place: int, track: int, money: Money, level: float) -> list[Text]:
    """Figures of a track at a point, each with its error."""
    covering = _estimate(swept.covering[place, track, swept.levels.index(level)])
    cells = [
        *amount_column([_estimate(swept.mean[place, track])], money, refusal(30)),
        chance(_estimate(swept.owing[place, track])),
        *range_column([covering], money, refusal(draws_needed(level))),
    ]
    if not np.isnan(swept.required).all():
        cells.append(chance(_estimate(swept.exceeds[place, track])))
    return cells


def _estimate(values: Array) -> Estimate:
    return Estimate(*map(float, values))


def _largest(swept: _Swept) -> float:
    shown = np.concatenate([swept.mean[..., 0].ravel(), swept.covering[..., 0].ravel()])
    return float(np.abs(shown).max(initial=0.0, where=np.isfinite(shown)))


def _shown(size: int, rows: int) -> list[int]:
    """Places of the points that are shown: all, or the first and the last."""
    if size <= rows:
        return [*range(size)]
    return [*range(rows - rows // 2), *range(size - rows // 2, size)]


# --- what is swept ----------------------------------------------------------------------------


def _value_columns(swept: _Swept) -> tuple[str, Sequence[str]]:
    """Headers of the columns that say which point it is."""
    if not _has_columns(swept):
        return "Point", ()
    first, *others = _heads(swept.paths)
    return first, others


def _has_columns(swept: _Swept) -> bool:
    """Whether each value has a column of its own."""
    if "name" in swept.labels or len(swept.paths) > _COLUMNS:
        return False
    return all(len(_said(value)) <= _LONGEST for path in swept.paths for value in swept.given(path))


def _values(swept: _Swept, place: int) -> list[Text]:
    told = [_said(swept.labels[path][place]) for path in swept.paths]
    if "name" in swept.labels:
        return [Text(clean(swept.labels["name"][place]) or f"{place + 1:,}")]
    if _has_columns(swept):
        return [Text(each) for each in told]
    return [Text.assemble(f"{place + 1:,}\n", (", ".join(told), "dim"))]


def _heads(paths: Sequence[str]) -> list[str]:
    """Last components of paths, numbered where they would be the same."""
    last = [path.rpartition(".")[2] for path in paths]
    return [
        head if last.count(head) == 1 else f"{head} {last[: place + 1].count(head)}"
        for place, head in enumerate(map(clean, last))
    ]


def _said(value: object) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "-"
        return f"{value:,.0f}" if abs(value) >= _WHOLE and value.is_integer() else f"{value:,.6g}"
    if isinstance(value, bool):
        return str(value).lower()
    return clean(value) or "-"
