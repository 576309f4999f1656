"""Points worked out: one pass of the kernel for all that share their cost draws.

Whatever two points share is worked out once: people, drivers, a contract, a pass, a settled track.
"""

from __future__ import annotations

import functools
import itertools
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from simdc import interrupts
from simdc.contracts import Contract
from simdc.drivers import ResolvedDrivers
from simdc.engine import cost_factors, distinct_designs, draw_drivers, settle_track
from simdc.executors import Executor
from simdc.figures import guarantee_figures, statistic_figures, summary_figures
from simdc.guarantee import LEVELS
from simdc.kernels.ready import warm_up
from simdc.scenario.models import Scenario
from simdc.severity import Severity
from simdc.severity_table import QuantileTable, quantile_table
from simdc.sums import payout_key
from simdc.sweep.parts import Part, Preparations
from simdc.sweep.passes import CostPass

__all__ = ["LINES_BYTES", "SETTLED_BYTES", "Evaluator", "PointFigures"]

Array: TypeAlias = NDArray[np.float64]
PointFigures: TypeAlias = dict[str, Array]

SETTLED_BYTES = 64 * 2**20
"""What the draws of remembered tracks may take, where draws are kept."""

LINES_BYTES = 16 * 2**20
"""What the draws of lines whose figures are remembered may take."""

_TABLES = 64
_SETTLED = 64  # tracks whose figures are remembered, for points that move another track


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Drivers with their values in every draw."""

    drivers: ResolvedDrivers
    values: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class _Pass:
    """A pass of the kernel with the tracks that were settled on it lately."""

    costs: CostPass
    settled: Callable[[Contract, _Drawn], PointFigures]


class Evaluator:
    """Works out the figures of points, remembering what the next one may share.

    Parameters
    ----------
    prepared : Preparations
    executor : Executor
        Where blocks of draws run.
    lines : tuple of str
        Settlement lines that are kept of every track.
    levels : sequence of float, optional
        Probabilities with which a guarantee is to cover the total owed; rising.
    keep_draws : bool, optional
        Whether these lines are wanted for every draw too.
    progress : callable, optional
        Told the number of draws done, anew in each pass of the kernel.
    """

    def __init__(
        self,
        prepared: Preparations,
        executor: Executor,
        lines: tuple[str, ...],
        *,
        levels: Sequence[float] = LEVELS,
        keep_draws: bool = False,
        progress: Callable[[int], None] = lambda done: None,
    ) -> None:
        self._executor = executor
        self._levels = tuple(levels)
        self._keep_draws = keep_draws
        self._progress = progress
        self._prepared = prepared
        self._lines = lines
        self._tables = functools.lru_cache(_TABLES)(_table)
        self._drawn = functools.lru_cache(2)(self._draw_drivers)
        self._passes = functools.lru_cache(1)(self._open_pass)
        self._known_lines = _KnownLines()

    def figures(self, scenarios: Iterable[Scenario]) -> list[PointFigures]:
        """Figures of some points.

        Points that share their cost draws are taken together, and so are those among them that
        share their stop-loss designs.

        Parameters
        ----------
        scenarios : iterable of Scenario

        Returns
        -------
        list of dict of str to array
            Of each point, ``summary/LINE`` of shape (track, statistic, figure),
            ``guarantee/NAME`` of shape (track, ...), and ``draws/LINE`` of shape (track, draw)
            where draws are kept.
        """
        points = list(scenarios)
        alike: dict[bytes, list[int]] = {}
        for place, scenario in enumerate(points):
            alike.setdefault(self._prepared.cost_key(scenario), []).append(place)
        found: dict[int, PointFigures] = {}
        for key, places in alike.items():
            on = self._passes(Part(key, points[places[0]]))
            contracts = {place: self._prepared.contracts(points[place]) for place in places}
            for batch in _batches(contracts, on.costs.room):
                designs = itertools.chain.from_iterable(contracts[place] for place in batch)
                on.costs.hold(distinct_designs(designs))
                for place in batch:
                    interrupts.check()
                    found[place] = self._point(points[place], contracts[place], on)
        return [found[place] for place in range(len(points))]

    def _point(
        self, scenario: Scenario, contracts: tuple[Contract, ...], on: _Pass
    ) -> PointFigures:
        drawn = self._drawn(self._shocks(scenario))
        tracks = [on.settled(contract, drawn) for contract in contracts]
        return {name: np.array([track[name] for track in tracks]) for name in tracks[0]}

    def _settle(self, costs: CostPass, contract: Contract, drawn: _Drawn) -> PointFigures:
        """Figures of one track."""
        sums = costs.sums(contract.designs)
        draws = settle_track(contract, sums, drawn.drivers, drawn.values, self._lines)
        sized = guarantee_figures(draws, contract.required_guarantee, self._levels)
        return {
            **{f"summary/{line}": value for line, value in self._summary(draws).items()},
            **{f"guarantee/{name}": value for name, value in sized.items()},
            **({f"draws/{line}": row for line, row in draws.items()} if self._keep_draws else {}),
        }

    def _summary(self, draws: Mapping[str, Array]) -> dict[str, Array]:
        return summary_figures(draws, self._known_lines.figures)

    def _shocks(self, scenario: Scenario) -> Part[Scenario]:
        return Part(self._prepared.shock_key(scenario), scenario)

    def _draw_drivers(self, part: Part[Scenario]) -> _Drawn:
        scenario = part.model
        drivers = self._prepared.drivers(scenario)
        values = draw_drivers(
            drivers,
            seed=scenario.run.seed,
            first_draw=0,
            draws=scenario.run.draws,
            threads=self._executor.threads,
        )
        return _Drawn(drivers, values)

    def _open_pass(self, part: Part[Scenario]) -> _Pass:
        scenario = part.model
        warm_up()
        population = self._prepared.population(scenario)
        drawn = self._drawn(self._shocks(scenario))
        costs = CostPass(
            population,
            [self._tables(_same(segment.severity)) for segment in population.segments],
            cost_factors(drawn.drivers, drawn.values, population.segments),
            seed=scenario.run.seed,
            draws=scenario.run.draws,
            executor=self._executor,
            progress=self._progress,
        )
        kept = self._keep_draws * len(self._lines) * 8 * scenario.run.draws
        remembered = max(1, min(_SETTLED, SETTLED_BYTES // max(kept, 1)))
        settle = functools.partial(self._settle, costs)
        return _Pass(costs, functools.lru_cache(remembered)(settle))


class _KnownLines:
    """Figures of the lines that were estimated last.

    Points share many a line, such as the cost of care, and so do the tracks of a point.
    """

    def __init__(self) -> None:
        self._known: dict[object, tuple[Array, Array]] = {}

    def figures(self, line: Array) -> Array:
        """What `simdc.figures.statistic_figures` makes of a line; not to be changed."""
        likely = (line.size, line[0], line[line.size // 2], line[-1])
        before = self._known.pop(likely, None)
        if before is None or not _same_bits(before[0], line):
            before = line, statistic_figures(line)
        self._known[likely] = before
        while len(self._known) * line.nbytes > LINES_BYTES:
            del self._known[next(iter(self._known))]
        return before[1]


def _same_bits(one: Array, other: Array) -> bool:
    return np.array_equal(one.view(np.int64), other.view(np.int64))


def _batches(contracts: Mapping[int, tuple[Contract, ...]], room: int) -> Iterator[list[int]]:
    """Places whose designs fit into a pass together, those with the same designs side by side."""
    numbers: dict[tuple[object, ...], int] = {}
    designs = {
        place: sorted(
            {numbers.setdefault(payout_key(d), len(numbers)) for d in distinct_designs(written)}
        )
        for place, written in contracts.items()
    }
    batch: list[int] = []
    held: set[int] = set()
    for place in sorted(designs, key=designs.__getitem__):
        if batch and len(held.union(designs[place])) > room:
            yield batch
            batch, held = [], set()
        batch.append(place)
        held.update(designs[place])
    yield batch


def _same(severity: Severity) -> Part[Severity]:
    """A severity known by what it holds, so that people who share a law share its table."""
    return Part(pickle.dumps(severity), severity)


def _table(part: Part[Severity]) -> QuantileTable:
    return quantile_table(part.model)
