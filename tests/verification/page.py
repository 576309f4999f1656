"""The page that the long checks write: docs/robustness.md, a section for each."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from simdc.provenance import versions

__all__ = ["put_into_page", "table"]

PAGE = Path(__file__).parents[2] / "docs" / "robustness.md"


def put_into_page(section: str, command: str, text: str) -> None:
    """Replace what stands between the marks of a section."""
    packages = ", ".join(f"{name} {number}" for name, number in versions(_PACKAGES).items())
    written = (
        f"<!-- {section}: written by the command below -->\n"
        f"`{command}`, {datetime.now(UTC).date().isoformat()}, on a {platform.machine()} machine "
        f"with {os.cpu_count()} processors ({platform.system()}), with {packages}:\n\n"
        f"{text}\n<!-- end of {section} -->"
    )
    page = PAGE.read_text(encoding="utf-8")
    marks = re.compile(rf"<!-- {section}: .*?<!-- end of {section} -->", re.DOTALL)
    assert marks.search(page), f"{PAGE} has no section {section}"
    PAGE.write_text(marks.sub(lambda _: written, page), encoding="utf-8")


_PACKAGES = ("simdc", "numpy", "numba", "xarray", "zarr", "h5py", "distributed")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first column is text and the others figures."""
    rule = ["---"] + ["--:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows))
