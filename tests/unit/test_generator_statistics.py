"""A statistical battery on the numbers as the kernel addresses them: people by draws.

The seeds are fixed, so that a test either always passes or never. Each p-value must lie between
`ALARM` and 1 - `ALARM`: a good generator would fail one of the some sixty comparisons made here for
about one seed in 8,000.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from simdc.kernels.philox import key_words, strip_words

ALARM = 1e-6

PEOPLE, DRAWS = 1024, 4096


def words(seed=2022, first_draw=0, stream=0x01ABCDEF, first_group=0, plane=0):
    """Words of 1,024 people in 4,096 draws, uint32 array of shape (person, draw)."""
    matrix = np.empty((PEOPLE, DRAWS), np.uint32)
    address = (first_draw, stream, first_group, plane)
    strip_words(matrix, *(np.uint64(word) for word in address), *key_words(seed))
    return matrix


@pytest.fixture(scope="module")
def matrix():
    return words()


def assert_plausible(p_value):
    assert ALARM < p_value < 1 - ALARM


def chi_square_p(cells, number):
    counts = np.bincount(cells.ravel(), minlength=number)
    expected = cells.size / number
    return stats.chi2.sf(np.sum((counts - expected) ** 2) / expected, number - 1)


def correlation_p(x, y):
    """Two-sided normal p-value of the correlation of independent uniforms."""
    x, y = (v.ravel().astype(np.float64) / 2.0**32 - 0.5 for v in (x, y))
    return 2 * stats.norm.sf(abs(12 * np.mean(x * y)) * np.sqrt(x.size))


@pytest.mark.parametrize("bits", [1, 4, 8, 12, 16, 20])
@pytest.mark.parametrize("end", ["high", "low"])
def test_uniform_at_every_resolution(matrix, bits, end):
    cells = matrix >> np.uint32(32 - bits) if end == "high" else matrix & np.uint32(2**bits - 1)
    assert_plausible(chi_square_p(cells, 2**bits))


@pytest.mark.parametrize("bit", range(0, 32, 3))
def test_each_bit_is_a_fair_coin(matrix, bit):
    ones = int(np.count_nonzero(matrix >> np.uint32(bit) & np.uint32(1)))
    z = (ones - matrix.size / 2) / np.sqrt(matrix.size / 4)
    assert_plausible(stats.norm.sf(z))


@pytest.mark.parametrize("person", [0, 1, 2, 3, 4, 517])
def test_uniform_over_the_draws_of_one_person(person):
    own = np.concatenate([words(first_draw=DRAWS * k)[person] for k in range(16)])
    assert_plausible(chi_square_p(own >> np.uint32(24), 256))


@pytest.mark.parametrize("lag", [1, 2, 3, 16, 128, 1024])
def test_no_correlation_across_draws(matrix, lag):
    assert_plausible(correlation_p(matrix[:, :-lag], matrix[:, lag:]))


@pytest.mark.parametrize("lag", [1, 2, 3, 4, 16, 256])
def test_no_correlation_across_people(matrix, lag):
    assert_plausible(correlation_p(matrix[:-lag], matrix[lag:]))


@pytest.mark.parametrize(
    "other",
    [
        {"plane": 1},
        {"seed": 2023},
        {"seed": 2022 | 1 << 32},
        {"stream": 0x01ABCDEE},
        {"first_draw": 2**32},
        {"first_group": 2**31},
    ],
)
def test_no_correlation_with_the_neighbouring_address(matrix, other):
    neighbour = words(**other)
    assert_plausible(correlation_p(matrix, neighbour))
    # Bits that differ: half of them, binomially.
    flipped = int(np.bitwise_count(matrix ^ neighbour).sum(dtype=np.int64))
    trials = 32 * matrix.size
    assert_plausible(stats.norm.sf((flipped - trials / 2) / np.sqrt(trials / 4)))


@pytest.mark.parametrize("axis", [0, 1])
def test_pairs_of_neighbours_fill_the_square(matrix, axis):
    top = (matrix >> np.uint32(26)).astype(np.int64)
    first, second = (top[:-1:2], top[1::2]) if axis == 0 else (top[:, :-1:2], top[:, 1::2])
    assert_plausible(chi_square_p(first * 64 + second, 64 * 64))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("bits", "birthdays"), [(32, 4096), (24, 512)])
def test_birthday_spacings(matrix, axis, bits, birthdays):
    """Marsaglia's test: repeated spacings of m birthdays in d days are Poisson of m**3 / 4 d."""
    samples = (matrix if axis == 1 else matrix.T).ravel()[: 64 * birthdays]
    days = np.sort(samples.reshape(64, birthdays) & np.uint32(2**bits - 1), axis=1)
    spacings = np.sort(np.diff(days.astype(np.int64), axis=1), axis=1)
    repeated = int(np.count_nonzero(np.diff(spacings, axis=1) == 0))
    mean = 64 * birthdays**3 / (4 * 2**bits)
    assert_plausible(stats.poisson.cdf(repeated, mean))
    assert_plausible(stats.poisson.sf(repeated - 1, mean))


def test_runs_above_and_below_the_median(matrix):
    """Wald and Wolfowitz along the draws of each person, all people together."""
    above = matrix >> np.uint32(31)
    runs = int(np.count_nonzero(above[:, 1:] != above[:, :-1]))
    trials = PEOPLE * (DRAWS - 1)
    assert_plausible(stats.norm.sf((runs - trials / 2) / np.sqrt(trials / 4)))


@pytest.mark.parametrize("axis", [0, 1])
def test_spread_of_row_and_column_means(matrix, axis):
    """Sums along each axis have the variance of independent uniforms: no person is luckier."""
    other = matrix.shape[axis]
    means = (matrix.astype(np.float64) / 2.0**32).mean(axis=axis)
    statistic = np.sum((means - 0.5) ** 2) * 12 * other
    assert_plausible(stats.chi2.sf(statistic, means.size))
