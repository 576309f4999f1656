"""Published against recomputed figures: how many agree, how closely, and which do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Check", "Mismatch", "Tally"]

_DOLLAR = 1.0
_THOUSANDTH = 1e-3
_SLACK = 1e-6  # dollars that binary arithmetic may add to a difference of printed numbers


@dataclass(frozen=True)
class Tally:
    """How one check came out.

    Attributes
    ----------
    checked : int
        Rows with both a published and a recomputed figure.
    within_dollar, within_thousandth, within_rounding : int
        Rows that agree within $1; within 0.1% of the published figure or $1; and within what the
        printed digits of the inputs can make out, plus $1.
    published, computed : float
        Totals over the rows checked, US dollars.
    """

    checked: int
    within_dollar: int
    within_thousandth: int
    within_rounding: int
    published: float
    computed: float


@dataclass(frozen=True, eq=False)
class Check:
    """One step of the settlement in every row.

    Attributes
    ----------
    step : str
        ``gross``, ``shared`` or ``paid``.
    source : str
        The published column, or how the published figure was made from columns.
    published, computed : ndarray of shape (row,)
        US dollars; NaN where the file does not state it, or what it follows from.
    rounding : ndarray of shape (row,)
        How far the computed figure may be off because inputs are printed in so many digits.
    """

    step: str
    source: str
    published: NDArray[np.float64]
    computed: NDArray[np.float64]
    rounding: NDArray[np.float64]

    @property
    def checked(self) -> NDArray[np.bool_]:
        """Rows in which there is something to compare."""
        return np.isfinite(self.published) & np.isfinite(self.computed)

    @property
    def difference(self) -> NDArray[np.float64]:
        """Computed less published."""
        return self.computed - self.published

    @property
    def matched(self) -> NDArray[np.bool_]:
        """Rows that agree within $1 or within the rounding of the inputs."""
        allowed = _DOLLAR + np.nan_to_num(self.rounding)
        return self.checked & (np.abs(self.difference) <= allowed + _SLACK)

    def tally(self) -> Tally:
        """Count the rows."""
        checked = self.checked
        error = np.abs(self.difference[checked]) - _SLACK
        relative = _THOUSANDTH * np.abs(self.published[checked])
        return Tally(
            checked=int(checked.sum()),
            within_dollar=int((error <= _DOLLAR).sum()),
            within_thousandth=int((error <= np.maximum(_DOLLAR, relative)).sum()),
            within_rounding=int(self.matched.sum()),
            published=float(self.published[checked].sum()),
            computed=float(self.computed[checked].sum()),
        )


@dataclass(frozen=True)
class Mismatch:
    """One figure that does not come out as published.

    Attributes
    ----------
    row : str
        Identifier of the entity.
    line : int
        Line of the file.
    year : int
        Performance year.
    option : str
        Option or track.
    step : str
        The check.
    published, computed : float
        US dollars.
    reason : str
        Why that is likely, as far as the row tells.
    """

    row: str
    line: int
    year: int
    option: str
    step: str
    published: float
    computed: float
    reason: str

    @property
    def difference(self) -> float:
        """Computed less published."""
        return self.computed - self.published
