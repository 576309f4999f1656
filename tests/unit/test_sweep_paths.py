"""Paths of settings: how they are written, where they lead, what is said where they do not."""

from __future__ import annotations

import copy
import tomllib
import unicodedata
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simdc.errors import InputError
from simdc.scenario import parse_scenario
from simdc.sweep.paths import Path, split_vary
from simdc.sweep.places import MISSING, assign, places, put, read, refuse_overlap

WHOLE = (FilePath(__file__).parent / "whole_scenario.toml").read_text(encoding="utf-8")
DOCUMENT = tomllib.loads(WHOLE)


def refusal(text: str, document: dict[str, Any] = DOCUMENT) -> str:
    with pytest.raises(InputError) as refused:
        places(document, Path.parse(text))
    return str(refused.value)


# --- how they are written ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("run.seed", ("run", "seed")),
        ("title", ("title",)),
        ("track.a-b.stop_loss.bands[0].from", ("track", "a-b", "stop_loss", "bands", 0, "from")),
        ("drivers.correlation.matrix[0][12]", ("drivers", "correlation", "matrix", 0, 12)),
        ('track."a.b".option', ("track", "a.b", "option")),
        ("track.'a.b'.option", ("track", "a.b", "option")),
        ('track."gl\\u006fbal".option', ("track", "global", "option")),
        ("population.segment.a and d.name", ("population", "segment", "a and d", "name")),
        (" track . global . option ", ("track", "global", "option")),
        ("track.*.option", ("track", "*", "option")),
        ("benchmark.risk[*].raw_score", ("benchmark", "risk", "[*]", "raw_score")),
        ("track.e\u0301te.option", ("track", "\u00e9te", "option")),  # composed, as names are
    ],
)  # fmt: skip
def test_path_is_read(text: str, steps: tuple[str | int, ...]) -> None:
    assert Path.parse(text).steps == steps


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        (("track", "a.b", "bands", 0, "from"), 'track."a.b".bands[0].from'),
        (("track", "aged and disabled"), "track.aged and disabled"),
        (("track", "ends with space "), 'track."ends with space "'),
        (("benchmark", "risk", "[*]"), "benchmark.risk[*]"),
    ],
)
def test_path_is_written_with_quotes_only_where_needed(
    steps: tuple[str | int, ...], text: str
) -> None:
    assert str(Path(steps)) == text


@given(
    st.lists(
        st.one_of(
            st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=30)
            .map(lambda key: unicodedata.normalize("NFC", key))
            .filter(lambda key: key.isprintable() and key != "[*]"),
            st.integers(0, 999_999_999),
        ),
        max_size=14,
    )
)
def test_what_is_written_is_read_back(steps: list[str | int]) -> None:
    path = Path(("first", *steps))
    assert Path.parse(str(path)) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        "run.",
        ".run",
        "run..seed",
        "[0]",
        "run[",
        "run]",
        "run[x]",
        "run[-1]",
        "run[1.0]",
        "run[9999999999]",
        "run.'seed",
        'run."seed',
        'run."\\x".seed',
        'run."".seed',
        "run.\x1b[2J",
        "run=seed",
        ".".join("a" * 17),
        "run." + "a" * 61,
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"must be|is not quoted"):
        Path.parse(text)


@given(st.text())
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        path = Path.parse(text)
    except InputError:
        return
    assert Path.parse(str(path)) == path


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        ("run.seed=1,2", "run.seed", "1,2"),
        ("run.seed = 1", "run.seed", " 1"),
        ('track.x.rules={ a = 3 },"b"', "track.x.rules", '{ a = 3 },"b"'),
        ('track."a=b".option=global', 'track."a=b".option', "global"),
        ("run.seed=", "run.seed", ""),
    ],
)  # fmt: skip
def test_option_is_split_at_the_first_equals_sign_outside_quotes(
    text: str, path: str, values: str
) -> None:
    found, rest = split_vary(text)
    assert (str(found), rest) == (path, values)


@pytest.mark.parametrize("text", ["", "run.seed", "=1", "run.seed:1", "a]b=1"])
def test_option_without_path_or_equals_sign_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--vary: must be PATH=VALUE,VALUE,\.\.\."):
        split_vary(text)


# --- where they lead --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("run.seed", 7),
        ("entity.performance_year", 2022),
        ("population.segment.aged and disabled.expected_cost_pbpm", 1100.0),
        ("population.segment.dialysis.severity.cv", 1.0),
        ("population.segment.aged and disabled.eligible_months[1].share", 0.1),
        ("track.global.stop_loss.bands[0].from", 150_000),
        ("track.global.rules.discount", 0.03),
        ("track.professional.primary_care_capitation", {"base_rate": 0.03, "enhanced_rate": 0.04}),
        ("drivers.correlation.matrix[0][1]", 0.2),
        ("track.*.program", "gpdc"),
        ("track.global.stop_loss.bands[*].payout_rate", MISSING),  # they differ: 0.8 and 0.9
        ("track.*.option", MISSING),
        ("track.professional.rules.discount", MISSING),
        ("drivers.completion.value", MISSING),
        ("years.through", MISSING),
        ("benchmark.by_category.A&D.pbpm", MISSING),
        ("track.global.from_year.2023.program", MISSING),
    ],
)
def test_value_in_the_document(text: str, value: object) -> None:
    assert read(DOCUMENT, Path.parse(text)) == value


def leaves(node: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every single value of a document, with tracks and segments by name."""
    if isinstance(node, dict):
        for key, below in node.items():
            yield from leaves(below, (*place, key))
    elif isinstance(node, list):
        for index, below in enumerate(node):
            named = isinstance(below, dict) and "name" in below
            yield from leaves(below, (*place, below["name"] if named else index))
    else:
        yield place, node


@pytest.mark.parametrize(("steps", "value"), list(leaves(DOCUMENT)))
def test_every_setting_has_a_path(steps: tuple[str | int, ...], value: object) -> None:
    path = Path(steps)
    if steps[-1] == "name":
        assert "cannot be varied" in refusal(str(path))
    else:
        assert read(DOCUMENT, path) == value


def test_names_with_dots_go_in_quotes() -> None:
    document = tomllib.loads(WHOLE.replace('"global"', '"global 2.0"', 1))
    assert read(document, Path.parse('track."global 2.0".rules.discount')) == 0.03
    assert "did you mean 'track.\"global 2.0\".rules.discount'" in refusal(
        "track.global.rules.discount", document
    )


# --- what is changed --------------------------------------------------------------------------


def test_assign_leaves_the_given_document_alone_and_copies_only_the_way() -> None:
    before = copy.deepcopy(DOCUMENT)
    changed = assign(DOCUMENT, Path.parse("track.global.stop_loss.bands[0].from"), 120_000)
    assert before == DOCUMENT
    assert changed["track"][1]["stop_loss"]["bands"][0]["from"] == 120_000
    assert changed["track"][0] is DOCUMENT["track"][0]
    assert changed["track"][1]["rules"] is DOCUMENT["track"][1]["rules"]
    bands, own = (d["track"][1]["stop_loss"]["bands"] for d in (changed, DOCUMENT))
    assert bands[1] is own[1]
    assert changed["population"] is DOCUMENT["population"]


def test_assign_makes_tables_that_the_models_allow() -> None:
    changed = assign(DOCUMENT, Path.parse("track.professional.rules.discount"), 0.01)
    assert parse_scenario(changed).track[0].rules == {"discount": 0.01}
    changed = assign(DOCUMENT, Path.parse("drivers.completion"), {"distribution": "default"})
    assert parse_scenario(changed).drivers.completion is not None


def test_a_star_sets_the_same_value_in_all() -> None:
    changed = assign(DOCUMENT, Path.parse("track.*.rules.discount"), 0.02)
    assert [track["rules"]["discount"] for track in changed["track"]] == [0.02, 0.02]
    changed = assign(DOCUMENT, Path.parse("track.global.stop_loss.bands[*].payout_rate"), 0.5)
    assert [b["payout_rate"] for b in changed["track"][1]["stop_loss"]["bands"]] == [0.5, 0.5]
    changed = assign(DOCUMENT, Path.parse("population.segment.*.opt_out"), 0.1)
    assert [segment.opt_out for segment in parse_scenario(changed).population.segment] == [0.1, 0.1]


@given(
    st.sampled_from([steps for steps, _ in leaves(DOCUMENT) if steps[-1] != "name"]), st.integers()
)
def test_what_is_assigned_is_read(steps: tuple[str | int, ...], value: int) -> None:
    path = Path(steps)
    changed = assign(DOCUMENT, path, value)
    assert read(changed, path) == value
    (place,) = places(DOCUMENT, path)
    assert put(changed, place, read(DOCUMENT, path)) == DOCUMENT


# --- what leads nowhere -----------------------------------------------------------------------


NOWHERE = {
    "rum.seed": "there is no setting 'rum' in the scenario; there are title, run, entity,",
    "run.sead": "there are draws, seed; did you mean 'run.seed'?",
    "track.globl.option": "there is no 'globl' in track; there are 'professional', 'global'; did "
    "you mean 'track.global.option'?",
    "population.segment.zzz.opt_out": "there is no 'zzz' in population.segment; there are "
    "'aged and disabled', 'dialysis'.",
    "track[1].option": "the tables of track go by their names; did you mean 'track.global.option'?",
    "track[7].option": "the tables of track go by their names; did you mean 'track.*.option'?",
    "track.global.stop_loss.bands[2].from": "there is no item [2]; the scenario has "
    "track.global.stop_loss.bands[0] to track.global.stop_loss.bands[1].",
    "track.global.stop_loss.bands[0].form": "there are from, to, payout_rate, category; did you "
    "mean 'track.global.stop_loss.bands[0].from'?",
    "track.global.stop_loss.bands[0].from_": "did you mean 'track.global.stop_loss.bands[0].from'?",
    "track.global.stop_loss.bands.from": "track.global.stop_loss.bands is a list, whose items go "
    "by their place: track.global.stop_loss.bands[0] to track.global.stop_loss.bands[1].",
    "track.professional.stop_loss.bands[0].from": "the scenario has no list "
    "track.professional.stop_loss.bands; only what it lists can be varied in part",
    "population.segment.dialysis.eligible_months[0].share": "the scenario has no list "
    "population.segment.dialysis.eligible_months;",
    "track.global.stop_loss.charge.pbpm": 'track.global.stop_loss.charge is "neutral" in the '
    "scenario, not a table; vary the whole of it, with tables such as { key = value }.",
    "track.global.discount": "did you mean 'track.global.rules.discount'?",
    "track.global.rules.discount.x": "track.global.rules.discount is 0.03 in the scenario, not a "
    "table",
    "track.global.from_year.next.program": "track.global.from_year has tables by year, such as "
    "track.global.from_year.2024.",
    "benchmark.by_category.AD.pbpm": "there are A&D, ESRD; did you mean "
    "'benchmark.by_category.A&D.pbpm'?",
    "run.seed.x": "run.seed is a single value; nothing lies below it.",
    "run.seed[0]": "run.seed is no list and has no places.",
    "run[0]": "run is no list and has no places.",
    "run.*": "there is no setting '*' in run; there are draws, seed.",
    "population.file.expected_cost": "population.file names a file; what is in a file cannot be "
    "varied.",
    "benchmark.rate_book.rates_file.county": "benchmark.rate_book.rates_file names a file;",
    "track": "stands for whole tables with their names; vary the settings in them,",
    "track.global": "stands for whole tables with their names",
    "track.*": "stands for whole tables with their names",
    "population": "stands for whole tables with their names",
    "population.segment": "stands for whole tables with their names",
    "population.segment.dialysis": "stands for whole tables with their names",
    "track.global.name": "cannot be varied: names tell the results and the random numbers apart.",
    "population.segment.*.name": "cannot be varied: names tell the results and the random numbers",
}


@pytest.mark.parametrize(("text", "sentence"), NOWHERE.items(), ids=list(NOWHERE))
def test_path_that_leads_nowhere_says_why(text: str, sentence: str) -> None:
    told = refusal(text)
    assert told.startswith(f"{text}: ")
    assert sentence in told


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("run", "run.seed"),
        ("run.seed", "run"),
        ("track.*.option", "track.global.option"),
        ("track.global.stop_loss", "track.*.stop_loss.loading"),
        ("track.global.stop_loss.bands", "track.global.stop_loss.bands[1].from"),
    ],
)
def test_paths_that_set_the_same_are_refused(first: str, second: str) -> None:
    with pytest.raises(InputError, match=r"sets what .* sets too; vary one of them") as refused:
        refuse_overlap(DOCUMENT, [Path.parse(first), Path.parse(second)])
    assert first in str(refused.value)
    assert second in str(refused.value)


def test_paths_side_by_side_are_no_overlap() -> None:
    texts = ["run.seed", "run.draws", "track.global.option", "track.professional.option"]
    refuse_overlap(DOCUMENT, map(Path.parse, texts))
    with pytest.raises(InputError, match="vary one of them"):  # not because nothing is looked at
        refuse_overlap(DOCUMENT, map(Path.parse, [*texts, "track.*.option"]))
