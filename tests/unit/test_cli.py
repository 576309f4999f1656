"""The command line as a user meets it: what it prints, where, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr

from simdc.cli.main import COMMANDS, _status

SCENARIO = Path(__file__).parents[2] / "scenarios" / "small-standard-global-tcc.toml"
HEAVY = ("numba", "scipy", "xarray", "pandas", "pydantic", "rich", "numpy")


def simdc(*args, **options):
    return subprocess.run(
        [sys.executable, "-m", "simdc", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )


def wait_until_under_way(process, folder):
    """The folder of the result is made when everything has been checked."""
    while not folder.exists():
        assert process.poll() is None, "the run ended before it could be interrupted"
        time.sleep(0.05)
    time.sleep(0.5)
    assert process.poll() is None, "the run ended before it could be interrupted"


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from simdc.cli.main import _status\n"
        "_status(['--help'])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr.strip() == "[]"
    for name in COMMANDS:
        assert name in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_within_80_columns(name, capsys):
    assert _status([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Usage: simdc")
    assert max(map(len, shown.splitlines())) <= 80


def test_a_mistyped_command_is_told_the_nearest(capsys):
    assert _status(["runn", "x.toml"]) == 2
    assert "did you mean 'run'" in capsys.readouterr().err


def test_version(capsys):
    assert _status(["--version"]) == 0
    assert capsys.readouterr().out.startswith("simdc ")


def test_a_name_of_a_file_steers_no_terminal(capsys):
    assert _status(["validate", "up\x1b[A\u202e.toml"]) == 2
    assert "up\\u001b[A\\u202e.toml: there is no such file" in capsys.readouterr().err
    assert _status(["validate", "a.toml", "up\u202e\x7f"]) == 2
    assert "unexpected extra argument (up\\u202e\\u007f)" in capsys.readouterr().err


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    target = folder / "kept.nc"
    done = simdc("run", SCENARIO, "--draws", 1000, "-o", target, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done, target


def test_run_prints_tables_and_keeps_the_draws(finished):
    done, target = finished
    for phrase in ("global-tcc-stop-loss", "P(loss)", "Assumptions", "positive is paid to"):
        assert phrase in done.stdout
    *tables, place = done.stdout.splitlines()
    assert max(map(len, tables)) <= 80
    assert place == str(target)
    assert "\x1b" not in done.stdout
    with xr.open_datatree(target, engine="h5netcdf") as tree:
        assert tree["draws"]["cash_due"].dims == ("track", "draw")
        assert tree["draws"]["cash_due"].shape == (6, 1000)


def test_guarantee_reads_the_result(finished):
    _, target = finished
    done = simdc("guarantee", target)
    assert done.returncode == 0
    assert "Required" in done.stdout


def test_json_is_all_there_is_on_standard_output(tmp_path):
    done = simdc("run", SCENARIO, "--draws", 400, "--json", "-o", tmp_path / "r.nc")
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["tracks"]) == 6


def test_the_default_place_is_results(tmp_path):
    done = simdc("run", SCENARIO, "--draws", 200, cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "results" / "small-standard-global-tcc.nc").exists()


def test_executors_and_threads_keep_the_bits(tmp_path):
    for number, options in enumerate((["--executor", "serial"], ["--threads", "3"])):
        done = simdc("run", SCENARIO, "--draws", 600, *options, "-o", tmp_path / f"{number}.nc")
        assert done.returncode == 0
    with (
        xr.open_datatree(tmp_path / "0.nc", engine="h5netcdf") as one,
        xr.open_datatree(tmp_path / "1.nc", engine="h5netcdf") as other,
    ):
        xr.testing.assert_identical(one["draws"].to_dataset(), other["draws"].to_dataset())
        xr.testing.assert_identical(one["guarantee"].to_dataset(), other["guarantee"].to_dataset())


def test_a_dry_run_writes_nothing(tmp_path):
    done = simdc("run", SCENARIO, "--dry-run", cwd=tmp_path)
    assert done.returncode == 0
    assert "Nothing was run" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["run", "nowhere.toml"], "nowhere.toml"),
        (["run", SCENARIO, "--draws", "0"], "--draws"),
        (["run", SCENARIO, "--draws", "many"], "--draws"),
        (["run", SCENARIO, "--executor", "gpu"], "--executor"),
        (["run", SCENARIO, "-o", "result.xlsx"], ".nc"),
        (["guarantee", "nowhere.nc"], "nowhere.nc"),
        (["guarantee", SCENARIO], "simdc"),
        (["programs", "show", "reech"], "reach"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(args, sentence, tmp_path):
    done = simdc(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_scenario_with_a_typo_writes_nothing(tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text(SCENARIO.read_text().replace("performance_year", "performence_year"))
    done = simdc("run", broken, cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'performance_year'?" in done.stderr
    assert "broken.toml" in done.stderr
    assert list(tmp_path.iterdir()) == [broken]


@pytest.mark.skipif(os.name == "nt", reason="signals are a POSIX matter")
def test_ctrl_c_ends_with_130_and_leaves_no_file(tmp_path):
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "simdc",
            "run",
            str(SCENARIO),
            "--draws",
            "4000000",
            "-o",
            "kept/r.nc",
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until_under_way(process, tmp_path / "kept")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in told
    assert "Traceback" not in told
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_reader_that_leaves_early_is_no_error():
    shown = subprocess.run(
        [
            "bash",
            "-c",
            f"{sys.executable} -m simdc programs show gpdc | head -1; exit ${{PIPESTATUS[0]}}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Traceback" not in shown.stderr


def test_doctor_and_warmup_report(capsys):
    assert _status(["warmup"]) == 0
    assert _status(["doctor", "--json"]) == 0
    shown = capsys.readouterr().out
    assert '"compiled kernels": "ready"' in shown


@pytest.mark.skipif(os.name == "nt", reason="the path is a POSIX one")
def test_kernels_work_where_nothing_can_be_written(tmp_path):
    environment = os.environ | {"SIMDC_CACHE_DIR": "/dev/null/nowhere"}
    done = simdc("run", SCENARIO, "--draws", 200, "-o", tmp_path / "r.nc", env=environment)
    assert done.returncode == 0, done.stderr


def test_nothing_is_kept_when_told_so(tmp_path):
    done = simdc("run", SCENARIO, "--draws", 200, "--discard", cwd=tmp_path)
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_is_refused_beforehand(tmp_path):
    done = simdc("run", SCENARIO, "--draws", 10**9, "--discard", cwd=tmp_path)
    assert done.returncode == 2
    assert "GiB of memory" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_as_such(tmp_path):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "simdc", "programs", "list"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "bug" not in done.stderr


def test_a_terminal_without_unicode_is_no_crash(tmp_path):
    environment = os.environ | {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = simdc("run", SCENARIO, "--draws", 200, "--discard", env=environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals are a POSIX matter")
def test_a_polite_kill_leaves_nothing_behind_and_sweeps_what_a_rude_one_left(tmp_path):
    left = tmp_path / ".r.nc.999999999.part"
    left.write_bytes(b"left by a process that is gone")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "simdc",
            "run",
            str(SCENARIO),
            "--draws",
            "4000000",
            "-o",
            "new/r.nc",
        ],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
    )
    wait_until_under_way(process, tmp_path / "new")
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [left]
    assert simdc("run", SCENARIO, "--draws", 200, "-o", "r.nc", cwd=tmp_path).returncode == 0
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["r.nc"]


@pytest.mark.parametrize(("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("error", [RuntimeError, OSError])
def test_an_interrupt_that_a_library_makes_its_own_error_is_one(signum, status, error):
    """As pydantic does while it builds a model, and HDF5 while it writes."""
    code = (
        "import signal\n"
        "import click\n"
        "from simdc.cli import main, validate\n"
        "@click.command()\n"
        "def interrupted():\n"
        "    try:\n"
        f"        signal.raise_signal({int(signum)})\n"
        "    except BaseException as error:\n"
        f"        raise {error.__name__}('building failed: KeyboardInterrupt') from error\n"
        "validate.command = interrupted\n"
        "main.main(['validate'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (status, "simdc: interrupted.\n")


@pytest.mark.skipif(os.name == "nt", reason="limits are a POSIX matter")
@pytest.mark.parametrize("kilobytes", [20, 50, 100, 200])
def test_a_file_that_may_not_be_so_long_is_told_in_a_sentence(tmp_path, kilobytes):
    """HDF5 itself may crash where a disk is full, so it is found out before."""
    command = f"ulimit -f {kilobytes}; exec {sys.executable} -m simdc run {SCENARIO} --draws 2000"
    done = subprocess.run(
        ["bash", "-c", f"{command} -o r.nc --quiet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "simdc: r.nc: cannot be written: File too large.\n",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="pipes are closed otherwise there")
def test_no_output_at_all_is_no_error():
    done = subprocess.run(
        ["bash", "-c", f"exec {sys.executable} -m simdc programs list >&-"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
