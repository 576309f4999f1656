"""The kernel's short loops one by one, each repeated over rows of a strip by compiled code."""

from __future__ import annotations

import numpy as np

from benchmarks.cases import ATTACHMENTS, segments
from simdc.kernels.jit import kernel
from simdc.kernels.leaves import add_costs, add_excess, costs, mark_costly
from simdc.kernels.philox import key_words, strip_words
from simdc.kernels.strip import BATCH, LANES

__all__ = ["LANE_UNITS", "STAGES"]

REPEATS = 500
LANE_UNITS = REPEATS * BATCH * LANES


@kernel
def _words(words, k0, k1, repeats):
    zero = np.uint64(0)
    for repeat in range(np.uint64(repeats)):
        strip_words(words, zero, zero, np.uint64(4) * repeat, zero, k0, k1)


@kernel
def _costs(cost, words, body, scale, repeats):
    for _ in range(repeats):
        for row in range(np.uint64(cost.shape[0])):
            costs(cost, words, row, body, scale[row])


@kernel
def _mark(marked, cost, threshold, repeats):
    count = np.uint64(0)
    for _ in range(repeats):
        count += mark_costly(marked, cost, threshold)[1]
    return count


@kernel
def _excess(total, cost, attachment, inverse, repeats):
    for _ in range(repeats):
        for row in range(np.uint64(cost.shape[0])):
            add_excess(total, np.uint64(0), cost, row, attachment, inverse)


@kernel
def _gross(total, cost, repeats):
    for _ in range(repeats):
        for row in range(np.uint64(0), np.uint64(cost.shape[0]), np.uint64(4)):
            add_costs(total, cost, row)


def _strip():
    """Words and costs of sixteen people, none of them in the tail."""
    segment = segments()[0]
    words = np.random.default_rng(1).integers(2**20, 2**32, (BATCH, LANES), dtype=np.uint32)
    cost = np.empty((BATCH, LANES), np.float32)
    _costs(cost, words, segment.table.body, segment.scale[:BATCH], 1)
    return segment, words, cost


def _prepare_words():
    words, key = np.empty((BATCH, LANES), np.uint32), key_words(1)

    def call():
        _words(words, *key, REPEATS)
        return words

    def check(answer):
        assert abs(answer.mean() / 2**32 - 0.5) < 5 / np.sqrt(12 * answer.size)

    return call, check


def _prepare_costs():
    segment, words, expected = _strip()
    cost = np.empty_like(expected)

    def call():
        _costs(cost, words, segment.table.body, segment.scale[:BATCH], REPEATS)
        return cost

    def check(answer):
        x = words.astype(np.float32)
        cell = x.view(np.uint32) >> np.uint32(17)
        line = segment.table.intercept[cell] + segment.table.slope[cell] * x
        assert np.array_equal(answer, segment.scale[:BATCH, None] * line)

    return call, check


def _prepare_mark():
    _, _, cost = _strip()
    marked = np.empty(2 * BATCH, np.uint64)
    threshold = np.full(BATCH, np.float32(ATTACHMENTS[0])).view(np.uint32)

    def call():
        return _mark(marked, cost, threshold, REPEATS)

    def check(answer):
        assert answer == REPEATS * np.count_nonzero(cost >= ATTACHMENTS[0])

    return call, check


def _prepare_excess():
    _, _, cost = _strip()
    total, inverse = np.empty((1, LANES)), np.ones(LANES)

    def call():
        total[:] = 0.0
        _excess(total, cost, 20_000.0, inverse, REPEATS)
        return total

    def check(answer):
        once = np.maximum(cost - 20_000.0, 0.0).sum(axis=0, dtype=np.float64)
        np.testing.assert_allclose(answer[0], REPEATS * once, rtol=1e-6)

    return call, check


def _prepare_gross():
    _, _, cost = _strip()
    total = np.empty(LANES)

    def call():
        total[:] = 0.0
        _gross(total, cost, REPEATS)
        return total

    def check(answer):
        np.testing.assert_allclose(answer, REPEATS * cost.sum(axis=0, dtype=np.float64), rtol=1e-9)

    return call, check


STAGES = {
    "random words": _prepare_words,
    "table look-up": _prepare_costs,
    "marking": _prepare_mark,
    "one excess, unskipped": _prepare_excess,
    "sum of costs": _prepare_gross,
}
"""Name to a function that sets up the call and its check."""
