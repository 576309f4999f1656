"""The main job in one call, and what it will take before it starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simdc.drivers import COST_DRIVERS, DRIVER_NAMES
from simdc.engine import KEPT_LINES, SECONDS_PER_BENEFICIARY_DRAW, simulate
from simdc.executors import Executor, available_threads
from simdc.result import add_attribution, build_result
from simdc.scenario import LoadedScenario
from simdc.scenario.rolling import of_year, performance_years

if TYPE_CHECKING:
    import xarray as xr

    from simdc.outcome import Simulation
    from simdc.scenario.models import Scenario
    from simdc.watch import Until

__all__ = ["Forecast", "forecast", "run"]


def run(
    loaded: LoadedScenario,
    *,
    draws: int | None = None,
    seed: int | None = None,
    executor: Executor | None = None,
    attribution: bool = False,
    until: Until | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> xr.DataTree:
    """Simulate a scenario, settle every track and size its guarantee.

    Parameters
    ----------
    loaded : LoadedScenario
        From `simdc.load_scenario`.
    draws, seed : int, optional
        Instead of the scenario's own.
    executor : Executor, optional
        Threads on all available processors by default; no bit of the result depends on it.
    attribution : bool, optional
        Whether to work out what each driver and people's luck are worth, which takes further
        passes over the same draws.
    until : Until, optional
        Which figures are to be known how well, from `simdc.watch.ask`; instead of `draws`, and for
        one performance year.
    progress : callable, optional
        Told the number of draws simulated so far, anew in each pass.

    Returns
    -------
    xarray.DataTree
        Groups /inputs, /draws, /summary and /guarantee, and /attribution and /convergence where
        asked for; see `simdc.result`. With several performance years these are of the first, and
        /years holds them all.

    Raises
    ------
    InputError
        When a file that the scenario names cannot be used, or no default exists for a driver.
    """
    scenario = loaded.scenario
    if until is not None:
        simulation, tree = _simulated_until(
            loaded, until, seed=seed, executor=executor, progress=progress
        )
    else:
        simulated = _simulated if scenario.years is None else _simulated_years
        simulation, tree = simulated(
            loaded, draws=draws, seed=seed, executor=executor, progress=progress
        )
    if not attribution:
        return tree
    from simdc.attribution import attribute

    found = attribute(
        simulation,
        of_year(scenario, scenario.entity.performance_year),
        base_dir=loaded.base_dir,
        executor=executor,
        progress=progress,
    )
    return add_attribution(tree, found)


def _simulated(
    loaded: LoadedScenario,
    *,
    draws: int | None,
    seed: int | None,
    executor: Executor | None,
    progress: Callable[[int], None],
) -> tuple[Simulation, xr.DataTree]:
    """One performance year and its result."""
    simulation = simulate(
        loaded.scenario,
        base_dir=loaded.base_dir,
        draws=draws,
        seed=seed,
        executor=executor,
        progress=progress,
    )
    return simulation, build_result(simulation, loaded)


def _simulated_until(
    loaded: LoadedScenario,
    until: Until,
    *,
    seed: int | None,
    executor: Executor | None,
    progress: Callable[[int], None],
) -> tuple[Simulation, xr.DataTree]:
    """One performance year and its result, with what was known at each look."""
    from simdc.convergence import add_convergence, simulate_until

    simulation, convergence = simulate_until(
        loaded.scenario,
        until,
        base_dir=loaded.base_dir,
        seed=seed,
        executor=executor,
        progress=progress,
    )
    return simulation, add_convergence(build_result(simulation, loaded), convergence)


def _simulated_years(
    loaded: LoadedScenario,
    *,
    draws: int | None,
    seed: int | None,
    executor: Executor | None,
    progress: Callable[[int], None],
) -> tuple[Simulation, xr.DataTree]:
    """The first performance year and its result, with every year under /years."""
    from simdc.years import simulate_years
    from simdc.years.tree import add_years

    outcome = simulate_years(
        loaded.scenario,
        base_dir=loaded.base_dir,
        draws=draws,
        seed=seed,
        executor=executor,
        progress=progress,
    )
    return outcome.first, add_years(build_result(outcome.first, loaded), outcome)


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes
    ----------
    beneficiaries, draws, tracks, workers : int
    seconds : float
        Wall time of a warm run on a machine like the one the kernel was measured on.
    memory_bytes, disk_bytes : int
        Peak memory of the process, and size of the result.
    """

    beneficiaries: int
    draws: int
    tracks: int
    workers: int
    seconds: float
    memory_bytes: int
    disk_bytes: int


# Measured: see docs/performance.md.
_SECONDS_PER_SETTLED_DRAW = 0.5e-6  # each track: settling, estimating, writing
_START_SECONDS = 1.5  # imports, contracts with their neutral charges, tables
_START_BYTES = 285 * 2**20  # interpreter, numba with the kernels, scipy, xarray, h5py
_BYTES_PER_BENEFICIARY = 64
_ATTRIBUTED_LINES = 3  # of each track, each time that a source of uncertainty is held
_COPIES = 4
_LABEL_BYTES = 40_000  # each track: its rules with their sources


def forecast(
    loaded: LoadedScenario,
    *,
    draws: int | None,
    workers: int | None,
    attribution: bool = False,
) -> Forecast:
    """Estimate time, memory and disk of a run without doing any of it."""
    from simdc.population import build_population

    scenario = loaded.scenario
    draws = scenario.run.draws if draws is None else draws
    workers = available_threads() if workers is None else workers
    segments = build_population(scenario.population, loaded.base_dir).segments
    people = sum(segment.beneficiaries for segment in segments)
    tracks = len(scenario.track)
    designs = sum(track.stop_loss is not None for track in scenario.track)
    provisional = any(track.provisional_settlement is not None for track in scenario.track)

    # Rows of one number per draw. Kept: every track's lines, drivers, segments, draw numbers.
    lines = len(KEPT_LINES) + provisional
    kept = lines * tracks + len(DRIVER_NAMES) + len(segments) + 1
    # Beside them either what the contracts are settled from, or the copies of one line, sorted and
    # squared, that estimates are made of.
    categories = len({segment.category for segment in segments})
    working = max(designs + categories, _COPIES)
    row = 8 * draws
    years = len(performance_years(scenario))
    kept += (years > 1) * years * tracks * (len(KEPT_LINES) + 2)
    passes, settlings = years, years * tracks
    if attribution:
        sources = _uncertain_sources(scenario)
        # The run itself again with its payouts, people on their own, and each driver of cost.
        passes += 2 + sum(name in COST_DRIVERS for name in sources)
        settlings += (len(sources) + 2) * tracks
        # Sums of the run, expected and as one source is held; lines as one source is held, by
        # people and by all drivers; values of these two.
        working += 3 * (len(segments) + designs) + 3 * _ATTRIBUTED_LINES * tracks + 2
    return Forecast(
        beneficiaries=people,
        draws=draws,
        tracks=tracks,
        workers=workers,
        seconds=_START_SECONDS
        + passes * people * draws * SECONDS_PER_BENEFICIARY_DRAW / workers
        + settlings * draws * _SECONDS_PER_SETTLED_DRAW,
        memory_bytes=_START_BYTES + people * _BYTES_PER_BENEFICIARY + (kept + working) * row,
        disk_bytes=kept * row + tracks * _LABEL_BYTES,
    )


def _uncertain_sources(scenario: Scenario) -> list[str]:
    """Drivers that are not the same in every draw, as far as their tables tell."""
    given = ((name, getattr(scenario.drivers, name)) for name in DRIVER_NAMES)
    return [name for name, law in given if law is not None and law.distribution != "fixed"]
