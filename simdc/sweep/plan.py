"""What a sweep will do, found out before it starts: passes, units, time, memory, disk."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simdc.engine import KEPT_LINES, PROVISIONAL_LINE, SECONDS_PER_BENEFICIARY_DRAW
from simdc.errors import InputError
from simdc.figures import FIGURES, STATISTICS
from simdc.guarantee import STEPS
from simdc.scenario.models import Scenario
from simdc.sums import payout_key
from simdc.sweep.evaluate import LINES_BYTES, SETTLED_BYTES
from simdc.sweep.parts import Preparations, digest
from simdc.sweep.passes import DESIGNS_AT_ONCE, PAYOUT_BYTES
from simdc.sweep.points import Variation

__all__ = ["Plan", "SweepForecast", "forecast_sweep", "plan_sweep"]

_MOST_POINTS = 256  # of a unit
_UNIT_SECONDS = 4.0  # what a kill may cost
_UNIT_BYTES = 32 * 2**20  # figures of a unit, held a few times over while they are written

# Measured with whole commands on one core with AVX-512, by the differences between 10 and 1,000
# points, 1,000 and 100,000 draws, 12,000 and 177,000 people, one pass and five.
_SECONDS_PER_SETTLED_DRAW = 1.2e-7  # of a track, with its estimates
_SECONDS_PER_TRACK = 1.1e-3  # planning, settling, estimating and writing, however few draws
_SECONDS_PER_PASS = 0.1  # people, contracts with neutral charges, tables
_START_SECONDS = 1.8
_START_BYTES = 312 * 2**20  # interpreter, numba with the kernels, scipy, xarray, zarr
_BYTES_PER_POINT = 500  # planned
_BYTES_PER_REMEMBERED_POINT = 15_000  # with its scenario and its contracts
_REMEMBERED_POINTS = 2_048
_BYTES_PER_BENEFICIARY = 250  # twice over, with the attachment points of a pass
_CHUNK_BYTES = 4096  # the least a file takes


@dataclass(frozen=True, eq=False)
class Plan:
    """How the points of a sweep are worked out.

    Attributes
    ----------
    pass_of, designs_of : array of int, in the shape of the points
        Which points share their cost draws, and which of them their stop-loss designs.
    unit : tuple of int
        Points along each swept dimension that are worked out and stored together.
    passes : int
        Passes of the kernel, each with as many designs as one takes.
    beneficiary_draws : int
        Beneficiaries times draws, of all passes together.
    settlements : int
        Tracks to settle: those that no other point of the same pass shares.
    settled_draws : int
        Draws of all of them together.
    tracks, beneficiaries, draws : int
        The most that a point has.
    provisional : bool
        Whether any track of any point is settled provisionally.
    """

    pass_of: NDArray[np.int64]
    designs_of: NDArray[np.int64]
    unit: tuple[int, ...]
    passes: int
    beneficiary_draws: int
    settlements: int
    settled_draws: int
    tracks: int
    beneficiaries: int
    draws: int
    provisional: bool

    @property
    def lines(self) -> tuple[str, ...]:
        """Settlement lines kept of every point."""
        return (*KEPT_LINES, PROVISIONAL_LINE) if self.provisional else KEPT_LINES


def plan_sweep(
    variation: Variation,
    shape: tuple[int, ...],
    prepared: Preparations,
    *,
    levels: int,
    keep_draws: bool,
    told: Callable[[int], None] = lambda done: None,
) -> Plan:
    """Look at every point before any is run.

    Parameters
    ----------
    variation : Variation
    shape : tuple of int
        Of its points.
    prepared : Preparations
        Where people, drivers and contracts are made, to find out what only they can refuse.
    levels : int
        Number of levels of the guarantee.
    keep_draws : bool
    told : callable, optional
        Told the number of points looked at.

    Raises
    ------
    InputError
        For points with mistakes, and for the first whose people cannot be read, whose drivers
        cannot be resolved or whose contracts cannot be written; and where draws are to be kept
        that points have different numbers of.
    """
    survey = _Survey(prepared)
    for index, scenario in variation.scenarios():
        try:
            survey.add(scenario)
        except InputError as error:
            raise variation.refusal(index, error) from None
        told(index + 1)
    return survey.plan(shape, levels=levels, keep_draws=keep_draws)


@dataclass
class _Pass:
    """Points that share their cost draws."""

    number: int
    beneficiaries: int
    draws: int
    designs: set[bytes] = field(default_factory=set)

    @property
    def runs(self) -> int:
        """How often the kernel draws these costs, each time for some of the designs."""
        return max(1, math.ceil(len(self.designs) / DESIGNS_AT_ONCE))


class _Survey:
    """What is found out while points are looked at, one by one."""

    def __init__(self, prepared: Preparations) -> None:
        self._prepared = prepared
        self._passes: dict[bytes, _Pass] = {}
        self._designs: dict[bytes, frozenset[bytes]] = {}  # of contracts, by what they rest on
        self._same: dict[frozenset[bytes], frozenset[bytes]] = {}  # each set held once
        self._sets: dict[frozenset[bytes], int] = {}
        self._settled: set[bytes] = set()
        self._settled_draws = 0
        self._pass_of: list[int] = []
        self._designs_of: list[int] = []
        self._tracks = 0
        self._provisional = False

    def add(self, scenario: Scenario) -> None:
        """Look at the next point."""
        prepared, draws = self._prepared, scenario.run.draws
        people = sum(each.beneficiaries for each in prepared.population(scenario).segments)
        costs, shocks = prepared.cost_key(scenario), prepared.shock_key(scenario)
        on = self._passes.setdefault(costs, _Pass(len(self._passes), people, draws))
        designs: frozenset[bytes] = frozenset()
        for place, key in enumerate(prepared.contract_keys(scenario)):
            designs |= self._drafted(scenario, place, key)
            settlement = digest(costs + shocks + key)
            if settlement not in self._settled:
                self._settled.add(settlement)
                self._settled_draws += draws
        on.designs |= designs
        self._pass_of.append(on.number)
        self._designs_of.append(self._sets.setdefault(designs, len(self._sets)))
        self._tracks = max(self._tracks, len(scenario.track))

    def _drafted(self, scenario: Scenario, place: int, key: bytes) -> frozenset[bytes]:
        """The stop-loss designs of a contract, which is written unless it was before."""
        if key not in self._designs:
            contract = self._prepared.draft(scenario, place)
            designs = frozenset(digest(repr(payout_key(d))) for d in contract.designs)
            self._designs[key] = self._same.setdefault(designs, designs)
            self._provisional |= contract.settles_provisionally
        return self._designs[key]

    def plan(self, shape: tuple[int, ...], *, levels: int, keep_draws: bool) -> Plan:
        """The plan once every point was looked at."""
        pass_of = np.array(self._pass_of).reshape(shape)
        passes = tuple(self._passes.values())
        if keep_draws and len({each.draws for each in passes}) > 1:
            raise InputError(
                "points that differ in their number of draws cannot keep them; leave out "
                "--keep-draws, or vary something else than run.draws"
            )
        draws = max(each.draws for each in passes)
        beneficiaries = max(each.beneficiaries for each in passes)
        size = _point_bytes(self._tracks, draws, self._provisional, levels, keep_draws)
        unit = _unit(
            pass_of,
            most=max(1, min(_MOST_POINTS, _UNIT_BYTES // size)),
            of_point=self._tracks * (_SECONDS_PER_TRACK + draws * _SECONDS_PER_SETTLED_DRAW),
            of_pass=_SECONDS_PER_PASS + beneficiaries * draws * SECONDS_PER_BENEFICIARY_DRAW,
        )
        return Plan(
            pass_of=pass_of,
            designs_of=np.array(self._designs_of).reshape(shape),
            unit=unit,
            passes=sum(each.runs for each in passes),
            beneficiary_draws=sum(each.runs * each.beneficiaries * each.draws for each in passes),
            settlements=len(self._settled),
            settled_draws=self._settled_draws,
            tracks=self._tracks,
            beneficiaries=beneficiaries,
            draws=draws,
            provisional=self._provisional,
        )


def _unit(
    pass_of: NDArray[np.int64], *, most: int, of_point: float, of_pass: float
) -> tuple[int, ...]:
    """Points of a unit along each dimension, so that few passes are repeated and little is lost.

    It rests on the sweep alone, not on the machine: what is stored is cut by it.

    Parameters
    ----------
    pass_of : array of int
    most : int
        Points of a unit.
    of_point, of_pass : float
        Seconds, the first pass not counted: it is there before the first point is.
    """
    unit = [1] * pass_of.ndim
    axes = [*reversed(range(pass_of.ndim))]
    # First along the dimensions that change no cost draws.
    axes.sort(key=lambda axis: bool((pass_of != pass_of.take([0], axis=axis)).any()))
    for axis in axes:
        while unit[axis] < pass_of.shape[axis]:
            longer = [*unit]
            longer[axis] = min(2 * unit[axis], pass_of.shape[axis])
            points = math.prod(longer)
            further = np.unique(pass_of[tuple(map(slice, longer))]).size - 1
            if points > most or points * of_point + further * of_pass > _UNIT_SECONDS:
                return tuple(unit)
            unit = longer
    return tuple(unit)


# --- what it takes ----------------------------------------------------------------------------


@dataclass(frozen=True)
class SweepForecast:
    """What a sweep will take.

    Attributes
    ----------
    points, passes, settlements, workers : int
    beneficiaries, draws, tracks : int
        The most that a point has.
    seconds : float
        Wall time on a machine like the one the kernel was measured on.
    memory_bytes, disk_bytes : int
        Peak memory of the process, and size of the store.
    """

    points: int
    passes: int
    settlements: int
    beneficiaries: int
    draws: int
    tracks: int
    workers: int
    seconds: float
    memory_bytes: int
    disk_bytes: int


def forecast_sweep(
    plan: Plan, *, segments: int, levels: int, keep_draws: bool, workers: int
) -> SweepForecast:
    """Estimate time, memory and disk of a sweep without doing any of it.

    Parameters
    ----------
    plan : Plan
    segments, levels : int
        Segments of the population, and levels of the guarantee.
    keep_draws : bool
    workers : int
    """
    points, lines, row = plan.pass_of.size, len(plan.lines), 8 * plan.draws
    of_point = _point_bytes(plan.tracks, plan.draws, plan.provisional, levels, keep_draws)
    units = math.prod(
        math.ceil(size / step) for size, step in zip(plan.pass_of.shape, plan.unit, strict=True)
    )
    files = lines + 1 + 10 + plan.provisional + keep_draws * lines + 2
    kept = keep_draws * min(SETTLED_BYTES, plan.settlements * lines * row)
    return SweepForecast(
        points=points,
        passes=plan.passes,
        settlements=plan.settlements,
        beneficiaries=plan.beneficiaries,
        draws=plan.draws,
        tracks=plan.tracks,
        workers=workers,
        seconds=_START_SECONDS
        + plan.passes * _SECONDS_PER_PASS
        + plan.beneficiary_draws * SECONDS_PER_BENEFICIARY_DRAW / workers
        + plan.settlements * _SECONDS_PER_TRACK
        + plan.settled_draws * _SECONDS_PER_SETTLED_DRAW,
        memory_bytes=_START_BYTES
        + points * _BYTES_PER_POINT
        + min(points, _REMEMBERED_POINTS) * _BYTES_PER_REMEMBERED_POINT
        + plan.beneficiaries * _BYTES_PER_BENEFICIARY
        + (segments + 20 + 3 * lines) * row
        + min(PAYOUT_BYTES, plan.settlements * row)
        + min(LINES_BYTES, plan.settlements * lines * row)
        + kept
        + 3 * math.prod(plan.unit) * of_point,
        disk_bytes=points * of_point + units * files * _CHUNK_BYTES // 2,
    )


def _point_bytes(tracks: int, draws: int, provisional: bool, levels: int, keep_draws: bool) -> int:
    """What the figures of a point take, in memory as on disk."""
    lines = len(KEPT_LINES) + provisional
    summary = (lines + 1) * len(STATISTICS) * len(FIGURES)
    guarantee = (7 + (2 + provisional * len(STEPS)) * levels) * len(FIGURES)
    return 8 * tracks * (summary + guarantee + keep_draws * lines * draws)
