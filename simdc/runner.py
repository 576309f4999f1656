"""The main job in one call, and what it will take before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simdc.drivers import DRIVER_NAMES
from simdc.engine import KEPT_LINES, simulate
from simdc.errors import InputError
from simdc.execute import available_threads
from simdc.result import add_attribution, build_result
from simdc.scenario import LoadedScenario
from simdc.scenario.rolling import performance_years

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Forecast", "forecast", "run"]


def run(
    loaded: LoadedScenario,
    *,
    draws: int | None = None,
    seed: int | None = None,
    threads: int | None = None,
    attribution: bool = False,
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
    attribution : bool, optional
        Whether to work out what each driver and people's luck are worth, which takes further
        passes over the same draws.
    progress : callable, optional
        Told the number of draws simulated so far, anew in each pass.

    Returns
    -------
    xarray.DataTree
        Groups /inputs, /draws, /summary and /guarantee; see `simdc.result`. With several
        performance years these are of the first, and /years holds them all.

    Raises
    ------
    InputError
        When a file that the scenario names cannot be used, no default exists for a driver, or
        attribution is asked of several years.
    """
    if loaded.scenario.years is not None:
        if attribution:
            raise InputError(
                "attribution is of one performance year; leave the table [years] out for it",
                file=loaded.path,
            )
        return _run_years(loaded, draws=draws, seed=seed, threads=threads, progress=progress)
    simulation = simulate(
        loaded.scenario,
        base_dir=loaded.base_dir,
        draws=draws,
        seed=seed,
        threads=threads,
        progress=progress,
    )
    tree = build_result(simulation, loaded)
    if not attribution:
        return tree
    from simdc.attribution import attribute

    found = attribute(
        simulation,
        loaded.scenario,
        base_dir=loaded.base_dir,
        threads=threads,
        progress=progress,
    )
    return add_attribution(tree, found)


def _run_years(
    loaded: LoadedScenario,
    *,
    draws: int | None,
    seed: int | None,
    threads: int | None,
    progress: Callable[[int], None],
) -> xr.DataTree:
    """The result of the first performance year, with every year under /years."""
    from simdc.years import simulate_years
    from simdc.years.tree import add_years

    outcome = simulate_years(
        loaded.scenario,
        base_dir=loaded.base_dir,
        draws=draws,
        seed=seed,
        threads=threads,
        progress=progress,
    )
    return add_years(build_result(outcome.first, loaded), outcome)


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


# Measured: see docs/performance.md.
_SECONDS_PER_BENEFICIARY_DRAW = 0.9e-9  # one core with AVX-512, two stop-loss designs
_SECONDS_PER_SETTLED_DRAW = 1.0e-6  # each track: settling, estimating, writing
_START_SECONDS = 3.0  # imports, contracts with their neutral charges, tables
_START_BYTES = 320 * 2**20  # interpreter, numba with the kernels, scipy, xarray, h5netcdf
_BYTES_PER_BENEFICIARY = 64
_LABEL_BYTES = 100_000  # each track: its rules with their sources


def forecast(loaded: LoadedScenario, *, draws: int | None, threads: int | None) -> Forecast:
    """Estimate time, memory and disk of a run without doing any of it."""
    from simdc.population import build_population

    scenario = loaded.scenario
    draws = scenario.run.draws if draws is None else draws
    threads = available_threads() if threads is None else threads
    segments = build_population(scenario.population, loaded.base_dir).segments
    people = sum(segment.beneficiaries for segment in segments)
    tracks = len(scenario.track)
    designs = sum(track.stop_loss is not None for track in scenario.track)
    provisional = any(track.provisional_settlement is not None for track in scenario.track)

    # Rows of one number per draw. Kept: every track's lines, drivers, segments, draw numbers.
    lines = len(KEPT_LINES) + provisional
    kept = lines * tracks + len(DRIVER_NAMES) + len(segments) + 1
    # Beside them either what the contracts are settled from, or the line that is being written
    # with the sorted copies that estimates are made of.
    categories = len({segment.category for segment in segments})
    working = max(designs + categories, tracks + 3)
    row = 8 * draws
    years = len(performance_years(scenario))
    kept += (years > 1) * years * tracks * (len(KEPT_LINES) + 2)
    return Forecast(
        beneficiaries=people,
        draws=draws,
        tracks=tracks,
        threads=threads,
        seconds=_START_SECONDS
        + years * people * draws * _SECONDS_PER_BENEFICIARY_DRAW / threads
        + years * tracks * draws * _SECONDS_PER_SETTLED_DRAW,
        memory_bytes=_START_BYTES + people * _BYTES_PER_BENEFICIARY + (kept + working) * row,
        disk_bytes=kept * row + tracks * _LABEL_BYTES,
    )
