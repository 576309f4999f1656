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
from pydantic import ValidationError

from simdc.cli.main import main
from simdc.errors import InputError
from simdc.programs import load_program, program_names
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
    text = f'{head}{rules}\nname = "global"{tail}'.replace(BASE, BASE.replace("0.04", "0.05"))
    parse_scenario(tomllib.loads(text))


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
    assert max(map(len, lines[1:])) <= 110
    # 11,800 people for 0.9 x 12 + 0.1 x 4 = 11.2 months at $1,100.
    (segment,) = (line for line in lines if "11,800" in line)
    assert "132,160" in segment
    assert "$145,376,000" in segment
    (discount,) = (line for line in lines if line.startswith("* discount"))
    assert "3% of benchmark" in discount
    assert "* overridden by the scenario" in lines
    assert "Assumptions" in lines


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
