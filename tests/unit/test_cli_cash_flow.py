"""``simdc cash-flow``: what is paid when, by the FAQ and the law, worked out by hand."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from simdc.cli.cash_flow import command
from simdc.cli.main import COMMANDS, _status
from simdc.errors import InputError

# 1,000 beneficiaries and a benchmark of $1,000 a month: $980,000 a month after Global's discount.
SCENARIO = """
[entity]
id = "test"
type = "standard"
performance_year = 2022

[[population.segment]]
name = "everyone"
category = "A&D"
beneficiaries = 1000
expected_cost_pbpm = 900.0
severity = { distribution = "gamma", cv = 2.0 }

[benchmark]
pbpm = 1000.0

[[track]]
name = "without"
program = "gpdc"
option = "global"

[[track]]
name = "primary"
program = "gpdc"
option = "global"
capitation = "primary_care"
primary_care_capitation = { base_rate = 0.03, enhanced_rate = 0.04 }

[[track]]
name = "total"
program = "gpdc"
option = "global"
capitation = "total_care"
total_care_capitation = { leakage_withhold = [0.9, 0.8, 0.7, 0.6] }

[[track]]
name = "shared savings"
program = "mssp"
option = "enhanced"
benchmark = { pbpm = 1000.0 }
"""


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "scenario.toml"
    path.write_text(SCENARIO)
    return str(path)


def flow(scenario, *options):
    done = CliRunner().invoke(command, [scenario, *options], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def document(scenario, *options):
    found = json.loads(flow(scenario, *options, "--json"))
    return {track["name"]: track for track in found["tracks"]}


def test_each_track_with_capitation_is_shown(scenario):
    assert list(document(scenario)) == ["primary", "total"]
    assert list(document(scenario, "--track", "total")) == ["total"]


def test_months_follow_sequestration(scenario):
    # Public Law 117-71, section 2: none to March 2022, 1% from April, 2% from July.
    months = document(scenario)["primary"]["months"]
    assert [month["paid_on"] for month in months[::11]] == ["2022-01-01", "2022-12-01"]
    assert [month["sequestration"] for month in months] == [0.0] * 3 + [0.01] * 3 + [0.02] * 6
    for month in months:
        assert month["capitation"] == pytest.approx(29_400)
        assert month["enhanced"] == pytest.approx(39_200)
        assert month["paid"] == pytest.approx(68_600 * (1.0 - month["sequestration"]))


def test_enhanced_capitation_is_out_at_settlement_as_it_arrived(scenario):
    # CMS finance FAQ, October 2020, Q24: all of it goes back.
    out = document(scenario)["primary"]["at_settlement"]
    repaid = -39_200 * (3 + 3 * 0.99 + 6 * 0.98)
    assert out["enhanced_capitation"] == pytest.approx(repaid)
    assert out["risk_score_true_up"] == 0.0
    assert out["together"] == pytest.approx(repaid)


def test_total_care_withholds_by_quarter(scenario):
    track = document(scenario)["total"]
    assert [each["rate"] for each in track["leakage_withhold"]] == pytest.approx(
        [0.9, 0.8, 0.7, 0.6]
    )
    assert track["leakage_withhold"][1]["withheld"] == pytest.approx(0.8 * 3 * 980_000)
    assert track["months"][3]["capitation"] == pytest.approx(0.2 * 980_000)
    assert document(scenario)["primary"]["leakage_withhold"] is None


def test_a_low_interim_score_is_trued_up_at_settlement(scenario):
    # CMS finance FAQ, October 2020, Q43: a month is paid on the score known then.
    track = document(scenario, "--interim-risk-score", "0.95")["primary"]
    assert track["months"][0]["capitation"] == pytest.approx(0.95 * 29_400)
    assert track["at_settlement"]["risk_score_true_up"] == pytest.approx(
        0.05 * 29_400 * (3 + 3 * 0.99 + 6 * 0.98)
    )
    assert track["capitation_expenditure"] == pytest.approx(12 * 29_400)


def test_tables_show_the_same_within_80_columns(scenario):
    shown = flow(scenario)
    assert max(map(len, shown.splitlines())) <= 80
    assert not any(line.endswith(" ") for line in shown.splitlines())
    lines = [line.split() for line in shown.splitlines()]
    assert ["2022-07-01", "29,400", "39,200", "2%", "67,228", "476,770"] in lines
    assert ["4", "60.00%", "1,764,000"] in lines
    assert ["Enhanced", "capitation", "repaid", "-464,520"] in lines


def test_large_amounts_keep_all_their_digits(tmp_path):
    path = tmp_path / "large.toml"
    path.write_text(SCENARIO.replace("00.0", "0_000_000.0"))
    shown = flow(str(path), "--track", "primary")
    assert "capitation as paid, $ thousand" in shown
    assert ["2022-01-01", "2,940,000", "3,920,000", "0%", "6,860,000", "6,860,000"] in [
        line.split() for line in shown.splitlines()
    ]


def test_an_unknown_track_is_told_the_nearest(scenario):
    with pytest.raises(InputError, match=r"'primary', 'total' .*did you mean 'primary'\?"):
        flow(scenario, "--track", "primry")
    with pytest.raises(InputError, match="no such track with capitation"):
        flow(scenario, "--track", "without")


def test_a_scenario_without_capitation_is_refused(tmp_path):
    path = tmp_path / "without.toml"
    path.write_text(SCENARIO[: SCENARIO.index('[[track]]\nname = "primary"')])
    with pytest.raises(InputError, match="no track of this scenario has capitation"):
        flow(str(path))


@pytest.mark.parametrize("score", ["0", "-1", "nan", "inf", "much"])
def test_a_score_that_is_none_is_refused(scenario, score, capsys):
    assert _status(["cash-flow", scenario, f"--interim-risk-score={score}"]) == 2
    assert "interim" in capsys.readouterr().err


def test_the_command_has_a_hyphen(capsys):
    assert "cash-flow" in COMMANDS
    assert _status(["cash_flow"]) == 2
    assert "did you mean 'cash-flow'?" in capsys.readouterr().err
