"""What each source of uncertainty is worth: every driver that is on, and people's own luck.

Two questions are answered on the draws of the run itself.

*How much of the variance does a source explain?* That is Var E[Y | X] / Var Y, the first-order
share. Draws are grouped by the value of X, a straight line is fitted within each group, and what
is left around the lines is compared with the whole, with the degrees of freedom that the lines
have used up taken into account. No other draw is needed, no law and no shape of the relation is
assumed, and it holds for correlated drivers too, whose shares then overlap. Shares of independent
sources add up to one but for what only their combination explains.

*What would change if it were certain?* The same draws are settled again with the source held at
its mean, everybody else's luck being the same, which takes a pass of the kernel for each driver of
cost. A driver of cost is held where its cost factor has its mean. To hold people's luck at its
mean, people cost what is expected of them given the drivers, and stop-loss pays its expected
payout. The contract is written beforehand and stays as it is, neutral charges included.

Neither people nor all drivers together are a single number. For the first question draws are
grouped by how the track would settle on that source's luck alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from simdc.drivers import COST_DRIVERS, ResolvedDrivers
from simdc.engine import SegmentPlan, cost_factors, distinct_designs, draw_costs, settle_track
from simdc.estimate import Estimate, mean, probability, quantile, standard_deviation
from simdc.executors import Executor, Threads
from simdc.guarantee import attempt
from simdc.outcome import Simulation
from simdc.population import SegmentArrays
from simdc.prepare import Prepared, prepare
from simdc.scenario.models import Scenario, StopLoss
from simdc.shares import change_of_quantile, explained_share, mean_in_worst, removed_share
from simdc.stop_loss import expected_payout
from simdc.sums import CostDraws

__all__ = [
    "ALL_DRIVERS",
    "LEVEL",
    "LINES",
    "PEOPLE",
    "Attribution",
    "SourceFigures",
    "attribute",
]

Array: TypeAlias = NDArray[np.float64]
Settled: TypeAlias = Mapping[str, Mapping[str, Array]]  # by track, by line

LINES = ("shared_after_sequestration", "cash_due")
"""Settlement lines whose variance is attributed."""
LEVEL = 0.99
"""Of the covering amount; the worst draws are the share beyond it."""
ALL_DRIVERS = "all drivers"
PEOPLE = "people"

_SETTLED = (*LINES, "gross_savings")
_NODES = 33  # cost factors at which expected payouts are worked out


# --- attribution ------------------------------------------------------------------------------


@dataclass(frozen=True)
class SourceFigures:
    """What one source of uncertainty is worth on one track.

    Amounts are US dollars, positive paid to the entity, but those owed are positive. What the draws
    cannot support is `simdc.estimate.UNSUPPORTED`.

    Attributes
    ----------
    variance_share : mapping of line to Estimate
        First-order share of the variance of each of `LINES`.
    variance_removed : mapping of line to Estimate
        Share of the variance that goes when the source is held at its mean.
    driver_mean_in_worst : Estimate
        Mean of its value in the 1% of draws in which cash due is lowest.
    covering_change : Estimate
        Change of the amount that covers the total owed in 99% of draws, when it is held.
    what_if_mean, what_if_standard_deviation : mapping of line to Estimate
        Of the settlement with the source held at its mean.
    what_if_probability_owing : Estimate
        Likewise, of owing anything at settlement.
    what_if_covering_amount : Estimate
        Likewise, amount that covers the total owed in 99% of draws.
    """

    variance_share: Mapping[str, Estimate]
    variance_removed: Mapping[str, Estimate]
    driver_mean_in_worst: Estimate
    covering_change: Estimate
    what_if_mean: Mapping[str, Estimate]
    what_if_standard_deviation: Mapping[str, Estimate]
    what_if_probability_owing: Estimate
    what_if_covering_amount: Estimate


@dataclass(frozen=True)
class Attribution:
    """What every source of uncertainty is worth on every track.

    Attributes
    ----------
    sources : tuple of str
        Drivers that are not the same in every draw, then `ALL_DRIVERS`, then `PEOPLE`.
    lines : tuple of str
        Settlement lines whose variance is attributed.
    means : mapping of source to Estimate
        Mean of its value over all draws: the driver's own; for all drivers together the factor
        that they put on expected cost; for people cost over what the drivers let expect.
    tracks : mapping of track to mapping of source to SourceFigures
    """

    sources: tuple[str, ...]
    lines: tuple[str, ...]
    means: Mapping[str, Estimate]
    tracks: Mapping[str, Mapping[str, SourceFigures]]


def attribute(
    simulation: Simulation,
    scenario: Scenario,
    *,
    base_dir: Path,
    executor: Executor | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Attribution:
    """Attribute the uncertainty of a simulation to its sources.

    Parameters
    ----------
    simulation : Simulation
        The run itself.
    scenario : Scenario
        What was run.
    base_dir : Path
        Folder that file names in the scenario are relative to.
    executor : Executor, optional
        Threads on all available processors by default; no bit depends on it.
    progress : callable, optional
        Told the number of draws done, anew in each pass of the kernel.
    """
    prepared = prepare(scenario, base_dir)
    executor = Threads.all() if executor is None else executor
    rerun = _Rerun(simulation, prepared, executor, progress)

    drivers = prepared.drivers.uncertain
    expected = rerun.expected_costs()
    given_drivers = expected.total_cost
    beforehand = sum(s.total_expected_cost for s in prepared.population.segments)
    values = {
        **{name: simulation.drivers[name] for name in drivers},
        ALL_DRIVERS: given_drivers / beforehand,
        PEOPLE: simulation.cost.sum(axis=0) / given_drivers,
    }

    on_drivers_alone = rerun.with_expected(expected)
    on_people_alone = rerun.with_fixed(drivers)
    held = {ALL_DRIVERS: on_people_alone, PEOPLE: on_drivers_alone}
    alone = {ALL_DRIVERS: on_drivers_alone, PEOPLE: on_people_alone}

    tracks: dict[str, dict[str, SourceFigures]] = {track.name: {} for track in simulation.tracks}
    for source, value in values.items():
        settled = held[source] if source in held else rerun.with_fixed([source])
        for track in simulation.tracks:
            by = {
                line: _luck(alone[source][track.name], line) if source in alone else value
                for line in LINES
            }
            tracks[track.name][source] = _figures(track.draws, settled[track.name], value, by)
    return Attribution(
        sources=tuple(values),
        lines=LINES,
        means={source: attempt(mean, value) for source, value in values.items()},
        tracks=tracks,
    )


def _luck(settled: Mapping[str, Array], line: str) -> Array:
    """How a track fares on one source's luck alone, as one number that leaves nothing out.

    Gross savings, which corridors do not flatten, with what the line adds to shared savings.
    """
    return settled["gross_savings"] + (settled[line] - settled[LINES[0]])


def _figures(
    draws: Mapping[str, Array], held: Mapping[str, Array], value: Array, by: Mapping[str, Array]
) -> SourceFigures:
    """Figures of one source on one track.

    Parameters
    ----------
    draws, held : mapping of line to array of shape (draw,)
        As settled, and as settled with the source at its mean.
    value : array of shape (draw,)
        Of the source.
    by : mapping of line to array of shape (draw,)
        What the draws are grouped by.
    """
    owed, owed_when_held = (np.maximum(-settled["cash_due"], 0.0) for settled in (draws, held))
    return SourceFigures(
        variance_share={line: attempt(explained_share, draws[line], by[line]) for line in LINES},
        variance_removed={line: attempt(removed_share, draws[line], held[line]) for line in LINES},
        driver_mean_in_worst=attempt(mean_in_worst, value, draws["cash_due"], 1.0 - LEVEL),
        covering_change=attempt(change_of_quantile, owed, owed_when_held, LEVEL),
        what_if_mean={line: attempt(mean, held[line]) for line in LINES},
        what_if_standard_deviation={
            line: attempt(standard_deviation, held[line]) for line in LINES
        },
        what_if_probability_owing=attempt(
            probability, int(np.count_nonzero(owed_when_held)), owed_when_held.size
        ),
        what_if_covering_amount=attempt(quantile, owed_when_held, LEVEL),
    )


# --- settling the same draws again ------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Rerun:
    """A simulation ready to be settled again with some of its sources held at their mean."""

    simulation: Simulation
    prepared: Prepared
    executor: Executor
    progress: Callable[[int], None]

    def with_fixed(self, names: Collection[str]) -> Settled:
        """Every track on the same draws with these drivers at their mean."""
        drivers = self.prepared.drivers.fixed_at_mean(names)
        values = {
            name: np.full_like(value, drivers.laws[name].mean) if name in names else value
            for name, value in self.simulation.drivers.items()
        }
        moved = any(name in COST_DRIVERS for name in names)
        costs = self._draw_costs(drivers, values) if moved else self._costs
        return self._settle(costs, drivers, values)

    def with_expected(self, expected: CostDraws) -> Settled:
        """Every track with people costing what the drivers of each draw let expect of them."""
        return self._settle(expected, self.prepared.drivers, self.simulation.drivers)

    def expected_costs(self) -> CostDraws:
        """Expected cost and payouts given the drivers of each draw."""
        segments, designs = self._segments, self._designs
        factor = cost_factors(self.prepared.drivers, self.simulation.drivers, segments)
        cost = np.stack([s.total_expected_cost * factor[s.category] for s in segments])
        paid = np.zeros((len(designs), self.simulation.draws))
        for row, design in enumerate(designs):
            for segment in segments:
                paid[row] += _expected_payouts(design, segment, factor[segment.category])
        return CostDraws(cost, paid, designs)

    @property
    def _segments(self) -> tuple[SegmentArrays, ...]:
        return self.prepared.population.segments

    @functools.cached_property
    def _designs(self) -> tuple[StopLoss, ...]:
        return distinct_designs(self.prepared.contracts)

    @functools.cached_property
    def _plans(self) -> tuple[SegmentPlan, ...]:
        return tuple(SegmentPlan.of(segment, self._designs) for segment in self._segments)

    @functools.cached_property
    def _costs(self) -> CostDraws:
        """Those of the run itself, payouts included."""
        return self._draw_costs(self.prepared.drivers, self.simulation.drivers)

    def _draw_costs(self, drivers: ResolvedDrivers, values: Mapping[str, Array]) -> CostDraws:
        return draw_costs(
            self._plans,
            self._designs,
            cost_factors(drivers, values, self._segments),
            seed=self.simulation.seed,
            first_draw=self.simulation.first_draw,
            draws=self.simulation.draws,
            executor=self.executor,
            progress=self.progress,
        )

    def _settle(
        self, costs: CostDraws, drivers: ResolvedDrivers, values: Mapping[str, Array]
    ) -> Settled:
        return {
            contract.track.name: settle_track(contract, costs, drivers, values, _SETTLED)
            for contract in self.prepared.contracts
        }


def _expected_payouts(design: StopLoss, segment: SegmentArrays, factor: Array) -> Array:
    """Expected payout of a design for one segment given the cost factor of each draw.

    Worked out at a few factors and interpolated by a cubic spline in their logarithm: the payout
    is smooth in it, to far below any error of the draws.
    """
    log_factor = np.log(factor)
    low, high = float(log_factor.min()), float(log_factor.max())
    nodes = np.linspace(low, high, _NODES) if low < high else np.array([low])
    certain = np.ones(1)
    payouts = [expected_payout(design, segment, np.exp([node]), certain) for node in nodes]
    if low == high:
        return np.full_like(factor, payouts[0])
    interpolated: Array = CubicSpline(nodes, payouts)(log_factor)
    return interpolated
