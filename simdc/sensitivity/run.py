"""Sensitivity from the settings that are varied to what each is worth.

Saltelli's points are a sweep, kept in its store, so that they can be gone on with. The tornado's
few points are worked out beside it, draw by draw, to compare them with their base.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from simdc import interrupts
from simdc.errors import InputError, Problem, nearest
from simdc.estimate import MOMENT_DRAWS, Estimate, draws_needed
from simdc.executors import Executor
from simdc.result import group
from simdc.scenario import LoadedScenario
from simdc.sensitivity.design import Change, Setting, Tornado, saltelli, tornado
from simdc.sensitivity.findings import Findings, OutputFindings
from simdc.sensitivity.indices import Indices, sobol_indices, why_none
from simdc.sensitivity.tornado import OUTPUTS, changes, figures, widest_first
from simdc.sweep.evaluate import Evaluator
from simdc.sweep.fill import StoreProgress
from simdc.sweep.parts import Preparations
from simdc.sweep.plan import SweepForecast
from simdc.sweep.points import Variation
from simdc.sweep.read import read_sweep
from simdc.sweep.run import Sweep

__all__ = ["Sensitivity"]

Array: TypeAlias = NDArray[np.float64]
Figures: TypeAlias = dict[str, dict[str, Estimate]]  # by track, by output
Effects: TypeAlias = list[tuple[Change, Figures]]


class Sensitivity:
    """A sensitivity analysis with every point checked, ready to run.

    Parameters
    ----------
    loaded : LoadedScenario
        Its seed is also that of the sample and of the bootstrap.
    settings : sequence of Setting
        From `simdc.sensitivity.design.settings_of`.
    samples : int
        Base samples, a power of two.
    level : float, optional
        Probability with which a guarantee is to cover the total owed.
    tracks : sequence of str, optional
        Tracks to tell about; all by default.
    told : callable, optional
        Told the number of Saltelli's points checked.

    Raises
    ------
    InputError
        For a number of samples or a level that is none, an unknown track, points with mistakes, and
        where SALib is not installed.
    """

    def __init__(
        self,
        loaded: LoadedScenario,
        settings: Sequence[Setting],
        samples: int,
        *,
        level: float = 0.99,
        tracks: Sequence[str] = (),
        told: Callable[[int], None] = lambda done: None,
    ) -> None:
        self._loaded, self._level = loaded, level
        self._settings, self._samples = tuple(settings), samples
        self._tracks = _chosen(loaded, tracks)
        seed = loaded.scenario.run.seed
        design = saltelli(settings, samples, seed)
        self._tornado: Tornado = tornado(settings)
        # First the few points that tell most plainly what is wrong with a range.
        self._beside = Sweep(loaded, self._tornado.design, levels=(level,), keep_draws=True)
        self._sweep = Sweep(loaded, design, levels=(level,), told=told)

    @property
    def points(self) -> int:
        """Points that are kept: Saltelli's."""
        return self._sweep.design.size

    @property
    def compared(self) -> int:
        """Points of the tornado."""
        return self._tornado.design.size

    def forecast(self, workers: int) -> SweepForecast:
        """Time, memory and disk that it will take, the tornado included."""
        kept, beside = self._sweep.forecast(workers), self._beside.forecast(workers)
        return replace(
            kept,
            points=kept.points + beside.points,
            passes=kept.passes + beside.passes,
            settlements=kept.settlements + beside.settlements,
            seconds=kept.seconds + beside.seconds,
            memory_bytes=max(kept.memory_bytes, beside.memory_bytes),
        )

    def run(
        self,
        target: Path,
        executor: Executor,
        *,
        resume: bool = False,
        progress: Callable[[StoreProgress], None] = lambda so_far: None,
    ) -> None:
        """Work out Saltelli's points, as `simdc.sweep.run.Sweep.run` does, and keep them.

        Parameters
        ----------
        target : Path
            Folder of the store.
        executor : Executor
            No bit depends on it.
        resume : bool, optional
            Go on with the store that is there.
        progress : callable, optional
            Told how far it is.

        Raises
        ------
        InputError, SimdcError
            As there.
        """
        self._sweep.run(target, executor, resume=resume, progress=progress)

    def findings(
        self,
        target: Path,
        executor: Executor,
        *,
        progress: Callable[[int], None] = lambda done: None,
    ) -> Findings:
        """What follows from a finished store, and from the tornado, which is worked out now.

        Parameters
        ----------
        target : Path
            Folder of the store.
        executor : Executor
        progress : callable, optional
            Told the number of points of the tornado that are done.

        Raises
        ------
        InputError
            When the store is damaged.
        """
        tree = read_sweep(target, whole=False)
        bases, effects = self._compare(executor, progress)
        return Findings(
            settings=self._settings,
            samples=self._samples,
            points=self.points,
            level=self._level,
            tracks={
                track: {
                    output: self._found(
                        found,
                        output,
                        bases[track][output],
                        [(change, effect[track][output]) for change, effect in effects],
                    )
                    for output, found in _outputs(tree, track).items()
                }
                for track in self._tracks
            },
            tree=tree,
        )

    def _found(
        self,
        found: xr.DataArray,
        output: str,
        base: Estimate,
        effects: Sequence[tuple[Change, Estimate]],
    ) -> OutputFindings:
        """What moves one output of one track, over the points and from the base."""
        values = found.sel(figure="estimate").values
        obstacle = self._obstacle(values, output)
        return OutputFindings(
            base=base,
            mean=float(values.mean()),
            standard_deviation=float(values.std(ddof=1)),
            simulation_error=float(np.median(found.sel(figure="standard_error").values)),
            indices=() if obstacle else self._indices(values),
            obstacle=obstacle,
            swings=widest_first(effects),
        )

    def _obstacle(self, values: Array, output: str) -> str:
        if np.isnan(values).any():
            draws = self._loaded.scenario.run.draws
            needed = draws_needed(self._level) if output == "covering_amount" else MOMENT_DRAWS
            return f"refused: {draws:,} draws cannot support it; it takes {needed:,} or more"
        return why_none(values, len(self._settings))

    def _indices(self, values: Array) -> tuple[Indices, ...]:
        return sobol_indices(values, len(self._settings), self._loaded.scenario.run.seed)

    # --- the tornado --------------------------------------------------------------------------

    def _compare(self, executor: Executor, told: Callable[[int], None]) -> tuple[Figures, Effects]:
        """Figures at the base, and what every change does to them."""
        settled = self._settled(executor)
        base = next(settled)[1]
        by_point: dict[int, Figures] = {}
        for done, (point, moved) in enumerate(settled, start=2):
            by_point[point] = {
                track: changes(base[track], moved[track], self._level) for track in self._tracks
            }
            told(done)
        return (
            {track: figures(base[track], self._level) for track in self._tracks},
            [(change, by_point[i]) for i, change in enumerate(self._tornado.changes, start=1)],
        )

    def _settled(self, executor: Executor) -> Iterator[tuple[int, dict[str, Array]]]:
        """Points of the tornado, the base first, each with the cash due of every track by draw."""
        variation = Variation(self._loaded, self._tornado.design)
        evaluator = Evaluator(
            Preparations(self._loaded.base_dir),
            executor,
            self._beside.plan.lines,
            levels=(self._level,),
            keep_draws=True,
        )
        names = [track.name for track in self._loaded.scenario.track]
        # Points of a pass one after another; that of the base is the first.
        for index in np.argsort(self._beside.plan.pass_of, kind="stable").tolist():
            interrupts.check()
            (point,) = evaluator.figures([variation.scenario(index)])
            yield index, dict(zip(names, point["draws/cash_due"], strict=True))


def _chosen(loaded: LoadedScenario, tracks: Sequence[str]) -> tuple[str, ...]:
    names = [track.name for track in loaded.scenario.track]
    for asked in tracks:
        if asked not in names:
            raise InputError(
                Problem(
                    f"is no track of the scenario, which has {', '.join(names)}",
                    f"--track {asked}",
                    suggestion=nearest(asked, names),
                )
            )
    return tuple(dict.fromkeys(tracks)) or tuple(names)


def _outputs(tree: xr.DataTree, track: str) -> dict[str, xr.DataArray]:
    """Each of `OUTPUTS` of one track at every point, arrays of dimensions (point, figure)."""
    summary, sized = (group(tree, name).sel(track=track) for name in ("summary", "guarantee"))
    found = (
        summary["cash_due"].sel(statistic="mean"),
        sized["probability_owing"],
        sized["covering_amount"].squeeze("level"),
    )
    return {output: array.load() for output, array in zip(OUTPUTS, found, strict=True)}
