"""Parts of a run, joined: the same bits, nothing held twice, and nothing joined that is not one."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from synthetic import loaded_scenario, simulation, three_tracks
from test_engine import DRIVERS, run, scenario

from simdc.errors import InputError
from simdc.join import join
from simdc.result import build_result, group


@pytest.fixture(scope="module")
def asked():
    return scenario(drivers=DRIVERS)


@pytest.fixture(scope="module")
def parts(asked):
    return [
        run(asked, draws=draws, first_draw=first)
        for first, draws in ((0, 300), (300, 77), (377, 623))
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_joined_is_one_run_of_all_draws(asked, parts, order):
    joined, whole = join(parts[place] for place in order), run(asked, draws=1000)
    loaded = loaded_scenario()
    one, other = build_result(joined, loaded), build_result(whole, loaded)
    for name in ("inputs", "draws", "summary", "guarantee"):
        xr.testing.assert_identical(group(one, name).load(), group(other, name).load())
    assert (joined.first_draw, joined.draws, joined.seed) == (0, 1000, whole.seed)


def test_a_single_part_is_itself(parts):
    joined = join(parts[1:2])
    assert (joined.first_draw, joined.draws) == (300, 77)
    np.testing.assert_array_equal(joined.cost, parts[1].cost)


def test_parts_that_others_hold_stay_as_they_are(parts):
    join(parts)
    assert [part.draws for part in parts] == [300, 77, 623]
    assert all(part.tracks[0].draws["cash_due"].size == part.draws for part in parts)
    assert all(part.cost.shape == (2, part.draws) for part in parts)


def test_seconds_are_added_by_phase(parts):
    timed = [
        replace(part, durations=seconds)
        for part, seconds in zip(
            parts, ({"kernel": 1.0}, {"kernel": 2.0, "settle": 0.5}, {}), strict=True
        )
    ]
    assert join(timed).durations == {"kernel": 3.0, "settle": 0.5}


def changed(part, **changes):
    return replace(part, tracks=(replace(part.tracks[0], **changes), *part.tracks[1:]))


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (lambda part: replace(part, first_draw=301), "draws 300 to 300 are missing"),
        (lambda part: replace(part, first_draw=299), "draw 299 is in both"),
        (lambda part: replace(part, first_draw=0), "draw 0 is in both"),
        (lambda part: replace(part, seed=5), "their seeds differ"),
        (lambda part: replace(part, tracks=part.tracks[::-1]), "their tracks differ"),
        (lambda part: replace(part, tracks=part.tracks[:1]), "their tracks differ"),
        (lambda part: changed(part, required_guarantee=1.0), "their tracks differ"),
        (lambda part: changed(part, fixed={}), "their tracks differ"),
        (
            lambda part: changed(part, rules=part.tracks[0].rules.override({"discount": 0.01})),
            "their tracks differ",
        ),
        (lambda part: replace(part, segments=("few", "many")), "their segments differ"),
        (lambda part: replace(part, segment_table={}), "their segments differ"),
        (lambda part: replace(part, drivers={}), "their drivers differ"),
    ],
)
def test_what_is_not_one_run_is_refused(parts, second, told):
    with pytest.raises(InputError, match=told):
        join([parts[0], second(parts[1])])


def test_nothing_is_no_run():
    with pytest.raises(InputError, match="nothing to join"):
        join([])


def test_parts_that_are_given_away_are_not_held_twice():
    def part(first):
        of = simulation(three_tracks(200_000), first_draw=first)
        # The lines of a synthetic track share arrays; those of the engine do not.
        tracks = (
            replace(track, draws={name: row.copy() for name, row in track.draws.items()})
            for track in of.tracks
        )
        return replace(of, tracks=tuple(tracks))

    tracemalloc.start()
    parts = [part(0), part(200_000)]
    lines = sum(
        row.nbytes for each in parts for track in each.tracks for row in track.draws.values()
    )
    tracemalloc.reset_peak()
    joined = join(parts.pop() for _ in range(2))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert joined.draws == 400_000
    # Beside the lines themselves: one line that is being joined, costs and drivers.
    assert peak < 1.3 * lines
