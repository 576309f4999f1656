"""The Shared Savings Program: ACO-level results of performance years from 2014 on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simdc.programs import Program
from simdc.replay.cells import State
from simdc.replay.judge import Check
from simdc.replay.recomputed import Reader, Recomputed, agreement, groups_of
from simdc.replay.sheet import MINIMUM_RATE, SHARE, Column, Numbers, Sheet
from simdc.replay.tracks import option_of
from simdc.settlement.shared_savings import Figures, Terms, settle
from simdc.settlement.statement import Statement

__all__ = ["READER"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = NDArray[np.intp]

_COLUMNS: Mapping[str, Column] = {
    "id": Column("ACO_ID", ("aconum", "aconumber")),
    "name": Column("ACO_Name", ()),
    "year": Column("Year", ("performanceyear", "perfyear", "perfyr", "py")),
    "track": Column("Current_Track", ("track", "currenttracklevel", "tracklevel", "acotrack")),
    "start": Column("Current_Start_Date", ("startdate", "currentagreementstartdate")),
    "beneficiaries": Column("N_AB", ()),
    "benchmark": Column("ABtotBnchmk", ("abtotbenchmark",)),
    "expenditure": Column("ABtotExp", ()),
    "savings": Column("BnchmkMinExp", ()),
    "minimum_rate": Column("MinSavPerc", ("minsavrate", "msr")),
    "generated": Column("GenSaveLoss", ("gensavloss",)),
    "earned": Column("EarnSaveLoss", ("earnshrsavings", "earnsavloss")),
    "standard": Column("Met_QPS", ()),
    "alternative": Column("Met_AltQPS", ("metalternativeqps", "altqps")),
    "score": Column("QualScore", ("qualityscore",)),
    "sharing_rate": Column("FinalShareRate", ("finalsharingrate",)),
    "relief": Column("DisAdj", ("disasteradj", "disasteradjustment")),
    "proration": Column("Prorate_Shared_Losses", ("proratesharedloss",)),
    "revenue_category": Column("Rev_Exp_Cat", ()),
    "reduced_rate": Column("ReducedSS", ("reducedsharedsavings",)),
    "guardrail": Column("Guardrail", ()),
}

_NEEDED: Mapping[str, str] = {
    "benchmark": "gross, shared and paid",
    "expenditure": "gross, unless BnchmkMinExp is there",
    "beneficiaries": "gross, shared and paid, where the minimum rate comes from the size table",
    "minimum_rate": "gross on two-sided tracks, where the rate may be elected",
    "generated": "gross",
    "score": "shared and paid to 2020, where the score multiplies the rate",
    "standard": "shared and paid; the quality standard is taken as met",
    "sharing_rate": "shared, which is published only through it",
    "earned": "paid",
}
_SIGNATURE = ("benchmark", "expenditure", "generated", "earned", "savings", "minimum_rate")
_MULTIPLIED, _ALTERNATIVE = "multiplied", "alternative"  # as the rule quality_method has it
_ELECTED_TO = 1e-9  # printed rates are on offer or they are not, but for binary fractions
_FIRST_REDUCED_START = 2024  # agreements from this year on may earn the reduced rate
_LAST_EARLY_YEAR = 2  # of an agreement on Track 2, after which the loss limit rises no more


def _recompute(
    program: Program, sheet: Sheet, years: Sequence[int], options: Sequence[str]
) -> Recomputed:
    """Recompute every row from benchmark, expenditure, size, elected minimum rate and quality.

    Where the savings or the minimum rate of a row are not stated, its payment is recomputed from
    the generated savings that the file publishes.
    """
    rows = _Rows(sheet)
    result = _Result(len(sheet))
    labels = (years, options, rows.agreement_years(years), rows.relief.stated.tolist())
    for (year, option, agreement_year, _), mine in groups_of(*labels).items():
        terms = Terms.from_rules(program.rules(year, option), agreement_year)
        for group in _by_minimum_rate(_Group(rows, terms, mine)):
            result.settle(group)
    checks = result.checks(rows)
    if result.reporting:
        sheet.notes.append(
            f"{rows.score.name}: blank in {result.reporting} rows, which is read as a year of pay "
            "for reporting at the full rate."
        )
    return Recomputed(
        checks,
        _Explanation(rows, result, checks, years).reason,
        lambda row, step: _unchecked(rows, row, step),
        _information(rows, result),
    )


class _Rows:
    """The columns of a sheet that the settlement starts from."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.benchmark = sheet.amounts("benchmark")
        self.expenditure = sheet.amounts("expenditure")
        self.savings = sheet.amounts("savings")
        self.beneficiaries = sheet.amounts("beneficiaries")
        self.minimum = sheet.rates("minimum_rate", MINIMUM_RATE)
        self.score = sheet.rates("score", SHARE)
        self.sharing_rate = sheet.rates("sharing_rate", SHARE)
        self.relief = sheet.amounts("relief")
        self.generated = _nothing_where_not_applicable(sheet, sheet.amounts("generated"))
        self.earned = _nothing_where_not_applicable(sheet, sheet.amounts("earned"))
        self.prorated = sheet.is_set("proration")
        self.guardrail = sheet.is_set("guardrail")
        standard = sheet.flags("standard")
        self.standard_stated = np.array([flag is not None for flag in standard], dtype=bool)
        self.standard_met = np.array([flag is not False for flag in standard], dtype=bool)
        self.alternative_met = sheet.is_set("alternative")
        self.starts = sheet.years("start")
        self.low_revenue = self._low_revenue()
        for row in np.flatnonzero(self.benchmark.values < 1.0):
            sheet.remark(int(row), "benchmark", sheet.texts("benchmark")[row], "no benchmark")
            self.benchmark.values[row] = np.nan

    @property
    def gross(self) -> Floats:
        """Benchmark less expenditure, where both or their difference are stated."""
        return _first_stated(self.benchmark.values - self.expenditure.values, self.savings.values)

    def agreement_years(self, years: Sequence[int]) -> tuple[int, ...]:
        """Year of each agreement, from 1, as far as the limit of losses tells them apart.

        The agreements of 2012 have a first performance year that ends with 2013.
        """
        first = [
            year - _LAST_EARLY_YEAR if start is None else max(start, 2013)
            for year, start in zip(years, self.starts, strict=True)
        ]
        return tuple(
            min(max(year - start + 1, 1), _LAST_EARLY_YEAR + 1)
            for year, start in zip(years, first, strict=True)
        )

    def _low_revenue(self) -> Flags:
        """Entities entitled to the reduced rate, as flagged or else by category and start."""
        if self.sheet.has("reduced_rate"):
            return self.sheet.is_set("reduced_rate")
        categories = self.sheet.texts("revenue_category")
        return np.array(
            [
                "low" in category.lower() and (start or 0) >= _FIRST_REDUCED_START
                for category, start in zip(categories, self.starts, strict=True)
            ],
            dtype=bool,
        )


@dataclass(frozen=True, eq=False)
class _Group:
    """Rows of one track, year and agreement year, all with a published relief or all without."""

    rows: _Rows
    terms: Terms
    mine: Rows

    @property
    def score(self) -> Floats:
        """Quality scores; a blank one of a pay-for-reporting year earns the full rate."""
        score = self.rows.score.values[self.mine]
        return np.where(self.reporting, 1.0, score)

    @property
    def reporting(self) -> Flags:
        """Rows of a pay-for-reporting year: to 2020, those without a score."""
        blank = self.rows.score.is_state(State.BLANK, State.NOT_APPLICABLE)[self.mine]
        return blank & (self.terms.quality_method == _MULTIPLIED)

    @property
    def elected(self) -> Floats:
        """Printed minimum rates that are on offer, to the last bit; else NaN for the table's."""
        printed = self.rows.minimum.values[self.mine]
        elected = np.full(self.mine.size, np.nan)
        for offer in self.terms.elected_minimum_rates:
            elected[np.abs(printed - offer) <= _ELECTED_TO] = offer
        return elected

    @property
    def minimum_known(self) -> Flags:
        """Where the row states its minimum rate, or can only have the table's."""
        if not self.terms.two_sided:
            return np.ones(self.mine.size, dtype=bool)
        return self.rows.minimum.stated[self.mine]

    def settle(self, gross: Floats, elected: Floats) -> Statement:
        """Settle with these differences of benchmark and expenditure and these elections."""
        rows, mine, terms = self.rows, self.mine, self.terms
        benchmark = rows.benchmark.values[mine]
        # Where the rules forgive everything, no published relief makes it more or less.
        relief = np.abs(rows.relief.values[mine])
        takes_relief = terms.disaster_relief_share < 1.0 and bool(np.isfinite(relief).all())
        # Where a rate is elected the size decides nothing, and may be missing.
        size = np.where(np.isfinite(elected), 0.0, np.nan) if terms.two_sided else np.nan
        size = _first_stated(rows.beneficiaries.values[mine], size)
        return settle(
            terms,
            Figures(
                benchmark=benchmark,
                expenditure=benchmark - gross,
                beneficiaries=size,
                elected_minimum_rate=elected if terms.two_sided else None,
                quality_score=np.where(np.isfinite(self.score), self.score, 1.0),
                quality_standard_met=rows.standard_met[mine],
                alternative_standard_met=rows.alternative_met[mine],
                low_revenue=rows.low_revenue[mine],
                guardrail=rows.guardrail[mine],
                disaster_relief=relief if takes_relief else None,
            ),
        )

    def score_decides(self, payable: Any) -> Flags:
        """Where the rate of these savings or losses has the quality score in it."""
        met = self.rows.standard_met[self.mine]
        alternative = self.rows.alternative_met[self.mine]
        method = self.terms.quality_method
        in_savings = met if method == _MULTIPLIED else np.zeros_like(met)
        passed = met
        if method == _ALTERNATIVE:
            in_savings = alternative & ~met
            passed = met | alternative
        fixed = self.terms.loss_rate_floor == self.terms.loss_rate_ceiling
        in_losses = np.zeros_like(met) if fixed else passed
        return np.where(payable > 0.0, in_savings, (payable < 0.0) & in_losses)

    def where_scored(self, payable: Any, amount: Any) -> Floats:
        """The amount, but NaN where it depends on a score that the row does not state."""
        known = np.isfinite(self.score) | ~self.score_decides(payable)
        return np.where(known, amount, np.nan)


def _by_minimum_rate(group: _Group) -> Iterator[_Group]:
    """The group apart from entities below the size table, each of which has a rate of its own.

    For those the regulation states only the least; CMS sets it, and the row prints it.
    """
    rows, terms, mine = group.rows, group.terms, group.mine
    smallest = terms.minimum_savings_rate_table[0][0]
    below = (rows.beneficiaries.values[mine] < smallest) & rows.minimum.stated[mine]
    if not below.all():
        yield replace(group, mine=mine[~below])
    for row in mine[below]:
        rate = float(rows.minimum.values[row])
        own = replace(terms, minimum_savings_rate_table=((0, math.inf, rate, rate),))
        yield replace(group, terms=own, mine=np.array([row], dtype=np.intp))
        rows.sheet.notes.append(
            f"{rows.sheet.ids[row]} is below {smallest:,.0f} beneficiaries, where CMS sets the "
            f"minimum rate: {rate:.2%}, as printed."
        )


class _Result:
    """What the settlements of all groups come to, row by row."""

    def __init__(self, size: int) -> None:
        def gap() -> Floats:
            return np.full(size, np.nan)

        self.gross, self.shared, self.paid, self.paid_as_generated = gap(), gap(), gap(), gap()
        self.minimum_rate, self.sharing_rate, self.sequestration = gap(), gap(), gap()
        self.rounding_gross, self.rounding_shared = gap(), gap()
        self.revenue_limited = np.zeros(size, dtype=bool)
        self.reporting = 0

    def settle(self, group: _Group) -> None:
        """Settle a group, from its own figures and from the generated savings as published."""
        rows, terms, mine = group.rows, group.terms, group.mine
        gross = rows.gross[mine]
        known = np.isfinite(gross) & group.minimum_known
        statement = group.settle(gross, group.elected)
        # What was published has reached its minimum rate, so the least of those on offer will do.
        least = np.full(mine.size, min(terms.elected_minimum_rates, default=np.nan))
        published = group.settle(rows.generated.values[mine], least)
        payable = np.where(known, _payable(statement), _payable(published))

        shared_key = "shared_at_final_rates" if terms.two_sided else "shared_savings"
        paid_key = "shared_after_sequestration"
        as_generated = group.where_scored(_payable(published), published[paid_key])
        shared = np.where(known, statement[shared_key], published[shared_key])
        paid = np.where(known, statement[paid_key], published[paid_key])
        self.gross[mine] = np.where(known, _shown(statement, rows, mine), np.nan)
        self.shared[mine] = group.where_scored(payable, shared)
        self.paid[mine] = group.where_scored(payable, paid)
        self.paid_as_generated[mine] = as_generated
        self.minimum_rate[mine] = statement["minimum_rate"]
        sharing_rate = statement["final_sharing_rate"]
        self.sharing_rate[mine] = group.where_scored(np.ones(mine.size), sharing_rate)
        self.sequestration[mine] = terms.sequestration_shared_savings
        self.reporting += int(group.reporting.sum())
        self.revenue_limited[mine] = terms.loss_limit_revenue is not None

        dollars = rows.benchmark.half_digit[mine] + rows.expenditure.half_digit[mine]
        loss_rate = statement["loss_rate"] if terms.two_sided else 0.0
        rate = np.where(payable < 0.0, loss_rate, terms.maximum_sharing_rate)
        digit = np.where(group.score_decides(payable), rows.score.half_digit[mine], 0.0)
        score = np.abs(payable) * terms.maximum_sharing_rate * digit
        self.rounding_gross[mine] = dollars
        self.rounding_shared[mine] = dollars * rate + score

    def checks(self, rows: _Rows) -> tuple[Check, ...]:
        """Generated, shared and earned, as published and as recomputed."""
        generated, rate = rows.generated, rows.sharing_rate
        # Only rates are published for this step, and for losses not even those.
        shared = np.where(generated.values == 0.0, 0.0, generated.values * rate.values)
        shared[generated.values < 0.0] = np.nan
        shared[rows.guardrail & (generated.values > 0.0)] = np.nan
        printed = np.abs(generated.values) * np.nan_to_num(rate.half_digit)
        source = f"{generated.name} x {rate.name}"
        return (
            Check("gross", generated.name, generated.values, self.gross, self.rounding_gross),
            Check("shared", source, shared, self.shared, self.rounding_shared + printed),
            Check("paid", rows.earned.name, rows.earned.values, self.paid, self.rounding_shared),
        )


def _payable(statement: Statement) -> Any:
    """Savings or losses that are shared, after the guardrail where there is one."""
    guarded = "savings_after_guardrail"
    return statement[guarded if guarded in statement else "generated_savings"]


def _shown(statement: Statement, rows: _Rows, mine: Rows) -> Any:
    """Generated savings as results show them: nothing where the guardrail is seen to be through."""
    nothing = rows.guardrail[mine] & (rows.generated.values[mine] == 0.0)
    return np.where(nothing, _payable(statement), statement["generated_savings"])


def _first_stated(amount: Floats, otherwise: Any) -> Floats:
    """The amount, or the other one where there is none."""
    return np.where(np.isnan(amount), otherwise, amount)


def _nothing_where_not_applicable(sheet: Sheet, numbers: Numbers) -> Numbers:
    """An outcome with 0 for ``-``: an amount that does not apply is no money."""
    dashes = numbers.is_state(State.NOT_APPLICABLE)
    if dashes.any():
        sheet.notes.append(
            f"Column {numbers.name}: 'not applicable' in {int(dashes.sum())} rows is read as 0."
        )
    values = np.where(dashes, 0.0, numbers.values)
    return Numbers(numbers.name, values, numbers.half_digit, numbers.states)


# --- what the reader is told ------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Explanation:
    """Why a row may differ, from what it states."""

    rows: _Rows
    result: _Result
    checks: tuple[Check, ...]
    years: Sequence[int]

    def reason(self, row: int, step: str) -> str:
        """The likely reason of a mismatch."""
        gross, _, paid = self.checks
        if step == "gross":
            return self._gross(row)
        if step == "shared":
            if gross.checked[row] and not gross.matched[row]:
                return "follows from the gross amount"
            return self._other_rate(row)
        as_generated = self.result.paid_as_generated[row]
        if not gross.matched[row] and abs(as_generated - paid.published[row]) <= 1.0 + 1e-6:
            return "follows from the gross amount: from the published one it comes out right"
        if paid.computed[row] < 0.0 or paid.published[row] < 0.0:
            return self._loss(row, paid.published[row], paid.computed[row])
        return self._savings(row, paid.published[row], paid.computed[row])

    def _gross(self, row: int) -> str:
        rows = self.rows
        benchmark, published = rows.benchmark.values[row], rows.generated.values[row]
        gross, minimum = rows.gross[row], self.result.minimum_rate[row]
        stated = rows.savings.values[row]
        if abs(stated - gross) > 1.5:
            names = f"{rows.benchmark.name} less {rows.expenditure.name}"
            return f"{names} is not the {rows.savings.name} of the row, {stated:,.0f}"
        printed, half = rows.minimum.values[row], rows.minimum.half_digit[row]
        if abs(printed - minimum) > half * (1.0 + 1e-6) + 1e-9:
            return (
                f"{rows.minimum.name} of {printed:.2%} is neither on offer nor that of the size "
                f"table, {minimum:.2%}"
            )
        rate = abs(gross) / benchmark
        if abs(rate - minimum) <= half:
            return f"the rate of {rate:.3%} and the minimum of {minimum:.3%} are as good as equal"
        if published == 0.0:
            return (
                f"published as nothing, though the rate of {rate:.2%} reaches the minimum of "
                f"{minimum:.2%}; the row does not state why"
            )
        return "benchmark and expenditure of the row do not give it; the row does not state why"

    def _other_rate(self, row: int) -> str:
        rows = self.rows
        published, computed = rows.sharing_rate.values[row], self.result.sharing_rate[row]
        doubt = (
            "" if rows.standard_stated[row] else f"; {rows.sheet.name('standard')} is not stated"
        )
        return f"published at a final rate of {published:.2%}, recomputed at {computed:.2%}{doubt}"

    def _doubt(self, row: int) -> str:
        """What was taken as met because the row does not state it."""
        if self.rows.standard_stated[row]:
            return ""
        return f"; {self.rows.sheet.name('standard')} is not stated and taken as met"

    def _loss(self, row: int, published: float, computed: float) -> str:
        rows = self.rows
        if rows.prorated[row]:
            return (
                "losses prorated for an agreement that ended during the year; the months are "
                "not published"
            )
        smaller = abs(published) < abs(computed)
        if smaller and self.result.revenue_limited[row]:
            return "limited by participants' revenue, which is not published"
        if rows.relief.stated[row] and rows.relief.values[row] != 0.0:
            half_year = " for a part of 2019" if self.years[row] == 2019 else ""
            return f"disaster relief prorated{half_year}; months and people are not published"
        if smaller and self.years[row] == 2019:
            return "losses of a part of 2019; the months are not published"
        if smaller:
            return "relief or proration that the row does not state"
        return "the row does not state a reason"

    def _savings(self, row: int, published: float, computed: float) -> str:
        rows, generated = self.rows, self.rows.generated.values[row]
        if published == 0.0:
            if rows.sharing_rate.values[row] == 0.0:
                return f"paid nothing: {rows.sharing_rate.name} is 0 in the row"
            return "paid nothing of what was earned; the row does not state why"
        kept = 1.0 - self.result.sequestration[row]
        if abs(published * kept - computed) <= 1.0:
            return "published without sequestration"
        doubt = (
            "" if rows.standard_stated[row] else f"; {rows.sheet.name('standard')} is not stated"
        )
        if not generated > 0.0:
            return f"paid without generated savings in the row{doubt}"
        return (
            f"would take a final sharing rate of {published / (kept * generated):.2%} instead of "
            f"{self.result.sharing_rate[row]:.2%}; the row does not state one{doubt}"
        )


def _unchecked(rows: _Rows, row: int, step: str) -> str:
    """Why a step of a row could not be checked."""
    generated, earned = rows.generated, rows.earned
    if step == "shared" and generated.values[row] < 0.0:
        return "rates of shared losses are not published"
    if step == "shared" and rows.guardrail[row] and generated.values[row] > 0.0:
        return "savings that the guardrail made are published and not shared"
    own_savings = (rows.benchmark, rows.expenditure, rows.beneficiaries)
    needed: dict[str, tuple[Numbers, ...]] = {
        "gross": (generated, *own_savings, rows.minimum),
        "shared": (generated, rows.sharing_rate, rows.benchmark, rows.score, *own_savings),
        "paid": (earned, rows.benchmark, rows.score, *own_savings, generated),
    }
    for numbers in needed[step]:
        if not numbers.stated[row]:
            return numbers.unstated(row)
    return "the row does not state what the step follows from"


def _information(rows: _Rows, result: _Result) -> dict[str, dict[str, Any]]:
    """Rates that the file publishes beside the amounts."""
    minimum, sharing = rows.minimum, rows.sharing_rate
    score = rows.score.half_digit * rows.score.stated
    return {
        "minimum_rate": agreement(minimum.values, result.minimum_rate, minimum.half_digit),
        "sharing_rate": agreement(sharing.values, result.sharing_rate, sharing.half_digit + score),
    }


READER = Reader(
    family="shared_savings",
    columns=_COLUMNS,
    option="track",
    needed=_NEEDED,
    signature=_SIGNATURE,
    option_of=option_of,
    recompute=_recompute,
)
"""How these results are read."""
