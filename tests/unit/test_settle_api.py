"""``simdc.settle``: any program in one call, on numbers, arrays and labelled arrays.

Expected figures: CMS participant-level public use files of 2022 and 2023 (Direct Contracting, ACO
REACH), 42 CFR 425.605 and 425.610 (Shared Savings), the Next Generation participation agreement.
"""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import simdc
from simdc.errors import InputError
from simdc.programs import load_program
from simdc.settlement import direct_contracting, shared_savings

GPDC = {"program": "gpdc", "year": 2022, "option": "global"}
MSSP = {"program": "mssp", "year": 2024, "option": "enhanced"}
ENHANCED = {"benchmark": 100e6, "expenditure": 90e6, "beneficiaries": 20_000}

ENTITY = ["D0088", "D0127", "D0149"]


def labelled(values, dim="entity", labels=ENTITY, **coords):
    return xr.DataArray(np.asarray(values), dims=dim, coords={dim: labels, **coords})


def refusal(**arguments):
    with pytest.raises(InputError) as told:
        simdc.settle(**arguments)
    return str(told.value)


# --- numbers ----------------------------------------------------------------------------------


def test_a_published_settlement_of_2022() -> None:
    # D0088: Global, into the second corridor, net stop-loss payout.
    statement = simdc.settle(
        **GPDC,
        entity_type="high_needs",
        final_benchmark=43_984_166.24,
        claims=31_345_778.22,
        stop_loss_payout=694_063.79,
    )
    assert statement["gross_savings"] == pytest.approx(13_332_451.81, abs=1.0)
    assert statement["shared_savings"] == pytest.approx(12_164_246.69, abs=1.0)
    assert statement["shared_after_sequestration"] == pytest.approx(11_920_961.75, abs=1.0)


def test_a_published_settlement_of_2023_from_the_unadjusted_benchmark() -> None:
    # D0131: the trend ratio is what the published benchmarks imply; the rest is published.
    final = 44_470_553.22
    factor = 1 - 0.03 - 0.02 * (1 - 0.85)
    statement = simdc.settle(
        "reach",
        2023,
        option="global",
        entity_type="high_needs",
        unadjusted_benchmark=final / factor,
        quality_score=0.85,
        health_equity_up=27_750,
        health_equity_down=-17_736,
        claims=32_336_860.68,
    )
    assert statement["final_benchmark"] == pytest.approx(final, rel=1e-12)
    assert statement["gross_savings"] == pytest.approx(12_143_706.54, abs=1.0)
    assert statement["shared_after_sequestration"] == pytest.approx(11_399_285.69, abs=1.0)


@pytest.mark.parametrize(
    ("option", "spent", "paid"),
    [
        # 42 CFR 425.610: 75% of savings, 40% of losses; 2% sequestration of what is paid.
        ("enhanced", 90e6, 0.98 * 7.5e6),
        ("enhanced", 110e6, -4e6),
        # 42 CFR 425.605: BASIC E 50% and 30%, at most 4% of benchmark owed; BASIC A owes nothing.
        ("basic-e", 90e6, 0.98 * 5e6),
        ("basic-e", 110e6, -3e6),
        ("basic-e", 120e6, -4e6),
        ("basic-a", 110e6, 0.0),
    ],
)
def test_shared_savings(option: str, spent: float, paid: float) -> None:
    statement = simdc.settle(
        "mssp", 2024, option=option, benchmark=100e6, expenditure=spent, beneficiaries=20_000
    )
    assert statement["cash_due"] == pytest.approx(paid)


def test_the_year_of_an_agreement_limits_losses_on_track_2() -> None:
    # 42 CFR 425.606(g): 5%, 7.5%, then 10% of benchmark.
    owed = [
        simdc.settle(
            "mssp", 2016, option="track-2", agreement_year=year, elected_minimum_rate=0.02,
            benchmark=100.0, expenditure=160.0, beneficiaries=20_000,
        )["shared_savings"]
        for year in (1, 2, 3)
    ]  # fmt: skip
    assert owed == pytest.approx([-5.0, -7.5, -10.0])


def test_next_generation() -> None:
    # Participation agreement: capped at 5%, then 80%: at most 4% before sequestration.
    statement = simdc.settle(
        "ngaco", 2017, option="arrangement-a", rules={"savings_losses_cap": 0.05},
        final_benchmark=1000.0, claims=700.0,
    )  # fmt: skip
    assert statement["shared_savings"] == pytest.approx(40.0)
    assert statement["cash_due"] == pytest.approx(39.2)


def test_rules_are_overridden() -> None:
    own = simdc.settle(**GPDC, unadjusted_benchmark=100.0, claims=90.0)
    other = simdc.settle(**GPDC, rules={"discount": 0.05}, unadjusted_benchmark=100.0, claims=90.0)
    assert own["final_benchmark"] == pytest.approx(98.0)
    assert other["final_benchmark"] == pytest.approx(95.0)


def test_a_benchmark_by_category_or_for_all() -> None:
    whole = simdc.settle(**GPDC, unadjusted_benchmark=100.0, trend_ratio=1.05, claims=90.0)
    parts = simdc.settle(
        **GPDC,
        unadjusted_benchmark={"A&D": 70.0, "ESRD": 30.0},
        trend_ratio={"A&D": 1.05, "ESRD": 1.05},
        claims=90.0,
    )
    assert parts["final_benchmark"] == pytest.approx(whole["final_benchmark"], rel=1e-14)
    one_moves = simdc.settle(
        **GPDC,
        unadjusted_benchmark={"A&D": 70.0, "ESRD": 30.0},
        trend_ratio={"A&D": 1.0, "ESRD": 1.1},
        claims=90.0,
    )
    assert one_moves["final_benchmark"] == pytest.approx(0.98 * (70.0 + 33.0))


@pytest.mark.parametrize("program", simdc.program_names())
def test_every_program_can_be_settled(program: str) -> None:
    held = load_program(program)
    figures = (
        ENHANCED if held.family == "shared_savings" else {"final_benchmark": 100e6, "claims": 90e6}
    )
    year = held.years[0]
    option = held.matching(year)[0].options[0]
    statement = simdc.settle(program, year, option=option, **figures)
    assert statement["gross_savings"] == 10e6
    assert 0 < statement["cash_due"] <= 10e6


# --- arrays -----------------------------------------------------------------------------------


def test_arrays_are_settled_element_by_element() -> None:
    spent = np.array([90e6, 99e6, 110e6, np.nan])
    found = simdc.settle(**MSSP, benchmark=100e6, expenditure=spent, beneficiaries=20_000)
    one_by_one = [
        simdc.settle(**MSSP, benchmark=100e6, expenditure=each, beneficiaries=20_000)["cash_due"]
        for each in spent
    ]
    np.testing.assert_array_equal(found["cash_due"], one_by_one)
    assert math.isnan(found["cash_due"][3])


def test_arrays_broadcast_and_lists_are_arrays() -> None:
    found = simdc.settle(**GPDC, final_benchmark=[[100.0], [200.0]], claims=[90, 95, 110])
    assert found["cash_due"].shape == (2, 3)
    # 105 saved of 200: all of the first 25%, half of 10%, a quarter of 15%, a tenth of the rest.
    shared = 50 + 0.5 * 20 + 0.25 * 30 + 0.1 * 5
    assert found["shared_savings"][1, 1] == pytest.approx(shared)
    assert found["shared_savings"][0] == pytest.approx([10.0, 5.0, -10.0])


def test_it_is_the_settlement_that_simulations_use() -> None:
    cost = np.linspace(50e6, 150e6, 101)
    rules = load_program("gpdc").rules(2022, "professional")
    expected = direct_contracting.settle(
        direct_contracting.Terms.from_rules(rules),
        direct_contracting.Figures(final_benchmark=100e6, claims=cost),
    )
    found = simdc.settle("gpdc", 2022, option="professional", final_benchmark=100e6, claims=cost)
    assert list(found) == list(expected)
    for line in expected:
        np.testing.assert_array_equal(found[line], expected[line])


def test_what_is_given_is_left_as_it_was() -> None:
    cost = labelled([90.0, 95.0, 110.0])
    cost.attrs["note"] = "mine"
    before = cost.copy(deep=True)
    simdc.settle(**GPDC, final_benchmark=100.0, claims=cost)
    xr.testing.assert_identical(cost, before)


# --- labelled arrays --------------------------------------------------------------------------


def test_labels_come_out_as_they_went_in() -> None:
    size = xr.DataArray([20_000, 20_000, 5_000], dims="entity", coords={"entity": ENTITY})
    spent = labelled([90e6, 110e6, 98e6], state=("entity", ["NC", "TX", "CA"]))
    found = simdc.settle(**MSSP, benchmark=100e6, expenditure=spent, beneficiaries=size)
    cash = found["cash_due"]
    assert cash.dims == ("entity",)
    assert list(cash["entity"].values) == ENTITY
    assert list(cash["state"].values) == ["NC", "TX", "CA"]
    assert float(cash.sel(entity="D0088")) == pytest.approx(0.98 * 7.5e6)
    assert float(cash.sel(entity="D0127")) == pytest.approx(-4e6)
    assert float(cash.sel(entity="D0149")) == 0.0  # 2% is below 3.9%, the minimum for 5,000


def test_dimensions_meet_by_name() -> None:
    spent = xr.DataArray(
        np.linspace(80.0, 120.0, 15).reshape(5, 3),
        dims=("draw", "track"),
        coords={"track": ["a", "b", "c"], "draw": range(10, 15)},
    )
    target = labelled([100.0, 98.0, 99.0], "track", ["a", "b", "c"])
    cash = simdc.settle(**GPDC, final_benchmark=target, claims=spent)["cash_due"]
    assert set(cash.dims) == {"draw", "track"}
    for track, benchmark in zip("abc", (100.0, 98.0, 99.0), strict=True):
        alone = simdc.settle(
            **GPDC, final_benchmark=benchmark, claims=spent.sel(track=track).values
        )
        np.testing.assert_array_equal(cash.sel(track=track), alone["cash_due"])


def test_lines_are_described_and_inherit_no_description() -> None:
    spent = labelled([90e6, 99e6, 110e6])
    spent.attrs = {"long_name": "expenditure", "units": "thousand dollars"}
    found = simdc.settle(**MSSP, benchmark=100e6, expenditure=spent, beneficiaries=20_000)
    assert found["cash_due"].name == "cash_due"
    assert found["cash_due"].attrs == {"long_name": "Cash due", "units": "US dollars"}
    reduced = simdc.settle(
        **MSSP,
        benchmark=100e6,
        expenditure=90e6,
        beneficiaries=20_000,
        quality_score=labelled([0.5, 0.8, 1.0]),
        quality_standard_met=False,
        alternative_standard_met=True,
    )
    assert reduced["final_sharing_rate"].attrs["units"] == "1"
    assert reduced["final_sharing_rate"].values == pytest.approx([0.375, 0.6, 0.75])


@pytest.mark.parametrize("family", ["gpdc", "mssp", "ngaco"])
def test_labels_change_no_figure(family: str) -> None:
    year, option = {"gpdc": (2022, "professional"), "mssp": (2024, "basic-e")}.get(
        family, (2018, "arrangement-b")
    )
    cost = np.linspace(60e6, 140e6, 33)
    met = np.arange(33) % 2 == 0
    quality = np.linspace(0.2, 1.0, 33)

    def figures(wrap):
        if family == "mssp":
            return {
                "benchmark": 100e6,
                "expenditure": wrap(cost),
                "beneficiaries": wrap(np.linspace(4_000, 70_000, 33)),
                "elected_minimum_rate": wrap(np.where(met, np.nan, 0.01)),
                "quality_score": wrap(quality),
                "quality_standard_met": wrap(met),
                "alternative_standard_met": True,
                "low_revenue": wrap(~met),
                "revenue": wrap(40e6 * quality),
            }
        extra = {"regional_efficiency": wrap(0.02 * quality)} if family == "ngaco" else {}
        return {
            "unadjusted_benchmark": 100e6,
            "claims": wrap(cost),
            "quality_score": wrap(quality),
            "completion": 1.01,
            **extra,
        }

    plain = simdc.settle(family, year, option=option, **figures(lambda values: values))
    named = simdc.settle(
        family, year, option=option,
        **figures(lambda values: labelled(values, "draw", np.arange(33))),
    )  # fmt: skip
    assert list(plain) == list(named)
    for line in plain:
        np.testing.assert_array_equal(np.asarray(named[line]), np.asarray(plain[line]))
    assert named["cash_due"].dims == ("draw",)


# --- what is refused --------------------------------------------------------------------------


def test_labels_that_differ_are_not_joined() -> None:
    sentence = refusal(
        **GPDC,
        final_benchmark=labelled([100.0, 98.0, 99.0]),
        claims=labelled([90.0, 95.0, 97.0], labels=["D0088", "D0127", "D0150"]),
    )
    assert "its 'entity' must be that of 'final_benchmark', label by label" in sentence


def test_labels_in_another_order_are_not_matched() -> None:
    claims = labelled([90.0, 95.0, 97.0])
    assert "label by label" in refusal(**GPDC, final_benchmark=claims[::-1] + 10.0, claims=claims)


def test_dimensions_of_other_lengths_are_refused() -> None:
    claims = labelled([90.0, 95.0, 97.0])
    assert "its 'entity' must be that of" in refusal(
        **GPDC, final_benchmark=claims[:2] + 10.0, claims=claims
    )
    bare = xr.DataArray([100.0, 100.0], dims="entity")
    assert "its 'entity' must be that of" in refusal(**GPDC, final_benchmark=bare, claims=claims)


def test_other_coordinates_along_a_dimension_must_agree_too() -> None:
    one = labelled([90.0, 95.0, 97.0], state=("entity", ["NC", "TX", "CA"]))
    other = labelled([100.0, 98.0, 99.0], state=("entity", ["NC", "TX", "NY"]))
    assert "its 'state' must be that of" in refusal(**GPDC, final_benchmark=other, claims=one)


def test_an_array_without_labels_beside_labelled_ones_is_refused() -> None:
    sentence = refusal(
        **GPDC, final_benchmark=np.array([100.0, 98.0, 99.0]), claims=labelled([90.0, 95.0, 97.0])
    )
    assert "final_benchmark: has no labels, and 'claims' has" in sentence


def test_labels_by_category_must_agree_too() -> None:
    assert "unadjusted_benchmark.ESRD: its 'entity'" in refusal(
        **GPDC,
        unadjusted_benchmark={
            "A&D": labelled([1.0, 2.0, 3.0]),
            "ESRD": labelled([1.0, 2.0, 3.0], labels=["x", "y", "z"]),
        },
        claims=1.0,
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({**GPDC, "final_benchmark": 1.0, "claim": 1.0}, "did you mean 'claims'?"),
        ({**GPDC, "final_benchmark": 1.0}, "claims: the settlement of 'gpdc' needs this figure"),
        ({**GPDC, "claims": 1.0}, "exactly one of 'unadjusted_benchmark' and 'final_benchmark'"),
        ({**MSSP, **ENHANCED, "qualty_score": 1.0}, "did you mean 'quality_score'?"),
        ({**MSSP, **ENHANCED, "claims": 1.0}, "the settlement of 'mssp' has no such figure"),
        ({**GPDC, "final_benchmark": 1.0, "claims": 1.0, "agreement_year": 1}, "no such figure"),
        ({**MSSP, **ENHANCED, "agreement_year": 0}, "must be a year of an agreement, 1 to 5"),
        ({**MSSP, **ENHANCED, "agreement_year": 1.5}, "must be a year of an agreement, 1 to 5"),
        ({**MSSP, **ENHANCED, "quality_score": 85}, "as a fraction (2% is 0.02) (given 85)"),
        (
            {**MSSP, **ENHANCED, "quality_score": np.array([0.5, -0.1])},
            "(given an array from -0.1 to 0.5)",
        ),
        ({**MSSP, **ENHANCED, "quality_standard_met": 0.85}, "must be true or false (given 0.85)"),
        ({**MSSP, **ENHANCED, "elected_minimum_rate": 0.011}, "is not on offer"),
        ({**MSSP, **ENHANCED, "benchmark": {"A&D": 1.0}}, "one figure, not one by category"),
        ({**GPDC, "final_benchmark": "100", "claims": 1.0}, "must be a number"),
        ({**GPDC, "final_benchmark": 1j, "claims": 1.0}, "must be a number"),
        ({**GPDC, "final_benchmark": ["a"], "claims": 1.0}, "must be a number"),
        ({**GPDC, "option": "globl", "claims": 1.0}, "did you mean 'global'?"),
        ({**GPDC, "program": "mspp", "claims": 1.0}, "did you mean 'mssp'?"),
        ({**GPDC, "year": 2024, "claims": 1.0}, "take program 'reach'"),
        ({**GPDC, "rules": {"discont": 0.1}, "claims": 1.0}, "did you mean 'discount'?"),
        ({**GPDC, "rules": {"discount": 2}, "claims": 1.0}, "as a fraction (2% is 0.02)"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(arguments, sentence) -> None:
    assert sentence in refusal(**arguments)


def test_everything_wrong_is_told_at_once() -> None:
    sentences = refusal(**MSSP, benchmark=1.0, expenditur=1.0).splitlines()
    assert [each.split(":")[0] for each in sentences] == [
        "expenditur",
        "expenditure",
        "beneficiaries",
    ]


def test_none_is_a_figure_that_is_not_given() -> None:
    found = simdc.settle(**GPDC, final_benchmark=100.0, claims=90.0, unadjusted_benchmark=None)
    assert found["cash_due"] == pytest.approx(9.8)


def test_importing_simdc_does_not_import_the_settlement() -> None:
    code = "import sys, simdc; print('numpy' in sys.modules, 'settle' in dir(simdc))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["False", "True"]


def test_every_documented_figure_is_taken() -> None:
    for module, arguments in (
        (direct_contracting, {**GPDC, "final_benchmark": 100.0, "claims": 90.0}),
        (shared_savings, {**MSSP, **ENHANCED}),
    ):
        plain = simdc.settle(**arguments)["cash_due"]
        for name, field in module.Figures.__dataclass_fields__.items():
            if name not in arguments and isinstance(field.default, float | bool):
                assert simdc.settle(**arguments, **{name: field.default})["cash_due"] == plain
