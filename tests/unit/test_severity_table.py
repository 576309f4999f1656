"""Quantile tables: their layout, and their own error in means and expected payouts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from simdc.kernels.table import (
    BODY_CELLS,
    BODY_SHIFT,
    REFINED_BELOW,
    TAIL_BASE,
    TAIL_CELLS,
    TAIL_SHIFT,
)
from simdc.severity import (
    Severity,
    empirical,
    gamma,
    generalised_gamma,
    lognormal,
    pareto_splice,
    weibull,
)
from simdc.severity_table import (
    QuantileTable,
    body_edges,
    lookup,
    quantile_table,
    tail_edges,
)

_RNG = np.random.default_rng(11)
FAMILIES = {
    "generalised gamma": generalised_gamma(0.488, 0.693),
    "generalised gamma with zeros": generalised_gamma(0.488, 0.693, 0.05),
    "weibull": weibull(0.536, 0.08),
    "gamma": gamma(0.219, 0.03),
    "lognormal": lognormal(1.37, 0.07),
    "splice": pareto_splice(generalised_gamma(0.488, 0.693), 0.01, 2.5, 0.05),
    "heavy splice": pareto_splice(lognormal(1.3), 0.03, 1.8),
    "empirical": empirical(np.where(_RNG.random(30_011) < 0.07, 0, _RNG.lognormal(9, 1.5, 30_011))),
}
TABLES = {name: quantile_table(severity) for name, severity in FAMILIES.items()}
# Attachment points for a person expected to cost $12,000 in the year.
RETENTIONS = [150 / 12, 250 / 12, 500 / 12]

every_family = pytest.mark.parametrize("name", FAMILIES)


def expected_excess(table: QuantileTable, retention: float) -> float:
    """Expected payout of a table: its lines integrated over all words, cell by cell."""
    cells = len(body_edges()) - 1
    body = table.intercept[-cells:].astype(np.float64), table.slope[-cells:].astype(np.float64)
    return _excess_of_lines(*body, body_edges() * 2.0**-32, 2.0**-32, retention) + _tail_excess(
        table, retention
    )


def _tail_excess(table: QuantileTable, retention: float) -> float:
    return _excess_of_lines(*table.tail.T, tail_edges() * 2.0**-64, 2.0**-64, retention)


def _excess_of_lines(a, b, edges, word, retention):
    # The line is stated in words, of which each stands for the interval that it begins.
    left, right = a + b * (edges[:-1] / word - 0.5), a + b * (edges[1:] / word - 0.5)
    low, high = np.minimum(left, right) - retention, np.maximum(left, right) - retention
    steep = np.where(high > low, high - low, 1.0)
    mean = np.where(low >= 0, (low + high) / 2, np.maximum(high, 0) ** 2 / (2 * steep))
    return float(np.sum(np.diff(edges) * mean))


@every_family
def test_mean_of_the_table(name):
    assert_allclose(expected_excess(TABLES[name], 0.0), 1.0, rtol=1e-8)


@every_family
@pytest.mark.parametrize("retention", [1.0, 4.0, *RETENTIONS])
def test_expected_payout_of_the_table(name, retention):
    exact = float(FAMILIES[name].mean_excess(retention))
    assert_allclose(expected_excess(TABLES[name], retention), exact, rtol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["generalised gamma with zeros", "splice", "empirical"])
def test_every_word_in_the_kernels_arithmetic(name):
    """All 2**32 words, in float32, the equal ones once: no sampling and no idealised line."""
    severity, table = FAMILIES[name], TABLES[name]
    sums, words = np.zeros(1 + len(RETENTIONS)), 0
    for octave in range(16, 33):
        x, count = _distinct_floats(octave)
        cell = x.view(np.uint32) >> np.uint32(BODY_SHIFT)
        cost = (table.intercept[cell] + table.slope[cell] * x).astype(np.float64)
        assert cost.min() >= 0
        words += int(count.sum())
        for i, retention in enumerate([0.0, *RETENTIONS]):
            sums[i] += np.sum(np.maximum(cost - retention, 0) * count)
    assert words == 2**32 - REFINED_BELOW
    simulated = sums * 2.0**-32 + [_tail_excess(table, r) for r in [0.0, *RETENTIONS]]
    assert_allclose(simulated, severity.mean_excess([0.0, *RETENTIONS]), rtol=1e-7)


def _distinct_floats(octave: int):
    """The float32 values from 2**octave to twice that, and how many words round to each."""
    if octave == 32:
        return np.array([2.0**32], dtype=np.float32), np.array([2**7])
    step = max(1, 2 ** (octave - 23))
    x = np.arange(2**octave, 2 ** (octave + 1), step, dtype=np.uint64).astype(np.float32)
    count = np.full(x.size, step)
    if step > 1:  # a word half-way between two values goes to the even one
        count += np.where(np.arange(x.size) % 2 == 0, 1, -1)
        # Below a power of two the values lie twice as close, and at 2 there is nothing between.
        count[0] = step // 2 + 1 + step // 4
    return x, count


def test_layout_of_the_body():
    table = TABLES["gamma"]
    assert table.body.dtype == np.uint64
    assert table.body.shape == (BODY_CELLS,) == (10_177,)
    assert table.tail.dtype == np.float64
    assert table.tail.shape == (TAIL_CELLS, 2) == (3_072, 2)
    assert table.tail.flags.c_contiguous
    # A in the low and B in the high half: falling quantiles, so the sign bit of B is the top one.
    cell = int(np.float32(2**31).view(np.uint32)) >> BODY_SHIFT
    assert table.intercept[cell] > 0 > table.slope[cell]
    packed = int(table.body[cell])
    assert np.uint32(packed & 0xFFFFFFFF).view(np.float32) == table.intercept[cell]
    assert np.uint32(packed >> 32).view(np.float32) == table.slope[cell]


def test_words_of_the_tail_are_marked_in_the_body():
    table = TABLES["gamma"]
    words = np.array([0, 1, 2, 1000, REFINED_BELOW - 1, REFINED_BELOW], dtype=np.uint32)
    cells = words.astype(np.float32).view(np.uint32) >> np.uint32(BODY_SHIFT)
    assert_array_equal(np.isinf(table.intercept[cells]), [True] * 5 + [False])
    assert_array_equal(table.slope[cells[:5]], 0)


def test_cells_partition_the_words():
    edges = body_edges()
    assert edges[0] == REFINED_BELOW
    assert edges[-1] == 2**32
    assert np.all(np.diff(edges) > 0)
    first = edges[:-1].astype(np.uint32)
    for words, offset in ((first, 0), (first[1:] - np.uint32(1), -1)):
        cells = words.astype(np.float32).view(np.uint32) >> np.uint32(BODY_SHIFT)
        expected = np.arange(BODY_CELLS - len(first), BODY_CELLS)
        assert_array_equal(cells, expected if offset == 0 else expected[:-1])


def test_rows_of_the_tail_partition_the_refined_words():
    edges = tail_edges()
    assert edges[0] == 0
    assert edges[-1] == 2**48
    assert np.all(np.diff(edges) >= 0)
    rows = np.flatnonzero(np.diff(edges) > 0)
    for words in (np.maximum(edges[rows], 1), edges[rows + 1] - 1):
        index = (words.view(np.uint64) >> np.uint64(TAIL_SHIFT)).astype(int) - TAIL_BASE
        assert_array_equal(np.maximum(index, 0), rows)


@every_family
def test_lookup_follows_the_quantile_function(name):
    severity, table = FAMILIES[name], TABLES[name]
    rng = np.random.default_rng(3)
    some = int((1 - severity.zero_probability) * 2**32)
    octaves = np.concatenate([rng.integers(2**k, 2 ** (k + 1), 50) for k in range(32)])
    words = octaves[octaves < 0.9 * some].astype(np.uint32)
    refinement = rng.integers(0, 2**32, words.size, dtype=np.uint32)
    refined = words.astype(np.float64) * 2.0**32 + refinement
    v = np.where(
        words < REFINED_BELOW,
        (refined + 0.5) * 2.0**-64,
        (words.astype(np.float64) + 0.5) * 2.0**-32,
    )
    assert_allclose(lookup(table, words, refinement), severity.isf(v), rtol=1e-3, atol=1e-4)


def test_lookup_at_the_ends():
    severity, table = (
        FAMILIES["generalised gamma with zeros"],
        TABLES["generalised gamma with zeros"],
    )
    end = np.uint32(2**32 - 1)
    least = lookup(table, [0, 0, 0], [0, 1, 2])
    v = (np.arange(3) + 0.5) * 2.0**-64
    # The two lowest words share a cell; each later one has its own down to 2**6.
    assert_allclose(least[2], severity.isf(v[2]), rtol=1e-3)
    assert_allclose(least[:2].mean(), float(severity.top_share(2.0**-63)) * 2.0**63, rtol=1e-12)
    assert least[0] > least[1] > least[2]
    assert_array_equal(lookup(table, [end, end], [0, end]), [0.0, 0.0])
    # No seam where the tail begins.
    seam = lookup(table, [REFINED_BELOW - 1, REFINED_BELOW], [end, 0])
    assert_allclose(seam, severity.isf(2.0**-16), rtol=1e-4)


@every_family
def test_no_cost_is_negative_at_either_end_of_a_cell(name):
    table = TABLES[name]
    edges = body_edges()
    for words in (edges[:-1], edges[1:] - 1):
        assert lookup(table, words.astype(np.uint32), np.zeros(words.size, np.uint32)).min() >= 0
    rows = np.flatnonzero(np.diff(tail_edges()) > 0)
    for words in (tail_edges()[rows], tail_edges()[rows + 1] - 1):
        assert (table.tail[rows, 0] + table.tail[rows, 1] * words).min() > 0


@pytest.mark.parametrize(
    "severity",
    [gamma(1e-3), lognormal(4.0), weibull(0.1), pareto_splice(gamma(0.2), 0.5, 1.1), gamma(400.0)],
    ids=lambda severity: severity.description,
)
def test_extreme_shapes_keep_their_mean(severity: Severity):
    table = quantile_table(severity)
    assert np.all(np.isfinite(table.tail))
    assert_allclose(expected_excess(table, 0.0), 1.0, rtol=1e-9)


def test_certain_cost():
    table = quantile_table(empirical([5.0]))
    words = np.array([0, 1, 70_000, 2**31, 2**32 - 1], dtype=np.uint32)
    assert_allclose(lookup(table, words, words), 1.0, rtol=2e-7)
