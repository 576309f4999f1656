"""Finds the line on which a TOML file sets a key, so that an error can point at it.

A reader of headers and keys, not of values: enough to point, and only used when something is
wrong. What it cannot place, such as a key inside an inline table, gets the nearest line above.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping

__all__ = ["line_of"]

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"""\s*([\w.-]+|"[^"]*"|'[^']*')\s*=""")


def line_of(path: str, text: str) -> int:
    """Number of the line that sets a path such as ``track[0].option``, or 0 if none does.

    A path that is set nowhere takes the line of the closest table around it.
    """
    lines = _lines(text)
    while path:
        if path in lines:
            return lines[path]
        shorter = re.sub(r"\.?[^.\[\]]+$|\[\d+\]$", "", path)
        path = shorter if shorter != path else path.rpartition(".")[0]
    return 0


@functools.lru_cache(1)  # a file with one mistake may have a thousand
def _lines(text: str) -> Mapping[str, int]:
    lines: dict[str, int] = {}
    seen: Counter[str] = Counter()
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _resolve(header[2], seen)
            if header[1] == "[[":
                seen[table] += 1
                lines.setdefault(table, number)
                table = f"{table}[{seen[table] - 1}]"
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            name = key[1].strip("\"'")
            lines.setdefault(f"{table}.{name}" if table else name, number)
    return lines


def _resolve(header: str, seen: Counter[str]) -> str:
    """A header as a path: below an array of tables it means the latest of them."""
    path = ""
    for name in re.findall(r"""[^."'\s]+|"[^"]*"|'[^']*'""", header):
        if seen[path]:
            path += f"[{seen[path] - 1}]"
        key = name.strip("\"'")
        path = f"{path}.{key}" if path else key
    return path
