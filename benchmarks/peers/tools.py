"""The job in each library's own idiom. Each function returns net costs, one for each draw."""

from __future__ import annotations

import math
import warnings

import numba
import numpy as np
from scipy import stats
from scipy.special import gammaln

from benchmarks.peers.job import BENCHMARK, PEOPLE, RETAINED, STOP_LOSS, ZERO, A, C, scale
from simdc.kernels.philox import key_words
from simdc.kernels.strip import segment_sums
from simdc.severity import generalised_gamma
from simdc.severity_table import quantile_table

__all__ = ["TOOLS", "by_aggregate"]

UNIT_MEAN = math.exp(gammaln(A + 1 / C) - gammaln(A)) * (1 - ZERO)


def by_simdc(draws: int):
    """The kernel on one thread."""
    table = quantile_table(generalised_gamma(A, C, zero_probability=ZERO))
    expected = scale().astype(np.float32)
    attachment, factor = np.full((PEOPLE, 1), STOP_LOSS), np.ones(draws)
    cost, excess = np.empty(draws), np.empty((1, draws))

    def call():
        address = np.uint64(0), np.uint64(1), *key_words(1)
        segment_sums(cost, excess, *address, expected, attachment, factor, table.body, table.tail)
        return cost - (1 - RETAINED) * excess[0]

    return call


def by_numpy(draws: int):
    """A loop over draws of vectors over people."""

    def call():
        rng = np.random.default_rng(1)
        net = np.empty(draws)
        for draw in range(draws):
            cost = rng.standard_gamma(A, PEOPLE) ** (1 / C) * (scale() / UNIT_MEAN)
            cost[rng.random(PEOPLE) < ZERO] = 0.0
            net[draw] = (cost - (1 - RETAINED) * np.maximum(cost - STOP_LOSS, 0.0)).sum()
        return net

    return call


def by_scipy(draws: int):
    """The same with ``gengamma.rvs``."""

    def call():
        rng = np.random.default_rng(1)
        net = np.empty(draws)
        for draw in range(draws):
            cost = stats.gengamma.rvs(A, C, size=PEOPLE, random_state=rng)
            cost *= scale() / UNIT_MEAN
            cost[rng.random(PEOPLE) < ZERO] = 0.0
            net[draw] = (cost - (1 - RETAINED) * np.maximum(cost - STOP_LOSS, 0.0)).sum()
        return net

    return call


@numba.njit
def _seed(value):
    np.random.seed(value)


@numba.njit(nogil=True)
def _plain_numba(net, scaled):
    for draw in range(net.size):
        total = 0.0
        for i in range(scaled.size):
            if np.random.random() >= ZERO:
                cost = scaled[i] * np.random.gamma(A, 1.0) ** (1.0 / C)
                total += cost - (1 - RETAINED) * max(cost - STOP_LOSS, 0.0)
        net[draw] = total


def by_plain_numba(draws: int):
    """Compiled loops around ``np.random``, on one thread."""
    scaled = scale() / UNIT_MEAN
    _plain_numba(np.empty(1), scaled)  # compiles

    def call():
        _seed(1)
        net = np.empty(draws)
        _plain_numba(net, scaled)
        return net

    return call


@numba.njit(nogil=True)
def _even_table(net, rng, table, scaled):
    last = table.size - 1
    for draw in range(net.size):
        total = 0.0
        for i in range(scaled.size):
            x = (1.0 - math.sqrt(math.sqrt(1.0 - rng.random()))) * last
            k = int(x)
            cost = scaled[i] * (table[k] + (x - k) * (table[k + 1] - table[k]))
            total += cost - (1 - RETAINED) * max(cost - STOP_LOSS, 0.0)
        net[draw] = total


def by_even_table(draws: int):
    """A competent user's: Numba, a NumPy generator, a table even in t with p = 1 - (1 - t)**4."""
    t = np.linspace(0.0, 1.0, 4097)
    law = generalised_gamma(A, C, zero_probability=ZERO)
    table = law.isf(np.maximum((1.0 - t) ** 4, 2.0**-53))
    _even_table(np.empty(1), np.random.default_rng(1), table, scale())  # compiles

    def call():
        net = np.empty(draws)
        _even_table(net, np.random.default_rng(1), table, scale())
        return net

    return call


TOOLS = {
    "simdc": by_simdc,
    "NumPy": by_numpy,
    "SciPy, gengamma.rvs": by_scipy,
    "Numba, np.random": by_plain_numba,
    "Numba, Generator, even table": by_even_table,
}


def by_aggregate(bands: int = 12):
    """The law without draws: ``aggregate``, people in bands of equal risk, buckets of $1,024.

    Returns a call that gives mean, standard deviation and probability to exceed the benchmark.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from aggregate import build

    people = np.array_split(np.sort(scale()), bands)
    rows = [
        f"    agg Band{number} {len(band) * (1 - ZERO)} claims "
        f"sev {band.mean() / UNIT_MEAN} * gengamma {A} {C} "
        f"occurrence net of {1 - RETAINED} so inf xs {STOP_LOSS} binomial {1 - ZERO}"
        for number, band in enumerate(people)
    ]

    def call():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            law = build("port Job\n" + "\n".join(rows), update=False)
            # It approximates bands of many claims by a shifted lognormal unless told not to.
            law.update(log2=18, bs=1024, approx_freq_ge=10**9, remove_fuzz=True, add_exa=False)
            return law.est_m, law.est_sd, float(law.sf(BENCHMARK))

    return call
