"""A result with draws added: the bits of one run, or a sentence and the old result untouched."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest
import xarray as xr

import simdc.extend
from simdc.cli.main import _status
from simdc.errors import InputError
from simdc.extend import extend, stored_run
from simdc.result import build_result, group, read_result, write_result
from simdc.runner import run
from simdc.scenario import load_scenario

SCENARIO = """
title = "A few people"

[run]
draws = 300
seed = 5

[entity]
id = "test"
type = "standard"
performance_year = 2022

[population]
{people}

[[population.segment]]
name = "aged"
category = "A&D"
{cost}
severity = {{ distribution = "lognormal", cv = 1.8 }}

[benchmark]
dollars = 1.2e6

[[track]]
name = "global"
program = "gpdc"
option = "global"

[[track]]
name = "professional"
program = "gpdc"
option = "professional"
"""
COMPARED = ("inputs", "draws", "summary", "guarantee")


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "few.toml"
    cost = "beneficiaries = 90\nexpected_cost_pbpm = 1000.0"
    path.write_text(SCENARIO.format(people="", cost=cost))
    return path


@pytest.fixture
def with_people(tmp_path):
    """A scenario in a folder of its own that names a file of people, and that file."""
    folder = tmp_path / "scenarios"
    folder.mkdir()
    people = folder / "people.csv"
    rows = "".join(f"aged,{100 * number},12\n" for number in range(50, 140))
    people.write_text(f"segment,expected_cost,months\n{rows}")
    path = folder / "listed.toml"
    path.write_text(SCENARIO.format(people='file = "people.csv"', cost=""))
    return path, people


def written(scenario, target, **options):
    write_result(run(load_scenario(scenario), **options), target)
    return target


def longer(path, draws, scenario=None):
    with read_result(path) as tree:
        return extend(stored_run(tree, path, scenario), draws)


def assert_same(tree, path):
    with read_result(path) as other:
        for name in COMPARED:
            xr.testing.assert_identical(group(tree, name).load(), group(other, name).load())


def change(path, **attributes):
    """Change what a result tells of where it comes from; None takes it away."""
    with h5py.File(path, "r+") as file:
        for name, value in attributes.items():
            del file.attrs[name]
            if value is not None:
                file.attrs[name] = value


class TestOutcome:
    @pytest.mark.parametrize(("there", "added"), [(300, 300), (300, 1), (1, 299), (130, 470)])
    def test_is_one_run_of_all_draws(self, scenario, tmp_path, there, added):
        tree = longer(written(scenario, tmp_path / "part.nc", draws=there), added)
        assert_same(tree, written(scenario, tmp_path / "whole.nc", draws=there + added))
        assert tree.attrs["draws"] == there + added

    def test_does_not_depend_on_how_often_draws_were_added(self, scenario, tmp_path):
        path = written(scenario, tmp_path / "part.nc", draws=100)
        for added in (50, 150, 1):
            write_result(longer(path, added), path)
        with read_result(path) as tree:
            assert_same(tree, written(scenario, tmp_path / "whole.nc", draws=301))

    def test_goes_on_with_the_seed_and_the_settings_of_the_result(self, scenario, tmp_path):
        loaded = load_scenario(scenario, {"benchmark.dollars": 1.1e6})
        path = tmp_path / "part.nc"
        write_result(run(loaded, draws=200, seed=2**64 - 1), path)
        scenario.unlink()  # the result holds it
        tree = longer(path, 100)
        write_result(run(loaded, draws=300, seed=2**64 - 1), tmp_path / "whole.nc")
        assert_same(tree, tmp_path / "whole.nc")
        assert json.loads(tree.attrs["scenario_overrides"]) == {"benchmark.dollars": 1.1e6}

    def test_seconds_are_those_of_all_draws(self, scenario, tmp_path):
        path = written(scenario, tmp_path / "part.nc")
        change(path, durations=json.dumps({"kernel": 1000.0}))
        assert json.loads(longer(path, 10).attrs["durations"])["kernel"] > 1000.0

    def test_watched_figures_are_looked_at_once_more(self, scenario, tmp_path, capsys):
        path = tmp_path / "part.nc"
        asked = ["--until", "global.mean +- 1", "--draws", "100", "--max-draws", "200"]
        assert _status(["run", str(scenario), *asked, "-o", str(path), "--quiet"]) == 0
        tree = longer(path, 300)
        found = group(tree, "convergence").sel(watched="global.mean")
        assert list(found["draws"].values) == [100, 200, 500]
        mean = group(tree, "summary")["cash_due"].sel(track="global", statistic="mean")
        assert list(found["watched_figure"].sel(draws=500).values) == list(mean.values)


class TestFilesOfTheScenario:
    def test_are_told_by_their_hash(self, with_people, tmp_path):
        path, _ = with_people
        with read_result(written(path, tmp_path / "part.nc")) as tree:
            assert list(json.loads(tree.attrs["inputs_sha256"])) == ["people.csv"]

    def test_are_found_beside_the_result_in_the_current_folder_or_beside_the_scenario(
        self, with_people, tmp_path, monkeypatch
    ):
        path, people = with_people
        whole = written(path, tmp_path / "whole.nc", draws=400)
        results = tmp_path / "results"
        part = written(path, results / "part.nc")
        with pytest.raises(InputError, match=r"names the file 'people\.csv'.*--scenario"):
            longer(part, 100)
        assert_same(longer(part, 100, path), whole)
        monkeypatch.chdir(people.parent)
        assert_same(longer(part, 100), whole)
        monkeypatch.chdir(tmp_path)
        people.rename(results / people.name)
        assert_same(longer(part, 100), whole)

    def test_that_have_changed_are_refused(self, with_people, tmp_path):
        path, people = with_people
        part = written(path, tmp_path / "part.nc")
        people.write_text(people.read_text().replace("aged,13900,", "aged,13901,"))
        with pytest.raises(InputError, match=r"people\.csv: has changed since"):
            longer(part, 100, path)

    def test_of_another_scenario_are_refused(self, with_people, scenario, tmp_path):
        part = written(with_people[0], tmp_path / "part.nc")
        with pytest.raises(InputError, match=r"few\.toml: is not the scenario that"):
            longer(part, 100, scenario)

    def test_without_a_hash_are_refused(self, with_people, tmp_path):
        path, _ = with_people
        part = written(path, tmp_path / "part.nc")
        change(part, inputs_sha256=None)
        with pytest.raises(InputError, match=r"earlier version.*'people\.csv'"):
            longer(part, 100, path)

    def test_need_no_hash_where_there_are_none(self, scenario, tmp_path):
        part = written(scenario, tmp_path / "part.nc")
        change(part, inputs_sha256=None)
        assert longer(part, 100).attrs["draws"] == 400


class TestRefusals:
    def test_of_another_draw_scheme(self, scenario, tmp_path):
        part = written(scenario, tmp_path / "part.nc")
        change(part, draw_scheme="dice/0")
        with pytest.raises(InputError, match="draws are of the scheme 'dice/0'"):
            longer(part, 100)

    def test_of_an_attribution(self, scenario, tmp_path):
        part = written(scenario, tmp_path / "part.nc", attribution=True)
        with pytest.raises(InputError, match="holds an attribution"):
            longer(part, 100)

    def test_of_several_years(self, tmp_path):
        years = sorted((Path(__file__).parents[2] / "scenarios" / "years").glob("*.toml"))[0]
        part = written(years, tmp_path / "part.nc", draws=200)
        with pytest.raises(InputError, match="holds several performance years"):
            longer(part, 100)

    def test_of_a_scenario_that_is_not_the_one_it_was_run_from(self, scenario, tmp_path):
        part = written(scenario, tmp_path / "part.nc")
        change(part, scenario=scenario.read_text().replace("1.2e6", "1.1e6"))
        with pytest.raises(InputError, match="is damaged"):
            longer(part, 100)

    @pytest.mark.parametrize(
        ("name", "place"),
        [("draws/cash_due", (1, 7)), ("draws/cost", (0, 127)), ("guarantee/required_guarantee", 0)],
    )
    def test_of_draws_that_do_not_come_out_again(self, scenario, tmp_path, name, place):
        part = written(scenario, tmp_path / "part.nc")
        with h5py.File(part, "r+") as file:
            file[name][place] *= 1.0001
        with pytest.raises(InputError, match="not what this version of simdc makes"):
            longer(part, 100)

    def test_of_other_rules(self, scenario, tmp_path, monkeypatch):
        part = written(scenario, tmp_path / "part.nc")

        def by_other_rules(simulation, loaded):
            tree = build_result(simulation, loaded)
            values = group(tree, "inputs")["rule_value"].values
            values[0] = "0.5"
            return tree

        monkeypatch.setattr(simdc.extend, "build_result", by_other_rules)
        with pytest.raises(InputError, match="not what this version of simdc makes"):
            longer(part, 100)


class TestCommand:
    def test_replaces_the_result(self, scenario, tmp_path, capsys):
        part = written(scenario, tmp_path / "part.nc")
        assert _status(["extend", str(part), "--draws", "100", "--threads", "2"]) == 0
        shown = capsys.readouterr().out
        assert "100 draws were added; all 400 are kept in" in shown
        with read_result(part) as tree:
            assert_same(tree, written(scenario, tmp_path / "whole.nc", draws=400))

    def test_writes_elsewhere_when_told_so(self, scenario, tmp_path, capsys):
        part = written(scenario, tmp_path / "part.nc")
        before, target = part.read_bytes(), tmp_path / "new" / "longer.nc"
        asked = ["extend", str(part), "--draws", "100", "-o", str(target), "--json"]
        assert _status(asked) == 0
        assert json.loads(capsys.readouterr().out)["draws"] == 400
        assert part.read_bytes() == before
        with read_result(target) as tree:
            assert group(tree, "draws").sizes["draw"] == 400

    @pytest.mark.parametrize(
        "options",
        [
            [],
            ["--draws", "0"],
            ["--draws", "-1"],
            ["--draws", "many"],
            ["--draws", "10", "-o", "longer.txt"],
            ["--draws", "10", "--scenario", "nowhere.toml"],
            ["--draws", "1000000000000"],
        ],
    )
    def test_mistakes_write_nothing(self, scenario, tmp_path, monkeypatch, capsys, options):
        part = written(scenario, tmp_path / "part.nc")
        before, there = part.read_bytes(), sorted(tmp_path.iterdir())
        monkeypatch.chdir(tmp_path)
        assert _status(["extend", "part.nc", *options]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert "Traceback" not in told.err
        assert part.read_bytes() == before
        assert sorted(tmp_path.iterdir()) == there

    def test_what_is_no_result_is_refused(self, scenario, tmp_path):
        assert _status(["extend", str(scenario), "--draws", "10"]) == 2
        assert _status(["extend", str(tmp_path / "nowhere.nc"), "--draws", "10"]) == 2

    @pytest.mark.parametrize("at", ["simulate", "join"])
    def test_an_interrupt_leaves_the_result_and_says_so(
        self, scenario, tmp_path, monkeypatch, capsys, at
    ):
        part = written(scenario, tmp_path / "part.nc")
        before = part.read_bytes()

        def interrupted(*args, **options):
            raise KeyboardInterrupt

        monkeypatch.setattr(simdc.extend, at, interrupted)
        assert _status(["extend", str(part), "--draws", "100"]) == 130
        assert "part.nc is left as it was" in capsys.readouterr().err
        assert part.read_bytes() == before
        assert sorted(tmp_path.glob("*.nc*")) == [part]


@pytest.mark.skipif(os.name == "nt", reason="signals are a POSIX matter")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_leaves_the_result(tmp_path, sent):
    ready = Path(__file__).parents[2] / "scenarios" / "small-standard-global-tcc.toml"
    part = written(ready, tmp_path / "part.nc", draws=200)
    before = part.read_bytes()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "simdc",
            "extend",
            str(part),
            "--draws",
            "4000000",
            "-o",
            "new/r.nc",
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "new").exists():  # made when everything has been checked
        assert process.poll() is None, "the command ended before it could be interrupted"
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(sent)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + sent
    assert "part.nc is left as it was" in told
    assert "Traceback" not in told
    assert part.read_bytes() == before
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [part]
