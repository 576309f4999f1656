"""Sweeps: each point is worth what a run of its own would say, whatever it shares with others."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import simdc.sweep.evaluate
import simdc.sweep.passes
import simdc.sweep.plan
from simdc.cli.main import _status
from simdc.errors import InputError, SimdcError
from simdc.executors import Threads
from simdc.kernels.ready import warm_up
from simdc.result import group
from simdc.runner import run
from simdc.scenario import load_scenario
from simdc.sweep.points import build_scenarios, design_of
from simdc.sweep.run import Sweep, run_sweep
from simdc.sweep.stored import content_hash

SCENARIO = """
title = "A sweep's own"
[run]
draws = 400
seed = 11
[entity]
id = "E1"
type = "standard"
performance_year = 2023
[[population.segment]]
name = "aged"
category = "A&D"
beneficiaries = 300
expected_cost_pbpm = 1000
severity = { distribution = "lognormal", sigma = 1.2 }
[[population.segment]]
name = "esrd"
category = "ESRD"
beneficiaries = 20
expected_cost_pbpm = 8000
severity = { distribution = "gamma", cv = 0.9 }
[benchmark]
pbpm = 1500
[drivers]
national_trend = { distribution = "default" }
entity_effect = { distribution = "normal", sd = 0.03 }
quality_score = { distribution = "beta", alpha = 9, beta = 1 }
[[track]]
name = "global"
program = "reach"
option = "global"
[[track]]
name = "professional"
program = "reach"
option = "professional"
[[track]]
name = "stopped"
program = "reach"
option = "global"
[track.stop_loss]
bands = [
  { from = 100_000, to = 300_000, payout_rate = 0.8 },
  { from = 300_000, payout_rate = 0.9 },
]
charge = "neutral"
"""

DISCOUNT = "track.global.rules.discount"
ATTACHMENT = "track.stopped.stop_loss.bands[0].from"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "scenario.toml"
    file.write_text(SCENARIO, encoding="utf-8")
    return file


@pytest.fixture
def loaded(path):
    return load_scenario(path)


def swept(loaded, target, *vary, executor=None, **options):
    return run_sweep(loaded, target, vary, executor=executor or Threads(2), **options)


def planned(loaded, *vary, **options):
    return Sweep(loaded, design_of(loaded, vary, seed=1, **options))


def assert_points_are_runs(tree, loaded, vary, *, draws=False, **options):
    """Every figure of every point, to the bit, is that of a run of the point's scenario alone."""
    design = design_of(loaded, vary, seed=loaded.scenario.run.seed, **options)
    shape = tree.attrs["swept_shape"]
    for index, point in enumerate(build_scenarios(loaded, design)):
        place = np.unravel_index(index, shape)
        alone = run(point, executor=Threads(1))
        for name in ("summary", "guarantee", *(["draws"] if draws else [])):
            expected, found = group(alone, name), group(tree, name)
            for variable in found.attrs["per_point"]:
                np.testing.assert_array_equal(
                    found[variable].values[place], expected[variable].values, f"{name}/{variable}"
                )
                assert found[variable].attrs == expected[variable].attrs


# --- figures ------------------------------------------------------------------------------------

DESIGNS = {
    "settlement alone": [f"{DISCOUNT}=0.01,0.02,0.03"],
    "a term of every track": ["track.*.rules.guarantee_rate=0.02,0.03"],
    "stop-loss designs": [f"{ATTACHMENT}=100000,120000,150000"],
    "a charge": ["track.stopped.stop_loss.loading=1.0,1.3"],
    "people": ["population.segment.aged.beneficiaries=200,300"],
    "severity": ["population.segment.aged.severity.sigma=1.0,1.3"],
    "a driver of cost": ["drivers.entity_effect.sd=0,0.05"],
    "another driver": ["drivers.quality_score.alpha=5,9"],
    "a driver on and off": ['drivers.completion={distribution="fixed",value=1.01}'],
    "seeds": ["run.seed=11,12"],
    "draws": ["run.draws=300,400"],
    "years": ["entity.performance_year=2023,2024"],
    "a grid": [f"{DISCOUNT}=0.01,0.03", "run.seed=11,12", f"{ATTACHMENT}=90000,100000"],
}


@pytest.mark.parametrize("vary", DESIGNS.values(), ids=DESIGNS)
def test_every_point_is_a_run(loaded, tmp_path, vary):
    tree = swept(loaded, tmp_path / "sweep", *vary)
    assert_points_are_runs(tree, loaded, vary)


@pytest.mark.parametrize("keep", [False, True])
def test_draws_are_kept_where_asked_for(loaded, tmp_path, keep):
    vary = [f"{DISCOUNT}=0.01,0.03", "run.seed=11,12"]
    tree = swept(loaded, tmp_path / "sweep", *vary, keep_draws=keep)
    assert ("draws" in tree.children) is keep
    assert_points_are_runs(tree, loaded, vary, draws=keep)


def test_designs_beyond_what_a_pass_holds(loaded, tmp_path, monkeypatch):
    row = 8 * loaded.scenario.run.draws
    monkeypatch.setattr(simdc.sweep.passes, "PAYOUT_BYTES", 2 * row)
    monkeypatch.setattr(simdc.sweep.passes, "DESIGNS_AT_ONCE", 1)
    vary = [f"{DISCOUNT}=0.01,0.03", f"{ATTACHMENT}=80000,90000,100000,110000,120000"]
    tree = swept(loaded, tmp_path / "sweep", *vary)
    assert_points_are_runs(tree, loaded, vary)


def test_units_of_one_point_give_the_same(loaded, tmp_path, monkeypatch):
    vary = [f"{DISCOUNT}=0.01,0.02,0.03", "run.seed=11,12"]
    swept(loaded, tmp_path / "few", *vary)
    monkeypatch.setattr(simdc.sweep.plan, "_MOST_POINTS", 1)
    monkeypatch.setattr(simdc.sweep.evaluate, "_SETTLED", 1)
    assert swept(loaded, tmp_path / "many", *vary).attrs["units"] == 6
    assert content_hash(tmp_path / "few") == content_hash(tmp_path / "many")


def test_threads_change_no_bit(loaded, tmp_path):
    vary = [f"{ATTACHMENT}=90000,100000", "drivers.entity_effect.sd=0.02,0.03"]
    for workers in (1, 3):
        swept(loaded, tmp_path / str(workers), *vary, executor=Threads(workers))
    assert content_hash(tmp_path / "1") == content_hash(tmp_path / "3")


def test_a_cluster_changes_no_bit(loaded, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    from simdc.executors.cluster import Dask

    monkeypatch.setattr(simdc.sweep.plan, "_MOST_POINTS", 2)
    vary = [f"{DISCOUNT}=0.01,0.02,0.03", "run.seed=11,12"]
    swept(loaded, tmp_path / "here", *vary)
    with Dask.connect(workers=2) as cluster:
        swept(loaded, tmp_path / "there", *vary, executor=cluster)
    assert content_hash(tmp_path / "here") == content_hash(tmp_path / "there")


def test_points_share_their_luck(loaded, tmp_path):
    """A term of one track moves no draw of the others; nor does anything else of another's cost."""
    vary = [f"{DISCOUNT}=0.01,0.03", "drivers.quality_score.alpha=5,9"]
    tree = swept(loaded, tmp_path / "sweep", *vary, keep_draws=True)
    draws = group(tree, "draws")
    cash = draws["cash_due"].sel(track=["professional", "stopped"]).values
    np.testing.assert_array_equal(cash[0], cash[1])  # discounts of another track
    cost = draws["net_cost_of_care"].values
    np.testing.assert_array_equal(cost, np.broadcast_to(cost[0, 0], cost.shape))
    # As cost is the same in every draw, a larger discount leaves less in every draw.
    savings = draws["gross_savings"].sel(track="global").values
    assert (savings[0] > savings[1]).all()


# --- layout -------------------------------------------------------------------------------------


def test_a_grid_has_a_dimension_for_each_path(loaded, tmp_path):
    swept(loaded, tmp_path / "sweep", f"{DISCOUNT}=0.01,0.03", "run.seed=11,12,13")
    with xr.open_datatree(tmp_path / "sweep", engine="zarr") as tree:
        cash = tree["summary"]["cash_due"]
        assert cash.dims == (DISCOUNT, "run.seed", "track", "statistic", "figure")
        assert list(cash["run.seed"].values) == [11, 12, 13]
        assert list(cash["track"].values) == ["global", "professional", "stopped"]
        assert list(tree["guarantee"]["level"].values) == [0.9, 0.95, 0.99, 0.995]


@pytest.mark.parametrize(
    "options",
    [
        {"zip": True, "vary": [f"{DISCOUNT}=0.01,0.02,0.03", "run.seed=1,2,3"]},
        {"sample": "lhs:3", "vary": [f"{DISCOUNT}=uniform(0,0.04)"]},
    ],
    ids=["zip", "sample"],
)
def test_other_designs_have_one_dimension(loaded, tmp_path, options):
    vary = options.pop("vary")
    tree = swept(loaded, tmp_path / "sweep", *vary, **options)
    found = group(tree, "summary")["cash_due"]
    assert found.dims == ("point", "track", "statistic", "figure")
    assert found[DISCOUNT].dims == ("point",)
    assert_points_are_runs(tree, loaded, vary, **options)


def test_points_of_a_table_have_names(loaded, tmp_path):
    (tmp_path / "points.csv").write_text(f"name,{DISCOUNT}\nlow,0.01\nas it is,\n")
    tree = swept(loaded, tmp_path / "sweep", table=tmp_path / "points.csv")
    assert list(group(tree, "summary")["name"].values) == ["low", "as it is"]
    alone = group(run(loaded), "summary")["cash_due"].values
    np.testing.assert_array_equal(group(tree, "summary")["cash_due"].values[1], alone)


def test_levels_are_those_asked_for(loaded, tmp_path):
    tree = swept(loaded, tmp_path / "sweep", "run.seed=11", levels=(0.9, 0.5, 0.9))
    covering = group(tree, "guarantee")["covering_amount"]
    assert list(covering["level"].values) == [0.5, 0.9]
    usual = group(run(loaded), "guarantee")["covering_amount"].sel(level=0.9)
    np.testing.assert_array_equal(covering.sel(level=0.9)[0].values, usual.values)


# --- the plan -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vary", "passes", "settlements"),
    [
        ([f"{DISCOUNT}=lin(0,0.04,20)"], 1, 2 + 20),
        (["track.*.rules.guarantee_rate=0.02,0.03"], 1, 6),
        ([f"{DISCOUNT}=0.01,0.02", "run.seed=1,2,3"], 3, 3 * (2 + 2)),
        ([f"{ATTACHMENT}=lin(80000,120000,17)"], 2, 2 + 17),  # sixteen designs to a pass
        (["drivers.entity_effect.sd=0.01,0.02"], 2, 6),
        (["drivers.quality_score.alpha=5,9"], 1, 6),  # an amount; no cost rests on it
        (["population.segment.aged.beneficiaries=200,300"], 2, 6),
        (["track.stopped.stop_loss.loading=1,1.5"], 1, 4),  # who pays what does not change
    ],
)
def test_what_is_shared_is_counted_once(loaded, vary, passes, settlements):
    plan = planned(loaded, *vary).plan
    assert (plan.passes, plan.settlements) == (passes, settlements)


def test_units_hold_points_of_one_pass_where_passes_are_long(path):
    crowd = path.read_text().replace("beneficiaries = 300", "beneficiaries = 400_000")
    path.write_text(crowd.replace("draws = 400", "draws = 100_000"))
    plan = planned(load_scenario(path), "run.seed=1,2", f"{DISCOUNT}=lin(0,0.04,3)").plan
    assert plan.unit == (1, 3)
    assert plan.beneficiary_draws == 2 * 400_020 * 100_000


def test_more_takes_more(loaded):
    little, much = (
        planned(loaded, f"{DISCOUNT}=lin(0,0.04,{n})", "run.seed=1,2").forecast(1) for n in (2, 50)
    )
    for name in ("points", "settlements", "seconds", "memory_bytes", "disk_bytes"):
        assert getattr(much, name) > getattr(little, name), name
    assert much.passes == little.passes == 2


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--vary", f"{DISCOUNT}=0.01,7"], r"point 2 of 2 \(track\.global\.rules\.discount = 7\)"),
        (["--vary", "track.globl.option=global"], "did you mean 'track.global.option'"),
        (["--vary", "run.seed=1,2", "--seed", "3"], r"run\.seed is varied; leave out --seed"),
        (["--vary", "run.draws=10,20", "--draws", "3"], r"run\.draws is varied; leave out --draws"),
        (["--vary", "run.draws=10,20", "--keep-draws"], "cannot keep them"),
        (["--vary", "run.seed=1", "--level", "99"], "strictly between 0 and 1"),
        ([], "nothing to vary"),
        (["--vary", "run.seed=1", "--resume"], "nothing is stored there"),
        # Found out only when people are read and contracts are written.
        (["--vary", "population.segment.aged.opt_out=0,1"], r"point 2 of 2.*somebody aligned"),
        (
            [
                "--vary",
                "track.professional.advanced_payment.claims_reduced=0.5,0.99",
                "--vary",
                'track.professional.capitation="primary_care"',
                "--vary",
                "track.professional.primary_care_capitation={base_rate=0.02}",
            ],
            r"point 2 of 2.*must leave room",
        ),
    ],
)
def test_bad_input_ends_with_2_and_writes_nothing(path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(path.parent)
    assert _status(["sweep", "scenario.toml", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.search(said, captured.err), captured.err
    assert [file.name for file in path.parent.iterdir()] == ["scenario.toml"]


def test_years_are_refused(path):
    path.write_text(SCENARIO.replace("[entity]", "[years]\nthrough = 2024\n[entity]"))
    loaded = load_scenario(path)
    with pytest.raises(InputError, match=r"a sweep is of one performance year"):
        planned(loaded, "run.seed=1")


def test_what_is_there_is_not_overwritten(path, monkeypatch, capsys):
    monkeypatch.chdir(path.parent)
    sweep = ["sweep", "scenario.toml", "--vary", "run.seed=1,2", "--quiet"]
    assert _status(sweep) == 0
    before = content_hash(path.parent / "results" / "scenario.sweep.zarr")
    assert _status(sweep) == 2
    assert "--resume" in capsys.readouterr().err
    assert content_hash(path.parent / "results" / "scenario.sweep.zarr") == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--vary", "run.seed=1,3"], "the swept points"),
        (["--vary", "run.seed=1,2", "--draws", "300"], r"the number of draws \(400, now 300\)"),
        (["--vary", "run.seed=1,2", "--keep-draws"], "the result variables"),
    ],
)
def test_another_sweep_does_not_resume(path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(path.parent)
    assert _status(["sweep", "scenario.toml", "--vary", "run.seed=1,2", "--quiet"]) == 0
    assert _status(["sweep", "scenario.toml", *arguments, "--resume"]) == 2
    assert re.search(f"differs in {said};", capsys.readouterr().err)


@pytest.mark.parametrize("room", ["memory", "disk"])
def test_what_does_not_fit_is_refused_beforehand(path, monkeypatch, capsys, room):
    monkeypatch.chdir(path.parent)
    if room == "memory":
        monkeypatch.setattr("simdc.cli.room._physical_memory", lambda: 10 * 2**20)
    else:
        usage = type("usage", (), {"free": 1000})
        monkeypatch.setattr("simdc.cli.room.shutil.disk_usage", lambda folder: usage)
    assert _status(["sweep", "scenario.toml", "--vary", "run.seed=1,2"]) == 2
    assert f"iB of {room}" in capsys.readouterr().err
    assert not (path.parent / "results").exists()


def test_the_dry_run_writes_nothing(path, monkeypatch, capsys):
    monkeypatch.chdir(path.parent)
    asked = ["sweep", "scenario.toml", "--vary", f"{DISCOUNT}=0.01,0.02", "--dry-run"]
    assert _status([*asked, "--json", "--threads", "3"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {name: told[name] for name in ("points", "passes", "settlements", "workers")} == {
        "points": 2,
        "passes": 1,
        "settlements": 4,
        "workers": 3,
    }
    assert _status(asked) == 0
    assert "1 pass of the kernel and 4 settlements" in capsys.readouterr().out
    assert [file.name for file in path.parent.iterdir()] == ["scenario.toml"]


# --- what stops it ------------------------------------------------------------------------------

SLOWLY = """
import sys, time
import simdc.sweep.plan
from simdc.cli.main import main
from simdc.sweep.evaluate import Evaluator
from simdc.sweep.store import SweepStore
simdc.sweep.plan._MOST_POINTS = 1
write, figures = SweepStore.write, Evaluator.figures
wrote = []
def telling(store, unit, values):
    write(store, unit, values)
    wrote.append(unit)
    print("wrote", unit.index, flush=True)
def slowly(evaluator, scenarios):
    if wrote:
        time.sleep(float(sys.argv[1]))
    return figures(evaluator, scenarios)
SweepStore.write, Evaluator.figures = telling, slowly
main(sys.argv[2:])
"""
POINTS = 6
VARY = ("--vary", f"{DISCOUNT}=0.01,0.02,0.03", "--vary", "run.seed=11,12")


def process(folder, pause, *options):
    """A sweep in a process of its own that says which units it wrote."""
    warm_up()
    command = [sys.executable, "-c", SLOWLY, str(pause), "sweep", "scenario.toml", *VARY, *options]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_units(running, units):
    for _ in range(units):
        assert running.stdout.readline().startswith("wrote")


def went_on(folder):
    """Exit status and messages once the sweep is gone on with."""
    running = process(folder, 0, "--resume", "--json")
    out, err = running.communicate(timeout=120)
    return running.returncode, out.count("wrote"), err


@pytest.fixture
def expected_hash(loaded, tmp_path):
    vary = [option for option in VARY if option != "--vary"]
    swept(loaded, tmp_path / "expected", *vary)
    return content_hash(tmp_path / "expected")


@pytest.mark.parametrize(
    ("wanted", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_stopped_sweep_goes_on_to_the_same_bits(path, expected_hash, wanted, status):
    folder, store = path.parent, path.parent / "results" / "scenario.sweep.zarr"
    running = process(folder, 60)
    wait_for_units(running, 1)
    running.send_signal(wanted)
    _, told = running.communicate(timeout=60)
    assert running.returncode == status
    if wanted != signal.SIGKILL:
        assert "of 6 points are saved in results/scenario.sweep.zarr" in told
        assert "the same command with --resume goes on" in told
        assert "Traceback" not in told
    status, written, told = went_on(folder)
    assert (status, written) == (0, POINTS - 1), told
    assert content_hash(store) == expected_hash


def test_a_second_process_is_refused(path):
    running = process(path.parent, 60)
    wait_for_units(running, 1)
    try:
        status, written, told = went_on(path.parent)
        assert (status, written) == (2, 0)
        assert f"process {running.pid} is writing to this sweep" in told
    finally:
        running.kill()
        running.communicate()


def test_a_full_disk_says_what_is_saved(path, monkeypatch, capsys, expected_hash):
    from simdc.sweep import store

    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(simdc.sweep.plan, "_MOST_POINTS", 1)
    real, forced = store.force, []

    def full(paths):
        forced.append(None)
        if len(forced) > 10:
            raise OSError(28, os.strerror(28))
        real(paths)

    monkeypatch.setattr(store, "force", full)
    assert _status(["sweep", "scenario.toml", *VARY]) == 1
    told = capsys.readouterr().err
    assert "No space left" in told
    assert re.search(r"[1-5] of 6 points are saved", told)
    monkeypatch.setattr(store, "force", real)
    assert _status(["sweep", "scenario.toml", *VARY, "--resume", "--json"]) == 0
    assert content_hash(path.parent / "results" / "scenario.sweep.zarr") == expected_hash


class LostCluster:
    """An executor that loses its workers after the first job."""

    workers, job_seconds, threads = 1, 1.0, Threads(1)

    def run(self, work, shared, jobs):
        yield 0, work(shared, next(iter(jobs)))
        raise SimdcError("the scheduler is gone.")


def test_a_lost_cluster_says_what_is_saved(path, monkeypatch, capsys, expected_hash):
    monkeypatch.chdir(path.parent)
    monkeypatch.setattr(simdc.sweep.plan, "_MOST_POINTS", 1)
    with monkeypatch.context() as lost:
        opened = contextlib.nullcontext(LostCluster())
        lost.setattr("simdc.cli.where.Where.opened", lambda where: opened)
        assert _status(["sweep", "scenario.toml", *VARY]) == 1
    told = capsys.readouterr().err
    assert "the scheduler is gone" in told
    assert "1 of 6 points are saved in results/scenario.sweep.zarr" in told
    assert _status(["sweep", "scenario.toml", *VARY, "--resume", "--json"]) == 0
    assert content_hash(path.parent / "results" / "scenario.sweep.zarr") == expected_hash


def test_damage_is_worked_out_again(path, monkeypatch, capsys, expected_hash):
    monkeypatch.chdir(path.parent)
    assert _status(["sweep", "scenario.toml", *VARY]) == 0
    store = path.parent / "results" / "scenario.sweep.zarr"
    chunk = next((store / "summary" / "cash_due").glob("c.*"))
    chunk.write_bytes(chunk.read_bytes()[:-1])
    assert _status(["sweep", "scenario.toml", *VARY, "--resume"]) == 0
    assert "points were damaged on disk" in capsys.readouterr().err
    assert content_hash(store) == expected_hash


# --- memory -------------------------------------------------------------------------------------

MEASURED = """
import os, re, sys
from simdc.cli.main import _status
with open(os.devnull, "w") as sys.stdout:
    assert _status(sys.argv[1:]) == 0
sys.stderr.write(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
"""


def peak_of(path, points, *options):
    warm_up()
    asked = ("sweep", str(path), "--vary", f"{DISCOUNT}=lin(0,0.04,{points})", "--quiet", *options)
    target = path.parent / f"{points}.zarr"
    told = subprocess.run(
        [sys.executable, "-c", MEASURED, *asked, "-o", str(target)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert told.returncode == 0, told.stderr
    return 1024 * int(told.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; the base is Linux's")
def test_memory_does_not_grow_with_points(path):
    few, many = (peak_of(path, points) for points in (20, 400))
    assert many < 1.2 * few
    foretold = planned(load_scenario(path), f"{DISCOUNT}=lin(0,0.04,400)").forecast(1).memory_bytes
    assert 0.8 * foretold < many < 1.2 * foretold


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; the base is Linux's")
def test_memory_and_disk_are_foretold_where_draws_are_kept(path):
    vary = f"{DISCOUNT}=lin(0,0.04,50)"
    peak = peak_of(path, 50, "--keep-draws", "--draws", "20000")
    big = load_scenario(path, {"run.draws": 20_000})
    foretold = Sweep(big, design_of(big, [vary], seed=1), keep_draws=True).forecast(1)
    assert 0.8 * foretold.memory_bytes < peak < 1.2 * foretold.memory_bytes
    store = path.parent / "50.zarr"
    disk = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    assert 0.8 * foretold.disk_bytes < disk < 1.2 * foretold.disk_bytes
