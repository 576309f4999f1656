"""A published table as text: encoding, separator, header, and rows that are as long as it."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from simdc.errors import InputError

__all__ = ["Damage", "Table", "plain_name", "read_table"]

_SEPARATORS = ",\t;|"
_LINES_BEFORE_HEADER = 20  # titles and notes that some republishers put on top
_WORKBOOK = b"PK\x03\x04"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Damage:
    """One place of the file that cannot be used.

    Attributes
    ----------
    line : int
        Line of the file, counted from 1.
    row : str
        Identifier of the entity, where it could be read.
    column : str
        Column, or empty for the whole row.
    given : str
        What stands there.
    problem : str
        What is wrong with it.
    """

    line: int
    row: str
    column: str
    given: str
    problem: str

    def __str__(self) -> str:
        where = f"line {self.line}" + (f", {self.row}" if self.row else "")
        what = f", {self.column}" if self.column else ""
        given = f" (given '{self.given}')" if self.given else ""
        return f"{where}{what}: {self.problem}{given}"


@dataclass(frozen=True)
class Table:
    """Header and rows of a file.

    Attributes
    ----------
    path : Path
        The file.
    header : tuple of str
        Column names as written.
    rows : tuple of tuple of str
        Cells as written; every row is as long as the header.
    lines : tuple of int
        Line of the file on which each row ends.
    damage : tuple of Damage
        Rows that were left out.
    """

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    damage: tuple[Damage, ...]


def plain_name(name: str) -> str:
    """A column's name without case, blanks and punctuation; ``+`` is kept, as in Track 1+."""
    return re.sub(r"[^a-z0-9+]", "", name.lower())


def read_table(path: Path, known: Collection[str]) -> Table:
    """Read a table of comma, tab, semicolon or bar separated values.

    Parameters
    ----------
    path : Path
        The file.
    known : collection of str
        Plain names of columns by which the header is told from titles above it.

    Raises
    ------
    InputError
        If the file is missing, not text, empty, or without rows.
    """
    text = _read_text(path)
    if not text.strip():
        raise InputError("is empty", file=path)
    records = _records(text, path)
    header_at = _find_header(records, known)
    header = tuple(name.strip() for name in records[header_at][1])
    rows, lines, damage = [], [], []
    for line, record in records[header_at + 1 :]:
        fitted = _fitted(record, len(header))
        if fitted is None:
            problem = f"the row has {len(record)} fields and the header {len(header)}"
            damage.append(Damage(line, record[0].strip()[:40], "", "", problem))
        elif tuple(map(plain_name, fitted)) == tuple(map(plain_name, header)):
            damage.append(Damage(line, "", "", "", "the header stands here again"))
        else:
            rows.append(fitted)
            lines.append(line)
    if not rows and not damage:
        raise InputError("has a header and no rows", file=path)
    return Table(path, header, tuple(rows), tuple(lines), tuple(damage))


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError("there is no such file", file=path) from None
    except IsADirectoryError:
        raise InputError("is a folder, not a results file", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from None
    if content.startswith(_WORKBOOK):
        raise InputError("is a workbook or an archive; save its table as CSV", file=path)
    if content.startswith(_UTF16):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise InputError("is not text, so no results file", file=path) from None
    if any(byte < 32 and byte not in b"\t\n\r\f\x1a" for byte in content):
        raise InputError("is not text, so no results file; save the table as CSV", file=path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _records(text: str, path: Path) -> list[tuple[int, list[str]]]:
    """Rows that are not blank, each with its line, split where the head of the file splits most."""
    head = text.splitlines()[:_LINES_BEFORE_HEADER]
    separator = max(_SEPARATORS, key=lambda mark: max(line.count(mark) for line in head))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"cannot be read as CSV: {error}", file=path) from None


def _find_header(records: Sequence[tuple[int, list[str]]], known: Collection[str]) -> int:
    """The row, among the first, with the most names that are known."""
    counts = [
        sum(plain_name(cell) in known for cell in row) for _, row in records[:_LINES_BEFORE_HEADER]
    ]
    return counts.index(max(counts))


def _fitted(record: Sequence[str], length: int) -> tuple[str, ...] | None:
    """The row cut to the header, if only blank cells go; None if it is of another length."""
    if len(record) < length or any(cell.strip() for cell in record[length:]):
        return None
    return tuple(record[:length])
