"""From the drivers of a scenario to laws: models translated, defaults filled in, values checked."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from simdc.drivers.copula import check_correlation
from simdc.drivers.defaults import (
    Default,
    default_ci_sep_missed,
    default_coding_factor,
    default_completion,
    default_early_exit,
    default_entity_effect,
    default_national_trend,
    default_pandemic,
    default_quality_score,
    default_raw_risk_score,
    default_reference_population_drift,
    default_regional_trend,
)
from simdc.drivers.laws import (
    BetaLaw,
    Clipped,
    Constant,
    Law,
    LognormalLaw,
    NormalLaw,
    Spiked,
    Steps,
    StudentTLaw,
    TriangularLaw,
)
from simdc.drivers.resolved import AMOUNTS, COST_DRIVERS, DRIVER_NAMES, ResolvedDrivers
from simdc.errors import InputError, Problem, nearest
from simdc.magnitude import SIZE, has_size
from simdc.outcome import Assumption

if TYPE_CHECKING:
    from simdc.scenario.models import Driver, Drivers, Entity

__all__ = ["resolve_drivers"]

Array = NDArray[np.float64]
Told = tuple[Law, list[Assumption]]  # a law, and what is to be told about it

_ENDS = np.array([-10.0, 0.0, 10.0])  # scores: beyond any that can be drawn, and the median
_TAILS = np.array([-6.0, 0.0, 6.0])  # once in a billion draws either way, and the median
_MEDIAN_DEVIATION = 0.5
_EXTREME_DEVIATION = 5.0

_RATIOS = {
    "completion": "completion is completed claims over claims as settled",
    "raw_risk_score": "the driver is a raw score over the expected one",
    "reference_population_drift": "the drift is a mean score over the projected one",
    "coding_factor": "the factor is the final one over the one in the benchmark",
    "health_equity_months": "the driver is months over those in the benchmark",
}
_EVENTS = {
    "ci_sep_missed": "CI/SEP is missed",
    "early_exit": "the entity leaves early",
}


def resolve_drivers(
    drivers: Drivers,
    entity: Entity,
    *,
    option: str,
    person_cv: float,
    base_dir: Path,
) -> ResolvedDrivers:
    """Make the drivers of a scenario ready to be drawn.

    Parameters
    ----------
    drivers : Drivers
        As the scenario gives them; a driver that is absent is off.
    entity : Entity
        Its type and performance year choose the defaults: only evidence from years before the
        performance year is used.
    option : {'global', 'professional'}
        Whose published spread of savings rates the default entity effect is taken from.
    person_cv : float
        Coefficient of variation of one beneficiary's cost by luck alone.
    base_dir : Path
        Folder that file names in the scenario are relative to.

    Returns
    -------
    ResolvedDrivers

    Raises
    ------
    InputError
        Where no evidence is old enough for a default, a file cannot be used, a law leaves the
        range of its driver, or correlations contradict each other.
    """
    given: dict[str, Driver] = {
        name: driver for name in DRIVER_NAMES if (driver := getattr(drivers, name)) is not None
    }
    correlation = _correlation(drivers, tuple(given))

    laws: dict[str, Law] = {}
    assumptions: list[Assumption] = []

    year = entity.performance_year
    defaults: dict[str, Callable[[], Default]] = {
        **{
            trend: partial(default_national_trend, trend, year, pandemic="pandemic" in given)
            for trend in ("national_trend", "national_trend_esrd")
        },
        "pandemic": lambda: default_pandemic(year),
        "regional_trend": lambda: default_regional_trend(year),
        "quality_score": lambda: default_quality_score(
            entity.type, year, before_ci_sep="ci_sep_missed" in given
        ),
        "completion": default_completion,
        "ci_sep_missed": lambda: default_ci_sep_missed(year),
        "raw_risk_score": lambda: default_raw_risk_score(year),
        "reference_population_drift": lambda: default_reference_population_drift(year),
        "coding_factor": lambda: default_coding_factor(year),
        "early_exit": lambda: default_early_exit(year),
        "entity_effect": lambda: default_entity_effect(
            entity.type,
            option,
            year,
            others=laws,
            person_cv=person_cv,
            correlated=drivers.correlation is not None
            and "entity_effect" in drivers.correlation.drivers,
        ),
    }
    # The entity effect comes last of all, after drivers that have no default.
    in_order = sorted(given, key=lambda name: name == "entity_effect")
    for name in in_order:
        if given[name].distribution == "default":
            laws[name], told = _default(name, defaults.get(name))
        else:
            law = _law(name, given[name], base_dir)
            laws[name], told = _within_range(name, law, _as_written(given[name], law))
        assumptions += told
    for name, absent in AMOUNTS.items():
        laws.setdefault(name, Constant(absent))

    names = [name for name in DRIVER_NAMES if name in laws]
    matrix = np.eye(len(names))
    for (first, second), coefficient in correlation.items():
        matrix[names.index(first), names.index(second)] = coefficient
    return ResolvedDrivers({name: laws[name] for name in names}, matrix, tuple(assumptions))


def _default(name: str, default: Callable[[], Default] | None) -> Told:
    if default is None:
        raise _refusal(name, "has no documented default; give a distribution", '"default"')
    try:
        law, assumption = default()
    except InputError as error:
        placed = [replace(problem, path=f"drivers.{name}") for problem in error.problems]
        raise InputError(placed) from None
    return law, [assumption]


def _correlation(drivers: Drivers, given: tuple[str, ...]) -> dict[tuple[str, str], float]:
    """Correlation of each ordered pair that the scenario names."""
    if drivers.correlation is None:
        return {}
    names = drivers.correlation.drivers
    matrix = check_correlation(names, drivers.correlation.matrix, allowed=given)
    return {
        (first, second): float(matrix[i, j])
        for i, first in enumerate(names)
        for j, second in enumerate(names)
        if i != j
    }


def _law(name: str, driver: Driver, base_dir: Path) -> Law:
    match driver.distribution:
        case "fixed":
            return Constant(driver.value)
        case "normal":
            return NormalLaw(driver.mean, driver.sd)
        case "lognormal":
            return LognormalLaw(driver.mean, driver.cv)
        case "student_t":
            return StudentTLaw(driver.location, driver.scale, driver.degrees_of_freedom)
        case "beta":
            density = BetaLaw(driver.alpha, driver.beta, driver.low, driver.high)
            if driver.spike == 0.0:
                return density
            if driver.spike == 1.0:
                return Constant(driver.high)
            return Spiked(density, driver.spike, driver.high)
        case "triangular":
            return TriangularLaw(driver.low, driver.mode, driver.high)
        case "discrete":
            return Steps.of(driver.values, driver.probabilities)
        case "empirical":
            if driver.file is None:
                values = np.array(driver.values)
            else:
                values = _column(base_dir / driver.file, driver.column, f"drivers.{name}")
            return Steps.of(values, np.ones_like(values))
        case "bernoulli":
            return Steps.of((0.0, 1.0), (1.0 - driver.probability, driver.probability))
        case "shock":
            shock = driver.probability
            after = (1.0 - driver.recovery) * driver.size
            if after == driver.size:  # a bit apart, for later years to tell a shock from its wake
                after = float(np.nextafter(driver.size, 0.0))
            return Steps.of((driver.size, after, 0.0), (shock, shock, 1.0 - 2.0 * shock))
        case _:  # pragma: no cover
            raise AssertionError(driver.distribution)


def _as_written(driver: Driver, law: Law) -> str:
    """The settings of a driver as the scenario gives them; of many values the ends."""
    if driver.distribution in ("discrete", "empirical"):
        low, _, high = law.at(_ENDS)
        return f"values from {low:.12g} to {high:.12g}"
    settings = driver.model_dump(exclude_unset=True, exclude={"distribution", "source"})
    return ", ".join(f"{key} = {value:.12g}" for key, value in settings.items())


def _within_range(name: str, law: Law, written: str) -> Told:
    """The law, if its driver can take its values; a quality score may be clipped, told as such."""
    if name in COST_DRIVERS:
        _check_deviation(name, law, written)
        return law, []
    low, median, high = law.at(_ENDS)
    if name in _RATIOS:
        if not (low > 0.0 and 0.5 <= median <= 2.0):
            raise _refusal(
                name,
                f"{_RATIOS[name]}: always above 0, with a median between 0.5 and 2",
                written,
            )
        return law, []
    if name in _EVENTS:
        values, _ = law.rule()
        if not (isinstance(law, Constant | Steps) and set(values.tolist()) <= {0.0, 1.0}):
            raise _refusal(
                name,
                f"is 1 where {_EVENTS[name]} and else 0; give "
                '{ distribution = "bernoulli", probability = fraction }',
                written,
            )
        return law, []
    if low >= 0.0 and high <= 1.0:
        return law, []
    if name == "high_performers_bonus":
        raise _refusal(
            name,
            "the bonus is a share of the benchmark, written as a fraction (0.8% is 0.008)",
            written,
        )
    if law.bounded or not 0.0 <= median <= 1.0:
        raise _refusal(
            name,
            "a quality score lies between 0 and 1, written as a fraction (90% is 0.9)",
            written,
        )
    told = Assumption(
        f"driver {name}",
        "values of the given distribution below 0 or above 1 are moved to 0 or 1",
        "scenario",
    )
    return Clipped(law, 0.0, 1.0), [told]


def _check_deviation(name: str, law: Law, written: str) -> None:
    """Refuse percentages written as such, and tails that a mean cost factor would rest on."""
    values = law.at(_TAILS)
    low, median, high = np.log(values) if law.describes_factor else values
    if not abs(median) <= _MEDIAN_DEVIATION:
        if law.describes_factor:
            allowed = "a lognormal cost driver is the cost factor itself, around 1"
        else:
            allowed = "a cost driver is a deviation around 0, written as a fraction (4% is 0.04)"
        raise _refusal(name, allowed, written)
    if not max(-low, high) <= _EXTREME_DEVIATION:
        remedy = ", or raise the degrees of freedom" if isinstance(law, StudentTLaw) else ""
        raise _refusal(
            name,
            "is too wide for a mean cost factor to exist in practice: once in a billion draws it "
            f"must stay within a factor of {np.exp(_EXTREME_DEVIATION):.0f}; write deviations as "
            f"fractions (4% is 0.04){remedy}",
            written,
        )


def _refusal(name: str, allowed: str, given: str) -> InputError:
    return InputError(Problem(allowed, f"drivers.{name}", given))


def _column(path: Path, column: str | None, where: str) -> Array:
    """One column of a CSV file as finite numbers."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            header = next(reader, [])
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        problem = Problem(f"cannot be read: {error.strerror}", f"{where}.file", f"'{path}'")
        raise InputError(problem) from None
    except (UnicodeDecodeError, csv.Error):
        problem = Problem("must be a CSV file in UTF-8", f"{where}.file", f"'{path}'")
        raise InputError(problem) from None
    if column is None and len(header) == 1:
        column = header[0]
    if column not in header:
        given = "" if column is None else f"'{column}'"
        names = ", ".join(header) or "none"
        raise InputError(
            Problem(
                f"must name a column of {path.name}, which has {names}",
                f"{where}.column",
                given,
                nearest(column or "", header),
            )
        )
    position = header.index(column)
    values = []
    for line, row in rows:
        if not row:
            continue
        try:
            value = float(row[position])
        except (ValueError, IndexError):
            value = np.nan
        if not np.isfinite(value):
            cell = row[position] if position < len(row) else ""
            message = f"line {line} of {path.name} must hold a finite number in '{column}'"
            raise InputError(Problem(message, f"{where}.file", f"'{cell}'"))
        if not has_size(value):
            message = f"what line {line} of {path.name} holds in '{column}' {SIZE}"
            raise InputError(Problem(message, f"{where}.file", f"'{row[position]}'"))
        values.append(value)
    if not values:
        raise InputError(Problem(f"column '{column}' of {path.name} is empty", f"{where}.file"))
    return np.array(values)
