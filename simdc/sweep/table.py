"""Points of a sweep from a file: CSV with a header of paths, or TOML with a table for each."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from simdc.errors import InputError, Problem
from simdc.scenario.sentences import quote
from simdc.sweep.design import Axis, Design, counted
from simdc.sweep.paths import Path
from simdc.sweep.places import read, refuse_overlap
from simdc.sweep.values import MOST, checked, parse_value, told_of

__all__ = ["from_table"]

_POINT = "point"
_NAME = "name"


def from_table(document: Mapping[str, Any], file: FilePath) -> Design:
    """Points from a file.

    Parameters
    ----------
    document : mapping
        Of the scenario.
    file : path-like
        A CSV file whose header names paths, or a TOML file with a table ``[[point]]`` for each,
        its keys paths in quotes. A column ``name`` names the points. What a point leaves empty
        stays as the scenario has it.

    Raises
    ------
    InputError
        If the file cannot be read or is no such table, naming the row.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=file) from None
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", file=file) from None
    try:
        columns, rows = (_read_toml if file.suffix.lower() == ".toml" else _read_csv)(text)
        return _of_rows(document, columns, rows)
    except InputError as error:
        raise InputError(error.problems, file=file) from None


@dataclass(frozen=True)
class _Row:
    """One point as the file has it: its line or its place, and its values by column."""

    values: Mapping[str, object]
    line: int = 0
    place: str = ""

    def refusal(self, message: str, given: object) -> InputError:
        return InputError(Problem(message, self.place, quote(given), line=self.line))


def _of_rows(document: Mapping[str, Any], columns: Sequence[str], rows: Sequence[_Row]) -> Design:
    by_path = {Path.parse(column): column for column in columns if column != _NAME}
    if not by_path:
        raise InputError("has no column that is the path of a setting")
    if len(by_path) + (_NAME in columns) < len(columns):
        raise InputError("names a path in two columns")
    refuse_overlap(document, by_path)
    if not 0 < len(rows) <= MOST:
        raise InputError(f"must have 1 to {MOST:,} points")
    axes = []
    for path, column in by_path.items():
        own = read(document, path)
        axes.append(Axis(path, tuple(row.values.get(column, own) for row in rows)))
    return Design("table", tuple(axes), _names(rows))


def _names(rows: Sequence[_Row]) -> tuple[str, ...]:
    """Names of the points, none if no point has one."""
    names: list[str] = []
    seen = set()
    for row in rows:
        name = row.values.get(_NAME, "")
        if not isinstance(name, str):
            raise row.refusal("the name of a point must be text", name)
        if name in seen:
            raise row.refusal("an earlier point has the same name", name)
        names.append(name)
        seen.update([name] if name else [])
    return tuple(names) if seen else ()


def _read_csv(text: str) -> tuple[list[str], list[_Row]]:
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        columns = [column.strip() for column in next(reader, [])]
        if not all(columns):
            raise InputError("every column needs a path in the first line")
        rows = [
            _csv_row(columns, cells, reader.line_num)
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise InputError(Problem(f"not valid CSV: {error}", line=reader.line_num)) from None
    return columns, rows


def _csv_row(columns: Sequence[str], cells: Sequence[str], line: int) -> _Row:
    if len(cells) != len(columns):
        has = counted(cells, "cell")
        raise InputError(Problem(f"has {has}; the first line has {len(columns)}", line=line))
    values: dict[str, object] = {}
    for column, cell in zip(columns, cells, strict=True):
        if cell.strip():
            with told_of(column, line):
                values[column] = cell.strip() if column == _NAME else parse_value(cell)
    return _Row(values, line)


def _read_toml(text: str) -> tuple[list[str], list[_Row]]:
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not valid TOML: {error}") from None
    points = table.pop(_POINT, None)
    if table or not isinstance(points, list) or not all(isinstance(p, dict) for p in points):
        raise InputError("must hold tables headed [[point]] and nothing else")
    rows = [_toml_row(values, f"point[{place}]") for place, values in enumerate(points)]
    columns = dict.fromkeys(column for row in rows for column in row.values)
    return list(columns), rows


def _toml_row(values: Mapping[str, object], place: str) -> _Row:
    for column, value in values.items():
        with told_of(f"{place}.{column}"):
            if isinstance(value, Mapping) and "." not in column:  # a path without its quotes
                raise InputError('write the path in quotes, such as "run.seed" = 3')
            checked(value)
    return _Row(values, place=place)
