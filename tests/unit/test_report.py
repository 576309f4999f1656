"""What a reader sees: the figures of the tree, honest digits, 80 columns, and JSON that parses."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text
from synthetic import TRACKS, loaded_scenario, normal_sample, simulation, three_tracks, track

from simdc.cli.guarantee import command
from simdc.errors import InputError
from simdc.estimate import Estimate, probability
from simdc.outcome import Assumption
from simdc.report.document import render_guarantee_json, render_json
from simdc.report.figures import Money, amount_column, chance, digits, fixed, percent, range_column
from simdc.report.terminal import render_guarantee, render_run
from simdc.result import build_result, read_result, resize_guarantee, write_result

DOLLARS = Money(1.0, "$", 2)
MISSING = Text("-")

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

    def test_what_the_rules_do_not_provide_for_is_said_before_any_figure(self):
        told = Assumption("warning: size (Global PCC)", "there are too few beneficiaries")
        text = report(replace(simulation(three_tracks()), assumptions=(told,)))
        warned = text.index("Warning: there are too few beneficiaries.")
        assert warned < text.index("Expected cost:") < text.index("Shared savings or losses")
        assert "Warning" not in report(simulation(three_tracks()))

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
        assert "Required: 3.00% of something." in " ".join(lines)

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
        assert "Required guarantee: no rate stated." in text
        assert "Is the required guarantee enough?" not in text

    def test_a_required_amount_that_no_draw_exceeds(self):
        lines = section(report(simulation(three_tracks(required=90e6))), "Is the required")
        assert row(lines, "Global PCC") == (
            ["90.00", "<0.04%", "<0.04%", "0", "-"],
            ["no", "draw"],
        )

    def test_what_the_draws_cannot_support_is_refused_with_the_number_that_would(self):
        text = report(simulation(three_tracks(300)))
        lines = section(text, "Amount that covers")
        assert row(lines, "Global PCC")[0][2:] == ["refused", "refused"]
        assert row(lines, "Global PCC")[1][2:] == ["needs", "368", "needs", "736"]
        assert "300 draws cannot support what is refused" in text

    @pytest.mark.parametrize("draws", [1, 2, 29])
    def test_a_handful_of_draws_supports_no_mean_and_no_spread(self, draws):
        text = report(simulation(three_tracks(draws)), observed=OBSERVED)
        assert f"{draws} draw{'s' if draws > 1 else ''}, seed" in text
        figures, errors = row(section(text, "Shared savings"), "Global PCC")
        assert figures[:2] == ["refused", "refused"]
        assert errors[:4] == ["needs", "30", "needs", "30"]

    @pytest.mark.parametrize("draws", [1, 10, 1000])
    def test_cash_due_is_no_other_amount_because_it_cannot_be_estimated(self, draws):
        text = report(simulation(three_tracks(draws)))
        assert "is the same amount on every track" not in text
        assert section(text, "Cash due at settlement")[1].startswith("Track")

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

    def test_limits_are_said_to_leave_out_the_assumptions(self):
        text = " ".join(report(simulation(three_tracks())).split())
        assert "limits of the simulation alone" in text
        assert "leave out doubt about the assumptions listed below" in text

    def test_expected_cost_and_benchmark_are_given_in_dollars_and_pbpm(self):
        # $144 million and $150 million over 144,000 months.
        text = " ".join(report(simulation(three_tracks())).split())
        assert "12,000 beneficiaries, 144,000 months" in text
        assert "Expected cost: $144.00 million ($1,000.00 PBPM)" in text
        assert (
            "Unadjusted benchmark: $150.00 million ($1,041.67 PBPM); expected cost lies $6.00 "
            "million ($41.67 PBPM, 4.00%) below it"
        ) in text

    def test_a_benchmark_below_expected_cost_is_said_of_the_tracks_that_have_it(self):
        tracks = three_tracks()
        low = replace(tracks[1], fixed={**tracks[1].fixed, "unadjusted_benchmark": 140e6})
        text = " ".join(report(simulation((tracks[0], low, tracks[2]))).split())
        assert "benchmark of Professional PCC, Global TCC: $150.00 million" in text
        assert (
            "benchmark of Global PCC: $140.00 million ($972.22 PBPM); expected cost lies $4.00 "
            "million ($27.78 PBPM, 2.86%) above it"
        ) in text

    def test_one_person_is_told_in_dollars_and_in_the_singular(self):
        alone = simulation((track("Global", normal_sample(10_000, 300.0, 900.0), required=450.0),))
        table = {**alone.segment_table, "beneficiaries": (1,), "months": (1.0,)}
        text = report(replace(alone, segment_table={**table, "expected_cost": (900.0,)}))
        assert "1 beneficiary, 1 month\n" in text
        assert "Expected cost: $900 ($900.00 PBPM)" in text
        assert row(section(text, "Shared savings"), "Global")[0][0] == "300"
        assert row(section(text, "Known before the year, $"), "Global")[0][2] == "450"

    def test_the_required_amount_can_be_traced(self):
        lines = section(report(simulation(three_tracks())), "Known before the year")
        header = " ".join(lines[1].split() + lines[2].split())
        assert header == "Guarantee Enhanced Stop-loss Track base Rate Required to repay charge"
        figures = next(line for line in lines if line.startswith("Global PCC")).split()[2:]
        assert figures == ["150.00", "3.00%", "4.50", "3.00", "1.00"]
        figures = next(line for line in lines if line.startswith("Global TCC")).split()[2:]
        assert figures == ["150.00", "3.00%", "4.50", "-", "1.00"]

    def test_required_guarantees_are_told_apart_where_not_all_are_required(self):
        first, second, third = three_tracks()
        unstated = "a guarantee is required, but the documents state no percentage"
        second = replace(second, required_guarantee=None, guarantee_basis=unstated)
        text = " ".join(report(simulation((first, second, third))).split())
        assert (
            "Required: 3.00% of something (Professional PCC, Global TCC); a guarantee is "
            "required, but the documents state no percentage (Global PCC). Total owed"
        ) in text

    def test_the_last_word_is_how_much_has_to_be_there(self):
        lines = section(report(simulation(three_tracks())), "To cover what is owed in 99% of years")
        text = " ".join(" ".join(lines).split())
        # 2.3263 standard deviations of 6 below the mean of 2 and of 3; $3 million is repaid.
        found = re.search(
            r"Global PCC: \$(\S+) million \((\S+)–(\S+)\); of it \$3\.00 million enhanced "
            r"capitation to repay, known, and \$(\S+) million \(\S+\) loss; "
            r"required \$4\.50 million",
            text,
        )
        covering, low, high, loss = map(float, found.groups())
        assert covering == pytest.approx(14.96, abs=0.1)
        assert loss == pytest.approx(11.96, abs=0.1)
        assert low < covering < high
        assert re.search(r"Global TCC: \$10\.9 million \(\S+\); required \$4\.50 million", text)

    def test_a_loan_that_savings_partly_repay_is_told_as_such(self):
        sure = track("Global", normal_sample(10_000, 9e6, 1e6), enhanced=20e6)
        text = " ".join(report(simulation((sure,))).split())
        # At 99% savings of 9 - 2.3263 = 6.67 are left to set against the loan of 20.
        assert re.search(
            r"Global: \$13\.\d+ million \(\S+\); \$20\.00 million enhanced capitation to repay, "
            r"known, less \$6\.\d+ million \(\S+\) savings; required",
            text,
        )

    def test_the_last_word_is_given_at_the_highest_level_asked_for(self):
        tree = build_result(simulation(three_tracks(200)), loaded_scenario(), (0.9, 0.995))
        text = " ".join(printed(render_guarantee, tree).split())
        assert "owed in 99.5% of years - Professional PCC: refused, needs 736 draws; req" in text

    def test_nothing_is_said_to_be_owed_where_nothing_is(self):
        never = track("Global", np.abs(normal_sample(10_000, 1e6, 3e6)), required=None)
        text = report(simulation((never,)))
        assert "- Global: nothing\n" in text
        # The limits of an amount that is nothing in every draw are that amount.
        assert not re.search(r"0–0|±0\.?0*\s", text)

    def test_the_guarantee_alone_shows_the_assumptions_too(self):
        text = report(simulation(three_tracks()), render_guarantee)
        assert text.count("attachment points are assumed") == 1

    def test_sign_convention_is_one_line(self):
        text = report(simulation(three_tracks()))
        assert "Sign: positive is paid to the entity, negative is owed by it.\n" in text


class TestDigits:
    @pytest.mark.parametrize(
        ("error", "shown"),
        [
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
        assert fixed(1234.5678, digits(error)) == shown.replace("1234", "1,234")

    def test_come_from_each_figures_own_error(self):
        estimates = [Estimate(5.84, 5.81, 5.87, 0.01), Estimate(15.3, 12.0, 19.0, 2.0)]
        shown = [cell.plain for cell in amount_column(estimates, DOLLARS, MISSING)]
        assert shown == ["5.84\n±0.03", "15\n±4"]
        ranges = [cell.plain for cell in range_column(estimates, DOLLARS, MISSING)]
        assert ranges == ["5.84\n5.81–5.87", "15\n12–19"]

    @pytest.mark.parametrize(
        ("estimate", "shown"),
        [
            (Estimate(5.0, 5.0, 5.0, 0.0), "5.00"),
            (Estimate(0.1 + 0.2, 0.3, 0.3, 1e-17), "0.30"),  # floating point is no error
            (Estimate(0.0, 0.0, 0.4, 0.1), "0.0\n<0.4"),
            (Estimate(0.3, 0.0, 0.7, 0.2), "0.3\n<0.7"),
            (Estimate(-2.0, -2.5, -2.0, 0.1), "-2.0\n>-2.5"),
            (Estimate(1e-6, -1e-5, 2e-5, 1e-5), "0.000001\n±0.000019"),
        ],
    )
    def test_no_limit_is_shown_that_is_none(self, estimate, shown):
        assert amount_column([estimate], DOLLARS, MISSING)[0].plain == shown

    def test_zero_has_no_sign(self):
        assert fixed(-0.004, 2) == "0.00"

    @pytest.mark.parametrize(
        ("estimate", "shown"),
        [
            (Estimate(0.213, 0.205, 0.221, 0.004), "21.3%\n±0.8%"),
            (Estimate(0.5, 0.2, 0.8, 0.15), "50%\n±30%"),
            # Clopper-Pearson: none and all of 10,000, none of 10.
            (probability(0, 10_000), "<0.04%"),
            (probability(10_000, 10_000), ">99.96%"),
            (probability(0, 10), "<31%"),
            # One, five and 9,999 of 10,000: 0.0003% to 0.0557%, 0.016% to 0.117%.
            (probability(1, 10_000), "0.01%\n<0.06%"),
            (probability(5, 10_000), "0.05%\n0.01–0.12%"),
            (probability(9_999, 10_000), "99.99%\n>99.94%"),
        ],
    )
    def test_of_probabilities_come_from_their_own_error(self, estimate, shown):
        assert chance(estimate).plain == shown

    @given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_a_probability_is_never_outside_and_its_error_never_zero(self, case):
        estimate = probability(*case)
        shown = chance(estimate).plain
        assert "-" not in shown
        assert not re.search(r"±0\.?0*%", shown)
        if one_sided := re.search(r"([<>])([\d.]+)%", shown):
            limit = float(one_sided[2]) / 100
            inside = limit >= estimate.high if one_sided[1] == "<" else limit <= estimate.low
            assert inside
            assert 0.0 < limit < 1.0

    def test_shares_may_lie_outside_zero_and_one(self):
        assert percent(Estimate(-0.02, -0.05, 0.01, 0.015)).plain == "-2%\n±3%"


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

    def test_no_line_ends_in_blanks(self, extreme):
        for render in (render_run, render_guarantee):
            assert not re.search(r"[ \t]$", printed(render, extreme), re.MULTILINE)

    def test_no_line_ends_in_blanks_before_a_colour_ends(self, extreme, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        text = printed(render_run, extreme)
        assert "\x1b[" in text
        assert not re.search(r" (\x1b\[[\d;]*m)*$", text, re.MULTILINE)

    def test_lists_are_written_with_a_dash(self, extreme):
        assert "•" not in printed(render_run, extreme)

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

    def test_says_what_was_expected_and_where_the_required_amount_comes_from(self):
        found = render_json(build_result(simulation(three_tracks()), loaded_scenario()))
        of_track = found["tracks"][1]
        assert of_track["expected"]["benchmark"] == pytest.approx(
            {"dollars": 150e6, "pbpm": 150e6 / 144_000}
        )
        assert of_track["expected"]["cost_below_benchmark"] == pytest.approx(
            {"dollars": 6e6, "pbpm": 6e6 / 144_000, "share": 0.04}
        )
        guarantee = of_track["guarantee"]
        assert guarantee["base"] * guarantee["rate"] == pytest.approx(guarantee["required"])
        assert guarantee["enhanced_capitation"] == 3e6
        for level in guarantee["levels"]:
            whole, rest = level["covering_amount"], level["covering_amount_less_enhanced"]
            assert rest["standard_error"] == whole["standard_error"]
            for limit in ("estimate", "ci_low", "ci_high"):
                assert whole[limit] - rest[limit] == pytest.approx(3e6)
            assert level["covering_amount_by_step"] is None

    def test_of_the_guarantee_alone_holds_the_assumptions(self):
        tree = build_result(simulation(three_tracks()), loaded_scenario())
        assert render_guarantee_json(tree)["assumptions"] == render_json(tree)["assumptions"]
        assert len(render_json(tree)["assumptions"]) == 2

    def test_of_a_result_of_an_earlier_version(self):
        before = build_result(simulation(three_tracks()), loaded_scenario())
        groups = before.to_dict()
        groups["/inputs"] = groups["/inputs"].drop_vars("guarantee_base")
        earlier = xr.DataTree.from_dict(groups)
        assert render_json(earlier)["tracks"][0]["guarantee"]["base"] is None
        lines = section(printed(render_run, earlier), "Known before the year")
        figures = next(line for line in lines if line.startswith("Global PCC")).split()[2:]
        assert figures == ["-", "-", "4.50", "3.00", "1.00"]

    def test_of_a_file_is_that_of_the_run(self, tmp_path):
        tree = build_result(simulation(three_tracks()), loaded_scenario(observed=OBSERVED))
        write_result(tree, tmp_path / "run.nc")
        with read_result(tmp_path / "run.nc") as read:
            assert render_json(read) == render_json(tree)
            assert printed(render_run, read) == printed(render_run, tree)


class TestProvisionalSettlement:
    TITLE = "What provisional settlement changes"

    @pytest.fixture
    def tree(self):
        """Global is paid half beforehand and $2 million too much; Professional nothing."""
        shared = normal_sample(10_000, 0.0, 6e6)
        return build_result(
            simulation(
                (
                    track("Professional", shared, provisional=np.zeros(10_000)),
                    track("Global", shared, provisional=0.5 * shared + 2e6),
                )
            ),
            loaded_scenario(),
        )

    def test_what_has_to_be_guaranteed_is_given_without_at_and_after_it(self, tree):
        text = printed(render_run, tree)
        lines = section(text, self.TITLE)
        at = [i for i, line in enumerate(lines) if line.startswith("Global")]
        # 2.3263 standard deviations of 6; half of them less 2; half of them and 2.
        shown = [float(lines[i].split()[3]) for i in at]
        assert shown == pytest.approx([13.96, 4.98, 8.98], abs=0.1)
        assert [lines[i + 1].split("  ")[1] for i in at] == [
            "without it",
            "provisional",
            "until final",
        ]
        assert not any(line.startswith("Professional") for line in lines)

    def test_json_has_the_same(self, tree):
        levels = render_guarantee_json(tree)["tracks"][1]["guarantee"]["levels"]
        for level in levels:
            steps = level["covering_amount_by_step"]
            assert list(steps) == ["without", "at_provisional", "until_final"]
            assert steps["until_final"] == pytest.approx(level["covering_amount"])
        without = levels[2]["covering_amount_by_step"]["without"]["estimate"]
        assert without == pytest.approx(13.96e6, abs=2e4)

    def test_the_rest_of_the_amount_is_no_loss_alone(self):
        shared = normal_sample(10_000, 0.0, 6e6)
        tree = build_result(
            simulation((track("Global", shared, enhanced=1e6, provisional=0.5 * shared),)),
            loaded_scenario(),
        )
        text = " ".join(printed(render_guarantee, tree).split())
        assert re.search(r"known, and \$\S+ \w+ \(\S+\) loss and what else is settled;", text)

    def test_is_kept_with_the_result_and_sized_anew(self, tree, tmp_path):
        write_result(tree, tmp_path / "run.nc")
        with read_result(tmp_path / "run.nc") as read:
            assert section(printed(render_run, read), self.TITLE) == section(
                printed(render_run, tree), self.TITLE
            )
            again = resize_guarantee(read, (0.99,))
        found = again["guarantee/covering_amount_by_step"].sel(track="Global", step="without")
        assert float(found.sel(level=0.99, figure="estimate")) == pytest.approx(13.96e6, abs=2e4)

    def test_is_not_told_where_no_track_takes_it(self):
        assert self.TITLE not in report(simulation(three_tracks()))


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
