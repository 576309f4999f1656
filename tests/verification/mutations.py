"""Mutations: what typing, copying, half-written files and bad disks do to text and to bytes.

Everything is drawn from a `random.Random`, so that a seed and a number give the same case again.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

__all__ = [
    "damaged",
    "mistyped",
    "mutated",
    "options_of_sensitivity",
    "options_of_sweep",
    "points_file",
]

_WORDS: dict[str, list[str]] = tomllib.loads(
    Path(__file__).with_name("words.toml").read_text(encoding="utf-8")
)
# Those that are too long to be written down.
_WORDS["numbers"] += ["9" * 400, "9" * 5000, f"0.{'0' * 5000}1"]
_WORDS["texts"] += [f'"{"y" * 100_000}"']
_WORDS["values"] += ["9" * 5000, "[" * 3000]

_Mutation: TypeAlias = Callable[[random.Random, str, str], str]

_NUMBER = re.compile(r"(?<![\w.\"])[+-]?\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w\"])")
_TEXT = re.compile(r'"[^"\n]*"')
_KEY = re.compile(r"^[ \t]*(?:\{ *)?([A-Za-z_][\w-]*)(?= *=)", re.MULTILINE)
_HEADER = re.compile(r"^\[\[?.*?\]\]?$", re.MULTILINE)


def mutated(random_: random.Random, text: str, others: Sequence[str]) -> bytes:
    """A file of text after one to four mutations.

    Parameters
    ----------
    random_ : Random
    text : str
    others : sequence of str
        Files of the same kind, of which lines may get into this one.
    """
    # Half of the files keep their form, so that what they say is wrong and not how.
    mutations = random_.choice((_OF_TEXT, _OF_VALUES))
    for _ in range(random_.choice((1, 1, 1, 2, 3, 4))):
        text = random_.choice(mutations)(random_, text, random_.choice(others))
    raw = text.encode("utf-8", "surrogatepass")
    return damaged(random_, raw) if random_.random() < 0.06 else raw


def damaged(random_: random.Random, raw: bytes) -> bytes:
    """Bytes of which some have changed, are gone, or were not there before."""
    place = random_.randrange(len(raw) + 1)
    length = random_.choice((1, 1, 2, 16, 512))
    noise = random_.randbytes(length)
    match random_.randrange(7):
        case 0:
            return raw[:place]
        case 1:
            return raw[:place] + noise + raw[place:]
        case 2:
            return raw[:place] + raw[place + length :]
        case 3:
            return raw[:place] + bytes(length) + raw[place + length :]
        case 4:
            return b""
        case _:
            return raw[:place] + noise + raw[place + length :]


def mistyped(random_: random.Random, text: str) -> str:
    """Text with a character too many, too few, in the wrong place or of the wrong kind."""
    place = random_.randrange(len(text) + 1)
    before, at, after = text[:place], text[place : place + 1], text[place + 1 :]
    match random_.randrange(7):
        case 0:
            return before + after
        case 1:
            return before + at + at + after
        case 2:
            return before + after[:1] + at + after[1:]
        case 3:
            return before + at.swapcase() + after
        case 4:
            return before
        case _:
            return before + random_.choice(_WORDS["noise"]) + at + after


# --- of a file of text --------------------------------------------------------------------------


def _lines(change: Callable[[random.Random, list[str], list[str]], None]) -> _Mutation:
    def mutation(random_: random.Random, text: str, other: str) -> str:
        lines = text.split("\n")
        change(random_, lines, other.split("\n"))
        return "\n".join(lines)

    return mutation


def _place(random_: random.Random, lines: list[str]) -> int:
    """Of a line that says something, where there is one."""
    said = [n for n, line in enumerate(lines) if line.strip() and not line.startswith("#")]
    return random_.choice(said or range(len(lines)))


def _delete_lines(random_: random.Random, lines: list[str], other: list[str]) -> None:
    place = _place(random_, lines)
    del lines[place : place + random_.choice((1, 1, 1, 2, 5, 20))]


def _repeat_lines(random_: random.Random, lines: list[str], other: list[str]) -> None:
    place = _place(random_, lines)
    again = lines[place : place + random_.choice((1, 1, 2, 10))]
    at = random_.choice((place, place, _place(random_, lines)))
    lines[at:at] = again


def _swap_lines(random_: random.Random, lines: list[str], other: list[str]) -> None:
    one, two = _place(random_, lines), _place(random_, lines)
    lines[one], lines[two] = lines[two], lines[one]


def _take_lines(random_: random.Random, lines: list[str], other: list[str]) -> None:
    place = _place(random_, other)
    at = _place(random_, lines)
    lines[at:at] = other[place : place + random_.choice((1, 1, 4, 12))]


def _instead(pattern: re.Pattern[str], values: Sequence[str]) -> _Mutation:
    def mutation(random_: random.Random, text: str, other: str) -> str:
        found = list(pattern.finditer(re.sub(r"#[^\n]*", lambda c: " " * len(c[0]), text)))
        if not found:
            return text
        spot = random_.choice(found)
        if random_.random() < 0.2:
            values_ = [each[0] for each in pattern.finditer(text)]
        else:
            values_ = list(values)
        return text[: spot.start()] + random_.choice(values_) + text[spot.end() :]

    return mutation


def _scaled(random_: random.Random, text: str, other: str) -> str:
    """A number that is wrong by its unit, as percents for fractions are."""
    found = [each for each in _NUMBER.finditer(text) if "_" not in each[0]]
    if not found:
        return text
    spot = random_.choice(found)
    by = random_.choice((-1.0, 0.01, 0.1, 1.0001, 10.0, 100.0, 1e6))
    return text[: spot.start()] + repr(float(spot[0]) * by) + text[spot.end() :]


def _misspelled(pattern: re.Pattern[str]) -> _Mutation:
    def mutation(random_: random.Random, text: str, other: str) -> str:
        found = list(pattern.finditer(text))
        if not found:
            return text
        spot = random_.choice(found)
        start, end = spot.span(pattern.groups)
        return text[:start] + mistyped(random_, text[start:end]) + text[end:]

    return mutation


def _cut(random_: random.Random, text: str, other: str) -> str:
    return text[: random_.randrange(len(text) + 1)]


def _joined(random_: random.Random, text: str, other: str) -> str:
    return text[: random_.randrange(len(text) + 1)] + other[random_.randrange(len(other) + 1) :]


def _disturbed(random_: random.Random, text: str, other: str) -> str:
    for _ in range(random_.choice((1, 1, 3))):
        text = mistyped(random_, text) if random_.random() < 0.5 else _noisy(random_, text)
    return text


def _noisy(random_: random.Random, text: str) -> str:
    place = random_.randrange(len(text) + 1)
    return text[:place] + random_.choice(_WORDS["noise"]) + text[place:]


def _nested(random_: random.Random, text: str, other: str) -> str:
    depth = random_.choice((2, 17, 200, 1500, 20_000))
    deep = random_.choice(
        (
            "\nx = " + "[" * depth + "]" * depth,
            "\nx = " + "{a=" * min(depth, 2000) + "1" + "}" * min(depth, 2000),
            "\n" + ".".join("a" * min(depth, 3000)) + " = 1",
            "\n[" + ".".join(["track"] + ["a"] * min(depth, 3000)) + "]",
            "\n[[track]]" * min(depth, 1500),
            "\n[[population.segment]]" * min(depth, 1500),
        )
    )
    lines = text.split("\n")
    place = _place(random_, lines)
    return "\n".join([*lines[:place], deep, *lines[place:]])


def _with_table(random_: random.Random, text: str, other: str) -> str:
    name = random_.choice(_WORDS["tables"])
    header = random_.choice((f"[{name}]", f"[[{name}]]", f"{name} = {{}}", f"{name} = []"))
    return random_.choice((f"{text}\n{header}\n", f"{header}\n{text}"))


def _ends(random_: random.Random, text: str, other: str) -> str:
    return random_.choice((text.replace("\n", "\r\n"), "\ufeff" + text, text.replace("\n", "\r")))


_numbers, _texts = _instead(_NUMBER, _WORDS["numbers"]), _instead(_TEXT, _WORDS["texts"])
_OF_TEXT: tuple[_Mutation, ...] = (
    _numbers, _numbers, _numbers, _scaled, _scaled, _texts, _texts, _misspelled(_KEY),
    _misspelled(_KEY), _misspelled(_TEXT), _misspelled(_HEADER), _lines(_delete_lines),
    _lines(_delete_lines), _lines(_repeat_lines), _lines(_swap_lines), _lines(_take_lines),
    _cut, _joined, _disturbed, _nested, _with_table, _ends,
)  # fmt: skip
_OF_VALUES = (_numbers, _scaled, _scaled, _texts, _lines(_delete_lines))


# --- of a sweep ---------------------------------------------------------------------------------


def options_of_sweep(random_: random.Random) -> list[str]:
    """Options that say what a sweep varies, most of them wrong somewhere."""
    options = []
    for _ in range(random_.choice((1, 1, 1, 1, 2, 2, 3))):
        options += ["--vary", _passed_on(_varied(random_))]
    if random_.random() < 0.15:
        options.append("--zip")
    if random_.random() < 0.25:
        sample = random_.choice(_WORDS["samples"])
        if random_.random() < 0.7:
            options[1::2] = [_drawn(random_) for _ in options[1::2]]
        sample = mistyped(random_, sample) if random_.random() < 0.3 else sample
        options += ["--sample", _passed_on(sample)]
    return options if random_.random() < 0.98 else options[1:]


def options_of_sensitivity(random_: random.Random) -> list[str]:
    """Options that say what a setting may be."""
    options = ["--samples", random_.choice(("8", "8", "8", "8", "8", "3", "0", "-2", "1e3"))]
    for _ in range(random_.choice((0, 1, 1, 1, 2, 2))):
        text = _drawn(random_)
        text = mistyped(random_, text) if random_.random() < 0.3 else text
        options += ["--vary", _passed_on(text)]
    return options


def _varied(random_: random.Random) -> str:
    if random_.random() < 0.5:
        text = random_.choice(_WORDS["sweeps"])
        if random_.random() < 0.5:
            text = _numbers(random_, text, "")
    else:
        text = "=".join(random_.choice(_WORDS[kind]) for kind in ("paths", "values"))
    for _ in range(random_.choice((0, 0, 0, 1, 2))):
        text = mistyped(random_, text)
    return text


def _drawn(random_: random.Random) -> str:
    if random_.random() < 0.6:
        return random_.choice(_WORDS["drawn"])
    path = random_.choice(_WORDS[random_.choice(("sweeps", "paths"))]).split("=")[0]
    return f"{path}={random_.choice(_WORDS['ranges'])}"


def _passed_on(text: str) -> str:
    """Text as a system passes it to a program: without the character that ends it."""
    return text.replace("\x00", "")


def points_file(random_: random.Random) -> tuple[str, bytes]:
    """Name and content of a table of points, mutated."""
    if random_.random() < 0.6:
        right = [each.split("=", 1) for each in random_.sample(_WORDS["sweeps"], 2)]
        paths = [path for path, _ in right]
        columns = (text.split(",")[:2] for _, text in right)
        values = [list(row) for row in zip(*columns, strict=False)]
    else:
        paths = random_.sample(_WORDS["paths"], 3)
        values = [random_.choices(_WORDS["values"], k=3) for _ in range(random_.choice((0, 1, 3)))]
    if random_.random() < 0.5:
        rows = [["name", *paths], *([f"p{n}", *row] for n, row in enumerate(values))]
        name, text = "points.csv", "\n".join(",".join(row) for row in rows)
    else:
        rows = [
            [f'"{path}" = {value}' for path, value in zip(paths, row, strict=True)]
            for row in values
        ]
        name, text = "points.toml", "\n".join("[[point]]\n" + "\n".join(row) for row in rows)
    others = [text, Path(__file__).read_text(encoding="utf-8")[:2000]]
    return name, mutated(random_, text + "\n", others)
