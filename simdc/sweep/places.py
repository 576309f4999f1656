"""Where the path of a setting leads in a scenario; reading and changing what stands there.

A path is followed through the models and the document side by side: the models say what may be
set, the document which tables there are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

from simdc.errors import InputError, Problem, nearest
from simdc.scenario.models import Scenario
from simdc.scenario.sentences import quote
from simdc.sweep.paths import EVERY_NAME, EVERY_PLACE, Path, Step

__all__ = [
    "MISSING",
    "Missing",
    "Place",
    "assign",
    "at",
    "by_names",
    "places",
    "put",
    "read",
    "refuse_overlap",
]

Place: TypeAlias = tuple[Step, ...]
"""Keys and indices from the top of a document down to one value."""


class Missing(Enum):
    """What stands for a value that a document does not hold."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


# --- reading and changing a document ----------------------------------------------------------


def read(document: Mapping[str, Any], path: Path) -> object:
    """The value that a document now holds at a path.

    Returns
    -------
    object
        With ``*``, the value that all places share. MISSING where there is none, so that the
        scenario's default holds, or where the places differ.

    Raises
    ------
    InputError
        As `places`.
    """
    first, *others = (at(document, place) for place in places(document, path))
    return first if all(type(o) is type(first) and o == first for o in others) else MISSING


def assign(document: Mapping[str, Any], path: Path, value: object) -> dict[str, Any]:
    """A document with one setting changed; the given one stays as it is.

    Raises
    ------
    InputError
        As `places`.
    """
    changed = dict(document)
    for place in places(document, path):
        changed = put(changed, place, value)
    return changed


def by_names(document: Mapping[str, Any], where: str) -> str:
    """What a sentence calls ``track[0].option``, with the name of the track for its number."""
    for table in _IDENTITIES:
        numbered = re.match(rf"{re.escape('.'.join(map(str, table)))}\[(\d+)\]", where)
        if numbered:
            name = at(document, (*table, int(numbered[1]), "name"))
            return f"{Path((*table, name))}{where[numbered.end() :]}"
    return where


def put(document: Mapping[str, Any], place: Place, value: object) -> dict[str, Any]:
    """A document with one value changed; only the tables and lists on the way are copied."""
    changed: dict[str, Any] = _put(document, place, value)
    return changed


def _put(node: Any, place: Place, value: object) -> Any:
    if not place:
        return value
    copy: Any = list(node) if isinstance(node, Sequence) else dict(node)
    below = at(node, place[:1])
    copy[place[0]] = _put({} if below is MISSING else below, place[1:], value)
    return copy


def at(node: Any, place: Place) -> Any:
    """What stands at a place, or MISSING."""
    for step in place:
        try:
            node = node[step]
        except (LookupError, TypeError):
            return MISSING
    return node


# --- following a path -------------------------------------------------------------------------

_IDENTITIES: tuple[Place, ...] = (("track",), ("population", "segment"))
"""Lists whose items' names tell results or random numbers apart."""


def places(document: Mapping[str, Any], path: Path) -> tuple[Place, ...]:
    """Where a path leads in a document: one place, or with ``*`` one for each table.

    Parameters
    ----------
    document : mapping
        A scenario without mistakes, as `tomllib` returns it.
    path : Path

    Raises
    ------
    InputError
        For a setting, table or place that does not exist, with the nearest name, and for what
        cannot be varied.
    """
    found = tuple(_follow(_Stand(path, 0, (Scenario,), document, ())))
    for table in _IDENTITIES:
        here, below = path.steps[: len(table)], path.steps[len(table) :]
        if here == table[: len(here)] and len(below) < 2:
            raise InputError(
                Problem(
                    "stands for whole tables with their names; vary the settings in them, such "
                    "as track.global.option or population.segment.esrd.expected_cost_pbpm",
                    str(path),
                )
            )
        if here == table and below[1:] == ("name",):
            raise InputError(
                Problem(
                    "cannot be varied: names tell the results and the random numbers apart",
                    str(path),
                )
            )
    return found


def refuse_overlap(document: Mapping[str, Any], paths: Iterable[Path]) -> None:
    """Refuse paths of which one sets what another sets.

    Raises
    ------
    InputError
        As `places`, and naming both.
    """
    by_place: dict[Place, Path] = {}
    for path in paths:
        for place in places(document, path):
            if place in by_place:
                raise _both(by_place[place], path)
            by_place[place] = path
    for place, path in by_place.items():
        for length in range(1, len(place)):
            if place[:length] in by_place:
                raise _both(by_place[place[:length]], path)


def _both(first: Path, second: Path) -> InputError:
    return InputError(Problem(f"sets what {first} sets too; vary one of them", str(second)))


@dataclass(frozen=True)
class _Stand:
    """Where one is on the way: the models' view, the document's, and the place so far."""

    path: Path
    depth: int
    kinds: tuple[Any, ...]
    node: Any
    place: Place

    @property
    def step(self) -> Step:
        return self.path.steps[self.depth]

    @property
    def name(self) -> str:
        return str(Path(self.path.steps[: self.depth])) if self.depth else "the scenario"

    def down(self, key: Step, kinds: tuple[Any, ...]) -> _Stand:
        node = at(self.node, (key,))
        return _Stand(self.path, self.depth + 1, kinds, node, (*self.place, key))

    def refusal(self, message: str, *instead: Step) -> InputError:
        """That the step cannot be taken, and the path that was probably meant."""
        steps = self.path.steps
        meant = str(Path((*steps[: self.depth], *instead, *steps[self.depth + 1 :])))
        return InputError(Problem(message, str(self.path), suggestion=meant if instead else ""))


def _follow(stand: _Stand) -> Iterator[Place]:
    if stand.depth == len(stand.path.steps):
        yield stand.place
    elif items := _item_kinds(stand.kinds, stand.step):
        named = any(_is_model(kind) and "name" in kind.model_fields for kind in items)
        for index in _by_name(stand) if named else _by_place(stand):
            yield from _follow(stand.down(index, items))
    else:
        yield from _follow(_into_table(stand))


def _by_name(stand: _Stand) -> Sequence[int]:
    """Items of a list of tables that have names."""
    names = [unicodedata.normalize("NFC", str(item["name"])) for item in _list(stand)]
    step = stand.step
    if isinstance(step, int) or step == EVERY_PLACE:
        instead = names[step] if isinstance(step, int) and step < len(names) else EVERY_NAME
        raise stand.refusal(f"the tables of {stand.name} go by their names", instead)
    if step == EVERY_NAME:
        return range(len(names))
    if step not in names:
        near = nearest(step, names)
        raise stand.refusal(
            f"there is no '{step}' in {stand.name}; there are {_listed(names)}",
            *([near] if near else []),
        )
    return (names.index(step),)


def _by_place(stand: _Stand) -> Sequence[int]:
    """Items of a list that have no names."""
    length, step = len(_list(stand)), stand.step
    there = f"{stand.name}[0]" + (f" to {stand.name}[{length - 1}]" if length > 1 else "")
    if step == EVERY_PLACE:
        return range(length)
    if isinstance(step, str):
        raise stand.refusal(f"{stand.name} is a list, whose items go by their place: {there}")
    if step >= length:
        raise stand.refusal(f"there is no item [{step}]; the scenario has {there}")
    return (step,)


def _list(stand: _Stand) -> Sequence[Any]:
    if not isinstance(stand.node, list | tuple) or not stand.node:
        given = "" if stand.node is MISSING else f" but {quote(stand.node)}"
        raise stand.refusal(
            f"the scenario has no list {stand.name}{given}; only what it lists can be varied in "
            f"part: give {stand.name} a list, or vary the whole of it"
        )
    return stand.node


def _into_table(stand: _Stand) -> _Stand:
    """One key further down."""
    step, kinds = stand.step, stand.kinds
    below = tuple(kind for table in kinds for kind in _value_kinds(table, step))
    if not below:
        raise _no_such_key(stand)
    if stand.node is not MISSING and not isinstance(stand.node, Mapping):
        raise stand.refusal(
            f"{stand.name} is {quote(stand.node)} in the scenario, not a table; vary the whole of "
            "it, with tables such as { key = value }"
        )
    return stand.down(step, below)


def _no_such_key(stand: _Stand) -> InputError:
    step = stand.step
    keys = list(dict.fromkeys(key for kind in stand.kinds for key in _keys(kind)))
    if isinstance(step, int) or step == EVERY_PLACE:
        return stand.refusal(f"{stand.name} is no list and has no places")
    if keys:
        instead = _instead(stand, keys)
        return stand.refusal(
            f"there is no setting '{step}' in {stand.name}; there are {', '.join(keys)}", *instead
        )
    if any(get_origin(kind) is dict for kind in stand.kinds):
        return stand.refusal(f"{stand.name} has tables by year, such as {stand.name}.2024")
    if stand.place[-1] == "file" or str(stand.place[-1]).endswith("_file"):
        return stand.refusal(f"{stand.name} names a file; what is in a file cannot be varied")
    return stand.refusal(f"{stand.name} is a single value; nothing lies below it")


def _instead(stand: _Stand, keys: Sequence[str]) -> tuple[Step, ...]:
    """What was probably meant by a key that does not exist; of a track it may be a rule."""
    step = str(stand.step)
    if "rules" in keys and isinstance(stand.node, Mapping) and "program" in stand.node:
        from simdc.programs import load_program

        if step in load_program(stand.node["program"]).meanings:
            return ("rules", step)
    near = nearest(step, keys)
    return (near,) if near else ()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


# --- what the models allow --------------------------------------------------------------------


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of an annotation."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _kinds(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return tuple(kind for one in get_args(annotation) for kind in _kinds(one))
    return (annotation,)


def _item_kinds(kinds: tuple[Any, ...], step: Step) -> tuple[Any, ...]:
    """What the items of a list may be; nothing where a list cannot stand or is not meant."""
    lists = [get_args(kind) for kind in kinds if get_origin(kind) is tuple]
    # A table may stand in place of the list, and the step be one of its keys.
    if isinstance(step, str) and any(_value_kinds(kind, step) for kind in kinds):
        return ()
    if Any in kinds and not (isinstance(step, str) and step != EVERY_PLACE):
        return (Any,)
    return tuple(kind for items in lists for kind in _kinds(items[0]))


def _value_kinds(table: Any, key: Step) -> tuple[Any, ...]:
    """What a table may hold under a key; nothing if it has no such key."""
    if not isinstance(key, str) or key in (EVERY_NAME, EVERY_PLACE):
        return ()
    if _is_model(table):
        fields = table.model_fields.items()
        found = (field.annotation for name, field in fields if (field.alias or name) == key)
        return tuple(kind for annotation in found for kind in _kinds(annotation))
    if get_origin(table) is dict:
        keys, values = get_args(table)
        return _kinds(values) if _allows(keys, key) else ()
    return (Any,) if table is Any else ()


def _allows(keys: Any, key: str) -> bool:
    kind = _kinds(keys)[0]
    return key in get_args(kind) if get_origin(kind) is Literal else kind is str or _is_year(key)


def _is_year(key: str) -> bool:
    return re.fullmatch(r"[0-9]{4}", key) is not None


def _keys(kind: Any) -> list[str]:
    if _is_model(kind):
        return [field.alias or name for name, field in kind.model_fields.items()]
    if get_origin(kind) is dict:
        return [key for key in get_args(_kinds(get_args(kind)[0])[0]) if isinstance(key, str)]
    return []
