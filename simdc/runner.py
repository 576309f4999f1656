"""The main job in one call, and what it will take before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simdc.engine import KEPT_LINES, simulate
from simdc.execute import available_threads
from simdc.result import build_result
from simdc.scenario import LoadedScenario

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Forecast", "forecast", "run"]


def run(
    loaded: LoadedScenario,
    *,
    draws: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> xr.DataTree:
    """Simulate a scenario, settle every track and size its guarantee.

    Parameters
    ----------
    loaded : LoadedScenario
        From `simdc.load_scenario`.
    draws, seed : int, optional
        Instead of the scenario's own.
    threads : int, optional
        All available processors by default; no bit of the result depends on it.
    progress : callable, optional
        Told the number of draws simulated so far.

    Returns
    -------
    xarray.DataTree
        Groups /inputs, /draws, /summary and /guarantee; see `simdc.result`.
    """
    simulation = simulate(
        loaded.scenario,
        base_dir=loaded.base_dir,
        draws=draws,
        seed=seed,
        threads=threads,
        progress=progress,
    )
    return build_result(simulation, loaded)


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes
    ----------
    beneficiaries, draws, tracks, threads : int
    seconds : float
        Wall time of a warm run on a machine like the one the kernel was measured on.
    memory_bytes, disk_bytes : int
        Peak memory of the process, and size of the result.
    """

    beneficiaries: int
    draws: int
    tracks: int
    threads: int
    seconds: float
    memory_bytes: int
    disk_bytes: int


_SECONDS_PER_BENEFICIARY_DRAW = 1.2e-9  # one core with AVX-512, two stop-loss designs
_SECONDS_PER_SETTLED_DRAW = 0.6e-6
_START_SECONDS = 2.5
_START_BYTES = 260 * 2**20  # interpreter, numba, scipy, xarray


def forecast(loaded: LoadedScenario, *, draws: int | None, threads: int | None) -> Forecast:
    """Estimate time, memory and disk of a run without doing any of it."""
    from simdc.population import build_population

    scenario = loaded.scenario
    draws = scenario.run.draws if draws is None else draws
    threads = available_threads() if threads is None else threads
    population = build_population(scenario.population, loaded.base_dir)
    people = sum(segment.beneficiaries for segment in population.segments)
    tracks = len(scenario.track)
    designs = sum(track.stop_loss is not None for track in scenario.track)
    drivers = 8
    kept = draws * 8 * (len(KEPT_LINES) * tracks + drivers + len(population.segments))
    working = draws * 8 * (designs + 2 * drivers + 4) + people * 8 * (6 + 4 * designs)
    return Forecast(
        beneficiaries=people,
        draws=draws,
        tracks=tracks,
        threads=threads,
        seconds=_START_SECONDS
        + people * draws * _SECONDS_PER_BENEFICIARY_DRAW / threads
        + tracks * draws * _SECONDS_PER_SETTLED_DRAW,
        memory_bytes=_START_BYTES + kept + working,
        disk_bytes=kept + 2**18,
    )
