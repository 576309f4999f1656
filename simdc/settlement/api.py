"""Settle a year of any program with one call, on numbers, arrays or labelled arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, replace
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from simdc.errors import InputError, Problem, nearest
from simdc.programs import RuleSet, load_program
from simdc.settlement import direct_contracting, next_generation, shared_savings
from simdc.settlement.statement import Line, Statement

__all__ = ["Figure", "settle"]

Figure: TypeAlias = float | NDArray[Any] | xr.DataArray | Mapping[str, Any] | None
"""A number, an array, a labelled array, or one of these per category of beneficiary."""

_FAMILIES: Mapping[str, Any] = {
    "direct_contracting": direct_contracting,
    "shared_savings": shared_savings,
    "next_generation": next_generation,
}
_AGREEMENT_YEAR = "agreement_year"  # of Shared Savings: neither a rule nor a figure, but a term
_SHARES = {"quality_score", "retention_kept", "disaster_relief_share", "elected_minimum_rate"}
_CONDITIONS = {"quality_standard_met", "alternative_standard_met", "low_revenue", "guardrail"}
_CATEGORISED = {"unadjusted_benchmark", "trend_ratio", "seasonality"}  # of Direct Contracting
_UNITS = {"dollars": "US dollars", "fraction": "1"}


def settle(
    program: str,
    year: int,
    *,
    option: str,
    entity_type: str = "standard",
    rules: Mapping[str, object] | None = None,
    **figures: Figure,
) -> Statement:
    """Settle one performance year of a program, step by step.

    Amounts are US dollars, rates are fractions. Positive is paid to the entity, negative is owed
    by it; benchmarks and costs are positive. A figure is a number, an array, or an
    `xarray.DataArray`; arrays broadcast as NumPy's do, labelled arrays by the names of their
    dimensions. NaN stands for an unknown and stays NaN.

    Parameters
    ----------
    program : str
        Such as ``reach`` or ``mssp``; see `simdc.program_names`.
    year : int
        Performance year.
    option : str
        Risk option, such as ``global``, ``basic-e`` or ``arrangement-b``.
    entity_type : str, optional
        Where the program tells them apart: ``standard``, ``new_entrant`` or ``high_needs``.
    rules : mapping of str to object, optional
        Rules to override, by name.
    **figures
        What the settlement starts from. Of Direct Contracting, ACO REACH and LEAD: ``claims`` and
        either ``final_benchmark`` or ``unadjusted_benchmark`` (one amount, or a mapping by
        category), and the optional ones of `simdc.settlement.direct_contracting.Figures`. Of the
        Shared Savings Program: ``benchmark``, ``expenditure``, ``beneficiaries``, the optional
        ones of `simdc.settlement.shared_savings.Figures`, and ``agreement_year`` (from 1, for
        Track 2). Of Next Generation: those of `simdc.settlement.next_generation.Figures`.

    Returns
    -------
    Statement
        Lines by name, such as ``gross_savings``, ``shared_savings``,
        ``shared_after_sequestration`` and ``cash_due``; which there are is documented with the
        ``settle`` of each program's module. From labelled figures come labelled lines, each with
        the dimensions of the figures it depends on, its name, description and unit.

    Raises
    ------
    InputError
        For an unknown program, year, option, entity type, rule or figure (the nearest is named),
        for a figure that is missing or no number, for a rate beyond 0 to 1, and for labelled
        arrays whose coordinates differ, which would otherwise be joined silently.

    Examples
    --------
    An entity of 2022 in Global, saving 10% of its benchmark:

    >>> import simdc
    >>> statement = simdc.settle("gpdc", 2022, option="global", final_benchmark=100e6, claims=90e6)
    >>> round(float(statement["cash_due"]), 2)
    9800000.0

    The same under Shared Savings rules, ENHANCED, at three costs:

    >>> import numpy as np
    >>> statement = simdc.settle(
    ...     "mssp", 2024, option="enhanced",
    ...     benchmark=100e6, expenditure=np.array([90e6, 99e6, 110e6]), beneficiaries=20_000,
    ... )
    >>> [round(float(amount), 2) for amount in statement["cash_due"]]
    [7350000.0, 0.0, -4000000.0]
    """
    held = load_program(program)
    in_force = held.rules(year, option, entity_type).override(rules or {})
    module = _FAMILIES[held.family]
    given = {name: value for name, value in figures.items() if value is not None}
    _refuse(_misnamed(in_force, module, given))
    given = {name: _array(value) for name, value in given.items()}
    _refuse(_misvalued(given))
    _refuse(_mislabelled(given))

    terms = module.Terms.from_rules(in_force, **_terms(given))
    if module is direct_contracting and "unadjusted_benchmark" in given:
        given["unadjusted_benchmark"] = _by_category(given["unadjusted_benchmark"])
    statement: Statement = module.settle(terms, module.Figures(**given))
    return _described(statement)


# --- what is given ----------------------------------------------------------------------------


def _refuse(problems: Iterator[Problem]) -> None:
    if found := list(problems):
        raise InputError(found)


def _misnamed(rules: RuleSet, module: Any, given: Mapping[str, Any]) -> Iterator[Problem]:
    """Figures that the settlement does not know, and those that it needs."""
    known = [field.name for field in fields(module.Figures)]
    if module is shared_savings:
        known.append(_AGREEMENT_YEAR)
    for name, value in given.items():
        if name not in known:
            yield Problem(
                f"the settlement of '{rules.program}' has no such figure; it takes "
                f"{', '.join(known)}",
                path=name,
                suggestion=nearest(name, known),
            )
        elif isinstance(value, Mapping) and not (
            module is direct_contracting and name in _CATEGORISED
        ):
            yield Problem("must be one figure, not one by category", path=name)
    for field in fields(module.Figures):
        if field.default is MISSING and field.name not in given:
            yield Problem(f"the settlement of '{rules.program}' needs this figure", path=field.name)


def _array(value: Any) -> Any:
    """A figure as settlements take it: lists as arrays, labels kept, attributes dropped.

    Attributes describe what was given, and would otherwise be found on what is made of it.
    """
    if isinstance(value, Mapping):
        return {category: _array(each) for category, each in value.items()}
    if isinstance(value, list | tuple):
        return np.asarray(value)
    if isinstance(value, xr.DataArray):
        bare = value.copy(deep=False)
        bare.attrs = {}
        return bare
    return value


def _misvalued(given: Mapping[str, Any]) -> Iterator[Problem]:
    """Figures that are no numbers, and rates and conditions that are out of range."""
    for path, value in _leaves(given):
        numbers = np.asarray(value) if _is_numeric(value) else None
        if numbers is None:
            yield Problem(
                "must be a number, a NumPy array or an xarray DataArray of numbers",
                path=path,
                given=type(value).__name__,
            )
        elif path in _CONDITIONS and not np.isin(numbers, (0, 1)).all():
            yield Problem("must be true or false", path=path, given=_shown(numbers))
        elif path in _SHARES and ((numbers < 0) | (numbers > 1)).any():
            yield Problem(
                "must be between 0 and 1, written as a fraction (2% is 0.02)",
                path=path,
                given=_shown(numbers),
            )
        elif path == _AGREEMENT_YEAR and not (numbers.ndim == 0 and numbers in range(1, 6)):
            yield Problem(
                "must be a year of an agreement, 1 to 5", path=path, given=_shown(numbers)
            )


def _leaves(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every figure, those by category one by one."""
    for name, value in given.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{category}", each) for category, each in value.items())
        else:
            yield name, value


def _is_numeric(value: Any) -> bool:
    if not isinstance(value, int | float | np.generic | np.ndarray | xr.DataArray):
        return False
    return np.asarray(value).dtype.kind in "biuf"


def _shown(numbers: NDArray[Any]) -> str:
    return (
        f"{numbers:g}" if numbers.ndim == 0 else f"an array from {numbers.min()} to {numbers.max()}"
    )


def _mislabelled(given: Mapping[str, Any]) -> Iterator[Problem]:
    """Labelled arrays that do not fit each other, and arrays without labels beside them."""
    arrays = [(path, value) for path, value in _leaves(given) if np.ndim(value)]
    labelled = [(path, value) for path, value in arrays if isinstance(value, xr.DataArray)]
    for path, value in arrays if labelled else ():
        if not isinstance(value, xr.DataArray):
            yield Problem(
                f"has no labels, and '{labelled[0][0]}' has; label all arrays or none", path=path
            )
    for place, (path, value) in enumerate(labelled):
        for other_path, other in labelled[:place]:
            for name in _differing(value, other):
                yield Problem(
                    f"its '{name}' must be that of '{other_path}', label by label; nothing is "
                    "joined or left out silently",
                    path=path,
                )


def _differing(one: xr.DataArray, other: xr.DataArray) -> Iterator[str]:
    """Dimensions and coordinates along them that two arrays share by name only."""
    for name in dict.fromkeys((*one.dims, *one.coords)):
        if name in one.dims and name in other.dims and one.sizes[name] != other.sizes[name]:
            yield str(name)
        elif name in one.coords and name in other.coords:
            here, there = one.coords[name].variable, other.coords[name].variable
            if here.ndim and there.ndim and not here.equals(there):
                yield str(name)


# --- what the settlement takes and gives ------------------------------------------------------


def _terms(given: dict[str, Any]) -> dict[str, int]:
    """What is given as a figure and is a term; taken out of the figures."""
    if _AGREEMENT_YEAR not in given:
        return {}
    return {_AGREEMENT_YEAR: int(given.pop(_AGREEMENT_YEAR))}


def _by_category(benchmark: Any) -> Mapping[str, Any]:
    """A benchmark by category, where one amount stands for all of them."""
    return benchmark if isinstance(benchmark, Mapping) else {"all": benchmark}


def _described(statement: Statement) -> Statement:
    """The statement with labelled lines named after themselves."""
    return Statement(tuple(_described_line(line) for line in statement.lines))


def _described_line(line: Line) -> Line:
    after: Any = line.after
    if not isinstance(after, xr.DataArray):
        return line
    named = after.copy(deep=False)
    named.name = line.key
    named.attrs = {"long_name": line.label, "units": _UNITS[line.unit]}
    amount: Any = named
    return replace(line, after=amount)
