"""Performance years simulated one after another with the parts of the single-year engine.

The first year is that of the same scenario without its table [years], to the bit. A later year has
a key of its own, made of the seed and the year, so that its people's luck and its drivers are
independent of other years' and adding a year moves none. Two things are carried from year to year:

* the entity effect, as z' = r z + sqrt(1 - r^2) e on its normal score z, where e is drawn afresh,
  so that scores of years k apart have the correlation r^k and every year the same law;
* where the scenario says so, the luck of part of the people: a share q of them, spread by a hash of
  their place and the year, keep the random numbers of the year before, so that what chance does to
  the whole has the correlation q.

A pandemic-like shock is followed by its recovery, and who has left early takes no further part.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simdc.drivers import ResolvedDrivers
from simdc.drivers.laws import Constant
from simdc.drivers.resolved import normal_scores
from simdc.engine import (
    SegmentPlan,
    cost_factors,
    distinct_designs,
    draw_costs,
    settle_tracks,
    simulate,
)
from simdc.executors import Executor, Threads
from simdc.kernels.philox import stream_of, uniforms
from simdc.outcome import Assumption, Simulation, TrackOutcome
from simdc.population import Population, SegmentArrays
from simdc.prepare import Prepared, prepare
from simdc.priors import percent
from simdc.scenario.models import Scenario, StopLoss, Years
from simdc.scenario.rolling import (
    cost_growth,
    entity_effect_correlation,
    of_year,
    performance_years,
    year_length,
)
from simdc.severity_table import QuantileTable, quantile_table
from simdc.sums import CostDraws

__all__ = ["YearOutcome", "YearsOutcome", "grown", "prepare_years", "simulate_years", "year_key"]

Array = NDArray[np.float64]

_STAYING = 3  # tag of streams that say whose luck is kept
_FULL_YEAR = 12.0


@dataclass(frozen=True, eq=False)
class YearOutcome:
    """One performance year, settled on every draw.

    Attributes
    ----------
    year : int
    tracks : tuple of TrackOutcome
        In the order of the scenario.
    provisional : tuple of bool
        Whether each of them is settled provisionally.
    drivers : mapping of str to array of shape (draw,)
        The value of every driver.
    expected_cost : float
        Part A and B cost expected of everyone, US dollars.
    """

    year: int
    tracks: tuple[TrackOutcome, ...]
    provisional: tuple[bool, ...]
    drivers: Mapping[str, Array]
    expected_cost: float


@dataclass(frozen=True, eq=False)
class YearsOutcome:
    """All performance years of a scenario.

    Attributes
    ----------
    first : Simulation
        The first year as a simulation of its own, with what is assumed in any year.
    years : tuple of YearOutcome
        In order, the first year too.
    """

    first: Simulation
    years: tuple[YearOutcome, ...]


def simulate_years(
    scenario: Scenario,
    *,
    base_dir: Path,
    draws: int | None = None,
    seed: int | None = None,
    first_draw: int = 0,
    executor: Executor | None = None,
    block_size: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> YearsOutcome:
    """Settle every track of a scenario in every performance year.

    Parameters
    ----------
    scenario : Scenario
        With a table [years].
    base_dir, draws, seed, first_draw, executor, block_size
        As for `simdc.engine.simulate`.
    progress : callable, optional
        Told the number of draws simulated so far, anew in each pass.

    Returns
    -------
    YearsOutcome

    Raises
    ------
    InputError
        When a file that the scenario names cannot be used, or no default exists for a driver.
    """
    asked = scenario.years
    assert asked is not None
    executor = Threads.all() if executor is None else executor
    prepared = prepare_years(scenario, base_dir)
    opening, *later = prepared
    first = simulate(
        of_year(scenario, opening),
        base_dir=base_dir,
        draws=draws,
        seed=seed,
        first_draw=first_draw,
        executor=executor,
        block_size=block_size,
        progress=progress,
        prepared=prepared[opening],
    )
    drivers = prepared[opening].drivers
    carried = _Carried(scenario, drivers, first)
    luck = _Luck(prepared[opening].population, opening, _kept_luck(asked))
    outcomes = [_outcome(opening, first.tracks, prepared[opening], first.drivers)]
    for year in later:
        values = carried.draw(year)
        luck.renew(year)
        contracts = prepared[year].contracts
        designs = distinct_designs(contracts)
        factor = cost_factors(drivers, values, prepared[year].population.segments)
        costs = _added(
            draw_costs(
                plans,
                designs,
                factor,
                seed=year_key(first.seed, opening, origin),
                first_draw=first.first_draw,
                draws=first.draws,
                executor=executor,
                block_size=block_size,
                progress=progress,
            )
            for origin, plans in luck.plans(prepared[year].population, designs)
        )
        settled = settle_tracks(contracts, costs, drivers, values)
        taking_part = _without_those_gone(settled, outcomes)
        outcomes.append(_outcome(year, taking_part, prepared[year], values))
    assumptions = (*_told(scenario, asked, drivers), *_assumed(prepared))
    return YearsOutcome(replace(first, assumptions=assumptions), tuple(outcomes))


def year_key(seed: int, first: int, year: int) -> int:
    """Key of the random numbers of one year, 64 bits; that of the first year is the seed itself."""
    if year == first:
        return seed
    text = f"{seed} {year}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


# --- before the first draw --------------------------------------------------------------------


def prepare_years(scenario: Scenario, base_dir: Path) -> dict[int, Prepared]:
    """Every year with all that is known before the first one: people, drivers and contracts.

    Raises
    ------
    InputError
        When a file that the scenario names cannot be used, or no default exists for a driver.
    """
    opening, *later = performance_years(scenario)
    alone = of_year(scenario, opening)
    prepared = {opening: prepare(alone, base_dir)}
    people, drivers = prepared[opening].population, prepared[opening].drivers
    growth, length = 1.0, year_length(alone)
    for year in later:
        assert scenario.years is not None
        alone = of_year(scenario, year)
        growth *= 1.0 + cost_growth(scenario.years, year)
        prepared[year] = prepare(
            alone,
            base_dir,
            population=grown(people, growth, year_length(alone) / length),
            drivers=drivers,
        )
    return prepared


def grown(people: Population, growth: float, longer: float = 1.0) -> Population:
    """The same people in a later year.

    Parameters
    ----------
    people : Population
    growth : float
        Of expected cost per month, as a factor.
    longer : float
        Length of the year over that of the first, which may have been short.
    """
    return Population(
        tuple(
            replace(
                segment,
                expected_cost=segment.expected_cost * (growth * longer),
                months=np.minimum(segment.months * longer, _FULL_YEAR),
            )
            for segment in people.segments
        )
    )


def _kept_luck(asked: Years) -> float:
    """Share of people who are there again with the luck of the year before."""
    return asked.cost_persistence * (1.0 - asked.alignment_turnover)


def _outcome(
    year: int, tracks: tuple[TrackOutcome, ...], prepared: Prepared, values: Mapping[str, Array]
) -> YearOutcome:
    return YearOutcome(
        year=year,
        tracks=tracks,
        provisional=tuple(contract.settles_provisionally for contract in prepared.contracts),
        drivers=values,
        expected_cost=sum(s.total_expected_cost for s in prepared.population.segments),
    )


# --- what is carried over ---------------------------------------------------------------------


class _Carried:
    """The drivers of one year after another."""

    def __init__(self, scenario: Scenario, drivers: ResolvedDrivers, first: Simulation) -> None:
        self._drivers = drivers
        self._address = first.first_draw, first.draws
        self._seed, self._first = first.seed, scenario.entity.performance_year
        law = drivers.laws.get("entity_effect", Constant(0.0))
        self._score: Array | None = None
        if not isinstance(law, Constant):
            self._score = drivers.score("entity_effect", first.seed, *self._address)
            self._correlation = entity_effect_correlation(scenario)[0]
        shock = scenario.drivers.pandemic
        self._shock = shock is not None and shock.distribution in ("default", "shock")
        self._before = first.drivers

    def draw(self, year: int) -> Mapping[str, Array]:
        """Values of every driver in the next year."""
        key, carried = year_key(self._seed, self._first, year), {}
        if self._score is not None:
            fresh = normal_scores("entity_effect", key, *self._address)
            r = self._correlation
            self._score = r * self._score + math.sqrt(1.0 - r * r) * fresh
            carried = {"entity_effect": self._score}
        values = self._drivers.draw(key, *self._address, carried)
        if self._shock:
            law = self._drivers.laws["pandemic"].rule()[0]
            values["pandemic"] = _after_shock(law, self._before["pandemic"], values["pandemic"])
        self._before = values
        return values


def _after_shock(law: Array, before: Array, drawn: Array) -> Array:
    """A pandemic's deviation in a year: recovery after a shock, else a shock or nothing.

    Parameters
    ----------
    law : array
        What the deviation can be: the shock, what is left of it in the year after, and 0.
    before, drawn : array of shape (draw,)
        The year before, and as drawn without regard to it.
    """
    by_size = law[np.argsort(-np.abs(law), kind="stable")]
    shock = by_size[0]
    after = by_size[1] if by_size.size > 1 else 0.0
    struck = np.where(drawn == shock, shock, 0.0)
    return np.where((before == shock) & (shock != 0.0), after, struck)


class _Luck:
    """Which year's random numbers each person has."""

    def __init__(self, people: Population, first: int, kept: float) -> None:
        self._kept = kept
        self._origin = {s.name: np.full(s.beneficiaries, first) for s in people.segments}
        self._tables: dict[str, QuantileTable] = {
            s.name: quantile_table(s.severity) for s in people.segments
        }

    def renew(self, year: int) -> None:
        """Go on to the next year, in which all but a share of the people draw anew."""
        for name, origin in self._origin.items():
            if self._kept == 0.0:
                self._origin[name] = np.full_like(origin, year)
                continue
            place = uniforms(year, 0, origin.size, stream_of(_STAYING, name))
            self._origin[name] = np.where(place < self._kept, origin, year)

    def plans(
        self, people: Population, designs: tuple[StopLoss, ...]
    ) -> Iterator[tuple[int, tuple[SegmentPlan, ...]]]:
        """One pass for each year that luck comes from: everyone else costs nothing in it."""
        for year in sorted({int(y) for origin in self._origin.values() for y in set(origin)}):
            yield (
                year,
                tuple(
                    SegmentPlan.of(self._part(segment, year), designs, self._tables[segment.name])
                    for segment in people.segments
                ),
            )

    def _part(self, segment: SegmentArrays, year: int) -> SegmentArrays:
        chosen = self._origin[segment.name] == year
        if chosen.all():
            return segment
        return replace(segment, expected_cost=np.where(chosen, segment.expected_cost, 0.0))


def _added(passes: Iterator[CostDraws]) -> CostDraws:
    total = next(passes)
    for costs in passes:
        total = CostDraws(total.cost + costs.cost, total.payout + costs.payout, total.designs)
    return total


def _without_those_gone(
    tracks: tuple[TrackOutcome, ...], before: Sequence[YearOutcome]
) -> tuple[TrackOutcome, ...]:
    """A year with nothing in the draws in which the entity has left in a year before."""
    exits = [year.drivers["early_exit"] for year in before if "early_exit" in year.drivers]
    if not exits:
        return tracks
    taking_part = sum(exits) == 0.0
    return tuple(
        replace(track, draws={line: each * taking_part for line, each in track.draws.items()})
        for track in tracks
    )


# --- what is assumed --------------------------------------------------------------------------


def _assumed(prepared: Mapping[int, Prepared]) -> Iterator[Assumption]:
    """What every year assumes; of later years what the first does not, with the year."""
    opening, *later = prepared
    told = dict.fromkeys(prepared[opening].assumptions)
    yield from told
    for year in later:
        # What is expected to be saved is compared with what was published before the first year.
        for assumption in replace(prepared[year], savings=None).assumptions:
            if assumption not in told:
                told[assumption] = None
                subject = assumption.subject
                named = str(year) in subject
                yield replace(assumption, subject=subject if named else f"{year}: {subject}")


def _told(scenario: Scenario, asked: Years, drivers: ResolvedDrivers) -> Iterator[Assumption]:
    """What no source settles about years that follow each other."""
    first, last = performance_years(scenario)[0], asked.through
    yield Assumption(
        "later years",
        f"all of {first} to {last} is seen from before {first}: default drivers rest on evidence "
        "from before it in every year",
    )
    yield Assumption(
        "later benchmarks",
        "what is drawn in one year moves neither benchmark nor expected cost of the next: each "
        "year's prospective trend is taken to have caught up, and history is not rebased",
    )
    targets = [scenario.benchmark, *(t.benchmark for t in scenario.track if t.benchmark)]
    if any(row.reference_score for target in targets for row in target.risk):
        yield Assumption(
            "later reference scores",
            "as the reference year of the cap rolls, its score moves evenly, in logarithms, from "
            "the one given to that of the year the benchmark is given for, and no further",
        )
    if asked.benchmark_growth is None and not asked.benchmark:
        yield Assumption("benchmark growth", "none: later benchmarks are as the first", "scenario")
    if asked.expected_cost_growth is None:
        yield Assumption("expected cost", "grows as the benchmark does", "scenario")
    yield Assumption(
        "amounts in dollars",
        "attachment points, charges, prepayments and a guarantee given in dollars stay as they are "
        "unless a table [track.from_year] changes them",
    )
    if "entity_effect" in drivers.laws:
        correlation, basis, source = entity_effect_correlation(scenario)
        yield Assumption(
            "entity effect from year to year",
            f"normal scores of successive years have a correlation of {correlation:g}, {basis}",
            source,
        )
    yield Assumption(
        "other drivers from year to year",
        "drawn anew each year, independent of the year before"
        + (
            "; a shock is followed by its recovery, and in a year after none strikes with its "
            "probability"
            if "pandemic" in drivers.laws
            else ""
        )
        + (
            "; who has left early takes no further part, which every track counts as nothing"
            if "early_exit" in drivers.laws
            else ""
        ),
    )
    kept = _kept_luck(asked)
    turnover = f"{percent(asked.alignment_turnover)} of people are replaced each year"
    yield Assumption(
        "people's luck from year to year",
        f"{turnover}; those who come are like those who leave, and {percent(kept)} of the people "
        "are there again with the luck of the year before"
        if kept
        else f"{turnover}, and everyone's costs are drawn anew around what is expected of them: no "
        "source states how far a person's deviation lasts (cost_persistence, 0)",
        "scenario" if kept else "assumption",
    )
