"""How a quantile table is laid out: what its maker and the kernel that reads it agree on.

A table turns a random word into a cost. The word is converted to floating point, and the exponent
with the top mantissa bits of the result is the number of its cell: 64 cells per octave of survival
probability, for one conversion and one shift. Each cell holds a straight line, A + B x.

The *body* is read with 32-bit words and float32 arithmetic. Words below `REFINED_BELOW` find an
infinite cost there: they are drawn again with 32 more bits and looked up in the *tail*, in float64.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "BODY_CELLS",
    "BODY_SHIFT",
    "BODY_START",
    "REFINED_BELOW",
    "TAIL_BASE",
    "TAIL_CELLS",
    "TAIL_SHIFT",
]

_MANTISSA_BITS = 6

REFINED_BELOW = 2**16
"""Main words below this one are looked up in the tail table with 32 more bits."""

BODY_SHIFT = 23 - _MANTISSA_BITS
"""Cell of a main word: the bits of the word as a float32, shifted right by this much."""

BODY_START = int(np.float32(REFINED_BELOW).view(np.uint32)) >> BODY_SHIFT
"""First cell of the body that holds a line."""

BODY_CELLS = (int(np.float32(2**32).view(np.uint32)) >> BODY_SHIFT) + 1
"""Entries of the body; the last is for the words that round up to 2**32 as a float32."""

TAIL_SHIFT = 52 - _MANTISSA_BITS
"""Cell of a refined word: the bits of the word as a float64, shifted right by this much ..."""

TAIL_BASE = int(np.float64(1).view(np.uint64)) >> TAIL_SHIFT
"""... less this, and zero where that is negative."""

TAIL_CELLS = 48 << _MANTISSA_BITS
"""Rows of the tail: 48 octaves, from word 1 to 2**48."""
