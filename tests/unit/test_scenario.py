"""Scenario files: what is understood, which elections are allowed, how files are refused."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from pydantic import ValidationError

from simdc.cli.main import main
from simdc.errors import InputError
from simdc.executors import Threads
from simdc.programs import load_program, program_names
from simdc.result import write_result
from simdc.runner import run
from simdc.scenario import (
    Scenario,
    load_scenario,
    parse_scenario,
    scenario_schema,
    track_rules,
)
from simdc.scenario.lines import line_of

WHOLE = Path(__file__).parent / "whole_scenario.toml"
TEXT = WHOLE.read_text(encoding="utf-8")


def document(*changes: tuple[str, str]) -> dict[str, Any]:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return tomllib.loads(text)


def sentences(*changes: tuple[str, str]) -> list[str]:
    with pytest.raises(InputError) as refused:
        parse_scenario(document(*changes))
    return str(refused.value).splitlines()


# --- what is understood -----------------------------------------------------------------------


def test_every_section_is_read() -> None:
    scenario = load_scenario(WHOLE).scenario
    aged, dialysis = scenario.population.segment
    professional, other = scenario.track
    assert (scenario.run.draws, scenario.run.seed) == (2000, 7)
    assert scenario.entity.performance_year == 2022
    assert isinstance(aged.eligible_months, tuple)
    assert [(part.months, part.share) for part in aged.eligible_months] == [(12, 0.9), (4, 0.1)]
    assert (dialysis.alignment, dialysis.eligible_months) == ("voluntary", 12.0)
    assert scenario.benchmark.pbpm == 1300
    assert scenario.drivers.regional_trend is None
    assert professional.stop_loss is None
    assert other.stop_loss is not None
    assert [(band.from_, band.to) for band in other.stop_loss.bands] == [
        (150_000, 300_000),
        (300_000, math.inf),
    ]
    assert scenario.observed is not None
    assert scenario.observed.gross_savings == 1e6


def test_models_cannot_be_changed() -> None:
    scenario = load_scenario(WHOLE).scenario
    with pytest.raises(ValidationError, match="frozen"):
        scenario.run.draws = 1  # type: ignore[misc]


def test_file_is_kept_with_its_hash() -> None:
    loaded = load_scenario(WHOLE)
    assert loaded.text == TEXT
    assert loaded.sha256 == hashlib.sha256(WHOLE.read_bytes()).hexdigest()
    assert loaded.base_dir == WHOLE.parent


def test_a_track_inherits_rules_and_an_override_shows() -> None:
    scenario = load_scenario(WHOLE).scenario
    announced = load_program("gpdc").rules(2022, "global", "standard")
    rules = track_rules(scenario, scenario.track[1])
    assert rules["discount"].value == 0.03
    assert rules["discount"].original == announced.value("discount")
    assert rules["quality_withhold"] == announced["quality_withhold"]
    assert [name for name, rule in rules.items() if rule.overridden] == ["discount"]


def test_float_counts_are_whole_numbers() -> None:
    assert parse_scenario(document(("draws = 2_000", "draws = 1e4"))).run.draws == 10_000


def test_the_largest_seed() -> None:
    largest = 2**64 - 1
    assert parse_scenario(document(("seed = 7", f"seed = {largest}"))).run.seed == largest
    assert sentences(("seed = 7", f"seed = {largest + 1}")) == [
        "run.seed: must be a whole number from 0 to 2**64 - 1 (given 18446744073709551616)."
    ]


@pytest.mark.parametrize("rate", [0, 1, 0.5])
def test_rates_include_their_ends(rate: float) -> None:
    scenario = parse_scenario(document(("payout_rate = 0.9", f"payout_rate = {rate}")))
    assert scenario.track[1].stop_loss is not None
    assert scenario.track[1].stop_loss.bands[1].payout_rate == rate


@pytest.mark.parametrize("rate", ["-1e-12", "1.0000001", "nan", "inf", "-inf"])
def test_rates_just_outside_are_refused(rate: str) -> None:
    (sentence,) = sentences(("payout_rate = 0.9", f"payout_rate = {rate}"))
    assert sentence.startswith(
        "track[1].stop_loss.bands[1].payout_rate: must be a rate between 0 and 1, written as a "
        "fraction (2% is 0.02) (given "
    )


@pytest.mark.parametrize("name", ["Éléonore & Söhne", "医療 1", "Ünal-2", "आरोग्य"])
def test_names_in_any_script(name: str) -> None:
    changed = parse_scenario(document(('name = "dialysis"', f'name = "{name}"')))
    assert changed.population.segment[1].name == name


def test_one_name_has_one_spelling() -> None:
    """A name typed with a combining accent is that with the accented letter."""
    changes = (
        ('name = "global"', 'name = "Gl\\u00f3bal"'),
        ('track = "global"', 'track = "Glo\\u0301bal"'),
    )
    scenario = parse_scenario(document(*changes))
    assert scenario.observed is not None
    assert scenario.observed.track == scenario.track[1].name == "Glóbal"


def test_names_in_any_script_are_kept_in_the_result(folder: Path) -> None:
    text = TEXT.replace('"global"\nprogram', '"Éléonore 医療"\nprogram')
    text = text.replace('track = "global"', 'track = "Éléonore 医療"').replace("dialysis", "Übrige")
    (folder / "names.toml").write_text(text, encoding="utf-8")
    tree = run(load_scenario("names.toml"), draws=200, executor=Threads(1))
    write_result(tree, folder / "names.nc")
    with xr.open_datatree(folder / "names.nc", engine="h5netcdf") as kept:
        assert kept["draws"]["track"].values.tolist() == ["professional", "Éléonore 医療"]
        assert "Übrige" in kept["inputs"]["segment"].values.tolist()


@pytest.mark.parametrize("name", ["a\\u0085b", "\\u0301a", "a\\u200db", "-a", "a/b", ""])
def test_names_without_control_characters(name: str) -> None:
    (sentence,) = sentences(('name = "dialysis"', f'name = "{name}"'))
    assert "must be a name of 1 to 60 letters" in sentence


def test_a_spread_up_to_twenty_is_allowed() -> None:
    parse_scenario(document(("cv = 1.0 }", "cv = 20 }")))
    assert sentences(("cv = 1.0 }", "cv = 20.001 }"))


# --- health equity ----------------------------------------------------------------------------


# 11,800 people for 0.9 x 12 + 0.1 x 4 = 11.2 months, and 200 for 12.
def equity(months: float, *changes: tuple[str, str]) -> dict[str, Any]:
    text = TEXT.replace('"gpdc"', '"reach"').replace("year = 2022", "year = 2024")
    changed = text.replace("pbpm = 1_300", f"pbpm = 1_300\nhealth_equity_up_months = {months}")
    for old, new in changes:
        assert old in changed
        changed = changed.replace(old, new)
    return tomllib.loads(changed)


def test_no_more_months_of_health_equity_than_anyone_is_aligned() -> None:
    parse_scenario(equity(134_560))
    with pytest.raises(InputError) as refused:
        parse_scenario(equity(134_561))
    assert str(refused.value) == (
        "benchmark.health_equity_up_months: must be at most 134,560, the beneficiary-months of "
        "everyone aligned (given 134,561)."
    )


def test_months_of_health_equity_against_a_file_of_people(folder: Path) -> None:
    (folder / "people.csv").write_text(
        "segment,months,expected_cost\naged and disabled,12,9e3\ndialysis,3,9e3\n"
    )
    listed = (
        (
            '[[population.segment]]\nname = "aged',
            '[population]\nfile = "people.csv"\n\n[[population.segment]]\nname = "aged',
        ),
        ("beneficiaries = 11_800\nexpected_cost_pbpm = 1_100.0\n", ""),
        ("eligible_months = [{ months = 12, share = 0.9 }, { months = 4, share = 0.1 }]\n", ""),
        ("beneficiaries = 200\nexpected_cost_pbpm = 8_000\n", ""),
    )
    parse_scenario(equity(15, *listed), base_dir=folder)
    with pytest.raises(InputError, match=r"must be at most 15, .* \(given 16\)"):
        parse_scenario(equity(16, *listed), base_dir=folder)


# --- programs ---------------------------------------------------------------------------------


def test_unknown_program_names_all_and_the_nearest() -> None:
    (sentence,) = sentences(('program = "gpdc"', 'program = "gdpc"'))
    known = ", ".join(f"'{name}'" for name in program_names())
    assert sentence == (
        f"track[0].program: there is no such program; there are {known} (given 'gdpc'); "
        "did you mean 'gpdc'?"
    )


# --- elections --------------------------------------------------------------------------------

BASE = "base_rate = 0.03, enhanced_rate = 0.04"


@pytest.mark.parametrize(
    ("base", "most"),
    [(0.03, 0.04), (0.05, 0.02), (0.06, 0.02), (0.08, 0.02), (0.0, 0.07)],
)
def test_enhanced_capitation_up_to_its_limit(base: float, most: float) -> None:
    """CMS finance FAQ, October 2020, Q24: a base of 3% leaves 4%, one of 6% or 8% still 2%."""
    parse_scenario(document((BASE, f"base_rate = {base}, enhanced_rate = {most}")))
    (sentence,) = sentences((BASE, f"base_rate = {base}, enhanced_rate = {most + 1e-6}"))
    assert f"must be at most {most:g} with a base_rate of {base:g}" in sentence


def test_enhanced_limit_follows_an_override() -> None:
    rules = "[track.rules]\nprimary_care_capitation_total = 0.08\n\n[[track]]"
    head, tail = TEXT.split('[[track]]\nname = "global"')
    above = BASE.replace("0.04", "0.05")
    assert "must be at most 0.04" in sentences((BASE, above))[0]
    text = f'{head}{rules}\nname = "global"{tail}'.replace(BASE, above)
    capitation = parse_scenario(tomllib.loads(text)).track[0].primary_care_capitation
    assert capitation is not None
    assert capitation.enhanced_rate == 0.05


def test_advanced_payment_with_primary_care_capitation() -> None:
    change = ('capitation = "primary_care"', 'capitation = "primary_care"\nadvanced_payment = ')
    elected = (change[0], change[1] + "{ claims_reduced = 0.2 }")
    track = parse_scenario(document(elected)).track[0]
    assert track.advanced_payment is not None
    (sentence,) = sentences(
        (change[0], change[1] + "{ claims_reduced = 0.97 }"),
        (BASE, BASE + ", claims_reduced = 0.04"),
    )
    assert sentence == (
        "track[0].advanced_payment.claims_reduced: must leave room for the claims that primary "
        "care capitation replaces: both together are at most 1 (given 0.97 and 0.04)."
    )


def test_stop_loss_bands_of_two_categories_may_cover_the_same_costs() -> None:
    first = ("payout_rate = 0.8", 'payout_rate = 0.8\ncategory = "A&D"')
    lower = ("from = 300_000", "from = 200_000")
    second = ("payout_rate = 0.9", 'payout_rate = 0.9\ncategory = "ESRD"')
    parse_scenario(document(first, lower, second))
    (sentence,) = sentences(first, lower)
    assert sentence == (
        "track[1].stop_loss.bands[1]: must not overlap bands[0], which ends at 300000 "
        "(given from 200000)."
    )


def test_bands_that_touch_do_not_overlap() -> None:
    assert sentences(("from = 300_000", "from = 299_999.99"))
    parse_scenario(document(("from = 300_000", "from = 300_000")))


# --- several tables at once -------------------------------------------------------------------


def test_all_problems_are_told_in_the_order_of_the_file() -> None:
    found = sentences(
        ('option = "global"', 'optoin = "global"'),
        ("draws = 2_000", "draws = 0"),
        ("expected_cost_pbpm = 8_000", 'expected_cost_pbpm = "8,000"'),
    )
    assert [sentence.split(":")[0] for sentence in found] == [
        "run.draws",
        "population.segment[1].expected_cost_pbpm",
        "track[1].optoin",
    ]


def test_one_mistake_in_many_tracks_is_told_once_with_all_its_places(folder: Path) -> None:
    start, end = TEXT.index('[[track]]\nname = "professional"'), TEXT.index("[guarantee]")
    track = '[[track]]\nname = "{0}"\nprogram = "gpdc"\noptoin = "global"\n\n'
    tracks = "".join(track.format(name) for name in ("global", "b", "c"))
    (folder / "many.toml").write_text(TEXT[:start] + tracks + TEXT[end:], encoding="utf-8")
    (sentence,) = refusal("many.toml").splitlines()
    line = TEXT[:start].count("\n") + 4
    assert sentence.startswith(f"many.toml:{line}: track[0].optoin: unknown key; allowed here: ")
    others = f"track[1] (line {line + 5}), track[2] (line {line + 10})"
    assert sentence.endswith(f"did you mean 'option'? The same at {others}.")


def test_of_a_mistake_in_very_many_places_the_first_are_told(folder: Path) -> None:
    (folder / "many.toml").write_text(TEXT + "\n[[track]]" * 500, encoding="utf-8")
    missing = next(line for line in refusal("many.toml").splitlines() if ".name:" in line)
    assert missing.endswith(" and 487 more.")  # one at the front, and twelve
    assert len(missing) < 500


def test_mistakes_that_differ_are_told_apart() -> None:
    found = sentences(
        ("base_rate = 0.03", "base_rate = 3"), ("leakage_withhold = 0.95", "leakage_withhold = 95")
    )
    assert len(found) == 2


def test_a_path_without_a_line_ends_the_search() -> None:
    """Marks of a union's branch in a path once made the search go on for ever."""
    assert line_of("track[0].rate.function-before[check(), float]", "[[track]]\nrate = 2\n") == 2


def test_a_mistake_in_the_file_of_a_severity_names_file_and_line(folder: Path) -> None:
    (folder / "costs.csv").write_text("cost\n100\n-1\n", encoding="utf-8")
    spec = (
        'distribution = "lognormal", cv = 1.0',
        'distribution = "empirical", file = "costs.csv"',
    )
    with pytest.raises(InputError) as refused:
        parse_scenario(document(spec), base_dir=folder)
    assert str(refused.value) == (
        f"population.segment[1].severity: {folder / 'costs.csv'}: column 'cost', line 3: must be "
        "a finite cost of 0 or more (given -1)."
    )


def test_no_tracks_at_all() -> None:
    tracks = TEXT[TEXT.index("[[track]]") : TEXT.index("[guarantee]")]
    found = sentences((tracks, ""), ("[run]", "track = []\n\n[run]"))
    assert found == ["track: must not be empty (given [])."]


def test_esrd_trend_needs_an_esrd_segment() -> None:
    trend = 'national_trend_esrd = { distribution = "normal", sd = 0.03 }'
    parse_scenario(document(("[drivers]", f"[drivers]\n{trend}")))
    found = sentences(
        ("[drivers]", f"[drivers]\n{trend}"), ('category = "ESRD"', 'category = "A&D"')
    )
    assert found == ["drivers.national_trend_esrd: must be left out: no segment has category ESRD."]


def test_a_shared_mistake_is_told_once() -> None:
    year = ("performance_year = 2022", "performance_year = 2023")
    assert sentences(year) == [
        "entity.performance_year: program 'gpdc' holds performance years 2021 to 2022; for 2023 "
        "take program 'reach' (given 2023)."
    ]


# --- files ------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(path: str) -> str:
    with pytest.raises(InputError) as refused:
        load_scenario(path)
    return str(refused.value)


def test_missing_file(folder: Path) -> None:
    assert refusal("mine.toml") == "mine.toml: there is no such file."
    (folder / "other.toml").write_text(TEXT, encoding="utf-8")
    assert refusal("mine.toml") == (
        "mine.toml: there is no such file; in that folder there are other.toml."
    )


def test_missing_file_among_many_names_the_five_nearest(folder: Path) -> None:
    for name in (
        "large-global",
        "large-professional",
        "small-global",
        "zzz",
        "qqq",
        "tests",
        "xyz",
    ):
        (folder / f"{name}.toml").write_text(TEXT, encoding="utf-8")
    told = refusal("large-globl.toml")
    named = told.partition("the nearest of the 7 in that folder are ")[2].rstrip(".").split(", ")
    assert named[:3] == ["large-global.toml", "small-global.toml", "large-professional.toml"]
    assert len(named) == 5


def test_standard_input_is_no_file(folder: Path) -> None:
    assert "not read from standard input" in refusal("-")


def test_folder_for_a_file(folder: Path) -> None:
    (folder / "scenarios").mkdir()
    assert refusal("scenarios") == "scenarios: is a folder; give the scenario file in it."


@pytest.mark.parametrize("text", ["", "\n# only a comment\n"])
def test_empty_file(text: str, folder: Path) -> None:
    (folder / "empty.toml").write_text(text, encoding="utf-8")
    assert refusal("empty.toml") == (
        "empty.toml: the scenario is empty; it needs at least [entity], [[population.segment]], "
        "[benchmark] and [[track]]."
    )


def test_file_that_is_not_utf_8(folder: Path) -> None:
    (folder / "latin.toml").write_bytes('title = "a"\nnote = "Zürich"\n'.encode("latin-1"))
    assert refusal("latin.toml") == (
        "latin.toml: line 2, column 10: not UTF-8 text; save the file as UTF-8."
    )


def test_byte_order_mark_and_windows_line_ends_are_accepted(folder: Path) -> None:
    raw = b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()
    (folder / "windows.toml").write_bytes(raw)
    assert load_scenario("windows.toml").scenario == load_scenario(WHOLE).scenario


def test_nesting_without_end(folder: Path) -> None:
    (folder / "deep.toml").write_text("a = " + "[" * 100_000, encoding="utf-8")
    assert refusal("deep.toml").startswith("deep.toml: not valid TOML: ")


# --- overrides --------------------------------------------------------------------------------


def test_overrides_change_settings_and_are_kept() -> None:
    overrides = {"run.draws": 50, "track[1].stop_loss.loading": 1.1, "guarantee.base": "dollars"}
    overrides["guarantee.dollars"] = 4e6
    loaded = load_scenario(WHOLE, overrides)
    assert loaded.scenario.run.draws == 50
    assert loaded.scenario.track[1].stop_loss is not None
    assert loaded.scenario.track[1].stop_loss.loading == 1.1
    assert loaded.scenario.guarantee.dollars == 4e6
    assert loaded.overrides == overrides
    assert loaded.text == TEXT


@pytest.mark.parametrize("path", ["track[7].option", "run.draws.many", "track.option", "", "[0]"])
def test_overrides_that_lead_nowhere(path: str) -> None:
    with pytest.raises(InputError, match="leads nowhere; a path looks like"):
        load_scenario(WHOLE, {path: 1})


def test_overrides_are_checked_like_the_file() -> None:
    with pytest.raises(InputError, match=r"run\.drawz: unknown key; .* did you mean 'draws'\?"):
        load_scenario(WHOLE, {"run.drawz": 1})


# --- lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("run.seed", "seed = 7"),
        ("population.segment[1].category", 'category = "ESRD"'),
        ("population.segment[0].severity.total_cv", 'severity = { distribution = "generalised'),
        ("track[1].stop_loss.bands[1].payout_rate", "payout_rate = 0.9"),
        ("track[1].stop_loss.bands[0]", "[[track.stop_loss.bands]]"),
        ("track[0].missing", "[[track]]"),
        ("drivers.correlation.matrix[1][0]", "matrix = "),
    ],
)
def test_line_of_a_path(path: str, text: str) -> None:
    assert TEXT.splitlines()[line_of(path, TEXT) - 1].startswith(text)


@pytest.mark.parametrize("path", ["run.a]b", "run.a[", "run.]", "run.a b.", "run..seed"])
def test_line_of_a_key_with_brackets_is_that_of_its_table(path: str) -> None:
    assert TEXT.splitlines()[line_of(path, TEXT) - 1] == "[run]"


def test_line_of_what_is_nowhere() -> None:
    assert line_of("nothing.like.it", TEXT) == 0


# --- schema and commands ----------------------------------------------------------------------


def test_schema_names_every_table_and_forbids_others() -> None:
    schema = scenario_schema()
    json.dumps(schema, allow_nan=False)
    assert set(schema["properties"]) == set(Scenario.model_fields)
    assert all(table["additionalProperties"] is False for table in schema["$defs"].values())
    band = schema["$defs"]["StopLossBand"]["properties"]
    assert "from" in band
    assert (band["payout_rate"]["minimum"], band["payout_rate"]["maximum"]) == (0, 1)


def test_schema_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["schema"])
    assert stopped.value.code == 0
    assert json.loads(capsys.readouterr().out) == scenario_schema()
    with pytest.raises(SystemExit):
        main(["schema", "-o", "s.json"])
    assert json.loads((folder / "s.json").read_text(encoding="utf-8")) == scenario_schema()
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        main(["schema", "-o", "absent/s.json"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        f"simdc: {Path('absent/s.json')}: cannot be written: No such file or directory.\n"
    )


def test_validate_command_shows_what_was_understood(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["validate", str(WHOLE)])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    lines = shown.splitlines()
    assert lines[0].endswith("whole_scenario.toml is valid. Nothing was simulated.")
    # 11,800 people for 0.9 x 12 + 0.1 x 4 = 11.2 months at $1,100.
    (segment,) = (line for line in lines if "11,800" in line)
    assert "132,160" in segment
    assert "$145,376,000" in segment
    (discount,) = (line for line in lines if line.startswith("discount*"))
    assert "3% of benchmark" in discount
    assert "* overridden by the scenario" in lines
    assert "Assumptions" in lines


@pytest.mark.parametrize("width", [60, 80, 130])
def test_validate_puts_each_figure_beside_its_label(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit):
        main(["validate", str(WHOLE)])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []
    assert max(map(len, lines[1:])) <= min(width, 110)  # the first names a file
    first, second = (i for i, line in enumerate(lines) if line.startswith("Track "))
    figures = [" ".join(line.split()) for line in lines]
    # 134,560 months at $1,300; the mean score of 90% loses a tenth of the withhold of 5%.
    assert "Benchmark $174,928,000 $1,300.00" in figures[first:second]
    assert "Benchmark after discount, quality $174,053,360 $1,293.50" in figures[first:second]
    assert "Required guarantee $4,373,200 $32.50" in figures[first:second]
    # The scenario's discount of 3% on the other track.
    assert "Benchmark after discount, quality $168,805,520 $1,254.50" in figures[second:]
    assert "Required guarantee $5,247,840 $39.00" in figures[second:]
    # No word is broken, however narrow.
    words = {word for line in lines for word in line.split()}
    assert {"Segment", "Confidence", "disabled", "sequestration_shared_savings"} <= words


def test_validate_speaks_like_run(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    text = TEXT.replace('type = "standard"', 'type = "new_entrant"')
    (folder / "new.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["validate", "new.toml"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "D9999, New Entrant, performance year 2022; 2,000 draws, seed 7"
    assert "The default entity effect rests on published Global entities." in lines
    told = lines[lines.index("Assumptions") + 1 :]
    assert {line[:2] for line in told} == {"• ", "  "}


def test_validate_does_not_break_a_long_name(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "医療-aged-and-disabled-people-who-have-been-with-us-for-years"
    (folder / "long.toml").write_text(TEXT.replace("aged and disabled", name), encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "60")
    with pytest.raises(SystemExit):
        main(["validate", "long.toml"])
    lines = capsys.readouterr().out.splitlines()
    (row,) = (line for line in lines if "$1,100.00" in line)
    assert row.split() == [name, "11,800", "132,160", "$145,376,000", "$1,100.00"]


def test_validate_tells_expected_savings_of_each_track(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = """
[drivers]
quality_score = { distribution = "fixed", value = 0.9 }
"""
    start, end = TEXT.index("[drivers]"), TEXT.index("[[track]]")
    (folder / "fixed.toml").write_text(TEXT[:start] + fixed + TEXT[end:], encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["validate", "fixed.toml", "--json"])
    professional, other = json.loads(capsys.readouterr().out)["tracks"]
    cost = 132_160 * 1_100 + 2_400 * 8_000
    for track, final in ((professional, 0.995 * 174_928_000), (other, 0.965 * 174_928_000)):
        expected = track["expected"]
        assert expected["cost_of_care"] == pytest.approx(cost)
        # Capitation replaces what it pays, and stop-loss charges what it pays: both are neutral.
        assert expected["net_cost_of_care"] == pytest.approx(cost)
        assert expected["gross_savings_rate"] == pytest.approx(1 - cost / final)


@pytest.mark.parametrize(
    ("change", "option"),
    [
        (("", ""), "global"),
        (("performance_year = 2022", 'performance_year = 2022\noption = "professional"'),
         "professional"),
    ],
)  # fmt: skip
def test_option_of_the_entity(
    change: tuple[str, str], option: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "option.toml").write_text(TEXT.replace(*change, 1), encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["validate", "option.toml", "--json"])
    assert json.loads(capsys.readouterr().out)["entity"]["option"] == option
    assert "option" in scenario_schema()["$defs"]["Entity"]["properties"]
    (sentence,) = sentences(("performance_year = 2022", 'performance_year = 2022\noptoin = "x"'))
    assert sentence.endswith(
        "allowed here: id, type, performance_year, option, note; did you mean 'option'?"
    )


def test_validate_command_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["validate", str(WHOLE), "--json"])
    assert stopped.value.code == 0
    understood = json.loads(capsys.readouterr().out)
    assert [segment["beneficiaries"] for segment in understood["segments"]] == [11_800, 200]
    professional, other = understood["tracks"]
    # (11,800 x 11.2 + 200 x 12) months at $1,300; base capitation 3% of it, less the part of the
    # 5% withhold that the mean score of the quality driver, 90%, does not earn back.
    assert professional["unadjusted_benchmark"] == pytest.approx(174_928_000)
    assert professional["base_capitation"] == pytest.approx(0.03 * 0.995 * 174_928_000)
    assert other["stop_loss"]["bands"][1]["to"] is None
    assert [rule["name"] for rule in other["rules"] if rule["overridden"]] == ["discount"]
    assert understood["assumptions"]


def test_validate_keeps_control_characters_off_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = TEXT.replace("A made-up entity", r"A \u001b[31mred\u001b[0m entity")
    (folder / "red.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["validate", "red.toml"])
    assert "\x1b" not in capsys.readouterr().out


def test_help_imports_no_pydantic() -> None:
    code = (
        "import sys\n"
        "from simdc.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "sys.exit('pydantic' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
