"""How the settings of a scenario are addressed: ``track.global.stop_loss.bands[0].from``.

Tracks, segments and other tables that have a name are addressed by it, items of other lists by
their place, and ``*`` means all of them.
"""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from simdc.errors import InputError, Problem
from simdc.scenario.sentences import quote

__all__ = ["EVERY_NAME", "EVERY_PLACE", "Path", "Step", "split_vary"]

Step: TypeAlias = str | int

EVERY_NAME = "*"
EVERY_PLACE = "[*]"
_DEEPEST = 16  # steps; no setting lies so deep
_EXAMPLE = "such as run.seed or track.global.stop_loss.bands[0].from"

# --- how a path is written --------------------------------------------------------------------

_KEY = r"""(?:\s*"(?:[^"\\]|\\.)*"\s*|\s*'[^']*'\s*|[^.\[\]="']+)"""
_INDEX = r"\[\s*(?:[0-9]{1,9}|\*)\s*\]\s*"
_PATH = re.compile(rf"{_KEY}(?:\.{_KEY}|{_INDEX})*")
_STEP = re.compile(rf"(?P<index>{_INDEX})|\.?(?P<key>{_KEY})")
_LONGEST_KEY = 60  # characters, as of a name


@dataclass(frozen=True)
class Path:
    """The address of a setting, or with ``*`` of the same setting in several tables.

    Attributes
    ----------
    steps : tuple of str or int
        Keys, names of tables, and places in lists.
    """

    steps: tuple[Step, ...]

    @classmethod
    def parse(cls, text: str) -> Path:
        """Read a path; a name with a dot in it goes in quotes, as in TOML.

        Raises
        ------
        InputError
            If the text is no path.
        """
        whole = _PATH.fullmatch(text)
        steps = tuple(_steps(text)) if whole else ()
        if not 0 < len(steps) <= _DEEPEST:
            raise InputError(Problem(f"must be the path of a setting, {_EXAMPLE}", "", quote(text)))
        return cls(steps)

    def __str__(self) -> str:
        text = ""
        for step in self.steps:
            if isinstance(step, int):
                text += f"[{step}]"
            elif step == EVERY_PLACE:
                text += step
            else:
                text += f".{_written(step)}" if text else _written(step)
        return text


def split_vary(text: str) -> tuple[Path, str]:
    """``PATH=VALUES`` as its path and the text of its values.

    Raises
    ------
    InputError
        If there is no path or no equals sign.
    """
    path = _PATH.match(text)
    if path is None or not text.startswith("=", path.end()):
        raise InputError(
            Problem("must be PATH=VALUE,VALUE,... such as run.seed=1,2,3", "--vary", quote(text))
        )
    return Path.parse(path[0]), text[path.end() + 1 :]


def _steps(text: str) -> Iterator[Step]:
    for found in _STEP.finditer(text):
        if index := found["index"]:
            inside = index.strip()[1:-1].strip()
            yield int(inside) if inside.isdecimal() else EVERY_PLACE
        else:
            yield _key(found["key"].strip())


def _key(written: str) -> str:
    try:
        key = tomllib.loads(f"key = {written}")["key"] if written[:1] in "\"'" else written
    except tomllib.TOMLDecodeError as error:
        raise InputError(
            Problem(f"is not quoted as in TOML: {error}", "", quote(written))
        ) from None
    key = unicodedata.normalize("NFC", key)
    if not (key and key.isprintable() and len(key) <= _LONGEST_KEY):
        raise InputError(
            Problem(f"must be a name of 1 to {_LONGEST_KEY} characters", "", quote(written))
        )
    return key


def _written(key: str) -> str:
    bare = re.fullmatch(r"""[^.\[\]="']+""", key) and key == key.strip()
    return key if bare else json.dumps(key, ensure_ascii=False)
