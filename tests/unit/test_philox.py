"""The generator: published vectors, and numbers that depend on their address alone."""

from __future__ import annotations

import numpy as np
import pytest

from simdc.kernels.philox import philox_words, stream_of, uniforms

# Random123 1.14 (Salmon et al.), kat_vectors, philox4x32 10: counter, key, expected words.
KNOWN_ANSWERS = [
    (
        (0x00000000, 0x00000000, 0x00000000, 0x00000000),
        (0x00000000, 0x00000000),
        (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8),
    ),
    (
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        (0xFFFFFFFF, 0xFFFFFFFF),
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def slow_philox(counter: tuple[int, ...], key: tuple[int, int]) -> tuple[int, ...]:
    """Philox4x32-10 in Python integers, written from the paper."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    mask = 0xFFFFFFFF
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & mask, (p0 >> 32) ^ c3 ^ k1, p0 & mask
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    return c0, c1, c2, c3


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_known_answers(counter, key, expected):
    assert slow_philox(counter, key) == expected
    draw = counter[0] | (counter[3] >> 8) << 32
    words = philox_words(
        seed=key[0] | key[1] << 32,
        first_draw=draw,
        count=1,
        stream=counter[1],
        group=counter[2],
        plane=counter[3] & 0xFF,
    )
    assert tuple(int(w) for w in words[0]) == expected


def test_every_address_agrees_with_the_slow_twin():
    rng = np.random.default_rng(20260101)
    for _ in range(200):
        seed = int(rng.integers(2**63))
        draw = int(rng.integers(2**40))
        stream, group = (int(v) for v in rng.integers(2**32, size=2))
        plane = int(rng.integers(2))
        got = philox_words(seed, draw, 1, stream, group, plane)[0]
        counter = (draw & 0xFFFFFFFF, stream, group, plane | draw >> 32 << 8)
        want = slow_philox(counter, (seed & 0xFFFFFFFF, seed >> 32))
        assert tuple(int(w) for w in got) == want


def test_numbers_do_not_depend_on_how_many_are_asked_for():
    together = philox_words(7, 100, 1000, 3)
    assert np.array_equal(together[400:433], philox_words(7, 500, 33, 3))


def test_draws_beyond_32_bits_do_not_repeat_the_first():
    assert not np.array_equal(philox_words(7, 0, 8, 3), philox_words(7, 2**32, 8, 3))
    across = philox_words(7, 2**32 - 4, 8, 3)
    assert np.array_equal(across[4:], philox_words(7, 2**32, 4, 3))


def test_streams_of_different_names_and_tags_differ():
    names = [f"segment {i}" for i in range(500)]
    assert len({stream_of(1, name) for name in names}) == 500
    assert stream_of(1, "a") != stream_of(2, "a")


def test_uniforms_lie_strictly_inside_the_unit_interval_and_are_uniform():
    sample = uniforms(seed=11, first_draw=0, count=200_000, stream=5)
    assert sample.min() > 0.0
    assert sample.max() < 1.0
    counts = np.histogram(sample, bins=100, range=(0, 1))[0]
    chi_square = float(np.sum((counts - 2000.0) ** 2) / 2000.0)
    # 99 degrees of freedom: mean 99, sd 14.1; beyond 180 once in about a million tries.
    assert chi_square < 180.0
