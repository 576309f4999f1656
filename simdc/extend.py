"""More draws for a result that is there, without repeating those it holds.

A result keeps its scenario, seed and draws, and a draw is addressed by its number. So the draws
that follow are simulated, put behind the stored ones, and everything is estimated anew: what comes
out is what one run of all the draws leaves.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from simdc.convergence import add_convergence, continued
from simdc.engine import simulate
from simdc.errors import InputError
from simdc.join import join
from simdc.kernels.philox import DRAW_SCHEME
from simdc.outcome import Simulation
from simdc.prepare import prepare
from simdc.result import FIXED, build_result, group
from simdc.scenario.files import files_named
from simdc.scenario.load import LoadedScenario, load_scenario, load_scenario_text

if TYPE_CHECKING:
    from simdc.executors import Executor

__all__ = ["Stored", "extend", "stored_run"]

_NOT_EXTENDED = {"attribution": "an attribution", "years": "several performance years"}
_AGAIN = 128  # stored draws that are simulated again, to see that they come out the same
_ROUNDING = 1e-9  # processors differ in the last bits of a logarithm, no input as little as that


@dataclass(frozen=True)
class Stored:
    """A result that can be extended.

    Attributes
    ----------
    path : Path
    tree : xarray.DataTree
        Open: its draws are still on disk.
    loaded : LoadedScenario
        What it was run from.
    seed, first_draw, draws : int
    """

    path: Path
    tree: xr.DataTree
    loaded: LoadedScenario
    seed: int
    first_draw: int
    draws: int


def stored_run(tree: xr.DataTree, path: Path, scenario: Path | None = None) -> Stored:
    """Find out what a result was run from.

    Parameters
    ----------
    tree : xarray.DataTree
        From `simdc.result.read_result`.
    path : Path
        Its file.
    scenario : Path, optional
        The scenario it was run from. Only needed where that names files which lie neither beside
        the result nor in the current folder.

    Raises
    ------
    InputError
        When its draws are of another scheme; when it holds more than draws and what is estimated
        of them; when the scenario or a file that it names is not there or has changed.
    """
    for name, what in _NOT_EXTENDED.items():
        if name in tree.children:
            raise InputError(
                f"holds {what}, which takes all draws at once; run the scenario anew with as many "
                "--draws as are wanted",
                file=path,
            )
    scheme = tree.attrs["draw_scheme"]
    if scheme != DRAW_SCHEME:
        raise InputError(
            f"its draws are of the scheme '{scheme}', and those of this version of simdc, "
            f"'{DRAW_SCHEME}', would not continue them; run the scenario anew",
            file=path,
        )
    return Stored(
        path=path,
        tree=tree,
        loaded=_loaded(tree, path, scenario),
        seed=int(tree.attrs["seed"]),
        first_draw=int(tree.attrs["first_draw"]),
        draws=int(tree.attrs["draws"]),
    )


def extend(
    stored: Stored,
    draws: int,
    *,
    executor: Executor | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> xr.DataTree:
    """The result with more draws, everything estimated anew.

    Parameters
    ----------
    stored : Stored
        From `stored_run`, its tree open.
    draws : int
        How many to add.
    executor : Executor, optional
        Threads on all available processors by default; no bit of the result depends on it.
    progress : callable, optional
        Told the number of added draws simulated so far.

    Returns
    -------
    xarray.DataTree
        Its draws, summary and guarantee are those of one run of all the draws.

    Raises
    ------
    InputError
        When the first draws do not come out again as they are stored.
    """
    scenario, base_dir = stored.loaded.scenario, stored.loaded.base_dir
    prepared = prepare(scenario, base_dir)

    def simulated(first_draw: int, count: int, told: Callable[[int], None]) -> Simulation:
        return simulate(
            scenario,
            base_dir=base_dir,
            draws=count,
            seed=stored.seed,
            first_draw=first_draw,
            executor=executor,
            progress=told,
            prepared=prepared,
        )

    again = simulated(stored.first_draw, min(stored.draws, _AGAIN), lambda done: None)
    _refuse_other_draws(stored, build_result(again, stored.loaded))
    added = simulated(stored.first_draw + stored.draws, draws, progress)
    parts = [_as_simulation(stored, added), added]
    del added  # so that joining can let its arrays go
    joined = join(parts.pop() for _ in range(2))
    tree = build_result(joined, stored.loaded)
    if "convergence" not in stored.tree.children:
        return tree
    watched = group(stored.tree, "convergence")
    return add_convergence(tree, continued(watched, joined, scenario))


def _as_simulation(stored: Stored, like: Simulation) -> Simulation:
    """The stored draws, with all that no draw changes from a simulation of the same scenario."""
    draws = group(stored.tree, "draws")

    def row(name: str, **place: str) -> Any:
        return draws[name].sel(place).values

    return replace(
        like,
        first_draw=stored.first_draw,
        draws=stored.draws,
        tracks=tuple(
            replace(track, draws={line: row(line, track=track.name) for line in track.draws})
            for track in like.tracks
        ),
        cost=row("cost"),
        drivers={name: row(name) for name in like.drivers},
        durations=json.loads(stored.tree.attrs["durations"]),
    )


# --- what a result was run from ---------------------------------------------------------------


def _loaded(tree: xr.DataTree, path: Path, scenario: Path | None) -> LoadedScenario:
    about = tree.attrs
    if scenario is not None and load_scenario(scenario).sha256 != about["scenario_sha256"]:
        raise InputError(
            f"is not the scenario that {path} was run from, or has changed since", file=scenario
        )
    recorded = _recorded_files(tree, path)
    folder = _folder(recorded, path, scenario)
    overrides = json.loads(about["scenario_overrides"])
    loaded = load_scenario_text(about["scenario"], folder / about["scenario_name"], overrides)
    if loaded.sha256 != about["scenario_sha256"]:
        raise InputError("is damaged: its scenario is not the one it was run from", file=path)
    for file, digest in recorded.items():
        if loaded.inputs_sha256.get(file) != digest:
            raise InputError(
                f"has changed since {path} was run from it; run the scenario anew",
                file=folder / file,
            )
    return loaded


def _recorded_files(tree: xr.DataTree, path: Path) -> dict[str, str]:
    """Hashes of the files that the scenario names, as they were."""
    if "inputs_sha256" in tree.attrs:
        recorded: dict[str, str] = json.loads(tree.attrs["inputs_sha256"])
        return recorded
    for file in files_named(tomllib.loads(tree.attrs["scenario"])):
        raise InputError(
            "was written by an earlier version of simdc, which kept no hash of the file "
            f"'{file}' that its scenario names; run the scenario anew",
            file=path,
        )
    return {}


def _folder(files: Iterable[str], path: Path, scenario: Path | None) -> Path:
    """Where the files are that the scenario names."""
    folders = [path.parent, Path()] if scenario is None else [scenario.parent]
    for folder in folders:
        missing = [file for file in files if not (folder / file).is_file()]
        if not missing:
            return folder
    where = "neither beside it nor in the current folder" if scenario is None else "not there"
    raise InputError(
        f"was run from a scenario that names the file '{missing[0]}', which is {where}; tell the "
        "scenario's place with --scenario",
        file=path,
    )


def _refuse_other_draws(stored: Stored, again: xr.DataTree) -> None:
    """Refuse a result whose first draws, or rules, are not what comes out now."""
    first = {"draw": slice(again.attrs["draws"])}
    tree = stored.tree
    same = (
        _same(group(tree, "draws").isel(first), group(again, "draws"))
        and _same(group(tree, "inputs"), group(again, "inputs"), _TERMS)
        and _same(group(tree, "guarantee"), group(again, "guarantee"), ("required_guarantee",))
    )
    if not same:
        written_by = json.loads(tree.attrs["versions"])["simdc"]
        raise InputError(
            "its draws and rules are not what this version of simdc makes of its scenario (it was "
            f"written by simdc {written_by}); run the scenario anew",
            file=stored.path,
        )


_TERMS = ("rule_track", "rule_name", "rule_value", *FIXED)


def _same(one: xr.Dataset, other: xr.Dataset, names: Iterable[str] | None = None) -> bool:
    """Whether variables are equal but for rounding; all of them unless named."""
    if names is None and set(one.variables) != set(other.variables):
        return False
    return all(
        one[name].shape == other[name].shape and _equal(one[name].values, other[name].values)
        for name in (one.variables if names is None else names)
        if name in one.variables  # not in results of earlier versions
    )


def _equal(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    if one.dtype.kind != "f":
        return np.array_equal(one, other)
    largest = float(np.nanmax(np.abs(one), initial=0.0))
    return np.allclose(one, other, rtol=0.0, atol=_ROUNDING * largest, equal_nan=True)
