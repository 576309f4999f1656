"""Reads a scenario file: TOML in, a checked `Scenario` out, or one sentence for each problem."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from simdc.errors import InputError, Problem
from simdc.scenario.checks import check
from simdc.scenario.files import files_named, hashes
from simdc.scenario.lines import line_of
from simdc.scenario.models import Scenario
from simdc.scenario.sentences import in_file_order, tell

__all__ = [
    "LoadedScenario",
    "load_scenario",
    "load_scenario_text",
    "parse_scenario",
    "scenario_schema",
]


@dataclass(frozen=True)
class LoadedScenario:
    """A scenario together with the file it came from.

    Attributes
    ----------
    scenario : Scenario
        Checked.
    text : str
        The file as it stands, before overrides.
    path : Path
        The file.
    base_dir : Path
        Folder that file names in the scenario are relative to.
    sha256 : str
        Of the text in UTF-8, in hexadecimal.
    overrides : mapping of str to object
        Settings changed after reading, by path.
    inputs_sha256 : mapping of str to str
        Of the content of every file that the scenario names, by the name it gives.
    """

    scenario: Scenario
    text: str
    path: Path
    base_dir: Path
    sha256: str
    overrides: Mapping[str, object] = field(default_factory=dict)
    inputs_sha256: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """What was checked: the file as TOML holds it, with the overrides."""
        return _document(self.text, self.path, self.overrides)


def load_scenario(
    path: str | Path, overrides: Mapping[str, object] | None = None
) -> LoadedScenario:
    """Read and check a scenario file.

    Parameters
    ----------
    path : path-like
        A TOML file in UTF-8.
    overrides : mapping of str to object, optional
        Settings to change before checking, by path: ``{"run.draws": 1000}`` or
        ``{"track[0].stop_loss.loading": 1.1}``.

    Raises
    ------
    InputError
        With one sentence for each problem: file, line, path, what was given, what is allowed.
    """
    path = Path(path)
    return load_scenario_text(_decode(_read(path), path), path, overrides)


def load_scenario_text(
    text: str, path: Path, overrides: Mapping[str, object] | None = None
) -> LoadedScenario:
    """Check the text of a scenario file, as results keep it.

    Parameters
    ----------
    text : str
        TOML.
    path : Path
        Where the file is or was; it need not be there, only the files that it names beside it.
    overrides : mapping of str to object, optional
        See `load_scenario`.

    Raises
    ------
    InputError
        See `load_scenario`.
    """
    overrides = dict(overrides or {})
    document = _document(text, path, overrides)
    return LoadedScenario(
        scenario=parse_scenario(document, file=path, base_dir=path.parent, text=text),
        text=text,
        path=path,
        base_dir=path.parent,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        overrides=overrides,
        inputs_sha256=hashes(files_named(document), path.parent),
    )


def parse_scenario(
    document: Mapping[str, Any],
    *,
    file: str | Path | None = None,
    base_dir: Path = Path(),
    text: str = "",
) -> Scenario:
    """Check a scenario that is already a mapping.

    Parameters
    ----------
    document : mapping
        As `tomllib` returns it.
    file : path-like, optional
        Named in front of each sentence.
    base_dir : Path, optional
        Folder that file names in the scenario are relative to; the current one by default.
    text : str, optional
        Text of the file, to point at lines.

    Raises
    ------
    InputError
        With every problem, in the order of the document.
    """
    if not document:
        raise InputError(
            "the scenario is empty; it needs at least [entity], [[population.segment]], "
            "[benchmark] and [[track]]",
            file=file,
        )
    tables: dict[int, type[BaseModel]] = {}
    try:
        scenario = Scenario.model_validate(document, context=tables)
    except ValidationError as error:
        raise InputError(_pointed(tell(error, document, tables), text), file=file) from None
    if problems := check(scenario, base_dir):
        raise InputError(_pointed(in_file_order(problems, document), text), file=file)
    return scenario


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a scenario file, for editors and other programs."""
    schema = Scenario.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema


def _document(text: str, path: Path, overrides: Mapping[str, object]) -> dict[str, Any]:
    document = _parse(text, path)
    for place, value in overrides.items():
        _set(document, place, value, path)
    return document


def _pointed(problems: Iterable[Problem], text: str) -> list[Problem]:
    return [replace(problem, line=line_of(problem.path, text)) for problem in problems]


# --- the file ---------------------------------------------------------------------------------

_NAMED = 5  # files to choose from when one is not there


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise InputError("is a folder; give the scenario file in it", file=path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(_no_such_file(path), file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from None


def _no_such_file(path: Path) -> str:
    if str(path) == "-":
        return (
            "a scenario is not read from standard input but from a file, from whose folder the "
            "files that it names are found"
        )
    there = sorted(found.name for found in path.parent.glob("*.toml"))
    near = ", ".join(get_close_matches(path.name, there, n=_NAMED, cutoff=0.0))
    if len(there) > _NAMED:
        return f"there is no such file; the nearest of the {len(there)} in that folder are {near}"
    return f"there is no such file{f'; in that folder there are {near}' if there else ''}"


def _decode(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")  # editors on Windows may put a byte-order mark in front
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise InputError(
            Problem("not UTF-8 text; save the file as UTF-8", f"line {line}, column {column}"),
            file=path,
        ) from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(_syntax_problem(str(error), text), file=path) from None
    except (ValueError, RecursionError) as error:  # a number or a nesting beyond Python's limits
        raise InputError(f"not valid TOML: {error}", file=path) from None


_ADVICE = (
    (r"= *(\$|-?\d[\d.]*,\d|-?[\d.]+ *%)", "numbers are written without '$', ',' or '%'"),
    (r"= *(?i:true|false)\b", "true and false are written in lower case"),
    (r"= *[+-]?(?i:nan|inf|infinity)\b", "nan and inf are written in lower case"),
    (r"= *[+-]?(\.\d|\d+\.(?!\d))", "a decimal point needs digits on both sides (0.5)"),
    (r"= *[\u2018\u2019\u201c\u201d]", "text goes in straight quotes"),
    (r"= *[A-Za-z]", "text goes in quotes"),
    (r"^cannot .*\n\[", "where several tables are meant, head each in double brackets ([[track]])"),
    (r"^cannot overwrite", "a key is set once"),
    (r"^unclosed", "close the list or table that begins above"),
    (r"^illegal character '\\n'", "close the quotes on the same line"),
)
"""What to do about lines that people write and TOML does not take.

Each pattern is looked for in the parser's reason and the line below it.
"""


def _syntax_problem(message: str, text: str) -> Problem:
    reason, _, place = message.partition(" (at ")
    reason = re.sub(r"\('(.*?)',?\)", lambda names: names[1].replace("', '", "."), reason)
    reason = reason[:1].lower() + reason[1:]
    found = re.match(r"line (\d+), column (\d+)", place)
    line = text.splitlines()[int(found[1]) - 1].strip() if found else ""
    advice = next(
        (f"; {what}" for sign, what in _ADVICE if re.search(sign, f"{reason}\n{line}")), ""
    )
    shown = "".join(c if c.isprintable() else "?" for c in line[:80])
    return Problem(
        f"not valid TOML: {reason}{advice}", found[0] if found else "end of the file", shown
    )


# --- overrides --------------------------------------------------------------------------------

_STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")


def _set(document: dict[str, Any], place: str, value: object, file: Path) -> None:
    """Change one setting of a parsed document; tables on the way are made when absent."""
    steps = [int(index) if index else key for index, key in _STEP.findall(place)]
    here: Any = document
    try:
        for step, below in pairwise(steps):
            if isinstance(step, str) and isinstance(below, str):
                here.setdefault(step, {})
            here = here[step]
        last = steps[-1]
        if isinstance(last, int):
            here[last]  # must be there already: a list is never made longer
        here[last] = value
    except (LookupError, TypeError, AttributeError):
        raise InputError(
            f"'{place}' leads nowhere; a path looks like run.draws or track[0].option", file=file
        ) from None
