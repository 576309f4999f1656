"""A sweep over points that differ in one contract term, and so share a pass of the kernel."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.processes import interpreter
from benchmarks.scenario import toml
from simdc.executors import Threads
from simdc.result import group
from simdc.scenario import load_scenario
from simdc.sweep.read import read_sweep
from simdc.sweep.run import run_sweep

__all__ = ["FEW", "MANY", "check_points", "command", "in_process"]

PEOPLE, DRAWS = 12_000, 10_000
FEW, MANY = 10, 1_000

_TRACK = "track 1"


def command(folder: Path, points: int) -> Callable[[], object]:
    """The whole command, from the start of the interpreter to the tables."""
    path, target = _scenario(folder), folder / f"{points}.sweep.zarr"
    arguments = ("sweep", str(path), "--vary", _vary(points), "--quiet", "-o", str(target))

    def call() -> object:
        shutil.rmtree(target, ignore_errors=True)
        interpreter("-m", "simdc", *arguments)
        return points, read_sweep(target)

    return call


def in_process(folder: Path, points: int) -> Callable[[], object]:
    """The same without the interpreter's start and what it imports."""
    path, target = _scenario(folder), folder / f"{points}.zarr"

    def call() -> object:
        shutil.rmtree(target, ignore_errors=True)
        tree = run_sweep(load_scenario(path), target, [_vary(points)], executor=Threads(1))
        return points, tree

    return call


def check_points(answer: object) -> None:
    """The larger the discount the less is paid, by the same step each time."""
    points, tree = answer
    savings = group(tree, "summary")["gross_savings"].sel(statistic="mean", figure="estimate")
    steps = np.diff(savings.sel(track=_TRACK).values)
    assert steps.size == points - 1
    assert (steps < 0.0).all()
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
    others = savings.drop_sel(track=_TRACK).values
    assert np.array_equal(others, np.broadcast_to(others[0], others.shape))


def _scenario(folder: Path) -> Path:
    path = folder / "swept.toml"
    text = toml(PEOPLE).replace("draws = 1000", f"draws = {DRAWS}")
    path.write_text(text, encoding="utf-8")
    return path


def _vary(points: int) -> str:
    return f'track."{_TRACK}".rules.discount=lin(0.01,0.04,{points})'
