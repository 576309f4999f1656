"""The High Performers Pool of Direct Contracting and ACO REACH, from the third performance year.

Entities that met CI/SEP (continuous improvement or sustained exceptional performance) and did not
earn all of their quality withhold leave the rest to the pool; what entities that missed CI/SEP did
not earn stays with CMS (Milliman white paper on the financial benchmark, December 2020). The pool
is paid out to the highest performers as a bonus outside the corridors. Who they are and how the
pool is divided between them, CMS does not publish.

The design fits the published results of 2023: the unearned withholds of the entities that met
CI/SEP come to about $47.4M, and CMS's total of net savings exceeds the sum over the entities' own
settlements by $48.8M (CMS public use file and fact sheet of performance year 2023).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simdc.errors import InputError
from simdc.settlement.steps import Amount

__all__ = ["bonus_share", "distribute_pool", "entity_bonus", "pool_contribution"]


def pool_contribution(
    benchmark: Amount, withhold: float, score: Amount, ci_sep_met: Amount
) -> Amount:
    """What entities leave to the pool, in US dollars.

    Parameters
    ----------
    benchmark : Amount
        Benchmark that the withhold is a fraction of: after trend and seasonality, before discount.
    withhold : float
        Quality withhold, as a fraction of it.
    score : Amount
        Total quality score, 0 to 1.
    ci_sep_met : Amount
        1 (or True) where CI/SEP was met, else 0. An entity that is not subject to CI/SEP yet
        leaves nothing: only those that met it fund the pool.
    """
    return np.multiply(benchmark * withhold * (1.0 - score), ci_sep_met)


def distribute_pool(pool: Amount, recipient: Amount, weight: Amount) -> Amount:
    """Bonus of each entity, in US dollars.

    Parameters
    ----------
    pool : Amount
        The pool, a number or one number per draw (shape (draw,)).
    recipient : Amount
        1 (or True) for entities that receive a bonus, else 0; shape (entity,) or (draw, entity).
    weight : Amount
        What the pool is divided by between them, zero or more, in the same shape: their benchmarks,
        as an assumption, since CMS does not publish the key.

    Returns
    -------
    Amount
        Shape (entity,) or (draw, entity). All zero where nobody receives a bonus: the pool then
        stays with CMS.
    """
    weights: NDArray[np.float64] = np.multiply(weight, recipient, dtype=np.float64)
    total: NDArray[np.float64] = weights.sum(axis=-1, keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    bonus: NDArray[np.float64] = np.asarray(pool)[..., np.newaxis] * shares
    return bonus


def bonus_share(pool: float, recipients_benchmark: float) -> float:
    """Bonus of a recipient as a fraction of its benchmark, when benchmarks are the key.

    Parameters
    ----------
    pool : float
        US dollars.
    recipients_benchmark : float
        Benchmarks of all recipients together, in US dollars.

    Raises
    ------
    InputError
        If the recipients have no benchmark.
    """
    if not recipients_benchmark > 0:
        raise InputError(
            "the benchmarks of the recipients of a High Performers Pool must come to more than 0"
        )
    return pool / recipients_benchmark


def entity_bonus(benchmark: Amount, received: Amount, share: Amount) -> Amount:
    """Bonus of one entity as a driver of its settlement, in US dollars.

    Parameters
    ----------
    benchmark : Amount
        The entity's benchmark.
    received : Amount
        1 (or True) in the draws in which it is among the high performers, else 0. In 2023 these
        were 24 of 132 entities.
    share : Amount
        The bonus as a fraction of the benchmark; about 0.008 in 2023.
    """
    return np.multiply(benchmark * share, received)
