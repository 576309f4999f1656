"""The report of a sweep: its figures are the store's, and no line is wider than 80 columns."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest

from simdc.executors import Threads
from simdc.report.sweep import render_sweep, sweep_document
from simdc.result import group
from simdc.scenario import load_scenario
from simdc.sweep.run import run_sweep

SCENARIO = """
title = "Swept"
[run]
draws = 300
seed = 5
[entity]
id = "E1"
type = "standard"
performance_year = 2022
[[population.segment]]
name = "aged"
category = "A&D"
beneficiaries = 200
expected_cost_pbpm = 1000
severity = { distribution = "lognormal", sigma = 1.0 }
[benchmark]
pbpm = 1000
[drivers]
entity_effect = { distribution = "normal", sd = 0.05 }
[[track]]
name = "global"
program = "gpdc"
option = "global"
[[track]]
name = "professional"
program = "gpdc"
option = "professional"
"""

DISCOUNT = "track.global.rules.discount"


@pytest.fixture
def swept(tmp_path):
    """Sweeps a scenario; returns its tree."""
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO, encoding="utf-8")
    loaded = load_scenario(path)

    def of(*vary, **options):
        return run_sweep(loaded, tmp_path / "sweep", vary, executor=Threads(1), **options)

    return of


def printed(tree):
    out = io.StringIO()
    render_sweep(tree, out)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    return text


def rows(text, title):
    """Lines of a table between its rule and the empty line behind it."""
    section = text[text.index(title) :].split("\n\n")[0].splitlines()
    return section[3:]


def test_a_row_is_a_point(swept):
    tree = swept(f"{DISCOUNT}=0.01,0.03")
    text = printed(tree)
    assert f"- discount: {DISCOUNT}" in text
    assert "Sweep: 2 points of 300 draws, seed 5" in text
    first, error, second, _ = rows(text, "Track global")
    mean = group(tree, "summary")["cash_due"].sel(track="global", statistic="mean")
    for row, value, figures in zip((first, second), ("0.01", "0.03"), mean.values, strict=True):
        given, net, *_ = row.split()
        assert given == value
        assert abs(float(net.replace(",", "")) - figures[0]) < figures[3]  # digits by its error
    assert "±" in error


def test_tracks_that_stay_as_they_are_are_named_once(swept):
    text = printed(swept(f"{DISCOUNT}=0.01,0.02,0.03"))
    assert "Tracks that are the same at every point" in text
    assert text.count("\nprofessional") == 1
    assert "Track professional" not in text


def test_nothing_may_vary(swept):
    text = printed(swept("entity.note='one','two'"))
    assert "Every track is the same at every point" in text
    assert "Track global" not in text


def test_many_points_are_cut_in_the_middle(swept):
    text = printed(swept(f"{DISCOUNT}=lin(0,0.0499,500)"))
    shown = rows(text, "Track global")
    values = [row.split()[0] for row in shown if not row.startswith(" ")]
    assert len(values) == 41
    assert (values[0], values[20], values[-1]) == ("0", "...", "0.0499")
    text = " ".join(text.split())
    assert "460 more points in the store" in text
    assert 'xarray.open_datatree(PATH, engine="zarr")' in text


def test_heads_that_would_be_the_same_are_numbered(swept):
    text = printed(swept(f"{DISCOUNT}=0.01,0.02", "track.professional.rules.discount=0.0,0.01"))
    assert f"- discount 1: {DISCOUNT}" in text
    assert "- discount 2: track.professional.rules.discount" in text
    assert "Sweep: 2 x 2 = 4 points" in text


@pytest.mark.parametrize(
    "vary",
    [
        [f"{DISCOUNT}=0.01,0.02", "run.seed=1,2", "run.draws=300,301", "benchmark.pbpm=990,1000"],
        [
            'drivers.entity_effect={distribution="normal",sd=0.03},{distribution="normal",sd=0.04}',
        ],
    ],
    ids=["many paths", "long values"],
)
def test_what_has_no_room_stands_below_the_number_of_the_point(swept, vary):
    tree = swept(*vary)
    text = printed(tree)
    table = "\n".join(rows(text, "Track global"))
    assert re.search(r"^1 ", table, re.MULTILINE)
    shown = re.sub(r"\s+", "", table)
    assert ("0.01,1,300,990" in shown) or ("0.03" in shown and "0.04" in shown)


def test_points_have_their_names(swept, tmp_path):
    points = tmp_path / "points.csv"
    points.write_text(f"name,{DISCOUNT}\nlow,0.01\nas it is,\n")
    tree = swept(table=points)
    table = rows(printed(tree), "Track global")
    assert [row.split("  ")[0] for row in table if not row.startswith(" ")] == ["low", "as it is"]
    names = [point["name"] for point in sweep_document(tree)["points"]]
    assert names == ["low", "as it is"]
    assert sweep_document(tree)["points"][1]["values"] == {DISCOUNT: None}


def test_too_few_draws_are_refused(swept):
    table = "\n".join(rows(printed(swept("run.draws=20,25")), "Track global"))
    assert "refused" in table
    assert "needs 368" in table  # so that 0.99^n is below a fortieth


def test_the_document_holds_every_point(swept):
    vary = [f"{DISCOUNT}=lin(0,0.04,30)", "run.seed=1,2"]
    tree = swept(*vary, levels=(0.5, 0.9))
    document = json.loads(json.dumps(sweep_document(tree), allow_nan=False))
    assert document["swept"] == [DISCOUNT, "run.seed"]
    assert len(document["points"]) == 60
    point = document["points"][2 * 7 + 1]
    assert point["values"] == {DISCOUNT: pytest.approx(0.04 * 7 / 29), "run.seed": 2}
    assert point["finished"] is True
    told = point["tracks"]["global"]
    at = {"track": "global", DISCOUNT: point["values"][DISCOUNT], "run.seed": 2}
    found = group(tree, "guarantee").sel(at, method=None)
    assert told["probability_owing"]["estimate"] == float(found["probability_owing"][0])
    assert [each["level"] for each in told["covering_amount"]] == [0.5, 0.9]
    covering = found["covering_amount"].values
    for each, expected in zip(told["covering_amount"], covering, strict=True):
        figures = [each[name] for name in ("estimate", "ci_low", "ci_high", "standard_error")]
        np.testing.assert_array_equal(figures, expected)


def test_text_cannot_steer_the_terminal(swept):
    text = printed(swept('entity.note="plain","a\\u001b[31mred"', "run.seed=1,2"))
    assert "\x1b" not in text
