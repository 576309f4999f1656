"""Kinds of value a scenario holds: dollars, rates, months, names, each with its own refusal.

A rate is a fraction. Someone who writes 2 for two per cent gets a sentence that says so rather
than a benchmark cut by 200%.
"""

from __future__ import annotations

import math
import sys
import unicodedata
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from simdc.magnitude import SIZE, has_size

__all__ = [
    "REFUSAL",
    "AgreementYear",
    "Beneficiaries",
    "CalendarYear",
    "Coefficient",
    "Count",
    "Dollars",
    "Figure",
    "Flag",
    "Growth",
    "Months",
    "Name",
    "Nonnegative",
    "Number",
    "Positive",
    "PositiveDollars",
    "Probability",
    "Rate",
    "Seed",
    "Spread",
    "SpreadOrZero",
    "UpperEdge",
    "Year",
    "YearKey",
    "refuse",
]

REFUSAL = "simdc"
"""Type of the validation errors whose sentence is already fit for the user."""


def refuse(
    sentence: str, *, at: str = "", given: str | None = None, suggestion: str = ""
) -> PydanticCustomError:
    """A validation error whose message reaches the user as it stands.

    Parameters
    ----------
    sentence : str
        What is wrong and what is allowed, without its full stop.
    at : str, optional
        Where inside the validated table, such as ``bands[1]``.
    given : str, optional
        What to show as given; by default the validated value, if it is not a table.
    suggestion : str, optional
        The nearest valid name.
    """
    context = {"sentence": sentence, "at": at, "given": given, "suggestion": suggestion}
    return PydanticCustomError(REFUSAL, "{sentence}", context)


@dataclass(frozen=True)
class Figure:
    """Annotation that makes a number one kind of figure, with bounds and a refusal of its own.

    Attributes
    ----------
    what : str
        The kind and its bounds in words; the refusal reads "must be <what>".
    minimum, above, maximum : float
        Bounds: least allowed, least not allowed, greatest allowed.
    infinite : bool
        Whether ``inf`` is allowed.
    """

    what: str
    minimum: float = -math.inf
    above: float = -math.inf
    maximum: float = math.inf
    infinite: bool = False

    def check(self, value: object) -> object:
        """The value itself if it is such a figure; text and true/false never are."""
        if isinstance(value, str):
            raise refuse(f"must be {self.what}, without quotes, '$', ',' or '%'")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise refuse(f"must be {self.what}")
        # An integer may be too large for float(), so finiteness is a comparison.
        finite = abs(value) <= sys.float_info.max
        if not (finite or (self.infinite and value == math.inf)):
            raise refuse(f"must be {self.what}")
        if not (self.minimum <= value <= self.maximum and value > self.above):
            raise refuse(f"must be {self.what}")
        if not self.has_size(value):
            raise refuse(SIZE)
        return value

    def has_size(self, value: float) -> bool:
        """Whether it is neither absurdly large nor absurdly small."""
        return has_size(value)

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check before pydantic converts, so that every refusal is ours."""
        return core_schema.no_info_before_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Add the bounds, which JSON Schema knows by its own names."""
        bounds = {
            "minimum": self.minimum,
            "exclusiveMinimum": self.above,
            "maximum": self.maximum,
        }
        return handler(schema) | {name: v for name, v in bounds.items() if math.isfinite(v)}


@dataclass(frozen=True)
class WholeFigure(Figure):
    """A figure without a fractional part, with bounds of its own."""

    def check(self, value: object) -> object:
        """The value as an integer; 1e4 is one, 1.5 is not."""
        checked = super().check(value)
        if isinstance(checked, float):
            if not checked.is_integer():
                raise refuse(f"must be {self.what}")
            return int(checked)
        return checked

    def has_size(self, value: float) -> bool:
        """A seed is as large as it is."""
        return True


def _composed(name: object) -> object:
    """The one spelling of a name whose accents can be typed in two ways."""
    return unicodedata.normalize("NFC", name) if isinstance(name, str) else name


def _in_digits(key: object) -> object:
    """A year that names a table, which TOML reads as text."""
    return int(key) if isinstance(key, str) and key.isdecimal() else key


_RATE = "a rate between 0 and 1, written as a fraction (2% is 0.02)"
_RATIO = "at most 20, written as a ratio (214% is 2.14)"

Number = Annotated[float, Figure("a finite number")]
Positive = Annotated[float, Figure("a finite number above 0", above=0)]
Nonnegative = Annotated[float, Figure("a finite number of 0 or more", minimum=0)]
UpperEdge = Annotated[
    float, Figure("a number above 0, or inf for no upper limit", above=0, infinite=True)
]
Rate = Annotated[float, Figure(_RATE, minimum=0, maximum=1)]
Spread = Annotated[
    float, Figure(f"a coefficient of variation above 0 and {_RATIO}", above=0, maximum=20)
]
SpreadOrZero = Annotated[
    float, Figure(f"a coefficient of variation of 0 or more and {_RATIO}", minimum=0, maximum=20)
]
Growth = Annotated[
    float,
    Figure(
        "a growth between -0.5 and 0.5, written as a fraction (4% is 0.04)",
        minimum=-0.5,
        maximum=0.5,
    ),
]
Probability = Annotated[float, Figure("a probability between 0 and 1", minimum=0, maximum=1)]
Coefficient = Annotated[float, Figure("a correlation between -1 and 1", minimum=-1, maximum=1)]
Dollars = Annotated[float, Figure("a finite amount of US dollars")]
PositiveDollars = Annotated[float, Figure("an amount of US dollars above 0", above=0)]
Months = Annotated[float, Figure("a number of months above 0 and at most 12", above=0, maximum=12)]
Count = Annotated[
    int, WholeFigure("a whole number from 1 to 1,000,000,000", minimum=1, maximum=10**9)
]
Beneficiaries = Annotated[
    int, WholeFigure("a whole number from 1 to 50,000,000", minimum=1, maximum=50_000_000)
]
Seed = Annotated[
    int, WholeFigure("a whole number from 0 to 2**64 - 1", minimum=0, maximum=2**64 - 1)
]
Year = Annotated[int, WholeFigure("a performance year such as 2022", minimum=2014, maximum=2035)]
YearKey = Annotated[Year, BeforeValidator(_in_digits)]
CalendarYear = Annotated[
    int, WholeFigure("a calendar year such as 2019", minimum=2000, maximum=2099)
]
AgreementYear = Annotated[
    int, WholeFigure("a year of an agreement, from 1 to 5", minimum=1, maximum=5)
]
Flag = Annotated[bool, Field(strict=True)]
Name = Annotated[
    str,
    BeforeValidator(_composed),
    Field(pattern=r"^[\p{L}\p{Nd}][\p{L}\p{M}\p{Nd} &._+-]{0,59}$"),
]
