"""Philox4x32-10, addressed: every random number has a place, and any can be made alone.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). The key is
the seed. The four counter words are

====  =====================================================================================
word  holds
====  =====================================================================================
0     draw (low 32 bits)
1     stream: what the numbers are for, see `stream_of`
2     group: four neighbours share a counter, one output word each
3     plane in the low 8 bits (0 main word, 1 refinement word), high bits of the draw above
====  =====================================================================================

so no result depends on the order, the blocks or the threads in which numbers are asked for. The
layout has a version, `DRAW_SCHEME`, that is stored with results.

Counters live in 64-bit integers whose upper halves may hold rubbish: only what is multiplied is
masked, which leaves LLVM one multiply, shift and xor per half round.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from simdc.kernels.jit import inlined, leaf, wide_vectors

__all__ = ["DRAW_SCHEME", "key_words", "philox_words", "stream_of", "uniforms"]

DRAW_SCHEME = "philox4x32-10/1"

GROUPS = 4  # groups per call of the leaf, to share the key schedule

_MASK = np.uint64(0xFFFFFFFF)
_S8 = np.uint64(8)
_S32 = np.uint64(32)
_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)  # golden ratio
_W1 = np.uint64(0xBB67AE85)  # square root of 3, less 1
_R = tuple(np.uint64(r) for r in range(10))
_R1, _R2, _R3, _R4, _R5, _R6, _R7, _R8, _R9 = _R[1:]


@inlined
def _round(c0, c1, c2, c3, k0, k1):
    p0 = (c0 & _MASK) * _M0
    p1 = (c2 & _MASK) * _M1
    return (p1 >> _S32) ^ c1 ^ k0, p1, (p0 >> _S32) ^ c3 ^ k1, p0


@inlined
def philox4x32(c0, c1, c2, c3, k0, k1):
    """Ten rounds on one counter; only the low 32 bits of each returned word mean anything."""
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, k0, k1)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, (k0 + _R1 * _W0) & _MASK, (k1 + _R1 * _W1) & _MASK)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, (k0 + _R2 * _W0) & _MASK, (k1 + _R2 * _W1) & _MASK)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, (k0 + _R3 * _W0) & _MASK, (k1 + _R3 * _W1) & _MASK)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, (k0 + _R4 * _W0) & _MASK, (k1 + _R4 * _W1) & _MASK)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, (k0 + _R5 * _W0) & _MASK, (k1 + _R5 * _W1) & _MASK)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, (k0 + _R6 * _W0) & _MASK, (k1 + _R6 * _W1) & _MASK)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, (k0 + _R7 * _W0) & _MASK, (k1 + _R7 * _W1) & _MASK)
    c0, c1, c2, c3 = _round(c0, c1, c2, c3, (k0 + _R8 * _W0) & _MASK, (k1 + _R8 * _W1) & _MASK)
    return _round(c0, c1, c2, c3, (k0 + _R9 * _W0) & _MASK, (k1 + _R9 * _W1) & _MASK)


@leaf
def strip_words(words, first_draw, stream, first_group, plane, k0, k1):
    """Words of a strip of draws for `GROUPS` groups of four people.

    Parameters
    ----------
    words : uint32 array of shape (4 * GROUPS, lane)
        Filled: row ``4 * q + r`` is output word r of group ``first_group + q``.
    first_draw, stream, first_group, plane, k0, k1 : uint64
        Address of lane 0 and the key.
    """
    wide_vectors()
    for q in range(words.shape[0] // 4):
        group = first_group + np.uint64(q)
        for j in range(words.shape[1]):
            draw = first_draw + np.uint64(j)
            c0, c1, c2, c3 = philox4x32(
                draw, stream, group, plane | ((draw >> _S32) << _S8), k0, k1
            )
            words[4 * q, j] = np.uint32(c0)
            words[4 * q + 1, j] = np.uint32(c1)
            words[4 * q + 2, j] = np.uint32(c2)
            words[4 * q + 3, j] = np.uint32(c3)


def key_words(seed: int) -> tuple[np.uint64, np.uint64]:
    """The two 32-bit halves of a 64-bit seed, low half first."""
    return np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)


def stream_of(tag: int, name: str) -> int:
    """The stream word of a named thing: its kind in the top 8 bits, a hash of its name below.

    A name rather than a position, so that adding or reordering segments and drivers changes
    nobody else's luck.

    Parameters
    ----------
    tag : int
        1 for the severities of a segment, 2 for a driver.
    name : str
        The name as the scenario gives it.
    """
    return tag << 24 | int.from_bytes(hashlib.sha256(name.encode()).digest()[:3], "big")


def philox_words(
    seed: int, first_draw: int, count: int, stream: int, group: int = 0, plane: int = 0
) -> NDArray[np.uint32]:
    """The four words at one address for a run of draws.

    Parameters
    ----------
    seed : int
        64-bit key.
    first_draw, count : int
        Draws ``first_draw`` to ``first_draw + count - 1``.
    stream, group, plane : int
        The rest of the address.

    Returns
    -------
    uint32 array of shape (count, 4)
    """
    words = np.empty((4, count), dtype=np.uint32)
    strip_words(
        words,
        np.uint64(first_draw),
        np.uint64(stream),
        np.uint64(group),
        np.uint64(plane),
        *key_words(seed),
    )
    return words.T


def uniforms(seed: int, first_draw: int, count: int, stream: int) -> NDArray[np.float64]:
    """One uniform per draw at 64-bit resolution, strictly between 0 and 1.

    Returns
    -------
    float64 array of shape (count,)
    """
    words = philox_words(seed, first_draw, count, stream)
    joined = words[:, 0].astype(np.uint64) << np.uint64(32) | words[:, 1].astype(np.uint64)
    # The midpoint keeps 0 out; rounding to float64 could still give 1.
    return np.minimum((joined.astype(np.float64) + 0.5) * 2.0**-64, 1.0 - 2.0**-53)
