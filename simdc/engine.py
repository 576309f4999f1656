"""The simulation: people and drivers to sums per draw, and those to every track's settlement.

One pass of the kernel serves all tracks: it leaves each segment's cost and each stop-loss
design's payout per draw, and every track is then settled on those same draws.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simdc.contracts import Contract
from simdc.drivers import NATIONAL_DRIVERS, ResolvedDrivers
from simdc.drivers.resolved import normal_scores
from simdc.executors import Executor, Threads, blocks
from simdc.kernels.philox import key_words, stream_of
from simdc.kernels.ready import warm_up
from simdc.kernels.strip import BATCH, LANES, segment_sums
from simdc.outcome import Simulation, TrackOutcome
from simdc.population import SegmentArrays
from simdc.prepare import Prepared, prepare
from simdc.scenario.models import Scenario, StopLoss
from simdc.settlement.statement import Statement
from simdc.settlement.steps import Amount
from simdc.severity_table import QuantileTable, quantile_table
from simdc.stop_loss import AttachmentPoint, attachment_points, payout
from simdc.sums import CostDraws, payout_key

__all__ = [
    "KEPT_LINES",
    "PROVISIONAL_LINE",
    "SECONDS_PER_BENEFICIARY_DRAW",
    "SegmentPlan",
    "cost_factors",
    "distinct_designs",
    "draw_costs",
    "draw_drivers",
    "kept_lines",
    "settle_track",
    "settle_tracks",
    "simulate",
]

Array = NDArray[np.float64]

SECONDS_PER_BENEFICIARY_DRAW = 0.9e-9  # one core with AVX-512, two stop-loss designs
"""Measured (docs/performance.md); what time a run takes is worked out from it."""

_BLOCKS_PER_WORKER = 4  # so that workers end at about the same time
_MOST_STRIPS = 512  # sums of a block stay in a cache
_SETTLED_AT_ONCE = 1 << 15  # draws per settlement, so that intermediate lines stay small
_DRAWN_AT_ONCE = 1 << 13  # draws of the drivers per block of work

_SEVERITY = 1  # tag of severity streams

KEPT_LINES = (
    "final_benchmark",
    "settlement_benchmark",
    "net_cost_of_care",
    "gross_savings",
    "shared_savings",
    "shared_after_sequestration",
    "cash_due",
)
"""Statement lines kept for every draw."""

PROVISIONAL_LINE = "provisional_settlement"
"""Kept too where any contract is settled provisionally: what changes hands then."""


@dataclass(frozen=True)
class SegmentPlan:
    """One segment as the kernel takes it.

    Attributes
    ----------
    segment : SegmentArrays
    stream : int
        Address of its severities.
    points : tuple of AttachmentPoint
        Columns of `attachment`.
    scale : float32 array of shape (person,)
        Expected cost, padded with zeros.
    attachment : float64 array of shape (person, attachment)
        US dollars.
    table : QuantileTable
    """

    segment: SegmentArrays
    stream: int
    points: tuple[AttachmentPoint, ...]
    scale: NDArray[np.float32]
    attachment: Array
    table: QuantileTable

    @classmethod
    def of(
        cls,
        segment: SegmentArrays,
        designs: tuple[StopLoss, ...],
        table: QuantileTable | None = None,
    ) -> SegmentPlan:
        """Lay a segment out for the kernel, with the attachment points of all designs.

        The table of the segment's severity may be given, where many segments share one.
        """
        points = attachment_points(designs, segment)
        people = segment.beneficiaries
        padded = -(-people // BATCH) * BATCH
        scale = np.zeros(padded, dtype=np.float32)
        scale[:people] = segment.expected_cost
        attachment = np.full((padded, len(points)), np.inf)
        for column, point in enumerate(points):
            attachment[:people, column] = point.per_person(segment)
        return cls(
            segment,
            stream_of(_SEVERITY, segment.name),
            points,
            scale,
            attachment,
            quantile_table(segment.severity) if table is None else table,
        )


@dataclass
class _Clock:
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def distinct_designs(contracts: Iterable[Contract]) -> tuple[StopLoss, ...]:
    """Designs that the kernel has to know, each once however many contracts share it."""
    seen: dict[tuple[object, ...], StopLoss] = {}
    for contract in contracts:
        for design in contract.designs:
            seen.setdefault(payout_key(design), design)
    return tuple(seen.values())


@dataclass(frozen=True)
class _Work:
    """What all blocks of a pass need."""

    plans: tuple[SegmentPlan, ...]
    designs: tuple[StopLoss, ...]
    key: tuple[np.uint64, np.uint64]


@dataclass(frozen=True)
class _Block:
    """Consecutive draws with the cost factor of each category, arrays of shape (draw,)."""

    first_draw: int
    draws: int
    factor: Mapping[str, Array]


def _block_sums(work: _Work, block: _Block) -> tuple[Array, Array]:
    """Cost by segment and payout by design in a block of draws."""
    cost = np.zeros((len(work.plans), block.draws))
    paid = np.zeros((len(work.designs), block.draws))
    for row, plan in enumerate(work.plans):
        excess = np.empty((len(plan.points), block.draws))
        segment_sums(
            cost[row],
            excess,
            np.uint64(block.first_draw),
            np.uint64(plan.stream),
            *work.key,
            plan.scale,
            plan.attachment,
            block.factor[plan.segment.category],
            plan.table.body,
            plan.table.tail,
        )
        for index, design in enumerate(work.designs):
            paid[index] += payout(design, plan.segment, plan.points, excess)
    return cost, paid


def draw_costs(
    plans: tuple[SegmentPlan, ...],
    designs: tuple[StopLoss, ...],
    factor: Mapping[str, Array],
    *,
    seed: int,
    first_draw: int,
    draws: int,
    executor: Executor,
    block_size: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> CostDraws:
    """One pass of the kernel over all segments and draws.

    Parameters
    ----------
    plans : tuple of SegmentPlan
    designs : tuple of StopLoss
    factor : mapping of category to array of shape (draw,)
        Systemic cost factor, above 0.
    seed, first_draw, draws : int
        Addresses of the draws.
    executor : Executor
        Where blocks of draws run; no bit depends on it, nor on `block_size`.
    block_size : int, optional
        Draws per block, instead of as many as suit the executor.
    progress : callable, optional
        Told the number of draws done.
    """
    cost = np.empty((len(plans), draws))
    paid = np.empty((len(designs), draws))
    size = _block_size(plans, draws, executor) if block_size is None else block_size
    parts = [slice(start, stop) for start, stop in blocks(draws, size)]
    jobs = (
        _Block(
            first_draw + part.start,
            part.stop - part.start,
            {category: values[part] for category, values in factor.items()},
        )
        for part in parts
    )
    done = 0
    work = _Work(plans, designs, key_words(seed))
    for index, (block_cost, block_paid) in executor.run(_block_sums, work, jobs):
        part = parts[index]
        cost[:, part], paid[:, part] = block_cost, block_paid
        done += part.stop - part.start
        progress(done)
    return CostDraws(cost, paid, designs)


def _block_size(plans: tuple[SegmentPlan, ...], draws: int, executor: Executor) -> int:
    """Draws per block: what takes an executor's job about its time, spread over all workers."""
    people = sum(plan.segment.beneficiaries for plan in plans)
    in_time = executor.job_seconds / (SECONDS_PER_BENEFICIARY_DRAW * max(people, 1))
    each = min(in_time, draws / (_BLOCKS_PER_WORKER * executor.workers))
    return LANES * max(1, min(round(each / LANES), _MOST_STRIPS))


@dataclass(frozen=True)
class _Seeds:
    """Keys of the drivers: an entity's own, and the one that all entities of a nation share."""

    drivers: ResolvedDrivers
    own: int
    national: int | None

    def values(self, address: tuple[int, int]) -> dict[str, Array]:
        """Values of every driver in the draws from a first one on."""
        if self.national is None:
            return self.drivers.draw(self.own, *address)
        shared = {
            name: normal_scores(name, self.national, *address)
            for name in NATIONAL_DRIVERS
            if name in self.drivers.uncertain
        }
        return self.drivers.draw(self.own, *address, shared)


def draw_drivers(
    drivers: ResolvedDrivers,
    *,
    seed: int,
    first_draw: int,
    draws: int,
    threads: Threads,
    national_seed: int | None = None,
) -> dict[str, Array]:
    """Values of every driver in every draw, as `ResolvedDrivers.draw` gives them.

    Parameters
    ----------
    drivers : ResolvedDrivers
    seed, first_draw, draws : int
        Addresses of the draws.
    threads : Threads
    national_seed : int, optional
        Key of the drivers that act on the whole nation, where entities share them.
    """
    values = {name: np.empty(draws) for name in drivers.names}
    parts = list(blocks(draws, _DRAWN_AT_ONCE))
    addresses = ((first_draw + start, stop - start) for start, stop in parts)
    for index, drawn in threads.run(_Seeds.values, _Seeds(drivers, seed, national_seed), addresses):
        for name, part in drawn.items():
            values[name][slice(*parts[index])] = part
    return values


def cost_factors(
    drivers: ResolvedDrivers, values: Mapping[str, Array], segments: Iterable[SegmentArrays]
) -> dict[str, Array]:
    """Systemic cost factor of each category of the segments, shape (draw,)."""
    categories = {segment.category for segment in segments}
    return {category: drivers.cost_factor(values, category) for category in categories}


def kept_lines(contracts: Iterable[Contract]) -> tuple[str, ...]:
    """Lines that are kept of each of these contracts."""
    provisional = any(contract.settles_provisionally for contract in contracts)
    return (*KEPT_LINES, PROVISIONAL_LINE) if provisional else KEPT_LINES


def settle_track(
    contract: Contract,
    costs: CostDraws,
    drivers: ResolvedDrivers,
    values: Mapping[str, Array],
    lines: Sequence[str] = KEPT_LINES,
) -> dict[str, Array]:
    """Lines of one track's statement in every draw, each of shape (draw,)."""
    draws = costs.cost.shape[1]
    kept = {line: np.empty(draws) for line in lines}
    for start, stop in blocks(draws, _SETTLED_AT_ONCE):
        part = slice(start, stop)
        here = {name: value[part] for name, value in values.items()}
        statement = contract.settle(costs.part(part), drivers, here)
        for line in lines:
            kept[line][part] = _amount(statement, line)
    return kept


def settle_tracks(
    contracts: Sequence[Contract],
    costs: CostDraws,
    drivers: ResolvedDrivers,
    values: Mapping[str, Array],
) -> tuple[TrackOutcome, ...]:
    """Every track settled on the same draws, with the lines that are kept of each."""
    lines = kept_lines(contracts)
    return tuple(
        TrackOutcome(
            name=contract.track.name,
            program=contract.track.program,
            option=contract.track.option,
            rules=contract.rules,
            draws=settle_track(contract, costs, drivers, values, lines),
            fixed=contract.fixed,
            required_guarantee=contract.required_guarantee,
            guarantee_basis=contract.guarantee_basis,
        )
        for contract in contracts
    )


def _amount(statement: Statement, line: str) -> Amount:
    if line == PROVISIONAL_LINE:
        return statement.reduction("provisional_settlement_netted")
    # Programs that adjust nothing after the final benchmark have one line for both.
    return statement[line if line in statement else "settlement_benchmark"]


def simulate(
    scenario: Scenario,
    *,
    base_dir: Path,
    draws: int | None = None,
    seed: int | None = None,
    first_draw: int = 0,
    executor: Executor | None = None,
    block_size: int | None = None,
    national_seed: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
    prepared: Prepared | None = None,
) -> Simulation:
    """Settle every track of a scenario on the same draws.

    Parameters
    ----------
    scenario : Scenario
    base_dir : Path
        Folder that file names in the scenario are relative to.
    draws, seed : int, optional
        Instead of the scenario's own.
    first_draw : int, optional
        Address of the first draw: runs over consecutive ranges join into one.
    executor : Executor, optional
        Threads on all available processors by default. No bit of the result depends on it, nor on
        `block_size`.
    national_seed : int, optional
        Key of the drivers that act on the whole nation, where entities share them.
    progress : callable, optional
        Told the number of draws simulated so far.
    prepared : Prepared, optional
        What `prepare` makes of the scenario, where it is at hand.

    Returns
    -------
    Simulation

    Raises
    ------
    InputError
        When a file that the scenario names cannot be used, or no default exists for a driver.
    """
    draws = scenario.run.draws if draws is None else draws
    seed = scenario.run.seed if seed is None else seed
    executor = Threads.all() if executor is None else executor
    clock = _Clock()

    with clock.phase("prepare"):
        prepared = prepare(scenario, base_dir) if prepared is None else prepared
        drivers, segments = prepared.drivers, prepared.population.segments
        designs = distinct_designs(prepared.contracts)
        plans = tuple(SegmentPlan.of(segment, designs) for segment in segments)
    with clock.phase("compile"):
        warm_up()
    with clock.phase("drivers"):
        values = draw_drivers(
            drivers,
            seed=seed,
            first_draw=first_draw,
            draws=draws,
            threads=executor.threads,
            national_seed=national_seed,
        )
        factor = cost_factors(drivers, values, segments)
    with clock.phase("kernel"):
        costs = draw_costs(
            plans,
            designs,
            factor,
            seed=seed,
            first_draw=first_draw,
            draws=draws,
            executor=executor,
            block_size=block_size,
            progress=progress,
        )
    with clock.phase("settle"):
        tracks = settle_tracks(prepared.contracts, costs, drivers, values)
    return Simulation(
        first_draw=first_draw,
        draws=draws,
        seed=seed,
        tracks=tracks,
        segments=tuple(segment.name for segment in segments),
        cost=costs.cost,
        drivers=values,
        segment_table=_segment_table(segments),
        assumptions=prepared.assumptions,
        durations=clock.seconds,
    )


def _segment_table(segments: Sequence[SegmentArrays]) -> dict[str, tuple[object, ...]]:
    return {
        "category": tuple(s.category for s in segments),
        "alignment": tuple(s.alignment for s in segments),
        "beneficiaries": tuple(s.beneficiaries for s in segments),
        "months": tuple(s.total_months for s in segments),
        "expected_cost": tuple(s.total_expected_cost for s in segments),
    }
