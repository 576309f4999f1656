"""Sensitivity: closed forms come out within their limits, what cannot matter does not, and the
same command gives the same bits.
"""

from __future__ import annotations

import io
import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simdc.cli.main import _status
from simdc.errors import InputError
from simdc.estimate import Estimate, draws_needed, normal_limits, probability
from simdc.executors import Threads
from simdc.report.sensitivity import render_sensitivity
from simdc.report.sensitivity_document import sensitivity_document
from simdc.scenario import load_scenario
from simdc.sensitivity.design import (
    SAMPLES,
    Change,
    saltelli,
    saltelli_points,
    settings_of,
    tornado,
)
from simdc.sensitivity.indices import is_coarse, samples_for, sobol_indices, why_none
from simdc.sensitivity.run import Sensitivity
from simdc.sensitivity.tornado import changes, figures, widest_first
from simdc.sweep.places import MISSING

# Everyone owes in every draw and stays in the first risk corridor, within which Global bears the
# whole loss: cash due is benchmark x (1 - 2% discount), less cost, less the stop-loss charge. No
# person reaches the attachment point.
SCENARIO = """
title = "Always owing"

[run]
draws = {draws}
seed = 11

[entity]
id = "D0001"
type = "standard"
performance_year = 2022

[[population.segment]]
name = "everyone"
category = "A&D"
beneficiaries = 2_000
expected_cost_pbpm = 1_000.0
severity = {{ distribution = "gamma", cv = 0.8 }}

[benchmark]
dollars = 22_000_000

[drivers]
quality_score = {{ distribution = "fixed", value = 1.0 }}

[[track]]
name = "owing"
program = "gpdc"
option = "global"

[track.stop_loss]
bands = [{{ category = "A&D", from = 5_000_000, payout_rate = 0.9 }}]
charge = {{ pbpm = 20.0 }}

[[track]]
name = "other"
program = "gpdc"
option = "professional"
"""
BENCHMARK = "benchmark.dollars=uniform(21.5e6,22.5e6)"
CHARGE = "track.owing.stop_loss.charge.pbpm=uniform(10,30)"
ELSEWHERE = "track.other.early_exit=true,false"
VARY = (BENCHMARK, CHARGE, ELSEWHERE)
MONTHS = 24_000
WIDTHS = {"benchmark.dollars": 0.98 * 1e6, "track.owing.stop_loss.charge.pbpm": MONTHS * 20.0}
"""By how much the mean settlement changes over the whole of each range."""

SURE = 4.0  # standard errors; a normal error is larger once in 16,000 times


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO.format(draws=400))
    return path


def settings(file, *vary):
    return settings_of(load_scenario(file), vary)


def sensitivity(file, *vary, samples=16, **options):
    loaded = load_scenario(file)
    return Sensitivity(loaded, settings_of(loaded, vary), samples, **options)


def found(asked, target, threads=1):
    executor = Threads(threads)
    asked.run(target, executor)
    return asked.findings(target, executor)


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """All settings of the scenario, from samples enough for narrow limits."""
    folder = tmp_path_factory.mktemp("sensitivity")
    file = folder / "scenario.toml"
    file.write_text(SCENARIO.format(draws=400))
    return found(sensitivity(file, *VARY, samples=256), folder / "store.zarr", threads=2)


def printed(findings):
    out = io.StringIO()
    render_sensitivity(findings, out)
    return out.getvalue()


# --- indices ----------------------------------------------------------------------------------


def ishigami(unit):
    x = -math.pi + 2.0 * math.pi * unit
    return np.sin(x[:, 0]) + 7.0 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


def ishigami_indices():
    """Closed form: Ishigami and Homma (1990), with a = 7 and b = 0.1."""
    alone = (0.5 * (1.0 + 0.1 * math.pi**4 / 5.0) ** 2, 7.0**2 / 8.0, 0.0)
    both = 8.0 * 0.1**2 * math.pi**8 / 225.0  # of the first and the third
    whole = sum(alone) + both
    first = [variance / whole for variance in alone]
    return first, [(alone[0] + both) / whole, alone[1] / whole, both / whole]


def test_indices_of_the_ishigami_function():
    estimated = sobol_indices(ishigami(saltelli_points(3, 4096, seed=1)), 3, seed=1)
    first, total = ishigami_indices()
    for indices, is_first, is_total in zip(estimated, first, total, strict=True):
        for index, truth in ((indices.first, is_first), (indices.total, is_total)):
            assert abs(index.value - truth) < SURE * index.standard_error
            assert index.standard_error < 0.025
            assert index.low < index.value < index.high


def test_limits_narrow_with_the_square_root_of_the_samples():
    widths = []
    for samples in (256, 4096):
        estimated = sobol_indices(ishigami(saltelli_points(3, samples, seed=2)), 3, seed=2)
        widths.append(estimated[1].first.standard_error)
    # The error of a standard error from 200 resamples is 5%.
    assert widths[0] / widths[1] == pytest.approx(4.0, rel=0.25)


def test_what_cannot_matter_has_no_index():
    unit = saltelli_points(2, 64, seed=3)
    matters, cannot = sobol_indices(unit[:, 0], 2, seed=3)
    assert cannot.first == cannot.total == (0.0, 0.0, 0.0, 0.0)
    assert abs(matters.first.value - 1.0) < SURE * matters.first.standard_error
    assert abs(matters.total.value - 1.0) < SURE * matters.total.standard_error


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_indices_rest_on_the_seed_alone(seed):
    unit = saltelli_points(3, 16, seed)
    np.random.seed(5)
    first = sobol_indices(ishigami(unit), 3, seed)
    np.random.seed(6)
    assert sobol_indices(ishigami(unit), 3, seed) == first
    np.testing.assert_array_equal(saltelli_points(3, 16, seed), unit)
    assert not np.array_equal(saltelli_points(3, 16, seed=9), unit)


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        ([5.0] * 8, "does not vary"),
        ([0.0] * 8, "does not vary"),
        ([1e9, 1e9 + 1e-3, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9], "does not vary"),
        ([0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], "so few points"),
        ([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0], ""),
        ([1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], ""),
    ],
)
def test_a_figure_that_does_not_vary_has_no_indices(outputs, reason):
    why = why_none(np.array(outputs), settings=2)
    assert reason in why
    assert bool(why) == bool(reason)


@pytest.mark.parametrize(
    ("half_width", "samples", "needed"),
    [
        (0.05, 64, 64),
        (0.1, 64, 64),
        (0.101, 64, 128),
        (0.2, 64, 256),
        (0.3, 64, 1024),  # nine times as many, rounded up
        (1.6, 64, 16_384),
        (1.7, 64, None),
    ],
)
def test_more_samples_are_recommended_by_the_square_root(half_width, samples, needed):
    assert samples_for(Estimate(0.5, 0.5 - half_width, 0.5 + half_width, 0.0), samples) == needed


def test_limits_over_half_of_what_an_index_can_be_are_too_wide():
    assert not is_coarse(Estimate(0.5, 0.25, 0.75, 0.1))
    assert is_coarse(Estimate(0.5, 0.2499, 0.7501, 0.1))


# --- points -----------------------------------------------------------------------------------


def test_saltellis_points_move_one_setting_at_a_time():
    unit = saltelli_points(3, 8, seed=4).reshape(8, 5, 3)
    first, last = unit[:, 0], unit[:, 4]
    for setting in range(3):
        moved = unit[:, 1 + setting]
        np.testing.assert_array_equal(moved[:, setting], last[:, setting])
        others = [other for other in range(3) if other != setting]
        np.testing.assert_array_equal(moved[:, others], first[:, others])
    assert (first != last).all()
    assert ((unit > 0.0) & (unit < 1.0)).all()


def test_points_fill_every_range_evenly():
    unit = saltelli_points(2, 8, seed=5).reshape(8, 4, 2)
    for sample in (unit[:, 0], unit[:, 3]):  # eight Sobol' points, one in each eighth
        for column in sample.T:
            assert sorted(np.floor(8.0 * column)) == list(range(8))


@pytest.mark.parametrize("samples", [-8, 0, 1, 7, 9, 100, 2**15, 10**9])
def test_samples_are_a_power_of_two(samples):
    with pytest.raises(InputError, match=r"--samples: must be a power of two from 8 to 16,384"):
        saltelli_points(2, samples, seed=1)


def test_too_many_points_are_refused_before_they_are_made():
    with pytest.raises(InputError, match="at most 1,000,000"):
        saltelli_points(100, SAMPLES[1], seed=1)


def test_values_lie_where_the_range_has_them(file):
    design = saltelli(settings(file, BENCHMARK, ELSEWHERE), 16, seed=11)
    assert design.size == 16 * 4
    dollars, early_exit = (np.array(axis.values) for axis in design.axes)
    assert ((dollars > 21.5e6) & (dollars < 22.5e6)).all()
    # The sixteen base samples hold as many of one value as of the other.
    assert early_exit[::4].sum() == early_exit[3::4].sum() == 8


def test_a_tornado_goes_from_the_middle_to_the_ends(file):
    normal = "track.owing.stop_loss.charge.pbpm=normal(20,2)"
    asked = tornado(settings(file, BENCHMARK, normal, "track.other.early_exit=true,false"))
    z = 1.6448536269514722  # 95% quantile of the normal law
    values = [change.value for change in asked.changes]
    assert values[:2] == pytest.approx([21.55e6, 22.45e6])
    assert values[2:4] == pytest.approx([20.0 - 2.0 * z, 20.0 + 2.0 * z])
    assert values[4:] == [True, False]
    dollars, charge, early_exit = (axis.values for axis in asked.design.axes)
    assert dollars == pytest.approx((22e6, 21.55e6, 22.45e6, 22e6, 22e6, 22e6, 22e6))
    assert charge[:2] == pytest.approx((20.0, 20.0))
    assert early_exit == (MISSING,) * 5 + (True, False)


def test_ends_that_are_the_same_are_one_change(file):
    path = "population.segment.everyone.beneficiaries"
    assert len(tornado(settings(file, f"{path}=integers(2000,2001)")).changes) == 2
    assert len(tornado(settings(file, f"{path}=integers(2000,2000)")).changes) == 1


@pytest.mark.parametrize(
    ("vary", "sentence"),
    [
        ((), "nothing to vary"),
        (("run.seed=1,2",), "all points share their draws"),
        (("run.draws=integers(100,200)",), "all points share their draws"),
        (("benchmark.dollars=22e6",), "two values or more"),
        (("benchmark.dollars=choice(22e6)",), "two values or more"),
        (("benchmark.dollars=uniform(3,2)",), "first value below its second"),
        (("benchmark.dolars=uniform(2,3)",), r"did you mean 'benchmark\.dollars'"),
        ((BENCHMARK, BENCHMARK), "varied twice"),
    ],
)
def test_what_cannot_be_varied_is_refused(file, vary, sentence):
    with pytest.raises(InputError, match=sentence):
        settings(file, *vary)


# --- changes ----------------------------------------------------------------------------------


def test_figures_of_a_point_are_those_of_its_draws():
    cash_due = np.repeat([-100.0, 50.0], 500)
    at_base = figures(cash_due, 0.9)
    assert at_base["mean_settlement"].value == -25.0
    assert at_base["probability_owing"] == probability(500, 1000)
    assert at_base["covering_amount"].value == 100.0


def test_a_shift_of_every_draw_is_known_exactly():
    before = np.linspace(-900.0, -100.0, 1000)
    by = changes(before, before - 40.0, 0.9)
    assert by["mean_settlement"].value == pytest.approx(-40.0)
    assert by["mean_settlement"].standard_error < 1e-9
    assert by["covering_amount"].value == pytest.approx(40.0)
    assert by["covering_amount"].standard_error < 1e-6


def test_nothing_moved_is_no_change_at_all():
    before = np.linspace(-900.0, 100.0, 1000)
    assert set(changes(before, before.copy(), 0.9).values()) == {Estimate(0.0, 0.0, 0.0, 0.0)}


def test_draws_that_change_sides_are_counted_both_ways():
    before = np.repeat([-1.0, 1.0], 500)
    after = before.copy()
    after[:40] = 1.0  # owed before
    after[-10:] = -1.0
    change = changes(before, after, 0.9)["probability_owing"]
    assert change.value == pytest.approx(-0.03)
    # McNemar: the variance of the difference is that of the draws that change sides.
    assert change.standard_error == pytest.approx(math.sqrt((0.05 - 0.03**2) / 999))


def test_that_no_draw_changes_sides_is_no_certainty():
    before = np.linspace(-900.0, -100.0, 1000)
    change = changes(before, before + 50.0, 0.9)["probability_owing"]
    none = probability(0, 1000)
    assert change[:3] == (0.0, -none.high, none.high)


def test_few_draws_refuse_what_they_cannot_support():
    before = np.linspace(-900.0, -100.0, draws_needed(0.99) - 1)
    assert math.isnan(changes(before, before - 1.0, 0.99)["covering_amount"].value)
    assert math.isnan(figures(before, 0.99)["covering_amount"].value)
    enough = np.linspace(-900.0, -100.0, draws_needed(0.99))
    assert changes(enough, enough - 1.0, 0.99)["covering_amount"].value == pytest.approx(1.0)


def test_settings_are_told_widest_first(file):
    first, second, third = settings(file, *VARY)
    effects = [(first, -3.0), (first, 1.0), (second, 5.0), (third, 2.0), (third, math.nan)]
    swings = widest_first([(Change(each, 0), normal_limits(by, 1.0)) for each, by in effects])
    # One end beside the base reaches from there; what is not known comes last.
    assert [swing.setting for swing in swings] == [second, first, third]
    assert [swing.width for swing in swings[:2]] == [5.0, 4.0]


# --- a whole scenario -------------------------------------------------------------------------


def test_shares_of_a_sum_are_those_of_its_parts(findings):
    variances = [width**2 for width in WIDTHS.values()]
    shares = [variance / sum(variances) for variance in variances]
    for output in ("mean_settlement", "covering_amount"):
        of_owing = findings.tracks["owing"][output]
        assert not of_owing.obstacle
        *matter, cannot = of_owing.indices
        for indices, share in zip(matter, shares, strict=True):
            for index in (indices.first, indices.total):
                assert abs(index.value - share) < SURE * index.standard_error
                assert index.standard_error < 0.08
        assert cannot.first == cannot.total == (0.0, 0.0, 0.0, 0.0)


def test_the_spread_over_the_points_is_that_of_the_ranges(findings):
    mean = findings.tracks["owing"]["mean_settlement"]
    of_ranges = math.sqrt(sum(width**2 / 12.0 for width in WIDTHS.values()))
    assert mean.standard_deviation == pytest.approx(of_ranges, rel=0.02)
    assert 0.0 < mean.simulation_error < 0.1 * of_ranges


def test_a_tornado_of_a_sum_is_exact(findings):
    swings = findings.tracks["owing"]["mean_settlement"].swings
    assert [swing.setting.label for swing in swings][:2] == list(WIDTHS)
    for swing, sign in zip(swings, (1.0, -1.0), strict=False):
        reach = 0.45 * WIDTHS[swing.setting.label]  # from the median to the 5% and 95% quantile
        low, high = (effect for _, effect in swing.changes)
        assert low.value == pytest.approx(-sign * reach)
        assert high.value == pytest.approx(sign * reach)
        assert max(low.standard_error, high.standard_error) < 1e-6 * reach
    assert swings[2].width == 0.0


def test_what_is_certain_is_said_not_to_vary(findings):
    owing = findings.tracks["owing"]["probability_owing"]
    assert owing.indices == ()
    assert owing.obstacle.startswith("does not vary")
    assert "Probability of owing does not vary" in " ".join(printed(findings).split())


def test_a_level_beyond_the_draws_is_refused_with_the_number_that_would_do(file, tmp_path):
    few = found(sensitivity(file, BENCHMARK, samples=8, level=0.999), tmp_path / "store.zarr")
    amount = few.tracks["owing"]["covering_amount"]
    assert (amount.indices, math.isnan(amount.mean)) == ((), True)
    needed = f"{draws_needed(0.999):,}"
    assert needed in amount.obstacle
    assert f"400 draws cannot support it; it takes {needed}" in " ".join(printed(few).split())
    assert few.tracks["owing"]["mean_settlement"].indices


def test_threads_change_no_bit(file, tmp_path):
    asked = sensitivity(file, *VARY)
    one = found(asked, tmp_path / "one.zarr", threads=1)
    three = found(sensitivity(file, *VARY), tmp_path / "three.zarr", threads=3)
    assert one.tracks == three.tracks


def test_another_seed_is_another_sample(file, tmp_path):
    one = found(sensitivity(file, *VARY), tmp_path / "one.zarr")
    loaded = load_scenario(file, {"run.seed": 12})
    other = Sensitivity(loaded, settings_of(loaded, VARY), 16)
    two = found(other, tmp_path / "two.zarr")
    means = [each.tracks["owing"]["mean_settlement"].mean for each in (one, two)]
    assert means[0] != means[1]


# --- resuming ---------------------------------------------------------------------------------


def test_what_was_stopped_ends_as_if_it_never_had_been(file, tmp_path, monkeypatch):
    monkeypatch.setattr("simdc.sweep.plan._MOST_POINTS", 8)
    whole = found(sensitivity(file, *VARY), tmp_path / "whole.zarr")
    target, executor = tmp_path / "stopped.zarr", Threads(1)
    asked = sensitivity(file, *VARY)

    def stop_in_the_middle(so_far):
        if so_far.done >= 24:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asked.run(target, executor, progress=stop_in_the_middle)
    told = []
    asked.run(target, executor, resume=True, progress=told.append)
    assert (told[0].done, told[-1].done) == (24, asked.points)
    assert asked.findings(target, executor).tracks == whole.tracks


def test_a_store_of_other_samples_is_not_gone_on_with(file, tmp_path):
    target = tmp_path / "store.zarr"
    sensitivity(file, *VARY, samples=8).run(target, Threads(1))
    with pytest.raises(InputError, match="of another sweep"):
        sensitivity(file, *VARY, samples=16).run(target, Threads(1), resume=True)


# --- reports ----------------------------------------------------------------------------------


def test_tables_keep_to_80_columns(findings):
    text = printed(findings)
    assert max(map(len, text.splitlines())) <= 80
    for told in ("Track owing: Sobol' indices", "one setting at a time", "What is varied"):
        assert told in text
    assert "uniform(21.5e6,22.5e6)" in text


def test_wide_limits_are_marked_with_the_samples_that_would_do(file, tmp_path):
    few = found(sensitivity(file, *VARY, samples=8), tmp_path / "store.zarr")
    text = printed(few)
    assert "%*" in text
    assert "* Limits too wide to say much: about" in text
    assert "too wide" not in printed(replace(few, tracks={}))


def test_json_says_the_same(findings):
    document = json.loads(json.dumps(sensitivity_document(findings), allow_nan=False))
    assert document["settings"][0] == {
        "path": "benchmark.dollars",
        "range": "uniform(21.5e6,22.5e6)",
    }
    assert (document["samples"], document["points"], document["seed"]) == (256, 256 * 5, "11")
    owing = document["tracks"][0]["outputs"]
    assert owing["probability_owing"]["indices"] == {}
    assert owing["probability_owing"]["obstacle"]
    first = owing["mean_settlement"]["indices"]["benchmark.dollars"]["first_order"]
    of_track = findings.tracks["owing"]["mean_settlement"]
    assert first["estimate"] == of_track.indices[0].first.value
    assert first["too_wide"] is False
    widest = owing["mean_settlement"]["tornado"]["swings"][0]
    assert widest["setting"] == "benchmark.dollars"
    assert widest["changes"][0]["change"]["estimate"] == pytest.approx(-0.45 * 0.98e6)


# --- the command ------------------------------------------------------------------------------


def call(file, *options):
    vary = [part for each in VARY for part in ("--vary", each)]
    return _status(["sensitivity", str(file), *vary, "--samples", "8", "--threads", "1", *options])


def test_the_command_keeps_every_point_and_goes_on_with_them(file, tmp_path, capsys):
    target = tmp_path / "store.zarr"
    options = ("-o", str(target), "--track", "owing", "--json")
    assert call(file, *options) == 0
    first = capsys.readouterr().out
    assert [track["name"] for track in json.loads(first)["tracks"]] == ["owing"]
    assert call(file, *options, "--resume") == 0
    assert capsys.readouterr().out == first
    assert call(file, *options) == 2
    assert "--resume" in capsys.readouterr().err


def test_a_dry_run_writes_nothing(file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call(file, "--dry-run") == 0
    assert "47 points" in capsys.readouterr().out  # 8 x (3 + 2), and a base with six changes
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--samples", "12"), "nearest: 8 or 16"),
        (("--level", "99"), "strictly between 0 and 1"),
        (("--level", "nan"), "strictly between 0 and 1"),
        (("--track", "owning"), "did you mean 'owing'"),
        (("--vary", "track.owing.rules.discont=uniform(0.01,0.02)"), "did you mean"),
        (("--vary", "track.owing.rules.discount=unifrom(0.01,0.02)"), "uniform"),
        (("--vary", "track.owing.rules.discount=uniform(0.01,7)"), "point"),
        (("--vary", BENCHMARK), "varied twice"),
        (("--vary", "run.seed=1,2"), "all points share their draws"),
        (("--draws", "0"), "--draws"),
        (("--resume",), "nothing is stored there"),
    ],
)
def test_a_mistake_ends_with_2_and_leaves_nothing(
    file, tmp_path, monkeypatch, capsys, options, sentence
):
    monkeypatch.chdir(tmp_path)
    assert call(file, *options) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.out == ""
    assert [*tmp_path.iterdir()] == [file]


def test_without_salib_the_extra_is_named(file, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "SALib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "SALib", None)
    assert call(file) == 2
    assert 'pip install "simdc[sensitivity]"' in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == [file]


def test_a_stopped_command_says_how_to_go_on(file, tmp_path, monkeypatch, capsys):
    target = tmp_path / "store.zarr"

    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Sensitivity, "findings", interrupted)
    assert call(file, "-o", str(target)) == 130
    assert f"40 of 40 points are saved in {target}" in capsys.readouterr().err
    monkeypatch.undo()
    assert call(file, "-o", str(target), "--resume") == 0


def test_scenarios_of_several_years_are_refused(tmp_path, capsys):
    years = Path(__file__).parents[2] / "scenarios" / "years" / "standard-reach-2024-2026.toml"
    vary = "track.*.early_exit=true,false"
    assert _status(["sensitivity", str(years), "--vary", vary, "-o", str(tmp_path / "s")]) == 2
    assert "one performance year" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
