"""Each contract step against the worked examples of the rules and around every breakpoint."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

from simdc.errors import InputError
from simdc.programs import load_program
from simdc.settlement import steps
from simdc.settlement.direct_contracting import Figures, Terms, settle
from simdc.settlement.statement import Ledger

INF = math.inf
PROFESSIONAL = ((0.05, 0.50), (0.10, 0.35), (0.15, 0.15), (INF, 0.05))
GLOBAL = ((0.25, 1.0), (0.35, 0.5), (0.50, 0.25), (INF, 0.10))
GLOBAL_2026 = ((0.10, 1.0), (0.35, 0.5), (0.50, 0.25), (INF, 0.10))
TREND_FROM_2024 = ((0.04, 1.0), (0.08, 0.5), (INF, 0.0))
IN_FULL = ((INF, 1.0),)


def terms_of(program: str, year: int, option: str, **overrides: object) -> Terms:
    return Terms.from_rules(load_program(program).rules(year, option).override(overrides))


def test_discount_and_withholds_leave_some_of_the_benchmark() -> None:
    # GPDC in 2022 withholds 5% for quality and 2% for retention: 92.9% of discount leave 0.1%.
    assert terms_of("gpdc", 2022, "global", discount=0.929).discount == 0.929
    with pytest.raises(InputError, match=r"^rules: discount, .* \(given discount = 0\.93, "):
        terms_of("gpdc", 2022, "global", discount=0.93 + 1e-12)


# --- corridors --------------------------------------------------------------------------------


def test_professional_example_of_the_faq() -> None:
    # CMS finance FAQ, October 2020, Q46: 5% x 50% + 2.5% x 35% = 3.375% of the benchmark.
    assert steps.share_in_corridors(7.5, 100.0, PROFESSIONAL) == pytest.approx(3.375, rel=1e-12)
    assert steps.share_in_corridors(-7.5, 100.0, PROFESSIONAL) == pytest.approx(-3.375, rel=1e-12)


@pytest.mark.parametrize(
    ("corridors", "rate", "share"),
    [
        # The share at an edge is the sum of (width x rate) of the bands below it, by hand.
        (PROFESSIONAL, 0.05, 0.025),
        (PROFESSIONAL, 0.10, 0.0425),
        (PROFESSIONAL, 0.15, 0.05),
        (PROFESSIONAL, 1.00, 0.0925),
        (GLOBAL, 0.25, 0.25),
        (GLOBAL, 0.35, 0.30),
        (GLOBAL, 0.50, 0.3375),
        (GLOBAL, 1.00, 0.3875),
        (GLOBAL_2026, 0.10, 0.10),
        (GLOBAL_2026, 0.20, 0.15),
        (GLOBAL_2026, 0.35, 0.225),
        (GLOBAL_2026, 0.50, 0.2625),
        (GLOBAL_2026, 1.00, 0.3125),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_share_at_each_edge(
    corridors: steps.Corridors, rate: float, share: float, sign: int
) -> None:
    benchmark = 80_000_000.0
    shared = steps.share_in_corridors(sign * rate * benchmark, benchmark, corridors)
    assert shared == pytest.approx(sign * share * benchmark, rel=1e-12)


@pytest.mark.parametrize("corridors", [PROFESSIONAL, GLOBAL, GLOBAL_2026])
@pytest.mark.parametrize("sign", [1, -1])
def test_one_dollar_either_side_of_an_edge_is_shared_at_the_rates_of_the_bands_it_parts(
    corridors: steps.Corridors, sign: int
) -> None:
    benchmark = 1e8
    for (edge, inner), (_, outer) in pairwise(corridors):
        at = steps.share_in_corridors(sign * edge * benchmark, benchmark, corridors)
        below = steps.share_in_corridors(sign * (edge * benchmark - 1), benchmark, corridors)
        above = steps.share_in_corridors(sign * (edge * benchmark + 1), benchmark, corridors)
        assert sign * (at - below) == pytest.approx(inner, abs=1e-6)
        assert sign * (above - at) == pytest.approx(outer, abs=1e-6)


def test_a_first_band_at_full_share_returns_gross_to_the_last_bit() -> None:
    gross = np.array([3_879_554.4608, -1_288_037.0835, 1e-9, 0.0])
    shared = steps.share_in_corridors(gross, 75_558_439.9116, GLOBAL)
    assert np.array_equal(shared, gross)


def test_extreme_gross_amounts_stay_themselves() -> None:
    gross = np.array([np.nan, np.inf, -np.inf])
    shared = steps.share_in_corridors(gross, 100.0, GLOBAL)
    assert np.isnan(shared[0])
    assert shared[1] == np.inf
    assert shared[2] == -np.inf


def test_no_draws_and_no_benchmark() -> None:
    assert steps.share_in_corridors(np.empty(0), np.empty(0), GLOBAL).shape == (0,)
    # Nothing to measure against: everything lies in the last band.
    assert steps.share_in_corridors(-50.0, 0.0, GLOBAL) == pytest.approx(-5.0)


def test_nothing_is_shared_beyond_a_last_edge_that_is_finite() -> None:
    assert steps.share_in_corridors(20.0, 100.0, ((0.1, 0.5),)) == pytest.approx(5.0)


# --- retrospective trend ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "ratio", [1.0, 1.0099, 0.9901, np.nextafter(1.01, 1), np.nextafter(0.99, 1)]
)
def test_trend_within_the_trigger_leaves_the_benchmark(ratio: float) -> None:
    assert steps.trend_adjustment(ratio, 0.01, IN_FULL) == 1.0
    assert steps.trend_adjustment(ratio, 0.01, TREND_FROM_2024) == 1.0


@pytest.mark.parametrize("ratio", [1.01, 0.99, 1.0101, 0.9899, 0.9491, 1.3])
def test_trend_beyond_the_trigger_counts_from_zero(ratio: float) -> None:
    # CMS's bulletin on performance year 2021: the 1% is not netted off.
    assert steps.trend_adjustment(ratio, 0.01, IN_FULL) == pytest.approx(ratio, rel=1e-12)


@pytest.mark.parametrize(
    ("deviation", "moved"),
    [
        (0.02, 0.02),
        (0.04, 0.04),
        (0.04 - 1e-6, 0.04 - 1e-6),
        (0.04 + 1e-6, 0.04 + 5e-7),
        (0.06, 0.05),
        (0.08, 0.06),
        (0.08 - 1e-6, 0.06 - 5e-7),
        (0.08 + 1e-6, 0.06),
        (0.30, 0.06),
    ],
)
def test_trend_corridor_from_2024(deviation: float, moved: float) -> None:
    # All of the first 4%, half of the next 4%, nothing beyond: at most 6% either way.
    up = steps.trend_adjustment(1 + deviation, 0.01, TREND_FROM_2024)
    down = steps.trend_adjustment(1 - deviation, 0.01, TREND_FROM_2024)
    assert up == pytest.approx(1 + moved, abs=1e-12)
    assert down == pytest.approx(1 - moved, abs=1e-12)


def test_trend_adjustment_of_draws() -> None:
    ratios = np.array([1.005, 1.05, 0.90, np.nan])
    factors = steps.trend_adjustment(ratios, 0.01, TREND_FROM_2024)
    assert factors[:3] == pytest.approx([1.0, 1.045, 0.94])
    assert np.isnan(factors[3])


# --- quality ----------------------------------------------------------------------------------


def after_quality(discount: float, score: float, withhold: float = 0.05) -> float:
    return float(
        steps.discounted_benchmark(
            1.0,
            discount=discount,
            retention_withhold=0.0,
            quality_withhold=withhold,
            quality_score=score,
        )
    )


def test_a_score_of_90_percent_leaves_99_5_percent() -> None:
    # CMS finance FAQ, October 2020, Q25; primary care capitation is 7% of that.
    left = after_quality(discount=0.0, score=0.90)
    assert left == pytest.approx(0.995, abs=1e-12)
    assert 0.07 * left == pytest.approx(0.06965, abs=1e-12)


def test_discount_and_unearned_withhold_of_figure_4() -> None:
    # Milliman, "Direct Contracting: Financial benchmark observations", December 2020, figure 4:
    # a total score of 80% on a 5% withhold takes 1% off Professional and 3% off Global.
    assert after_quality(discount=0.0, score=0.80) == pytest.approx(0.99, abs=1e-12)
    assert after_quality(discount=0.02, score=0.80) == pytest.approx(0.97, abs=1e-12)


@pytest.mark.parametrize(("multiplier", "earned"), [(1.0, 0.04), (0.5, 0.02)])
def test_withhold_returned_in_figure_3(multiplier: float, earned: float) -> None:
    # Milliman, December 2020, figure 3: score x 5% where CI/SEP is met, score x 2.5% where not.
    score = steps.total_quality_score(0.80, reporting_share=0.0, ci_sep_multiplier=multiplier)
    assert 0.05 * score == pytest.approx(earned, abs=1e-12)


def test_four_points_of_five_for_reporting_lift_80_percent_to_96() -> None:
    assert steps.total_quality_score(0.80, reporting_share=0.8) == pytest.approx(0.96)


def test_equity_reporting_is_added_after_the_multiplier_and_the_total_stops_at_one() -> None:
    halved = steps.total_quality_score(0.6, 0.0, ci_sep_multiplier=0.5, equity_reporting=0.1)
    assert halved == pytest.approx(0.4)
    assert steps.total_quality_score(0.95, 0.0, equity_reporting=0.1) == 1.0


def test_reductions_add_and_do_not_compound() -> None:
    left = steps.discounted_benchmark(
        1000.0, discount=0.03, retention_withhold=0.02, quality_withhold=0.02, quality_score=0.5
    )
    assert left == pytest.approx(940.0, abs=1e-9)


# --- capitation -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "enhanced"), [(0.03, 0.04), (0.05, 0.02), (0.06, 0.02), (0.08, 0.02), (0.0, 0.07)]
)
def test_enhanced_capitation_tops_up_to_7_percent_and_is_at_least_2(
    base: float, enhanced: float
) -> None:
    # CMS finance FAQ, October 2020, Q24.
    entitled = steps.entitled_enhanced_capitation(base, total=0.07, minimum=0.02)
    assert entitled == pytest.approx(enhanced, abs=1e-12)


# --- cost, sequestration and settling up ------------------------------------------------------


def test_completion_comes_after_stop_loss_and_touches_claims_only() -> None:
    completed = steps.complete_claims(1000.0, stop_loss_payout=100.0, completion=1.1)
    assert completed == pytest.approx(990.0)
    assert steps.net_cost_of_care(completed, 50.0, 20.0) == pytest.approx(1060.0)


def test_sequestration_cuts_gains_only() -> None:
    # CMS finance FAQ, October 2020, Q22.
    paid = steps.sequester(np.array([100.0, 0.0, -100.0, np.nan]), 0.02)
    assert paid[:3] == pytest.approx([98.0, 0.0, -100.0])
    assert np.isnan(paid[3])


def test_advanced_payments_are_made_up_either_way() -> None:
    # CMS finance FAQ, October 2020, Q44: CMS makes up the difference if it paid less than it
    # reduced.
    assert steps.true_up(0.0, paid=90.0, earned=100.0) == pytest.approx(10.0)
    assert steps.true_up(0.0, paid=110.0, earned=100.0) == pytest.approx(-10.0)


def test_a_provisional_settlement_is_netted_either_way() -> None:
    assert steps.net_provisional_settlement(100.0, 30.0) == pytest.approx(70.0)
    assert steps.net_provisional_settlement(-100.0, -30.0) == pytest.approx(-70.0)


def test_health_equity_of_a_published_entity() -> None:
    # CMS participant-level public use file 2023, D0004: 6,079 months up, 99,275 months down.
    assert steps.health_equity_dollars(6_079, 30.0) == pytest.approx(182_370)
    assert steps.health_equity_dollars(99_275, -6.0) == pytest.approx(-595_650)


# --- a whole settlement -----------------------------------------------------------------------


def figures_of_a_year(**changes: object) -> Figures:
    given: dict[str, object] = {
        "unadjusted_benchmark": {"A&D": 900.0, "ESRD": 100.0},
        "claims": 800.0,
    }
    return Figures(**(given | changes))  # type: ignore[arg-type]


def test_every_step_of_a_settlement_by_hand() -> None:
    statement = settle(
        terms_of("reach", 2023, "global"),
        figures_of_a_year(
            trend_ratio={"A&D": 0.95, "ESRD": 1.004},
            quality_score=0.75,
            health_equity_up_months=1.0,
            health_equity_down_months=2.0,
            completion=1.01,
            stop_loss_payout=20.0,
            stop_loss_charge=15.0,
            capitation_expenditure=40.0,
            enhanced_capitation=30.0,
            advanced_payment_paid=12.0,
            advanced_payment_reductions=10.0,
            high_performers_bonus=5.0,
            provisional_settlement=8.0,
        ),
    )
    by_hand = {
        "unadjusted_benchmark": 1000.0,
        "trend_adjusted_benchmark": 955.0,  # 900 x 0.95 + 100, ESRD within its trigger
        "seasonal_benchmark": 955.0,
        "final_benchmark": 921.575,  # 955 x (1 - 3% - 2% + 2% x 75%)
        "settlement_benchmark": 939.575,  # + 1 x 30 - 2 x 6
        "completed_claims": 787.8,  # (800 - 20) x 1.01
        "net_cost_of_care": 842.8,
        "gross_savings": 96.775,
        "shared_savings": 96.775,  # 10.3% lies in the first band
        "shared_after_sequestration": 94.8395,
        "enhanced_capitation_recouped": 64.8395,
        "advanced_payment_true_up": 62.8395,
        "high_performers_bonus": 67.8395,
        "provisional_settlement_netted": 59.8395,
        "cash_due": 59.8395,
    }
    assert list(statement) == list(by_hand)
    for key, amount in by_hand.items():
        assert statement[key] == pytest.approx(amount, abs=1e-9), key


def test_seasonality_by_category() -> None:
    statement = settle(
        terms_of("gpdc", 2021, "professional"),
        figures_of_a_year(seasonality={"A&D": 1.02, "ESRD": 0.9}),
    )
    assert statement["seasonal_benchmark"] == pytest.approx(918.0 + 90.0)


def test_retention_is_withheld_only_when_kept() -> None:
    terms = terms_of("gpdc", 2022, "global")
    stayed = settle(terms, figures_of_a_year())
    left = settle(terms, figures_of_a_year(retention_kept=True))
    assert stayed["final_benchmark"] == pytest.approx(980.0)
    assert left["final_benchmark"] == pytest.approx(960.0)


def test_draws_settle_as_each_would_alone() -> None:
    terms = terms_of("reach", 2024, "professional")
    claims = np.array([700.0, 900.0, 1000.0, 1300.0])
    ratios = np.array([1.0, 1.03, 1.07, 0.88])
    together = settle(terms, figures_of_a_year(claims=claims, trend_ratio=ratios))
    for i in range(4):
        alone = settle(
            terms, figures_of_a_year(claims=float(claims[i]), trend_ratio=float(ratios[i]))
        )
        for line in together.lines:
            assert np.broadcast_to(line.after, 4)[i] == alone[line.key], line.key


def test_steps_that_do_nothing_hand_on_the_same_array() -> None:
    claims = np.array([700.0, 900.0])
    statement = settle(terms_of("gpdc", 2022, "global"), figures_of_a_year(claims=claims))
    assert statement["completed_claims"] is claims
    assert statement["net_cost_of_care"] is claims
    assert statement["cash_due"] is statement["shared_after_sequestration"]


def test_nothing_given_is_changed() -> None:
    claims = np.array([700.0, 1900.0])
    settle(
        terms_of("gpdc", 2022, "professional"),
        figures_of_a_year(claims=claims, stop_loss_payout=10.0, completion=1.1),
    )
    assert np.array_equal(claims, [700.0, 1900.0])


def test_labelled_arrays_keep_their_labels() -> None:
    ratios = xr.DataArray([1.0, 0.9, 1.2], dims="draw", coords={"draw": [7, 8, 9]})
    adjusted = steps.trend_adjustment(ratios, 0.01, TREND_FROM_2024)  # type: ignore[arg-type]
    shared = steps.share_in_corridors(adjusted - 1.0, 1.0, PROFESSIONAL)
    paid = steps.sequester(shared, 0.02)
    assert isinstance(paid, xr.DataArray)
    assert paid.draw.to_numpy().tolist() == [7, 8, 9]
    assert paid.to_numpy() == pytest.approx([0.0, -0.0285, 0.0285 * 0.98])


def test_factors_must_name_the_categories_of_the_benchmark() -> None:
    with pytest.raises(InputError, match=r"'trend_ratio' must name .*A&D, ESRD.*, not A&D\."):
        settle(terms_of("gpdc", 2022, "global"), figures_of_a_year(trend_ratio={"A&D": 1.0}))


@pytest.mark.parametrize("benchmarks", [{}, {"final_benchmark": 5.0}])
def test_a_settlement_starts_from_one_benchmark(benchmarks: dict[str, float]) -> None:
    unadjusted = {"A&D": 1.0} if benchmarks else None
    with pytest.raises(InputError, match="exactly one of"):
        figures_of_a_year(unadjusted_benchmark=unadjusted, **benchmarks)


# --- the statement ----------------------------------------------------------------------------


def test_a_statement_names_its_rules_once_and_in_order() -> None:
    ledger = Ledger()
    ledger.enter("start", "Start", 1.0)
    ledger.enter("one", "One", 2.0, before=1.0, rules=("b", "a"))
    ledger.enter("two", "Two", 3.0, before=2.0, rules=("a", "c"))
    statement = ledger.statement()
    assert statement.rules == ("b", "a", "c")
    assert [(line.before, line.after) for line in statement.lines] == [
        (None, 1.0),
        (1.0, 2.0),
        (2.0, 3.0),
    ]
    assert len(statement) == 3
    assert "two" in statement


def test_a_mistyped_line_gets_the_nearest_name() -> None:
    statement = settle(terms_of("gpdc", 2022, "global"), figures_of_a_year())
    with pytest.raises(KeyError, match="did you mean 'gross_savings'"):
        statement["gros_savings"]


def test_rules_named_by_a_settlement_exist() -> None:
    for program, year in (("gpdc-2020", 2021), ("gpdc", 2022), ("reach", 2026)):
        rules = load_program(program).rules(year, "global")
        statement = settle(Terms.from_rules(rules), figures_of_a_year())
        assert set(statement.rules) <= set(rules)
        assert set(statement.rules) == {f for f in Terms.__dataclass_fields__ if f in rules}
