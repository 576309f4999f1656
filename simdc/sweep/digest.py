"""Digests of what a sweep found: each point on its own, so that they do not depend on units."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["DIGEST_BYTES", "canonical", "point_digests"]

Array: TypeAlias = NDArray[np.float64]

DIGEST_BYTES = 32


def canonical(values: NDArray[np.floating]) -> Array:
    """The values as little-endian doubles in C order, with one bit pattern for what is missing."""
    plain = np.ascontiguousarray(values, dtype="<f8")
    missing = np.isnan(plain)
    return np.where(missing, np.nan, plain) if missing.any() else plain


def point_digests(variables: Iterable[Array], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """BLAKE2b of every point over all its variables, in the order they come.

    Parameters
    ----------
    variables : iterable of array of shape (*shape, ...)
        One at a time, so that not all need be in memory at once.
    shape : tuple of int
        Of the points.

    Returns
    -------
    array of uint8 of shape (*shape, 32)
    """
    hashers = [hashlib.blake2b(digest_size=DIGEST_BYTES) for _ in range(math.prod(shape))]
    for values in variables:
        rows = canonical(values).reshape(len(hashers), math.prod(values.shape[len(shape) :]))
        for hasher, row in zip(hashers, rows, strict=True):
            hasher.update(row.data)
    digests = np.frombuffer(b"".join(hasher.digest() for hasher in hashers), dtype=np.uint8)
    return digests.reshape(*shape, DIGEST_BYTES)
