"""What a run is foretold to take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from simdc.cli.main import _status
from simdc.kernels.ready import warm_up
from simdc.runner import forecast
from simdc.scenario import load_scenario

SCENARIO = Path(__file__).parents[2] / "scenarios" / "standard-professional.toml"


@pytest.fixture(scope="module")
def loaded():
    return load_scenario(SCENARIO)


def test_more_of_anything_takes_more(loaded):
    little = forecast(loaded, draws=1_000, workers=1)
    much = forecast(loaded, draws=1_000_000, workers=1)
    assert much.memory_bytes > little.memory_bytes
    assert much.disk_bytes > little.disk_bytes
    assert much.seconds > forecast(loaded, draws=1_000_000, workers=4).seconds
    assert (little.tracks, little.beneficiaries) == (6, 9_543)


def test_attribution_takes_a_pass_for_each_driver_of_cost(loaded):
    drivers = loaded.scenario.drivers
    assert {"national_trend", "regional_trend", "entity_effect"} < drivers.model_fields_set
    seconds = {
        (draws, attribution): forecast(
            loaded, draws=draws, workers=1, attribution=attribution
        ).seconds
        for draws in (1, 10**9)
        for attribution in (False, True)
    }
    alone = seconds[10**9, False] - seconds[1, False]
    beside = seconds[10**9, True] - seconds[1, True]
    # The run, its payouts, people alone, and three drivers of cost; settling comes on top.
    assert 6.0 * alone < beside < 7.0 * alone


def test_the_dry_run_counts_attribution(capsys):
    told = {}
    for asked in ((), ("--attribution",)):
        assert _status(["run", str(SCENARIO), "--dry-run", "--json", *asked]) == 0
        told[asked] = json.loads(capsys.readouterr().out)
    assert told["--attribution",]["seconds"] > told[()]["seconds"]
    assert told["--attribution",]["memory_bytes"] > told[()]["memory_bytes"]


def test_the_dry_run_runs_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert _status(["run", str(SCENARIO), "--dry-run", "--json", "--threads", "2"]) == 0
    foretold = json.loads(capsys.readouterr().out)
    assert foretold["workers"] == 2
    assert foretold["draws"] == 10_000
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc; the base is Linux's")
@pytest.mark.parametrize(
    ("draws", "attribution"), [(500, False), (200_000, False), (200_000, True)]
)
def test_memory_and_disk_are_within_a_fifth(loaded, tmp_path, draws, attribution):
    warm_up()  # compiling takes memory of its own, once on a machine
    # The peak of its own memory: that of getrusage starts from the process that forked it.
    output = tmp_path / "result.nc"
    code = (
        "import os, re, sys\n"
        "from simdc.cli.main import _status\n"
        "with open(os.devnull, 'w') as sys.stdout:\n"
        "    assert _status(sys.argv[1:]) == 0\n"
        "status = open('/proc/self/status').read()\n"
        "sys.stderr.write(re.search(r'VmHWM:\\s*(\\d+) kB', status)[1])\n"
    )
    run = ("run", str(SCENARIO), "--draws", str(draws), "-o", str(output), "--quiet")
    run += ("--attribution",) * attribution
    told = subprocess.run(
        [sys.executable, "-c", code, *run], capture_output=True, text=True, timeout=300
    )
    assert told.returncode == 0, told.stderr
    foretold = forecast(loaded, draws=draws, workers=1, attribution=attribution)
    assert int(told.stderr) * 1024 == pytest.approx(foretold.memory_bytes, rel=0.20)
    assert output.stat().st_size == pytest.approx(foretold.disk_bytes, rel=0.20)
