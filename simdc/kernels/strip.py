"""The cost kernel: a segment's people against a run of draws, strip by strip.

For each draw it sums, over the people of one segment, their cost and their cost above each
attachment point. People are taken in groups of four, the output words of one Philox counter.
"""

from __future__ import annotations

import numpy as np

from simdc.kernels.jit import kernel
from simdc.kernels.leaves import INFINITY_BITS, add_costs, add_excess, costs, refine
from simdc.kernels.philox import GROUPS, strip_words

__all__ = ["LANES", "segment_sums"]

LANES = 128  # draws per strip: all working arrays stay in the first-level cache
_BATCH = 4 * GROUPS  # people per call of the generator


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
        Expected cost, US dollars; padded with zeros to a multiple of 16 people.
    attachment : float64 array of shape (person, attachment)
        Attachment points, US dollars; infinite for none.
    factor : float64 array of shape (draw,)
        Systemic cost factor of the segment's category, above 0.
    body, tail : arrays
        Quantile table of the segment's severity.
    """
    draws = cost_sum.shape[0]
    points = attachment.shape[1]
    words = np.empty((_BATCH, LANES), np.uint32)
    cost = np.empty((4, LANES), np.float32)
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

        for batch in range(0, scale.shape[0], _BATCH):
            strip_words(words, draw, stream, np.uint64(batch // 4), np.uint64(0), k0, k1)
            for first in range(batch, batch + _BATCH, 4):
                group = np.uint64(first // 4)
                for member in range(4):
                    person = first + member
                    if scale[person] == 0.0:
                        cost[member, :] = np.float32(0.0)
                        continue
                    row = words[person - batch]
                    highest = costs(cost[member], row, body, scale[person])
                    if highest >= INFINITY_BITS:
                        highest = refine(
                            cost[member],
                            row,
                            tail,
                            scale[person],
                            draw,
                            stream,
                            group,
                            np.uint64(member),
                            k0,
                            k1,
                        )
                    # Adding exact zeros adds nothing, so skipping them changes no bit.
                    highest_cost = np.float64(np.uint32(highest).view(np.float32))
                    for point in range(points):
                        if highest_cost > attachment[person, point] * lowest_inverse:
                            add_excess(
                                excess[point], cost[member], attachment[person, point], inverse
                            )
                add_costs(total, cost)

        for j in range(lanes):
            cost_sum[start + j] = total[j] * factor[start + j]
            for point in range(points):
                excess_sum[point, start + j] = excess[point, j] * factor[start + j]
