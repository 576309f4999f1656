"""What a reader sees: the figures of the tree, honest digits, 80 columns, and JSON that parses."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from synthetic import TRACKS, loaded_scenario, normal_sample, simulation, three_tracks, track

from simdc.cli.guarantee import command
from simdc.errors import InputError
from simdc.estimate import Estimate
from simdc.outcome import Assumption
from simdc.report.document import render_guarantee_json, render_json
from simdc.report.figures import digits, fixed, percent
from simdc.report.terminal import render_guarantee, render_run
from simdc.result import build_result, read_result, write_result

OBSERVED = {
    "track": "Global PCC",
    "source": "a public file",
    "gross_savings_rate": 0.034,
    "shared_after_sequestration": 12e6,
}


def printed(render, tree):
    """A report as it reaches a pipe."""
    out = io.StringIO()
    render(tree, out)
    return out.getvalue()


def report(run, render=render_run, **changes):
    return printed(render, build_result(run, loaded_scenario(**changes)))


def section(text, title):
    """Lines of one section, from its title to the empty line behind it."""
    return text[text.index(title) :].split("\n\n")[0].splitlines()


def row(lines, name):
    """Figures of a track and, below them, their errors."""
    at = next(i for i, line in enumerate(lines) if line.startswith(name))
    return lines[at][len(name) :].split(), lines[at + 1].split()


class TestFigures:
    def test_headline(self):
        # Normal laws of $1, 2, 3 million; errors of 10,000 draws: sd/100 times 1.96 for the mean.
        lines = section(report(simulation(three_tracks())), "Shared savings or losses")
        assert lines[0].endswith("$ million")
        figures, errors = row(lines, "Global TCC")
        assert figures == ["3.00", "6.00", "-6.9", "3.00", "12.9", "30.9%"]
        assert errors[0] == "±0.12"
        assert errors[-1] == "±0.9%"

    def test_cash_due_lists_the_tracks_where_it_differs(self):
        lines = section(report(simulation(three_tracks())), "Cash due at settlement")
        assert row(lines, "Global PCC")[0][0] == "-1.00"
        assert not any(line.startswith("Global TCC") for line in lines)
        assert "Tracks not listed settle only the amount above." in " ".join(
            " ".join(lines).split()
        )

    def test_cash_due_is_said_to_be_the_same_where_it_is(self):
        text = report(simulation((three_tracks()[2],)))
        assert "Cash due at settlement is the same amount on every track." in text

    def test_required_guarantee(self):
        lines = section(report(simulation(three_tracks())), "Is the required guarantee enough?")
        # P(N(2, 6) < -4.5) = 0.1393 and, $3 million being repaid, P(N(-1, 6) < -4.5) = 0.2798.
        figures, errors = row(lines, "Global PCC")
        assert figures[:3] == ["4.50", "13.9%", "28.0%"]
        assert errors[:2] == ["±0.7%", "±0.9%"]
        assert "Required is 3.00% of something." in " ".join(lines)

    def test_covering_amounts_have_limits(self):
        lines = section(report(simulation(three_tracks())), "Amount that covers")
        assert lines[1].split() == ["Track", "90%", "95%", "99%", "99.5%"]
        amounts, limits = row(lines, "Global TCC")
        # 1.2816, 1.6449, 2.3263 and 2.5758 standard deviations of 6 below the mean of 3;
        # a figure is rounded to 0.05, and the draw below a level lies 0.02 inside.
        assert list(map(float, amounts)) == pytest.approx([4.69, 6.87, 10.96, 12.45], abs=0.08)
        for amount, pair in zip(amounts, limits, strict=True):
            low, high = map(float, pair.split("–"))
            assert low <= float(amount) <= high

    def test_published_outcome(self):
        text = report(simulation(three_tracks()), observed=OBSERVED)
        lines = section(text, "Where the published outcome falls on track Global PCC")
        assert row(lines, "gross savings rate, %")[0][:2] == ["3.40", "53.6%"]
        # 12 is 1.667 standard deviations above 2.
        assert any(line.split()[-5:-3] == ["12.00", "95.2%"] for line in lines)
        assert "Published: a public file" in lines

    def test_without_required_guarantee_the_report_says_so(self):
        text = report(simulation(three_tracks(required=None)))
        assert "No guarantee is required: no rate stated." in text
        assert "Is the required guarantee enough?" not in text

    def test_a_required_amount_that_no_draw_exceeds(self):
        lines = section(report(simulation(three_tracks(required=90e6))), "Is the required")
        assert row(lines, "Global PCC") == (
            ["90.00", "0.00%", "0.00%", "0", "-"],
            ["±0.04%", "±0.04%", "no", "draw"],
        )

    def test_what_the_draws_cannot_support_is_refused_with_the_number_that_would(self):
        text = report(simulation(three_tracks(300)))
        lines = section(text, "Amount that covers")
        assert row(lines, "Global PCC")[0][2:] == ["refused", "refused"]
        assert row(lines, "Global PCC")[1][2:] == ["needs", "368", "needs", "736"]
        assert "300 draws cannot support what is refused" in text

    def test_one_draw_is_reported_without_a_crash(self):
        text = report(simulation(three_tracks(1)), observed=OBSERVED)
        assert "1 draw, seed" in text
        assert row(section(text, "Shared savings"), "Global PCC")[0][:2] == ["refused", "refused"]

    def test_small_entities_are_told_in_thousands(self):
        small = track("Global", normal_sample(10_000, 2e5, 5e5), required=3e5)
        lines = section(report(simulation((small,))), "Shared savings")
        assert lines[0].endswith("$ thousand")
        assert row(lines, "Global")[0][0] == "200"

    def test_assumptions_are_listed_with_their_source(self):
        text = " ".join(report(simulation(three_tracks())).split())
        assert text.count("attachment points are assumed") == 1
        assert "stop-loss (Global PCC, Global TCC): attachment" in text
        assert "entity effect: spread of 4.9 points [participant-level file, 2021]" in text

    def test_sign_convention_is_one_line(self):
        text = report(simulation(three_tracks()))
        assert "Sign: positive is paid to the entity, negative is owed by it.\n" in text


class TestDigits:
    @pytest.mark.parametrize(
        ("error", "shown"),
        [
            (0.0, "1234.57"),
            (0.004, "1,234.568"),
            (0.05, "1,234.57"),
            (0.19, "1,234.57"),  # a single digit of an error of 0.1 could be half of itself off
            (0.2, "1,234.6"),
            (3.0, "1,235"),
            (30.0, "1,230"),
            (300.0, "1,200"),
        ],
    )
    def test_come_from_the_error(self, error, shown):
        assert fixed(1234.5678, digits([error], 2)).replace(",", "") == shown.replace(",", "")

    def test_come_from_the_middle_error_of_a_column(self):
        assert digits([0.05, 3.0, 0.3, float("nan"), 0.0], 2) == 1

    def test_zero_has_no_sign(self):
        assert fixed(-0.004, 2) == "0.00"

    @pytest.mark.parametrize(
        ("estimate", "shown"),
        [
            (Estimate(0.213, 0.205, 0.221, 0.004), "21.3%\n±0.8%"),
            (Estimate(0.0, 0.0, 0.00037, 0.0), "0.00%\n±0.04%"),
            (Estimate(0.5, 0.2, 0.8, 0.15), "50%\n±30%"),
        ],
    )
    def test_of_probabilities_come_from_their_own_error(self, estimate, shown):
        assert percent(estimate).plain == shown


class TestLayout:
    @pytest.fixture
    def extreme(self):
        """Long names, large amounts, long texts with markup and control characters."""
        names = ("Global " + "W" * 53, "Professional with primary care capitation and stop-loss")
        tracks = tuple(
            track(name, normal_sample(10_000, -4e9, 3e9), enhanced=1e6, required=123e6)
            for name in names
        )
        tracks = tuple(replace(each, guarantee_basis="a basis " * 30) for each in tracks)
        run = simulation(tracks)
        hostile = Assumption("[bold]subject[/]", "\x1b[31mred\x07 " + "word " * 60, "source " * 30)
        observed = {**OBSERVED, "track": names[1]}
        document = [{"name": n, "program": "gpdc", "option": "global"} for n in names]
        loaded = loaded_scenario(title="A title " * 20, track=document, observed=observed)
        return build_result(replace(run, assumptions=(hostile,)), loaded)

    @pytest.mark.parametrize("terminal", [40, 80, 500])
    def test_no_figure_is_cut_and_nothing_is_wider_than_the_page(
        self, extreme, terminal, monkeypatch
    ):
        monkeypatch.setenv("COLUMNS", str(terminal))
        text = printed(render_run, extreme)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= max(80, min(terminal, 110))

    def test_text_from_a_scenario_is_shown_as_it_is_and_steers_nothing(self, extreme):
        text = printed(render_run, extreme)
        assert "[bold]subject[/]" in text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)

    def test_many_levels_go_into_several_tables(self):
        levels = tuple(np.round(np.arange(0.80, 0.90, 0.01), 2))
        tree = build_result(simulation(three_tracks()), loaded_scenario(), levels)
        text = printed(render_guarantee, tree)
        assert text.count("Amount that covers the total owed") == 3
        assert all(f"{round(100 * level)}%" in text for level in levels)


def refuse_constant(constant):
    raise AssertionError(f"{constant} is not JSON")


class TestJson:
    def test_is_plain_json_even_where_figures_are_missing(self):
        tree = build_result(
            simulation(three_tracks(50, required=None)), loaded_scenario(observed=OBSERVED)
        )
        text = json.dumps(render_json(tree), allow_nan=False)
        document = json.loads(text, parse_constant=refuse_constant)
        guarantee = document["tracks"][0]["guarantee"]
        assert guarantee["required"] is None
        assert guarantee["expected_shortfall"]["estimate"] is None
        assert guarantee["levels"][3]["covering_amount"]["estimate"] is None
        assert guarantee["levels"][3]["draws_needed"] == 736

    def test_holds_the_figures_of_the_tree(self):
        tree = build_result(simulation(three_tracks()), loaded_scenario(observed=OBSERVED))
        document = render_json(tree)
        assert [each["name"] for each in document["tracks"]] == list(TRACKS)
        found = document["tracks"][1]
        assert found["summary"]["cash_due"]["mean"]["estimate"] == pytest.approx(-1e6)
        assert found["guarantee"]["required"] == 4.5e6
        assert found["fixed"]["enhanced_capitation"] == 3e6
        assert found["rules"]["discount"]["value"] == three_tracks()[1].rules.value("discount")
        assert found["rules"]["discount"]["source"]
        assert document["observed"]["figures"]["gross_savings_rate"]["value"] == 0.034
        assert document["segments"][0]["beneficiaries"] == 12_000
        assert document["assumptions"][1]["source"] == "participant-level file, 2021"
        assert document["provenance"]["scenario_sha256"] == loaded_scenario().sha256

    def test_of_a_file_is_that_of_the_run(self, tmp_path):
        tree = build_result(simulation(three_tracks()), loaded_scenario(observed=OBSERVED))
        write_result(tree, tmp_path / "run.nc")
        with read_result(tmp_path / "run.nc") as read:
            assert render_json(read) == render_json(tree)
            assert printed(render_run, read) == printed(render_run, tree)


class TestGuaranteeCommand:
    @pytest.fixture
    def path(self, tmp_path):
        write_result(
            build_result(simulation(three_tracks()), loaded_scenario()), tmp_path / "run.nc"
        )
        return str(tmp_path / "run.nc")

    def test_prints_what_the_run_printed(self, path):
        shown = CliRunner().invoke(command, [path], catch_exceptions=False)
        with read_result(path) as tree:
            assert section(shown.stdout, "Amount that covers") == section(
                printed(render_run, tree), "Amount that covers"
            )

    def test_json_at_a_level(self, path):
        shown = CliRunner().invoke(
            command, [path, "--level", "0.975", "--json"], catch_exceptions=False
        )
        document = json.loads(shown.stdout, parse_constant=refuse_constant)
        levels = document["tracks"][2]["guarantee"]["levels"]
        assert [each["level"] for each in levels] == [0.975]
        # 1.95996 standard deviations of $6 million below the mean of $3 million.
        assert levels[0]["covering_amount"]["estimate"] == pytest.approx(8.7598e6, abs=1e4)

    def test_json_at_the_levels_of_the_run(self, path):
        shown = CliRunner().invoke(command, [path, "--json"], catch_exceptions=False)
        with read_result(path) as tree:
            assert json.loads(shown.stdout) == render_guarantee_json(tree)

    @pytest.mark.parametrize("level", ["0", "1", "99", "-0.5", "nan"])
    def test_a_level_that_is_no_fraction(self, path, level):
        with pytest.raises(InputError, match=r"fraction \(99% is 0\.99\)"):
            CliRunner().invoke(command, [path, f"--level={level}"], catch_exceptions=False)
