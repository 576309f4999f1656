"""What the value of a rule may be: checked, frozen and shown by its unit.

A unit is a kind, optionally followed by what the value is a measure of: ``fraction of benchmark``,
``dollars PBPM``. The kind alone decides what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any, TypeAlias

from simdc.magnitude import SIZE, has_size

__all__ = [
    "KINDS",
    "QUALITY_METHODS",
    "Bands",
    "Names",
    "Rates",
    "Schedule",
    "SizeTable",
    "Value",
    "Years",
    "checked",
    "shown",
]

Bands: TypeAlias = tuple[tuple[float, float], ...]
Schedule: TypeAlias = tuple[tuple[str, float], ...]
Names: TypeAlias = tuple[str, ...]
Rates: TypeAlias = tuple[float, ...]
Years: TypeAlias = tuple[int, ...]
SizeTable: TypeAlias = tuple[tuple[float, float, float, float], ...]
Value: TypeAlias = bool | int | float | str | Bands | Schedule | Names | Rates | Years | SizeTable

QUALITY_METHODS = ("multiplied", "cliff", "alternative")
"""How a quality score turns the maximum sharing rate into the final one."""


@dataclass(frozen=True)
class _Kind:
    check: Callable[[object], Value]
    show: Callable[..., str]


def checked(value: object, unit: str) -> Value:
    """The value in its frozen form, if its unit allows it.

    Parameters
    ----------
    value : object
        As read from TOML.
    unit : str
        A kind of `KINDS`, optionally followed by what it measures.

    Returns
    -------
    bool, int, float, str or tuple
        Lists become tuples, so that a rule cannot be changed by accident.

    Raises
    ------
    ValueError
        With a sentence that says what is allowed.
    KeyError
        If the kind of the unit is unknown.
    """
    return KINDS[_kind(unit)].check(value)


def shown(value: Value, unit: str) -> str:
    """The value and its unit as people write them: ``2% of benchmark``; corridors line by line."""
    text = KINDS[_kind(unit)].show(value)
    measured = unit.removeprefix(_kind(unit)).strip()
    if not measured:
        return text
    return f"{text}\n({measured})" if "\n" in text else f"{text} {measured}"


def _kind(unit: str) -> str:
    return unit.partition(" ")[0]


# --- what is allowed --------------------------------------------------------------------------


def _number(value: object, allowed: Callable[[float], bool], sentence: str) -> float:
    # bool is an int to Python, but never a quantity to a reader of a rule.
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(sentence)
    if not has_size(value):
        raise ValueError(SIZE)
    if not allowed(value):
        raise ValueError(sentence)
    return float(value)


def _fraction(value: object) -> float:
    sentence = "must be a rate between 0 and 1, written as a fraction (2% is 0.02)"
    return _number(value, lambda v: 0 <= v <= 1, sentence)


def _dollars(value: object) -> float:
    return _number(value, math.isfinite, "must be a finite amount of US dollars")


def _multiplier(value: object) -> float:
    return _number(value, lambda v: 0 <= v < math.inf, "must be a finite factor of 0 or more")


def _limit(value: object) -> float:
    sentence = "must be a rate of 0 or more as a fraction (2% is 0.02), or inf for no limit"
    return _number(value, lambda v: v >= 0, sentence)


def _year(value: object) -> int:
    return int(_number(value, _is_year, "must be a calendar year such as 2019"))


def _is_year(value: float) -> bool:
    return 2000 <= value < 2100 and value == int(value)


def _beneficiaries(value: object) -> int:
    return _whole_number(value, "must be a whole number of beneficiaries, 0 or more")


def _months(value: object) -> int:
    return _whole_number(value, "must be a whole number of months, 0 or more")


def _whole_number(value: object, sentence: str) -> int:
    return int(_number(value, lambda v: 0 <= v < math.inf and v == int(v), sentence))


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _pairs(value: object, sentence: str) -> Sequence[tuple[object, object]]:
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(sentence)
    if not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value):
        raise ValueError(sentence)
    return value


def _corridors(value: object) -> Bands:
    sentence = (
        "must be a list of corridors [upper edge, share], edges above 0, rising and ending with "
        "inf, shares between 0 and 1"
    )
    bands = tuple(
        (_number(edge, lambda v: v > 0, sentence), _number(share, lambda v: 0 <= v <= 1, sentence))
        for edge, share in _pairs(value, sentence)
    )
    edges = [edge for edge, _ in bands]
    if edges[-1] != math.inf or not _rising(edges):
        raise ValueError(sentence)
    return bands


def _schedule(value: object) -> Schedule:
    sentence = (
        'must be a list of ["YYYY-MM-DD", rate], dates rising, rates between 0 and 1, each rate '
        "holding from its date on"
    )
    steps = tuple(
        (_iso_date(start, sentence), _number(rate, lambda v: 0 <= v <= 1, sentence))
        for start, rate in _pairs(value, sentence)
    )
    if not _rising([start for start, _ in steps]):
        raise ValueError(sentence)
    return steps


def _names(value: object) -> Names:
    sentence = "must be a list of names, each once, the one that counts first in front"
    if not isinstance(value, list | tuple) or not value or len(set(map(str, value))) < len(value):
        raise ValueError(sentence)
    if not all(isinstance(name, str) and name for name in value):
        raise ValueError(sentence)
    return tuple(value)


def _rates(value: object) -> Rates:
    sentence = "must be a list of rates between 0 and 1, rising, as fractions (2% is 0.02)"
    if not isinstance(value, list | tuple):
        raise ValueError(sentence)
    rates = tuple(_number(rate, lambda v: 0 <= v <= 1, sentence) for rate in value)
    if not _rising(rates):
        raise ValueError(sentence)
    return rates


def _weights(value: object) -> Rates:
    sentence = "must be a list of weights between 0 and 1 that add up to 1"
    if not isinstance(value, list | tuple):
        raise ValueError(sentence)
    weights = tuple(_number(weight, lambda v: 0 <= v <= 1, sentence) for weight in value)
    if not math.isclose(math.fsum(weights), 1.0, abs_tol=1e-9):
        raise ValueError(sentence)
    return weights


def _years(value: object) -> Years:
    sentence = "must be a list of calendar years, rising; empty for none"
    if not isinstance(value, list | tuple):
        raise ValueError(sentence)
    years = tuple(int(_number(year, _is_year, sentence)) for year in value)
    if not _rising(years):
        raise ValueError(sentence)
    return years


def _size_table(value: object) -> SizeTable:
    sentence = (
        "must be a list of bands [first, last, rate at first, rate at last], sizes rising, the "
        "last size inf, rates between 0 and 1"
    )
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(sentence)
    if not all(isinstance(band, list | tuple) and len(band) == 4 for band in value):
        raise ValueError(sentence)
    bands = tuple(
        (
            _number(first, lambda v: 0 <= v < math.inf, sentence),
            _number(last, lambda v: v > 0, sentence),
            _number(rate_at_first, lambda v: 0 <= v <= 1, sentence),
            _number(rate_at_last, lambda v: 0 <= v <= 1, sentence),
        )
        for first, last, rate_at_first, rate_at_last in value
    )
    edges = [edge for first, last, _, _ in bands for edge in (first, last)]
    if edges[-1] != math.inf or not _rising(edges):
        raise ValueError(sentence)
    return bands


def _quality_method(value: object) -> str:
    if not isinstance(value, str) or value not in QUALITY_METHODS:
        raise ValueError(f"must be one of {', '.join(map(repr, QUALITY_METHODS))}")
    return value


def _iso_date(value: object, sentence: str) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ValueError(sentence) from None


def _rising(values: Sequence[Any]) -> bool:
    return all(lower < upper for lower, upper in pairwise(values))


# --- how it is shown --------------------------------------------------------------------------


def _percent(value: float) -> str:
    return f"{100 * value:.6g}%"


def _show_dollars(value: float) -> str:
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"


def _show_corridors(bands: Bands) -> str:
    lower_edges = [0.0, *(edge for edge, _ in bands)]
    return "\n".join(
        f"{_show_band(lower, upper)}: {_percent(share)}"
        for lower, (upper, share) in zip(lower_edges, bands, strict=False)
    )


def _show_band(lower: float, upper: float) -> str:
    if upper < math.inf:
        return f"{100 * lower:.6g}-{_percent(upper)}"
    return f"above {_percent(lower)}" if lower else "any size"


def _show_schedule(steps: Schedule) -> str:
    return "\n".join(f"{start}: {_percent(rate)}" for start, rate in steps)


def _show_names(names: Names) -> str:
    words = [name.replace("_", " ") for name in names]
    if len(words) == 1:
        return words[0]
    return "\n".join(f"{rank}. {name}" for rank, name in enumerate(words, start=1))


def _show_rates(rates: Rates) -> str:
    return ", ".join(map(_percent, rates)) or "none"


def _show_limit(limit: float) -> str:
    return _percent(limit) if math.isfinite(limit) else "no limit"


def _show_years(years: Years) -> str:
    return ", ".join(map(str, years)) or "none"


def _show_size_table(bands: SizeTable) -> str:
    return "\n".join(
        f"{first:,.0f} and over: {_percent(low)}"
        if math.isinf(last)
        else f"{first:,.0f}-{last:,.0f}: {_percent(low)} to {_percent(high)}"
        for first, last, low, high in bands
    )


KINDS = {
    "fraction": _Kind(_fraction, _percent),
    "dollars": _Kind(_dollars, _show_dollars),
    "limit": _Kind(_limit, _show_limit),
    "year": _Kind(_year, str),
    "years": _Kind(_years, _show_years),
    "multiplier": _Kind(_multiplier, lambda value: f"x {value:g}"),
    "beneficiaries": _Kind(_beneficiaries, lambda value: f"{value:,} beneficiaries"),
    "months": _Kind(_months, lambda value: f"{value} month{'' if value == 1 else 's'}"),
    "bool": _Kind(_bool, lambda value: "yes" if value else "no"),
    "corridors": _Kind(_corridors, _show_corridors),
    "schedule": _Kind(_schedule, _show_schedule),
    "rates": _Kind(_rates, _show_rates),
    "weights": _Kind(_weights, _show_rates),
    "size-table": _Kind(_size_table, _show_size_table),
    "quality-method": _Kind(_quality_method, str),
    "names": _Kind(_names, _show_names),
}
"""Kinds of value a data file may use; a new program family adds its own here."""
