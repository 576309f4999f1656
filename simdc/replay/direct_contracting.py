"""Direct Contracting and ACO REACH: participant-level results from 2021 on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdc.programs import Program
from simdc.replay.judge import Check
from simdc.replay.recomputed import Reader, Reason, Recomputed, agreement, groups_of
from simdc.replay.sheet import REDUCTION, SHARE, Column, Sheet
from simdc.settlement import steps
from simdc.settlement.direct_contracting import Figures, Terms, settle

__all__ = ["READER"]

Floats = NDArray[np.float64]

_COLUMNS: Mapping[str, Column] = {
    "id": Column("ACO_ID", ("dceid", "entityid", "id")),
    "name": Column("ACO_NAME", ("dcename", "entityname", "name")),
    "year": Column("PERF_YEAR", ("performanceyear", "perfyr", "py", "year")),
    "option": Column(
        "RISK_ARRANGEMENT", ("riskoption", "risksharingoption", "risksharing", "risk", "option")
    ),
    "final_benchmark": Column("FINAL_BENCHMARK", ("finalbnchmk", "finalbenchmarkamt")),
    "unadjusted_benchmark": Column("UNADJ_BENCHMARK", ("unadjustedbenchmark", "unadjbnchmk")),
    "cost": Column("TOT_COST_CARE", ("totalcostofcare", "totcostofcare", "totalcostcare")),
    "net_cost": Column(
        "TOT_COST_CARE_NET", ("totalcostofcarenet", "totcostofcarenet", "totalcostcarenet")
    ),
    "stop_loss": Column("STOP_LOSS", ("stoploss",)),
    "gross": Column("GROSS_SAVINGS", ("grosssavingslosses", "grosssavingsloss")),
    "shared": Column("SHARED_SAVINGS", ("sharedsavingslosses", "sharedsavingsloss")),
    "paid": Column("SHARED_SAVINGS_SEQ", ("sharedsavingssequestered", "sharedsavingsafterseq")),
    "equity_up": Column("HEBA_UP_AMT", ("hebaupamount",)),
    "equity_down": Column("HEBA_DOWN_AMT", ("hebadnamt", "hebadownamount")),
    "equity_up_months": Column("HEBA_UP_MNTHS", ("hebaupmonths",)),
    "equity_down_months": Column("HEBA_DN_MNTHS", ("hebadownmnths", "hebadownmonths")),
    "discount": Column("DISCOUNT", ()),
    "retention": Column("RETENTION_WITHHOLD", ()),
    "score": Column("QUAL_SCR", ("qualscore", "qualityscore", "totqualscr")),
}  # fmt: skip

_NEEDED: Mapping[str, str] = {
    "final_benchmark": "gross, and shared",
    "net_cost": "gross, where stop-loss was elected",
    "gross": "gross",
    "shared": "shared",
    "paid": "paid",
}
_SIGNATURE = ("final_benchmark", "net_cost", "cost", "gross", "shared", "paid")
_OPTIONS = {"global": "global", "g": "global", "professional": "professional", "p": "professional"}
_NEAR_MEDIAN = 0.003  # how far the trend factor of an entity with many ESRD months may stray


def _option_of(sheet: Sheet) -> tuple[tuple[str | None, ...], str]:
    """Global or professional, from the first word of the risk arrangement."""
    words = (text.lower().split() for text in sheet.texts("option"))
    options = tuple(_OPTIONS.get(found[0]) if found else None for found in words)
    return options, sheet.name("option")


def _recompute(
    program: Program, sheet: Sheet, years: Sequence[int], options: Sequence[str]
) -> Recomputed:
    """Recompute gross, shared and paid of every row from benchmark and cost.

    Where a row lacks a figure on the way, the next step starts from the published one.
    """
    rows = _Rows(sheet)
    computed = {step: np.full(len(sheet), np.nan) for step in ("gross", "shared", "paid")}
    follows = {step: np.full(len(sheet), np.nan) for step in ("shared", "paid")}
    factor = np.full(len(sheet), np.nan)
    discount = np.full(len(sheet), np.nan)
    groups = groups_of(years, options)
    for (year, option), mine in groups.items():
        terms = Terms.from_rules(program.rules(year, option))
        figures = rows.figures(terms, mine)
        statement = settle(terms, figures)
        computed["gross"][mine] = statement["gross_savings"]
        computed["shared"][mine] = statement["shared_savings"]
        computed["paid"][mine] = statement["shared_after_sequestration"]
        # From the published gross: the cost that it leaves below the same benchmark.
        cost = statement["settlement_benchmark"] - rows.gross.values[mine]
        follows["shared"][mine] = settle(terms, rows.figures(terms, mine, cost))["shared_savings"]
        follows["paid"][mine] = steps.sequester(
            rows.shared.values[mine], terms.sequestration_shared_savings
        )
        factor[mine] = rows.trend_factor(terms, mine)
        discount[mine] = terms.discount
        rows.equity_due[mine] = terms.health_equity_up_pbpm != 0.0
    for step, from_published in follows.items():
        gaps = np.isnan(computed[step])
        computed[step][gaps] = from_published[gaps]
    rounding = rows.rounding()
    checks = tuple(
        Check(step, published.name, published.values, computed[step], rounding)
        for step, published in (
            ("gross", rows.gross),
            ("shared", rows.shared),
            ("paid", rows.paid),
        )
    )
    return Recomputed(
        checks,
        _reasons(rows, checks, follows),
        rows.unchecked,
        _information(rows, years, factor, discount),
    )


class _Rows:
    """The columns of a sheet that the settlement starts from."""

    def __init__(self, sheet: Sheet) -> None:
        self.equity_due = np.zeros(len(sheet), dtype=bool)
        self.benchmark = sheet.amounts("final_benchmark")
        self.unadjusted = sheet.amounts("unadjusted_benchmark")
        self.before_stop_loss = sheet.amounts("cost")
        self.net_cost = sheet.amounts("net_cost")
        self.gross = sheet.amounts("gross")
        self.shared = sheet.amounts("shared")
        self.paid = sheet.amounts("paid")
        self.up = sheet.amounts("equity_up")
        self.down = sheet.amounts("equity_down")
        self.up_months = sheet.amounts("equity_up_months")
        self.down_months = sheet.amounts("equity_down_months")
        self.discount = sheet.rates("discount", REDUCTION)
        self.retention = sheet.rates("retention", REDUCTION)
        self.score = sheet.rates("score", SHARE)
        declined = np.array([flag is False for flag in sheet.flags("stop_loss")], dtype=bool)
        # Without stop-loss, cost is the same before and after it.
        self.cost = np.where(
            self.net_cost.stated | ~declined, self.net_cost.values, self.before_stop_loss.values
        )
        self.equity_stated = np.logical_or.reduce(
            [each.stated for each in (self.up, self.down, self.up_months, self.down_months)]
        )

    def figures(self, terms: Terms, mine: NDArray[np.intp], cost: Any = None) -> Figures:
        """Figures of some rows; a health-equity adjustment that is blank is none."""
        up = _first_stated(
            self.up.values[mine],
            steps.health_equity_dollars(self.up_months.values[mine], terms.health_equity_up_pbpm),
        )
        down = _first_stated(
            -np.abs(self.down.values[mine]),  # a downward adjustment, whatever its printed sign
            steps.health_equity_dollars(
                self.down_months.values[mine], terms.health_equity_down_pbpm
            ),
        )
        return Figures(
            final_benchmark=self.benchmark.values[mine],
            claims=self.cost[mine] if cost is None else cost,
            health_equity_up=up,
            health_equity_down=down,
        )

    def rounding(self) -> Floats:
        """Dollars by which the printed digits of benchmark and cost may move the result."""
        inputs = (self.benchmark, self.net_cost, self.up, self.down)
        rounding: Floats = np.sum([each.half_digit * each.stated for each in inputs], axis=0)
        return rounding

    def trend_factor(self, terms: Terms, mine: NDArray[np.intp]) -> Floats:
        """Trend that the final benchmark implies, after the reductions in one additive bracket."""
        reduced = steps.discounted_benchmark(
            self.unadjusted.values[mine],
            discount=terms.discount,
            retention_withhold=np.nan_to_num(self.retention.values[mine]),
            quality_withhold=terms.quality_withhold,
            quality_score=self.score.values[mine],
        )
        factor: Floats = self.benchmark.values[mine] / np.where(reduced >= 1.0, reduced, np.nan)
        return factor

    def unchecked(self, row: int, step: str) -> str:
        """Why a step of a row could not be checked."""
        published = {"gross": self.gross, "shared": self.shared, "paid": self.paid}[step]
        if not published.stated[row]:
            return published.unstated(row)
        for needed in (self.benchmark, self.net_cost):
            if not needed.stated[row]:
                return needed.unstated(row)
        return "the row does not state what the step follows from"


def _reasons(rows: _Rows, checks: Sequence[Check], follows: Mapping[str, Floats]) -> Reason:
    by_step = {check.step: check for check in checks}

    def reason(row: int, step: str) -> str:
        check = by_step[step]
        published = check.published[row]
        if step != "gross" and _same(follows[step][row], published):
            before = {"shared": "gross", "paid": "shared"}[step]
            return f"follows from the {before} amount: from the published one it comes out right"
        if step == "gross":
            return _reason_gross(rows, row, published)
        if step == "shared":
            return "the year's corridors do not give it; the row states no other terms"
        if published == 0.0 and check.computed[row] > 0.0:
            kept = rows.retention.values[row] > 0.0
            sign = (
                "the retention withhold kept from it shows an early exit"
                if kept
                else "an early exit would explain it, but the row does not state one"
            )
            return f"paid nothing of what was earned: {sign}"
        if _same(rows.shared.values[row], published):
            return "published without sequestration"
        return "the row does not state a reason"

    return reason


def _reason_gross(rows: _Rows, row: int, published: float) -> str:
    benchmark, cost = rows.benchmark.values[row], rows.cost[row]
    if rows.equity_stated[row] and _same(benchmark - cost, published):
        return "published without the health-equity adjustment that the row states"
    if _same(benchmark - rows.before_stop_loss.values[row], published):
        return "published before stop-loss"
    if not rows.equity_stated[row] and rows.equity_due[row]:
        return "the row states no health-equity adjustment, which would enter here"
    return "benchmark, health-equity adjustment and cost of the row do not give it"


def _information(
    rows: _Rows, years: Sequence[int], factor: Floats, discount: Floats
) -> dict[str, dict[str, Any]]:
    """The additive bracket, seen through the trend it leaves over; and the discount."""
    information: dict[str, dict[str, Any]] = {
        "discount": agreement(rows.discount.values, discount, rows.discount.half_digit)
    }
    for (year,), mine in groups_of(years).items():
        known = factor[mine][np.isfinite(factor[mine])]
        if known.size:
            middle = float(np.median(known))
            information[f"implied_trend_factor_{year}"] = {
                "checked": int(known.size),
                "median": middle,
                "least": float(known.min()),
                "most": float(known.max()),
                "agreeing": int((np.abs(known / middle - 1.0) <= _NEAR_MEDIAN).sum()),
            }
    return information


def _first_stated(amount: Floats, otherwise: Any) -> Floats:
    """The amount, or the other one where there is none; nothing where there is neither."""
    return np.nan_to_num(np.where(np.isnan(amount), otherwise, amount))


def _same(one: float, other: float) -> bool:
    return bool(abs(one - other) <= 1.0 + 1e-6)


READER = Reader(
    family="direct_contracting",
    columns=_COLUMNS,
    option="option",
    needed=_NEEDED,
    signature=_SIGNATURE,
    option_of=_option_of,
    recompute=_recompute,
)
"""How these results are read."""
