"""Risk scores that are uncertain: what they make of a benchmark in each draw.

The entity's raw score is normalized by the mean of the reference population, held within the cap
around the reference year's score, and corrected for coding intensity, in this order in every draw.
So a driver before the cap leaves draws on the floor and on the ceiling, and one after it does not.

A prospective score is known before the year and stands still when people turn out dear. A
concurrent one follows, by as much as its model explains of what was not known beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from simdc.benchmark import construction, risk
from simdc.benchmark.of_scenario import BuiltBenchmark, BuiltCell
from simdc.contracts.contract import Notes, Setting
from simdc.drivers import ResolvedDrivers
from simdc.priors import load_priors, percent
from simdc.programs import RuleSet
from simdc.settlement.steps import Amount
from simdc.sums import CostDraws

__all__ = [
    "UncertainScores",
    "in_middle_of_cap",
    "uncertain_scores",
]

Array = NDArray[np.float64]

_SCORE_DRIVERS = ("raw_risk_score", "reference_population_drift", "coding_factor")
_AS_EXPECTED: Mapping[str, Amount] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class UncertainScores:
    """A benchmark that is built anew with the risk scores of each draw.

    Attributes
    ----------
    benchmark : BuiltBenchmark
        With every score as expected.
    models : mapping of category to risk.ScoreModel
        Of the categories whose scores follow the cost of the year.
    expected_cost : tuple of (category, US dollars)
        Of each segment, in the order of the sums of a draw.
    """

    benchmark: BuiltBenchmark
    models: Mapping[str, risk.ScoreModel]
    expected_cost: tuple[tuple[str, float], ...]

    def by_category(
        self, sums: CostDraws, drivers: ResolvedDrivers, values: Mapping[str, Array]
    ) -> dict[str, Amount]:
        """Unadjusted benchmark of each category in every draw, US dollars, shape (draw,)."""
        luck = {category: self._luck(category, sums, drivers, values) for category in self.models}
        return self.benchmark.by_category(self.moves(drivers, values, luck))

    def moves(
        self,
        drivers: ResolvedDrivers,
        values: Mapping[str, Array],
        luck: Mapping[str, Amount] = _AS_EXPECTED,
    ) -> dict[str, risk.Moves]:
        """How the figures of each category's scores turn out.

        Parameters
        ----------
        drivers, values
            The drivers and their values in these draws.
        luck : mapping of category to Amount, optional
            Cost over what the drivers let expect, of the categories in `models`; without it
            people cost what is expected of them.
        """
        raw = drivers.ratio(values, "raw_risk_score")
        return {
            cell.category: risk.Moves(
                raw_score=raw * self.models[cell.category].score_factor(luck[cell.category])
                if cell.category in luck
                else raw,
                reference_population=drivers.ratio(values, "reference_population_drift"),
                coding_factor=drivers.ratio(values, "coding_factor"),
            )
            for cell in (built.cell for built in self.benchmark.cells)
        }

    def _luck(
        self,
        category: str,
        sums: CostDraws,
        drivers: ResolvedDrivers,
        values: Mapping[str, Array],
    ) -> Array:
        """Cost of one category over what the drivers of the draw let expect."""
        rows = [row for row, (each, _) in enumerate(self.expected_cost) if each == category]
        expected = sum(self.expected_cost[row][1] for row in rows)
        cost: Array = sums.cost[rows[0]].copy()
        for row in rows[1:]:
            cost += sums.cost[row]
        return cost / (expected * drivers.cost_factor(values, category))


def uncertain_scores(
    setting: Setting, benchmark: Mapping[str, float], told: Notes
) -> UncertainScores | None:
    """What makes scores uncertain in a track of Direct Contracting or a program like it.

    Parameters
    ----------
    setting : Setting
    benchmark : mapping of category to float
        US dollars, with scores as expected.
    told : Notes

    Returns
    -------
    UncertainScores or None
        None where no driver moves scores, or only such as move a given benchmark by a factor.
    """
    moving = [name for name in _SCORE_DRIVERS if name in setting.drivers.laws]
    if not moving:
        return None
    built = setting.built
    if built is None and "raw_risk_score" not in moving:
        told.say(
            "risk score",
            "the benchmark is given, so where its scores lie within the cap is unknown: "
            f"{' and '.join(moving)} move it by a factor, without any cap",
        )
        return None
    if built is None:
        cap = setting.rules.value("risk_cap", math.inf)
        held = (
            f"in the middle of the cap of {percent(cap)} either way, and everyone to be capped"
            if math.isfinite(cap)
            else "free of any cap"
        )
        told.say("risk score", f"the benchmark is given; its scores are taken to lie {held}")
        built = in_middle_of_cap(benchmark, setting.rules)
    return UncertainScores(
        built,
        _score_models(setting, told) if "raw_risk_score" in moving else {},
        tuple((s.category, s.total_expected_cost) for s in setting.population.segments),
    )


def in_middle_of_cap(benchmark: Mapping[str, float], rules: RuleSet) -> BuiltBenchmark:
    """A given benchmark as if its risk scores lay in the middle of the cap.

    The coding intensity factor moves it without a limit, because where the given one lies within
    its limit is unknown.

    Parameters
    ----------
    benchmark : mapping of category to float
        US dollars.
    rules : RuleSet
        Of Direct Contracting or a program that settles like it.
    """
    terms = construction.Terms(
        history_weight={"claims": 0.0},
        base_years={"claims": ()},
        base_year_weights=(),
        regional_ceiling=0.0,
        regional_floor=0.0,
        rate_book_years=(),
        risk=risk.Terms(
            risk_cap=rules.value("risk_cap", math.inf),
            risk_cap_demographic=False,
            continuously_voluntary_capped=False,
            coding_factor_limit=math.inf,
        ),
    )
    score = risk.Group(alignment="claims", months=1.0, raw_score=1.0, reference_score=1.0)
    cells = (
        construction.Cell(
            category=category,
            alignment="claims",
            months=1.0,
            regional_rate=dollars,
            uspcc=dollars,
            groups=(score,),
        )
        for category, dollars in benchmark.items()
    )
    built = tuple(BuiltCell(cell, construction.build(terms, cell)) for cell in cells)
    return BuiltBenchmark(rules, terms, built, None, ())


def _score_models(setting: Setting, told: Notes) -> dict[str, risk.ScoreModel]:
    """Models of the categories whose scores follow the year's cost: A&D under a concurrent one."""
    if not setting.rules.value("concurrent_risk_model", False):
        return {}
    prior = load_priors("risk_score")["concurrent"]
    given = setting.target.concurrent_risk_share
    explained, source = (
        (prior["risk_share"], prior["source"]) if given is None else (given, "scenario")
    )
    known = _share_known_beforehand(setting, explained)
    model = risk.ScoreModel(prospective_share=min(known, explained), concurrent_share=explained)
    told.say(
        "risk score",
        f"a concurrent score explains {percent(explained)} of the variance of cost, "
        f"{percent(model.prospective_share)} of which the expected cost of A&D people holds "
        f"already (risk_share); so it takes up {percent(model.slope)} of what their luck does to "
        "their cost",
        source,
    )
    return {"A&D": model} if model.slope > 0.0 else {}


def _share_known_beforehand(setting: Setting, explained: float) -> float:
    """Share of the variance of A&D cost that expected cost holds, averaged by that cost.

    A spread that is given without a risk_share is one given the program's own score.
    """
    pairs = [
        (arrays.total_expected_cost, asked.severity.risk_share)
        for arrays, asked in zip(
            setting.population.segments, setting.scenario.population.segment, strict=True
        )
        if arrays.category == "A&D"
    ]
    total = sum(cost for cost, _ in pairs)
    return (
        sum(cost * (explained if share is None else share) for cost, share in pairs) / total
        if pairs
        else explained
    )
