"""How well forecasts fit outcomes: ranks, coverage, and the continuous ranked probability score.

Forecasts are samples of shape (entity, draw), outcomes are of shape (entity,).

A statistic over entities is judged against its own law: `ranks_of_draws` takes each draw in turn
for the truth. Since the entities of a draw share their national trend, that law holds their
dependence, which the textbook laws of independent outcomes leave out.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

__all__ = [
    "chi_square",
    "covered",
    "crps_mixture",
    "crps_normal",
    "crps_sample",
    "kolmogorov_smirnov",
    "pit",
    "ranks_of_draws",
    "two_sided_chance",
    "upper_chance",
]

Array = NDArray[np.float64]


def pit(sample: Array, outcome: Array) -> Array:
    """Probability integral transform: the share of its forecast below each outcome.

    Outcome and draws are ranked together, the outcome's rank at its midpoint, ties at half: uniform
    on 0 to 1 if outcomes follow their forecasts.

    Returns
    -------
    float64 array of shape (entity,)
    """
    below = np.count_nonzero(sample < outcome[:, None], axis=1)
    ties = np.count_nonzero(sample == outcome[:, None], axis=1)
    return np.asarray((below + 0.5 * ties + 0.5) / (sample.shape[1] + 1))


def ranks_of_draws(sample: Array) -> Array:
    """The transform of every draw among the draws of its own entity, shape (entity, draw)."""
    draws = sample.shape[1]
    place = np.argsort(np.argsort(sample, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray((place + 0.5) / draws)


def covered(transform: Array, level: float) -> NDArray[np.bool_]:
    """Which outcomes lie in the central interval of a level."""
    return np.asarray(np.abs(transform - 0.5) <= 0.5 * level)


def chi_square(transform: Array, bins: int) -> Array:
    """Pearson's statistic of the histogram of equal bins, over the first axis."""
    entities = transform.shape[0]
    place = np.minimum((transform * bins).astype(np.intp), bins - 1)
    counts = np.stack([np.count_nonzero(place == b, axis=0) for b in range(bins)])
    expected = entities / bins
    return np.asarray(((counts - expected) ** 2).sum(axis=0) / expected)


def kolmogorov_smirnov(transform: Array) -> Array:
    """Largest distance of the distribution function from the uniform one, over the first axis."""
    ordered = np.sort(transform, axis=0)
    entities = transform.shape[0]
    step = (np.arange(entities) / entities).reshape(-1, *[1] * (transform.ndim - 1))
    above = (step + 1.0 / entities - ordered).max(axis=0)
    below = (ordered - step).max(axis=0)
    return np.asarray(np.maximum(above, below))


def two_sided_chance(observed: float, simulated: Array) -> float:
    """Chance of a statistic as far out as the observed one, on either side of its law."""
    return min(
        1.0, 2.0 * min(upper_chance(observed, simulated), upper_chance(-observed, -simulated))
    )


def upper_chance(observed: float, simulated: Array) -> float:
    """Chance of a statistic at least as large as the observed one.

    The observed one counts as a draw, so that the chance is never 0.
    """
    return float((1 + np.count_nonzero(simulated >= observed)) / (simulated.size + 1))


# --- continuous ranked probability score, in the unit of the outcome; lower is better ---------


def crps_sample(sample: Array, outcome: Array) -> Array:
    """Score of each sample, E|X - y| - E|X - X'| / 2 with X' another draw than X.

    Unbiased for the law that is sampled (Ferro, 2014), so that samples and formulas compare.
    """
    draws = sample.shape[1]
    ordered = np.sort(sample, axis=1)
    weight = 2.0 * np.arange(1, draws + 1) - draws - 1.0
    spread = (ordered @ weight) / (draws * (draws - 1.0))
    return np.asarray(np.abs(sample - outcome[:, None]).mean(axis=1) - spread)


def crps_normal(mean: Array, sd: Array, outcome: Array) -> Array:
    """Score of a normal forecast each; where sd is 0, of a certainty: the absolute error."""
    return _mean_distance(outcome - mean, sd) - sd / math.sqrt(math.pi)


def crps_mixture(means: Array, sds: Array, weights: Array, outcome: Array) -> Array:
    """Score of one mixture of normals for every outcome (Grimit and others, 2006).

    Parameters
    ----------
    means, sds, weights : array of shape (component,)
        The weights sum to 1.
    outcome : array of shape (entity,)
    """
    away = _mean_distance(outcome[:, None] - means, sds) @ weights
    between = _mean_distance(means[:, None] - means, np.hypot(sds[:, None], sds))
    return np.asarray(away - 0.5 * (weights @ between @ weights))


def _mean_distance(mean: Array, sd: Array) -> Array:
    """E|Z| of a normal Z."""
    spread = sd > 0.0
    z = np.divide(mean, sd, out=np.zeros(np.broadcast_shapes(mean.shape, sd.shape)), where=spread)
    density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    normal = mean * (2.0 * ndtr(z) - 1.0) + 2.0 * sd * density
    return np.asarray(np.where(spread, normal, np.abs(mean)))
