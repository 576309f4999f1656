"""``simdc settle`` for programs other than Direct Contracting and its successors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from simdc.cli.settle_figures import (
    DIRECT_CONTRACTING,
    FIGURES,
    NEXT_GENERATION,
    SHARED_SAVINGS,
    flag,
)
from simdc.errors import InputError, Problem
from simdc.programs import RuleSet, load_program

if TYPE_CHECKING:
    from simdc.cli.settle_inputs import Values
    from simdc.settlement import next_generation, shared_savings
    from simdc.settlement.statement import Statement

    Figures: TypeAlias = shared_savings.Figures | next_generation.Figures

__all__ = ["refuse_other_figures", "settle_family"]

_NEEDED = {
    SHARED_SAVINGS: ("benchmark", "expenditure", "beneficiaries"),
    NEXT_GENERATION: ("claims",),
}
_FIELDS = {
    "quality": "quality_score",
    "population_based_payments": "population_based_payment_paid",
}
_PROGRAMS = {
    DIRECT_CONTRACTING: "Direct Contracting and ACO REACH",
    SHARED_SAVINGS: "the Shared Savings Program",
    NEXT_GENERATION: "Next Generation ACO",
}


def refuse_other_figures(values: Values, rules: RuleSet) -> str:
    """The family of the program, whose figures alone were given.

    Raises
    ------
    InputError
        Naming every figure that only other programs know.
    """
    family = load_program(rules.program).family
    if problems := list(_of_other_families(values, family, rules.program)):
        raise InputError(problems)
    return family


def _of_other_families(values: Values, family: str, program: str) -> Iterator[Problem]:
    for figure in FIGURES:
        if figure.name in values and family not in figure.families:
            programs = " and of ".join(_PROGRAMS[each] for each in figure.families)
            yield Problem(f"is a figure of {programs}, not of {program}", figure.flag)


def settle_family(values: Values, rules: RuleSet, family: str) -> tuple[Figures, Statement]:
    """Settle figures by the rules of Shared Savings or Next Generation.

    Raises
    ------
    InputError
        If something is missing, or what was given contradicts itself or the rules.
    """
    from simdc.settlement import next_generation, shared_savings

    missing = [name for name in _NEEDED[family] if name not in values]
    if missing:
        raise InputError(
            f"{rules.program} also needs {' and '.join(map(flag, missing))}; it takes "
            f"{', '.join(figure.flag for figure in FIGURES if family in figure.families)}"
        )
    given = _fields(values, family)
    if family == NEXT_GENERATION:
        ng_figures = next_generation.Figures(**given)
        return ng_figures, next_generation.settle(
            next_generation.Terms.from_rules(rules), ng_figures
        )
    terms = shared_savings.Terms.from_rules(rules, int(values.get("agreement_year", 3)))
    figures = shared_savings.Figures(**given)
    return figures, shared_savings.settle(terms, figures)


def _fields(values: Values, family: str) -> dict[str, Any]:
    """What was given, by the names that the settlement has for it."""
    own = {figure.name for figure in FIGURES if family in figure.families}
    given = {_FIELDS.get(name, name): value for name, value in values.items() if name in own}
    given.pop("agreement_year", None)
    if given.pop("quality_standard_missed", False):
        given["quality_standard_met"] = False
    if isinstance(given.get("unadjusted_benchmark"), dict):
        raise InputError(
            Problem("is one amount in this program, not one by category", "--unadjusted-benchmark")
        )
    return given
