"""The short loops, one per stage, each over the draws of a strip.

Lanes are draws: whatever belongs to a person is a scalar here, and no sum crosses lanes. So each
draw's total is formed in the order of the people, in float64, whatever the strip length, the
vector width, the blocks or the threads.

Arrays are passed whole with the number of a row, because slicing one counts a reference.
"""

from __future__ import annotations

import numpy as np

from simdc.kernels import table
from simdc.kernels.jit import (
    count_ones,
    inlined,
    lanes_at_least,
    leaf,
    lowest_one,
    wide_vectors,
)
from simdc.kernels.philox import philox4x32

_BODY_SHIFT = np.uint32(table.BODY_SHIFT)
_TAIL_SHIFT = np.uint64(table.TAIL_SHIFT)
_TAIL_BASE = np.int64(table.TAIL_BASE)
_REFINED_BELOW = np.uint32(table.REFINED_BELOW)
_REFINEMENT = np.uint64(1)  # plane of the refinement words

_ONE = np.uint64(1)
_TWO = np.uint64(2)
_THREE = np.uint64(3)
_S6 = np.uint64(6)
_S8 = np.uint64(8)
_S32 = np.uint64(32)


@leaf
def costs(cost, words, row, body, scale):
    """Cost of one person in each draw.

    Parameters
    ----------
    cost : float32 array of shape (row, lane)
        Its row is filled, US dollars; not finite where the word belongs to the tail table.
    words : uint32 array of shape (row, lane)
        Random words.
    row : uint64
        The person's row in both.
    body : uint64 array
        Cells of the quantile table: intercept in the low half, slope in the high half, float32.
    scale : float32
        Expected cost of the person, US dollars.
    """
    wide_vectors()
    for j in range(cost.shape[1]):
        x = np.float32(words[row, j])
        cell = body[np.float32(x).view(np.uint32) >> _BODY_SHIFT]
        intercept = np.uint32(cell).view(np.float32)
        slope = np.uint32(cell >> _S32).view(np.float32)
        cost[row, j] = scale * (intercept + slope * x)


@leaf
def mark_costly(marked, cost, threshold):
    """Mark the draws in which a person's cost reaches a threshold.

    Parameters
    ----------
    marked : uint64 array of shape (2 * row,)
        Filled with one bit per draw, in two words of 64 for each row.
    cost : float32 array of shape (row, 128)
    threshold : uint32 array of shape (row,)
        Bits of a float32 in US dollars. Costs that are not finite reach every threshold.

    Returns
    -------
    pending : uint64
        One bit for each word of `marked` that is not zero.
    count : uint64
        Marks in all.
    """
    wide_vectors()
    pending = np.uint64(0)
    count = np.uint64(0)
    for w in range(np.uint64(marked.shape[0])):
        row = w >> _ONE
        lanes = lanes_at_least(cost, row, (w & _ONE) << _S6, threshold[row])
        marked[w] = lanes
        count += count_ones(lanes)
        pending |= np.uint64(lanes != 0) << w
    return pending, count


@inlined
def _refined(word, scale, tail, draw, stream, person, k0, k1):
    """Cost of one person in one draw, looked up again at 64-bit resolution."""
    plane = _REFINEMENT | ((draw >> _S32) << _S8)
    w0, w1, w2, w3 = philox4x32(draw, stream, person >> _TWO, plane, k0, k1)
    member = person & _THREE
    fine = w0 if member == 0 else w1 if member == 1 else w2 if member == 2 else w3
    x = np.float64(np.uint64(word) << _S32 | np.uint64(np.uint32(fine)))
    cell = max(np.int64(np.float64(x).view(np.uint64) >> _TAIL_SHIFT) - _TAIL_BASE, 0)
    return np.float32(scale * (tail[cell, 0] + tail[cell, 1] * x))


@leaf
def add_marked_excess(
    total,
    points,
    cost,
    marked,
    pending,
    words,
    tail,
    scale,
    attachment,
    inverse_factor,
    first_draw,
    stream,
    first_person,
    k0,
    k1,
):
    """Refine the marked costs that need it, and add what exceeds each attachment point.

    Marks are few and their number is no more predictable than a coin, so they are taken off one
    by one in a single loop: a loop for each person would stumble at every end.

    Parameters
    ----------
    total : float64 array of shape (attachment, lane)
        Sums of cost above each attachment point, US dollars over the draw's cost factor.
    points : uint64
        Attachment points to add to; none where only refinement is wanted.
    cost, words : arrays of shape (row, lane)
        As for `costs`; costs that belong to the tail table are replaced.
    marked, pending
        From `mark_costly`; the marks are used up.
    tail : float64 array of shape (cell, 2)
        Intercept and slope of the tail table.
    scale : float32 array of shape (person,)
    attachment : float64 array of shape (person, attachment)
    inverse_factor : float64 array of shape (lane,)
        As for `add_excess`.
    first_draw, stream, first_person, k0, k1 : uint64
        Address of lane 0 and row 0, and the key.
    """
    while pending != 0:
        w = lowest_one(pending)
        lanes = marked[w]
        row = w >> _ONE
        j = ((w & _ONE) << _S6) + lowest_one(lanes)
        lanes &= lanes - _ONE
        marked[w] = lanes
        pending &= ~(np.uint64(lanes == 0) << w)

        person = first_person + row
        if words[row, j] < _REFINED_BELOW:
            cost[row, j] = _refined(
                words[row, j], scale[person], tail, first_draw + j, stream, person, k0, k1
            )
        for point in range(points):
            excess = np.float64(cost[row, j]) - attachment[person, point] * inverse_factor[j]
            total[point, j] += excess if excess > 0.0 else 0.0


@leaf
def add_excess(total, point, cost, row, attachment, inverse_factor):
    """Add one person's cost above an attachment point to each draw's total.

    The systemic factor f acts on the cost before the attachment point A sees it:
    max(f c - A, 0) = f max(c - A / f, 0). The factor in front is applied once per draw at the end.

    Parameters
    ----------
    total : float64 array of shape (attachment, lane)
    point, row : uint64
        The attachment point's row in `total` and the person's in `cost`.
    cost : float32 array of shape (row, lane)
    attachment : float64
        US dollars.
    inverse_factor : float64 array of shape (lane,)
        One over the draw's cost factor.
    """
    wide_vectors()
    for j in range(total.shape[1]):
        excess = np.float64(cost[row, j]) - attachment * inverse_factor[j]
        total[point, j] += excess if excess > 0.0 else 0.0


@leaf
def add_costs(total, cost, row):
    """Add the costs of a group of four people to each draw's total.

    Parameters
    ----------
    total : float64 array of shape (lane,)
    cost : float32 array of shape (row, lane)
    row : uint64
        The first of the four.
    """
    wide_vectors()
    for j in range(total.shape[0]):
        total[j] += (np.float64(cost[row, j]) + np.float64(cost[row + _ONE, j])) + (
            np.float64(cost[row + _TWO, j]) + np.float64(cost[row + _THREE, j])
        )
