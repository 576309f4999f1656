"""The Dask executor, on real clusters of processes: the same bits, and every way to end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import xarray as xr

from simdc.cli.main import _status
from simdc.cli.where import Where
from simdc.engine import simulate
from simdc.errors import InputError, SimdcError
from simdc.executors import Threads, cluster, connect, worker
from simdc.executors.cluster import Dask
from simdc.scenario import load_scenario

SCENARIO = Path(__file__).parents[2] / "scenarios" / "small-standard-global-tcc.toml"
DRAWS = 3_000

posix = pytest.mark.skipif(os.name == "nt", reason="signals are a POSIX matter")


@pytest.fixture(scope="module")
def local():
    with Dask.connect(workers=2) as executor:
        yield executor


@pytest.fixture(scope="module")
def loaded():
    return load_scenario(SCENARIO)


@pytest.fixture(scope="module")
def serial(loaded):
    return run(loaded, Threads(1))


def run(loaded, executor, **options):
    return simulate(
        loaded.scenario, base_dir=loaded.base_dir, draws=DRAWS, executor=executor, **options
    )


def assert_same_bits(found, expected):
    assert found.cost.tobytes() == expected.cost.tobytes()
    for here, there in zip(found.tracks, expected.tracks, strict=True):
        assert here.draws.keys() == there.draws.keys()
        for line, values in here.draws.items():
            assert values.tobytes() == there.draws[line].tobytes(), line


# Work that a test can watch; workers import it from here.


def add(shared, job):
    return shared + job


def slowly(shared, job):
    time.sleep(shared)
    return job, os.getpid()


def fail(shared, job):
    raise shared(f"job {job}")


def die(shared, job):
    os._exit(1)


# --- the same bits ----------------------------------------------------------------------------


@pytest.mark.parametrize("block_size", [None, 128, 640, 100_000])
def test_any_size_of_job_gives_the_bits_of_one_thread(local, loaded, serial, block_size):
    assert_same_bits(run(loaded, local, block_size=block_size), serial)


@pytest.mark.slow
@posix
@pytest.mark.parametrize("victims", [1, 2])
def test_workers_killed_in_the_middle_change_nothing(loaded, serial, victims):
    """With both of them goes all that was shared; what comes in their place must get it again."""
    with Dask.connect(workers=2) as executor:
        alive = list(executor.client.run(os.getpid).values())

        def kill(done):
            while alive and len(alive) > 2 - victims:
                os.kill(alive.pop(), signal.SIGKILL)

        found = run(loaded, executor, block_size=128, progress=kill)
        assert len(alive) == 2 - victims
    assert_same_bits(found, serial)


def test_results_come_with_the_place_of_their_job(local):
    results = dict(local.run(add, np.arange(3), iter(range(50))))
    assert sorted(results) == list(range(50))
    assert all((results[index] == np.arange(3) + index).all() for index in results)


def test_nothing_to_do_is_done(local):
    assert list(local.run(add, 0, [])) == []


# --- what it asks of the cluster --------------------------------------------------------------


def test_few_jobs_are_in_flight(local):
    taken = 0

    def jobs():
        nonlocal taken
        for job in range(40):
            taken += 1
            yield job

    waiting = [taken - done for done, _ in enumerate(local.run(slowly, 0.01, jobs()))]
    assert max(waiting) <= 3 * local.workers
    assert min(waiting[:20]) > local.workers  # and none of them idles


@pytest.mark.slow
def test_a_worker_that_joins_late_gets_its_share():
    with Dask.connect(workers=1) as executor:
        results = executor.run(slowly, 0.05, iter(range(1000)))
        seen = {next(results)[1][1] for _ in range(3)}
        assert len(seen) == 1
        executor.client.cluster.scale(2)
        for _, (_, pid) in results:
            seen.add(pid)
            if len(seen) == 2:
                break
        results.close()
    assert len(seen) == 2


def test_workers_have_one_thread_and_loaded_kernels(local):
    list(local.run(slowly, 0.05, iter(range(8))))
    assert local.workers == 2
    assert set(local.client.run(os.getenv, "NUMBA_NUM_THREADS").values()) == {"1"}
    loaded = local.client.run(lambda: "simdc.kernels.strip" in sys.modules)
    assert set(loaded.values()) == {True}


def test_only_this_machine_can_reach_a_local_cluster(local):
    scheduler = local.client.cluster.scheduler
    assert scheduler.address.startswith("tcp://127.0.0.1:")
    assert scheduler.http_server.address == "127.0.0.1"
    assert all(address.startswith("tcp://127.0.0.1:") for address in local.client.nthreads())


def test_a_reader_that_has_had_enough_leaves_no_jobs_behind(local):
    results = local.run(slowly, 0.05, iter(range(1000)))
    next(results)
    results.close()
    deadline = time.monotonic() + 20
    while local.client.cluster.scheduler.tasks:
        assert time.monotonic() < deadline
        time.sleep(0.05)


# --- what goes wrong --------------------------------------------------------------------------


def test_what_a_job_raises_is_raised_here(local):
    with pytest.raises(ZeroDivisionError, match="job 7"):
        list(local.run(fail, ZeroDivisionError, [7]))


@pytest.mark.slow
def test_a_job_that_kills_its_workers_is_given_up_with_a_sentence(monkeypatch):
    monkeypatch.setitem(cluster._SETTINGS, "distributed.scheduler.allowed-failures", 1)
    with (
        Dask.connect(workers=1) as executor,
        pytest.raises(SimdcError, match="2 workers had died under it"),
    ):
        list(executor.run(die, None, [0]))


def test_workers_of_another_version_are_refused(local, monkeypatch):
    monkeypatch.setattr(worker, "versions", lambda names: {"simdc": "99.0"})
    with (
        pytest.raises(SimdcError, match=r"at tcp:.*: simdc .*; here: simdc 99\.0"),
        Dask.connect(local.address),
    ):
        pass
    with pytest.raises(SimdcError, match=r"a worker runs simdc .* this is simdc 99\.0"):
        list(local.run(add, 0, [1]))


WITHOUT_THE_PACKAGE = (
    "-c",
    "import sys; sys.modules['simdc'] = None; from dask.__main__ import main; main()",
)


@pytest.mark.parametrize("lacking", ["scheduler", "worker"])
def test_a_cluster_without_the_package_is_refused(lacking):
    with (
        scheduler(workers=1, **{lacking: WITHOUT_THE_PACKAGE}) as (address, _),
        pytest.raises(SimdcError, match=r"No module named 'simdc.*; here: simdc .*; install"),
        Dask.connect(address),
    ):
        pass


def test_a_worker_that_lacks_a_module_is_told_as_such(local):
    with pytest.raises(SimdcError, match=r"cannot import what it needs .* install simdc"):
        list(local.run(fail, ModuleNotFoundError, [1]))


def test_a_scheduler_without_workers_is_told_as_such(monkeypatch):
    monkeypatch.setattr(cluster, "_WORKERLESS_SECONDS", 0.5)
    with (
        scheduler() as (address, _),
        pytest.raises(SimdcError, match=r"has had no worker for 0\.5 seconds"),
        Dask.connect(address),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "error", "sentence"),
    [
        ("tcp://127.0.0.1:9", SimdcError, "no Dask scheduler answered at tcp://127.0.0.1:9 "),
        ("127.0.0.1", InputError, "missing port number"),
        ("https://127.0.0.1:9", InputError, "unknown address scheme 'https'"),
        ("tls://127.0.0.1:9", InputError, "check your TLS configuration"),
    ],
)
def test_an_address_where_nothing_is(monkeypatch, address, error, sentence):
    monkeypatch.setattr(connect, "_CONNECT_SECONDS", 1)
    with pytest.raises(error) as raised, Dask.connect(address):
        pass
    assert type(raised.value) is error
    assert sentence in str(raised.value)


def test_a_worker_is_no_scheduler(local):
    address = next(iter(local.client.nthreads()))
    with (
        pytest.raises(InputError, match="is a Dask worker, not a scheduler"),
        Dask.connect(address),
    ):
        pass


def test_a_dashboard_without_bokeh_is_refused(monkeypatch):
    monkeypatch.setattr(connect.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install bokeh"), Dask.connect(dashboard=True):
        pass


# --- the command line -------------------------------------------------------------------------


DASK = ("-m", "dask")


@contextlib.contextmanager
def scheduler(*, workers=0, scheduler=DASK, worker=DASK):
    """A scheduler in a process of its own, with workers; yields its address and the process."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    place = ("--host", "127.0.0.1", "--no-dashboard")
    main = python(*scheduler, "scheduler", "--port", str(port), *place)
    others = [
        python(*worker, "worker", address, "--nthreads", "1", "--no-nanny", *place)
        for _ in range(workers)
    ]
    try:
        await_answer(port)
        yield address, main
    finally:
        for process in (*others, main):
            process.kill()
            process.wait()


def await_answer(port):
    deadline = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def python(*arguments):
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, *arguments], **quiet)


def command(*options):
    return [sys.executable, "-m", "simdc", "run", str(SCENARIO), *map(str, options)]


def started(folder, *options):
    """A command in a session of its own, far enough to be interrupted in its work."""
    process = subprocess.Popen(
        command(*options, "-o", "kept/r.nc"),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (folder / "kept").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    return process


@pytest.mark.slow
def test_the_command_keeps_the_bits_and_leaves_nothing_else(tmp_path):
    asked = ["--draws", 2000, "--json", "--quiet"]
    folder = tmp_path / "work"
    folder.mkdir()
    done = subprocess.run(
        command(*asked, "--workers", 2, "-o", "dask.nc"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    assert [path.name for path in folder.iterdir()] == ["dask.nc"]
    alone = ["--executor", "serial", "-o", tmp_path / "serial.nc"]
    assert _status(list(map(str, ["run", SCENARIO, *asked, *alone]))) == 0
    with (
        xr.open_datatree(tmp_path / "serial.nc") as one,
        xr.open_datatree(folder / "dask.nc") as other,
    ):
        for group in ("draws", "summary", "guarantee"):
            assert one[group].to_dataset().identical(other[group].to_dataset()), group


def started_with_workers(folder):
    """The same on a cluster of its own, which is two workers and what keeps track of them."""
    process = started(folder, "--workers", 2, "--draws", 3_000_000)
    deadline = time.monotonic() + 60
    while len(children := psutil.Process(process.pid).children(recursive=True)) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(1)
    return process, children


@pytest.mark.slow
@posix
@pytest.mark.parametrize("whole_group", [False, True], ids=["process", "terminal"])
def test_ctrl_c_leaves_neither_processes_nor_noise(tmp_path, whole_group):
    process, children = started_with_workers(tmp_path)
    send = os.killpg if whole_group else os.kill
    send(process.pid, signal.SIGINT)
    shown, told = process.communicate(timeout=60)
    assert (process.returncode, shown) == (130, "")
    assert told.split("\n\n") == [
        "simdc: no result has been written; the run would begin anew.",
        "simdc: interrupted.\n",
    ]
    assert psutil.wait_procs(children, timeout=10)[1] == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.slow
@posix
def test_a_killed_command_takes_its_workers_along(tmp_path):
    process, children = started_with_workers(tmp_path)
    process.kill()
    process.communicate(timeout=60)
    assert psutil.wait_procs(children, timeout=20)[1] == []


@pytest.mark.slow
@posix
def test_a_scheduler_that_goes_is_one_sentence(tmp_path):
    with scheduler(workers=1) as (address, main):
        process = started(tmp_path, "--scheduler", address, "--draws", 3_000_000)
        time.sleep(2)
        assert process.poll() is None
        main.kill()
        shown, told = process.communicate(timeout=60)
    assert told == f"simdc: the Dask scheduler at {address} is gone, or it dropped the jobs.\n"
    assert (process.returncode, shown) == (1, "")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--scheduler", "tcp://h:1", "--workers", "2"], "--workers is of a cluster that is"),
        (["--scheduler", "tcp://h:1", "--dashboard"], "--dashboard is of a cluster that is"),
        (["--executor", "threads", "--workers", "2"], "--workers is of --executor dask"),
        (["--executor", "serial", "--scheduler", "tcp://h:1"], "--scheduler is of --executor dask"),
        (["--executor", "serial", "--threads", "2"], "--threads is of --executor threads"),
        (["--workers", "2", "--threads", "2"], "--threads is of --executor threads"),
    ],
)
def test_options_that_contradict_each_other(capsys, options, sentence):
    assert _status(["run", str(SCENARIO), *options]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "executor"),
    [
        ({}, "threads"),
        ({"workers": 2}, "dask"),
        ({"scheduler": "tcp://h:1"}, "dask"),
        ({"dashboard": True}, "dask"),
        ({"executor": "dask"}, "dask"),
    ],
)
def test_an_option_of_dask_chooses_it(options, executor):
    nothing = dict.fromkeys(("executor", "threads", "scheduler", "workers")) | {"dashboard": False}
    assert Where.asked(**nothing | options).executor == executor


def test_without_the_extra_its_name_is_told(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "simdc.executors.cluster")
    assert _status(["run", str(SCENARIO), "--executor", "dask", "--discard"]) == 2
    assert 'pip install "simdc[distributed]"' in capsys.readouterr().err
