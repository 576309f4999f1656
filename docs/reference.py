"""Write the reference of scenario keys from the models: ``python docs/reference.py``.

Every section of docs/scenario.md is one table of a scenario file, every row one key. What a key
means stands with its field in simdc/scenario/models.py and nowhere else.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from simdc.drivers import DRIVER_NAMES, resolve_drivers
from simdc.scenario import models
from simdc.scenario.fields import Figure, Name

Table: TypeAlias = type[BaseModel]

BY_CATEGORY, BY_YEAR = '."A&D"', ".2023"
NAME = Name.__metadata__[0]
"""What marks a name among texts."""

PAGE = Path(__file__).with_name("scenario.md")

OPENING = """\
# Every key of a scenario

Written by `python docs/reference.py` from the [models](../simdc/scenario/models.py); do not edit it
by hand. `simdc schema` prints the same for editors and other programs.

A scenario is a TOML file. Money is in US dollars, rates are fractions (2% is 0.02), coefficients of
variation are ratios (214% is 2.14). File names start from the scenario's folder. Terms are
explained in the [glossary](glossary.md). A default of `-` means that the key may be left out;
tables headed `[[...]]` may be repeated.
"""

WITHOUT_DEFAULT = ("high_performers_bonus", "health_equity_months")
PERSON_CV = 2.0

DEFAULTS_OPENING = """\
### Defaults of drivers

What `{ distribution = "default" }` stands for, from evidence before the performance year: here for
a Standard entity in Global in 2026, the cost of whose people has a coefficient of variation of 2
given their risk scores. `simdc validate` prints those of a scenario.
"""

CHOICES = {
    "severity": (get_args(get_args(models.Severity)[0]), models._Severity),
    "driver": (get_args(get_args(models.Driver)[0]), models._Driver),
}
"""Tables that name their distribution: the choices, and what all of them have."""


def page() -> str:
    """The whole reference in Markdown."""
    parts = [OPENING]
    seen: set[Table] = set()
    for header, table in tables(models.Scenario, "", seen):
        parts.append(section(header, table))
        if table is models.Drivers:
            parts.append(defaults())
    for word, (members, common) in CHOICES.items():
        parts.append(choice_section(word, members, common))
        for member in members:
            parts += [section(header, table) for header, table in below(member, f"[{word}]", seen)]
    return "\n".join(parts)


def tables(table: Table, header: str, seen: set[Table]) -> Iterator[tuple[str, Table]]:
    """Every table of a scenario once, with its header, in the order of the models."""
    if table in seen:
        return
    seen.add(table)
    yield header or "The top of the file", table
    yield from below(table, header, seen)


def below(table: Table, header: str, seen: set[Table]) -> Iterator[tuple[str, Table]]:
    """The tables within a table, likewise."""
    for key, field in keys(table):
        for inner, repeated in tables_in(field.annotation):
            path = f"{header.strip('[]')}.{key}{keyed(field.annotation)}".lstrip(".")
            yield from tables(inner, f"[[{path}]]" if repeated else f"[{path}]", seen)


def tables_in(annotation: Any, repeated: bool = False) -> list[tuple[Table, bool]]:
    """The tables that a key may hold, and whether it holds several; no choices of distribution."""
    if choice_of(annotation):
        return []
    if is_table(annotation):
        return [(annotation, repeated)]
    within = repeated or get_origin(annotation) is tuple
    return [found for inner in get_args(annotation) for found in tables_in(inner, within)]


def is_table(annotation: Any) -> bool:
    """Whether it is one of the models."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def keyed(annotation: Any) -> str:
    """What follows a key that holds one value for each category, or for each year."""
    for each in (annotation, *get_args(annotation)):
        if get_origin(each) is dict:
            return BY_CATEGORY if per(each) == "category" else BY_YEAR
    return ""


def per(annotation: Any) -> str:
    """What a table of values has one of for each key."""
    return "category" if get_origin(get_args(annotation)[0]) is Literal else "year"


def choice_of(annotation: Any) -> str:
    """What a table is called that names its distribution; empty for anything else."""
    for word, (members, _) in CHOICES.items():
        if members[0] in (annotation, *get_args(annotation)):
            return word
    return ""


# --- sections ---------------------------------------------------------------------------------


def section(header: str, table: Table) -> str:
    """One table of the file."""
    title = f"`{header}`" if header.startswith("[") else header
    return f"## {title}\n\n{told(table)}\n\n{rows(list(keys(table)))}"


def defaults() -> str:
    """What the default of each driver stands for."""
    entity = models.Entity(id="any", type="standard", performance_year=2026, option="global")
    default = {"distribution": "default"}
    given = {name: default for name in DRIVER_NAMES if name not in WITHOUT_DEFAULT}
    resolved = resolve_drivers(
        models.Drivers.model_validate(given),
        entity,
        option="global",
        person_cv=PERSON_CV,
        base_dir=Path(),
    )
    lines = ["| driver | default | source |", "|---|---|---|"]
    for told in resolved.assumptions:
        cells = (f"`{told.subject.removeprefix('driver ')}`", told.statement, told.source)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return f"{DEFAULTS_OPENING}\n" + "\n".join(lines) + "\n"


def choice_section(word: str, members: Iterable[Table], common: Table) -> str:
    """A table that names its distribution: what all have, then each."""
    shared = dict(keys(common))
    parts = [f"## A {word}\n", f"Names its `distribution`. Whichever it is, a {word} may have:\n"]
    parts.append(rows(list(shared.items())))
    for member in members:
        (name,) = get_args(member.model_fields["distribution"].annotation)
        own = [
            (key, field)
            for key, field in keys(member)
            if key not in shared and key != "distribution"
        ]
        parts.append(f'### `distribution = "{name}"`\n\n{told(member)}\n')
        if own:
            parts.append(rows(own))
    return "\n".join(parts)


def keys(table: Table) -> Iterator[tuple[str, FieldInfo]]:
    """Keys as they are written in the file."""
    for name, field in table.model_fields.items():
        yield field.alias or name, field


def told(table: Table) -> str:
    """The description of a table, in one paragraph each."""
    return inspect.cleandoc(table.__doc__ or "")


def rows(fields: list[tuple[str, FieldInfo]]) -> str:
    """A Markdown table of keys."""
    lines = ["| key | unit or kind | default | meaning |", "|---|---|---|---|"]
    for key, field in fields:
        meaning = " ".join((field.description or "").split())
        cells = (f"`{key}`", kind(field), default(field), meaning)
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


# --- cells ------------------------------------------------------------------------------------


def kind(field: FieldInfo) -> str:
    """What a key must hold, in words."""
    return words(
        Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    )


def words(annotation: Any) -> str:
    """What an annotation allows, in words."""
    if word := choice_of(annotation):
        return f"a {word}"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        figure = next((extra for extra in arguments[1:] if isinstance(extra, Figure)), None)
        if figure is None:
            return "a name" if NAME in arguments else words(arguments[0])
        return figure.what.partition(", written")[0]  # said once, at the beginning
    if origin in (Union, UnionType):
        kinds = dict.fromkeys(words(each) for each in arguments if each is not NoneType)
        return " or ".join(kinds)
    if origin is Literal:
        return ", ".join(f'`"{choice}"`' for choice in arguments)
    if origin is dict:
        if arguments[1] is Any:
            return "values by rule name"
        return f"by {per(annotation)}: {words(arguments[1])}"
    if origin is tuple:
        if is_table(arguments[0]):
            return "tables"
        size = "" if arguments[-1] is Ellipsis else f" of {len(arguments)}"
        return f"a list{size}: {words(arguments[0])}"
    if is_table(annotation):
        return "a table"
    return {str: "text", bool: "true or false"}[annotation]


def default(field: FieldInfo) -> str:
    """What holds where a key is left out."""
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    match value:
        case bool():
            return "`true`" if value else "`false`"
        case str() if value:
            return f'`"{value}"`'
        case int() | float():
            return f"`{value:_}`" if isinstance(value, int) else _number(value)
        case _:
            return "-"


def _number(value: float) -> str:
    return "`inf`" if math.isinf(value) else f"`{value:g}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
