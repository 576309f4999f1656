"""Tracks against each other: differences on the same draws, and break-evens worked out by hand."""

from __future__ import annotations

import io
import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import BENCHMARK, TRACKS, loaded_scenario, normal_sample, simulation, three_tracks

from simdc.cli.compare import command
from simdc.compare import (
    EARNED,
    PaymentCurve,
    break_even,
    comparable_lines,
    compare,
    payment_curve,
)
from simdc.errors import InputError, SimdcError
from simdc.outcome import TrackOutcome
from simdc.programs import load_program
from simdc.report.comparison import comparison_document, render_comparison
from simdc.result import build_result, group, write_result
from simdc.settlement import direct_contracting, shared_savings

DRAWS = 2_000
COST = normal_sample(DRAWS, 0.97 * BENCHMARK, 0.03 * BENCHMARK)


def outcome(name, program, option, rules, benchmark, net_cost, statement):
    """A settled track as an engine would hand it over."""
    earned = statement[EARNED]
    return TrackOutcome(
        name=name,
        program=program,
        option=option,
        rules=rules,
        draws={
            "final_benchmark": np.full(DRAWS, benchmark),
            "settlement_benchmark": np.full(DRAWS, benchmark),
            "net_cost_of_care": net_cost,
            "gross_savings": benchmark - net_cost,
            "shared_savings": statement["shared_savings"],
            EARNED: earned,
            "cash_due": earned,
        },
        fixed={"unadjusted_benchmark": benchmark},
        required_guarantee=None,
        guarantee_basis="the rules state none",
    )


def gpdc(name, option, *, charge=0.0, cost=COST, **rules):
    """A Direct Contracting track of 2022 with full quality, by default no stop-loss."""
    in_force = load_program("gpdc").rules(2022, option).override(rules)
    benchmark = BENCHMARK * (1.0 - in_force.value("discount"))
    net_cost = cost + charge
    statement = direct_contracting.settle(
        direct_contracting.Terms.from_rules(in_force),
        direct_contracting.Figures(final_benchmark=benchmark, claims=net_cost),
    )
    return outcome(name, "gpdc", option, in_force, benchmark, net_cost, statement)


def mssp(name, option, **figures):
    """A Shared Savings track of 2024 with 12,000 beneficiaries; 2022 forgave every loss."""
    in_force = load_program("mssp").rules(2024, option)
    statement = shared_savings.settle(
        shared_savings.Terms.from_rules(in_force),
        shared_savings.Figures(
            benchmark=BENCHMARK, expenditure=COST, beneficiaries=12_000, **figures
        ),
    )
    return outcome(name, "mssp", option, in_force, BENCHMARK, COST, statement)


def result(*tracks, scenario="", cost=COST, quality=1.0):
    run = replace(
        simulation(tracks), cost=cost[None, :], drivers={"quality_score": np.full(DRAWS, quality)}
    )
    return build_result(run, replace(loaded_scenario(), text=scenario))


def only_pair(*tracks, **options):
    (pair,) = compare(result(*tracks, **options)).pairs
    return pair


def three_gpdc():
    return result(
        gpdc("professional", "professional"),
        gpdc("global", "global"),
        gpdc("charged", "global", charge=1e6),
    )


@pytest.fixture(scope="module")
def pairs():
    tree = build_result(simulation(three_tracks()), loaded_scenario())
    return {(pair.first, pair.second): pair for pair in compare(tree).pairs}


@pytest.fixture(scope="module")
def tree():
    return result(
        gpdc("professional", "professional"),
        gpdc("global [bold]", "global"),
        gpdc("a-track-whose-name-goes-on-and-on-and-on-until-the-line-ends", "global"),
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("compare") / "run.nc"
    write_result(three_gpdc(), path)
    return path


class TestDifference:
    def test_every_pair_once_in_the_order_of_the_scenario(self, pairs):
        assert list(pairs) == [(TRACKS[0], TRACKS[1]), (TRACKS[0], TRACKS[2]), TRACKS[1:]]

    def test_the_difference_is_taken_draw_by_draw(self, pairs):
        # The samples rise together: $1M + 3M z less $2M + 6M z is -1M - 3M z, not a difference of
        # independent amounts, whose deviation would be $6.7M.
        difference = pairs[TRACKS[0], TRACKS[1]].difference
        assert difference["mean"].value == pytest.approx(-1e6)
        assert difference["standard_deviation"].value == pytest.approx(3e6, rel=1e-3)
        assert difference["mean"].standard_error == pytest.approx(3e4, rel=1e-3)
        for name, z in {"quantile_05": -1.6449, "quantile_50": 0.0, "quantile_95": 1.6449}.items():
            assert difference[name].value == pytest.approx(-1e6 + 3e6 * z, abs=5e3)
            assert difference[name].low < difference[name].value < difference[name].high

    def test_who_pays_more_and_how_often(self, pairs):
        pair = pairs[TRACKS[0], TRACKS[1]]
        # -1 - 3z > 0 where z < -1/3; 0.36944 of a normal law. Clopper-Pearson: about 1.96 errors.
        error = math.sqrt(0.36944 * 0.63056 / 10_000)
        assert pair.first_pays_more.value == pytest.approx(0.36944, abs=1e-4)
        assert pair.first_pays_more.standard_error == pytest.approx(error, rel=1e-3)
        assert pair.first_pays_more.high == pytest.approx(0.36944 + 1.96 * error, abs=2e-4)
        assert pair.second_pays_more.value == pytest.approx(0.63056, abs=1e-4)
        assert pair.equal.value == 0.0

    def test_amounts_that_are_the_same_to_the_cent_are_equal(self):
        one, other = gpdc("one", "global"), gpdc("other", "global")
        shift = np.zeros(DRAWS)
        shift[:3] = 0.004, 0.006, -0.006
        moved = {**other.draws, "cash_due": other.draws["cash_due"] + shift}
        tree = result(one, replace(other, draws=moved))
        (pair,) = compare(tree, "cash_due").pairs
        assert pair.second_pays_more.value == pytest.approx(1 / DRAWS)
        assert pair.first_pays_more.value == pytest.approx(1 / DRAWS)
        assert pair.equal.value == pytest.approx((DRAWS - 2) / DRAWS)

    def test_a_charge_costs_a_dollar_or_98_cents(self):
        pair = only_pair(gpdc("g", "global"), gpdc("charged", "global", charge=1e6))
        # The charge costs a dollar where a loss is owed and 98 cents where savings are paid.
        assert pair.difference["quantile_05"].value == pytest.approx(0.98e6, rel=1e-6)
        assert pair.difference["quantile_95"].value == pytest.approx(1e6, rel=1e-6)

    def test_few_draws_are_refused_a_tail_and_not_a_mean(self):
        tree = build_result(simulation(three_tracks(50)), loaded_scenario())
        difference = compare(tree).pairs[0].difference
        assert math.isnan(difference["quantile_95"].value)
        assert math.isfinite(difference["mean"].value)

    def test_lines_to_compare_by_are_those_paid_to_the_entity(self):
        tree = build_result(simulation(three_tracks(100)), loaded_scenario())
        assert set(comparable_lines(tree)) == {
            "gross_savings",
            "shared_savings",
            EARNED,
            "cash_due",
        }
        # $3 million of enhanced capitation is repaid by the first and not by the third.
        by = {line: compare(tree, line).pairs[1] for line in (EARNED, "cash_due")}
        means = {line: pair.difference["mean"].value for line, pair in by.items()}
        assert means["cash_due"] - means[EARNED] == pytest.approx(-3e6)

    @pytest.mark.parametrize(
        ("line", "tracks", "sentence"),
        [
            ("cash_duo", (), "did you mean 'cash_due'?"),
            ("net_cost_of_care", (), "there is no such line to compare by; there are"),
            ("cash_due", ("Global PCC", "Global TC"), "did you mean 'Global TCC'?"),
            ("cash_due", ("Global PCC",), "two tracks or more, and there is only 'Global PCC'"),
            ("cash_due", ("Global PCC", "Global PCC"), "two tracks or more"),
        ],
    )
    def test_what_cannot_be_compared_is_told(self, line, tracks, sentence):
        tree = build_result(simulation(three_tracks(100)), loaded_scenario())
        with pytest.raises(InputError) as told:
            compare(tree, line, tracks)
        assert sentence in str(told.value)

    def test_tracks_are_paired_in_the_order_asked_for(self):
        tree = build_result(simulation(three_tracks(100)), loaded_scenario())
        (pair,) = compare(tree, tracks=(TRACKS[2], TRACKS[0])).pairs
        assert (pair.first, pair.second) == (TRACKS[2], TRACKS[0])


class TestBreakEven:
    def test_professional_against_global_at_two_percent_discount(self):
        # Half of s against the whole of s - 2%: both 2% of the benchmark at s = 4%, which is
        # 1 - 0.96/0.98 of Global's; 98 cents of each dollar are paid.
        found = only_pair(gpdc("professional", "professional"), gpdc("global", "global")).break_even
        (crossing,) = found.crossings
        assert crossing.gross_savings_rate == pytest.approx((0.04, 1 - 0.96 / 0.98), abs=1e-9)
        assert crossing.cost == pytest.approx(0.96 * BENCHMARK)
        assert crossing.pays_below == pytest.approx([0.98 * 0.02 * BENCHMARK] * 2, abs=0.02)
        assert not crossing.jumps
        assert found.better == ("professional", "global")
        assert found.benchmark == pytest.approx((BENCHMARK, 0.98 * BENCHMARK))

    def test_draws_on_either_side(self):
        (crossing,) = only_pair(
            gpdc("professional", "professional"), gpdc("global", "global")
        ).break_even.crossings
        # Savings have mean 3% and standard deviation 3%: 4% lies a third of one above.
        assert crossing.draws_below.value == pytest.approx(0.63056, abs=1e-3)
        assert crossing.draws_above.value == pytest.approx(0.36944, abs=1e-3)
        assert crossing.draws_below.low < 0.63056 < crossing.draws_below.high

    def test_the_rules_of_the_result_decide(self):
        # At 3% discount the crossing lies in Professional's second corridor:
        # s - 3% = 2.5% + 35% (s - 5%), so s = 3.75% / 0.65.
        found = only_pair(
            gpdc("professional", "professional"), gpdc("global", "global", discount=0.03)
        ).break_even
        (crossing,) = found.crossings
        assert crossing.gross_savings_rate[0] == pytest.approx(0.0375 / 0.65, abs=1e-9)

    def test_sequestration_of_one_alone_moves_the_crossing(self):
        # 98% of half of s against the whole of s - 2%: s = 2% / 0.51.
        found = only_pair(
            gpdc("professional", "professional"),
            gpdc("global", "global", sequestration_shared_savings=0.0),
        ).break_even
        (crossing,) = found.crossings
        assert crossing.gross_savings_rate[0] == pytest.approx(0.02 / 0.51, abs=1e-9)

    def test_tracks_cross_as_often_as_their_corridors_do(self):
        # 50% to 2%, then 100%, against 60% throughout: both nothing at 0; at s = 2% one is behind
        # by 0.2%, at 2.5% they meet. Losses mirror savings.
        bent = gpdc("bent", "global", discount=0.0, corridors=[[0.02, 0.5], [math.inf, 1.0]])
        straight = gpdc("straight", "global", discount=0.0, corridors=[[math.inf, 0.6]])
        found = only_pair(bent, straight).break_even
        rates = [crossing.gross_savings_rate[0] for crossing in found.crossings]
        assert rates == pytest.approx([-0.025, 0.0, 0.025], abs=1e-9)
        assert found.better == ("straight", "bent", "straight", "bent")

    def test_touching_is_not_crossing(self):
        one = PaymentCurve("touching", 100e6, 0.0, 1.0, lambda net: np.abs(100e6 - net))
        other = PaymentCurve("flat", 100e6, 0.0, 1.0, lambda net: np.zeros_like(net))
        found = break_even(one, other, np.zeros(10))
        assert found.crossings == ()
        assert found.better == ("touching",)

    def test_identical_tracks_pay_the_same_everywhere(self):
        pair = only_pair(gpdc("one", "global"), gpdc("other", "global"))
        assert pair.break_even.crossings == ()
        assert pair.break_even.better == (None,)
        assert pair.equal.value == 1.0

    def test_a_charge_never_pays_off_without_payouts(self):
        found = only_pair(gpdc("g", "global"), gpdc("charged", "global", charge=1e6)).break_even
        assert found.crossings == ()
        assert found.better == ("g",)

    def test_capitation_that_does_not_vary_counts_at_its_amount(self):
        # Global with 30% of cost replaced by a payment of as much as that costs at 95% of the
        # benchmark. Whole savings either way, so they cross where the payment is the cost replaced.
        payment = 0.3 * 0.95 * BENCHMARK
        capitated = gpdc("capitated", "global", cost=0.7 * COST, charge=payment)
        found = only_pair(gpdc("global", "global"), capitated).break_even
        (crossing,) = found.crossings
        assert crossing.cost == pytest.approx(0.95 * BENCHMARK, rel=1e-9)
        assert crossing.gross_savings_rate == pytest.approx([1 - 0.95 / 0.98] * 2, abs=1e-9)
        assert found.better == ("capitated", "global")

    def test_minimum_rates_make_jumps_and_a_stretch_without_difference(self):
        # Elected rates of 1% and 2%: from the loss side, the greater share of losses; then only
        # BASIC owes; nobody pays; only BASIC earns; the greater share of savings.
        scenario = """
        [[track]]
        name = "basic"
        shared_savings = { elected_minimum_rate = 0.01 }
        [[track]]
        name = "enhanced"
        shared_savings = { elected_minimum_rate = 0.02 }
        """
        found = only_pair(
            mssp("basic", "basic-e", elected_minimum_rate=0.01),
            mssp("enhanced", "enhanced", elected_minimum_rate=0.02),
            scenario=scenario,
        ).break_even
        rates = [crossing.gross_savings_rate[0] for crossing in found.crossings]
        assert rates == pytest.approx([-0.02, -0.01, 0.01, 0.02], abs=1e-9)
        assert found.better == ("basic", "enhanced", None, "basic", "enhanced")
        assert all(crossing.jumps for crossing in found.crossings)
        # ENHANCED owes nothing until 2% is reached, then 40% of it (1 less 75%, at least 40%).
        first = found.crossings[0]
        assert first.pays_below[1] == pytest.approx(-0.4 * 0.02 * BENCHMARK, rel=1e-6)
        assert first.pays_above[1] == 0.0

    def test_programs_may_be_mixed(self):
        # One-sided at 40%, against half of savings and losses to 5%, 35% of the next 5% and 15% of
        # the 5% after that. Owing nothing is better where there are losses, half of savings where
        # there are some; they meet again where 40% s = 4.25% + 15% (s - 10%), at s = 11%.
        pair = only_pair(mssp("basic-a", "basic-a"), gpdc("professional", "professional"))
        assert pair.obstacle == ""
        found = pair.break_even
        rates = [crossing.gross_savings_rate[0] for crossing in found.crossings]
        assert rates == pytest.approx([0.0, 0.11], abs=1e-9)
        assert found.better == ("basic-a", "professional", "basic-a")

    @settings(max_examples=25, deadline=None)
    @given(
        discount=st.just(0.0) | st.floats(1e-6, 0.06),
        edge=st.floats(0.02, 0.3),
        # A share is nothing, or of a size that a contract could state.
        shares=st.tuples(st.floats(0.3, 1.0), st.just(0.0) | st.floats(1e-6, 0.6)),
    )
    def test_at_a_crossing_both_pay_the_same_and_beside_it_they_do_not(
        self, discount, edge, shares
    ):
        def payer(name, benchmark, corridors):
            terms = direct_contracting.Terms.from_rules(
                load_program("gpdc").rules(2022, "global").override({"corridors": corridors})
            )

            def paid(net_cost):
                figures = direct_contracting.Figures(final_benchmark=benchmark, claims=net_cost)
                return direct_contracting.settle(terms, figures)[EARNED]

            return PaymentCurve(name, benchmark, 0.0, 1.0, paid)

        one = payer("one", 100e6, [[edge, shares[0]], [math.inf, shares[1]]])
        other = payer("other", 100e6 * (1 - discount), [[math.inf, 0.5]])
        found = break_even(one, other, np.zeros(4))
        for crossing in found.crossings:
            assert crossing.pays_below[0] == pytest.approx(crossing.pays_below[1], abs=0.02)
        dense = one.cost_at(np.linspace(-0.5, 0.5, 40_001))
        difference = one.pays(dense) - other.pays(dense)
        strict = np.sign(difference[np.abs(difference) > 1.0])
        changes = int(np.count_nonzero(np.diff(strict)))
        named = [name for name in found.better if name is not None]
        assert sum(a != b for a, b in itertools.pairwise(named)) == changes


class TestObstacles:
    def test_rules_that_do_not_give_the_settlements_are_told(self):
        # Made-up shared savings: half of gross whatever its size.
        tree = build_result(simulation(three_tracks()), loaded_scenario())
        pair = compare(tree).pairs[0]
        assert pair.break_even is None
        assert "rules recorded for track 'Professional PCC' do not give" in pair.obstacle
        assert pair.difference["mean"].value == pytest.approx(-1e6)

    def test_elections_missing_from_the_scenario_are_noticed(self):
        pair = only_pair(
            mssp("basic", "basic-e", elected_minimum_rate=0.0), gpdc("global", "global")
        )
        assert "rules recorded for track 'basic'" in pair.obstacle

    def test_a_cost_that_is_all_prepaid(self):
        prepaid = gpdc("prepaid", "global", cost=np.full(DRAWS, 0.95 * BENCHMARK))
        tree = result(prepaid, gpdc("global", "global"))
        with pytest.raises(SimdcError, match="'prepaid' does not rise with the cost of care"):
            payment_curve(tree, "prepaid")

    def test_without_spread_net_cost_is_in_proportion_to_cost(self):
        cost = np.full(DRAWS, 0.97 * BENCHMARK)
        tree = result(
            gpdc("professional", "professional", cost=cost),
            gpdc("global", "global", cost=cost),
            cost=cost,
        )
        (crossing,) = compare(tree).pairs[0].break_even.crossings
        assert crossing.gross_savings_rate[0] == pytest.approx(0.04, abs=1e-9)


class TestShown:
    def test_tables_fit_and_show_the_break_even(self, tree):
        out = io.StringIO()
        render_comparison(tree, compare(tree), out)
        text = out.getvalue()
        assert max(map(len, text.splitlines())) <= 80
        assert "global [bold]" in text
        crossing = text[text.index("Where they cross") :].splitlines()
        first = next(line for line in crossing if line.startswith("professional"))
        assert first.split()[1:4] == ["4.00%", "2,940", "below"]
        assert "pay the same everywhere between gross savings of -50% and 50%" in text.replace(
            "\n", " "
        )

    def test_obstacles_are_printed(self):
        tree = build_result(simulation(three_tracks(50)), loaded_scenario())
        out = io.StringIO()
        render_comparison(tree, compare(tree), out)
        assert "do not give the settlements recorded" in out.getvalue().replace("\n", " ")
        assert "refused" in out.getvalue()

    def test_a_single_draw_is_shown_for_what_it_is(self):
        tree = build_result(simulation(three_tracks(1)), loaded_scenario())
        out = io.StringIO()
        render_comparison(tree, compare(tree), out)
        assert "refused" in out.getvalue()

    def test_document_is_strict_json_with_the_figures(self, tree):
        text = json.dumps(comparison_document(tree, compare(tree)), allow_nan=False)
        document = json.loads(text)
        assert (document["line"], document["draws"]) == (EARNED, DRAWS)
        pair = document["pairs"][0]
        assert (pair["first"], pair["second"]) == ("professional", "global [bold]")
        (crossing,) = pair["break_even"]["crossings"]
        assert crossing["gross_savings_rate"]["first"] == pytest.approx(0.04)
        assert crossing["gross_savings_rate"]["second"] == pytest.approx(1 - 0.96 / 0.98)
        assert pair["break_even"]["pays_more"] == ["professional", "global [bold]"]
        assert sum(each["estimate"] for each in pair["probability"].values()) == pytest.approx(1.0)

    def test_what_draws_do_not_support_is_null(self):
        tree = build_result(simulation(three_tracks(50)), loaded_scenario())
        document = comparison_document(tree, compare(tree))
        assert document["pairs"][0]["difference"]["quantile_05"]["estimate"] is None
        assert document["pairs"][0]["break_even"] is None
        json.dumps(document, allow_nan=False)


class TestCommand:
    def test_a_file_gives_what_the_tree_gave(self, path):
        done = CliRunner().invoke(command, [str(path), "--json"])
        assert done.exception is None
        tree = three_gpdc()
        assert json.loads(done.stdout) == json.loads(
            json.dumps(comparison_document(tree, compare(tree)))
        )

    def test_tracks_and_line_are_chosen(self, path):
        options = ["--track", "charged", "--track", "global", "--line", "gross_savings", "--json"]
        document = json.loads(CliRunner().invoke(command, [str(path), *options]).stdout)
        (pair,) = document["pairs"]
        assert (pair["first"], pair["second"]) == ("charged", "global")
        assert pair["difference"]["mean"]["estimate"] == pytest.approx(-1e6)

    def test_tables(self, path):
        done = CliRunner().invoke(command, [str(path)])
        assert done.exception is None
        assert "Difference on the same draws" in done.stdout

    def test_a_file_that_is_none_is_told(self, tmp_path):
        error = CliRunner().invoke(command, [str(tmp_path / "no.nc")]).exception
        assert isinstance(error, InputError)

    def test_draws_are_left_as_they_were(self, path):
        before = path.read_bytes()
        CliRunner().invoke(command, [str(path)])
        assert path.read_bytes() == before


def test_every_line_of_the_summary_that_is_paid_can_be_compared():
    tree = result(gpdc("professional", "professional"), gpdc("global", "global"))
    for line in comparable_lines(tree):
        assert line in group(tree, "summary")
        assert compare(tree, line).line == line
