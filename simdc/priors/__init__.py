"""What was published about entities and trends before a performance year, as data with sources.

Evidence has a year. A scenario of year Y may rest only on evidence from years before Y, so that
a scenario of the past sees what could have been known then, and never its own outcome.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from simdc.errors import InputError, Problem, nearest

__all__ = [
    "Prior",
    "evidence_before",
    "expected_savings_rate",
    "load_priors",
    "percent",
    "type_name",
]


@dataclass(frozen=True)
class Prior:
    """Gross savings over the final benchmark, as published for entities of one kind.

    Attributes
    ----------
    entity_type, option : str
        Which entities.
    mean, sd : float
        Unweighted mean and standard deviation between entities, as fractions.
    entities : int
        How many were published.
    median_beneficiaries : int
        Median size of the type's entities.
    evidence_year : int
        Performance year of the results.
    program : str
        Program whose rules those results were settled by.
    source, confidence : str
        Where the figures come from and how far to trust them.
    """

    entity_type: str
    option: str
    mean: float
    sd: float
    entities: int
    median_beneficiaries: int
    evidence_year: int
    program: str
    source: str
    confidence: str

    @property
    def population(self) -> str:
        """The entities it describes, such as ``22 Standard Global entities in 2021``."""
        kind = f"{type_name(self.entity_type)} {self.option.title()}"
        return f"{self.entities} {kind} entities in {self.evidence_year}"

    @property
    def sentence(self) -> str:
        """The figures as a sentence."""
        return (
            f"{self.population} saved {percent(self.mean)} of their final benchmark on average, "
            f"with a standard deviation of {percent(self.sd)} between entities"
        )


def percent(rate: float) -> str:
    """A fraction as a percentage of three significant digits: 0.0125 gives ``1.25%``."""
    return f"{100.0 * rate:.3g}%"


def type_name(entity_type: str) -> str:
    """An entity type as people write it: ``new_entrant`` gives ``New Entrant``."""
    return entity_type.replace("_", " ").title()


@functools.cache
def load_priors(name: str) -> Mapping[str, Any]:
    """One file of this folder, such as ``savings_rate``, as a table."""
    text = resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def evidence_before(
    performance_year: int, rows: Iterable[Mapping[str, Any]], subject: str
) -> list[Mapping[str, Any]]:
    """The rows whose evidence is older than a performance year, oldest first.

    Parameters
    ----------
    performance_year : int
        The year to look ahead to.
    rows : iterable of mapping
        Evidence, each row with its ``year``.
    subject : str
        What the evidence is about, for the refusal.

    Raises
    ------
    InputError
        When there is none.
    """
    rows = sorted(rows, key=lambda row: row["year"])
    known = [row for row in rows if row["year"] < performance_year]
    if not known:
        raise InputError(
            f"no default exists for performance year {performance_year}: {subject} rests only on "
            f"evidence from earlier years, and the first is of {rows[0]['year']}; "
            "state a distribution of your own"
        )
    return known


def expected_savings_rate(entity_type: str, option: str, performance_year: int) -> Prior:
    """What entities of one type and option last published before a performance year.

    Ready scenarios set expected cost from its mean; the default entity effect is what its spread
    leaves after other sources of variation.

    Parameters
    ----------
    entity_type : {'standard', 'new_entrant', 'high_needs'}
    option : {'global', 'professional'}
    performance_year : int
        The year to look ahead to; only results of earlier years are used.

    Returns
    -------
    Prior
        Of the latest year in which at least two such entities were published, so that a spread
        exists.

    Raises
    ------
    InputError
        For an unknown type or option, and when nothing was published before that year.
    """
    table = load_priors("savings_rate")
    rows = [
        {
            "year": evidence["year"],
            "program": evidence["program"],
            "median_beneficiaries": evidence["median_beneficiaries"][rate["entity_type"]],
            **rate,
        }
        for evidence in table["evidence"]
        for rate in evidence["rates"]
        if "sd" in rate
    ]
    _check_known("entity type", entity_type, {row["entity_type"] for row in rows})
    _check_known("option", option, {row["option"] for row in rows})
    row = evidence_before(
        performance_year,
        (row for row in rows if (row["entity_type"], row["option"]) == (entity_type, option)),
        "the savings rate of entities",
    )[-1]
    return Prior(
        entity_type=entity_type,
        option=option,
        mean=row["mean"],
        sd=row["sd"],
        entities=row["entities"],
        median_beneficiaries=row["median_beneficiaries"],
        evidence_year=row["year"],
        program=row["program"],
        source=table["source"],
        confidence=table["confidence"],
    )


def _check_known(kind: str, name: str, valid: set[str]) -> None:
    if name not in valid:
        listed = ", ".join(sorted(valid))
        raise InputError(
            Problem(
                f"no savings rates are published for {kind} '{name}': there are {listed}",
                suggestion=nearest(name, valid),
            )
        )
