"""The case that kernels are measured on: four segments, two stop-loss designs, a cost factor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from simdc.kernels.philox import key_words
from simdc.kernels.strip import segment_sums
from simdc.severity import Severity, gamma, generalised_gamma, lognormal
from simdc.severity_table import QuantileTable, quantile_table

__all__ = [
    "ATTACHMENTS",
    "DESIGNS",
    "PEOPLE",
    "WITH_RESIDUAL",
    "WITH_TRUNCATION",
    "Segment",
    "check_sums",
    "cost_factor",
    "run_kernel",
    "segments",
]

PEOPLE = 20_000
MEAN_COST = 12_000.0
ATTACHMENTS = (150_000.0, 250_000.0, 300_000.0, 500_000.0)
"""Two designs of two bands, for a whole year; prorated for those who are eligible for less."""
TRUNCATION = 140_000.0
"""Near the 99th percentile of a year's cost, where the Shared Savings Program cuts; prorated."""
RESIDUAL = (8.0, 20.0)
"""A design of two bands at multiples of each person's expected cost."""

# Columns of `Segment.attachment`.
DESIGNS = (0, 1, 2, 3)
WITH_TRUNCATION = (*DESIGNS, 4)
WITH_RESIDUAL = (*DESIGNS, 5, 6)

# (law, its parameters, probability of no cost): a NumPy user draws from the same.
LAWS = (
    ("generalised gamma", (0.488, 0.693), 0.05),
    ("lognormal", (1.3,), 0.02),
    ("gamma", (0.4,), 0.10),
    ("generalised gamma", (0.3, 0.5), 0.0),
)
_FAMILIES = {
    "generalised gamma": generalised_gamma,
    "lognormal": lognormal,
    "gamma": gamma,
}


@dataclass(frozen=True, eq=False)
class Segment:
    """A quarter of the people.

    Attributes
    ----------
    law, parameters, zero : str, tuple of float, float
        As in `LAWS`.
    severity : Severity
    table : QuantileTable
    scale : float32 array of shape (person,)
        Expected cost, padded with zeros.
    attachment : float64 array of shape (person, attachment)
        Columns `ATTACHMENTS`, `TRUNCATION`, `RESIDUAL`.
    people : int
        Without the padding.
    """

    law: str
    parameters: tuple[float, ...]
    zero: float
    severity: Severity
    table: QuantileTable
    scale: np.ndarray
    attachment: np.ndarray
    people: int


@cache
def segments(people: int = PEOPLE, quarters: int = len(LAWS)) -> tuple[Segment, ...]:
    """The people, divided evenly."""
    rng = np.random.default_rng(1)
    each = people // quarters
    built = []
    for number in range(quarters):
        law, parameters, zero = LAWS[number % len(LAWS)]
        severity = _FAMILIES[law](*parameters, zero_probability=zero)
        scale = np.zeros(-(-each // 16) * 16, np.float32)
        scale[:each] = MEAN_COST * rng.lognormal(-0.125, 0.5, each)
        months = np.where(rng.random(each) < 0.06, 6.0, 12.0)
        attachment = np.full((scale.size, len(ATTACHMENTS) + 1 + len(RESIDUAL)), np.inf)
        attachment[:each] = np.column_stack(
            (
                np.outer(months / 12.0, (*ATTACHMENTS, TRUNCATION)),
                np.outer(scale[:each].astype(np.float64), RESIDUAL),
            )
        )
        table = quantile_table(severity)
        built.append(Segment(law, parameters, zero, severity, table, scale, attachment, each))
    return tuple(built)


def cost_factor(draws: int) -> np.ndarray:
    """Systemic cost factor of each draw."""
    return np.exp(np.random.default_rng(2).normal(0.0, 0.04, draws))


def run_kernel(people: tuple[Segment, ...], draws: int, points: tuple[int, ...] = DESIGNS):
    """Set up the kernel over all segments, at some columns of `attachment`; returns the call."""
    factor, key = cost_factor(draws), key_words(20220101)
    attachment = [np.ascontiguousarray(segment.attachment[:, points]) for segment in people]
    cost = np.empty((len(people), draws))
    excess = np.empty((len(people), len(points), draws))

    def call():
        for row, segment in enumerate(people):
            segment_sums(
                cost[row],
                excess[row],
                np.uint64(0),
                np.uint64(row),
                *key,
                segment.scale,
                attachment[row],
                factor,
                segment.table.body,
                segment.table.tail,
            )
        return cost.sum(axis=0), excess.sum(axis=0)

    return call


def check_sums(answer: object, people: int = PEOPLE, points: tuple[int, ...] = DESIGNS) -> None:
    """Means of the cost and of each excess within five standard errors of their expectations."""
    cost, excess = answer
    factor = cost_factor(cost.size)
    mean = variance = 0.0
    above = np.zeros(len(excess))
    for segment in segments(people):
        scale = segment.scale[: segment.people].astype(np.float64)
        mean += scale.sum()
        variance += np.sum((scale * segment.severity.cv) ** 2)
        for row, point in enumerate(points[: len(excess)]):
            retention = segment.attachment[: segment.people, point] / scale
            above[row] += np.sum(scale * segment.severity.mean_excess(retention))
    error = np.sqrt(variance * np.mean(factor**2) / cost.size)
    assert abs(np.mean(cost) - mean * factor.mean()) < 5 * error
    # Excess is convex in the factor, so its mean at factor 1 is a few per cent below.
    own_error = excess.std(axis=1) / np.sqrt(cost.size)
    assert (np.abs(excess.mean(axis=1) - above) < 5 * own_error + 0.05 * above).all()
