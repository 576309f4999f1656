"""A sweep from its points to its store: planned, run unit by unit, gone on with after a stop."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simdc.errors import InputError
from simdc.estimate import CONFIDENCE, draws_needed
from simdc.executors import Executor, Threads
from simdc.guarantee import LEVELS
from simdc.kernels.philox import DRAW_SCHEME
from simdc.provenance import origin
from simdc.result import assumption_columns, labelled, rule_columns
from simdc.scenario.models import Scenario
from simdc.sweep.evaluate import Evaluator, PointFigures
from simdc.sweep.fill import StoreProgress, Worked, fill
from simdc.sweep.identity import sweep_identity
from simdc.sweep.parts import Preparations
from simdc.sweep.plan import Plan, SweepForecast, forecast_sweep, plan_sweep
from simdc.sweep.points import Variation, design_of
from simdc.sweep.read import read_sweep
from simdc.sweep.store import SweepStore
from simdc.sweep.template import point_template
from simdc.variables import SIGN_CONVENTION

if TYPE_CHECKING:
    import xarray as xr

    from simdc.scenario import LoadedScenario
    from simdc.sweep.design import Design
    from simdc.sweep.layout import Unit

__all__ = ["Sweep", "run_sweep"]


class Sweep:
    """A sweep with every point checked, ready to run.

    Parameters
    ----------
    loaded : LoadedScenario
    design : Design
    levels : sequence of float, optional
        Probabilities with which a guarantee is to cover the total owed.
    keep_draws : bool, optional
        Whether to keep the settlement lines of every draw of every point.
    told : callable, optional
        Told the number of points checked.

    Raises
    ------
    InputError
        Naming the points that have mistakes.
    """

    def __init__(
        self,
        loaded: LoadedScenario,
        design: Design,
        *,
        levels: Sequence[float] = LEVELS,
        keep_draws: bool = False,
        told: Callable[[int], None] = lambda done: None,
    ) -> None:
        if loaded.scenario.years is not None:
            raise InputError(
                "a sweep is of one performance year; leave the table [years] out for it",
                file=loaded.path,
            )
        self.loaded, self.design = loaded, design
        self._levels, self._keep_draws = tuple(sorted(set(levels))), keep_draws
        for level in self._levels:
            draws_needed(level)  # refuses what is no level
        self._variation = Variation(loaded, design)
        self._prepared = Preparations(loaded.base_dir)
        self.plan: Plan = plan_sweep(
            self._variation,
            design.shape,
            self._prepared,
            levels=len(self._levels),
            keep_draws=keep_draws,
            told=told,
        )

    def forecast(self, workers: int) -> SweepForecast:
        """Time, memory and disk that it will take."""
        return forecast_sweep(
            self.plan,
            segments=len(self._first.population.segment),
            levels=len(self._levels),
            keep_draws=self._keep_draws,
            workers=workers,
        )

    def run(
        self,
        target: Path,
        executor: Executor,
        *,
        resume: bool = False,
        progress: Callable[[StoreProgress], None] = lambda so_far: None,
    ) -> None:
        """Work out every point and write it to a store, unit by unit.

        Parameters
        ----------
        target : Path
            Folder of the store.
        executor : Executor
            Threads share out the draws of one point after another; a cluster's workers take whole
            units. No bit depends on it.
        resume : bool, optional
            Go on with the store that is there.
        progress : callable, optional
            Told how far it is, at first and after each unit.

        Raises
        ------
        InputError
            When the store cannot be made, or is not of this sweep.
        SimdcError
            When the disk is full, or a cluster is gone; what is finished is safe.
        """
        store = (
            SweepStore.resume(target, self._identity())
            if resume
            else SweepStore.create(
                target,
                identity=self._identity(),
                template=self._template(),
                dims=self.design.dims,
                shape=self.design.shape,
                coords=self._labels(),
                chunks=self.plan.unit,
                attrs=self._attributes(),
                fixed={"inputs": self._inputs()},
            )
        )
        fill(store, lambda left: self._worked(left, executor), is_new=not resume, progress=progress)

    def _worked(self, left: Sequence[Unit], executor: Executor) -> Iterator[Worked]:
        """Units as they are finished."""
        units = sorted(left, key=self._order)
        shared = _Shared(self.loaded, self.design, self.plan.lines, self._levels, self._keep_draws)
        if executor is executor.threads:  # threads of this process share the work within a pass
            evaluator = shared.evaluator(executor, self._prepared)
            for unit in units:
                figures = evaluator.figures(map(self._variation.scenario, unit.points.tolist()))
                yield unit, _as_unit(figures, unit.shape)
            return
        jobs = (unit.points.tolist() for unit in units)
        for index, found in executor.run(_of_points, shared, jobs):
            yield units[index], _as_unit(found, units[index].shape)

    def _order(self, unit: Unit) -> tuple[int, int, int]:
        """Units of a pass one after another, and of those the ones that share designs."""
        first = unit.points[0]
        return self.plan.pass_of.flat[first], self.plan.designs_of.flat[first], unit.index

    @functools.cached_property
    def _first(self) -> Scenario:
        return self._variation.scenario(0)

    # --- what the store is told ---------------------------------------------------------------

    def _labels(self) -> dict[str, tuple[str, Any]]:
        dims = self.design.dims
        return {
            label: (label if label in dims else dims[0], np.asarray(values))
            for label, values in self.design.coords.items()
        }

    def _identity(self) -> dict[str, str]:
        run = self.loaded.scenario.run
        named = {"run.draws", "run.seed"}  # have a name of their own below
        overrides = {p: value for p, value in self.loaded.overrides.items() if p not in named}
        return sweep_identity(
            scenario_sha256=self.loaded.sha256,
            files=self._variation.inputs_sha256,
            overrides=overrides,
            points=self._labels(),
            draws=run.draws,
            seed=run.seed,
            draw_scheme=DRAW_SCHEME,
            levels=self._levels,
            variables={name: map(str, group) for name, group in self._template().items()},
        )

    def _attributes(self) -> dict[str, Any]:
        scenario = self.loaded.scenario
        return {
            **origin(self.loaded),
            "inputs_sha256": json.dumps(dict(self._variation.inputs_sha256)),
            "title": scenario.title,
            "entity": scenario.entity.id,
            "entity_type": scenario.entity.type,
            "performance_year": scenario.entity.performance_year,
            "sign_convention": SIGN_CONVENTION,
            "confidence": CONFIDENCE,
            "seed": str(scenario.run.seed),
            "draws": scenario.run.draws,
        }

    def _template(self) -> dict[str, xr.Dataset]:
        return point_template(
            [track.name for track in self._first.track],
            self.plan.lines,
            self._levels,
            self._first.run.draws if self._keep_draws else None,
        )

    def _inputs(self) -> xr.Dataset:
        """Rules and assumptions of the scenario as it is where nothing is varied."""
        scenario = self.loaded.scenario
        told = self._prepared.whole(scenario)
        return labelled(
            {
                "track": [track.name for track in scenario.track],
                "program": [track.program for track in scenario.track],
                "option": [track.option for track in scenario.track],
                **rule_columns((each.track.name, each.rules) for each in told.contracts),
                **assumption_columns(told.assumptions),
            }
        )


def run_sweep(
    loaded: LoadedScenario,
    target: str | Path,
    vary: Sequence[str] = (),
    *,
    zip: bool = False,
    sample: str | None = None,
    table: Path | None = None,
    levels: Sequence[float] = LEVELS,
    keep_draws: bool = False,
    executor: Executor | None = None,
    resume: bool = False,
    progress: Callable[[StoreProgress], None] = lambda so_far: None,
) -> xr.DataTree:
    """Settle variants of a scenario, all on the same draws, and keep them in a Zarr store.

    Parameters
    ----------
    loaded : LoadedScenario
        From `simdc.load_scenario`.
    target : path-like
        Folder of the store.
    vary : sequence of str
        Settings and their values, each ``PATH=VALUES`` as on the command line.
    zip, sample, table
        How points are made of them, see `simdc.sweep.points.design_of`.
    levels, keep_draws
        See `Sweep`.
    executor : Executor, optional
        Threads on all available processors by default; no bit depends on it.
    resume, progress
        See `Sweep.run`.

    Returns
    -------
    xarray.DataTree
        Groups /inputs, /summary and /guarantee, and /draws where they are kept, as in a result,
        the swept dimensions first.

    Raises
    ------
    InputError
        For what cannot be varied or run, naming the point; nothing is written then.
    """
    seed = loaded.scenario.run.seed
    design = design_of(loaded, vary, zip=zip, sample=sample, table=table, seed=seed)
    sweep = Sweep(loaded, design, levels=levels, keep_draws=keep_draws)
    sweep.run(Path(target), executor or Threads.all(), resume=resume, progress=progress)
    return read_sweep(target)


@dataclass(frozen=True, eq=False)
class _Shared:
    """What every worker needs to work out any point."""

    loaded: LoadedScenario
    design: Design
    lines: tuple[str, ...]
    levels: tuple[float, ...]
    keep_draws: bool

    def evaluator(self, executor: Executor, prepared: Preparations) -> Evaluator:
        return Evaluator(
            prepared, executor, self.lines, levels=self.levels, keep_draws=self.keep_draws
        )


@functools.lru_cache(1)
def _bench(shared: _Shared) -> tuple[Variation, Evaluator]:
    """A worker's own memory of what it has worked out."""
    prepared = Preparations(shared.loaded.base_dir)
    return Variation(shared.loaded, shared.design), shared.evaluator(Threads(1), prepared)


def _of_points(shared: _Shared, points: Sequence[int]) -> Sequence[PointFigures]:
    """Figures of some points, in order, on a worker."""
    variation, evaluator = _bench(shared)
    return evaluator.figures(map(variation.scenario, points))


def _as_unit(figures: Sequence[PointFigures], shape: tuple[int, ...]) -> PointFigures:
    """Arrays of points as arrays of a unit."""
    return {
        name: np.stack([point[name] for point in figures]).reshape(*shape, *figures[0][name].shape)
        for name in figures[0]
    }
