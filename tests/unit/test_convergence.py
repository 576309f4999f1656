"""Runs that go on until a figure is known: what may be asked, where they stop, what they leave."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from synthetic import loaded_scenario, simulation, three_tracks
from test_engine import DRIVERS, bits, run, scenario

from simdc.cli.main import _status
from simdc.convergence import Convergence, add_convergence, simulate_until
from simdc.errors import InputError
from simdc.estimate import Estimate, quantile
from simdc.executors import Threads
from simdc.figures import STATISTICS
from simdc.guarantee import LEVELS
from simdc.report.convergence import not_reached
from simdc.report.document import render_json
from simdc.report.terminal import render_run
from simdc.result import build_result, group
from simdc.variables import VARIABLES
from simdc.watch import LIMIT, Until, Watched, ask, figures

READY = Path(__file__).parents[2] / "scenarios" / "small-standard-global-tcc.toml"
USD = "US dollars"
TARGET = {"dollars": 150e6}


def bounds_of(until):
    return {each.name: each.bound for each in until.watched}


class TestAsking:
    @pytest.fixture(scope="class")
    @staticmethod
    def loaded():
        return loaded_scenario()

    @pytest.mark.parametrize("sign", ["±", " ± ", " +- ", "+-", " +/- ", "+/-"])
    def test_any_keyboard_will_do(self, loaded, sign):
        until = ask([f"Global TCC.guarantee_99{sign}50000"], loaded)
        assert until.watched == (Watched("Global TCC", "guarantee_99", 50_000.0, USD),)

    @pytest.mark.parametrize("every", ["", "*.", "track.", "track.*."])
    def test_every_track_is_watched_unless_one_is_named(self, loaded, every):
        until = ask([f"{every}tvar_99.5 ± 5e4"], loaded)
        assert [each.track for each in until.watched] == [
            track.name for track in loaded.scenario.track
        ]
        assert {each.figure for each in until.watched} == {"tvar_99.5"}

    @pytest.mark.parametrize(
        ("asked", "track", "figure"),
        [
            ("track.Global PCC.mean", "Global PCC", "mean"),
            ("Global PCC.shared_savings.mean", "Global PCC", "shared_savings.mean"),
            ("Global PCC.guarantee_99.5", "Global PCC", "guarantee_99.5"),
            (
                "Global PCC.gross_savings_rate.quantile_05",
                "Global PCC",
                "gross_savings_rate.quantile_05",
            ),
        ],
    )
    def test_names(self, loaded, asked, track, figure):
        (watched,) = ask([f"{asked} ± 1"], loaded).watched
        assert (watched.track, watched.figure) == (track, figure)

    def test_names_of_tracks_may_hold_dots_or_be_called_track(self):
        loaded = loaded_scenario(
            track=[
                {"name": name, "program": "gpdc", "option": "global"} for name in ("v1.2", "track")
            ]
        )
        assert list(bounds_of(ask(["v1.2.mean ± 1"], loaded))) == ["v1.2.mean"]
        assert list(bounds_of(ask(["track.mean ± 1"], loaded))) == ["track.mean"]
        assert list(bounds_of(ask(["track.v1.2.mean ± 1"], loaded))) == ["v1.2.mean"]

    def test_of_two_bounds_the_tighter_counts(self, loaded):
        until = ask(["*.mean ± 100", "Global TCC.mean ± 10", "Global PCC.mean ± 1000"], loaded)
        assert bounds_of(until) == {
            "Professional PCC.mean": 100.0,
            "Global PCC.mean": 100.0,
            "Global TCC.mean": 10.0,
        }

    def test_units_are_those_of_the_figure(self, loaded):
        asked = ["Global TCC.mean ± 1", "Global TCC.probability_owing ± 0.01"]
        assert [each.units for each in ask(asked, loaded).watched] == [USD, "1"]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("Global TCC.mean", "must read TRACK.FIGURE ± AMOUNT"),
            ("", "must read TRACK.FIGURE ± AMOUNT"),
            ("± 5", "must read TRACK.FIGURE ± AMOUNT"),
            ("mean ±", "finite number above 0"),
            ("mean ± 0", "finite number above 0"),
            ("mean ± -0.0", "finite number above 0"),
            ("mean ± -50000", "finite number above 0"),
            ("mean ± nan", "finite number above 0"),
            ("mean ± inf", "finite number above 0"),
            ("mean ± 5%", "finite number above 0"),
            ("mean ± ± 5", "finite number above 0"),
            ("Globl TCC.mean ± 5", "no track 'Globl TCC'.*did you mean 'Global TCC'"),
            ("Global TCC.guarante_99 ± 5", "no figure 'guarante_99'.*did you mean 'guarantee_99'"),
            ("guarantee_97.5 ± 5", "no figure 'guarantee_97.5'"),
            (
                "Global TCC.shared_saving.mean ± 5",
                "no figure 'shared_saving.mean'.*did you mean 'shared_savings.mean'",
            ),
        ],
    )
    def test_mistakes(self, loaded, text, told):
        with pytest.raises(InputError, match=told):
            ask([text], loaded)

    def test_draws(self, loaded):
        default = loaded.scenario.run.draws
        assert (ask(["mean ± 1"], loaded).first, ask(["mean ± 1"], loaded).limit) == (
            default,
            LIMIT,
        )
        until = ask(["mean ± 1"], loaded, max_draws=default - 1)
        assert (until.first, until.limit) == (default - 1, default - 1)
        assert ask(["mean ± 1"], loaded, draws=7, max_draws=7).first == 7
        until = ask(["mean ± 1"], loaded, draws=LIMIT + 1)
        assert (until.first, until.limit) == (LIMIT + 1, LIMIT + 1)
        with pytest.raises(InputError, match="first batch of 8 draws is beyond the limit of 7"):
            ask(["mean ± 1"], loaded, draws=8, max_draws=7)

    def test_figures_of_the_required_guarantee_need_one(self):
        loaded = loaded_scenario(
            track=[
                {"name": "free", "program": "mssp", "option": "basic-a", "benchmark": TARGET},
                {"name": "global", "program": "gpdc", "option": "global"},
            ]
        )
        assert list(bounds_of(ask(["*.expected_shortfall ± 1"], loaded))) == [
            "global.expected_shortfall"
        ]
        with pytest.raises(InputError, match="require no guarantee on free"):
            ask(["free.expected_shortfall ± 1"], loaded)


@pytest.mark.parametrize(
    ("first", "limit", "looks"),
    [
        (1000, 4000, [1000, 2000, 4000]),
        (1000, 4001, [1000, 2000, 4000, 4001]),
        (1000, 3999, [1000, 2000, 3999]),
        (1000, 1000, [1000]),
        (1, 1, [1]),
    ],
)
def test_looks_are_at_doublings_and_at_the_limit(first, limit, looks):
    assert list(Until((), first, limit).looks()) == looks


@pytest.mark.parametrize(
    ("estimate", "holds"),
    [
        (Estimate(10.0, 9.0, 11.0, 0.5), True),
        (Estimate(10.0, 8.999, 10.5, 0.5), False),
        (Estimate(10.0, 9.5, 11.001, 0.5), False),
        (Estimate(10.0, 10.0, 10.0, 0.0), True),
        (Estimate(0.0, 0.0, math.nan, math.nan), False),
        (Estimate(math.nan, math.nan, math.nan, math.nan), False),
    ],
)
def test_a_bound_holds_when_both_limits_do(estimate, holds):
    assert Watched("any", "mean", 1.0, USD).holds(estimate) is holds


class TestFigures:
    @pytest.fixture(scope="class")
    @staticmethod
    def settled():
        found = simulation(three_tracks(2_000))
        return found, build_result(found, loaded_scenario())

    def test_are_those_of_the_result(self, settled):
        found, tree = settled
        known = figures(loaded_scenario().scenario)
        guarantee, summary = group(tree, "guarantee"), group(tree, "summary")
        expected = {
            **{f"guarantee_{100 * p:g}": guarantee["covering_amount"].sel(level=p) for p in LEVELS},
            **{f"tvar_{100 * p:g}": guarantee["mean_owed_beyond"].sel(level=p) for p in LEVELS},
            **{
                str(name): variable
                for name, variable in guarantee.data_vars.items()
                if variable.dims == ("track", "figure")
            },
            **{name: summary["cash_due"].sel(statistic=name) for name in STATISTICS},
            **{
                f"{line}.{name}": summary[line].sel(statistic=name)
                for line in summary.data_vars
                for name in STATISTICS
            },
        }
        assert set(known) == set(expected)
        for name, figure in known.items():
            for track in found.tracks:
                np.testing.assert_array_equal(
                    figure.estimate(track), expected[name].sel(track=track.name), err_msg=name
                )
            assert figure.units == expected[name].attrs["units"], name


class TestRunning:
    @pytest.fixture(scope="class")
    @staticmethod
    def asked():
        return scenario(drivers=DRIVERS)

    def until(self, bound, *, figure="mean", first=250, limit=4000):
        return Until((Watched("global", figure, bound, USD),), first, limit)

    @pytest.fixture(scope="class")
    @staticmethod
    def distances(asked):
        """How far the limits of the mean lie from it, from one run of each number of draws."""
        found = {}
        for draws in (250, 500, 1000, 2000, 4000):
            cash = run(asked, draws=draws).tracks[0].draws["cash_due"]
            # Student's t at 97.5% lies between 1.96 and 1.97 for so many draws.
            found[draws] = 1.965 * cash.std(ddof=1) / np.sqrt(draws)
        return found

    @pytest.mark.parametrize("stop", [250, 500, 1000, 2000])
    def test_stops_at_the_first_look_within_the_bound(self, asked, distances, stop):
        until = self.until(1.01 * distances[stop])
        joined, convergence = simulate_until(asked, until, base_dir=Path())
        looks = [draws for draws in distances if draws <= stop]
        assert (joined.draws, list(convergence.draws)) == (stop, looks)
        assert convergence.reached == (True,)
        assert bits(joined) == bits(run(asked, draws=stop))

    def test_goes_on_where_the_bound_is_just_missed(self, asked, distances):
        joined, _ = simulate_until(asked, self.until(0.99 * distances[500]), base_dir=Path())
        assert joined.draws == 1000

    def test_stops_at_the_limit(self, asked):
        joined, convergence = simulate_until(asked, self.until(1.0, limit=600), base_dir=Path())
        assert (joined.draws, convergence.draws) == (600, (250, 500, 600))
        assert convergence.reached == (False,)

    def test_waits_for_a_figure_that_few_draws_cannot_support(self, asked):
        # The limits of a quantile at 99.5% take 736 draws.
        _, convergence = simulate_until(
            asked, self.until(1e9, figure="guarantee_99.5"), base_dir=Path()
        )
        assert convergence.draws == (250, 500, 1000)
        assert math.isnan(convergence.estimates[1][0].value)

    def test_leaves_what_one_run_leaves_whatever_it_runs_on(self, asked):
        until = self.until(1.0, limit=900)
        joined, _ = simulate_until(asked, until, base_dir=Path(), seed=9, executor=Threads(3))
        loaded, whole = loaded_scenario(), run(asked, draws=900, seed=9)
        for name in ("draws", "summary", "guarantee"):
            xr.testing.assert_identical(
                group(build_result(joined, loaded), name).load(),
                group(build_result(whole, loaded), name).load(),
            )

    def test_progress_counts_all_batches(self, asked):
        told = []
        simulate_until(asked, self.until(1.0, limit=600), base_dir=Path(), progress=told.append)
        assert told == sorted(told)
        assert told[-1] == 600


def test_the_last_interval_still_covers():
    """Stopping where the interval is narrow costs little of its confidence.

    Of 1,000 runs on a lognormal law at least 940 are to hold the true quantile, which leaves a
    point of confidence to stopping. Four standard errors (7.5 each) below lie 910: a false alarm
    once in 30,000.
    """
    generator, true = np.random.default_rng(11), math.exp(1.6448536269514722)
    watched = Watched("any", "quantile_95", 0.42, USD)
    held, stops = 0, []
    for _ in range(1000):
        sample = np.exp(generator.standard_normal(8_000))
        for draws in Until((watched,), 500, sample.size).looks():
            estimate = quantile(sample[:draws], 0.95)
            if watched.holds(estimate):
                break
        stops.append(draws)
        held += estimate.low <= true <= estimate.high
    assert len(set(stops)) > 2  # it really depends on the draws
    assert held > 910


class TestInResults:
    @pytest.fixture(scope="class")
    @staticmethod
    def tree():
        loaded = loaded_scenario()
        until = ask(["Global TCC.mean ± 1", "*.probability_owing ± 0.5"], loaded)
        found = simulation(three_tracks(2_000))
        convergence = Convergence(until).looked([simulation(three_tracks(1_000))], loaded.scenario)
        convergence = convergence.looked([found], loaded.scenario)
        return add_convergence(build_result(found, loaded), convergence)

    def test_group(self, tree):
        found = group(tree, "convergence")
        assert list(found["draws"].values) == [1000, 2000]
        assert list(found["bound_reached"].values) == [0, 1, 1, 1]
        last = found["watched_figure"].sel(watched="Global TCC.mean", draws=2000)
        mean = group(tree, "summary")["cash_due"].sel(track="Global TCC", statistic="mean")
        np.testing.assert_array_equal(last, mean)
        for name, variable in found.variables.items():
            assert variable.dims == VARIABLES[name].dims, name
            assert variable.attrs["units"] == VARIABLES[name].units, name

    def test_document(self, tree):
        found = json.loads(json.dumps(render_json(tree)))["convergence"]
        assert found["limit"] == LIMIT
        first = found["watched"][0]
        assert (first["figure"], first["bound"], first["reached"]) == (
            "Global TCC.mean",
            1.0,
            False,
        )
        assert [look["draws"] for look in first["looks"]] == [1000, 2000]
        # $3 million, by the law that the draws are made of.
        assert first["looks"][1]["estimate"] == pytest.approx(3e6, rel=1e-6)

    def test_table(self, tree):
        shown = io.StringIO()
        render_run(tree, shown)
        text = shown.getvalue()
        assert max(map(len, text.splitlines())) <= 80
        assert "Watched figures by number of draws" in text
        assert "2,000 draws left 1 figure less well known than asked for" in text

    def test_without_watched_figures_nothing_is_told(self):
        tree = build_result(simulation(three_tracks(100)), loaded_scenario())
        assert not_reached(tree) == ""
        assert render_json(tree)["convergence"] is None


class TestCommand:
    def test_runs_until_it_is_known(self, tmp_path, capsys):
        target = tmp_path / "kept.nc"
        asked = ["--until", "global-tcc.mean +- 200000", "--draws", "500", "--threads", "2"]
        assert _status(["run", str(READY), *asked, "-o", str(target), "--json", "--quiet"]) == 0
        printed = capsys.readouterr()
        found = json.loads(printed.out)
        assert printed.err == ""
        assert found["convergence"]["watched"][0]["reached"]
        draws = found["draws"]
        assert draws in (1000, 2000, 4000)
        with xr.open_datatree(target, engine="h5netcdf") as tree:
            assert tree["convergence/watched_figure"].sizes["draws"] == len(
                found["convergence"]["watched"][0]["looks"]
            )
            once = tmp_path / "once.nc"
            assert _status(["run", str(READY), "--draws", str(draws), "-o", str(once)]) == 0
            with xr.open_datatree(once, engine="h5netcdf") as other:
                for name in ("inputs", "draws", "summary", "guarantee"):
                    xr.testing.assert_identical(tree[name].to_dataset(), other[name].to_dataset())

    def test_says_plainly_where_it_stopped_short(self, tmp_path, capsys):
        target = tmp_path / "kept.nc"
        asked = ["--until", "mean ± 1", "--draws", "200", "--max-draws", "300"]
        assert _status(["run", str(READY), *asked, "-o", str(target)]) == 0
        told = capsys.readouterr()
        assert "300 draws left 6 figures less well known" in told.err
        assert "--max-draws" in told.err
        assert target.exists()

    @pytest.mark.parametrize(
        "options",
        [
            ["--until", "global-tcc.guarante_99 ± 5"],
            ["--until", "globl.guarantee_99 ± 5"],
            ["--until", "mean ± -5"],
            ["--until", "mean ± 0"],
            ["--until", "mean ± nan"],
            ["--until", "mean ± 5", "--until", "mean"],
            ["--until", "mean ± 5", "--draws", "10", "--max-draws", "9"],
            ["--until", "mean ± 5", "--max-draws", "0"],
            ["--until", "mean ± 5", "--max-draws", "1000000000"],
            ["--max-draws", "9"],
        ],
    )
    def test_mistakes_write_nothing(self, tmp_path, monkeypatch, capsys, options):
        monkeypatch.chdir(tmp_path)
        assert _status(["run", str(READY), *options]) == 2
        assert capsys.readouterr().out == ""
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    def test_several_years_are_refused(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        years = sorted((READY.parent / "years").glob("*.toml"))[0]
        assert _status(["run", str(years), "--until", "mean ± 5"]) == 2
        assert "one performance year" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []

    def test_the_dry_run_tells_of_the_first_batch_and_the_limit(
        self, tmp_path, monkeypatch, capsys
    ):
        monkeypatch.chdir(tmp_path)
        asked = ["run", str(READY), "--until", "mean ± 5", "--dry-run", "--max-draws", "20000"]
        assert _status([*asked, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["first_batch"]["draws"], told["limit"]["draws"]) == (10_000, 20_000)
        assert _status(asked) == 0
        assert "At the limit" in capsys.readouterr().out
        assert list(tmp_path.iterdir()) == []

    def test_without_a_limit_there_is_what_there_is_room_for(self, monkeypatch, capsys):
        # 4 million draws take gigabytes, and a first batch some megabytes beside the program.
        monkeypatch.setattr("simdc.cli.room._physical_memory", lambda: 1 << 30)
        asked = ["run", str(READY), "--until", "mean ± 5", "--dry-run", "--json"]
        assert _status(asked) == 0
        limit = json.loads(capsys.readouterr().out)["limit"]
        assert 10_000 < limit["draws"] < LIMIT
        assert 0.99 * (1 << 30) < limit["memory_bytes"] <= 1 << 30
