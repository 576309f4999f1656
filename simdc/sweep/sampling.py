"""Ranges to draw points of a sweep from, and the samples: Sobol' points or a Latin hypercube.

Every swept setting has a range, given by its quantile function. A sample is a set of points in the
unit cube, evenly spread over all its sides; the quantile functions carry it to the settings.
"""

from __future__ import annotations

import dataclasses
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simdc.errors import InputError, Problem, nearest
from simdc.scenario.sentences import quote
from simdc.sweep.design import Axis, Design
from simdc.sweep.paths import Path
from simdc.sweep.values import (
    DISTRIBUTIONS,
    MOST,
    as_call,
    parse_value,
    parse_values,
    split,
    told_of,
)

__all__ = [
    "Beta",
    "Choice",
    "Integers",
    "LogUniform",
    "Normal",
    "Range",
    "Triangular",
    "Uniform",
    "drawn",
    "parse_range",
    "parse_sample",
    "sampled",
]

Floats: TypeAlias = NDArray[np.float64]
Method: TypeAlias = Literal["sobol", "lhs"]

_LARGEST_INTEGER = 2**64 - 1  # the largest seed


# --- ranges -----------------------------------------------------------------------------------


class Range(ABC):
    """What a setting may be, and how likely."""

    @abstractmethod
    def quantile(self, u: Floats) -> list[Any]:
        """Values of the setting at probabilities.

        Parameters
        ----------
        u : ndarray, shape (n,)
            Probabilities strictly between 0 and 1.

        Returns
        -------
        list, length n
            As TOML would hold them.
        """


@dataclass(frozen=True)
class Uniform(Range):
    """Evenly between two values."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _require(self, self.low < self.high, "have its first value below its second")

    def quantile(self, u: Floats) -> list[Any]:
        return _floats(self.low * (1.0 - u) + self.high * u)


@dataclass(frozen=True)
class LogUniform(Range):
    """Evenly between two values on a scale of ratios."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _require(self, 0.0 < self.low < self.high, "have its first value below its second, above 0")

    def quantile(self, u: Floats) -> list[Any]:
        between = np.exp(math.log(self.low) * (1.0 - u) + math.log(self.high) * u)
        return _floats(np.clip(between, self.low, self.high))


@dataclass(frozen=True)
class Normal(Range):
    """Normal, without bounds."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _require(self, self.sd > 0.0, "have a standard deviation above 0")

    def quantile(self, u: Floats) -> list[Any]:
        from scipy.special import ndtri

        return _floats(self.mean + self.sd * ndtri(u))


@dataclass(frozen=True)
class Triangular(Range):
    """Rising from the low value to the mode and falling to the high one."""

    low: float
    mode: float
    high: float

    def __post_init__(self) -> None:
        ordered = self.low <= self.mode <= self.high and self.low < self.high
        _require(self, ordered, "have its low, mode and high in rising order")

    def quantile(self, u: Floats) -> list[Any]:
        width = self.high - self.low
        below = (self.mode - self.low) / width
        rising = self.low + width * np.sqrt(u * below)
        falling = self.high - width * np.sqrt((1.0 - u) * (1.0 - below))
        return _floats(np.where(u < below, rising, falling))


@dataclass(frozen=True)
class Beta(Range):
    """Beta, between 0 and 1 or stretched to lie between two values."""

    alpha: float
    beta: float
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        _require(self, self.alpha > 0.0 and self.beta > 0.0, "have both its shapes above 0")
        _require(self, self.low < self.high, "have its low value below its high one")

    def quantile(self, u: Floats) -> list[Any]:
        from scipy.special import betaincinv

        between = betaincinv(self.alpha, self.beta, u)
        return _floats(self.low * (1.0 - between) + self.high * between)


@dataclass(frozen=True)
class Integers(Range):
    """Whole numbers from the first to the last, all as likely."""

    first: int
    last: int

    def __post_init__(self) -> None:
        whole = isinstance(self.first, int) and isinstance(self.last, int)
        _require(
            self,
            whole and -_LARGEST_INTEGER <= self.first <= self.last <= _LARGEST_INTEGER,
            "be of two whole numbers in rising order, at most 2**64 - 1",
        )

    def quantile(self, u: Floats) -> list[Any]:
        count = self.last - self.first + 1
        return [self.first + min(int(count * p), count - 1) for p in u.tolist()]


@dataclass(frozen=True)
class Choice(Range):
    """One of several values, all as likely."""

    values: tuple[object, ...]

    def quantile(self, u: Floats) -> list[Any]:
        count = len(self.values)
        return [self.values[min(int(count * p), count - 1)] for p in u.tolist()]


def _floats(values: Floats) -> list[Any]:
    if not np.isfinite(values).all():
        raise InputError("the figures of its range are too extreme to draw from")
    listed: list[Any] = values.tolist()
    return listed


def _require(found: Range, held: bool, must: str) -> None:
    if not held:
        given = ", ".join(str(value) for value in dataclasses.astuple(found))  # type: ignore[call-overload]
        raise InputError(Problem(f"must {must}", "", f"{type(found).__name__.lower()}({given})"))


# --- reading ----------------------------------------------------------------------------------

_OF_NUMBERS: Mapping[str, Callable[..., Range]] = {
    "uniform": Uniform,
    "loguniform": LogUniform,
    "normal": Normal,
    "triangular": Triangular,
    "beta": Beta,
    "integers": Integers,
}
_METHODS = ("sobol", "lhs")


def parse_range(text: str) -> Range:
    """A range such as ``uniform(0.01,0.05)``; plain values are a choice between them.

    Raises
    ------
    InputError
        If it is none, or its figures contradict each other.
    """
    call = as_call(text)
    if call is None or call[0] not in DISTRIBUTIONS:
        return Choice(parse_values(text))
    name, arguments = call
    if name == "choice":
        return Choice(parse_values(arguments))
    make = _OF_NUMBERS[name]
    fields = dataclasses.fields(make)  # type: ignore[arg-type]
    least = sum(field.default is dataclasses.MISSING for field in fields)
    numbers = [_number(argument, text) for argument in split(arguments)]
    if not least <= len(numbers) <= len(fields):
        names = ",".join(field.name for field in fields)
        raise InputError(Problem(f"must be {name}({names})", "", quote(text.strip())))
    return make(*(numbers if make is Integers else map(float, numbers)))


def _number(text: str, whole: str) -> int | float:
    value = parse_value(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_finite(value):
        message = f"must be made of finite numbers, of which {quote(text.strip())} is none"
        raise InputError(Problem(message, "", quote(whole.strip())))
    return value


def _is_finite(value: float) -> bool:
    # An integer may be too large for a float.
    return abs(value) <= np.finfo(np.float64).max.item()


def parse_sample(text: str) -> tuple[Method, int]:
    """The method and the number of points of ``sobol:256`` or ``lhs:200``.

    Raises
    ------
    InputError
        For another method, or a number of points that the method does not take.
    """
    name, _, count = text.strip().partition(":")
    if name not in _METHODS:
        near = nearest(name, _METHODS)
        raise InputError(Problem("must be sobol:COUNT or lhs:COUNT", "--sample", quote(text), near))
    if not re.fullmatch(r"[0-9]{1,9}", count) or not 1 <= int(count) <= MOST:
        raise InputError(
            Problem(f"must have a number of points from 1 to {MOST:,}", "--sample", quote(text))
        )
    points = int(count)
    if name == "sobol":
        _refuse_unbalanced(points, text)
        return "sobol", points
    return "lhs", points


def _refuse_unbalanced(points: int, text: str) -> None:
    below = 2 ** (points.bit_length() - 1)
    if points == below:
        return
    powers = [power for power in (below, 2 * below) if power <= MOST]
    nearest_powers = " or ".join(f"sobol:{power}" for power in powers)
    raise InputError(
        Problem(
            "Sobol' points are balanced only where their number is a power of two; the nearest "
            f"are {nearest_powers}",
            "--sample",
            quote(text),
        )
    )


# --- drawing ----------------------------------------------------------------------------------


def sampled(ranges: Mapping[Path, Range], method: Method, points: int, seed: int) -> Design:
    """Points drawn from ranges.

    Parameters
    ----------
    ranges : mapping of Path to Range
    method : {'sobol', 'lhs'}
        Scrambled Sobol' points, or a Latin hypercube.
    points : int
        For Sobol' points a power of two.
    seed : int
        Of the scrambling or the hypercube.

    Raises
    ------
    InputError
        For more ranges than Sobol' points have dimensions, and as `drawn`.
    """
    from scipy.stats import qmc

    generator = np.random.default_rng(seed)
    dimensions = len(ranges)
    if method == "lhs":
        unit = qmc.LatinHypercube(dimensions, seed=generator).random(points)
        return drawn(ranges, np.clip(unit, np.nextafter(0.0, 1.0), np.nextafter(1.0, 0.0)))
    if dimensions > qmc.Sobol.MAXDIM:
        raise InputError(f"Sobol' points have at most {qmc.Sobol.MAXDIM:,} ranges")
    unit = qmc.Sobol(dimensions, seed=generator, bits=_BITS).random(points)
    # The points lie on a lattice; the middle of its cells is never 0, where some ranges end.
    return drawn(ranges, unit + 0.5**_BITS / 2.0)


_BITS = 30  # of a Sobol' point


def drawn(ranges: Mapping[Path, Range], unit: Floats) -> Design:
    """The points that lie at given probabilities of each range.

    Parameters
    ----------
    ranges : mapping of Path to Range
    unit : ndarray, shape (points, ranges)
        Strictly between 0 and 1, one column for each range in order.

    Raises
    ------
    InputError
        Where a range reaches too near the largest number.
    """
    axes = []
    for (path, swept), column in zip(ranges.items(), unit.T, strict=True):
        with told_of(str(path)), np.errstate(over="ignore", invalid="ignore"):
            axes.append(Axis(path, tuple(swept.quantile(column))))
    return Design("sample", tuple(axes))
