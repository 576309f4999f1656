"""Savings rates of many entities, simulated so that a draw is one state of the nation.

The national trend of a draw is the same for every entity, as it was in truth; everything else is
each entity's own. So the draws also say how far entities that share a trend may miss together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simdc.backtest.published import Entity
from simdc.backtest.ready import NATIONAL_DRIVER, scenario_of
from simdc.drivers import ResolvedDrivers
from simdc.drivers.laws import Law
from simdc.engine import SegmentPlan, draw_costs
from simdc.errors import InputError
from simdc.executors import Executor, Threads
from simdc.kernels.ready import warm_up
from simdc.outcome import Assumption
from simdc.population import SegmentArrays
from simdc.prepare import prepare
from simdc.scenario.models import StopLoss
from simdc.severity_table import QuantileTable, quantile_table

__all__ = ["Forecasts", "forecast"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Simulated savings rates, and what they rest on.

    Attributes
    ----------
    entities : tuple of Entity
        Those for which a scenario could be built.
    rates : float64 array of shape (entity, draw)
        Gross savings over the final benchmark.
    refused : mapping of str to str
        Entities without a scenario, and why.
    laws : mapping of (entity type, option) to mapping of str to Law
        Drivers of the first such entity; those of the others differ by a rounding of their people.
    assumptions : mapping of (entity type, option) to tuple of Assumption
        What those drivers rest on.
    """

    entities: tuple[Entity, ...]
    rates: Array
    refused: dict[str, str]
    laws: dict[tuple[str, str], Mapping[str, Law]]
    assumptions: dict[tuple[str, str], tuple[Assumption, ...]]


def forecast(
    entities: Sequence[Entity],
    program: str,
    *,
    draws: int,
    seed: int,
    executor: Executor | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Forecasts:
    """Simulate every entity's savings rate from before its year.

    Parameters
    ----------
    entities : sequence of Entity
    program : {'gpdc', 'reach'}
    draws : int
        Draws of each entity.
    seed : int
        The national trend is drawn from it; each entity's own luck from a seed made of it and the
        entity's identifier, so that neither the order nor the company of rows matters.
    executor : Executor, optional
        All available processors by default; no bit of the result depends on it.
    progress : callable, optional
        Told the number of entities done.

    Raises
    ------
    InputError
        If no entity's figures make a scenario.
    """
    executor = Threads.all() if executor is None else executor
    warm_up()
    simulated: list[Entity] = []
    rates: list[Array] = []
    refused: dict[str, str] = {}
    first: dict[tuple[str, str], ResolvedDrivers] = {}
    tables: dict[object, QuantileTable] = {}
    for done, entity in enumerate(entities, start=1):
        try:
            rate, drivers = _simulate(entity, program, draws, seed, executor, tables)
        except InputError as error:
            refused[entity.id] = str(error.problems[0])
        else:
            simulated.append(entity)
            rates.append(rate)
            first.setdefault((entity.entity_type, entity.option), drivers)
        progress(done)
    if not simulated:
        raise InputError(f"no entity's figures make a scenario: {next(iter(refused.values()), '')}")
    return Forecasts(
        entities=tuple(simulated),
        rates=np.array(rates),
        refused=refused,
        laws={kind: drivers.laws for kind, drivers in first.items()},
        assumptions={kind: drivers.assumptions for kind, drivers in first.items()},
    )


def _simulate(
    entity: Entity,
    program: str,
    draws: int,
    seed: int,
    executor: Executor,
    tables: dict[object, QuantileTable],
) -> tuple[Array, ResolvedDrivers]:
    """One entity's savings rates, shape (draw,), and its drivers."""
    prepared = prepare(scenario_of(entity, program), Path())
    drivers, (contract,) = prepared.drivers, prepared.contracts
    own_seed = _seed_of(seed, entity.id)
    values = drivers.draw(own_seed, 0, draws)
    values[NATIONAL_DRIVER] = drivers.draw(seed, 0, draws)[NATIONAL_DRIVER]
    segments = prepared.population.segments
    costs = draw_costs(
        tuple(_plan(segment, contract.designs, tables) for segment in segments),
        contract.designs,
        {s.category: drivers.cost_factor(values, s.category) for s in segments},
        seed=own_seed,
        first_draw=0,
        draws=draws,
        executor=executor,
    )
    statement = contract.settle(costs, drivers, values)
    rate = np.asarray(statement["gross_savings"]) / statement["final_benchmark"]
    return rate, drivers


def _seed_of(seed: int, identifier: str) -> int:
    """The seed of an entity's own luck."""
    return int.from_bytes(hashlib.sha256(f"{seed} {identifier}".encode()).digest()[:8], "big")


def _plan(
    segment: SegmentArrays, designs: tuple[StopLoss, ...], tables: dict[object, QuantileTable]
) -> SegmentPlan:
    """A segment for the kernel; entities with the same severity share its table."""
    severity = segment.severity
    key = (severity.family, *severity.parameters.items(), severity.zero_probability)
    if key not in tables:
        tables[key] = quantile_table(severity)
    return SegmentPlan.of(segment, designs, tables[key])
