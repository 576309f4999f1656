"""The reference of scenario keys says what the models say, and all of it."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simdc.scenario import models, scenario_schema

DOCS = Path(__file__).parents[2] / "docs"


def tables() -> Iterator[type[models.Model]]:
    for member in vars(models).values():
        if isinstance(member, type) and issubclass(member, models.Model):
            yield member


@pytest.mark.parametrize("table", list(tables()), ids=lambda table: table.__name__)
def test_every_key_is_described(table: type[models.Model]) -> None:
    # A distribution is described with the table that it names.
    silent = [key for key, field in table.model_fields.items() if not field.description]
    assert silent in ([], ["distribution"])


def test_the_page_is_up_to_date() -> None:
    """If it is not: python docs/reference.py."""
    reference = runpy.run_path(str(DOCS / "reference.py"))
    assert (DOCS / "scenario.md").read_text(encoding="utf-8") == reference["page"]()


def test_the_page_has_every_key_of_the_schema() -> None:
    page = (DOCS / "scenario.md").read_text(encoding="utf-8")
    schema: dict[str, Any] = scenario_schema()
    keys = {key for table in schema["$defs"].values() for key in table["properties"]}
    assert {key for key in keys if f"| `{key}` |" not in page} == {"distribution"}
    names = {
        table["properties"]["distribution"]["const"]
        for table in schema["$defs"].values()
        if "distribution" in table["properties"]
    }
    assert {name for name in names if f'`distribution = "{name}"`' not in page} == set()


@pytest.mark.parametrize(
    "term",
    [
        "A&D", "APO", "Attachment point", "CI/SEP", "Corridor", "ESRD", "Enhanced capitation",
        "HEBA", "MSR, MLR", "PBPM", "PCC", "Retrospective trend adjustment", "Sequestration",
        "TCC", "TVaR", "Withhold, earn-back",
    ],
)  # fmt: skip
def test_the_glossary_explains(term: str) -> None:
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8")
    assert f"**{term}**" in glossary or f"{term}**" in glossary
