"""The subjects that are measured, registered."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks import settlement, stages, sweeps
from benchmarks.baselines import even_table, numba_loop, numpy_loop
from benchmarks.cases import (
    PEOPLE,
    WITH_RESIDUAL,
    WITH_TRUNCATION,
    check_sums,
    run_kernel,
    segments,
)
from benchmarks.processes import compile_everything, interpreter
from benchmarks.registry import register
from benchmarks.scenario import scenario, tree
from simdc.executors import Threads
from simdc.result import group, read_result, write_result
from simdc.runner import run

BD = "beneficiary-draw"
KERNEL_DRAWS, LOOP_DRAWS, RUN_PEOPLE, RUN_DRAWS = 1024, 64, 5_000, 20_000

_folder = tempfile.TemporaryDirectory(prefix="simdc-benchmarks-")
FOLDER = Path(_folder.name)

# --- kernel -----------------------------------------------------------------------------------


def _register_stage(name, prepare):
    checks = []

    def set_up():
        call, check = prepare()
        checks[:] = [check]
        return call

    register(name, "kernel stages", stages.LANE_UNITS, BD, lambda answer: checks[0](answer))(set_up)


for _name, _prepare in stages.STAGES.items():
    _register_stage(_name, _prepare)


@register("kernel", "kernel", PEOPLE * KERNEL_DRAWS, BD, check_sums)
def _():
    return run_kernel(segments(), KERNEL_DRAWS)


@register("kernel, no stop-loss", "kernel", PEOPLE * KERNEL_DRAWS, BD, check_sums)
def _():
    return run_kernel(segments(), KERNEL_DRAWS, points=())


def _register_more_points(name, points):
    check = partial(check_sums, points=points)
    register(name, "kernel", PEOPLE * KERNEL_DRAWS, BD, check)(
        lambda: run_kernel(segments(), KERNEL_DRAWS, points)
    )


_register_more_points("kernel, truncation besides", WITH_TRUNCATION)
_register_more_points("kernel, residual stop-loss besides", WITH_RESIDUAL)


@register("NumPy loop", "kernel", PEOPLE * LOOP_DRAWS, BD, check_sums)
def _():
    return numpy_loop(segments(), LOOP_DRAWS)


@register("Numba loop, np.random", "kernel", PEOPLE * LOOP_DRAWS, BD, check_sums)
def _():
    return numba_loop(segments(), LOOP_DRAWS)


@register("Numba, Generator, even table", "kernel", PEOPLE * LOOP_DRAWS, BD, check_sums)
def _():
    return even_table(segments(), LOOP_DRAWS)


# --- settlement -------------------------------------------------------------------------------


def _check_cash_due(answer):
    """The other way of writing the same formulas, to a cent in some hundred million dollars."""
    np.testing.assert_allclose(answer, settlement.by_numpy()(), rtol=0.0, atol=0.01)


@register("settlement", "settle", settlement.DRAWS, "draw", _check_cash_due)
def _():
    return settlement.by_package()


@register("settlement, plain NumPy", "settle", settlement.DRAWS, "draw", _check_cash_due)
def _():
    return settlement.by_numpy()


# --- whole runs -------------------------------------------------------------------------------


def _check_tree(answer):
    summary = group(answer, "summary")
    cost = group(answer, "draws")["cost"]
    assert cost.shape == (4, RUN_DRAWS)
    expected = RUN_PEOPLE * 12_000.0
    assert abs(float(cost.sum("segment").mean()) / expected - 1.0) < 0.01
    assert np.isfinite(summary["cash_due"].sel(statistic="mean", figure="estimate")).all()


@register("run, six tracks", "run", RUN_PEOPLE * RUN_DRAWS, BD, _check_tree)
def _():
    loaded = scenario(FOLDER, RUN_PEOPLE)
    return lambda: run(loaded, draws=RUN_DRAWS, executor=Threads(1))


def _check_stored(answer):
    kept = group(tree(FOLDER, RUN_PEOPLE, RUN_DRAWS), "draws")["cash_due"].values
    assert np.array_equal(answer, kept)


@register("write and read", "store", RUN_DRAWS, "draw", _check_stored)
def _():
    made, path = tree(FOLDER, RUN_PEOPLE, RUN_DRAWS), FOLDER / "result.nc"

    def call():
        write_result(made, path)
        with read_result(path) as found:
            return group(found, "draws")["cash_due"].values

    return call


# --- sweeps -----------------------------------------------------------------------------------


def _register_sweep(name, phase, prepare, points):
    register(name, phase, points, "point", sweeps.check_points, slow=points == sweeps.MANY)(
        lambda: prepare(FOLDER, points)
    )


for _points in (sweeps.FEW, sweeps.MANY):
    _register_sweep(f"sweep, {_points:,} points", "sweep", sweeps.in_process, _points)
    _register_sweep(f"simdc sweep, {_points:,} points", "sweep", sweeps.command, _points)


# --- processes --------------------------------------------------------------------------------


def _says(word):
    def check(answer):
        assert word in answer

    return check


@register("compile everything", "compile", 1, "process", _says("Compiled in"), slow=True)
def _():
    return compile_everything


@register("simdc --help", "import", 1, "process", _says("Commands"))
def _():
    return lambda: interpreter("-m", "simdc", "--help")


@register("import click", "import", 1, "process", _says("done"))
def _():
    return lambda: interpreter("-c", "import click; print('done')")


_IMPORTED = "import simdc.runner, simdc.netcdf, simdc.report.terminal; print('done')"


@register("import what a run needs", "import", 1, "process", _says("done"), slow=True)
def _():
    return lambda: interpreter("-c", _IMPORTED, OPENBLAS_NUM_THREADS="1")  # as the command has it
