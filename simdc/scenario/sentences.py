"""Turns what pydantic found wrong into sentences about the file the user wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from simdc.errors import Problem, nearest
from simdc.scenario.fields import REFUSAL, Figure
from simdc.scenario.models import Driver, Scenario, Severity

__all__ = ["as_path", "in_file_order", "quote", "tell"]

Key = str | int
Tables = Mapping[int, type[BaseModel]]

_LONGEST_GIVEN = 60
_UNKNOWN = "unknown key"
_NAME = (
    "must be a name of 1 to 60 letters, digits, spaces or & . _ + -, beginning with a letter or "
    "digit"
)
_PLAIN = {
    "string_type": "must be text in quotes",
    "string_pattern_mismatch": _NAME,
    "bool_type": "must be true or false, without quotes",
    "too_short": "must not be empty",
}


def tell(error: ValidationError, document: Mapping[str, Any], tables: Tables) -> list[Problem]:
    """Every problem of a document, in the order in which the document holds them.

    Parameters
    ----------
    error : ValidationError
        From validating `document`.
    document : mapping
        The parsed file.
    tables : mapping of int to model
        Which model read which table, by the table's ``id``.
    """
    found = [_problem(details, document, tables) for details in error.errors(include_url=False)]
    problems = [problem for problem in found if problem is not None]
    # A mistyped key also leaves the right one missing or in pieces; one sentence is enough.
    meant = {_sibling(p.path, p.suggestion) for p in problems if p.message.startswith(_UNKNOWN)}
    return in_file_order((p for p in problems if p.path not in meant), document)


def quote(value: object) -> str:
    """A value as TOML writes it, shortened; tables and lists by their kind alone."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _printable_text(json.dumps(_shortened(value), ensure_ascii=False))
        case date() | datetime() | time():
            return value.isoformat()
        case Mapping():
            return "a table"
        case list() | tuple():
            return "a list" if value else "[]"
        case _:
            return _shortened(str(value))


def _printable_text(text: str) -> str:
    """Text in which every character shows, those that steer a terminal by their number."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_GIVEN else text[:_LONGEST_GIVEN] + "..."


def as_path(keys: tuple[Key, ...]) -> str:
    """Keys and places as the user would write them: ``track[0].stop_loss``."""
    path = ""
    for key in keys:
        if isinstance(key, int):
            path += f"[{key}]"
        else:
            path += f".{_printable(key)}" if path else _printable(key)
    return path


def in_file_order(problems: Iterable[Problem], document: Mapping[str, Any]) -> list[Problem]:
    """Problems sorted by where the document holds what they are about; the missing come last."""
    return sorted(problems, key=lambda problem: _position(problem.path, document))


def _problem(details: ErrorDetails, document: Mapping[str, Any], tables: Tables) -> Problem | None:
    keys = _keys(details["loc"], document)
    value = details["input"]
    context = details.get("ctx", {})
    path = as_path(keys)
    match details["type"]:
        case kind if kind == REFUSAL:
            at, given = context.get("at"), context.get("given")
            if at:
                path = f"{path}.{at}" if path else at
            elif given is None and not isinstance(value, Mapping):
                given = quote(value)
            return Problem(details["msg"], path, given or "", context.get("suggestion", ""))
        case "extra_forbidden":
            table = _at(document, keys[:-1])
            allowed = _keys_of(tables[id(table)])
            suggestion = nearest(str(keys[-1]), allowed)
            message = f"{_UNKNOWN}; allowed here: {', '.join(allowed)}"
            if not suggestion and len(homes := _homes(str(keys[-1]))) == 1:
                message += f"; it belongs in {homes[0] or 'no table but at the top of the file'}"
            return Problem(message, path, suggestion=suggestion)
        case "missing" if isinstance(keys[-1], int):
            return _too_few(keys, document, tables)
        case "missing":
            field = _field(tables[id(_at(document, keys[:-1]))], str(keys[-1]))
            return Problem(f"is missing; it must be {_wanted(field, keys)}", path)
        case "literal_error":
            choices = re.findall(r"'([^']*)'", context["expected"])
            return _choose(choices, value, path)
        case "union_tag_invalid":
            choices = re.findall(r"'([^']*)'", context["expected_tags"])
            return _choose(choices, value["distribution"], f"{path}.distribution")
        case "union_tag_not_found":
            choices = _distributions(keys)
            message = f"is missing; it must be {_one_of(choices)}"
            return Problem(message, f"{path}.distribution")
        case "model_type" | "model_attributes_type" | "dict_type":
            return Problem(_table_expected(keys, value), path, quote(value))
        case "tuple_type":
            return Problem(_list_expected(keys, value), path, quote(value))
        case "too_long":
            longest, given = context["max_length"], str(context["actual_length"])
            return Problem(f"must be a list of at most {longest}", path, given)
        case "too_short" if value:
            return None  # its entries were refused one by one
        case kind:
            return Problem(_PLAIN.get(kind, details["msg"]), path, quote(value))


def _too_few(keys: tuple[Key, ...], document: Mapping[str, Any], tables: Tables) -> Problem | None:
    """A list of fixed length that ends early, told once for all that is missing."""
    *above, name, place = keys
    entries = _at(document, (*above, name))
    if place != len(entries):
        return None
    field = _field(tables[id(_at(document, tuple(above)))], str(name))
    return Problem(f"must be {_wanted(field, keys)}", as_path(keys[:-1]), f"{place}")


def _keys(loc: tuple[Key, ...], document: Mapping[str, Any]) -> tuple[Key, ...]:
    """The location without the marks pydantic adds for the branch of a union it tried.

    Those are the name of the distribution, right after the table that names it, and words in
    brackets, unless the table has such a key.
    """
    keys: list[Key] = []
    here: Any = document
    entered = True
    for part in loc:
        names_itself = isinstance(here, Mapping) and here.get("distribution") == part
        in_brackets = isinstance(part, str) and part.startswith(("(", "["))
        if (names_itself and entered) or (in_brackets and _at(here, (part,)) is None):
            entered = False
            continue
        keys.append(part)
        here = _at(here, (part,))
        entered = True
    return tuple(keys)


def _at(node: Any, keys: tuple[Key, ...]) -> Any:
    for key in keys:
        try:
            node = node[key]
        except (KeyError, IndexError, TypeError):
            return None
    return node


# --- what is allowed --------------------------------------------------------------------------


def _choose(choices: list[str], value: object, path: str) -> Problem:
    suggestion = nearest(value, choices) if isinstance(value, str) else ""
    return Problem(f"must be {_one_of(choices)}", path, quote(value), suggestion)


def _one_of(choices: list[str]) -> str:
    *others, last = (f"'{choice}'" for choice in choices)
    return f"{', '.join(others)} or {last}" if others else last


def _keys_of(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _homes(key: str) -> list[str]:
    """Headers of the tables that take a key."""
    return [header for header, model in _tables(Scenario, "") if key in _keys_of(model)]


def _tables(model: type[BaseModel], header: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table of a scenario, with its header."""
    yield header, model
    for key, field in zip(_keys_of(model), model.model_fields.values(), strict=True):
        for below in _models(field.annotation):
            yield from _tables(below, f"{header}.{key}" if header else key)


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _field(model: type[BaseModel], key: str) -> FieldInfo:
    return next(f for name, f in model.model_fields.items() if (f.alias or name) == key)


def _wanted(field: FieldInfo, keys: tuple[Key, ...]) -> str:
    """What a missing field must hold, in words."""
    for annotation in field.metadata:
        if isinstance(annotation, Figure):
            return annotation.what
    kind = field.annotation
    if get_origin(kind) is Literal:
        return _one_of(list(get_args(kind)))
    if kind is str:
        return "text in quotes"
    if get_origin(kind) is tuple and not _models(kind):
        entries = get_args(kind)
        return "a list" if Ellipsis in entries else f"a list of {len(entries)}"
    if get_origin(kind) is tuple:
        return f"one or more tables, each headed [[{_header(keys)}]]"
    if get_origin(kind) in (Union, UnionType):
        return "a table that names its distribution"
    return f"a table headed [{_header(keys)}]"


def _distributions(keys: tuple[Key, ...]) -> list[str]:
    union = get_args(Driver if keys[0] == "drivers" else Severity)[0]
    tags = (get_args(m.model_fields["distribution"].annotation)[0] for m in get_args(union))
    return list(tags)


def _table_expected(keys: tuple[Key, ...], value: object) -> str:
    if isinstance(value, list):
        return f"must be one table, headed [{_header(keys)}] in single brackets"
    if keys[-1] in ("severity", "body"):
        return 'must be a table such as { distribution = "lognormal", cv = 2.0 }'
    if keys[0] == "drivers" and len(keys) == 2 and keys[-1] != "correlation":
        return 'must be a table such as { distribution = "fixed", value = 0.9 }'
    return f"must be a table of settings, headed [{_header(keys)}]"


def _list_expected(keys: tuple[Key, ...], value: object) -> str:
    if isinstance(value, Mapping):
        return f"must be a list of tables, each headed [[{_header(keys)}]] in double brackets"
    return "must be a list in square brackets"


def _header(keys: tuple[Key, ...]) -> str:
    return ".".join(str(key) for key in keys if isinstance(key, str))


# --- where it stands --------------------------------------------------------------------------


def _printable(key: str) -> str:
    return key if key.isprintable() and key else json.dumps(key)


def _sibling(path: str, name: str) -> str:
    parent, dot, _ = path.rpartition(".")
    return f"{parent}{dot}{name}"


def _position(path: str, document: Mapping[str, Any]) -> list[int]:
    """Place of each key within its table, for sorting; a missing key stands last."""
    place: list[int] = []
    here: Any = document
    for part in re.findall(r"\[(\d+)\]|([^.\[\]]+)", path):
        index, key = part
        if index and isinstance(here, list):
            place.append(int(index))
            here = _at(here, (int(index),))
        elif isinstance(here, Mapping):
            known = list(here)
            place.append(known.index(key) if key in here else len(known))
            here = here.get(key)
    return place
