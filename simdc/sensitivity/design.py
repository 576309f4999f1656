"""Where a scenario is worked out: Saltelli's points for Sobol' indices, and those of a tornado."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simdc.errors import InputError, Problem
from simdc.scenario import LoadedScenario
from simdc.scenario.sentences import quote
from simdc.sweep.design import Axis, Design
from simdc.sweep.paths import Path
from simdc.sweep.places import MISSING
from simdc.sweep.points import varied
from simdc.sweep.sampling import Choice, Range, drawn, parse_range
from simdc.sweep.values import MOST, told_of

__all__ = [
    "ENDS",
    "SAMPLES",
    "Change",
    "Setting",
    "Tornado",
    "saltelli",
    "saltelli_points",
    "settings_of",
    "tornado",
]

Floats: TypeAlias = NDArray[np.float64]

SAMPLES = (8, 16_384)
"""Fewest and most base samples, both powers of two."""

ENDS = (0.05, 0.95)
"""Quantiles of a range that a tornado goes to."""

_MEDIAN = 0.5
_BITS = 30  # of a Sobol' point, as scipy makes them


# --- what is varied ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """A setting of the scenario and what it may be.

    Attributes
    ----------
    path : Path
    text : str
        Its range as the user wrote it.
    range : Range
    """

    path: Path
    text: str
    range: Range

    @property
    def label(self) -> str:
        """The path as text."""
        return str(self.path)


def settings_of(loaded: LoadedScenario, vary: Sequence[str]) -> tuple[Setting, ...]:
    """The settings that a command line varies.

    Parameters
    ----------
    loaded : LoadedScenario
    vary : sequence of str
        Each ``PATH=RANGE``.

    Raises
    ------
    InputError
        For no setting at all, paths that lead nowhere, meet or repeat, ranges that are none or
        hold a single value, and draws or seed, which all points are to share.
    """
    if not vary:
        raise InputError("nothing to vary: give --vary PATH=RANGE, such as uniform(0.01,0.05)")
    return tuple(
        _setting(path, text.strip()) for path, text in varied(loaded.document(), vary).items()
    )


def _setting(path: Path, text: str) -> Setting:
    if path.steps[0] == "run":
        raise InputError(
            Problem(
                "cannot be varied here: all points share their draws, so that they differ in "
                "nothing but the settings",
                str(path),
            )
        )
    with told_of(str(path)):
        found = parse_range(text)
        if isinstance(found, Choice) and len(found.values) < 2:
            raise InputError(
                Problem(
                    "must be a range such as uniform(0.01,0.05), or two values or more",
                    "",
                    quote(text),
                )
            )
    return Setting(path, text, found)


# --- Saltelli's points ------------------------------------------------------------------------


def saltelli(settings: Sequence[Setting], samples: int, seed: int) -> Design:
    """The points from which Sobol' indices are estimated.

    Parameters
    ----------
    settings : sequence of Setting
    samples : int
        Base samples, a power of two; there are as many times two points more than settings.
    seed : int

    Raises
    ------
    InputError
        As `saltelli_points`, and where a range reaches too near the largest number.
    """
    points = saltelli_points(len(settings), samples, seed)
    return drawn({setting.path: setting.range for setting in settings}, points)


def saltelli_points(settings: int, samples: int, seed: int) -> Floats:
    """Points in the unit cube: two samples, and the first with one column of the second.

    Saltelli et al. (2010), "Variance based sensitivity analysis of model output", Computer Physics
    Communications 181(2), 259-270.

    Parameters
    ----------
    settings : int
    samples : int
        Base samples.
    seed : int
        Of the scrambling of the Sobol' points.

    Returns
    -------
    ndarray, shape (samples * (settings + 2), settings)
        Strictly between 0 and 1. For each base sample its point A, then A with each coordinate in
        turn taken from B, then B.

    Raises
    ------
    InputError
        For a number of samples that is no power of two or out of bounds, for too many points, and
        where SALib is not installed.
    """
    _check(settings, samples)
    try:
        from SALib.sample import sobol
    except ModuleNotFoundError as error:
        raise InputError(
            f'sensitivity needs {error.name}: pip install "simdc[sensitivity]"'
        ) from error
    problem = {"num_vars": settings, "names": _names(settings), "bounds": [[0.0, 1.0]] * settings}
    lattice: Floats = sobol.sample(
        problem, samples, calc_second_order=False, seed=np.random.default_rng(seed)
    )
    # The middle of a cell is never 0, where some ranges end.
    return lattice + 0.5**_BITS / 2.0


def _check(settings: int, samples: int) -> None:
    fewest, most = SAMPLES
    if not fewest <= samples <= most or samples & (samples - 1):
        above = 1 << samples.bit_length() if samples > 0 else fewest
        near = sorted({min(max(power, fewest), most) for power in (above // 2, above)})
        raise InputError(
            Problem(
                f"must be a power of two from {fewest} to {most:,}, because Sobol' points are "
                f"balanced only then; nearest: {' or '.join(map(str, near))}",
                "--samples",
                str(samples),
            )
        )
    if (points := samples * (settings + 2)) > MOST:
        raise InputError(
            Problem(f"makes {points:,} points, of which there are at most {MOST:,}", "--samples")
        )


def _names(settings: int) -> list[str]:
    return [str(place) for place in range(settings)]


# --- a tornado's points -----------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """One setting moved, everything else left at the base.

    Attributes
    ----------
    setting : Setting
    value : object
        What it is moved to.
    """

    setting: Setting
    value: object


@dataclass(frozen=True)
class Tornado:
    """Points that differ from a base in one setting each.

    Attributes
    ----------
    design : Design
        The base, then a point for each change.
    changes : tuple of Change
    """

    design: Design
    changes: tuple[Change, ...]


def tornado(settings: Sequence[Setting]) -> Tornado:
    """One setting at a time moved to the ends of its range, or to each of its values.

    At the base numbers are at the median of their range, and what is chosen from a list is as the
    scenario has it.
    """
    changes = tuple(Change(each, value) for each in settings for value in _ends(each.range))
    axes = []
    for each in settings:
        base = _base(each.range)
        moved = (change.value if change.setting is each else base for change in changes)
        axes.append(Axis(each.path, (base, *moved)))
    return Tornado(Design("sample", tuple(axes)), changes)


def _base(found: Range) -> object:
    return MISSING if isinstance(found, Choice) else found.quantile(np.array([_MEDIAN]))[0]


def _ends(found: Range) -> Iterator[object]:
    if isinstance(found, Choice):
        yield from found.values
    else:
        yield from dict.fromkeys(found.quantile(np.array(ENDS)))  # of few integers both may be one
