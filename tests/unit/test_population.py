"""Populations: totals, spreads and months of segments, and files of people."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from simdc.errors import InputError
from simdc.population import Population, build_population, segment_risk_cv
from simdc.scenario import models

GAMMA = {"distribution": "gamma", "cv": 1.6}
TOTAL = {"distribution": "gamma", "total_cv": 2.14, "risk_share": 0.12}


def segment(name: str = "Aged", **fields: object) -> dict[str, object]:
    return {"name": name, "category": "A&D", "severity": GAMMA, **fields}


def sized(name: str = "Aged", **fields: object) -> dict[str, object]:
    return segment(name, **{"beneficiaries": 1_000, "expected_cost_pbpm": 1_000.0, **fields})


def built(*segments: dict[str, object], file: str | None = None, base: Path = Path()) -> Population:
    table = {"segment": segments} if file is None else {"segment": segments, "file": file}
    return build_population(models.Population.model_validate(table), base)


def listed(tmp_path: Path, text: str, *segments: dict[str, object]) -> Population:
    (tmp_path / "people.csv").write_text(text)
    return built(*(segments or (segment(),)), file="people.csv", base=tmp_path)


# --- segments ---------------------------------------------------------------------------------


def test_segment_without_spread():
    (people,) = built(sized()).segments
    assert people.beneficiaries == 1_000
    assert (people.name, people.category, people.alignment) == ("Aged", "A&D", "claims")
    assert_array_equal(people.expected_cost, 12_000.0)
    assert people.total_months == 12_000
    assert people.total_expected_cost == 12_000_000
    assert people.severity.cv == pytest.approx(1.6, rel=1e-9)


@pytest.mark.parametrize("beneficiaries", [2, 7, 1_000, 20_000])
@pytest.mark.parametrize("cv", [0.1, 0.74])
def test_risk_scores_have_the_mean_and_spread_asked_for(beneficiaries, cv):
    (people,) = built(sized(beneficiaries=beneficiaries, risk_score_cv=cv)).segments
    assert people.risk_score.mean() == pytest.approx(1.0, rel=1e-12)
    assert people.risk_score.std() == pytest.approx(cv, rel=1e-9)
    assert np.all(np.diff(people.risk_score) > 0)
    assert_allclose(people.expected_cost, 12_000 * people.risk_score)


def test_risk_scores_are_lognormal():
    (people,) = built(sized(beneficiaries=100_001, risk_score_cv=0.74)).segments
    sigma = math.sqrt(math.log(1 + 0.74**2))
    # The middle person is the median, exp(-sigma**2 / 2) of the mean; midpoints of 100,001 parts
    # leave the tail only a little too thin.
    assert people.risk_score[50_000] == pytest.approx(math.exp(-(sigma**2) / 2), rel=1e-3)
    upper = people.risk_score[84_134]  # one deviation above
    assert upper / people.risk_score[50_000] == pytest.approx(math.exp(sigma), rel=1e-3)


def test_risk_spread_comes_from_the_severity():
    (people,) = built(sized(severity=TOTAL)).segments
    assert people.risk_score.std() == pytest.approx(2.14 * math.sqrt(0.12), rel=1e-9)
    total = (1 + people.risk_score.var()) * (1 + people.severity.cv**2) - 1
    assert math.sqrt(total) == pytest.approx(2.14, rel=1e-8)


def test_months_are_shared_out_to_the_nearest_person_and_evenly_over_risk():
    shares = [
        {"months": 12, "share": 0.9},
        {"months": 6, "share": 0.06},
        {"months": 1.5, "share": 0.04},
    ]
    (people,) = built(
        sized(beneficiaries=10_007, risk_score_cv=0.74, eligible_months=shares)
    ).segments
    values, counts = np.unique(people.months, return_counts=True)
    assert_array_equal(values, [1.5, 6, 12])
    # 400.28, 600.42 and 9,006.3 people: the one left over goes to the largest fraction.
    assert_array_equal(counts, [400, 601, 9_006])
    full = people.months == 12
    for half in (slice(None, 5_000), slice(5_000, None)):
        assert full[half].mean() == pytest.approx(0.9, abs=0.002)
    assert abs(np.corrcoef(people.months, people.risk_score)[0, 1]) < 0.01


def test_totals_are_exact_whatever_the_months():
    shares = [{"months": 12, "share": 0.5}, {"months": 3, "share": 0.5}]
    (people,) = built(sized(beneficiaries=101, risk_score_cv=0.74, eligible_months=shares)).segments
    assert people.total_months == 51 * 12 + 50 * 3
    assert people.total_expected_cost == pytest.approx(1_000 * people.total_months, rel=1e-13)
    assert np.average(people.risk_score, weights=people.months) == pytest.approx(1, rel=1e-13)


def test_segments_keep_their_order():
    population = built(sized("B"), sized("A", category="ESRD", alignment="voluntary"))
    assert [(s.name, s.category, s.alignment) for s in population.segments] == [
        ("B", "A&D", "claims"),
        ("A", "ESRD", "voluntary"),
    ]


def test_one_person_is_of_average_risk():
    (people,) = built(sized(beneficiaries=1, risk_score_cv=0.74)).segments
    assert_array_equal(people.risk_score, [1.0])


SHARES = {"distribution": "generalised_gamma", "concentration": {"top_1": 0.149, "top_10": 0.6}}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"beneficiaries": None}, r"^population.segment\[0\]: needs 'beneficiaries'"),
        ({"expected_cost_pbpm": None}, "'expected_cost_pbpm' unless population.file"),
        (
            {"severity": {"distribution": "gamma"}},
            r"^population.segment\[0\].severity: a gamma needs exactly one of",
        ),
        (
            {"severity": TOTAL, "risk_score_cv": 0.5},
            r"segment\[0\].risk_score_cv: contradicts the severity.*imply 0.741.*given 0.5",
        ),
        ({"severity": SHARES, "risk_score_cv": 0.74}, "counts variance twice"),
        (
            {
                "severity": {
                    "distribution": "pareto_splice",
                    "splice_probability": 0.01,
                    "tail_index": 2.5,
                    "body": SHARES,
                },
                "risk_score_cv": 0.74,
            },
            "counts variance twice",
        ),
        ({"beneficiaries": 3, "risk_score_cv": 1.5}, "of 3 people cannot have a spread"),
    ],
)
def test_refused_segment(fields, sentence):
    with pytest.raises(InputError, match=sentence):
        built(sized(**fields))


@pytest.mark.parametrize(
    ("severity", "stated", "expected"),
    [
        (GAMMA, None, 0.0),
        (GAMMA, 0.3, 0.3),
        (SHARES, None, 0.0),
        (SHARES, 0.0, 0.0),
        ({"distribution": "gamma", "total_cv": 2.0, "risk_share": 0.25}, None, 1.0),
        ({"distribution": "gamma", "total_cv": 2.0, "risk_share": 0.25}, 1.004, 1.0),
    ],
)
def test_spread_of_risk_scores(severity, stated, expected):
    given = models.Segment.model_validate(sized(severity=severity, risk_score_cv=stated))
    assert segment_risk_cv(given) == pytest.approx(expected)


# --- files ------------------------------------------------------------------------------------


def test_file_with_expected_costs(tmp_path):
    text = "segment,months,expected_cost\nAged,12,12000\nESRD,6,30000\nAged,6,18000\n"
    aged, esrd = listed(tmp_path, text, segment("Aged"), segment("ESRD", category="ESRD")).segments
    assert_array_equal(aged.expected_cost, [12_000, 18_000])
    assert_array_equal(aged.months, [12, 6])
    # $30,000 over 18 months is $1,667 a month: the two cost 0.6 and 1.8 of that.
    assert_allclose(aged.risk_score, [0.6, 1.8])
    assert esrd.total_expected_cost == 30_000
    assert esrd.category == "ESRD"


def test_file_with_risk_scores(tmp_path):
    text = "segment,months,risk_score\nAged,12,0.8\nAged,6,2.0\n"
    (people,) = listed(tmp_path, text, segment(expected_cost_pbpm=1_000.0)).segments
    # Mean over months: (12 * 0.8 + 6 * 2.0) / 18 = 1.2.
    assert_allclose(people.risk_score, [0.8 / 1.2, 2.0 / 1.2])
    assert_allclose(people.expected_cost, [8_000, 10_000])


def test_file_with_both(tmp_path):
    text = "segment,months,expected_cost,risk_score\nAged,12,5000,3\nAged,12,7000,1\n"
    (people,) = listed(tmp_path, text).segments
    assert_array_equal(people.expected_cost, [5_000, 7_000])
    assert_allclose(people.risk_score, [1.5, 0.5])


def test_ids_make_the_order_of_rows_irrelevant(tmp_path):
    rows = ["c,Aged,12,300", "a,Aged,12,100", "b,Aged,12,200"]
    header = "id,segment,months,expected_cost\n"
    for order in ([0, 1, 2], [2, 0, 1]):
        text = header + "\n".join(rows[i] for i in order) + "\n"
        (people,) = listed(tmp_path, text).segments
        assert_array_equal(people.expected_cost, [100, 200, 300])


def test_parquet_gives_what_csv_gives(tmp_path):
    frame = pd.DataFrame(
        {"id": [2, 1], "segment": "Aged", "months": [12, 6], "expected_cost": [9e3, 1e3]}
    )
    frame.to_parquet(tmp_path / "people.parquet")
    (people,) = built(segment(), file="people.parquet", base=tmp_path).segments
    assert_array_equal(people.expected_cost, [1_000, 9_000])
    assert_array_equal(people.months, [6, 12])


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    def missing(*_args, **_kwargs):
        raise ImportError("pyarrow")

    (tmp_path / "people.parquet").write_bytes(b"")
    monkeypatch.setattr(pd, "read_parquet", missing)
    with pytest.raises(InputError, match="needs pyarrow"):
        built(segment(), file="people.parquet", base=tmp_path)


def test_byte_order_mark_and_spare_columns_do_no_harm(tmp_path):
    (tmp_path / "people.csv").write_bytes(
        b"\xef\xbb\xbfsegment,months,expected_cost,note\nAged,12,100,x\n"
    )
    (people,) = built(segment(), file="people.csv", base=tmp_path).segments
    assert people.total_expected_cost == 100


HEADER = "segment,months,expected_cost\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "people.csv: is empty"),
        (HEADER, "people.csv: has no rows"),
        ('segment,months,expected_cost\n"Aged,12,1\n', "cannot be read as CSV"),
        ("segment,expected_cost\nAged,1\n", "column 'months': there is no such column"),
        ("segment,month,expected_cost\nAged,12,1\n", "'month': unknown.*did you mean 'months'"),
        ("segment,months,expected_costs\nAged,12,1\n", "did you mean 'expected_cost'"),
        ("segment,months,risk_score,expected_costs\nAged,12,1,1\n", "did you mean 'expected_cost'"),
        (HEADER.replace("\n", ",riskscore\n") + "Aged,12,1,1\n", "did you mean 'risk_score'"),
        (HEADER.replace("\n", ", risk_score\n") + "Aged,12,1,1\n", "did you mean 'risk_score'"),
        (HEADER.replace("\n", ",ID\n") + "Aged,12,1,1\n", "did you mean 'id'"),
        ("months,expected_cost\n12,1\n", "column 'segment'"),
        (HEADER + "Aged,12,1\nAged,12,-1\n", r"'expected_cost', line 3: must be .*\(given -1"),
        (HEADER + "Aged,12,inf\n", r"'expected_cost', line 2: .*\(given inf\)"),
        (HEADER + "Aged,12,0\nAged,12,1.1e15\n", r"line 3: must be 0 or of a size .*1e15"),
        (HEADER + "Aged,12,1e-13\n", r"line 2: must be 0 or of a size between 1e-12"),
        (HEADER + "Aged,12,NaN\n", r"'expected_cost', line 2: .*\(given nothing\)"),
        (HEADER + 'Aged,12,"1,000"\n', r"line 2: .*\(given 1,000\)"),
        (HEADER + "Aged,12,True\n", r"line 2: .*\(given True\)"),
        (HEADER + "Aged,0,1\n", r"'months', line 2: .*above 0 and at most 12 \(given 0\)"),
        (HEADER + "Aged,12,1\nAged,12.01,1\n", r"'months', line 3: .*\(given 12.01\)"),
        (HEADER + ",12,1\n", r"'segment', line 2: must not be empty"),
        (HEADER + "Aged,12,1\naged,12,1\n", r"line 3: names no segment.*'Aged'"),
        (HEADER + "Aged,12,0\n", r"segment\[0\]: its people in the file all have.* of 0"),
        (
            "id," + HEADER + "a,Aged,12,1\na,Aged,12,2\n",
            r"'id', line 3: is the id of somebody above",
        ),
        ("id," + HEADER + ",Aged,12,1\n", r"'id', line 2: must not be empty"),
        (HEADER + "\n\nAged,12,1\n \nAged,12,-1\n", "'expected_cost', line 6: must be"),
        ("note," + HEADER + '"two\nlines",Aged,12,1\nx,Aged,12,-1\n', "line 4: must be"),
        ("segment,months,risk_score\nAged,12,1\n", "needs 'expected_cost_pbpm'"),
        (
            "segment,months,risk_score,expected_cost\nAged,12,-1,1\n",
            r"'risk_score', line 2: .*0 or more",
        ),
    ],
)
def test_refused_file(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        listed(tmp_path, text)


def test_columns_beside_a_known_one_do_no_harm(tmp_path):
    text = "segment,months,expected_cost,risk_score,risk_score_2021,age\nAged,12,100,1,2,70\n"
    (people,) = listed(tmp_path, text).segments
    assert people.total_expected_cost == 100


def test_rows_of_a_file_without_lines_are_counted_from_one(tmp_path):
    frame = pd.DataFrame({"segment": "Aged", "months": [12, 13], "expected_cost": [1.0, 1.0]})
    frame.to_parquet(tmp_path / "people.parquet")
    with pytest.raises(InputError, match="column 'months', row 2: "):
        built(segment(), file="people.parquet", base=tmp_path)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"beneficiaries": 5}, r"segment\[0\].beneficiaries: must be left out"),
        ({"risk_score_cv": 0.7}, r"segment\[0\].risk_score_cv: must be left out"),
        ({"expected_cost_pbpm": 900.0}, r"segment\[0\].expected_cost_pbpm: must be left out"),
    ],
)
def test_figures_given_by_segment_and_by_person(tmp_path, fields, sentence):
    with pytest.raises(InputError, match=sentence):
        listed(tmp_path, HEADER + "Aged,12,1\n", segment(**fields))


def test_declared_segment_without_people(tmp_path):
    with pytest.raises(InputError, match="has nobody in the segment 'ESRD'"):
        listed(tmp_path, HEADER + "Aged,12,1\n", segment(), segment("ESRD"))


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("none.csv", "there is no such file"),
        (".", "is a folder"),
        ("people.txt", "must be a .csv or .parquet"),
        ("bad.parquet", "cannot be read as PARQUET"),
    ],
)
def test_unreadable_file(tmp_path, file, sentence):
    (tmp_path / "people.txt").write_text("x")
    (tmp_path / "bad.parquet").write_text("not parquet")
    with pytest.raises(InputError, match=sentence):
        built(segment(), file=file, base=tmp_path)
