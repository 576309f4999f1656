"""Quantile tables: a severity distribution in the form that the kernel reads.

A uniform random word is a survival probability, and looking it up is one conversion to floating
point, one shift and one straight line: the exponent and the top six mantissa bits of the word
select one of 64 cells per octave, so the cells are spaced by the logarithm of the survival
probability and stay fine where the costly years are.

Each cell holds the least-squares line through the quantile function, with the cell's mean kept
exactly. So the mean of the table is the mean of the distribution, and an expected payout above an
attachment point is inexact only through the one cell that contains the attachment point.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simdc.kernels.table import (
    BODY_CELLS,
    BODY_SHIFT,
    BODY_START,
    REFINED_BELOW,
    TAIL_BASE,
    TAIL_CELLS,
    TAIL_SHIFT,
)

if TYPE_CHECKING:
    from simdc.severity import Severity

__all__ = [
    "QuantileTable",
    "body_edges",
    "lookup",
    "quantile_table",
    "tail_edges",
]

Floats = NDArray[np.float64]

_WORD = 2.0**-32
_REFINED_WORD = 2.0**-64
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True, eq=False)
class QuantileTable:
    """Quantiles of one severity distribution by survival probability, as straight lines.

    Attributes
    ----------
    body : uint64 array of shape (BODY_CELLS,)
        For a 32-bit word ``w`` with ``x = float32(w)`` and ``k = bits(x) >> BODY_SHIFT``: a pair of
        float32, the intercept A in the low and the slope B in the high 32 bits of ``body[k]``. The
        quantile at survival probability (w + 1/2) / 2**32 is ``A + B * x``. Cells of words below
        ``REFINED_BELOW`` hold A = +inf and B = 0: those words belong to the tail.
    tail : float64 array of shape (TAIL_CELLS, 2)
        For a 64-bit word ``v = w * 2**32 + w2`` with ``x = float64(v)`` and
        ``k = max(0, (bits(x) >> TAIL_SHIFT) - TAIL_BASE)``: the row (A, B). The quantile at
        survival probability (v + 1/2) / 2**64 is ``A + B * x``.
    """

    body: NDArray[np.uint64]
    tail: Floats

    @cached_property
    def intercept(self) -> NDArray[np.float32]:
        """Intercepts A of the body, float32 array of shape (BODY_CELLS,)."""
        return (self.body & np.uint64(0xFFFFFFFF)).astype(np.uint32).view(np.float32)

    @cached_property
    def slope(self) -> NDArray[np.float32]:
        """Slopes B of the body, float32 array of shape (BODY_CELLS,)."""
        return (self.body >> np.uint64(32)).astype(np.uint32).view(np.float32)


@lru_cache(maxsize=32)
def quantile_table(severity: Severity) -> QuantileTable:
    """Tabulate the quantiles of a severity distribution.

    Parameters
    ----------
    severity : Severity
        The distribution, zeros included.

    Returns
    -------
    QuantileTable
        Its mean, and its expected payouts above retentions from one on, are those of the
        distribution within 1e-7. Segments of equal severity share one table.
    """
    words = body_edges()
    mean, slope, centre = _cell_lines(severity, words * _WORD)
    # The slope as rounded sets the intercept, so that rounding it leaves the cell's mean alone.
    slopes = np.zeros(BODY_CELLS, dtype=np.float32)
    slopes[BODY_START:] = slope * _WORD
    intercepts = np.full(BODY_CELLS, np.inf, dtype=np.float32)
    intercepts[BODY_START:] = _round_without_drift(
        mean + (0.5 - centre / _WORD) * slopes[BODY_START:], np.diff(words)
    )
    body = slopes.view(np.uint32).astype(np.uint64) << np.uint64(32)
    body |= intercepts.view(np.uint32)

    edges = tail_edges()
    distinct = np.unique(edges)
    mean, slope, centre = _cell_lines(severity, distinct * _REFINED_WORD)
    slope = slope * _REFINED_WORD
    lines = np.column_stack((mean + (0.5 - centre / _REFINED_WORD) * slope, slope))
    # Below 2**6 some cells hold no whole word; never looked up, they repeat their neighbour.
    tail = lines[np.searchsorted(distinct, edges[:-1], side="right") - 1]
    return QuantileTable(body=body, tail=np.ascontiguousarray(tail))


def lookup(table: QuantileTable, words: ArrayLike, refinement: ArrayLike) -> Floats:
    """Quantiles for pairs of 32-bit random words: the plain twin of the kernel.

    Parameters
    ----------
    table : QuantileTable
        The distribution.
    words : array of uint32
        Main words; the survival probability's leading bits.
    refinement : array of uint32
        Next 32 bits, used only where the main word is below ``REFINED_BELOW``.

    Returns
    -------
    float64 array
        Severity, mean one; in the body exactly as float32 arithmetic gives it.
    """
    w = np.asarray(words, dtype=np.uint32)
    w2 = np.asarray(refinement, dtype=np.uint32)
    x = w.astype(np.float32)
    cell = x.view(np.uint32) >> np.uint32(BODY_SHIFT)
    body = table.intercept[cell] + table.slope[cell] * x

    refined = (w.astype(np.uint64) << np.uint64(32)) | w2
    y = refined.astype(np.float64)
    row = (y.view(np.uint64) >> np.uint64(TAIL_SHIFT)).astype(np.int64) - TAIL_BASE
    row = np.clip(row, 0, TAIL_CELLS - 1)
    tail = table.tail[row, 0] + table.tail[row, 1] * y
    return np.asarray(np.where(w < REFINED_BELOW, tail, body), dtype=np.float64)


def body_edges() -> Floats:
    """First word of every cell from ``REFINED_BELOW`` on, and 2**32 at the end.

    A cell begins half a float32 step before its nominal edge, because the words there round up
    into it. Taking that into account keeps the mean exact: within a cell so bounded the rounding
    of words to float32 cancels.
    """
    bits = np.arange(BODY_START, BODY_CELLS, dtype=np.uint32) << np.uint32(BODY_SHIFT)
    nominal = bits.view(np.float32)
    step_below = nominal.astype(np.float64) - np.nextafter(nominal, np.float32(0))
    first = np.ceil(nominal - step_below / 2)
    return np.concatenate((first, [2.0**32]))


def tail_edges() -> Floats:
    """First 64-bit word of every row of the tail, and 2**48 at the end.

    The lowest row takes word 0 too. Every word below 2**48 is a float64 without rounding.
    """
    bits = np.arange(TAIL_BASE, TAIL_BASE + TAIL_CELLS + 1, dtype=np.uint64) << np.uint64(
        TAIL_SHIFT
    )
    first: Floats = np.ceil(bits.view(np.float64))
    first[0] = 0
    return first


def _cell_lines(severity: Severity, edges: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean and slope of the quantile function, and the centre, of cells of survival probability."""
    low, high = edges[:-1], edges[1:]
    width, centre = high - low, (low + high) / 2
    mean = np.maximum(np.diff(severity.top_share(edges)) / width, 0)

    # Integrating only over the part with a cost keeps the quadrature clear of the jump to zero.
    with_cost = np.clip(1 - severity.zero_probability, low, high)
    half = (with_cost - low) / 2
    nodes = (low + half)[:, None] + half[:, None] * _NODES
    integrand = (nodes - centre[:, None]) * severity.isf(nodes)
    slope = 12 / width**3 * half * (integrand @ _WEIGHTS)
    # A line steeper than this could dip below zero at the end of its cell.
    steepest = mean / width
    return mean, np.clip(slope, -steepest, steepest), centre


def _round_without_drift(values: Floats, weights: Floats) -> NDArray[np.float32]:
    """Values as float32, each taking over the rounding error of those before it.

    A payout sums many cells. Were they rounded one by one, cells of nearly equal cost would all
    err the same way. What a value takes over is at most its own float32 step: a zero stays zero.
    """
    rounded = np.empty(values.size, dtype=np.float32)
    carried = 0.0
    for i, (value, weight) in enumerate(zip(values.tolist(), weights.tolist(), strict=True)):
        step = abs(value) * 2.0**-23
        rounded[i] = value + min(max(carried / weight, -step), step)
        carried += (value - float(rounded[i])) * weight
    return rounded
