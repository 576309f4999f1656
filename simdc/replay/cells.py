"""What one cell of a published table says, in the ways CMS and its republishers write it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

__all__ = ["Cell", "State", "places", "read_cell", "read_flag"]


class State(Enum):
    """Whether a cell holds a figure, and if not, why."""

    NUMBER = "a number"
    ABSENT = "no such column"
    BLANK = "blank"
    NOT_APPLICABLE = "not applicable"
    SUPPRESSED = "suppressed"
    DAMAGED = "no usable number"
    UNCLEAR = "neither a fraction nor a percentage, to judge by its column"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as read.

    Attributes
    ----------
    text : str
        As written.
    state : State
        What kind of entry it is.
    value : float
        The number as written, before any percent sign is applied; NaN where there is none.
    places : int
        Digits printed after the point, negative for a number like 1.2E9.
    percent : bool
        Whether it carries a percent sign.
    """

    text: str
    state: State
    value: float = math.nan
    places: int = 0
    percent: bool = False


_BLANK = {"", ".", "nan", "null", "none", "missing"}
_NOT_APPLICABLE = {"-", "--", "–", "—", "n/a", "na", "not applicable", "p4r", "pay for reporting"}
_SUPPRESSED = {"*", "**", "***", "^", "suppressed"}
_NOTHING = {"$-", "$--"}  # how spreadsheets print a zero in accounting format
_NUMBER = re.compile(
    r"(?P<sign>[-+]?)(?P<whole>\d{1,3}(?:,\d{3})+|\d*)(?:\.(?P<part>\d*))?(?:e(?P<power>[-+]?\d+))?"
)
_MOST_DIGITS = 12  # more are left over from binary fractions: 0.30000000000000004
_MOST = 1e15  # no amount in dollars, and certainly no rate, comes near it
_YES = {"1", "yes", "y", "true", "t", "x"}
_NO = {"0", "no", "n", "false", "f"}


def read_cell(text: str) -> Cell:
    """Read a number with or without ``$``, thousands commas, percent sign or parentheses."""
    plain = text.strip().lower()
    for state, marks in (
        (State.BLANK, _BLANK),
        (State.NOT_APPLICABLE, _NOT_APPLICABLE),
        (State.SUPPRESSED, _SUPPRESSED),
    ):
        if plain in marks:
            return Cell(text, state)
    plain = re.sub(r"\s", "", plain).replace("−", "-")
    if plain in _NOTHING:
        return Cell(text, State.NUMBER, 0.0)
    plain = plain.replace("$", "", 1)
    in_parentheses = plain.startswith("(") and plain.endswith(")")
    if in_parentheses:
        plain = plain[1:-1]
    percent = plain.endswith("%")
    plain = plain.removesuffix("%")
    match = _NUMBER.fullmatch(plain)
    if match is None or not (match["whole"] or match["part"]):
        return Cell(text, State.DAMAGED)
    value = float(plain.replace(",", ""))
    if not abs(value) < _MOST:
        return Cell(text, State.DAMAGED)
    return Cell(text, State.NUMBER, -value if in_parentheses else value, _places(match), percent)


def _places(match: re.Match[str]) -> int:
    """Digits after the point, without those that only binary arithmetic has put there."""
    whole = match["whole"].replace(",", "").lstrip("0")
    part = match["part"] or ""
    kept = part
    significant = len(whole + part) if whole else len(part.lstrip("0"))
    if significant > _MOST_DIGITS:
        number = float(f"{whole or '0'}.{part or '0'}")
        digits = _MOST_DIGITS - (len(whole) if whole else len(part.lstrip("0")) - len(part))
        kept = f"{number:.{max(digits, 0)}f}".partition(".")[2].rstrip("0")
    return len(kept) - int(match["power"] or 0)


def places(cells: Sequence[Cell]) -> int:
    """Digits after the point to which a column is printed.

    The finest cell speaks for all, because tools drop zeros at the end of a number. A column in
    which every number ends in ``.0`` was whole before a tool made it floating.
    """
    finest = max((cell.places for cell in cells), default=0)
    if finest == 1 and all(cell.value == round(cell.value) for cell in cells):
        return 0
    return finest


def read_flag(text: str) -> bool | None:
    """True for 1, yes, Y and the like, False for their opposites, else None."""
    plain = text.strip().lower().removesuffix(".0")
    if plain in _YES:
        return True
    return False if plain in _NO else None
