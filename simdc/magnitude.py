"""How large or small a given number may be, so that no product or quotient of a few overflows."""

from __future__ import annotations

import math

__all__ = ["LEAST", "MOST", "SIZE", "has_size"]

LEAST, MOST = 1e-12, 1e15

SIZE = "must be 0 or of a size between 1e-12 and 1e15"
"""What is allowed, in words."""


def has_size(value: float) -> bool:
    """Whether a number has a size that something may have; 0, inf and nan are not judged.

    Parameters
    ----------
    value : int or float
        An integer may be too large for a float.
    """
    size = abs(value)
    return not (0 < size < LEAST or MOST < size < math.inf)
