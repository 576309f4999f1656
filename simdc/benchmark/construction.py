"""The benchmark of Direct Contracting and ACO REACH, from the base years on.

For each category (A&D, ESRD) and way of alignment (claims, voluntary):

1. cost of the base years, per beneficiary per month (PBPM)
2. x trend of the adjusted US per capita cost (USPCC) to the performance year
3. x change of the geographic adjustment factors
4. / normalized risk score of that base year's population
5. weighted, the latest year most: the history, at a risk score of 1
6. beside it the region, from the county rate book
7. blended; what the region adds or takes is limited in flat dollars of the year's USPCC
8. x risk score of the performance year (`simdc.benchmark.risk`)

and, with the months, dollars: the line that CMS calls the benchmark before retrospective trend
adjustment, which `simdc.settlement` takes from there.

Order and limits are those of CMS's finance FAQ (October 2020, Q5, Q11) and of the rows of its
benchmark reports. Who has a history, of which years and at which weight, is rule data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from simdc.benchmark import risk
from simdc.programs import RuleSet
from simdc.settlement.statement import Ledger, Statement
from simdc.settlement.steps import Amount

__all__ = [
    "Alignment",
    "BaseYear",
    "Cell",
    "Terms",
    "blend",
    "build",
    "limit_adjustment",
    "standardize",
    "weigh",
]

Alignment: TypeAlias = Literal["claims", "voluntary"]


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The rules of construction, typed.

    Attributes
    ----------
    history_weight : mapping of str to float
        Weight of history in the blend, by alignment.
    base_years : mapping of str to tuple of int
        Calendar years of that history, by alignment; empty where the region counts alone.
    base_year_weights : tuple of float
        The earliest first.
    regional_ceiling, regional_floor : float
        Limits of what the region adds and takes, as fractions of adjusted USPCC.
    rate_book_years : tuple of int
        Years that a rate book of this year rests on.
    risk : risk.Terms
    """

    history_weight: Mapping[str, float]
    base_years: Mapping[str, tuple[int, ...]]
    base_year_weights: tuple[float, ...]
    regional_ceiling: float
    regional_floor: float
    rate_book_years: tuple[int, ...]
    risk: risk.Terms

    @classmethod
    def from_rules(cls, rules: RuleSet) -> Terms:
        """The terms that a rule set holds, overrides included."""
        ways: tuple[Alignment, ...] = ("claims", "voluntary")
        return cls(
            history_weight={way: rules.value(f"history_weight_{way}") for way in ways},
            base_years={way: rules.value(f"base_years_{way}") for way in ways},
            base_year_weights=rules.value("base_year_weights"),
            regional_ceiling=rules.value("regional_ceiling"),
            regional_floor=rules.value("regional_floor"),
            rate_book_years=rules.value("rate_book_years"),
            risk=risk.Terms.from_rules(rules),
        )

    def has_history(self, alignment: str) -> bool:
        """Whether history counts at all for these beneficiaries."""
        return self.history_weight[alignment] > 0


@dataclass(frozen=True, kw_only=True, eq=False)
class BaseYear:
    """One year of history.

    Attributes
    ----------
    year : int
    pbpm : Amount
        Part A and B cost per beneficiary per month of those who would have been aligned, US
        dollars, before payment reductions and sequestration.
    uspcc_trend : Amount
        Adjusted USPCC of the performance year over that of this year.
    geographic_trend : Amount
        Geographic adjustment factors of the performance year over this year's, averaged by months.
    risk_score : Amount
        Normalized risk score of that year's population.
    """

    year: int
    pbpm: Amount
    uspcc_trend: Amount
    geographic_trend: Amount = 1.0
    risk_score: Amount = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """Beneficiaries of one category and alignment, and all that their benchmark is made of.

    Attributes
    ----------
    category : str
    alignment : {'claims', 'voluntary'}
    months : float
        Eligible beneficiary-months of the performance year.
    base_years : tuple of BaseYear
        Those the rules name, the earliest first; not looked at where the region counts alone.
    regional_rate : Amount
        From the rate book, US dollars PBPM at a risk score of 1.
    rate_rules : tuple of str
        Rules by which that book was built; none for one that is given.
    uspcc : Amount
        Adjusted fee-for-service USPCC of the performance year, US dollars PBPM.
    groups : tuple of risk.Group
        One, or the newly and the continuously voluntarily aligned.
    """

    category: str
    alignment: Alignment
    months: float
    regional_rate: Amount
    uspcc: Amount
    groups: tuple[risk.Group, ...]
    base_years: tuple[BaseYear, ...] = ()
    rate_rules: tuple[str, ...] = ()


# --- steps ------------------------------------------------------------------------------------


def standardize(base: BaseYear) -> Amount:
    """Cost of a base year at the performance year's prices and a risk score of 1."""
    return base.pbpm * base.uspcc_trend * base.geographic_trend / base.risk_score


def weigh(amounts: Sequence[Amount], weights: Sequence[Amount]) -> Amount:
    """Weighted sum, such as that of the base years."""
    total: Amount = 0.0
    for amount, weight in zip(amounts, weights, strict=True):
        total = total + weight * amount
    return total


def limit_adjustment(adjustment: Amount, uspcc: Amount, ceiling: float, floor: float) -> Amount:
    """What the region adds (+) or takes (-), within flat dollars.

    Parameters
    ----------
    adjustment : Amount
        US dollars PBPM.
    uspcc : Amount
        Adjusted USPCC of the performance year, US dollars PBPM.
    ceiling, floor : float
        Fractions of it, both positive.
    """
    limited: Amount = np.minimum(np.maximum(adjustment, -floor * uspcc), ceiling * uspcc)
    return limited


def blend(
    history: Amount,
    region: Amount,
    history_weight: float,
    uspcc: Amount,
    *,
    ceiling: float,
    floor: float,
) -> Amount:
    """History moved towards the region by the region's weight, within the limits.

    Without any weight of history the region stands alone, and nothing is there to be limited.
    """
    if history_weight == 0.0:
        return region
    adjustment = (1.0 - history_weight) * (region - history)
    return history + limit_adjustment(adjustment, uspcc, ceiling, floor)


# --- the chain --------------------------------------------------------------------------------


def build(terms: Terms, cell: Cell) -> Statement:
    """Build the benchmark of one cell.

    Parameters
    ----------
    terms : Terms
    cell : Cell
        Its figures may be arrays of draws.

    Returns
    -------
    Statement
        Where history counts, for each base year YEAR: ``YEAR_cost``, ``YEAR_trended``,
        ``YEAR_geographic``, ``YEAR_standardized``; then ``history``. Always ``region``; where
        history counts ``regional_adjustment``, ``adjustment_ceiling``, ``adjustment_floor`` and
        ``limited_adjustment``; ``blended``. The lines of the risk score, see
        `risk.benchmark_score`, and ``score``. Last ``risk_adjusted`` (PBPM) and ``benchmark`` (US
        dollars).
    """
    ledger = Ledger()
    if terms.has_history(cell.alignment):
        history = _history(ledger, terms, cell)
        region = _region(ledger, cell)
        blended = _blend(ledger, terms, cell, history, region)
    else:
        region = _region(ledger, cell)
        blended = ledger.enter(
            "blended",
            "The region alone",
            region,
            before=region,
            rules=(f"history_weight_{cell.alignment}",),
            unit="pbpm",
        )
    score = _score(ledger, terms, cell)
    adjusted = ledger.enter(
        "risk_adjusted", "Risk adjusted", blended * score, before=blended, unit="pbpm"
    )
    ledger.enter("benchmark", "Times months", adjusted * cell.months, before=adjusted)
    return ledger.statement()


def _history(ledger: Ledger, terms: Terms, cell: Cell) -> Amount:
    years = []
    for base in cell.base_years:
        cost = ledger.enter(f"{base.year}_cost", f"Cost of {base.year}", base.pbpm, unit="pbpm")
        trended = ledger.enter(
            f"{base.year}_trended",
            "  at the year's USPCC",
            cost * base.uspcc_trend,
            before=cost,
            unit="pbpm",
        )
        moved = ledger.enter(
            f"{base.year}_geographic",
            "  and geographic factors",
            trended * base.geographic_trend,
            before=trended,
            unit="pbpm",
        )
        years.append(
            ledger.enter(
                f"{base.year}_standardized",
                "  at a risk score of 1",
                standardize(base),
                before=moved,
                unit="pbpm",
            )
        )
    return ledger.enter(
        "history",
        "History, weighted",
        weigh(years, terms.base_year_weights),
        rules=("base_year_weights", f"base_years_{cell.alignment}"),
        unit="pbpm",
    )


def _region(ledger: Ledger, cell: Cell) -> Amount:
    return ledger.enter(
        "region",
        "Region, from the rate book",
        cell.regional_rate,
        rules=cell.rate_rules,
        unit="pbpm",
    )


def _blend(ledger: Ledger, terms: Terms, cell: Cell, history: Amount, region: Amount) -> Amount:
    weight = terms.history_weight[cell.alignment]
    rule = f"history_weight_{cell.alignment}"
    adjustment = ledger.enter(
        "regional_adjustment",
        "Region's part of the difference",
        (1.0 - weight) * (region - history),
        before=region - history,
        rules=(rule,),
        unit="pbpm",
    )
    ledger.enter(
        "adjustment_ceiling",
        "  at most, of USPCC",
        terms.regional_ceiling * cell.uspcc,
        before=cell.uspcc,
        rules=("regional_ceiling",),
        unit="pbpm",
    )
    ledger.enter(
        "adjustment_floor",
        "  at least, of USPCC",
        -terms.regional_floor * cell.uspcc,
        before=cell.uspcc,
        rules=("regional_floor",),
        unit="pbpm",
    )
    ledger.enter(
        "limited_adjustment",
        "  within these limits",
        limit_adjustment(adjustment, cell.uspcc, terms.regional_ceiling, terms.regional_floor),
        before=adjustment,
        unit="pbpm",
    )
    blended = blend(
        history,
        region,
        weight,
        cell.uspcc,
        ceiling=terms.regional_ceiling,
        floor=terms.regional_floor,
    )
    return ledger.enter(
        "blended", "History and region blended", blended, before=history, unit="pbpm"
    )


def _score(ledger: Ledger, terms: Terms, cell: Cell) -> Amount:
    if len(cell.groups) == 1:
        score = risk.benchmark_score(terms.risk, cell.groups[0], ledger)
    else:
        score = risk.mean_score(
            [risk.benchmark_score(terms.risk, g, ledger, g.alignment) for g in cell.groups],
            [group.months for group in cell.groups],
        )
    return ledger.enter("score", "Risk score of the benchmark", score, unit="score")
