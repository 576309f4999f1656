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
from simdc.drivers import ResolvedDrivers
from simdc.execute import available_threads, blocks, run_blocks
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
    "BLOCK",
    "KEPT_LINES",
    "PROVISIONAL_LINE",
    "SegmentPlan",
    "cost_factors",
    "distinct_designs",
    "draw_costs",
    "settle_track",
    "settle_tracks",
    "simulate",
]

Array = NDArray[np.float64]

BLOCK = 8 * LANES  # draws per block of work: a fraction of a second
_SETTLED_AT_ONCE = 1 << 16  # draws per settlement, so that intermediate lines stay small
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


def draw_costs(
    plans: tuple[SegmentPlan, ...],
    designs: tuple[StopLoss, ...],
    factor: Mapping[str, Array],
    *,
    seed: int,
    first_draw: int,
    draws: int,
    threads: int,
    block_size: int = BLOCK,
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
    threads, block_size : int
        How the work is spread; no bit depends on either.
    progress : callable, optional
        Told the number of draws done.
    """
    cost = np.zeros((len(plans), draws))
    paid = np.zeros((len(designs), draws))
    key = key_words(seed)

    def block(start: int, stop: int) -> None:
        for row, plan in enumerate(plans):
            excess = np.empty((len(plan.points), stop - start))
            segment_sums(
                cost[row, start:stop],
                excess,
                np.uint64(first_draw + start),
                np.uint64(plan.stream),
                *key,
                plan.scale,
                plan.attachment,
                factor[plan.segment.category][start:stop],
                plan.table.body,
                plan.table.tail,
            )
            for index, design in enumerate(designs):
                paid[index, start:stop] += payout(design, plan.segment, plan.points, excess)

    run_blocks(block, draws, block_size=block_size, threads=threads, progress=progress)
    return CostDraws(cost, paid, designs)


def _draw_drivers(
    drivers: ResolvedDrivers, seed: int, first_draw: int, draws: int, threads: int
) -> dict[str, Array]:
    """Values of every driver in every draw, as `ResolvedDrivers.draw` gives them."""
    values = {name: np.empty(draws) for name in drivers.names}

    def block(start: int, stop: int) -> None:
        for name, drawn in drivers.draw(seed, first_draw + start, stop - start).items():
            values[name][start:stop] = drawn

    run_blocks(block, draws, block_size=_DRAWN_AT_ONCE, threads=threads)
    return values


def cost_factors(
    drivers: ResolvedDrivers, values: Mapping[str, Array], segments: Iterable[SegmentArrays]
) -> dict[str, Array]:
    """Systemic cost factor of each category of the segments, shape (draw,)."""
    categories = {segment.category for segment in segments}
    return {category: drivers.cost_factor(values, category) for category in categories}


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
    provisional = any(contract.settles_provisionally for contract in contracts)
    lines = (*KEPT_LINES, PROVISIONAL_LINE) if provisional else KEPT_LINES
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
    threads: int | None = None,
    block_size: int = BLOCK,
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
    threads : int, optional
        All available processors by default. No bit of the result depends on it, nor on
        `block_size`.
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
    threads = available_threads() if threads is None else threads
    clock = _Clock()

    with clock.phase("prepare"):
        prepared = prepare(scenario, base_dir) if prepared is None else prepared
        drivers, segments = prepared.drivers, prepared.population.segments
        designs = distinct_designs(prepared.contracts)
        plans = tuple(SegmentPlan.of(segment, designs) for segment in segments)
    with clock.phase("compile"):
        warm_up()
    with clock.phase("drivers"):
        values = _draw_drivers(drivers, seed, first_draw, draws, threads)
        factor = cost_factors(drivers, values, segments)
    with clock.phase("kernel"):
        costs = draw_costs(
            plans,
            designs,
            factor,
            seed=seed,
            first_draw=first_draw,
            draws=draws,
            threads=threads,
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
