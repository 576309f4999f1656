"""Tracks of the Shared Savings Program, by whatever name a results file gives them."""

from __future__ import annotations

import re

import numpy as np

from simdc.replay.cells import read_flag
from simdc.replay.sheet import Sheet

__all__ = ["option_of"]

_CODES = {
    "1": "track-1",
    "1+": "track-1-plus",
    "2": "track-2",
    "3": "track-3",
    **{letter: f"basic-{letter}" for letter in "abcde"},
    "en": "enhanced",
    "enh": "enhanced",
    "enhanced": "enhanced",
}
_WORDS = re.compile(r"current|basic|track|level|glide|path|model|option|aco|[^a-z0-9+]")
_FLAG_COLUMN = re.compile(r"(current|track|basic|enhanced)", re.IGNORECASE)


def option_of(sheet: Sheet) -> tuple[tuple[str | None, ...], str]:
    """Each row's option, None where it is not known; and the columns it was read from.

    A column of text is read first: E, EN, 1+, BASIC Level E, Track 3. What it leaves open is read
    from columns of zeros and ones, such as Current_Track_1_Plus, BASIC_A or Track2, of which
    exactly one must be set.
    """
    from_text = tuple(_code(text) for text in sheet.texts("track"))
    flags = {
        position: option
        for position, name in enumerate(sheet.table.header)
        if _FLAG_COLUMN.match(name)
        and position != sheet.places.get("track")
        and (option := _code(name)) is not None
    }
    names = [sheet.name("track")] if sheet.has("track") else []
    names += [sheet.table.header[position] for position in flags]
    if not flags:
        return from_text, ", ".join(names)
    set_flags = np.array([_flags(row, flags) for row in sheet.table.rows], dtype=bool)
    only = list(flags.values())
    from_flags = tuple(
        only[int(np.argmax(row))] if row.sum() == 1 else None
        for row in set_flags.reshape(-1, len(flags))
    )
    both = zip(from_text, from_flags, strict=True)
    return tuple(text or flag for text, flag in both), ", ".join(names)


def _flags(row: tuple[str, ...], flags: dict[int, str]) -> list[bool]:
    return [read_flag(row[position]) is True for position in flags]


def _code(text: str) -> str | None:
    """The option that a name stands for: what is left of it without words that say nothing."""
    plain = text.lower()
    if "enhanced" in plain:
        return "enhanced"
    # Remarks in parentheses, as in "E (two-sided)", and the .0 of a number made floating go first.
    plain = re.sub(r"\(.*?\)", "", plain).strip().removesuffix(".0")
    left = _WORDS.sub("", plain.replace("plus", "+"))
    return _CODES.get(left)
