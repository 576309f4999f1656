"""Tracks of one result against each other: on the same draws, and as gross savings vary.

Tracks are settled on the same draws, so the difference between two of them is free of the chance
that they share. Where they cross does not depend on draws but on their rules: those recorded in
the result are settled again over a range of cost. For that every track's benchmark is held at its
mean over the draws, and its net cost moves with the cost of care along the straight line through
its draws: without stop-loss that line is exact, with it the line has the expected payout.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from simdc.errors import InputError, Problem, SimdcError, nearest
from simdc.estimate import Estimate, mean, probability, quantile, standard_deviation
from simdc.guarantee import attempt
from simdc.programs import Rule, RuleSet
from simdc.programs.units import checked
from simdc.result import group
from simdc.settlement import direct_contracting, next_generation, shared_savings
from simdc.variables import SIGN_CONVENTION

__all__ = [
    "EARNED",
    "RATES",
    "BreakEven",
    "Comparison",
    "Crossing",
    "Pair",
    "PaymentCurve",
    "break_even",
    "comparable_lines",
    "compare",
    "payment_curve",
]

Array: TypeAlias = NDArray[np.float64]
Curve: TypeAlias = Callable[[Array], Array]
Settlement: TypeAlias = Callable[[Array, Array, Array], Array]

EARNED = "shared_after_sequestration"
"""The line that says what a track pays, and by which tracks cross."""

RATES = (-0.5, 0.5)
"""Gross savings rates between which crossings are looked for: the corridors' edges lie within."""

_STEPS = 10_000  # one a basis point: two tracks that cross twice within it are taken not to
_HALF_A_CENT = 0.005  # amounts closer than this are settled as the same
_NARROW = 1e-6  # gross savings rate; being equal over less than this is to cross
_BESIDE = 1e-9  # gross savings rate just beside a point
_JUMP = 1e-6  # of benchmark; what tracks pay changes by more only where it jumps
_BISECTIONS = 40


@dataclass(frozen=True)
class PaymentCurve:
    """What one track pays as the cost of care varies, all else at its mean over the draws.

    Attributes
    ----------
    track : str
    benchmark : float
        Settlement benchmark, US dollars.
    fixed_cost : float
        Net cost whatever care costs, US dollars: stop-loss charge and capitation.
    variable_share : float
        How much of each further dollar of care is held against the benchmark.
    paid : callable
        From net cost of care, an array of US dollars, to what is paid (positive) or owed.
    """

    track: str
    benchmark: float
    fixed_cost: float
    variable_share: float
    paid: Curve

    def pays(self, cost: Array) -> Array:
        """What is paid (positive) or owed (negative) at so much cost of care, US dollars."""
        return self.paid(self.fixed_cost + self.variable_share * cost)

    def gross_savings_rate(self, cost: Array) -> Array:
        """Gross savings over the settlement benchmark at so much cost of care."""
        return 1.0 - (self.fixed_cost + self.variable_share * cost) / self.benchmark

    def cost_at(self, rate: Array) -> Array:
        """Cost of care that leaves this gross savings rate, US dollars."""
        return ((1.0 - rate) * self.benchmark - self.fixed_cost) / self.variable_share


@dataclass(frozen=True)
class Crossing:
    """A cost of care at which two tracks change their order.

    Attributes
    ----------
    cost : float
        Of care, before stop-loss, US dollars.
    gross_savings_rate : tuple of float
        Of the first and the second track there, each relative to its own settlement benchmark.
    pays_below, pays_above : tuple of float
        What the two pay with gross savings just below and above, US dollars. All four are the
        same amount, but where one of the tracks jumps.
    draws_below, draws_above : Estimate
        Share of draws in which the first track's gross savings rate is below, and at or above.
    """

    cost: float
    gross_savings_rate: tuple[float, float]
    pays_below: tuple[float, float]
    pays_above: tuple[float, float]
    draws_below: Estimate
    draws_above: Estimate

    @property
    def jumps(self) -> bool:
        """Whether the order changes without both paying the same, as at a minimum savings rate."""
        return self.pays_below != self.pays_above


@dataclass(frozen=True)
class BreakEven:
    """Where two tracks cross as gross savings vary.

    Attributes
    ----------
    rates : tuple of float
        Gross savings rates of the first track that were searched.
    benchmark : tuple of float
        Settlement benchmarks of the two, mean over the draws, US dollars.
    crossings : tuple of Crossing
        In rising order of gross savings.
    better : tuple of str or None
        The track that pays more below the first crossing, between crossings, above the last one;
        None where both pay the same.
    """

    rates: tuple[float, float]
    benchmark: tuple[float, float]
    crossings: tuple[Crossing, ...]
    better: tuple[str | None, ...]


@dataclass(frozen=True)
class Pair:
    """Two tracks on the same draws.

    Attributes
    ----------
    first, second : str
    difference : mapping of str to Estimate
        What the first pays less what the second pays, US dollars: mean, standard_deviation,
        quantile_05, quantile_50, quantile_95; NaN where the draws do not support it.
    first_pays_more, second_pays_more, equal : Estimate
        Probabilities. Amounts that are the same to the cent are equal.
    break_even : BreakEven or None
    obstacle : str
        Why there is no break-even; else empty.
    """

    first: str
    second: str
    difference: Mapping[str, Estimate]
    first_pays_more: Estimate
    second_pays_more: Estimate
    equal: Estimate
    break_even: BreakEven | None
    obstacle: str = ""


@dataclass(frozen=True)
class Comparison:
    """Every pair of tracks, compared by one line of the settlement."""

    line: str
    pairs: tuple[Pair, ...]


def comparable_lines(tree: xr.DataTree) -> tuple[str, ...]:
    """Lines of a result by which tracks can be compared: amounts paid to the entity."""
    return tuple(
        str(name)
        for name, line in group(tree, "draws").data_vars.items()
        if line.dims == ("track", "draw") and line.attrs["sign_convention"] == SIGN_CONVENTION
    )


def compare(tree: xr.DataTree, line: str = EARNED, tracks: Sequence[str] = ()) -> Comparison:
    """Compare every pair of tracks of a result.

    Parameters
    ----------
    tree : xarray.DataTree
        From `simdc.result.build_result` or `read_result`.
    line : str, optional
        One of `comparable_lines`. Break-evens are of what is earned (`EARNED`) whatever the line.
    tracks : sequence of str, optional
        Those to compare, in the order of their pairs; all of them otherwise.

    Raises
    ------
    InputError
        For an unknown line or track, or fewer than two tracks.
    """
    draws = group(tree, "draws")
    _check_name("line to compare by", line, comparable_lines(tree))
    names = [str(name) for name in draws["track"].values]
    for track in tracks:
        _check_name("track in this result", track, names)
    chosen = list(dict.fromkeys(tracks)) or names
    if len(chosen) < 2:
        raise InputError(f"comparing takes two tracks or more, and there is only '{chosen[0]}'")
    amounts = {name: _of_track(draws[line], name) for name in chosen}
    curves = {name: _curve_or_obstacle(tree, name) for name in chosen}
    return Comparison(
        line,
        tuple(
            _pair(tree, amounts, curves, first, second) for first, second in combinations(chosen, 2)
        ),
    )


def _check_name(what: str, name: str, allowed: Sequence[str]) -> None:
    if name not in allowed:
        there_are = ", ".join(f"'{each}'" for each in allowed)
        raise InputError(
            Problem(
                f"there is no such {what}; there are {there_are}",
                given=f"'{name}'",
                suggestion=nearest(name, allowed),
            )
        )


def _of_track(line: xr.DataArray, track: str) -> Array:
    values: Array = line.sel(track=track).values
    return values


def _curve_or_obstacle(tree: xr.DataTree, track: str) -> PaymentCurve | str:
    try:
        return payment_curve(tree, track)
    except SimdcError as error:
        return str(error)


def _pair(
    tree: xr.DataTree,
    amounts: Mapping[str, Array],
    curves: Mapping[str, PaymentCurve | str],
    first: str,
    second: str,
) -> Pair:
    difference = amounts[first] - amounts[second]
    ordered, draws = np.sort(difference), difference.size
    more = int(np.count_nonzero(difference >= _HALF_A_CENT))
    less = int(np.count_nonzero(difference <= -_HALF_A_CENT))
    one, other = curves[first], curves[second]
    obstacles = [curve for curve in (one, other) if isinstance(curve, str)]
    found = None
    if isinstance(one, PaymentCurve) and isinstance(other, PaymentCurve):
        found = break_even(one, other, _gross_savings_rates(tree, first))
    return Pair(
        first,
        second,
        difference={
            "mean": attempt(mean, difference),
            "standard_deviation": attempt(standard_deviation, difference),
            "quantile_05": attempt(quantile, ordered, 0.05, is_sorted=True),
            "quantile_50": attempt(quantile, ordered, 0.5, is_sorted=True),
            "quantile_95": attempt(quantile, ordered, 0.95, is_sorted=True),
        },
        first_pays_more=probability(more, draws),
        second_pays_more=probability(less, draws),
        equal=probability(draws - more - less, draws),
        break_even=found,
        obstacle=" ".join(obstacles),
    )


def _gross_savings_rates(tree: xr.DataTree, track: str) -> Array:
    draws = group(tree, "draws")
    benchmark = _of_track(draws["settlement_benchmark"], track)
    return _of_track(draws["gross_savings"], track) / benchmark


# --- crossings --------------------------------------------------------------------------------


def break_even(
    first: PaymentCurve,
    second: PaymentCurve,
    drawn_rates: Array,
    rates: tuple[float, float] = RATES,
) -> BreakEven:
    """Every crossing of two tracks within a range of gross savings rates of the first.

    The difference of what they pay is taken at every basis point of the range. It is piecewise
    linear, with jumps where a program has a minimum savings rate; between two points with
    different order the crossing is bracketed by bisection.

    Parameters
    ----------
    first, second : PaymentCurve
    drawn_rates : array of shape (draw,)
        Gross savings rates of the first track, for the share of draws on either side.
    rates : tuple of float, optional
        The range.
    """
    ends, orders = _stretches(first, second, rates)
    better = {1: first.track, -1: second.track, 0: None}
    return BreakEven(
        rates,
        (first.benchmark, second.benchmark),
        tuple(_crossing(first, second, rate, drawn_rates) for rate in ends),
        tuple(better[order] for order in orders),
    )


def _difference(first: PaymentCurve, second: PaymentCurve, rates: Array) -> Array:
    """What the first pays less what the second pays, at gross savings rates of the first."""
    cost = first.cost_at(rates)
    return first.pays(cost) - second.pays(cost)


def _order(difference: Array) -> NDArray[np.int64]:
    """1 where the first pays more, -1 where the second does, 0 where it is the same to the cent."""
    return np.where(np.abs(difference) < _HALF_A_CENT, 0, np.sign(difference)).astype(np.int64)


def _stretches(
    first: PaymentCurve, second: PaymentCurve, rates: tuple[float, float]
) -> tuple[list[float], list[int]]:
    """Rates at which the order changes, and the order of each stretch between them."""
    grid = np.linspace(*rates, _STEPS + 1)
    order = _order(_difference(first, second, grid))
    before = np.flatnonzero(np.diff(order))
    ends: list[float] = []
    orders = [int(order[0])]
    for at in before:
        rate = _bisect(first, second, (grid[at], grid[at + 1]), (order[at], order[at + 1]))
        if orders[-1] == 0 and ends and rate - ends[-1] < _NARROW:
            # Equal in passing: one crossing in the middle, or none where the order is as before.
            orders.pop()
            rate = 0.5 * (rate + ends.pop())
            if orders[-1] == order[at + 1]:
                continue
        ends.append(rate)
        orders.append(int(order[at + 1]))
    return ends, orders


def _bisect(
    first: PaymentCurve,
    second: PaymentCurve,
    bracket: tuple[float, float],
    orders: tuple[int, int],
) -> float:
    """The rate within a bracket at which the order at its low end ceases to hold."""
    low, high = bracket
    # Between two strict orders being equal to the cent is passed over, so that the root is exact.
    order = np.sign if all(orders) else _order
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if order(_difference(first, second, np.array([middle])))[0] == orders[0]:
            low = middle
        else:
            high = middle
    return float(0.5 * (low + high))


def _crossing(
    first: PaymentCurve, second: PaymentCurve, rate: float, drawn_rates: Array
) -> Crossing:
    cost = first.cost_at(np.array([rate - _BESIDE, rate, rate + _BESIDE]))
    paid = np.stack([first.pays(cost), second.pays(cost)])
    below, at, above = (_two(column) for column in paid.T)
    change = float(np.abs(paid[:, 2] - paid[:, 0]).max())
    if change <= _JUMP * first.benchmark:
        below = above = at
    beneath = int(np.count_nonzero(drawn_rates < rate))
    return Crossing(
        cost=float(cost[1]),
        gross_savings_rate=(rate, float(second.gross_savings_rate(cost)[1])),
        pays_below=below,
        pays_above=above,
        draws_below=probability(beneath, drawn_rates.size),
        draws_above=probability(drawn_rates.size - beneath, drawn_rates.size),
    )


def _two(amounts: Array) -> tuple[float, float]:
    return float(amounts[0]), float(amounts[1])


# --- from a result to what a track pays -------------------------------------------------------


def payment_curve(tree: xr.DataTree, track: str) -> PaymentCurve:
    """What a track of a result pays as the cost of care varies, by the rules recorded with it.

    Raises
    ------
    SimdcError
        Where that cannot be said: the rules recorded do not give the settlements recorded, or the
        track's net cost does not rise with the cost of care.
    """
    draws = group(tree, "draws")
    benchmark = _of_track(draws["settlement_benchmark"], track)
    net_cost = _of_track(draws["net_cost_of_care"], track)
    quality = draws["quality_score"].values if "quality_score" in draws else np.ones(1)
    settle = _settlement(tree, track)

    recorded = _of_track(draws[EARNED], track)
    if not np.allclose(
        settle(benchmark, net_cost, quality), recorded, rtol=1e-9, atol=_HALF_A_CENT
    ):
        raise SimdcError(
            f"The rules recorded for track '{track}' do not give the settlements recorded."
        )
    fixed_cost, variable_share = _line_through(draws["cost"].sum("segment").values, net_cost)
    if variable_share <= 0.0:
        raise SimdcError(f"The net cost of track '{track}' does not rise with the cost of care.")
    typical = float(benchmark.mean())
    usual_quality = quality.mean(keepdims=True)
    return PaymentCurve(
        track,
        typical,
        fixed_cost,
        variable_share,
        lambda net: settle(np.full_like(net, typical), net, usual_quality),
    )


def _line_through(cost: Array, net_cost: Array) -> tuple[float, float]:
    """Least squares: net cost without any cost of care, and its rise by each dollar of it.

    Where the cost of care is the same in every draw, net cost is taken in proportion to it.
    """
    deviation = cost - cost.mean()
    spread = float(deviation @ deviation)
    if spread == 0.0:
        return 0.0, float(net_cost.mean() / cost.mean())
    slope = float(deviation @ (net_cost - net_cost.mean())) / spread
    return float(net_cost.mean()) - slope * float(cost.mean()), slope


def _settlement(tree: xr.DataTree, track: str) -> Settlement:
    """What is earned at a benchmark, net cost and quality score, by the rules recorded."""
    rules = _recorded_rules(tree, track)
    if _has_terms(shared_savings.Terms, rules):
        return _shared_savings(rules, _recorded_elections(tree, track))
    for family in (direct_contracting, next_generation):
        if _has_terms(family.Terms, rules):
            return _from_final_benchmark(family, rules)
    raise SimdcError(f"The rules recorded for track '{track}' are not those of a settlement.")


def _has_terms(terms: type, rules: RuleSet) -> bool:
    """Whether rules hold all the terms of a settlement, and so are of its family."""
    return all(field.name in rules for field in fields(terms) if field.default is MISSING)


def _from_final_benchmark(family: Any, rules: RuleSet) -> Settlement:
    """Direct Contracting or Next Generation; quality is in the benchmark already."""
    terms = family.Terms.from_rules(rules)

    def settle(benchmark: Array, net_cost: Array, quality: Array) -> Array:
        figures = family.Figures(final_benchmark=benchmark, claims=net_cost)
        return np.asarray(family.settle(terms, figures)[EARNED])

    return settle


def _shared_savings(rules: RuleSet, elections: dict[str, Any]) -> Settlement:
    terms = shared_savings.Terms.from_rules(rules, elections.pop("agreement_year", 3))

    def settle(benchmark: Array, net_cost: Array, quality: Array) -> Array:
        given = {"quality_score": quality, **elections}
        figures = shared_savings.Figures(benchmark=benchmark, expenditure=net_cost, **given)
        return np.asarray(shared_savings.settle(terms, figures)[EARNED])

    return settle


def _recorded_rules(tree: xr.DataTree, track: str) -> RuleSet:
    """The rules that a track was settled by, as the result has them."""
    inputs = group(tree, "inputs")
    parts = ("track", "name", "value", "unit", "source", "confidence")
    columns = [inputs[f"rule_{part}"].values.astype(str) for part in parts]
    rules = {
        name: Rule(name, checked(_with_infinity(json.loads(value)), unit), unit, source, confidence)
        for of_track, name, value, unit, source, confidence in zip(*columns, strict=True)
        if of_track == track
    }
    return RuleSet(
        program=str(inputs["program"].sel(track=track).item()),
        year=int(tree.attrs["performance_year"]),
        option=str(inputs["option"].sel(track=track).item()),
        entity_type=str(tree.attrs["entity_type"]),
        sources={},  # citations are written out in each rule
        _rules=rules,
    )


def _with_infinity(value: Any) -> Any:
    """A rule's value from JSON, where the edge that no band has is null."""
    if isinstance(value, list):
        return [_with_infinity(each) for each in value]
    return math.inf if value is None else value


def _recorded_elections(tree: xr.DataTree, track: str) -> dict[str, Any]:
    """Size and elections of a Shared Savings track; the latter as in the scenario recorded."""
    scenario = tomllib.loads(tree.attrs["scenario"])
    found = {"beneficiaries": float(group(tree, "inputs")["beneficiaries"].sum())}
    for table in scenario.get("track", ()):
        if table["name"] == track:
            found |= table.get("shared_savings", {})
    if "participant_revenue" in found:
        found["revenue"] = found.pop("participant_revenue")
    return found
