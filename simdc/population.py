"""Who is aligned: segments, or a file of people, as arrays with a value per beneficiary."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from simdc.errors import InputError, Problem, nearest
from simdc.severity import Severity, build_severity, implied_risk_cv
from simdc.tabular import numbers, place_of_row, read_table, refuse_misspelt, require_columns, texts

if TYPE_CHECKING:
    import pandas as pd

    from simdc.scenario import models

__all__ = ["Population", "SegmentArrays", "build_population", "segment_risk_cv"]

Floats: TypeAlias = NDArray[np.float64]

_GOLDEN_RATIO = (1 + math.sqrt(5)) / 2
_COLUMNS = ("expected_cost", "months", "segment", "risk_score", "id")
"""What a file of people may hold; other columns are passed over."""
_ROUNDING = 0.005
"""How far a stated spread may lie from the implied one: spreads are printed to two decimals."""


@dataclass(frozen=True, eq=False)
class SegmentArrays:
    """One segment, with a value per beneficiary in each array.

    Attributes
    ----------
    name, category, alignment : str
        As the scenario gives them.
    expected_cost : float64 array of shape (beneficiary,)
        Expected Part A and B cost over the eligible months, US dollars.
    months : float64 array of shape (beneficiary,)
        Eligible months, above 0 and at most 12.
    risk_score : float64 array of shape (beneficiary,)
        Relative risk; its mean over beneficiary-months is one.
    severity : Severity
        How cost spreads around its expectation.
    """

    name: str
    category: str
    alignment: str
    expected_cost: Floats
    months: Floats
    risk_score: Floats
    severity: Severity

    @property
    def beneficiaries(self) -> int:
        """Number of people."""
        return self.expected_cost.size

    @cached_property
    def total_months(self) -> float:
        """Beneficiary-months."""
        return math.fsum(self.months)

    @cached_property
    def total_expected_cost(self) -> float:
        """Expected cost of the whole segment, US dollars."""
        return math.fsum(self.expected_cost)


@dataclass(frozen=True)
class Population:
    """All segments, in the order of the scenario."""

    segments: tuple[SegmentArrays, ...]


def build_population(population: models.Population, base_dir: Path) -> Population:
    """Turn the population of a scenario into arrays.

    A segment that states a number of beneficiaries gets risk scores at the midpoints of equal
    parts of a lognormal, so that nothing about who is aligned is left to chance. From a file,
    people keep the order of their ``id`` within the segment, or the order of the rows where there
    is none.

    Parameters
    ----------
    population : model
        The ``population`` table of a scenario.
    base_dir : Path
        Folder that file names in the scenario start from.

    Raises
    ------
    InputError
        If a segment contradicts itself, or if the file lacks a column, holds a value that is not
        allowed or names other segments than the scenario.
    """
    severities = []
    for index, segment in enumerate(population.segment):
        with _within(f"population.segment[{index}].severity"):
            severities.append(build_severity(segment.severity, base_dir))
    if population.file is not None:
        return _from_file(population.segment, severities, base_dir / population.file)
    segments = []
    for index, (segment, severity) in enumerate(zip(population.segment, severities, strict=True)):
        with _within(f"population.segment[{index}]"):
            segments.append(_from_segment(segment, severity))
    return Population(tuple(segments))


def segment_risk_cv(segment: models.Segment) -> float:
    """Spread of the risk scores of a segment: stated, implied by its severity, or none.

    The variance of cost is counted once, so three figures that do not fit are refused, and so are
    dispersed risk scores next to published shares of spending from which they were not taken out.

    Raises
    ------
    InputError
        If the segment's ``risk_score_cv`` contradicts its severity.
    """
    spec, stated = segment.severity, segment.risk_score_cv
    implied = implied_risk_cv(spec)
    if stated is None:
        return 0.0 if implied is None else implied
    if implied is not None and abs(stated - implied) > _ROUNDING:
        raise InputError(
            Problem(
                "contradicts the severity, whose total spread and 'risk_share' imply "
                f"{implied:.3f}: leave it out, or give the severity its 'cv' instead",
                path="risk_score_cv",
                given=f"{stated:g}",
            )
        )
    body = spec.body if spec.distribution == "pareto_splice" else spec
    published = body.distribution != "empirical" and body.concentration is not None
    if published and implied is None and stated > 0:
        raise InputError(
            Problem(
                "counts variance twice, because shares of spending include the risk scores: "
                "give the severity its 'risk_share' instead",
                path="risk_score_cv",
                given=f"{stated:g}",
            )
        )
    return stated if implied is None else implied


# --- segments of a stated size ----------------------------------------------------------------


def _from_segment(segment: models.Segment, severity: Severity) -> SegmentArrays:
    if segment.beneficiaries is None or segment.expected_cost_pbpm is None:
        raise InputError(
            "needs 'beneficiaries' and 'expected_cost_pbpm' unless population.file lists the people"
        )
    aligned = round(segment.beneficiaries * (1.0 - segment.opt_out))
    if aligned == 0:
        place = f"population.segment '{segment.name}': opt_out"
        raise InputError(Problem("must leave somebody aligned", place, f"{segment.opt_out:g}"))
    months = _eligible_months(segment.eligible_months, aligned)
    risk_score = _risk_scores(aligned, segment_risk_cv(segment))
    return _assemble(segment, severity, months, risk_score, segment.expected_cost_pbpm)


def _assemble(
    segment: models.Segment,
    severity: Severity,
    months: Floats,
    risk_score: Floats,
    expected_cost_pbpm: float,
) -> SegmentArrays:
    """A segment whose expected cost is its PBPM times months times relative risk."""
    relative = risk_score / np.average(risk_score, weights=months)
    return SegmentArrays(
        name=segment.name,
        category=segment.category,
        alignment=segment.alignment,
        expected_cost=expected_cost_pbpm * months * relative,
        months=months,
        risk_score=relative,
        severity=severity,
    )


def _risk_scores(people: int, cv: float) -> Floats:
    """Rising risk scores at the midpoints of equal parts of a lognormal, mean one.

    Midpoints cut the tail off, so the lognormal is chosen wider until the scores themselves have
    the coefficient of variation asked for. One person has no spread.
    """
    if cv == 0 or people == 1:
        return np.ones(people)
    z = special.ndtri((np.arange(people) + 0.5) / people)

    def scores(sigma: float) -> Floats:
        raw = np.exp(sigma * (z - z[-1]))
        return np.asarray(raw / raw.mean())

    widest = 20.0
    if scores(widest).std() <= cv:
        raise InputError(f"risk scores of {people} people cannot have a spread (cv) of {cv:g}")
    sigma = optimize.brentq(lambda s: float(scores(s).std()) - cv, 0.0, widest, xtol=1e-14)
    return scores(sigma)


def _eligible_months(stated: float | tuple[models.MonthsShare, ...], people: int) -> Floats:
    """Months per person: shares met to the nearest person, spread evenly over the risk scores."""
    if isinstance(stated, float | int):
        return np.full(people, float(stated))
    shares = np.array([part.share for part in stated])
    counts = _largest_remainders(shares / shares.sum(), people)
    # Multiples of the golden ratio visit every part of the unit interval evenly, so any stretch of
    # neighbouring risk scores gets each number of months in its share.
    turn = (np.arange(people) * _GOLDEN_RATIO) % 1
    months = np.empty(people)
    months[np.argsort(turn, kind="stable")] = np.repeat([part.months for part in stated], counts)
    return months


def _largest_remainders(shares: Floats, people: int) -> NDArray[np.int64]:
    """Whole people per share, summing to all; the largest fractions are rounded up."""
    exact = shares * people
    counts = np.floor(exact).astype(np.int64)
    short = people - int(counts.sum())
    counts[np.argsort(counts - exact, kind="stable")[:short]] += 1
    return counts


# --- a file of people -------------------------------------------------------------------------


def _from_file(
    segments: Sequence[models.Segment], severities: Sequence[Severity], path: Path
) -> Population:
    frame = read_table(path)
    refuse_misspelt(frame, _COLUMNS, path)
    priced = "expected_cost" in frame.columns
    required = ("expected_cost",) if priced or "risk_score" not in frame.columns else ()
    require_columns(frame, (*required, "months", "segment"), path)

    months = numbers(
        frame,
        "months",
        path,
        lambda values: (values > 0) & (values <= 12),
        "must be a number of months above 0 and at most 12",
    )
    cost = _amounts(frame, "expected_cost", path) if priced else None
    score = _amounts(frame, "risk_score", path) if "risk_score" in frame.columns else None
    named = texts(frame, "segment", path)
    _check_names(named, [segment.name for segment in segments], path)
    order = _order_of_ids(frame, path)

    arrays = []
    for index, (segment, severity) in enumerate(zip(segments, severities, strict=True)):
        people = order[named[order] == segment.name]
        with _within(f"population.segment[{index}]"):
            _refuse_second_source(segment, priced)
            arrays.append(
                _listed(
                    segment,
                    severity,
                    months[people],
                    None if cost is None else cost[people],
                    None if score is None else score[people],
                )
            )
    return Population(tuple(arrays))


def _listed(
    segment: models.Segment,
    severity: Severity,
    months: Floats,
    cost: Floats | None,
    score: Floats | None,
) -> SegmentArrays:
    """A segment from its rows; the risk score, if absent, is the expected cost per month."""
    for name, column in (("expected_cost", cost), ("risk_score", score)):
        if column is not None and not column.any():
            raise InputError(f"its people in the file all have a {name} of 0")
    if cost is None:
        if score is None or segment.expected_cost_pbpm is None:
            raise InputError(
                "needs 'expected_cost_pbpm', because the file gives risk scores but no "
                "'expected_cost'"
            )
        return _assemble(segment, severity, months, score, segment.expected_cost_pbpm)
    pbpm = math.fsum(cost) / math.fsum(months)
    by_cost = _assemble(segment, severity, months, cost / months, pbpm)
    if score is None:
        return replace(by_cost, expected_cost=cost)
    relative = score / np.average(score, weights=months)
    return replace(by_cost, expected_cost=cost, risk_score=relative)


def _refuse_second_source(segment: models.Segment, priced: bool) -> None:
    """A figure stated both for the segment and person by person would silently lose."""
    given = {
        "beneficiaries": segment.beneficiaries is not None,
        "risk_score_cv": segment.risk_score_cv is not None,
        "expected_cost_pbpm": priced and segment.expected_cost_pbpm is not None,
    }
    problems = [
        Problem("must be left out, because population.file gives it person by person", path=name)
        for name, twice in given.items()
        if twice
    ]
    if problems:
        raise InputError(problems)


def _amounts(frame: pd.DataFrame, name: str, path: Path) -> Floats:
    sentence = "must be a finite number of 0 or more"
    return numbers(frame, name, path, lambda values: values >= 0, sentence)


def _check_names(named: NDArray[np.object_], declared: Sequence[str], path: Path) -> None:
    unknown = ~np.isin(named, np.asarray(declared, dtype=np.object_))
    if unknown.any():
        row = int(np.argmax(unknown))
        raise InputError(
            Problem(
                f"names no segment of the scenario, which has {', '.join(declared)}",
                path=f"column 'segment', {place_of_row(row, path)}",
                given=str(named[row]),
                suggestion=nearest(str(named[row]), declared),
            ),
            file=path,
        )
    absent = [name for name in declared if name not in set(named)]
    if absent:
        raise InputError(f"has nobody in the segment '{absent[0]}' of the scenario", file=path)


def _order_of_ids(frame: pd.DataFrame, path: Path) -> NDArray[np.intp]:
    """Rows by ascending id, so that the order of a file does not change anyone's luck."""
    if "id" not in frame.columns:
        return np.arange(len(frame))
    ids = texts(frame, "id", path)
    order = np.argsort(ids, kind="stable")
    same = ids[order][1:] == ids[order][:-1]
    if same.any():
        row = int(order[1:][same].min())
        raise InputError(
            Problem(
                "is the id of somebody above",
                path=f"column 'id', {place_of_row(row, path)}",
                given=ids[row],
            ),
            file=path,
        )
    return order


@contextmanager
def _within(path: str) -> Iterator[None]:
    """Say where in the scenario an error lies, unless it lies in a file of its own."""
    try:
        yield
    except InputError as error:
        if error.file is not None:
            raise
        placed = [
            replace(problem, path=".".join(filter(None, (path, problem.path))))
            for problem in error.problems
        ]
        raise InputError(placed) from error
