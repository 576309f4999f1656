"""What the reports share: their heading, tables, assumptions and width."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

import xarray as xr
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from simdc.report.figures import Money, Prospect, prospects
from simdc.result import group

__all__ = [
    "assumptions",
    "clean",
    "counted",
    "heading",
    "how_to_read",
    "new_table",
    "of_whom",
    "points",
    "print_report",
    "section",
]

_WIDTH = (80, 110)  # figures need the first, lines of text get hard to read beyond the second

_TRAILING = re.compile(r"(?: |\x1b\[[\d;]*m)+$", re.MULTILINE)  # blanks and changes of colour

_TYPES = {"standard": "Standard", "new_entrant": "New Entrant", "high_needs": "High Needs"}


def print_report(parts: Iterable[RenderableType], file: IO[str] | None) -> None:
    """Print on at least 80 columns, whatever the terminal says: no figure may be cut."""
    console = Console(file=file, highlight=False)
    console.width = min(max(console.width, _WIDTH[0]), _WIDTH[1])
    with console.capture() as printed:
        console.print(Group(*parts))
    text = _TRAILING.sub(lambda found: found[0].replace(" ", ""), printed.get())
    (file or sys.stdout).write(text)


def clean(text: object) -> str:
    """Text from a scenario without characters that would steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in str(text))


def new_table(first: str, headers: Sequence[str]) -> Table:
    """A table of names in the first column and figures in the others."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column(first, overflow="fold", min_width=12)
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def section(title: str, table: Table, note: str = "") -> Group:
    """A titled table with what there is to say about it."""
    parts: list[RenderableType] = [Text(title, style="bold"), table]
    if note:
        parts.append(Text(note, style="dim"))
    return Group(*parts, Text())


def points(texts: Iterable[Text]) -> Table:
    """A list, one point for each text."""
    listed = Table.grid(padding=(0, 1))
    listed.add_column(no_wrap=True)
    listed.add_column(overflow="fold")
    for text in texts:
        listed.add_row("-", text)
    return listed


def counted(number: float, one: str, several: str = "") -> str:
    """So many of something, in words; the plural adds an s unless given."""
    return f"{number:,.0f} {one if round(number) == 1 else several or one + 's'}"


def heading(tree: xr.DataTree, money: Money) -> Iterator[RenderableType]:
    """What the result is of, what is expected, and how its figures are to be read."""
    about, inputs = tree.attrs, group(tree, "inputs")
    yield from of_whom(about)
    people, months = (float(inputs[name].sum()) for name in ("beneficiaries", "months"))
    yield Text(f"{counted(people, 'beneficiary', 'beneficiaries')}, {counted(months, 'month')}")
    yield from _warnings(inputs)
    yield from _expected(prospects(tree), money)
    yield Text(f"{counted(about['draws'], 'draw')}, seed {about['seed']}")
    yield from how_to_read(about)
    yield Text()


def of_whom(about: Mapping[Any, Any]) -> Iterator[Text]:
    """Title, entity and year."""
    kind = _TYPES.get(about["entity_type"], about["entity_type"])
    yield Text(clean(about["title"] or about["scenario_name"]), style="bold")
    yield Text(f"{clean(about['entity'])}, {kind}, performance year {about['performance_year']}")


def how_to_read(about: Mapping[Any, Any]) -> Iterator[Text]:
    """What stands below figures, and what their sign means."""
    yield Text(
        f"±, <, > and ranges are {about['confidence']:.0%} confidence limits of the simulation "
        "alone: they leave out doubt about the assumptions listed below."
    )
    yield Text(f"Sign: {about['sign_convention']}.")


def _warnings(inputs: xr.Dataset) -> Iterator[Text]:
    """What is assumed although the rules do not provide for it, to be seen before any figure."""
    for subject, statement in zip(
        inputs["assumption_subject"].values, inputs["assumption_statement"].values, strict=True
    ):
        if "warning: " in subject:
            yield Text(f"Warning: {clean(statement)}.", style="bold")


def _expected(by_track: dict[str, Prospect], money: Money) -> Iterator[Text]:
    """Expected cost and benchmark, a benchmark once for all the tracks that have it."""
    tracks: dict[Prospect, list[str]] = {}
    for name, prospect in by_track.items():
        tracks.setdefault(prospect, []).append(clean(name))
    prospect = next(iter(tracks))
    yield Text(f"Expected cost: {_amount(prospect.cost, prospect.months, money)}")
    for prospect, names in tracks.items():
        only = "" if len(tracks) == 1 else f" of {', '.join(names)}"
        share = f"{abs(prospect.below) / prospect.benchmark:.2%}"
        yield Text(
            f"Unadjusted benchmark{only}: {_amount(prospect.benchmark, prospect.months, money)}; "
            f"expected cost lies {_amount(abs(prospect.below), prospect.months, money, share)} "
            f"{'below' if prospect.below >= 0.0 else 'above'} it"
        )


def _amount(dollars: float, months: float, money: Money, *further: str) -> str:
    beside = ", ".join([f"${dollars / months:,.2f} PBPM", *further])
    return f"{money.said(money.plain(dollars))} ({beside})"


def assumptions(tree: xr.DataTree) -> Iterator[RenderableType]:
    """What no source settles, one point each."""
    inputs = group(tree, "inputs")
    parts = [inputs[f"assumption_{part}"].values for part in ("subject", "statement", "source")]
    if not parts[0].size:
        return
    yield Text("Assumptions", style="bold")
    yield points(
        Text.assemble(
            (subject, "bold"),
            f": {statement}",
            ("" if source == "assumption" else f" [{source}]", "dim"),
        )
        for subject, statement, source in zip(*(map(clean, part) for part in parts), strict=True)
    )
