"""``simdc programs``: the rules of each program by performance year, with their sources."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from simdc.programs import Program, load_program, program_names
from simdc.programs.model import UNSETTLED, Provision, source_keys

_WIDTH = 80
_SCOPE_WIDTH = 28


class Selection(NamedTuple):
    """What the reader asked for; None stands for any."""

    year: int | None
    option: str | None
    entity_type: str | None


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """The rules of each program by performance year, with their sources."""
    if context.invoked_subcommand is None:
        context.invoke(list_programs)


@command.command("list")
@click.option("--unconfirmed", is_flag=True, help="List programs too whose rules are unconfirmed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_programs(unconfirmed: bool = False, as_json: bool = False) -> None:
    """The programs whose rules are held."""
    names = program_names(include_unconfirmed=unconfirmed)
    programs = [load_program(name) for name in names]
    if as_json:
        _print_json([_about(program) for program in programs])
        return
    table = _table("Program", "Years", "Options", "Status", "Title")
    for program in programs:
        options = "\n".join(program.options)
        table.add_row(program.name, _span(program.years), options, program.status, program.title)
    console = _console()
    console.print(table)
    if left_out := [n for n in program_names(include_unconfirmed=True) if n not in names]:
        console.print(f"\nNot confirmed, so listed only with --unconfirmed: {', '.join(left_out)}.")
    console.print("\nsimdc programs show NAME prints the rules of one, with their sources.")


@command.command("show")
@click.argument("name")
@click.option("--year", type=int, help="Only this performance year.")
@click.option("--option", help="Only this risk option, such as 'global'.")
@click.option("--type", "entity_type", help="Only this type of entity, such as 'high_needs'.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def show_program(
    name: str, year: int | None, option: str | None, entity_type: str | None, as_json: bool
) -> None:
    """Every rule of a program: value, unit, source, confidence and notes."""
    program = load_program(name)
    selection = Selection(year, option, entity_type)
    provisions = program.matching(*selection)
    if as_json:
        rules = [_as_json(provision) for provision in provisions]
        _print_json(_about(program) | {"sources": program.sources, "rules": rules})
        return
    console = _console()
    _print_heading(console, program, selection)
    notes = _numbered_notes(provisions)
    console.print(_rules_table(program, provisions, notes, selection))
    if any(p.rule.confidence in UNSETTLED for p in provisions):
        console.print()
        _print_paragraph(console, "! no source settles it: inferred, conflicting or assumed.")
    _print_list(console, "Notes", ((f"[{number}]", note) for note, number in notes.items()))
    names = dict.fromkeys(p.rule.name for p in provisions)
    _print_list(console, "Rules in words", ((f"{rule}:", program.meanings[rule]) for rule in names))
    keys = dict.fromkeys(key for p in provisions for key in source_keys(p.rule.source))
    _print_list(console, "Sources", ((f"{key}:", program.sources[key]) for key in keys))


# --- the table --------------------------------------------------------------------------------


def _rules_table(
    program: Program,
    provisions: Sequence[Provision],
    notes: Mapping[str, int],
    selection: Selection,
) -> Table:
    """One group of rows per rule: its name, then each value with where it holds."""
    table = _table()
    table.add_column("Rule", no_wrap=True)
    table.add_column("Value", min_width=15)
    table.add_column("Confidence", no_wrap=True)
    table.add_column("Source", min_width=15)
    for name, group in groupby(provisions, key=lambda p: p.rule.name):
        rows = [(_scope(program, p, selection), _figures(p, notes)) for p in group]
        if [scope for scope, _ in rows] == [""]:
            table.add_row(name, *rows[0][1])
            continue
        table.add_row(name)
        for scope, figures in rows:
            table.add_row(_indented(scope), *figures)
    return table


def _scope(program: Program, provision: Provision, selection: Selection) -> str:
    """Where a figure holds, as far as the reader has not chosen it and it is not everywhere."""
    parts = [_span(provision.years)] if selection.year is None else []
    if selection.option is None and provision.options != program.options:
        parts += provision.options
    if selection.entity_type is None and provision.entity_types != program.entity_types:
        parts += provision.entity_types
    return " ".join(parts)


def _indented(scope: str) -> str:
    """The scope below its rule's name, on as many lines as leave room for the other columns."""
    return textwrap.fill(
        scope,
        width=_SCOPE_WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
    )


def _figures(provision: Provision, notes: Mapping[str, int]) -> tuple[str, Text, str]:
    rule = provision.rule
    unsettled = rule.confidence in UNSETTLED
    confidence = Text(f"{'! ' if unsettled else ''}{rule.confidence}")
    if unsettled:
        confidence.stylize("bold yellow")
    if rule.note:
        confidence.append(f" [{notes[rule.note]}]")
    return rule.shown, confidence, rule.source


def _numbered_notes(provisions: Iterable[Provision]) -> dict[str, int]:
    notes = dict.fromkeys(p.rule.note for p in provisions if p.rule.note)
    return {note: number for number, note in enumerate(notes, start=1)}


def _span(years: Sequence[int]) -> str:
    return str(years[0]) if len(years) == 1 else f"{years[0]}-{years[-1]}"


# --- printing ---------------------------------------------------------------------------------


def _console() -> Console:
    # Rule texts hold brackets and numbers that are neither markup nor to be coloured.
    return Console(markup=False, highlight=False, emoji=False)


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column)
    return table


def _print_heading(console: Console, program: Program, selection: Selection) -> None:
    chosen = ", ".join(str(part) for part in selection if part is not None)
    heading = f"{program.title} ({program.name}){': ' if chosen else ''}{chosen}"
    console.print(heading, style="bold")
    console.print(f"Status: {program.status}.")
    _print_paragraph(console, program.note)
    console.print()


def _print_list(console: Console, title: str, entries: Iterable[tuple[str, str]]) -> None:
    entries = list(entries)
    if not entries:
        return
    console.print(f"\n{title}", style="bold")
    for label, text in entries:
        _print_paragraph(console, f"{label} {text}", hanging="  ")


def _print_paragraph(console: Console, text: str, hanging: str = "") -> None:
    """Text in lines of 80 columns whose web addresses stay whole, so that they can be followed."""
    lines = textwrap.wrap(
        " ".join(text.split()),
        width=min(console.width, _WIDTH),
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for line in lines:
        console.print(line, soft_wrap=True)


# --- JSON -------------------------------------------------------------------------------------


def _about(program: Program) -> dict[str, Any]:
    return {
        "program": program.name,
        "title": program.title,
        "status": program.status,
        "family": program.family,
        "note": program.note,
        "years": program.years,
        "options": program.options,
        "entity_types": program.entity_types,
    }


def _as_json(provision: Provision) -> dict[str, Any]:
    rule = provision.rule
    return {
        "name": rule.name,
        "years": provision.years,
        "options": provision.options,
        "entity_types": provision.entity_types,
        "value": _finite(rule.value),
        "unit": rule.unit,
        "source": rule.source,
        "confidence": rule.confidence,
        "note": rule.note,
    }


def _finite(value: Any) -> object:
    """The value with its open upper edge as null, which JSON can hold."""
    if isinstance(value, tuple):
        return [_finite(part) for part in value]
    return None if value == math.inf else value


def _print_json(content: object) -> None:
    click.echo(json.dumps(content, indent=2))
