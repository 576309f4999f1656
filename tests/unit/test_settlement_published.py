"""Sixteen real settlements, recomputed from the figures CMS published.

Source of every figure: CMS, "ACO REACH Financial and Quality Results" participant-level public
use files for performance years 2021, 2022 and 2023 (columns UNADJ_BENCHMARK, DISCOUNT,
RETENTION_WITHHOLD, QUAL_SCR, FINAL_BENCHMARK, HEBA_UP_AMT, HEBA_DOWN_AMT, TOT_COST_CARE,
TOT_COST_CARE_NET, GROSS_SAVINGS, SHARED_SAVINGS, SHARED_SAVINGS_SEQ), in the conversion at
https://github.com/trynytyhealthSmithson/reach-lead-explorer.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from simdc.programs import load_program
from simdc.settlement import steps
from simdc.settlement.direct_contracting import Figures, Terms, settle
from simdc.settlement.statement import Statement


class Published(NamedTuple):
    """One entity's year; dollars as published, quality as a fraction, None where left out."""

    year: int
    entity: str
    option: str
    entity_type: str
    unadjusted: float | None
    retention_kept: bool
    quality: float | None
    final: float
    equity_up: float
    equity_down: float
    cost: float
    net_cost: float
    gross: float
    shared: float
    paid: float

    @property
    def terms(self) -> Terms:
        program = load_program("gpdc" if self.year < 2023 else "reach")
        return Terms.from_rules(program.rules(self.year, self.option, self.entity_type))

    @property
    def base(self) -> float:
        """Benchmark that savings were measured against."""
        return self.final + self.equity_up + self.equity_down


# fmt: off
PUBLISHED = [
    Published(2021, "D0004", "global", "new_entrant", 81_185_503.0037, False, 1.00,
              75_558_439.9116, 0, 0, 71_678_885.4508, 71_678_885.4508,
              3_879_554.4608, 3_879_554.4608, 3_801_963.3716),
    Published(2021, "D0005", "global", "new_entrant", 35_182_296.1296, False, 1.00,
              32_781_647.4603, 0, 0, 33_906_754.4926, 34_069_684.5437,
              -1_288_037.0835, -1_288_037.0835, -1_288_037.0835),
    Published(2021, "D0148", "global", "new_entrant", None, False, 1.00,
              17_358_397.1804, 0, 0, 10_880_253.3235, 10_988_761.2740,
              6_369_635.9064, 5_281_068.3774, 5_175_447.0099),
    Published(2021, "D0028", "global", "new_entrant", None, False, 1.00,
              18_919_056.5603, 0, 0, 25_431_881.61, 25_535_737.8482,
              -6_616_681.2879, -5_673_222.7140, -5_673_222.7140),
    Published(2021, "D0131", "professional", "high_needs", None, False, 1.00,
              9_949_601.4424, 0, 0, 7_083_884.96, 6_915_832.4806,
              3_033_768.9618, 574_546.5094, 563_055.5792),
    Published(2021, "D0162", "professional", "high_needs", None, False, 1.00,
              7_959_317.4323, 0, 0, 9_179_100.1362, 9_179_100.1362,
              -1_219_782.7039, -399_260.1261, -399_260.1261),
    Published(2021, "D0175", "global", "new_entrant", 17_634_282.1793, True, 1.00,
              16_089_492.4627, 0, 0, 15_111_703.392, 15_335_920.3207,
              753_572.142, 753_572.142, 738_500.6992),
    Published(2022, "D0088", "global", "high_needs", None, False, 1.00,
              43_984_166.24, 0, 0, 31_345_778.22, 30_651_714.43,
              13_332_451.81, 12_164_246.69, 11_920_961.75),
    Published(2022, "D0127", "professional", "standard", None, False, None,
              105_182_603.2, 0, 0, 118_248_633.7, 116_351_494.6,
              -11_168_891.33, -4_567_855.29, -4_567_855.29),
    Published(2022, "D0149", "global", "standard", 306_742_460.6, True, 1.00,
              278_983_773.9, 0, 0, 291_491_178.8, 287_531_857.3,
              -8_548_083.41, -8_548_083.41, -8_548_083.41),
    Published(2023, "D0004", "global", "new_entrant", 220_744_975.27, False, 0.81,
              206_175_258.93, 182_370, -595_650, 168_042_056.04, 167_965_318.67,
              37_796_660.25, 37_796_660.25, 37_040_727.05),
    Published(2023, "D0131", "global", "high_needs", 47_570_230.06, False, 0.85,
              44_470_553.22, 27_750, -17_736, 32_643_290.60, 32_336_860.68,
              12_143_706.54, 11_631_924.17, 11_399_285.69),
    Published(2023, "D0032", "professional", "new_entrant", 29_501_042.73, False, 0.76,
              28_380_121.13, 99_750, -51_594, 24_954_330.11, 25_124_675.50,
              3_303_601.62, 1_277_317.86, 1_251_771.51),
    Published(2023, "D0078", "professional", "standard", 82_733_821.50, False, 0.73,
              79_543_083.45, 63_300, -199_698, 87_234_319.99, 89_035_303.57,
              -9_628_618.14, -3_627_976.57, -3_627_976.57),
    Published(2023, "D0012", "professional", "standard", 84_532_617.13, False, 0.21,
              80_422_569.65, 287_880, -207_768, 83_328_443.43, 83_328_443.43,
              -2_825_761.77, -1_412_880.89, -1_412_880.89),
    Published(2023, "D0251", "global", "standard", 302_277_478.41, True, 0.99,
              277_535_222.24, 1_370_700, -745_926, 303_138_489.30, 303_029_069.78,
              -24_869_073.54, -24_869_073.54, -24_869_073.54),
]
# fmt: on

each_entity = pytest.mark.parametrize(
    "entity", PUBLISHED, ids=[f"{entity.year}-{entity.entity}" for entity in PUBLISHED]
)


def settled_from_final_benchmark(entity: Published) -> Statement:
    """Only the net effect of stop-loss is published: a charge if it cost, a payout if it paid."""
    stop_loss = entity.net_cost - entity.cost
    return settle(
        entity.terms,
        Figures(
            final_benchmark=entity.final,
            health_equity_up=entity.equity_up,
            health_equity_down=entity.equity_down,
            claims=entity.cost,
            stop_loss_charge=max(stop_loss, 0.0),
            stop_loss_payout=max(-stop_loss, 0.0),
        ),
    )


@each_entity
def test_gross_savings_within_a_dollar(entity: Published) -> None:
    statement = settled_from_final_benchmark(entity)
    assert statement["settlement_benchmark"] == pytest.approx(entity.base, abs=1e-6)
    assert statement["gross_savings"] == pytest.approx(entity.gross, abs=1.0)


@each_entity
def test_shared_and_paid_within_ten_cents_of_published_gross(entity: Published) -> None:
    terms = entity.terms
    shared = steps.share_in_corridors(entity.gross, entity.base, terms.corridors)
    paid = steps.sequester(shared, terms.sequestration_shared_savings)
    assert shared == pytest.approx(entity.shared, abs=0.10)
    assert paid == pytest.approx(entity.paid, abs=0.10)


@each_entity
def test_a_whole_settlement_is_paid_within_a_dollar(entity: Published) -> None:
    statement = settled_from_final_benchmark(entity)
    assert statement["shared_savings"] == pytest.approx(entity.shared, abs=1.0)
    assert statement["shared_after_sequestration"] == pytest.approx(entity.paid, abs=1.0)
    assert statement["cash_due"] == statement["shared_after_sequestration"]


@pytest.mark.parametrize(
    "entity",
    [entity for entity in PUBLISHED if entity.unadjusted and entity.year == 2023],
    ids=lambda entity: entity.entity,
)
def test_one_trend_factor_explains_every_final_benchmark_of_2023(entity: Published) -> None:
    """The additive bracket leaves the same programme-wide factor for every entity of a year.

    0.9667 is the median over the 132 entities of 2023. Published scores are rounded to whole
    per cents, which moves a benchmark by at most 0.5% x 2% = 1e-4 of itself, and the medians's own
    rounding by 5e-5; a compounded bracket would miss by 6e-4 where retention was kept.
    """
    assert entity.unadjusted is not None
    assert entity.quality is not None
    statement = settle(
        entity.terms,
        Figures(
            unadjusted_benchmark={"all": entity.unadjusted},
            trend_ratio=0.9667,
            quality_score=entity.quality,
            retention_kept=entity.retention_kept,
            claims=entity.cost,
        ),
    )
    assert statement["final_benchmark"] == pytest.approx(entity.final, rel=1.6e-4)


def test_enhanced_capitation_is_outside_the_cost_and_goes_back_in_full() -> None:
    # CMS public use file 2021, D0004: CAP_PMT 712,430.9808, CLM_PMT 70,966,454.47 and EPCC_PMT
    # 4,895,102.1815; the first two make up the total cost of care, and the entity, which earned
    # 3.8 million in shared savings, owes 1.1 million once the third is taken back.
    entity = PUBLISHED[0]
    statement = settle(
        entity.terms,
        Figures(
            final_benchmark=entity.final,
            claims=70_966_454.47,
            capitation_expenditure=712_430.9808,
            enhanced_capitation=4_895_102.1815,
        ),
    )
    assert statement["net_cost_of_care"] == pytest.approx(entity.cost, abs=0.01)
    assert statement["gross_savings"] == pytest.approx(entity.gross, abs=1.0)
    assert statement["cash_due"] == pytest.approx(3_801_963.3716 - 4_895_102.1815, abs=1.0)


@pytest.mark.parametrize(
    ("program", "year", "option", "rate", "share"),
    [
        # CMS finance FAQ, October 2020, Q46.
        ("gpdc-2020", 2021, "professional", 0.075, 0.03375),
        ("gpdc", 2022, "professional", 0.075, 0.03375),
        ("reach", 2026, "professional", 0.075, 0.03375),
        # CMS PY2026 model update: the first Global corridor ends at 10%; Milliman's example of it.
        ("reach", 2026, "global", 0.20, 0.15),
        ("reach", 2025, "global", 0.20, 0.20),
    ],
)
def test_worked_examples_under_the_rules_of_their_program(
    program: str, year: int, option: str, rate: float, share: float
) -> None:
    terms = Terms.from_rules(load_program(program).rules(year, option))
    statement = settle(terms, Figures(final_benchmark=1000.0, claims=1000.0 * (1 - rate)))
    assert statement["shared_savings"] == pytest.approx(1000.0 * share, abs=1e-9)
