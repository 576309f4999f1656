"""The cost kernel: a segment's people against a run of draws, strip by strip.

For each draw it sums, over the people of one segment, their cost and their cost above each
attachment point. People are taken sixteen at a time, in groups of four: the output words of one
Philox counter.
"""

from __future__ import annotations

import numpy as np

from simdc.kernels.jit import inlined, kernel
from simdc.kernels.leaves import add_costs, add_excess, add_marked_excess, costs, mark_costly
from simdc.kernels.philox import GROUPS, strip_words

__all__ = ["BATCH", "LANES", "segment_sums"]

LANES = 128  # draws per strip: all working arrays stay in the first-level cache
BATCH = 4 * GROUPS  # people per call of the generator

_INFINITY = np.float32(np.inf).view(np.uint32)
_NO_POINTS = np.uint64(0)
_MAIN = np.uint64(0)  # plane of the main words
_TWO = np.uint64(2)
_FOUR = np.uint64(4)


@inlined
def _lowest_attachments(attachment):
    lowest = np.full(attachment.shape[0], np.inf)
    for person in range(attachment.shape[0]):
        for point in range(attachment.shape[1]):
            lowest[person] = min(lowest[person], abs(attachment[person, point]))  # no -0.0
    return lowest


@kernel
def segment_sums(
    cost_sum,
    excess_sum,
    first_draw,
    stream,
    k0,
    k1,
    scale,
    attachment,
    factor,
    body,
    tail,
):
    """Sums over one segment for a run of draws.

    Parameters
    ----------
    cost_sum : float64 array of shape (draw,)
        Filled with the cost of the segment, US dollars.
    excess_sum : float64 array of shape (attachment, draw)
        Filled with the sum of each person's cost above each attachment point, US dollars.
    first_draw, stream, k0, k1 : uint64
        Address of the first draw and the key.
    scale : float32 array of shape (person,)
        Expected cost, US dollars; padded with zeros to a multiple of `BATCH` people.
    attachment : float64 array of shape (person, attachment)
        Attachment points, US dollars, zero or more; infinite for none.
    factor : float64 array of shape (draw,)
        Systemic cost factor of the segment's category, above 0.
    body, tail : arrays
        Quantile table of the segment's severity, see `simdc.kernels.table`.
    """
    draws = cost_sum.shape[0]
    points = np.uint64(attachment.shape[1])
    lowest = _lowest_attachments(attachment)
    few = np.uint64(BATCH) * (_TWO + _TWO * points)  # marks quicker taken singly than by strips
    words = np.empty((BATCH, LANES), np.uint32)
    cost = np.empty((BATCH, LANES), np.float32)
    marked = np.empty(2 * BATCH, np.uint64)
    threshold = np.empty(BATCH, np.uint32)
    total = np.empty(LANES, np.float64)
    excess = np.empty((points, LANES), np.float64)
    inverse = np.empty(LANES, np.float64)

    for start in range(0, draws, LANES):
        lanes = min(LANES, draws - start)
        draw = first_draw + np.uint64(start)
        total[:] = 0.0
        excess[:, :] = 0.0
        inverse[:] = 1.0  # surplus lanes are computed and dropped
        for j in range(lanes):
            inverse[j] = 1.0 / factor[start + j]
        lowest_inverse = inverse[0]
        for j in range(1, lanes):
            lowest_inverse = min(lowest_inverse, inverse[j])

        for batch in range(0, scale.shape[0], BATCH):
            first = np.uint64(batch)
            strip_words(words, draw, stream, first // _FOUR, _MAIN, k0, k1)
            for row in range(np.uint64(BATCH)):
                costs(cost, words, row, body, scale[first + row])
            # No cost below its threshold exceeds an attachment point, and adding exact zeros adds
            # nothing, so leaving those costs out changes no bit.
            for row in range(BATCH):
                threshold[row] = np.float32(lowest[batch + row] * lowest_inverse).view(np.uint32)
            pending, count = mark_costly(marked, cost, threshold)
            one_by_one = points
            if count > few:  # low attachment points: whole strips, once the infinite are refined
                threshold[:] = _INFINITY
                pending, count = mark_costly(marked, cost, threshold)
                one_by_one = _NO_POINTS
            add_marked_excess(
                excess,
                one_by_one,
                cost,
                marked,
                pending,
                words,
                tail,
                scale,
                attachment,
                inverse,
                draw,
                stream,
                first,
                k0,
                k1,
            )
            for row in range(np.uint64(BATCH)):
                for point in range(one_by_one, points):
                    add_excess(excess, point, cost, row, attachment[first + row, point], inverse)
            for row in range(np.uint64(0), np.uint64(BATCH), _FOUR):
                add_costs(total, cost, row)

        for j in range(lanes):
            cost_sum[start + j] = total[j] * factor[start + j]
            for point in range(points):
                excess_sum[point, start + j] = excess[point, j] * factor[start + j]
