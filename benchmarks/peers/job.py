"""The job that every library is given, and the answer that is known without any of them.

One entity, 20,000 people with lognormal risk scores. A person's cost is zero with probability 5%,
else a generalised gamma times the score, $12,000 on average. Stop-loss pays 90% of each person's
cost above $150,000. What is wanted is the law of the net cost: mean, standard deviation, and the
probability that it exceeds a benchmark. No systemic shocks and no charge: the inner job alone, the
part that every library can be asked to do.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from simdc.severity import generalised_gamma

__all__ = ["BENCHMARK", "PEOPLE", "RETAINED", "STOP_LOSS", "ZERO", "A", "C", "scale", "truth"]

PEOPLE = 20_000
MEAN_COST, STOP_LOSS, RETAINED = 12_000.0, 150_000.0, 0.10
A, C, ZERO = 0.488, 0.693, 0.05
BENCHMARK = 230e6


@cache
def scale() -> np.ndarray:
    """Expected cost of each person, US dollars."""
    score = np.random.default_rng(1).lognormal(0.0, 0.5, PEOPLE)
    return MEAN_COST * score / score.mean()


def truth() -> tuple[float, float]:
    """Mean and standard deviation of the net cost, by quadrature over each person's own law."""
    severity = generalised_gamma(A, C, zero_probability=ZERO)
    nodes, weights = np.polynomial.legendre.leggauss(32)
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-50.0, 1.0)])
    half = np.diff(edges)[:, None] / 2
    v = (edges[:-1, None] + half * (1 + nodes)).ravel()
    w = (half * weights).ravel()
    quantile = severity.isf(v)
    mean = variance = 0.0
    for expected in scale():
        cost = expected * quantile
        net = cost - (1 - RETAINED) * np.maximum(cost - STOP_LOSS, 0.0)
        first = w @ net
        mean += first
        variance += w @ net**2 - first**2
    return float(mean), float(np.sqrt(variance))
