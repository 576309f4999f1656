"""What a results file says of each entity: what was known before the year, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simdc.errors import InputError, Problem, nearest
from simdc.priors import load_priors
from simdc.programs import Program, load_program
from simdc.replay.replay import PublishedRows, read_rows
from simdc.replay.sheet import Column, Numbers, Sheet
from simdc.replay.table import Damage, plain_name

__all__ = ["PROGRAMS", "Entity", "Published", "read_published"]

Floats = NDArray[np.float64]

PROGRAMS = ("gpdc", "reach")
"""Programs with default priors from published results."""

_FURTHER: Mapping[str, Column] = {
    "type": Column("ACO_TYPE", ("dcetype", "entitytype", "participanttype", "type")),
    "beneficiaries": Column(
        "BENE_CNT", ("benecount", "nbene", "nben", "beneficiaries", "alignedbeneficiaries")
    ),
    "capitation": Column("CAPITATION", ("capitationoption", "capitationmechanism")),
    "capitation_paid": Column("CAP_PMT", ("cappayment", "capitationpayment")),
}

_NEEDED: Mapping[str, str] = {
    "type": "the defaults of a scenario depend on the type of entity",
    "beneficiaries": "the luck of people depends on how many they are",
    "unadjusted_benchmark": "a scenario starts from the benchmark known before the year",
    "final_benchmark": "savings rates are over the final benchmark",
    "gross": "this is the outcome that forecasts are compared with",
}
_DISPENSABLE: Mapping[str, str] = {
    "stop_loss": "nobody is given stop-loss, so forecasts come out wider for those that had it",
    "capitation": "nobody is given capitation, which fixes part of cost",
    "capitation_paid": "nobody is given capitation, which fixes part of cost",
}
_EQUITY = ("equity_up_months", "equity_down_months", "equity_up", "equity_down")


@dataclass(frozen=True)
class Entity:
    """One entity in one performance year.

    Attributes
    ----------
    id : str
    entity_type : {'standard', 'new_entrant', 'high_needs'}
    option : {'global', 'professional'}
    year : int
    beneficiaries : int
    benchmark : float
        Before retrospective trend adjustment, discount and quality, US dollars.
    stop_loss : bool
        Whether it was elected.
    capitation : {'none', 'primary_care', 'total_care'}
    capitation_paid : float
        Base primary care or total care capitation, US dollars.
    equity_months : tuple of (up, down)
        Beneficiary-months under the health-equity adjustment.
    savings_rate : float
        The outcome: gross savings over the final benchmark.
    """

    id: str
    entity_type: str
    option: str
    year: int
    beneficiaries: int
    benchmark: float
    stop_loss: bool
    capitation: str
    capitation_paid: float
    equity_months: tuple[float, float]
    savings_rate: float


@dataclass(frozen=True)
class Published:
    """The entities of a file, and an account of what in it cannot be used.

    Attributes
    ----------
    program : Program
    year : int
        The performance year, the same for all.
    entities : tuple of Entity
    left_out : tuple of Damage
        Rows and cells that cannot be used.
    notes : tuple of str
        How entries were read, and what is done without.
    """

    program: Program
    year: int
    entities: tuple[Entity, ...]
    left_out: tuple[Damage, ...]
    notes: tuple[str, ...]


def read_published(path: Path, program_name: str, year: int | None = None) -> Published:
    """Read the results of one performance year.

    Parameters
    ----------
    path : Path
        Table of results, one row per entity, as CMS and others publish it.
    program_name : {'gpdc', 'reach'}
    year : int, optional
        Needed where the file holds several years, or none and does not tell by its name.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column that a forecast needs, holds no usable row, or
        is of a year before which nothing was published.
    """
    if program_name not in PROGRAMS:
        raise InputError(
            f"default priors exist for the programs {' and '.join(PROGRAMS)}, "
            f"not for '{program_name}'"
        )
    if year is not None:
        load_program(program_name).matching(year)
        _refuse_first_year(year)
    rows = read_rows(path, program_name, year, further=_FURTHER)
    years = sorted(set(rows.years))
    if len(years) > 1:
        raise InputError(
            f"holds the years {', '.join(map(str, years))}; test one at a time, with --year",
            file=path,
        )
    _refuse_first_year(years[0])
    _require_columns(rows.sheet, path)
    entities = _entities(rows)
    if not entities:
        damage = rows.sheet.damage
        raise InputError(f"no row can be tested{f'; {damage[0]}' if damage else ''}", file=path)
    return Published(
        program=rows.program,
        year=years[0],
        entities=entities,
        left_out=tuple(sorted(rows.sheet.damage, key=lambda damage: damage.line)),
        notes=(*rows.sheet.notes, *_notes(rows, entities)),
    )


def _refuse_first_year(year: int) -> None:
    first = min(evidence["year"] for evidence in load_priors("savings_rate")["evidence"])
    if year <= first:
        raise InputError(
            f"performance year {year} cannot be tested: a default rests on results published for "
            f"earlier years, and the first are those of {first}, so that {first + 1} is the first "
            "year to test"
        )


def _require_columns(sheet: Sheet, path: Path) -> None:
    problems = [
        Problem(
            f"the file has no such column, and {why}",
            path=f"column '{sheet.name(key)}'",
            suggestion=nearest(sheet.name(key), sheet.table.header),
        )
        for key, why in _NEEDED.items()
        if not sheet.has(key)
    ]
    if problems:
        raise InputError(problems, file=path)


def _entities(rows: PublishedRows) -> tuple[Entity, ...]:
    """Every row from which a scenario can be built and which states its outcome."""
    sheet = rows.sheet
    types = [_type_of(text) for text in sheet.texts("type")]
    people = sheet.amounts("beneficiaries")
    benchmark = sheet.amounts("unadjusted_benchmark")
    final = sheet.amounts("final_benchmark")
    gross = sheet.amounts("gross")
    stop_loss = sheet.is_set("stop_loss")
    capitation = [_capitation_of(text) for text in sheet.texts("capitation")]
    paid = np.nan_to_num(sheet.amounts("capitation_paid").values)
    months_up, months_down = _equity_months(rows)

    entities: dict[str, Entity] = {}
    for row, identifier in enumerate(sheet.ids):
        entity_type = types[row]
        if entity_type is None:
            problem = "is no type of entity: Standard, New Entrant or High Needs"
            sheet.remark(row, "type", sheet.texts("type")[row], problem)
            continue
        if why := _unusable(row, (people, benchmark, final), gross):
            sheet.remark(row, "", "", why)
            continue
        if identifier in entities:
            sheet.remark(row, "id", identifier, "stands here a second time")
            continue
        entities[identifier] = Entity(
            id=identifier,
            entity_type=entity_type,
            option=rows.options[row],
            year=rows.years[row],
            beneficiaries=round(people.values[row]),
            benchmark=float(benchmark.values[row]),
            stop_loss=bool(stop_loss[row]),
            capitation=capitation[row] if paid[row] > 0.0 else "none",
            capitation_paid=float(paid[row]),
            equity_months=(float(months_up[row]), float(months_down[row])),
            savings_rate=float(gross.values[row] / final.values[row]),
        )
    return tuple(entities.values())


def _unusable(row: int, amounts: Sequence[Numbers], gross: Numbers) -> str:
    """Why a row cannot be tested; empty if it can."""
    for column in amounts:
        if not column.stated[row]:
            return column.unstated(row)
        if column.values[row] < 0.5:
            return f"{column.name} is not above 0"
    return "" if gross.stated[row] else gross.unstated(row)


def _type_of(text: str) -> str | None:
    """Standard, New Entrant or High Needs, however it is spelled."""
    plain = plain_name(text)
    for word, entity_type in (
        ("highneeds", "high_needs"),
        ("newentrant", "new_entrant"),
        ("standard", "standard"),
    ):
        if word in plain:
            return entity_type
    return None


def _capitation_of(text: str) -> str:
    plain = plain_name(text)
    if "tcc" in plain or "total" in plain:
        return "total_care"
    return "primary_care" if "pcc" in plain or "primary" in plain else "none"


def _equity_months(rows: PublishedRows) -> tuple[Floats, Floats]:
    """Months under the health-equity adjustment, from the amounts where only those are stated."""
    rules = rows.program.rules(rows.years[0], rows.options[0])
    found = []
    for direction in ("up", "down"):
        months = rows.sheet.amounts(f"equity_{direction}_months").values
        amount = np.abs(rows.sheet.amounts(f"equity_{direction}").values)
        pbpm = abs(rules.value(f"health_equity_{direction}_pbpm"))
        if pbpm > 0.0:
            months = np.where(np.isnan(months), amount / pbpm, months)
        found.append(np.nan_to_num(months))
    up, down = found
    return up, down


def _notes(rows: PublishedRows, entities: Sequence[Entity]) -> list[str]:
    """What a file does not state and what is done about it; what the forecasts are not told."""
    sheet = rows.sheet
    notes = [
        f"The file has no column {sheet.name(key)}: {effect}."
        for key, effect in _DISPENSABLE.items()
        if not sheet.has(key)
    ]
    rules = rows.program.rules(rows.years[0], rows.options[0])
    if rules.value("health_equity_up_pbpm") != 0.0 and not any(map(sheet.has, _EQUITY)):
        notes.append(
            "The file states no health-equity adjustment: benchmarks are forecast without one."
        )
    kept = np.nan_to_num(sheet.amounts("retention").values) > 0.0
    tested = {entity.id for entity in entities}
    left = sum(bool(k) and i in tested for k, i in zip(kept, sheet.ids, strict=True))
    if left:
        notes.append(
            f"{left} of the entities left early and had the retention withhold kept from their "
            "benchmark; the forecasts, made before the year, do not know it."
        )
    return notes
