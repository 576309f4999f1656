"""The typed view of a program: dated provisions, and the rules in force for one year and option."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simdc.errors import InputError, Problem, nearest
from simdc.programs.units import Value, checked, shown

__all__ = ["CONFIDENCES", "UNSETTLED", "Program", "Provision", "Rule", "RuleSet", "source_keys"]

CONFIDENCES = ("official", "proven", "secondary", "inferred", "conflicting", "assumption")
"""How well a figure is known, from CMS's own text down to nobody's.

``official``: CMS text or statute. ``proven``: recomputed from CMS's published results.
``secondary``: actuaries, trade press. ``inferred``: follows from other facts, by a stated
argument. ``conflicting``: sources disagree. ``assumption``: no source.
"""

UNSETTLED = frozenset({"inferred", "conflicting", "assumption"})
"""Confidences that every reader must see, and that need a note."""

OVERRIDE = "scenario override"

UNCONFIRMED = "not confirmed"
"""Status of a program whose rules are not settled enough to stand on a list without a warning."""


@dataclass(frozen=True)
class Rule:
    """One figure of a program, and why it should be believed.

    Attributes
    ----------
    name : str
        Such as ``discount``.
    value : bool, int, float, tuple of pairs or tuple of names
        In the rule's unit; rates are fractions.
    unit : str
        A kind of `simdc.programs.units.KINDS`, and what it measures.
    source : str
        Keys into the program's sources, each with the place in it: ``FAQ-2020 Q3; RFA-2022``.
    confidence : str
        One of `CONFIDENCES`.
    note : str
        What a reader should know before relying on it.
    original : object
        The program's own value, when a scenario has overridden it; else None.
    """

    name: str
    value: Value
    unit: str
    source: str
    confidence: str
    note: str = ""
    original: Value | None = None

    @property
    def overridden(self) -> bool:
        """Whether a scenario replaced the program's value."""
        return self.original is not None

    @property
    def shown(self) -> str:
        """The value with its unit, for people."""
        return shown(self.value, self.unit)

    def with_value(self, value: object) -> Rule:
        """The rule with another value, which its source no longer supports.

        Raises
        ------
        ValueError
            If the unit does not allow the value.
        """
        original = self.value if self.original is None else self.original
        stated = ", ".join(shown(original, self.unit).splitlines())
        return replace(
            self,
            value=checked(value, self.unit),
            source=OVERRIDE,
            confidence="assumption",
            note=f"The program's own value is {stated}.",
            original=original,
        )


@dataclass(frozen=True)
class Provision:
    """A rule, and the years, options and entity types it holds for."""

    rule: Rule
    years: tuple[int, ...]
    options: tuple[str, ...]
    entity_types: tuple[str, ...]

    def applies(self, year: int | None, option: str | None, entity_type: str | None) -> bool:
        """Whether the rule holds there; None stands for any, as do empty entity types."""
        return (
            (year is None or year in self.years)
            and (option is None or option in self.options)
            and (entity_type is None or not self.entity_types or entity_type in self.entity_types)
        )


@dataclass(frozen=True, eq=False)
class RuleSet(Mapping[str, Rule]):
    """The rules in force for one program, year, option and entity type, by name.

    Equality is that of mappings: two sets are equal when their rules are.
    """

    program: str
    year: int
    option: str
    entity_type: str
    sources: Mapping[str, str]
    _rules: Mapping[str, Rule]

    def __getitem__(self, name: str) -> Rule:
        return self._rules[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def value(self, name: str, *otherwise: Any) -> Any:
        """The value of a rule; where the program has no such rule, the default or KeyError."""
        if otherwise and name not in self._rules:
            return otherwise[0]
        return self._rules[name].value

    def citation(self, name: str) -> str:
        """The full citation of a rule's sources, with the places in them."""
        source = self._rules[name].source
        return source if source == OVERRIDE else cite(source, self.sources)

    def override(self, values: Mapping[str, object]) -> RuleSet:
        """The rules with some values replaced, each marked as overridden.

        Parameters
        ----------
        values : mapping of str to object
            New values by rule name, as read from TOML.

        Raises
        ------
        InputError
            Naming every unknown rule, with the nearest one, and every value its unit refuses.
        """
        rules = dict(self._rules)
        problems = []
        for name, value in values.items():
            if name not in rules:
                message = f"'{self.program}' has no rule of this name for {self.year}"
                problems.append(Problem(message, path=name, suggestion=nearest(name, rules)))
                continue
            try:
                rules[name] = self._rules[name].with_value(value)
            except ValueError as error:
                problems.append(Problem(str(error), path=name, given=repr(value)))
        if problems:
            raise InputError(problems)
        return replace(self, _rules=rules)


@dataclass(frozen=True)
class Program:
    """A program's rules by performance year, as one data file states them.

    Attributes
    ----------
    name, title, status, note : str
        What it is; ``status`` says whether the rules are as announced or as run, never started,
        proposed, or not confirmed.
    family : str
        The settlement that its rules feed, such as ``direct_contracting``.
    years : tuple of int
        Performance years it holds.
    options : tuple of str
        Risk options, such as ``global``.
    entity_types : tuple of str
        Types of entity its rules tell apart; empty if they make no difference.
    sources : mapping of str to str
        Full citations by key.
    meanings : mapping of str to str
        One sentence for each rule name.
    elsewhere : mapping of str to tuple of int
        Years that belong to another program, by its name.
    provisions : tuple of Provision
        Every figure, in the order of the file.
    """

    name: str
    title: str
    status: str
    note: str
    family: str
    years: tuple[int, ...]
    options: tuple[str, ...]
    entity_types: tuple[str, ...]
    sources: Mapping[str, str]
    meanings: Mapping[str, str]
    elsewhere: Mapping[str, tuple[int, ...]]
    provisions: tuple[Provision, ...]
    _known: dict[tuple[int, str, str], RuleSet] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def confirmed(self) -> bool:
        """Whether its rules are settled enough to stand on a list without a warning."""
        return self.status != UNCONFIRMED

    def matching(
        self, year: int | None = None, option: str | None = None, entity_type: str | None = None
    ) -> tuple[Provision, ...]:
        """Provisions that hold there; None stands for any.

        Raises
        ------
        InputError
            If the program has no such year, option or entity type.
        """
        if year is not None and year not in self.years:
            raise InputError(self._no_such_year(year))
        if option is not None and option not in self.options:
            raise InputError(self._no_such("option", option, self.options))
        if entity_type is not None and self.entity_types and entity_type not in self.entity_types:
            raise InputError(self._no_such("entity type", entity_type, self.entity_types))
        return tuple(p for p in self.provisions if p.applies(year, option, entity_type))

    def rules(self, year: int, option: str, entity_type: str = "standard") -> RuleSet:
        """The rules in force for one performance year, option and entity type.

        Raises
        ------
        InputError
            If the program has no such year, option or entity type, or not that option that year.
        """
        asked = (year, option, entity_type)
        if asked not in self._known:  # a sweep asks at every point
            rules = {p.rule.name: p.rule for p in self.matching(*asked)}
            if not rules:
                raise InputError(self._not_that_year(option, year))
            self._known[asked] = RuleSet(self.name, *asked, self.sources, rules)
        return self._known[asked]

    def _no_such_year(self, year: int) -> Problem:
        held = f"program '{self.name}' holds performance years {_span(self.years)}"
        for name, years in self.elsewhere.items():
            if year in years:
                return Problem(f"{held}; for {year} take program '{name}'", given=str(year))
        return Problem(held, given=str(year))

    def _not_that_year(self, option: str, year: int) -> Problem:
        years = sorted({year for p in self.matching(option=option) for year in p.years})
        message = f"option '{option}' of program '{self.name}' was open in {_span(years)}"
        return Problem(message, given=str(year))

    def _no_such(self, what: str, given: str, allowed: tuple[str, ...]) -> Problem:
        names = ", ".join(f"'{name}'" for name in allowed)
        return Problem(
            f"program '{self.name}' has no such {what}; it has {names}",
            given=f"'{given}'",
            suggestion=nearest(given, allowed),
        )


def source_keys(source: str) -> tuple[str, ...]:
    """The keys a rule's source names: ``FAQ-2020 Q3; RFA-2022`` has two."""
    return tuple(part.split()[0] for part in source.split(";"))


def cite(source: str, sources: Mapping[str, str]) -> str:
    """A rule's source with its keys written out."""
    parts = []
    for part in source.split(";"):
        key, *place = part.split(maxsplit=1)
        parts.append(" ".join([sources[key], *(f"({where})" for where in place)]))
    return "; ".join(parts)


def _span(years: Sequence[int]) -> str:
    return str(years[0]) if len(years) == 1 else f"{years[0]} to {years[-1]}"
