"""Which figures are to be known how well, as a user asks for it: ``TRACK.FIGURE ± AMOUNT``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from simdc.engine import KEPT_LINES, PROVISIONAL_LINE
from simdc.errors import InputError, Problem, nearest
from simdc.estimate import Estimate
from simdc.figures import STATISTICS, guarantee_figures, outcome, statistics
from simdc.guarantee import LEVELS
from simdc.outcome import TrackOutcome
from simdc.prepare import prepare
from simdc.scenario.models import Scenario
from simdc.variables import VARIABLES

if TYPE_CHECKING:
    from simdc.scenario import LoadedScenario

__all__ = ["LIMIT", "Figure", "Until", "Watched", "ask", "figures", "place"]

LIMIT = 4_000_000
"""Draws at which a run stops whatever is known then, unless told otherwise."""

_SECURED = ("cash_due", "shared_after_sequestration")
"""Lines that a guarantee is sized from."""

_OF_ANY = ("probability_of_loss", "probability_owing", "mean_total_owed")
_OF_REQUIRED = (
    "probability_shared_loss_exceeds_required",
    "probability_total_owed_exceeds_required",
    "expected_shortfall",
    "shortfall_when_exceeded",
)
"""Variables of ``/guarantee``, those of any track and those of a required guarantee."""


@dataclass(frozen=True)
class Figure:
    """A figure that can be estimated of a track.

    Attributes
    ----------
    units : str
        Of the figure and of its bound.
    lines : tuple of str
        Lines of the settlement that it is made of.
    estimate : callable
        From a track that holds these lines.
    of_required : bool
        Whether there is none without a required guarantee.
    """

    units: str
    lines: tuple[str, ...]
    estimate: Callable[[TrackOutcome], Estimate]
    of_required: bool = False


def figures(scenario: Scenario) -> dict[str, Figure]:
    """Every figure of a track that has limits in ``/guarantee`` or ``/summary``, by name.

    ``guarantee_99`` covers the total owed with a probability of 99%, ``tvar_99`` is the mean total
    owed beyond it. A statistic by itself is of cash due; that of another line is
    ``LINE.STATISTIC``.
    """
    provisional = any(track.provisional_settlement is not None for track in scenario.track)
    lines = (*KEPT_LINES, "gross_savings_rate", *([PROVISIONAL_LINE] if provisional else ()))
    of_lines = {
        f"{line}.{statistic}": _statistic(line, statistic)
        for line in lines
        for statistic in STATISTICS
    }
    return _plain_figures() | of_lines


def _plain_figures() -> dict[str, Figure]:
    """Those that need no line in front."""
    return {
        **{f"guarantee_{100 * p:g}": _guarantee("covering_amount", p) for p in LEVELS},
        **{f"tvar_{100 * p:g}": _guarantee("mean_owed_beyond", p) for p in LEVELS},
        **{name: _guarantee(name) for name in _OF_ANY},
        **{name: replace(_guarantee(name), of_required=True) for name in _OF_REQUIRED},
        **{statistic: _statistic("cash_due", statistic) for statistic in STATISTICS},
    }


def _guarantee(variable: str, *level: float) -> Figure:
    """A variable of the guarantee, at a level where it has levels."""

    def estimate(track: TrackOutcome) -> Estimate:
        found = guarantee_figures(track.draws, track.required_guarantee, level)[variable]
        return Estimate(*found.ravel().tolist())

    return Figure(VARIABLES[variable].units, _SECURED, estimate)


def _statistic(line: str, statistic: str) -> Figure:
    def estimate(track: TrackOutcome) -> Estimate:
        return statistics(outcome(track.draws, line))[STATISTICS.index(statistic)]

    rate = line == "gross_savings_rate"
    lines = ("gross_savings", "final_benchmark") if rate else (line,)
    return Figure(VARIABLES[line].units, lines, estimate)


# --- what is asked for ------------------------------------------------------------------------


@dataclass(frozen=True)
class Watched:
    """A figure of a track, and how far its limits may lie from it.

    Attributes
    ----------
    track, figure : str
    bound : float
    units : str
        Of the figure and its bound.
    """

    track: str
    figure: str
    bound: float
    units: str

    @property
    def name(self) -> str:
        """As it is asked for and shown: ``TRACK.FIGURE``."""
        return f"{self.track}.{self.figure}"

    def holds(self, estimate: Estimate) -> bool:
        """Whether both limits lie within the bound; a figure without limits never does."""
        value, low, high, _ = estimate
        return value - low <= self.bound and high - value <= self.bound


@dataclass(frozen=True)
class Until:
    """How long a run is to go on.

    Attributes
    ----------
    watched : tuple of Watched
    first : int
        Draws of the first batch.
    limit : int
        Draws that are never exceeded.
    """

    watched: tuple[Watched, ...]
    first: int
    limit: int

    def looks(self) -> Iterator[int]:
        """Numbers of draws at which the figures are looked at."""
        draws = self.first
        while draws < self.limit:
            yield draws
            draws *= 2
        yield self.limit


_SHAPE = re.compile(r"\s*(?P<name>.+?)\s*(?:±|\+/-|\+-)\s*(?P<bound>.*?)\s*")
_EVERY = ("", "*", "track", "track.*")


def ask(
    bounds: Iterable[str],
    loaded: LoadedScenario,
    *,
    draws: int | None = None,
    max_draws: int | None = None,
) -> Until:
    """Understand which figures are to be known how well.

    Parameters
    ----------
    bounds : iterable of str
        Each ``TRACK.FIGURE ± AMOUNT``: the name of a track, ``*`` or nothing for every track; one
        of `figures`; how far its 95% limits may lie from it, in its unit. Of two bounds on one
        figure the tighter counts.
    loaded : LoadedScenario
    draws : int, optional
        Of the first batch, instead of the scenario's own.
    max_draws : int, optional
        Instead of `LIMIT`, or of the first batch where that is larger.

    Raises
    ------
    InputError
        For an unknown track or figure, a bound that is not above 0 and finite, several performance
        years, or a first batch beyond the limit.
    """
    if loaded.scenario.years is not None:
        raise InputError(
            "figures are watched in one performance year; leave the table [years] out for it",
            file=loaded.path,
        )
    if draws is not None and max_draws is not None and draws > max_draws:
        raise InputError(
            f"a first batch of {draws:,} draws is beyond the limit of {max_draws:,}; ask for fewer "
            "with --draws, or for more with --max-draws"
        )
    tightest: dict[str, Watched] = {}
    for text in bounds:
        for each in _watched(text, loaded):
            before = tightest.setdefault(each.name, each)
            tightest[each.name] = min(before, each, key=lambda one: one.bound)
    first = loaded.scenario.run.draws if draws is None else draws
    limit = max(LIMIT, first) if max_draws is None else max_draws
    return Until(tuple(tightest.values()), min(first, limit), limit)


def _watched(text: str, loaded: LoadedScenario) -> list[Watched]:
    found = _SHAPE.fullmatch(text)
    if found is None:
        raise _refusal(
            "must read TRACK.FIGURE ± AMOUNT, such as 'global.guarantee_99 ± 50000'; +- stands "
            "for ±",
            text,
        )
    bound = _positive(found["bound"], text)
    tracks, name = place(found["name"], loaded.scenario)
    figure = figures(loaded.scenario)[name]
    if figure.of_required:
        tracks = _with_required(tracks, loaded, text)
    return [Watched(track, name, bound, figure.units) for track in tracks]


def _positive(written: str, text: str) -> float:
    try:
        bound = float(written)
    except ValueError:
        bound = math.nan
    if not 0.0 < bound < math.inf:
        raise _refusal(
            "the amount must be a finite number above 0 in the unit of the figure, such as 50000 "
            "for dollars or 0.01 for a probability",
            text,
        )
    return bound


def place(name: str, scenario: Scenario) -> tuple[list[str], str]:
    """The tracks and the figure that a name means; names of tracks may hold dots.

    Raises
    ------
    InputError
        For an unknown track or figure, with the nearest.
    """
    known, tracks = figures(scenario), [track.name for track in scenario.track]
    figure = max((f for f in known if f".{name}".endswith(f".{f}")), key=len, default="")
    if not figure:
        raise _no_figure(name, known, tracks)
    track = name.removesuffix(figure).removesuffix(".")
    alone = track if track in tracks else track.removeprefix("track.")
    if alone in tracks:
        return [alone], figure
    if track in _EVERY:
        return tracks, figure
    if any(alone.startswith(f"{each}.") for each in tracks):
        raise _no_figure(name, known, tracks)
    raise _refusal(
        f"there is no track '{alone}'; there are {', '.join(tracks)}, and * stands for all",
        name,
        nearest(alone, tracks),
    )


def _no_figure(name: str, known: Iterable[str], tracks: Sequence[str]) -> InputError:
    before = next((f"{track}." for track in tracks if f"{track}." in name), "*.")
    written = name.rpartition(before)[2]
    return _refusal(
        f"there is no figure '{written}'; there are {', '.join(_plain_figures())}, and such as "
        "shared_savings.mean for other lines than cash_due",
        name,
        nearest(written, known) or nearest(written.rpartition(".")[2], known),
    )


def _with_required(tracks: list[str], loaded: LoadedScenario, text: str) -> list[str]:
    """Those of the tracks whose rules require a guarantee."""
    contracts = prepare(loaded.scenario, loaded.base_dir).contracts
    required = {each.track.name for each in contracts if each.required_guarantee is not None}
    kept = [track for track in tracks if track in required]
    if not kept:
        raise _refusal(
            f"the rules require no guarantee on {', '.join(tracks)}, so there is none to exceed",
            text,
        )
    return kept


def _refusal(message: str, given: str, suggestion: str = "") -> InputError:
    return InputError(Problem(message, path="until", given=given, suggestion=suggestion))
