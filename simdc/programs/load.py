"""Reads a program's data file and refuses one that is incomplete or contradicts itself.

Nothing here knows the name of a rule: a data file declares its own.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from itertools import product
from typing import Any

from simdc.errors import InputError, Problem, nearest
from simdc.programs.model import CONFIDENCES, UNSETTLED, Program, Provision, Rule, source_keys
from simdc.programs.units import KINDS, checked

__all__ = ["load_program", "parse_program", "program_names"]

_DATA = resources.files("simdc.programs") / "data"
_FIELDS = {
    "name",
    "years",
    "options",
    "entity_types",
    "value",
    "unit",
    "source",
    "confidence",
    "note",
}


@cache
def program_names(*, include_unconfirmed: bool = False) -> tuple[str, ...]:
    """Names of the programs whose rules are held, in alphabetical order.

    Parameters
    ----------
    include_unconfirmed : bool
        Whether to name those too whose rules are not confirmed yet. They can always be loaded.
    """
    return tuple(name for name in _held() if include_unconfirmed or load_program(name).confirmed)


@cache
def _held() -> tuple[str, ...]:
    files = (entry.name for entry in _DATA.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


@cache
def load_program(name: str) -> Program:
    """The rules of a program.

    Raises
    ------
    InputError
        If there is no such program; the nearest name is suggested.
    """
    if name not in _held():
        known = ", ".join(f"'{known}'" for known in program_names())
        raise InputError(
            Problem(
                f"there is no such program; there are {known}",
                given=f"'{name}'",
                suggestion=nearest(name, _held()),
            )
        )
    text = (_DATA / f"{name}.toml").read_text(encoding="utf-8")
    return parse_program(tomllib.loads(text))


def parse_program(table: Mapping[str, Any]) -> Program:
    """A program from its parsed data file.

    A file with a table ``[based_on]`` takes every rule that it does not state itself from another
    program, as far as that program's years, options and entity types are its own.

    Raises
    ------
    ValueError
        If the file lacks something or contradicts itself; a fault of the file, not of the user.
    """
    name = table["program"]
    years, options = tuple(table["years"]), tuple(table["options"])
    entity_types = tuple(table.get("entity_types", ()))
    provisions = []
    for entry in table["rule"]:
        try:
            provisions.append(_provision(entry, years, options, entity_types, table["sources"]))
        except (KeyError, ValueError) as error:
            raise ValueError(f"{name}: rule {entry.get('name')!r}: {error}") from error
    _refuse_contradictions(name, provisions)
    if missing := {p.rule.name for p in provisions} ^ table["meaning"].keys():
        raise ValueError(f"{name}: [meaning] and rules disagree about {sorted(missing)}")
    program = Program(
        name=name,
        title=table["title"],
        status=table["status"],
        note=table["note"],
        family=table["family"],
        years=years,
        options=options,
        entity_types=entity_types,
        sources=dict(table["sources"]),
        meanings=dict(table["meaning"]),
        elsewhere={other: tuple(held) for other, held in table.get("elsewhere", {}).items()},
        provisions=tuple(provisions),
    )
    return _completed(program, table["based_on"]) if "based_on" in table else program


def _completed(program: Program, based_on: Mapping[str, str]) -> Program:
    """The program with what it does not state itself taken from the one that it is based on."""
    base = load_program(based_on["program"])
    inherited = tuple(_inherited(program, base, based_on))
    keys = {key for p in inherited for key in source_keys(p.rule.source)}
    sources = {key: base.sources[key] for key in base.sources if key in keys}
    if clashing := [
        key for key in sources if program.sources.get(key, sources[key]) != sources[key]
    ]:
        raise ValueError(f"{program.name}: {base.name} means another source by {clashing}")
    names = {p.rule.name for p in inherited}
    return replace(
        program,
        sources={**program.sources, **sources},
        meanings={
            **program.meanings,
            **{name: text for name, text in base.meanings.items() if name in names},
        },
        provisions=program.provisions + inherited,
    )


def _inherited(program: Program, base: Program, based_on: Mapping[str, str]) -> Iterator[Provision]:
    """Provisions of the base for rules that the program does not state, where both hold."""
    stated = set(program.meanings)
    for p in base.provisions:
        narrowed = Provision(
            rule=replace(
                p.rule,
                confidence=based_on.get("confidence", p.rule.confidence),
                note=f"{p.rule.note} {based_on.get('note', '')}".strip(),
            ),
            years=tuple(year for year in p.years if year in program.years),
            options=tuple(option for option in p.options if option in program.options),
            entity_types=tuple(kind for kind in p.entity_types if kind in program.entity_types),
        )
        held = narrowed.years and narrowed.options and (narrowed.entity_types or not p.entity_types)
        if p.rule.name not in stated and held:
            yield narrowed


def _provision(
    entry: Mapping[str, Any],
    years: tuple[int, ...],
    options: tuple[str, ...],
    entity_types: tuple[str, ...],
    sources: Mapping[str, str],
) -> Provision:
    _refuse_unknown("field", entry, _FIELDS)
    _refuse_unknown("unit", [entry["unit"].split()[0]], KINDS)
    _refuse_unknown("confidence", [entry["confidence"]], CONFIDENCES)
    _refuse_unknown("source", source_keys(entry["source"]), sources)
    rule = Rule(
        name=entry["name"],
        value=checked(entry["value"], entry["unit"]),
        unit=entry["unit"],
        source=entry["source"],
        confidence=entry["confidence"],
        note=entry.get("note", ""),
    )
    if rule.confidence in UNSETTLED and not rule.note:
        raise ValueError(f"{rule.confidence!r} needs a note that says why")
    provision = Provision(
        rule=rule,
        years=tuple(entry["years"]),
        options=tuple(entry.get("options", options)),
        entity_types=tuple(entry.get("entity_types", entity_types)),
    )
    _refuse_unknown("year", provision.years, years)
    _refuse_unknown("option", provision.options, options)
    _refuse_unknown("entity type", provision.entity_types, entity_types)
    return provision


def _refuse_unknown(what: str, given: Iterable[object], known: Iterable[object]) -> None:
    if unknown := set(given) - set(known):
        raise ValueError(f"unknown {what}: {', '.join(map(str, unknown))}")


def _refuse_contradictions(program: str, provisions: Iterable[Provision]) -> None:
    seen = set()
    for p in provisions:
        for case in product([p.rule.name], p.years, p.options, p.entity_types or ("any",)):
            if case in seen:
                raise ValueError(f"{program}: stated twice: {', '.join(map(str, case))}")
            seen.add(case)
