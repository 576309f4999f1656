"""How a portfolio is written: TOML with a table per entity, CSV with a line for each, or both."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from simdc.errors import InputError, Problem, nearest
from simdc.scenario.fields import Count, Name, Seed, refuse
from simdc.scenario.models import Model
from simdc.scenario.sentences import tell
from simdc.sweep.values import checked, parse_value, told_of

__all__ = ["EntityTable", "PortfolioFile", "read_file"]

_COLUMNS = ("name", "scenario", "track", "group")


def _file_name(name: str) -> str:
    if not (name and name.isprintable()):
        raise refuse("must be the name of a file")
    return name


FileName = Annotated[str, AfterValidator(_file_name)]


class RunTable(Model):
    """How much to simulate of every entity."""

    draws: Count | None = None
    """Number of draws; that of each scenario, which must then agree, if left out."""
    seed: Seed = 1
    """Key of the random numbers of the whole portfolio."""


class EntityTable(Model):
    """One entity."""

    name: Name
    """What it is called in the results; it also addresses the entity's random numbers."""
    scenario: FileName | None = None
    """Its scenario file, relative to the portfolio's folder."""
    track: str | None = None
    """The track it has elected; may be left out where the scenario has only one."""
    group: Name | None = None
    """Entities of a group are guaranteed together."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Settings that differ from the scenario's, by path."""


class PortfolioFile(Model):
    """A portfolio as it is written."""

    title: str = ""
    """Shown on top of every report."""
    scenario: FileName | None = None
    """Of entities that name none."""
    track: str | None = None
    """Likewise."""
    run: RunTable = RunTable()
    """How much to simulate."""
    entity: tuple[EntityTable, ...] = ()
    """One table for each entity."""
    table: FileName | None = None
    """A CSV file with more entities: ``name``, ``scenario``, ``track``, ``group``, and paths."""


def read_file(path: Path) -> tuple[PortfolioFile, str]:
    """Read a portfolio file and the table that it names.

    Parameters
    ----------
    path : Path
        A TOML file, or a CSV file with a column ``name``, a column ``scenario``, and whatever
        settings differ between entities.

    Returns
    -------
    written : PortfolioFile
        With the entities of the table last.
    sha256 : str
        Of both files.

    Raises
    ------
    InputError
        With a sentence for each problem, naming the entity or the line.
    """
    text = _read(path)
    digest = hashlib.sha256(text.encode())
    if path.suffix.lower() == ".csv":
        return PortfolioFile(entity=_rows(text, path)), digest.hexdigest()
    written = _parse(text, path)
    if written.table is not None:
        table = path.parent / written.table
        rows = _read(table)
        digest.update(rows.encode())
        written = written.model_copy(update={"entity": (*written.entity, *_rows(rows, table))})
    return written, digest.hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("there is no such file", file=path) from None
    except IsADirectoryError:
        raise InputError("is a folder; give the portfolio file in it", file=path) from None
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", file=path) from None
    except (OSError, ValueError) as error:  # among them a name that no file system takes
        raise InputError(f"cannot be read: {error}", file=path) from None


# --- TOML -------------------------------------------------------------------------------------


def _parse(text: str, path: Path) -> PortfolioFile:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not valid TOML: {error}", file=path) from None
    if "population" in document:
        raise InputError("is a scenario; a portfolio names some in [[entity]] tables", file=path)
    tables: dict[int, type[Any]] = {}
    try:
        written = PortfolioFile.model_validate(document, context=tables)
    except ValidationError as error:
        problems = [_named(problem, document) for problem in tell(error, document, tables)]
        raise InputError(problems, file=path) from None
    problems = [p for entity in written.entity for p in _refusals(entity)]
    if problems:
        raise InputError(problems, file=path)
    return written


def _named(problem: Problem, document: Mapping[str, Any]) -> Problem:
    """The problem with the name of its entity for ``entity[0]``, where it has one."""
    found = re.fullmatch(r"entity\[(\d+)\]\.?(.*)", problem.path)
    name = document["entity"][int(found[1])].get("name") if found else None
    if found is None or not isinstance(name, str):
        return problem
    return replace(problem, path=": ".join(filter(None, (f"entity '{name}'", found[2]))))


def _refusals(entity: EntityTable) -> Sequence[Problem]:
    """What is wrong with the settings of an entity, before anyone knows where they lead."""
    problems: list[Problem] = []
    for setting, value in entity.set.items():
        try:
            with told_of(f"entity '{entity.name}': set.{setting}"):
                if isinstance(value, Mapping) and "." not in setting:  # without its quotes
                    raise InputError(
                        'write the path in quotes, such as "track.global.rules.discount" = 0.05'
                    )
                checked(value)
        except InputError as error:
            problems += error.problems
    return problems


# --- CSV --------------------------------------------------------------------------------------


def _rows(text: str, file: Path) -> tuple[EntityTable, ...]:
    """Entities of a CSV file, one in each line that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    problems: list[Problem] = []
    entities = []
    try:
        columns = [column.strip() for column in next(reader, [])]
        _check_columns(columns, file)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                try:
                    entities.append(_row(columns, cells))
                except InputError as error:
                    problems += [replace(each, line=reader.line_num) for each in error.problems]
    except csv.Error as error:
        raise InputError(
            Problem(f"not valid CSV: {error}", line=reader.line_num), file=file
        ) from None
    if problems:
        raise InputError(problems, file=file)
    return tuple(entities)


def _check_columns(columns: Sequence[str], file: Path) -> None:
    problems = [
        Problem(
            f"there is no such column; there are {', '.join(_COLUMNS)}, and paths of settings such "
            "as track.global.rules.discount",
            f"column '{column}'",
            suggestion=nearest(column, _COLUMNS),
        )
        for column in columns
        if column not in _COLUMNS and "." not in column
    ]
    problems += [
        Problem("stands there twice", f"column '{column}'")
        for place, column in enumerate(columns)
        if column in columns[:place]
    ]
    if not problems and "name" not in columns:
        problems = [Problem("the first line must name the columns, among them 'name'")]
    if problems:
        raise InputError([replace(problem, line=1) for problem in problems], file=file)


def _row(columns: Sequence[str], cells: Sequence[str]) -> EntityTable:
    if len(cells) != len(columns):
        raise InputError(
            f"the number of cells, {len(cells)}, is not that of the first line, {len(columns)}"
        )
    given = {c: cell.strip() for c, cell in zip(columns, cells, strict=True) if cell.strip()}
    own: dict[str, Any] = {column: given.pop(column) for column in _COLUMNS if column in given}
    where = f"entity '{own['name']}'" if "name" in own else ""
    settings = {}
    for column, cell in given.items():
        with told_of(f"{where}: {column}" if where else column):
            settings[column] = parse_value(cell)
    tables: dict[int, type[Any]] = {}
    document = {**own, "set": settings}
    try:
        return EntityTable.model_validate(document, context=tables)
    except ValidationError as error:
        raise InputError(tell(error, document, tables)) from None
