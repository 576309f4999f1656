"""Every entity looked at before any is simulated: what cannot be run, what is assumed of whom."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from simdc import interrupts
from simdc.drivers import NATIONAL_DRIVERS, ResolvedDrivers
from simdc.engine import distinct_designs
from simdc.errors import InputError
from simdc.outcome import Assumption
from simdc.portfolio.members import Member, Portfolio, of_entities
from simdc.prepare import prepare
from simdc.result import assumption_columns, labelled, rule_columns
from simdc.sweep.parts import law_text
from simdc.sweep.places import by_names
from simdc.sweep.values import as_toml

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Surveyed", "inputs", "survey"]

Row = TypeVar("Row")


@dataclass(frozen=True, eq=False)
class Surveyed:
    """What is known of an entity before its first draw, without its people.

    Attributes
    ----------
    member : Member
    beneficiaries : int
    segments, designs, drivers : int
        Rows of one number per draw that its simulation makes of each.
    provisional : bool
        Whether it is settled provisionally.
    guarantee_basis : str
    rules : tuple of tuple of str
        One row for each rule, without the track.
    assumptions : tuple of Assumption
    laws : mapping of str to str
        Of the uncertain drivers that act on the whole nation, as texts that tell them apart.
    correlation : mapping of (str, str) to float
        Of those of them that are correlated with one another.
    """

    member: Member
    beneficiaries: int
    segments: int
    designs: int
    drivers: int
    provisional: bool
    guarantee_basis: str
    rules: tuple[tuple[str, ...], ...]
    assumptions: tuple[Assumption, ...]
    laws: Mapping[str, str]
    correlation: Mapping[tuple[str, str], float]


def survey(
    portfolio: Portfolio, told: Callable[[int], None] = lambda done: None
) -> tuple[Surveyed, ...]:
    """Build each entity's people, drivers and contract once, and keep what they say.

    Parameters
    ----------
    portfolio : Portfolio
    told : callable, optional
        Told the number of entities looked at.

    Raises
    ------
    InputError
        Naming the first entity whose people cannot be read, whose drivers cannot be resolved or
        whose contract cannot be written.
    """
    found = []
    for member in portfolio.members:
        interrupts.check()
        try:
            found.append(_surveyed(member))
        except InputError as error:
            raise InputError(of_entities(error, member.name), file=portfolio.path) from None
        told(len(found))
    return tuple(found)


def _surveyed(member: Member) -> Surveyed:
    prepared = prepare(member.scenario, member.loaded.base_dir)
    (contract,) = prepared.contracts
    segments = prepared.population.segments
    _, *rule_values = rule_columns([("", contract.rules)]).values()
    national = [name for name in NATIONAL_DRIVERS if name in prepared.drivers.uncertain]
    return Surveyed(
        member=member,
        beneficiaries=sum(segment.beneficiaries for segment in segments),
        segments=len(segments),
        designs=len(distinct_designs([contract])),
        drivers=len(prepared.drivers.names),
        provisional=contract.settles_provisionally,
        guarantee_basis=contract.guarantee_basis,
        rules=tuple(zip(*rule_values, strict=True)),
        assumptions=prepared.assumptions,
        laws={name: law_text(prepared.drivers.laws[name]) for name in national},
        correlation=_correlation(prepared.drivers, national),
    )


def _correlation(drivers: ResolvedDrivers, names: Sequence[str]) -> dict[tuple[str, str], float]:
    at = {name: drivers.names.index(name) for name in names}
    every = {
        pair: float(drivers.correlation[at[pair[0]], at[pair[1]]])
        for pair in combinations(names, 2)
    }
    return {pair: value for pair, value in every.items() if value != 0.0}


# --- what is told of all ----------------------------------------------------------------------


def inputs(surveyed: Sequence[Surveyed]) -> xr.Dataset:
    """What every entity is, with rules and assumptions; those that several share stand once."""
    members = [each.member for each in surveyed]
    tracks = [member.scenario.track[0] for member in members]
    rules = _made_by({each.member.name: each.rules for each in surveyed})
    _, *rule_names = rule_columns([])
    assumptions = dict.fromkeys(_of_portfolio(surveyed), "") | _made_by(
        {each.member.name: each.assumptions for each in surveyed}
    )
    return labelled(
        {
            "entity": [member.name for member in members],
            "elected_track": [member.track for member in members],
            "group_of_entity": [member.group or "" for member in members],
            "scenario_of_entity": [member.loaded.path.name for member in members],
            "settings_of_entity": [_settings(member) for member in members],
            "program_of_entity": [track.program for track in tracks],
            "option_of_entity": [track.option for track in tracks],
            "beneficiaries_of_entity": [each.beneficiaries for each in surveyed],
            "guarantee_basis_of_entity": [each.guarantee_basis for each in surveyed],
            "rule_entities": [*rules.values()],
            **dict(zip(rule_names, np.array([*rules], dtype=object).T, strict=True)),
            "assumption_entities": [*assumptions.values()],
            **assumption_columns([*assumptions]),
        }
    )


def _settings(member: Member) -> str:
    """What differs from the scenario, by the names of its tables, as TOML has it."""
    changed = member.loaded.overrides
    document = member.loaded.document() if changed else {}
    return json.dumps({by_names(document, at): as_toml(value) for at, value in changed.items()})


def _made_by(rows: Mapping[str, Sequence[Row]]) -> dict[Row, str]:
    """Every row once, with the entities that have it, unless all do."""
    makers: dict[Row, dict[str, None]] = {}
    for name, of_entity in rows.items():
        for row in of_entity:
            makers.setdefault(row, {})[name] = None
    return {
        row: "" if len(names) == len(rows) else ", ".join(names) for row, names in makers.items()
    }


def _of_portfolio(surveyed: Sequence[Surveyed]) -> Iterator[Assumption]:
    """What is assumed of entities together."""
    shared = [name for name in NATIONAL_DRIVERS if any(name in each.laws for each in surveyed)]
    if not shared:
        yield Assumption(
            "entities together", "no driver of the whole nation is uncertain: they are independent"
        )
        return
    yield Assumption(
        "entities together",
        f"all entities have the same draws of {', '.join(shared)}; whatever else is uncertain is "
        "independent between them, the trend of their regions too",
    )
    for name in shared:
        if len({each.laws.get(name) for each in surveyed}) > 1:
            yield Assumption(
                f"driver {name}",
                "entities differ in its distribution, or leave it out; where they have it, a draw "
                "is at the same rank in each of their distributions",
            )
    if len({tuple(each.correlation.items()) for each in surveyed}) > 1:
        yield Assumption(
            "entities together",
            "entities differ in how drivers of the whole nation are correlated; they have the same "
            "draws before that",
        )
