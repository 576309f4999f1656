"""Values of a swept setting as they are written on the command line.

Each value is written as in TOML: ``0.02``, ``true``, ``"text"``, ``[1, 2]``, ``{ pbpm = 30 }``; a
plain word needs no quotes. ``0.01:0.05:0.01``, ``lin(0,1,11)`` and ``log(1e5,1e7,5)`` stand for
several numbers.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any

from simdc.errors import InputError, Problem, nearest
from simdc.scenario.sentences import quote

__all__ = [
    "DISTRIBUTIONS",
    "MOST",
    "as_call",
    "as_toml",
    "checked",
    "parse_value",
    "parse_values",
    "split",
    "told_of",
]

MOST = 1_000_000
"""Most values of a setting, and most points of a sweep."""

DISTRIBUTIONS = (
    "uniform",
    "loguniform",
    "normal",
    "triangular",
    "beta",
    "integers",
    "choice",
)
"""Ranges to draw from, which only a sample understands."""

_TOKEN = re.compile(r""""(?:[^"\\]|\\.)*"?|'[^']*'?|[^"',(){}\[\]]+|.""", re.DOTALL)
_WORD = re.compile(r"[^\W\d_][\w &.+-]*")
_RANGE = re.compile(r"""[^"'\[{(]*:[^"'\[{(]*""")
_NUMBER = re.compile(r"[+-]?\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_CALL = re.compile(r"\s*(\w+)\s*\((.*)\)\s*", re.DOTALL)
_LONGEST_NUMBER = 40  # characters, so that exact arithmetic stays short
_DEEPEST = 16  # lists within lists
_DIGITS = 100  # of exact arithmetic


@contextmanager
def told_of(where: str, line: int = 0) -> Iterator[None]:
    """Say of whatever is refused within where it stands."""
    try:
        yield
    except InputError as error:
        placed = [replace(problem, path=where, line=line) for problem in error.problems]
        raise InputError(placed) from None


# --- reading ----------------------------------------------------------------------------------


def parse_values(text: str) -> tuple[object, ...]:
    """The values of a setting, separated by commas.

    Returns
    -------
    tuple
        Of what `tomllib` would give. Ranges are exact in decimals: ``0.01:0.05:0.01`` ends with
        0.05, and gives integers where start and step are written as such.

    Raises
    ------
    InputError
        For text that is no value, no value at all, more than `MOST`, nan, or a value given twice.
    """
    values: list[object] = []
    for piece in split(text):
        values += _several(piece)
        if len(values) > MOST:
            raise InputError(Problem(f"gives more than {MOST:,} values", "", quote(text)))
    seen = set()
    for value in values:
        if (key := _comparable(value)) in seen:
            raise InputError(Problem("gives a value twice", "", as_toml(value)))
        seen.add(key)
    return tuple(values)


def parse_value(text: str) -> object:
    """One value as in TOML, or a plain word.

    Raises
    ------
    InputError
        If it is neither, or as `checked`.
    """
    written = text.strip()
    try:
        table = tomllib.loads(f"value = {written}")
    except (ValueError, RecursionError):  # among them a number beyond Python's limits
        table = {}
    if table.keys() == {"value"}:
        return checked(table["value"])
    if written.lower() in ("nan", "inf", "true", "false"):
        raise InputError(
            Problem("inf, true and false are written in lower case", "", quote(written))
        )
    if _WORD.fullmatch(written) and written.isprintable():
        return written
    message = 'must be a number, true, false, a word, or as in TOML "text", [list] or { table }'
    raise InputError(Problem(message, "", quote(written)))


def checked(value: object) -> object:
    """A value from TOML, unless no setting can have it.

    Raises
    ------
    InputError
        For nan, and for lists within lists beyond any use.
    """
    if _deeper(value, _DEEPEST):
        raise InputError("a value holds lists or tables within one another without end")
    if _has_nan(value):
        raise InputError(Problem("nan is no value of a setting", "", as_toml(value)))
    return value


def split(text: str) -> list[str]:
    """Text between commas that stand outside of quotes and brackets.

    Raises
    ------
    InputError
        If there is nothing between two commas or nothing at all.
    """
    commas, depth = [-1], 0
    for found in _TOKEN.finditer(text):
        token = found[0]
        depth += (token in "([{") - (token in ")]}")
        if token == "," and depth <= 0:
            commas.append(found.start())
    pieces = [text[comma + 1 : end] for comma, end in pairwise([*commas, len(text)])]
    if not all(piece.strip() for piece in pieces):
        raise InputError(Problem("a value is missing", "", quote(text)))
    return pieces


def as_call(text: str) -> tuple[str, str] | None:
    """Name and arguments of what is written as ``name(arguments)``, else None."""
    found = _CALL.fullmatch(text)
    return (found[1], found[2]) if found else None


def _several(piece: str) -> Sequence[object]:
    if call := as_call(piece):
        return _called(*call)
    if _RANGE.fullmatch(piece):
        return _range(piece)
    return (parse_value(piece),)


def _deeper(value: object, levels: int) -> bool:
    return levels < 0 or any(_deeper(below, levels - 1) for below in _below(value))


def _has_nan(value: object) -> bool:
    return value != value or any(map(_has_nan, _below(value)))


def _below(value: object) -> Iterable[object]:
    """What a list or a table holds."""
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def _comparable(value: Any) -> object:
    """A key that is equal for equal values: 1 and 1.0 are, 1 and true are not."""
    if isinstance(value, Mapping):
        return frozenset((key, _comparable(below)) for key, below in value.items())
    if isinstance(value, list):
        return tuple(map(_comparable, value))
    return (isinstance(value, bool), value)


# --- several numbers at once ------------------------------------------------------------------


def _range(text: str) -> Sequence[int | float]:
    """``start:stop:step``, with the stop where the steps meet it."""
    parts = text.split(":")
    if len(parts) != 3:
        raise InputError(
            Problem("must be start:stop:step, such as 0.01:0.05:0.01", "", quote(text))
        )
    start, stop, step = (_decimal(part, text) for part in parts)
    with localcontext(prec=_DIGITS):
        if not step or (stop - start) / step < 0:
            raise InputError(
                Problem("must have a step that leads from its start to its stop", "", quote(text))
            )
        steps = (stop - start) / step
        if steps >= MOST:
            raise InputError(Problem(f"gives more than {MOST:,} values", "", quote(text)))
        whole = parts[0].strip("+-_0123456789 ") == parts[2].strip("+-_0123456789 ") == ""
        kind = int if whole else float
        return [kind(start + place * step) for place in range(int(steps) + 1)]


def _called(name: str, arguments: str) -> Sequence[object]:
    text = f"{name}({arguments})"
    if name in DISTRIBUTIONS:
        raise InputError(
            Problem(
                "is a range to draw from and needs --sample, such as --sample sobol:256",
                "",
                quote(text),
            )
        )
    if name not in _SPACINGS:
        raise InputError(
            Problem(
                "must be values, start:stop:step, lin(first,last,count) or log(first,last,count)",
                "",
                quote(text),
                nearest(name, (*_SPACINGS, *DISTRIBUTIONS)),
            )
        )
    numbers = [_decimal(part, text) for part in split(arguments)]
    if len(numbers) != 3 or not (2 <= numbers[2] <= MOST and numbers[2] == int(numbers[2])):
        raise InputError(
            Problem(
                f"must be {name}(first,last,count) with a whole count of 2 to {MOST:,}",
                "",
                quote(text),
            )
        )
    first, last, count = numbers
    if name == "log" and not min(float(first), float(last)) > 0:
        raise InputError(Problem("must have its first and last above 0", "", quote(text)))
    return _SPACINGS[name](first, last, int(count))


def _decimal(text: str, whole: str) -> Decimal:
    """A number kept exactly as it is written."""
    written = text.strip()
    if len(written) <= _LONGEST_NUMBER and _NUMBER.fullmatch(written):
        number = Decimal(written.replace("_", ""))
        if math.isfinite(float(number)):
            return number
    message = f"must be made of finite numbers, of which {quote(written)} is none"
    raise InputError(Problem(message, "", quote(whole)))


def _even(first: Decimal, last: Decimal, count: int) -> list[float]:
    with localcontext(prec=_DIGITS):
        return [float(first + (last - first) * place / (count - 1)) for place in range(count)]


def _even_ratios(first: Decimal, last: Decimal, count: int) -> list[float]:
    """Through powers of ten, which are the exact ones where both ends are."""
    low, high = (math.log10(end) for end in (first, last))
    inner = [10 ** (low + (high - low) * place / (count - 1)) for place in range(1, count - 1)]
    return [float(first), *inner, float(last)]


_SPACINGS: Mapping[str, Callable[[Decimal, Decimal, int], list[float]]] = {
    "lin": _even,
    "log": _even_ratios,
}


# --- writing ----------------------------------------------------------------------------------


def as_toml(value: object) -> str:
    """A value as TOML writes it in one line."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case Mapping():
            entries = (f"{_written_key(key)} = {as_toml(v)}" for key, v in value.items())
            return f"{{ {', '.join(entries)} }}"
        case list() | tuple():
            return f"[{', '.join(map(as_toml, value))}]"
        case _:
            return str(value)


def _written_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _quoted(key)


def _quoted(text: str) -> str:
    """Text in quotes in which every character shows, those that do not by their number."""
    return '"' + "".join(map(_shown, text)) + '"'


def _shown(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08x}"
