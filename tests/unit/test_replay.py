"""Replays of fabricated results files, in the formats of every year and of republishers.

Expected amounts follow from the rules by hand: generated savings x maximum rate x quality,
less sequestration. The rows of Direct Contracting and ACO REACH are published ones (CMS, ACO REACH
Financial and Quality Results, participant-level public use files of 2021 and 2023).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from simdc.cli.main import cli, main
from simdc.errors import InputError
from simdc.replay import Report, replay
from simdc.replay.cells import State, places, read_cell, read_flag
from simdc.replay.judge import Check
from simdc.replay.sheet import MINIMUM_RATE, SHARE, Column, Sheet
from simdc.replay.table import read_table
from simdc.replay.tracks import option_of

Row = dict[str, object]


def write(folder: Path, name: str, rows: Sequence[Row], encoding: str = "utf-8") -> Path:
    """A CSV file of these rows; every cell is quoted, so that commas may stand in it."""
    header = list(rows[0])
    lines = [header, *([str(row[column]) for column in header] for row in rows)]
    text = "\n".join(",".join(f'"{cell}"' for cell in line) for line in lines)
    path = folder / name
    path.write_bytes((text + "\n").encode(encoding))
    return path


def mssp(**changes: object) -> Row:
    """One ACO of 2022 on BASIC E: gains 5% of 200 million, first dollar, at 50% less 2%."""
    row: Row = {
        "ACO_ID": "A1001",
        "ACO_Name": "Palm Beach, LLC",
        "Current_Track": "E",
        "Current_Start_Date": "01/01/2022",
        "N_AB": "10000",
        "Sav_rate": "5.00%",
        "MinSavPerc": "0.50%",
        "BnchmkMinExp": "10000000",
        "GenSaveLoss": "10000000",
        "DisAdj": "",
        "EarnSaveLoss": "4900000",
        "Met_QPS": "1",
        "QualScore": "80.00%",
        "ABtotBnchmk": "200000000",
        "ABtotExp": "190000000",
        "FinalShareRate": "50.00%",
    }
    return row | changes


def without(row: Row, *columns: str) -> Row:
    return {name: value for name, value in row.items() if name not in columns}


def all_match(report: Report) -> bool:
    """Every row was checked in gross and paid, and every check matches within $1."""
    full = [report.checks["gross"], report.checks["paid"]]
    return not report.mismatches and all(
        tally.checked == tally.within_dollar == report.rows for tally in full
    )


# --- cells ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value", "digits", "percent"),
    [
        ("1234.50", 1234.5, 2, False),
        ("$1,234,567", 1234567.0, 0, False),
        (" -$1,234.5 ", -1234.5, 1, False),
        ("$(1,234)", -1234.0, 0, False),
        ("($1,234)", -1234.0, 0, False),
        ("−12", -12.0, 0, False),
        ("89.41%", 89.41, 2, True),
        ("2 %", 2.0, 0, True),
        (".5", 0.5, 1, False),
        ("1.117E+09", 1.117e9, -6, False),
        ("$ -", 0.0, 0, False),
        ("0.30000000000000004", 0.3, 1, False),
    ],
)
def test_numbers(text: str, value: float, digits: int, percent: bool) -> None:
    cell = read_cell(text)
    assert (cell.state, cell.places, cell.percent) == (State.NUMBER, digits, percent)
    assert cell.value == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("", State.BLANK),
        ("NaN", State.BLANK),
        ("-", State.NOT_APPLICABLE),
        ("N/A", State.NOT_APPLICABLE),
        ("P4R", State.NOT_APPLICABLE),
        ("*", State.SUPPRESSED),
        ("12,34", State.DAMAGED),
        ("1.234,50", State.DAMAGED),
        ("12abc", State.DAMAGED),
        ("$", State.DAMAGED),
        ("%", State.DAMAGED),
        ("inf", State.DAMAGED),
        ("1e999", State.DAMAGED),
    ],
)
def test_entries_that_are_no_number(text: str, state: State) -> None:
    cell = read_cell(text)
    assert cell.state is state
    assert math.isnan(cell.value)


@given(st.integers(-(10**12), 10**12), st.booleans())
def test_a_printed_amount_reads_back(cents: int, dollar: bool) -> None:
    amount = cents / 100
    text = f"{'-' if amount < 0 else ''}{'$' if dollar else ''}{abs(amount):,.2f}"
    assert read_cell(text).value == amount


def test_places_of_a_column_are_those_of_its_finest_cell() -> None:
    assert places([read_cell("0.95"), read_cell("0.9932")]) == 4
    assert places([read_cell("100.0"), read_cell("99.0")]) == 0  # floating only by some tool
    assert places([read_cell("100.0"), read_cell("99.5")]) == 1


@pytest.mark.parametrize(
    ("text", "flag"),
    [("1", True), ("1.0", True), ("Yes", True), ("0", False), ("N", False), ("", None)],
)
def test_flags(text: str, flag: bool | None) -> None:
    assert read_flag(text) is flag


# --- columns ----------------------------------------------------------------------------------


def sheet_of(tmp_path: Path, column: str, texts: Sequence[str]) -> Sheet:
    rows: list[Row] = [{"id": f"A{i}", column: text} for i, text in enumerate(texts)]
    table = read_table(write(tmp_path, "x.csv", rows), {"id"})
    return Sheet(table, {"id": Column("id"), "rate": Column(column), "track": Column("Track")})


@pytest.mark.parametrize(
    ("texts", "rates"),
    [
        (["0.9932", "1", "0.5"], [0.9932, 1.0, 0.5]),
        (["99.32", "100", "50"], [0.9932, 1.0, 0.5]),
        (["99.32%", "100%", "0.5"], [0.9932, 1.0, 0.5]),
        (["89.41%", "77.05", "0"], [0.8941, 0.7705, 0.0]),
    ],
)
def test_scores_in_any_scale(tmp_path: Path, texts: list[str], rates: list[float]) -> None:
    numbers = sheet_of(tmp_path, "Score", texts).rates("rate", SHARE)
    np.testing.assert_allclose(numbers.values, rates, rtol=1e-12)


@pytest.mark.parametrize("texts", [["0.5", "2", "0"], ["0.5", "0.5", "3.59"]])
def test_minimum_rates_in_percent(tmp_path: Path, texts: list[str]) -> None:
    """Half a per cent looks like a score of 50%, but no minimum rate is 50%."""
    numbers = sheet_of(tmp_path, "Rate", texts).rates("rate", MINIMUM_RATE)
    np.testing.assert_allclose(numbers.values, [float(text) / 100 for text in texts])


def test_half_a_printed_digit_is_in_the_unit_of_the_rate(tmp_path: Path) -> None:
    numbers = sheet_of(tmp_path, "Score", ["84%", "0.9932"]).rates("rate", SHARE)
    np.testing.assert_allclose(numbers.half_digit, [0.005, 0.00005])


def test_a_column_of_two_scales_is_not_used(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, "Score", ["0.95", "95", "88%"])
    numbers = sheet.rates("rate", SHARE)
    np.testing.assert_array_equal(numbers.values, [np.nan, np.nan, 0.88])
    assert "mixes fractions and percentages" in sheet.notes[0]
    assert [damage.given for damage in sheet.damage] == ["0.95", "95"]


def test_one_odd_cell_among_many_is_named_and_not_used(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, "Score", ["0.95"] * 19 + ["95"])
    numbers = sheet.rates("rate", SHARE)
    assert numbers.stated.sum() == 19
    assert [damage.row for damage in sheet.damage] == ["A19"]


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("EN", "enhanced"),
        ("ENHANCED", "enhanced"),
        ("ENHANCED (Track 3)", "enhanced"),
        ("A", "basic-a"),
        ("BASIC Level E", "basic-e"),
        ("Basic - Level C (two-sided)", "basic-c"),
        ("Track 1+", "track-1-plus"),
        ("Track 1 Plus", "track-1-plus"),
        ("1.0", "track-1"),
        ("3", "track-3"),
        ("BASIC", None),
        ("F", None),
        ("", None),
    ],
)
def test_tracks_as_text(tmp_path: Path, text: str, option: str | None) -> None:
    assert option_of(sheet_of(tmp_path, "Track", [text]))[0] == (option,)


@pytest.mark.parametrize(
    ("columns", "option"),
    [
        ({"Current_Track_1": 0, "Current_Track_1_Plus": 1, "Current_Track_2": 0}, "track-1-plus"),
        ({"Track1": 1, "Track2": 0}, "track-1"),
        ({"Current_BASIC_A": 0, "Current_BASIC_E": 1, "Current_ENHANCED": 0}, "basic-e"),
        ({"BASIC_Level_D": "Yes", "ENHANCED": "No"}, "basic-d"),
        ({"Current_Track_3": "1.0", "Initial_Track_1": "1.0"}, "track-3"),
        ({"Current_Track_1": 1, "Current_Track_2": 1}, None),
        ({"Current_Track_1": 0, "Current_Track_2": 0}, None),
    ],
)
def test_tracks_as_flags(tmp_path: Path, columns: Row, option: str | None) -> None:
    table = read_table(write(tmp_path, "x.csv", [{"id": "A1"} | columns]), {"id"})
    assert option_of(Sheet(table, {"track": Column("Current_Track")}))[0] == (option,)


# --- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_encodings_and_names_with_commas(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "x.csv", [mssp(ACO_Name="Médicos, Salud – Ñ")], encoding)
    assert all_match(replay(path, "mssp", 2022))


@pytest.mark.parametrize("case", [str.upper, str.lower])
def test_headers_in_either_case(tmp_path: Path, case: Any) -> None:
    row = {case(name): value for name, value in mssp().items()}
    assert all_match(replay(write(tmp_path, "x.csv", [row]), "mssp", 2022))


@pytest.mark.parametrize("separator", ["\t", ";", "|"])
def test_other_separators_and_line_ends(tmp_path: Path, separator: str) -> None:
    row = without(mssp(), "ACO_Name")
    path = tmp_path / "x.txt"
    path.write_text("\r".join(separator.join(map(str, line)) for line in (row, row.values())))
    assert all_match(replay(path, "mssp", 2022))


def test_titles_above_the_header(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", [mssp()])
    path.write_text("Shared Savings Program\nResults, revised\n\n" + path.read_text())
    assert all_match(replay(path, "mssp", 2022))


def test_dollar_signs_commas_and_an_extra_column(tmp_path: Path) -> None:
    money = {
        name: f"${int(str(mssp()[name])):,}"
        for name in ("ABtotBnchmk", "ABtotExp", "GenSaveLoss", "EarnSaveLoss")
    }
    row = {"Unnamed: 0": 7} | mssp(N_AB="10,000", **money)
    assert all_match(replay(write(tmp_path, "x.csv", [row]), "mssp", 2022))


def test_damaged_rows_are_named_and_the_rest_is_checked(tmp_path: Path) -> None:
    rows = [
        mssp(),
        mssp(ACO_ID="A1002", ABtotExp="19o000000", BnchmkMinExp=""),
        mssp(ACO_ID="A1003", Current_Track="BASIC"),
        mssp(ACO_ID="A1004", EarnSaveLoss="*"),
    ]
    path = write(tmp_path, "x.csv", rows)
    path.write_text(path.read_text() + "A1005,cut off\n\n")
    report = replay(path, "mssp", 2022)
    assert report.rows == 5
    assert [(damage.line, damage.row, damage.column) for damage in report.damage] == [
        (3, "A1002", "ABtotExp"),
        (4, "A1003", ""),
        (6, "A1005", ""),
    ]
    assert report.checks["gross"].checked == 2
    # A1002 is paid as its published savings say; A1004 has no published payment to compare with.
    assert (report.checks["paid"].checked, report.checks["paid"].within_dollar) == (2, 2)
    assert report.unchecked["gross"] == {"ABtotExp is no usable number": 1}
    assert report.unchecked["paid"] == {"EarnSaveLoss is suppressed": 1}


@pytest.mark.parametrize("given_as", ["0", "-5", "1e-300", "1e300"])
def test_a_benchmark_that_is_none(tmp_path: Path, given_as: str) -> None:
    rows = [mssp(), mssp(ACO_ID="A2", ABtotBnchmk=given_as)]
    report = replay(write(tmp_path, "x.csv", rows), "mssp", 2022)
    assert [(damage.row, damage.column) for damage in report.damage] == [("A2", "ABtotBnchmk")]
    assert report.checks["gross"].checked == report.checks["paid"].checked == 1


def test_missing_columns_are_named_with_what_they_cost(tmp_path: Path) -> None:
    rows = [without(mssp(), "ABtotExp", "BnchmkMinExp", "FinalShareRate", "MinSavPerc")]
    report = replay(write(tmp_path, "x.csv", rows), "mssp", 2022)
    assert list(report.missing) == ["ABtotExp", "MinSavPerc", "FinalShareRate"]
    assert report.checks["gross"].checked == 0
    assert report.unchecked["gross"] == {"the file has no column ABtotExp": 1}
    assert report.checks["paid"].within_dollar == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"ACO_ID,ABtotBnchmk\n", "has a header and no rows"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not text"),
        (b"PK\x03\x04rest of a workbook", "save its table as CSV"),
        (b"\xff\xfe\x00", "is not text"),
        (b"name,height\nAnn,170\n", "none of the columns ABtotBnchmk"),
        (b"aco_id,final_benchmark\nD1,5\n", "--program gpdc or reach"),
        (b"ACO_ID,ABtotBnchmk\nA1,5\n", "no option of 'mssp' is stated"),
    ],
)
def test_files_that_cannot_be_replayed(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence) as failure:
        replay(path, "mssp", 2022)
    assert str(failure.value).startswith(str(path))
    assert "\n" not in str(failure.value)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        replay(tmp_path / "none.csv", "mssp", 2022)
    with pytest.raises(InputError, match="is a folder"):
        replay(tmp_path, "mssp", 2022)


# --- years ------------------------------------------------------------------------------------


def test_the_year_comes_from_column_option_or_name(tmp_path: Path) -> None:
    stated = write(tmp_path, "a.csv", [mssp(Year="PY2022")])
    assert list(replay(stated, "mssp").groups) == [(2022, "basic-e")]
    named = replay(write(tmp_path, "mssp_py2022.csv", [mssp()]), "mssp")
    assert "2022 is taken from its name" in named.notes[0]
    silent = write(tmp_path, "b.csv", [mssp()])
    with pytest.raises(InputError, match="give it with --year"):
        replay(silent, "mssp")
    with pytest.raises(InputError, match=r"has no rows of 2021: column Year holds 2022"):
        replay(stated, "mssp", 2021)
    with pytest.raises(InputError, match="holds performance years 2014 to 2026"):
        replay(silent, "mssp", 2013)


def test_rows_of_several_years_are_settled_under_their_own_rules(tmp_path: Path) -> None:
    # In 2020 the score multiplied the rate and nothing was sequestered.
    of_2020 = mssp(Year=2020, EarnSaveLoss=10_000_000 * 0.5 * 0.8, FinalShareRate="40%")
    path = write(tmp_path, "x.csv", [mssp(Year=2022), of_2020])
    assert all_match(replay(path, "mssp"))
    assert replay(path, "mssp", 2020).rows == 1


def test_rows_of_another_program_of_the_family_are_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", [dict(zip(DC, row, strict=True)) for row in PUBLISHED])
    report = replay(path, "gpdc")
    assert report.rows == sum(row[1] == 2021 for row in PUBLISHED)
    assert "2023" in report.notes[0]
    with pytest.raises(InputError, match="for 2023 take program 'reach'"):
        replay(path, "gpdc", 2023)


# --- Shared Savings by year -------------------------------------------------------------------


def test_2014_whole_per_cent_scores_and_early_names(tmp_path: Path) -> None:
    """A score printed to whole per cents leaves half a point of the savings open."""
    row = without(mssp(), "Current_Track", "EarnSaveLoss", "Met_QPS", "ACO_ID", "FinalShareRate")
    early = {"ACO_Num": "A1", "Track1": 1, "Track2": 0, "MinSavPerc": "3.0%", "QualScore": "84"}
    exact = 10_000_000 * 0.5 * 0.8439 * 0.98
    ends = [exact, 10_000_000 * 0.5 * 0.851 * 0.98]
    rows = [
        row | early | {"ACO_Num": f"A{i}", "EarnShrSavings": f"{e:.0f}"} for i, e in enumerate(ends)
    ]
    report = replay(write(tmp_path, "x.csv", rows), "mssp", 2014)
    paid = report.checks["paid"]
    assert (paid.within_dollar, paid.within_rounding) == (0, 1)
    assert [mismatch.row for mismatch in report.mismatches] == ["A1"]
    assert "final sharing rate of 42.55% instead of 42.00%" in report.mismatches[0].reason


def test_2014_a_blank_score_earns_the_full_rate(tmp_path: Path) -> None:
    rows = [
        mssp(Current_Track=1, MinSavPerc="3.00%", QualScore=score, FinalShareRate="50%")
        for score in ("", "-", "P4R")
    ]
    report = replay(write(tmp_path, "x.csv", rows), "mssp", 2014)
    assert all_match(report)
    assert "blank in 3 rows" in report.notes[0]


def test_a_minimum_rate_below_the_size_table_is_the_printed_one(tmp_path: Path) -> None:
    """One ACO of 2017 with 152 beneficiaries has 25.42%; savings of 20% are short of it."""
    row = mssp(
        Current_Track="1", N_AB=152, MinSavPerc="25.42%", ABtotExp=160_000_000,
        BnchmkMinExp=40_000_000, GenSaveLoss=0, EarnSaveLoss=0,
    )  # fmt: skip
    report = replay(write(tmp_path, "x.csv", [row]), "mssp", 2017)
    assert all_match(report)
    assert "25.42%, as printed" in report.notes[0]


def test_track_2_loss_limits_rise_with_the_agreement(tmp_path: Path) -> None:
    """Losses of 20% at 1 - 0.6 x 0.8 = 52% are limited to 5, 7.5 and 10% of the benchmark."""
    rows = [
        mssp(
            Current_Track="2",
            Current_Start_Date=start,
            MinSavPerc="2.00%",
            ABtotExp=240_000_000,
            BnchmkMinExp=-40_000_000,
            GenSaveLoss=-40_000_000,
            EarnSaveLoss=-share * 200_000_000,
        )
        for start, share in (("1/1/15", 0.05), ("1/1/14", 0.075), ("7/1/12", 0.10), ("", 0.10))
    ]
    assert all_match(replay(write(tmp_path, "x.csv", rows), "mssp", 2015))


def test_2018_one_hot_with_track_1_plus(tmp_path: Path) -> None:
    flags = {"Current_Track_1": 0, "Current_Track_1_Plus": 1, "Current_Track_2": 0}
    row = mssp(EarnSaveLoss=10_000_000 * 0.5 * 0.8 * 0.98, FinalShareRate="40.00%") | flags
    row = without(row, "Current_Track")
    assert all_match(replay(write(tmp_path, "x.csv", [row]), "mssp", 2018))


def test_2019_two_halves_without_sequestration(tmp_path: Path) -> None:
    first = mssp(
        Current_Track="1", MinSavPerc="3.00%", EarnSaveLoss=4_000_000, FinalShareRate="40%"
    )
    second = mssp(
        ACO_ID="A2",
        Current_Track="ENHANCED",
        Current_Start_Date="07/01/2019",
        EarnSaveLoss=10_000_000 * 0.75 * 0.8,
        FinalShareRate="60%",
    )
    lost = mssp(
        ACO_ID="A3",
        Current_Start_Date="07/01/2019",
        ABtotExp=210_000_000,
        BnchmkMinExp=-10_000_000,
        GenSaveLoss=-10_000_000,
        EarnSaveLoss=-1_500_000,
    )
    report = replay(write(tmp_path, "x.csv", [first, second, lost]), "mssp", 2019)
    assert report.checks["paid"].within_dollar == 2
    (mismatch,) = report.mismatches
    # 30% of 10 million; the row has nothing to say how much of it the revenue allows.
    assert (mismatch.row, mismatch.computed) == ("A3", pytest.approx(-3_000_000))
    assert mismatch.reason == "limited by participants' revenue, which is not published"


def test_2020_fractions_and_forgiven_losses(tmp_path: Path) -> None:
    gained = mssp(QualScore="0.8", MinSavPerc="0.005", FinalShareRate="0.4", EarnSaveLoss=4_000_000)
    lost = gained | {
        "ACO_ID": "A2",
        "ABtotExp": 210_000_000,
        "BnchmkMinExp": -10_000_000,
        "GenSaveLoss": -10_000_000,
        "DisAdj": 1_234_567,  # of a loss that only the unpublished revenue limits
        "EarnSaveLoss": 0,
    }
    assert all_match(replay(write(tmp_path, "x.csv", [gained, lost]), "mssp", 2020))


def test_2021_one_hot_basic_columns_and_the_cliff(tmp_path: Path) -> None:
    levels = [f"Current_BASIC_{letter}" for letter in "ABCDE"] + ["Current_ENHANCED"]
    rates = dict(zip(levels, (0.4, 0.4, 0.5, 0.5, 0.5, 0.75), strict=True))
    rows = [
        without(mssp(MinSavPerc="3.00%" if level[-1] in "AB" else "0.00%"), "Current_Track")
        | {each: int(each == level) for each in levels}
        | {"EarnSaveLoss": round(10_000_000 * rate * 0.98), "FinalShareRate": f"{rate:.0%}"}
        for level, rate in rates.items()
    ]
    report = replay(write(tmp_path, "x.csv", rows), "mssp", 2021)
    assert all_match(report)
    assert report.checks["shared"].within_dollar == 6


def test_2022_savings_below_the_minimum_rate_are_nothing(tmp_path: Path) -> None:
    # 10,000 people: 3.0% by the table; 2.9% is short of it and 3.0% reaches it.
    short = mssp(
        Current_Track="B", MinSavPerc="3.00%", ABtotExp=194_200_000, BnchmkMinExp=5_800_000,
        GenSaveLoss=0, EarnSaveLoss=0,
    )  # fmt: skip
    reached = mssp(
        Current_Track="B", MinSavPerc="3.00%", ABtotExp=194_000_000, BnchmkMinExp=6_000_000,
        GenSaveLoss=6_000_000, EarnSaveLoss=6_000_000 * 0.4 * 0.98, FinalShareRate="40.00%",
    )  # fmt: skip
    assert all_match(replay(write(tmp_path, "x.csv", [short, reached]), "mssp", 2022))


def test_2023_alternative_standard_and_relief_in_dollars(tmp_path: Path) -> None:
    failed = mssp(Met_QPS=0, Met_AltQPS=0, EarnSaveLoss=0, FinalShareRate="0.00%")
    alternative = mssp(
        ACO_ID="A2", Met_QPS=0, Met_AltQPS=1, EarnSaveLoss=3_920_000, FinalShareRate="40.00%"
    )
    met = mssp(ACO_ID="A3", Met_AltQPS="-", EarnSaveLoss=4_900_000)
    lost = mssp(
        ACO_ID="A4",
        Current_Track="EN",
        Met_AltQPS="-",
        ABtotExp=210_000_000,
        BnchmkMinExp=-10_000_000,
        GenSaveLoss=-10_000_000,
        DisAdj=-2_000_000,
        EarnSaveLoss=-2_000_000,  # 1 - 0.75 x 0.8 = 40% of 10 million, less the relief
    )
    report = replay(write(tmp_path, "x.csv", [failed, alternative, met, lost]), "mssp", 2023)
    assert all_match(report)
    assert report.unchecked["shared"] == {"rates of shared losses are not published": 1}


def test_2024_half_rate_and_guardrail(tmp_path: Path) -> None:
    flags: Row = {"Met_AltQPS": "", "ReducedSS": 0, "Guardrail": 0}
    half = mssp(
        Current_Track="A", MinSavPerc="3.00%", ABtotExp=198_000_000, BnchmkMinExp=2_000_000,
        GenSaveLoss=2_000_000, EarnSaveLoss=2_000_000 * 0.2 * 0.98, FinalShareRate="20.00%",
        **flags | {"ReducedSS": 1},
    )  # fmt: skip
    guarded = mssp(ACO_ID="A2", EarnSaveLoss=0, **flags | {"Guardrail": 1})
    # Some files show the savings that the guardrail made, others none.
    shown_as_none = guarded | {"ACO_ID": "A3", "GenSaveLoss": 0}
    lost = mssp(
        ACO_ID="A4", Current_Track="EN", ABtotExp=210_000_000, BnchmkMinExp=-10_000_000,
        GenSaveLoss=-10_000_000, EarnSaveLoss=-4_000_000, **flags | {"Guardrail": 1},
    )  # fmt: skip
    rows = [half, guarded, shown_as_none, lost]
    assert all_match(replay(write(tmp_path, "x.csv", rows), "mssp", 2024))


def test_2024_half_rate_from_category_and_start_where_it_is_not_flagged(tmp_path: Path) -> None:
    row = mssp(
        Current_Track="A", MinSavPerc="3.00%", ABtotExp=198_000_000, BnchmkMinExp=2_000_000,
        GenSaveLoss=2_000_000, EarnSaveLoss=392_000, Rev_Exp_Cat="Low Revenue",
        Current_Start_Date="01/01/2024", FinalShareRate="20.00%",
    )  # fmt: skip
    assert all_match(replay(write(tmp_path, "x.csv", [row]), "mssp", 2024))


def test_a_loss_prorated_for_an_early_end_says_so(tmp_path: Path) -> None:
    row = mssp(
        Current_Track="EN", Met_AltQPS="", ABtotExp=210_000_000, BnchmkMinExp=-10_000_000,
        GenSaveLoss=-10_000_000, EarnSaveLoss=-3_000_000, Prorate_Shared_Losses=1,
    )  # fmt: skip
    report = replay(write(tmp_path, "x.csv", [row]), "mssp", 2024)
    assert "prorated for an agreement that ended during the year" in report.mismatches[0].reason


@pytest.mark.parametrize(
    ("changes", "step", "reason"),
    [
        ({"ABtotExp": 180_000_000}, "gross", "is not the BnchmkMinExp of the row"),
        ({"GenSaveLoss": 0}, "gross", "reaches the minimum of 0.50%"),
        ({"MinSavPerc": "7.00%", "GenSaveLoss": 0}, "gross", "neither on offer nor that of"),
        ({"EarnSaveLoss": 5_000_000}, "paid", "published without sequestration"),
        ({"EarnSaveLoss": 0}, "paid", "paid nothing of what was earned"),
        ({"FinalShareRate": "40.00%"}, "shared", "final rate of 40.00%, recomputed at 50.00%"),
    ],
)
def test_reasons(tmp_path: Path, changes: Row, step: str, reason: str) -> None:
    report = replay(write(tmp_path, "x.csv", [mssp(**changes)]), "mssp", 2022)
    reasons = {mismatch.step: mismatch.reason for mismatch in report.mismatches}
    assert reason in reasons[step]


def test_a_payment_of_other_savings_follows_from_them(tmp_path: Path) -> None:
    row = mssp(GenSaveLoss=8_000_000, EarnSaveLoss=3_920_000)
    report = replay(write(tmp_path, "x.csv", [row]), "mssp", 2022)
    reasons = {mismatch.step: mismatch.reason for mismatch in report.mismatches}
    assert reasons["paid"].startswith("follows from the gross amount")


def test_not_applicable_outcomes_are_nothing(tmp_path: Path) -> None:
    row = mssp(
        ABtotExp=200_000_000, BnchmkMinExp=0, MinSavPerc="2.00%", GenSaveLoss="-", EarnSaveLoss="-"
    )
    report = replay(write(tmp_path, "x.csv", [row]), "mssp", 2022)
    assert all_match(report)
    assert any("is read as 0" in note for note in report.notes)


# --- Direct Contracting and REACH -------------------------------------------------------------

DC = (
    "DCE_ID", "PERF_YEAR", "RISK_ARRANGEMENT", "UNADJ_BENCHMARK", "DISCOUNT", "RETENTION_WITHHOLD",
    "QUAL_SCR", "FINAL_BENCHMARK", "HEBA_UP_AMT", "HEBA_DOWN_AMT", "TOT_COST_CARE",
    "TOT_COST_CARE_NET", "GROSS_SAVINGS", "SHARED_SAVINGS", "SHARED_SAVINGS_SEQ",
)  # fmt: skip
PUBLISHED: list[tuple[object, ...]] = [
    ("D0004", 2021, "Global", 81185503.0037, "2%", "0%", "100%", 75558439.9116, "", "",
     71678885.4508, 71678885.4508, 3879554.4608, 3879554.4608, 3801963.3716),
    ("D0175", 2021, "Global", 17634282.1793, "2%", "2%", "100%", 16089492.4627, "", "",
     15111703.392, 15335920.3207, 753572.142, 753572.142, 738500.6992),
    ("D0131", 2021, "Professional", "*", "0%", "0%", "100%", 9949601.4424, "", "",
     7083884.96, 6915832.4806, 3033768.9618, 574546.5094, 563055.5792),
    ("D0004", 2023, "Global", 220744975.27, "3%", "0%", "81%", 206175258.93, 182370, -595650,
     168042056.04, 167965318.67, 37796660.25, 37796660.25, 37040727.05),
    ("D0131", 2023, "Global", 47570230.06, "3%", "0%", "85%", 44470553.22, 27750, -17736,
     32643290.60, 32336860.68, 12143706.54, 11631924.17, 11399285.69),
    ("D0078", 2023, "Professional", 82733821.50, "0%", "0%", "73%", 79543083.45, 63300, -199698,
     87234319.99, 89035303.57, -9628618.14, -3627976.57, -3627976.57),
    ("D0251", 2023, "Global", 302277478.41, "3%", "2%", "99%", 277535222.24, 1370700, -745926,
     303138489.30, 303029069.78, -24869073.54, -24869073.54, -24869073.54),
]  # fmt: skip


def published(year: int) -> list[Row]:
    return [dict(zip(DC, row, strict=True)) for row in PUBLISHED if row[1] == year]


def test_published_rows_of_2021(tmp_path: Path) -> None:
    report = replay(write(tmp_path, "x.csv", published(2021)), "gpdc")
    assert all_match(report)
    assert report.checks["shared"].within_dollar == 3
    assert report.information["discount"] == {"checked": 3, "agreeing": 3}
    # The trend of 2021 as it shows in all 53 entities is 0.9507.
    assert report.information["implied_trend_factor_2021"]["median"] == pytest.approx(
        0.9507, abs=0.003
    )


def test_published_rows_of_2023_with_health_equity(tmp_path: Path) -> None:
    report = replay(write(tmp_path, "x.csv", published(2023)), "reach")
    assert all_match(report)
    trend = report.information["implied_trend_factor_2023"]
    assert trend["median"] == pytest.approx(0.9667, abs=0.001)
    assert trend["agreeing"] == trend["checked"] == 4


def test_health_equity_from_months_where_no_amount_is_given(tmp_path: Path) -> None:
    row = published(2023)[0] | {"HEBA_UP_AMT": "", "HEBA_DOWN_AMT": ""}
    row |= {"HEBA_UP_MNTHS": 6079, "HEBA_DN_MNTHS": 99275}
    assert all_match(replay(write(tmp_path, "x.csv", [row]), "reach"))


def test_a_row_that_leaves_out_health_equity_says_so(tmp_path: Path) -> None:
    row = without(published(2023)[0], "HEBA_UP_AMT", "HEBA_DOWN_AMT")
    report = replay(write(tmp_path, "x.csv", [row]), "reach")
    assert {mismatch.step for mismatch in report.mismatches} == {"gross", "shared", "paid"}
    reasons = {mismatch.step: mismatch.reason for mismatch in report.mismatches}
    assert "states no health-equity adjustment" in reasons["gross"]
    assert reasons["paid"].startswith("follows from the shared amount")


def test_percent_numbers_lower_case_and_dollars(tmp_path: Path) -> None:
    rows = [
        {
            name.lower(): f"${value:,.2f}" if isinstance(value, float) else str(value).strip("%")
            for name, value in row.items()
        }
        for row in published(2023)
    ]
    report = replay(write(tmp_path, "x.csv", rows), "reach")
    assert all_match(report)
    assert report.information["discount"] == {"checked": 4, "agreeing": 4}


def test_later_steps_start_from_published_ones_where_columns_are_missing(tmp_path: Path) -> None:
    rows = [without(row, "TOT_COST_CARE_NET", "TOT_COST_CARE") for row in published(2023)]
    report = replay(write(tmp_path, "x.csv", rows), "reach")
    assert report.unchecked["gross"] == {"the file has no column TOT_COST_CARE_NET": 4}
    assert report.checks["shared"].within_dollar == report.checks["paid"].within_dollar == 4
    only_paid = [without(row, "FINAL_BENCHMARK") for row in rows]
    report = replay(write(tmp_path, "y.csv", only_paid), "reach")
    assert (report.checks["shared"].checked, report.checks["paid"].within_dollar) == (0, 4)


def test_cost_before_stop_loss_counts_where_stop_loss_was_declined(tmp_path: Path) -> None:
    row = published(2021)[0] | {"TOT_COST_CARE_NET": "", "STOP_LOSS": "No"}
    assert all_match(replay(write(tmp_path, "x.csv", [row]), "gpdc"))
    report = replay(write(tmp_path, "y.csv", [row | {"STOP_LOSS": "Yes"}]), "gpdc")
    assert report.unchecked["gross"] == {"TOT_COST_CARE_NET is blank": 1}


def test_an_early_exit_paid_nothing_is_recognised(tmp_path: Path) -> None:
    row = published(2021)[1] | {"SHARED_SAVINGS_SEQ": 0}
    report = replay(write(tmp_path, "x.csv", [row]), "gpdc")
    (mismatch,) = report.mismatches
    assert (mismatch.step, mismatch.published) == ("paid", 0.0)
    assert "early exit" in mismatch.reason


# --- judging ----------------------------------------------------------------------------------


def test_edges_of_the_counts() -> None:
    published = np.array([1e6, 1e6, 1e6, 1e6, 0.0, np.nan, 5.0])
    computed = np.array([1e6 + 1.0, 1e6 - 1.01, 1e6 + 1000.0, 1e6 + 1000.1, 1.5, 1.0, np.nan])
    rounding = np.array([0.0, 0.01, 0.0, 0.0, 0.0, 0.0, 0.0])
    tally = Check("gross", "x", published, computed, rounding).tally()
    assert (tally.checked, tally.within_dollar) == (5, 1)
    assert (tally.within_thousandth, tally.within_rounding) == (3, 2)
    assert tally.published == 4e6


# --- the command ------------------------------------------------------------------------------


def test_json(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", [mssp(), mssp(ACO_ID="A2", EarnSaveLoss=0)])
    result = CliRunner().invoke(
        cli, ["replay", str(path), "--program", "mssp", "--year", "2022", "--json"]
    )
    document = json.loads(result.stdout)
    assert document["rows"] == 2
    assert set(document["checks"]) == {"gross", "shared", "paid"}
    assert document["checks"]["gross"]["within_1_dollar"] == 2
    assert document["checks"]["paid"]["within_input_rounding"] == 1
    assert document["mismatches"][0] | {"reason": ""} == {
        "row": "A2",
        "line": 3,
        "year": 2022,
        "option": "basic-e",
        "step": "paid",
        "published": 0.0,
        "computed": 4_900_000.0,
        "difference": 4_900_000.0,
        "reason": "",
    }


def test_the_table_holds_counts_totals_and_each_mismatch(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", [mssp(), mssp(ACO_ID="A2", EarnSaveLoss=0, Sav_rate="*")])
    arguments = ["replay", str(path), "--program", "mssp", "--year", "2022"]
    text = CliRunner().invoke(cli, arguments).stdout
    for part in ("2 rows", "Within $1", "20,000,000.00", "A2", "4,900,000.00", "Likely reasons"):
        assert part in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["x.csv", "--program", "lead"], "gpdc, reach, mssp, not 'lead'"),
        (["none.csv", "--program", "gpdc"], "there is no such file"),
        (["x.csv", "--program", "gpdc", "--year", "2022"], "--program mssp"),
    ],
)
def test_bad_input_is_told_in_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "x.csv", [mssp()])
    with pytest.raises(SystemExit) as stop:
        main(["replay", *arguments])
    captured = capsys.readouterr()
    assert stop.value.code == 2
    assert sentence in captured.err
    assert captured.err.count("\n") == 1
    assert not captured.out
