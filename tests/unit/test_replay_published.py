"""Replays of the files that CMS published, where the folder SIMDC_DATA holds them.

Sources: CMS, ACO REACH Financial and Quality Results, 2022; Shared Savings Program performance year
financial and quality results, 2016 and 2022 (https://data.cms.gov).
"""

from __future__ import annotations

import pytest
from published import published

from simdc.errors import InputError
from simdc.replay import replay


def test_direct_contracting_2022() -> None:
    report = replay(published("gpdc_results_py2022.csv"), "gpdc")
    assert report.rows == 99
    within = {step: tally.within_dollar for step, tally in report.checks.items()}
    assert within == {"gross": 99, "shared": 99, "paid": 98}
    totals = {step: round(tally.published / 1e6, 2) for step, tally in report.checks.items()}
    assert totals == {"gross": 533.37, "shared": 507.50, "paid": 493.43}
    for step in ("gross", "shared"):
        tally = report.checks[step]
        assert tally.computed == pytest.approx(tally.published, abs=tally.checked)
    (mismatch,) = report.mismatches
    assert (mismatch.row, mismatch.step, mismatch.published) == ("D0128", "paid", 0.0)
    assert "early exit" in mismatch.reason
    assert not report.damage
    assert not report.missing


def test_direct_contracting_2022_reductions_are_additive() -> None:
    report = replay(published("gpdc_results_py2022.csv"), "gpdc")
    trend = report.information["implied_trend_factor_2022"]
    assert trend["median"] == pytest.approx(0.9480, abs=0.0005)
    assert trend["agreeing"] >= 95
    assert report.information["discount"] == {"checked": 99, "agreeing": 99}


def test_shared_savings_2022() -> None:
    report = replay(published("mssp_results_py2022.csv"), "mssp", 2022)
    gross, paid = report.checks["gross"], report.checks["paid"]
    assert report.rows == gross.checked == gross.within_dollar == 482
    assert paid.checked == 482
    assert paid.within_thousandth >= 0.995 * 482
    assert paid.computed == pytest.approx(paid.published, abs=482)
    assert report.information["minimum_rate"] == {"checked": 482, "agreeing": 482}


def test_shared_savings_2016() -> None:
    report = replay(published("mssp_results_py2016.csv"), "mssp")
    for step in ("gross", "paid"):
        tally = report.checks[step]
        assert tally.checked == tally.within_rounding == 432
    assert not report.mismatches
    assert list(report.groups.items()) == [
        ((2016, "track-1"), 410),
        ((2016, "track-2"), 6),
        ((2016, "track-3"), 16),
    ]


def test_another_programs_file_is_named() -> None:
    with pytest.raises(InputError, match="--program mssp"):
        replay(published("mssp_results_py2016.csv"), "gpdc")
