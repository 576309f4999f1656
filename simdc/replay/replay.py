"""From a published file to a report of what its rows come to under the program's rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simdc.errors import InputError
from simdc.programs import Program, load_program
from simdc.replay.direct_contracting import READER as DIRECT_CONTRACTING
from simdc.replay.judge import Mismatch, Tally
from simdc.replay.recomputed import Reader, Recomputed
from simdc.replay.shared_savings import READER as SHARED_SAVINGS
from simdc.replay.sheet import Column, Sheet
from simdc.replay.table import Damage, read_table

__all__ = ["PROGRAMS", "PublishedRows", "Report", "read_rows", "replay"]

PROGRAMS = ("gpdc", "reach", "mssp")
"""Programs whose results are published row by row."""

_READERS = (DIRECT_CONTRACTING, SHARED_SAVINGS)
_OTHER = 0  # stands for any performance year that is not to be replayed
_HINTS = {"direct_contracting": "gpdc or reach", "shared_savings": "mssp"}


@dataclass(frozen=True)
class Report:
    """What a replay found.

    Attributes
    ----------
    file, program : str
        What was replayed.
    rows : int
        Rows of the file, those that could not be used included.
    groups : mapping of (int, str) to int
        Rows recomputed by performance year and option.
    checks : mapping of str to Tally
        Outcome of ``gross``, ``shared`` and ``paid``.
    sources : mapping of str to str
        The published column behind each check.
    mismatches : tuple of Mismatch
        Every figure that agrees neither within $1 nor within the rounding of the inputs.
    unchecked : mapping of str to mapping of str to int
        By check, why how many rows could not be checked.
    damage : tuple of Damage
        Rows and cells that could not be used.
    missing : mapping of str to str
        Columns that the file does not have, and what cannot be checked without them.
    notes : tuple of str
        How entries were read that could be read otherwise.
    information : mapping
        Findings that are no settlement step.
    """

    file: str
    program: str
    rows: int
    groups: Mapping[tuple[int, str], int]
    checks: Mapping[str, Tally]
    sources: Mapping[str, str]
    mismatches: tuple[Mismatch, ...]
    unchecked: Mapping[str, Mapping[str, int]]
    damage: tuple[Damage, ...]
    missing: Mapping[str, str]
    notes: tuple[str, ...]
    information: Mapping[str, Mapping[str, Any]]


def replay(path: Path, program_name: str, year: int | None = None) -> Report:
    """Recompute a published results file row by row.

    Parameters
    ----------
    path : Path
        Table of results, one row per entity and performance year, as CMS and others publish it.
    program_name : {'gpdc', 'reach', 'mssp'}
        The program whose rules apply.
    year : int, optional
        Performance year, for a file that does not state it; selects rows of one that does.

    Returns
    -------
    Report
        Counts, totals, every mismatch, and an account of what could not be checked.

    Raises
    ------
    InputError
        If the file cannot be read, is of another program or year, or holds nothing to check.
    """
    published = read_rows(path, program_name, year)
    program, reader, sheet = published.program, published.reader, published.sheet
    of_year, of_option = published.years, published.options
    recomputed = reader.recompute(program, sheet, of_year, of_option)
    if not any(check.checked.any() for check in recomputed.checks):
        why = recomputed.unchecked(0, "gross")
        raise InputError(f"nothing can be checked: {why}", file=path)
    return Report(
        file=str(path),
        program=program.name,
        rows=published.rows,
        groups=dict(sorted(Counter(zip(of_year, of_option, strict=True)).items())),
        checks={check.step: check.tally() for check in recomputed.checks},
        sources={check.step: check.source for check in recomputed.checks},
        mismatches=_mismatches(recomputed, sheet, of_year, of_option),
        unchecked=_unchecked(recomputed),
        damage=tuple(sorted(sheet.damage, key=lambda damage: damage.line)),
        missing={
            sheet.name(key): lost for key, lost in reader.needed.items() if not sheet.has(key)
        },
        notes=tuple(sheet.notes),
        information=recomputed.information,
    )


@dataclass(frozen=True, eq=False)
class PublishedRows:
    """The rows of a results file that a program's rules apply to.

    Attributes
    ----------
    program : Program
    reader : Reader
        Of the program's family.
    sheet : Sheet
        The rows, and an account of what in the file cannot be used.
    years : list of int
        Performance year of each row.
    options : list of str
        Option or track of each row.
    rows : int
        Rows of the file, those that could not be used included.
    """

    program: Program
    reader: Reader
    sheet: Sheet
    years: list[int]
    options: list[str]
    rows: int


def read_rows(
    path: Path,
    program_name: str,
    year: int | None = None,
    *,
    further: Mapping[str, Column] | None = None,
) -> PublishedRows:
    """Read a results file without recomputing anything.

    Parameters
    ----------
    path, program_name, year
        As for `replay`.
    further : mapping of str to Column, optional
        Columns to find besides those that a replay needs.

    Raises
    ------
    InputError
        If the file cannot be read, or is of another program or year.
    """
    if program_name not in PROGRAMS:
        raise InputError(
            f"results are published for the programs {', '.join(PROGRAMS)}, not '{program_name}'"
        )
    program = load_program(program_name)
    reader = next(each for each in _READERS if program.family == each.family)
    known = {name for each in _READERS for column in each.columns.values() for name in column.names}
    sheet = Sheet(read_table(path, known), {**reader.columns, **(further or {})})
    _refuse_other_program(sheet, reader)
    years = _years(sheet, path, program, year)
    of_other_years = years.count(_OTHER)
    rows = len(sheet) + len(sheet.table.damage) - of_other_years
    sheet, of_year, of_option = _usable(sheet, years, reader, program)
    return PublishedRows(program, reader, sheet, of_year, of_option, rows)


def _refuse_other_program(sheet: Sheet, reader: Reader) -> None:
    """Refuse a file without any of the program's own columns, naming whose they are."""
    if any(sheet.has(key) for key in reader.signature):
        return
    expected = ", ".join(reader.columns[key].name for key in reader.signature)
    for other in _READERS:
        theirs = Sheet(sheet.table, other.columns)
        if any(theirs.has(key) for key in other.signature):
            raise InputError(
                f"holds results of another program; replay it with --program "
                f"{_HINTS[other.family]}",
                file=sheet.table.path,
            )
    raise InputError(
        f"is no results file of this program: it has none of the columns {expected}",
        file=sheet.table.path,
    )


def _years(sheet: Sheet, path: Path, program: Program, year: int | None) -> tuple[int | None, ...]:
    """Performance year of each row: None where it cannot be read, `_OTHER` if it is not wanted."""
    stated = sheet.years("year")
    if all(each is None for each in stated):
        year = _year_of_file(sheet, path) if year is None else year
        program.matching(year)  # refuses a year that the program does not hold
        return (year,) * len(stated)
    for row, each in enumerate(stated):
        if each is None:
            sheet.remark(row, "year", sheet.texts("year")[row], "is no performance year")
    found = sorted({each for each in stated if each is not None})
    if year is not None and year not in found:
        held = f"column {sheet.name('year')} holds {', '.join(map(str, found))}"
        raise InputError(f"has no rows of {year}: {held}", file=path)
    wanted = set(program.years) if year is None else {year}
    if not wanted.intersection(found, program.years):
        program.matching(found[0] if year is None else year)
    if others := [each for each in found if each not in wanted]:
        sheet.notes.append(
            f"Rows of {', '.join(map(str, others))} are left out: "
            + (f"{year} was asked for." if year else f"'{program.name}' does not hold these years.")
        )
    return tuple(each if each is None or each in wanted else _OTHER for each in stated)


def _year_of_file(sheet: Sheet, path: Path) -> int:
    """The one year in the file's name, for a file that has no column of it."""
    found = set(re.findall(r"(?<!\d)20\d\d(?!\d)", path.name))
    if len(found) != 1:
        raise InputError("does not state its performance year; give it with --year", file=path)
    year = int(found.pop())
    sheet.notes.append(f"The file states no performance year; {year} is taken from its name.")
    return year


def _usable(
    sheet: Sheet, years: Sequence[int | None], reader: Reader, program: Program
) -> tuple[Sheet, list[int], list[str]]:
    """The rows with a year and an option that the program had then, with both.

    The others, unless they are merely of another year, are entered as damage.
    """
    options, columns = reader.option_of(sheet)
    where = f" in {columns}" if columns else ""
    refusals: dict[tuple[int, str], str] = {}
    usable: list[tuple[int, int, str]] = []
    for row, (year, option) in enumerate(zip(years, options, strict=True)):
        if year is None or year == _OTHER:
            continue
        if option is None:
            given = sheet.texts(reader.option)[row]
            sheet.remark(row, "", given, f"no option of '{program.name}' is stated{where}")
            continue
        if (year, option) not in refusals:
            refusals[year, option] = _refusal(program, year, option)
        if refusals[year, option]:
            sheet.remark(row, "", option, refusals[year, option])
            continue
        usable.append((row, year, option))
    if not usable:
        first = f"; the first, {sheet.damage[0]}" if sheet.damage else ""
        raise InputError(f"no row can be replayed{first}", file=sheet.table.path)
    rows, of_year, of_option = zip(*usable, strict=True)
    return sheet.select(rows), list(of_year), list(of_option)


def _refusal(program: Program, year: int, option: str) -> str:
    """Why a program has no such option that year; empty if it has."""
    try:
        program.rules(year, option)
    except InputError as error:
        return error.problems[0].message
    return ""


def _mismatches(
    recomputed: Recomputed, sheet: Sheet, years: Sequence[int], options: Sequence[str]
) -> tuple[Mismatch, ...]:
    """Every figure that was checked and does not match, in the order of the file."""
    return tuple(
        Mismatch(
            row=sheet.ids[row],
            line=sheet.table.lines[row],
            year=years[row],
            option=options[row],
            step=check.step,
            published=float(check.published[row]),
            computed=float(check.computed[row]),
            reason=recomputed.reason(row, check.step),
        )
        for row in range(len(sheet))
        for check in recomputed.checks
        if check.checked[row] and not check.matched[row]
    )


def _unchecked(recomputed: Recomputed) -> dict[str, dict[str, int]]:
    """By check, why how many rows could not be checked."""
    return {
        check.step: dict(
            Counter(
                recomputed.unchecked(int(row), check.step) for row in np.flatnonzero(~check.checked)
            )
        )
        for check in recomputed.checks
    }
