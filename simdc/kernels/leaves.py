"""The short loops, one per stage, each over the draws of a strip.

Lanes are draws: whatever belongs to a person is a scalar here, and no sum crosses lanes. So each
draw's total is formed in the order of the people, in float64, whatever the strip length, the
vector width, the blocks or the threads.
"""

from __future__ import annotations

import numpy as np

from simdc.kernels.jit import leaf, wide_vectors
from simdc.kernels.philox import philox4x32

# Table layout: the exponent and the top 6 mantissa bits of the word as a float32 are the index.
_INDEX_SHIFT = np.uint32(23 - 6)
_S32 = np.uint64(32)
# The same for the tail in float64, counted from the cell of 1.0.
_TAIL_SHIFT = np.uint64(52 - 6)
_TAIL_BASE = np.uint64(1023 << 6)

TAIL_WORDS = np.uint32(1 << 16)  # words below this are looked up in the tail table
INFINITY_BITS = np.uint32(0x7F800000)  # what the body table holds for those words


@leaf
def costs(cost, words, body, scale):
    """Cost of one person in each draw, and the largest of them.

    Parameters
    ----------
    cost : float32 array of shape (lane,)
        Filled; infinite where the word belongs to the tail table.
    words : uint32 array of shape (lane,)
        Random words.
    body : uint64 array
        Cells of the quantile table: intercept in the low half, slope in the high half, float32.
    scale : float32
        Expected cost of the person in US dollars.

    Returns
    -------
    uint32
        Bits of the largest cost: costs are not negative, so bits order as the numbers do, and an
        integer maximum vectorises where a float one does not.
    """
    wide_vectors()
    highest = np.uint32(0)
    for j in range(cost.shape[0]):
        x = np.float32(words[j])
        cell = body[np.float32(x).view(np.uint32) >> _INDEX_SHIFT]
        intercept = np.uint32(cell).view(np.float32)
        slope = np.uint32(cell >> _S32).view(np.float32)
        value = scale * (intercept + slope * x)
        cost[j] = value
        bits = np.float32(value).view(np.uint32)
        highest = bits if bits > highest else highest
    return highest


@leaf
def refine(cost, words, tail, scale, first_draw, stream, group, member, k0, k1):
    """Look the rare small words up again at 64-bit resolution.

    Parameters
    ----------
    cost, words
        As for `costs`; the infinite costs are replaced.
    tail : float64 array of shape (cell, 2)
        Intercept and slope of the tail table.
    first_draw, stream, group, member, k0, k1 : uint64
        Address of the person; the refinement word is on plane 1.

    Returns
    -------
    uint32
        Bits of the largest cost.
    """
    highest = np.uint32(0)
    for j in range(cost.shape[0]):
        if words[j] < TAIL_WORDS:
            draw = first_draw + np.uint64(j)
            c0, c1, c2, c3 = philox4x32(
                draw, stream, group, np.uint64(1) | ((draw >> _S32) << np.uint64(8)), k0, k1
            )
            fine = c0 if member == 0 else c1 if member == 1 else c2 if member == 2 else c3
            x = np.float64(np.uint64(words[j]) << _S32 | np.uint64(np.uint32(fine)))
            cell = np.int64(np.float64(x).view(np.uint64) >> _TAIL_SHIFT) - np.int64(_TAIL_BASE)
            cell = max(cell, 0)
            cost[j] = np.float32(scale * (tail[cell, 0] + tail[cell, 1] * x))
        bits = np.float32(cost[j]).view(np.uint32)
        highest = bits if bits > highest else highest
    return highest


@leaf
def add_costs(total, cost):
    """Add the costs of a group of four people to each draw's total.

    Parameters
    ----------
    total : float64 array of shape (lane,)
    cost : float32 array of shape (4, lane)
    """
    wide_vectors()
    for j in range(total.shape[0]):
        total[j] += (np.float64(cost[0, j]) + np.float64(cost[1, j])) + (
            np.float64(cost[2, j]) + np.float64(cost[3, j])
        )


@leaf
def add_excess(total, cost, attachment, inverse_factor):
    """Add one person's cost above an attachment point to each draw's total.

    The systemic factor f acts on the cost before the attachment point A sees it:
    max(f c - A, 0) = f max(c - A / f, 0). The factor in front is applied once per draw at the end.

    Parameters
    ----------
    total : float64 array of shape (lane,)
    cost : float32 array of shape (lane,)
    attachment : float64
        US dollars.
    inverse_factor : float64 array of shape (lane,)
        One over the draw's cost factor.
    """
    wide_vectors()
    for j in range(total.shape[0]):
        excess = np.float64(cost[j]) - attachment * inverse_factor[j]
        total[j] += excess if excess > 0.0 else 0.0
