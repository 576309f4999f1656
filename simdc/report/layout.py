"""What the reports share: their heading, tables and width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import IO

import xarray as xr
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from simdc.result import group

__all__ = ["clean", "counted", "heading", "new_table", "print_report", "section"]

_WIDTH = (80, 110)  # figures need the first, lines of text get hard to read beyond the second

_TYPES = {"standard": "Standard", "new_entrant": "New Entrant", "high_needs": "High Needs"}


def print_report(parts: Iterable[RenderableType], file: IO[str] | None) -> None:
    """Print on at least 80 columns, whatever the terminal says: no figure may be cut."""
    console = Console(file=file, highlight=False)
    console.width = min(max(console.width, _WIDTH[0]), _WIDTH[1])
    console.print(Group(*parts))


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


def counted(number: int) -> str:
    """So many draws, in words."""
    return f"{number:,} draw{'' if number == 1 else 's'}"


def heading(tree: xr.DataTree) -> Iterator[RenderableType]:
    """What the result is of, and how its figures are to be read."""
    about, inputs = tree.attrs, group(tree, "inputs")
    kind = _TYPES.get(about["entity_type"], about["entity_type"])
    yield Text(clean(about["title"] or about["scenario_name"]), style="bold")
    yield Text(f"{clean(about['entity'])}, {kind}, performance year {about['performance_year']}")
    yield Text(
        f"{int(inputs['beneficiaries'].sum()):,} beneficiaries, "
        f"{float(inputs['months'].sum()):,.0f} months, "
        f"expected cost ${float(inputs['expected_cost'].sum()) / 1e6:,.1f} million"
    )
    yield Text(
        f"{counted(about['draws'])}, seed {about['seed']}; "
        f"± and ranges are {about['confidence']:.0%} confidence limits"
    )
    yield Text(f"Sign: {about['sign_convention']}.")
    yield Text()
