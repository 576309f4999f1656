"""Stop-loss designs: from contract bands to attachment points, payouts and neutral charges.

A band that pays a share p of cost between two attachment points pays p times the difference of
two excesses, H(from) - H(to) with H(a) = max(cost - a, 0). So the kernel only needs each distinct
attachment point once, and every design of the scenario is a combination of them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from simdc.population import SegmentArrays
from simdc.scenario.models import StopLoss, StopLossBand
from simdc.severity import Severity
from simdc.sums import payout_key

if TYPE_CHECKING:
    from scipy.interpolate import BSpline

__all__ = ["AttachmentPoint", "attachment_points", "expected_payout", "payout"]

Array = NDArray[np.float64]

_NODES = 2049  # ratios at which the excess of more people than these is worked out
_LEAST_SPAN = 1e-3  # of their logarithms, where all people have the same


@dataclass(frozen=True, order=True)
class AttachmentPoint:
    """A cost above which someone else pays.

    Attributes
    ----------
    basis : {'dollars', 'expected_cost'}
        Dollars a year, prorated by months; or multiples of the beneficiary's expected cost.
    amount : float
        In that unit.
    """

    basis: str
    amount: float

    def per_person(self, segment: SegmentArrays) -> Array:
        """Attachment point of each beneficiary of a segment, US dollars, shape (person,)."""
        if self.basis == "expected_cost":
            return self.amount * segment.expected_cost
        return self.amount * segment.months / 12.0


def _bands(design: StopLoss, segment: SegmentArrays) -> list[StopLossBand]:
    return [band for band in design.bands if band.category in (None, segment.category)]


def attachment_points(
    designs: Iterable[StopLoss], segment: SegmentArrays
) -> tuple[AttachmentPoint, ...]:
    """Distinct finite attachment points of all designs in one segment, lowest first."""
    edges = {
        AttachmentPoint(design.basis, edge)
        for design in designs
        for band in _bands(design, segment)
        for edge in (band.from_, band.to)
        if math.isfinite(edge)
    }
    return tuple(sorted(edges))


def _combine(
    design: StopLoss,
    segment: SegmentArrays,
    points: Sequence[AttachmentPoint],
    excess: Array,
) -> Array:
    """Sum over bands of payout rate x (excess above `from` - excess above `to`)."""
    total = np.zeros(excess.shape[1:])
    for band in _bands(design, segment):
        paid = excess[points.index(AttachmentPoint(design.basis, band.from_))]
        if math.isfinite(band.to):
            paid = paid - excess[points.index(AttachmentPoint(design.basis, band.to))]
        total += band.payout_rate * paid
    return total * design.payout_neutrality_factor


def payout(
    design: StopLoss,
    segment: SegmentArrays,
    points: Sequence[AttachmentPoint],
    excess_sum: Array,
) -> Array:
    """Payout of a design for one segment in each draw.

    Parameters
    ----------
    design : StopLoss
    segment : SegmentArrays
    points : sequence of AttachmentPoint
        What the rows of `excess_sum` are.
    excess_sum : float64 array of shape (attachment, draw)
        Sum over the segment of cost above each attachment point, US dollars.

    Returns
    -------
    float64 array of shape (draw,)
        US dollars, zero or more.
    """
    return _combine(design, segment, points, excess_sum)


def expected_payout(
    design: StopLoss, segment: SegmentArrays, factors: Array, weights: Array
) -> float:
    """Expected payout for one segment, by quadrature.

    Parameters
    ----------
    design : StopLoss
    segment : SegmentArrays
    factors, weights : float64 arrays of shape (node,)
        The law of the systemic cost factor; the weights sum to 1.

    Returns
    -------
    float
        US dollars.

    Notes
    -----
    With cost = f s X, X of mean one, E max(f s X - A, 0) = f s E max(X - A / (f s), 0).
    """
    known = _known_payouts.setdefault(segment, {})
    key = payout_key(design), factors.tobytes(), weights.tobytes()
    if key not in known:
        known[key] = _work_out_payout(design, segment, factors, weights)
    return known[key]


_known_payouts: WeakKeyDictionary[SegmentArrays, dict[Hashable, float]] = WeakKeyDictionary()
"""Tracks often share a design, whose expected payout takes a while to work out."""


def _work_out_payout(
    design: StopLoss, segment: SegmentArrays, factors: Array, weights: Array
) -> float:
    points = attachment_points([design], segment)
    if not points:
        return 0.0
    costly = segment.expected_cost > 0.0  # who is expected to cost nothing is paid nothing
    mean_cost = segment.expected_cost[costly]
    expected = np.zeros((len(points), 1))
    for row, point in enumerate(points):
        attachment = point.per_person(segment)[costly]
        if mean_cost.size > _NODES and point.amount > 0.0:
            expected[row] = _interpolated_excess(segment, mean_cost, attachment, factors, weights)
            continue
        for factor, weight in zip(factors, weights, strict=True):
            scale = factor * mean_cost
            expected[row] += weight * np.sum(
                scale * segment.severity.mean_excess(attachment / scale)
            )
    return float(_combine(design, segment, points, expected)[0])


def _interpolated_excess(
    segment: SegmentArrays, mean_cost: Array, attachment: Array, factors: Array, weights: Array
) -> float:
    """Expected cost of many people above their attachment points, US dollars.

    Per dollar expected it depends on nothing but the attachment point over the expected cost. So
    it is worked out at some thousand such ratios and interpolated.
    """
    log_ratio = np.log(attachment / mean_cost)
    low, high = float(log_ratio.min()), float(log_ratio.max())
    law = tuple(zip(factors.tolist(), weights.tolist(), strict=True))
    by_ratio = _excess_by_ratio(segment.severity, low, max(high, low + _LEAST_SPAN), law)
    return float(np.sum(mean_cost * by_ratio(log_ratio)))


@lru_cache(maxsize=64)  # segments often share a severity and the range of their expected costs
def _excess_by_ratio(
    severity: Severity, low: float, high: float, law: tuple[tuple[float, float], ...]
) -> BSpline[np.float64]:
    """Expected cost above an attachment point, per dollar expected, by the ratio's logarithm.

    A quintic spline, right to about 1e-12. `law` holds the systemic cost factors, each with its
    weight.
    """
    from scipy.interpolate import make_interp_spline  # for neutral charges alone

    nodes = np.linspace(low, high, _NODES)
    excess = np.zeros(_NODES)
    for factor, weight in law:
        excess += weight * factor * severity.mean_excess(np.exp(nodes) / factor)
    return make_interp_spline(nodes, excess, k=5)
