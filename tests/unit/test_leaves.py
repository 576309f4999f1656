"""Each short loop of the kernel against a twin in plain NumPy, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from simdc.kernels import leaves
from simdc.kernels.jit import count_ones, kernel, lanes_at_least, lowest_one
from simdc.kernels.philox import key_words, philox_words, strip_words
from simdc.kernels.strip import BATCH, LANES
from simdc.kernels.table import REFINED_BELOW
from simdc.severity import generalised_gamma
from simdc.severity_table import lookup, quantile_table

SEED, STREAM, FIRST_DRAW, FIRST_PERSON = 20_220_101, 0x01ABCDEF, 2**32 - 50, 32
POINTS = 3


@pytest.fixture(scope="module")
def table():
    return quantile_table(generalised_gamma(0.488, 0.693, zero_probability=0.05))


@pytest.fixture
def strip(table):
    """Sixteen people in a strip of draws, with more small words than chance would give."""
    rng = np.random.default_rng(3)
    words = rng.integers(2**32, size=(BATCH, LANES), dtype=np.uint32)
    words[rng.random(words.shape) < 0.02] >>= np.uint32(17)
    words[0, :4] = 0, REFINED_BELOW - 1, REFINED_BELOW, 2**32 - 1
    scale = np.zeros(FIRST_PERSON + BATCH, dtype=np.float32)
    scale[FIRST_PERSON:] = 12_000.0 * rng.lognormal(-0.125, 0.5, BATCH)
    scale[-1] = 0.0  # a padded place
    return words, scale


def costs(words, scale, table):
    cost = np.empty(words.shape, np.float32)
    for row in range(BATCH):
        leaves.costs(cost, words, np.uint64(row), table.body, scale[FIRST_PERSON + row])
    return cost


def marks(cost, threshold):
    marked = np.empty(2 * BATCH, np.uint64)
    pending, count = leaves.mark_costly(marked, cost, threshold)
    return marked, pending, count


def plain_marks(cost, threshold):
    """Shape (row, lane)."""
    return cost.view(np.uint32) >= threshold[:, None]


def unpacked(marked):
    return np.unpackbits(marked.view(np.uint8), bitorder="little").reshape(BATCH, LANES) == 1


def test_costs(strip, table):
    words, scale = strip
    cost = costs(words, scale, table)
    x = words.astype(np.float32)
    cell = x.view(np.uint32) >> np.uint32(17)
    with np.errstate(invalid="ignore"):  # nobody's zero times the infinite marker
        line = table.intercept[cell] + table.slope[cell] * x
        expected = scale[FIRST_PERSON:, None] * line
    assert np.array_equal(cost, expected, equal_nan=True)
    assert np.array_equal(np.isfinite(cost), words >= REFINED_BELOW)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_mark_costly(strip, table, share):
    cost = costs(*strip, table)
    finite = np.where(np.isfinite(cost), cost, np.float32(0.0))
    threshold = np.quantile(finite, 1.0 - share, axis=1).astype(np.float32).view(np.uint32)
    marked, pending, count = marks(cost, threshold)
    expected = plain_marks(cost, threshold)
    assert np.array_equal(unpacked(marked), expected)
    assert count == expected.sum()
    assert [int(pending) >> w & 1 for w in range(2 * BATCH)] == [int(m != 0) for m in marked]


def test_a_threshold_is_reached_by_its_equal_and_by_what_is_not_finite():
    cost = np.zeros((BATCH, LANES), np.float32)
    cost[3, [0, 1, 64, 127]] = 5.0, np.nextafter(np.float32(5), np.float32(0)), np.inf, np.nan
    threshold = np.full(BATCH, np.float32(5.0)).view(np.uint32)
    marked, pending, count = marks(cost, threshold)
    assert np.flatnonzero(unpacked(marked)[3]).tolist() == [0, 64, 127]
    assert (pending, count) == (0b11 << 6, 3)


def add_marked(strip, cost, marked, pending, points, attachment, inverse, total, table):
    words, scale = strip
    leaves.add_marked_excess(
        total,
        np.uint64(points),
        cost,
        marked,
        pending,
        words,
        table.tail,
        scale,
        attachment,
        inverse,
        np.uint64(FIRST_DRAW),
        np.uint64(STREAM),
        np.uint64(FIRST_PERSON),
        *key_words(SEED),
    )


def refined(words, scale, table):
    """Costs with the small words looked up at 64-bit resolution, by `lookup`."""
    cost = np.empty(words.shape, np.float32)
    for row in range(BATCH):
        person = FIRST_PERSON + row
        fine = philox_words(SEED, FIRST_DRAW, LANES, STREAM, person // 4, 1)[:, person % 4]
        exact = lookup(table, words[row], fine)
        body = scale[person] * exact.astype(np.float32)
        tail = (scale[person].astype(np.float64) * exact).astype(np.float32)
        cost[row] = np.where(words[row] < REFINED_BELOW, tail, body)
    return cost


@pytest.mark.parametrize("points", [0, POINTS])
def test_add_marked_excess(strip, table, points):
    words, scale = strip
    attachment = np.full((FIRST_PERSON + BATCH, POINTS), np.inf)
    attachment[FIRST_PERSON:] = [20_000.0, 50_000.0, 400_000.0]
    inverse = np.exp(np.random.default_rng(4).normal(0.0, 0.05, LANES))
    cost = costs(words, scale, table)
    threshold = np.full(BATCH, np.float32(20_000.0 * inverse.min())).view(np.uint32)
    marked, pending, _ = marks(cost, threshold)
    total = np.ones((POINTS, LANES))
    add_marked(strip, cost, marked, pending, points, attachment, inverse, total, table)

    expected_cost = refined(words, scale, table)
    assert np.array_equal(cost, expected_cost)
    expected = np.ones((POINTS, LANES))
    for row in range(BATCH):
        for point in range(points):
            excess = expected_cost[row] - attachment[FIRST_PERSON + row, point] * inverse
            expected[point] += np.maximum(excess, 0.0)
    assert np.array_equal(total, expected)
    assert not marked.any()


def test_add_excess(strip, table):
    cost = refined(*strip, table)
    inverse = np.exp(np.random.default_rng(4).normal(0.0, 0.05, LANES))
    total = np.ones((POINTS, LANES))
    expected = total.copy()
    leaves.add_excess(total, np.uint64(1), cost, np.uint64(5), 15_000.0, inverse)
    expected[1] += np.maximum(cost[5] - 15_000.0 * inverse, 0.0)
    assert np.array_equal(total, expected)


def test_add_costs(strip, table):
    cost = refined(*strip, table)
    total = np.ones(LANES)
    leaves.add_costs(total, cost, np.uint64(8))
    c = cost[8:12].astype(np.float64)
    assert np.array_equal(total, 1.0 + ((c[0] + c[1]) + (c[2] + c[3])))


def test_strip_words_are_the_words_of_each_group():
    words = np.empty((BATCH, LANES), np.uint32)
    address = (FIRST_DRAW, STREAM, 7, 0)
    strip_words(words, *(np.uint64(a) for a in address), *key_words(SEED))
    for group in range(BATCH // 4):
        alone = philox_words(SEED, FIRST_DRAW, LANES, STREAM, 7 + group)
        assert np.array_equal(words[4 * group : 4 * group + 4], alone.T)


@kernel
def bits_of(word):
    return lowest_one(word), count_ones(word)


@pytest.mark.parametrize("word", [0, 1, 6, 2**63, 2**64 - 1, 0x00F0_0000_0000_0100])
def test_bits_of_a_word(word):
    lowest = (word & -word).bit_length() - 1 if word else 64
    assert bits_of(np.uint64(word)) == (lowest, word.bit_count())


@kernel
def lanes_of(values, row, first, threshold):
    return lanes_at_least(values, row, first, threshold)


@pytest.mark.parametrize("first", [0, 3, 64])
def test_lanes_at_least(first):
    values = np.random.default_rng(9).random((2, LANES), dtype=np.float32)
    threshold = np.float32(0.3)
    got = lanes_of(values, np.uint64(1), np.uint64(first), threshold.view(np.uint32))
    lanes = values[1, first : first + 64] >= threshold
    assert int(got) == sum(1 << j for j in np.flatnonzero(lanes).tolist())
