"""What a user would write instead of the kernel, in order of skill; the same sums each time."""

from __future__ import annotations

import math

import numba
import numpy as np
from scipy.special import gammaln

from benchmarks.cases import DESIGNS, Segment, cost_factor

__all__ = ["even_table", "numba_loop", "numpy_loop"]


def _unit_mean(segment: Segment) -> float:
    """What to divide a raw draw by, zeros included."""
    if segment.law == "lognormal":
        raw = np.exp(segment.parameters[0] ** 2 / 2)
    elif segment.law == "gamma":
        raw = segment.parameters[0]
    else:
        a, c = segment.parameters
        raw = np.exp(gammaln(a + 1 / c) - gammaln(a))
    return float(raw * (1.0 - segment.zero))


def _people(people: tuple[Segment, ...]):
    return [
        (s, s.scale[: s.people].astype(np.float64), s.attachment[: s.people, DESIGNS].T.copy())
        for s in people
    ]


def numpy_loop(people: tuple[Segment, ...], draws: int):
    """A loop over draws of vectors over people: gamma to a power, maxima, sums."""
    factor, parts = cost_factor(draws), _people(people)

    def draw_person(rng, segment, count):
        if segment.law == "lognormal":
            return rng.lognormal(0.0, segment.parameters[0], count)
        if segment.law == "gamma":
            return rng.standard_gamma(segment.parameters[0], count)
        a, c = segment.parameters
        return rng.standard_gamma(a, count) ** (1 / c)

    def call():
        rng = np.random.default_rng(1)
        cost, excess = np.zeros(draws), np.zeros((len(DESIGNS), draws))
        for draw in range(draws):
            for segment, scale, attachment in parts:
                person = draw_person(rng, segment, scale.size)
                if segment.zero:
                    person[rng.random(scale.size) < segment.zero] = 0.0
                person *= scale * (factor[draw] / _unit_mean(segment))
                cost[draw] += person.sum()
                for row in range(len(DESIGNS)):
                    excess[row, draw] += np.maximum(person - attachment[row], 0.0).sum()
        return cost, excess

    return call


@numba.njit(nogil=True)
def _numba_sums(cost, excess, kind, p, q, zero, scale, attachment, factor):
    for draw in range(cost.size):
        for i in range(scale.size):
            if np.random.random() < zero:
                continue
            if kind == 0:
                value = np.random.gamma(p, 1.0) ** (1.0 / q)
            else:
                value = np.random.lognormal(0.0, p)
            value *= scale[i] * factor[draw]
            cost[draw] += value
            for row in range(attachment.shape[0]):
                excess[row, draw] += max(value - attachment[row, i], 0.0)


def numba_loop(people: tuple[Segment, ...], draws: int):
    """The same as plain compiled loops around ``np.random``."""
    factor, parts = cost_factor(draws), _people(people)

    @numba.njit
    def seed(value):
        np.random.seed(value)

    def call():
        seed(1)
        cost, excess = np.zeros(draws), np.zeros((len(DESIGNS), draws))
        for segment, scale, attachment in parts:
            kind = int(segment.law == "lognormal")
            p, q = (*segment.parameters, 1.0)[:2]
            scaled = scale / _unit_mean(segment)
            _numba_sums(cost, excess, kind, p, q, segment.zero, scaled, attachment, factor)
        return cost, excess

    call()  # compiles
    return call


@numba.njit(nogil=True)
def _table_sums(cost, excess, rng, table, scale, attachment, factor):
    last = table.size - 1
    for draw in range(cost.size):
        total = 0.0
        for i in range(scale.size):
            x = (1.0 - math.sqrt(math.sqrt(1.0 - rng.random()))) * last
            k = int(x)
            value = table[k] + (x - k) * (table[k + 1] - table[k])
            value *= scale[i] * factor[draw]
            total += value
            for row in range(attachment.shape[0]):  # in rising order
                if value <= attachment[row, i]:
                    break
                excess[row, draw] += value - attachment[row, i]
        cost[draw] += total


def even_table(people: tuple[Segment, ...], draws: int, nodes: int = 4096):
    """What a competent user writes: Numba, a NumPy generator, an evenly spaced quantile table.

    Nodes are even in t, where 1 - (1 - t)**4 is the probability, to resolve the tail.
    """
    factor, parts = cost_factor(draws), _people(people)
    t = np.linspace(0.0, 1.0, nodes + 1)
    survival = np.maximum((1.0 - t) ** 4, 2.0**-53)
    tables = [segment.severity.isf(survival) for segment in people]

    def call():
        rng = np.random.default_rng(1)
        cost, excess = np.zeros(draws), np.zeros((len(DESIGNS), draws))
        for (_, scale, attachment), table in zip(parts, tables, strict=True):
            _table_sums(cost, excess, rng, table, scale, attachment, factor)
        return cost, excess

    call()  # compiles
    return call
