"""Runs that go on until the figures asked for are known well enough.

Draws are added in batches, each as large as all before it, and the figures are looked at after
each. A run stops at the first look at which the 95% limits of every figure lie within its bound,
or at a limit. What it leaves is what one run of as many draws leaves, to the bit.

How many draws that takes depends on the draws, so the last interval is a little too narrow: a run
stops the sooner the narrower its interval happens to come out. Few looks, each at twice the draws
of the one before, leave little room for it: of intervals meant to hold the true figure in 95% of
runs, 94% or more held it when tried on a skewed law. Where that matters, run as many draws as a
run stopped at once more, with another seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from simdc.engine import simulate
from simdc.estimate import Estimate
from simdc.figures import FIGURES
from simdc.join import join
from simdc.outcome import Simulation
from simdc.prepare import prepare
from simdc.result import labelled
from simdc.scenario.models import Scenario
from simdc.watch import Figure, Until, Watched, figures, place

if TYPE_CHECKING:
    from simdc.executors import Executor

__all__ = ["Convergence", "add_convergence", "continued", "simulate_until"]


@dataclass(frozen=True)
class Convergence:
    """What was known of the watched figures at each look.

    Attributes
    ----------
    until : Until
    draws : tuple of int
        At each look.
    estimates : tuple of tuple of Estimate
        At each look, of each watched figure.
    """

    until: Until
    draws: tuple[int, ...] = ()
    estimates: tuple[tuple[Estimate, ...], ...] = ()

    @property
    def reached(self) -> tuple[bool, ...]:
        """Of each watched figure: whether its bound held at the last look."""
        last = zip(self.until.watched, self.estimates[-1], strict=True)
        return tuple(watched.holds(estimate) for watched, estimate in last)

    def looked(self, batches: Sequence[Simulation], scenario: Scenario) -> Convergence:
        """With one more look, at all draws of consecutive batches."""
        known = figures(scenario)
        estimates = tuple(
            _estimate(batches, watched.track, known[watched.figure])
            for watched in self.until.watched
        )
        draws = sum(batch.draws for batch in batches)
        return replace(self, draws=(*self.draws, draws), estimates=(*self.estimates, estimates))


def _estimate(batches: Sequence[Simulation], track: str, figure: Figure) -> Estimate:
    parts = [next(t for t in batch.tracks if t.name == track) for batch in batches]
    lines = {line: np.concatenate([part.draws[line] for part in parts]) for line in figure.lines}
    return figure.estimate(replace(parts[0], draws=lines))


def simulate_until(
    scenario: Scenario,
    until: Until,
    *,
    base_dir: Path,
    seed: int | None = None,
    executor: Executor | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Simulation, Convergence]:
    """Simulate batch after batch until every watched figure is known well enough.

    Parameters
    ----------
    scenario, base_dir, seed, executor
        See `simdc.engine.simulate`.
    until : Until
        From `ask`, for the same scenario.
    progress : callable, optional
        Told the number of draws simulated so far, all batches together.

    Returns
    -------
    simulation : Simulation
        All draws, as one run of as many gives them.
    convergence : Convergence
    """
    prepared = prepare(scenario, base_dir)
    batches: list[Simulation] = []
    convergence = Convergence(until)
    done = 0
    for draws in until.looks():
        batches.append(
            simulate(
                scenario,
                base_dir=base_dir,
                draws=draws - done,
                seed=seed,
                first_draw=done,
                executor=executor,
                progress=partial(_report, progress, done),
                prepared=prepared,
            )
        )
        done = draws
        convergence = convergence.looked(batches, scenario)
        if all(convergence.reached):
            break
    return join(batches.pop() for _ in range(len(batches))), convergence


def _report(progress: Callable[[int], None], before: int, done: int) -> None:
    progress(before + done)


# --- in a result ------------------------------------------------------------------------------


def add_convergence(tree: xr.DataTree, convergence: Convergence) -> xr.DataTree:
    """The same result with what was known of the watched figures at each look."""
    watched = convergence.until.watched
    found = labelled(
        {
            "watched": [each.name for each in watched],
            "watched_units": [each.units for each in watched],
            "draws": list(convergence.draws),
            "figure": list(FIGURES),
            "bound": [each.bound for each in watched],
            "bound_reached": [int(reached) for reached in convergence.reached],
            "watched_figure": np.swapaxes(convergence.estimates, 0, 1),
        },
        limit=convergence.until.limit,
    )
    return xr.DataTree.from_dict({**tree.to_dict(), "/convergence": found})


def continued(found: xr.Dataset, simulation: Simulation, scenario: Scenario) -> Convergence:
    """What a result tells of its watched figures, with one more look at more draws.

    Parameters
    ----------
    found : xarray.Dataset
        Group ``/convergence`` of the result.
    simulation : Simulation
        All draws of the result and those that were added.
    scenario : Scenario
    """
    names = [place(str(name), scenario) for name in found["watched"].values]
    watched = tuple(
        Watched(tracks[0], figure, float(bound), str(units))
        for (tracks, figure), bound, units in zip(
            names, found["bound"].values, found["watched_units"].values, strict=True
        )
    )
    draws = tuple(int(each) for each in found["draws"].values)
    looks = found["watched_figure"].transpose("draws", "watched", "figure").values
    before = Convergence(
        Until(watched, draws[0], int(found.attrs["limit"])),
        draws,
        tuple(tuple(Estimate(*map(float, row)) for row in look) for look in looks),
    )
    return before.looked([simulation], scenario)
