"""Sobol' indices with their confidence limits, estimated by SALib."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from simdc.estimate import CONFIDENCE, Estimate, normal_limits
from simdc.sensitivity.design import SAMPLES

__all__ = ["FINE", "Indices", "is_coarse", "samples_for", "sobol_indices", "why_none"]

Floats: TypeAlias = NDArray[np.float64]

FINE = 0.1
"""Half-width of the limits that more samples are recommended for."""

_COARSE = 0.25  # half-width; such limits span half of all that an index can be
_RESAMPLES = 200  # of the bootstrap
_SAME = 1e-9  # of a figure; what differs by less differs by floating point


@dataclass(frozen=True)
class Indices:
    """What one setting contributes to the variance of a figure over the ranges of all.

    Attributes
    ----------
    first : Estimate
        Share that it explains by itself.
    total : Estimate
        Share that it has a part in, by itself or together with others.
    """

    first: Estimate
    total: Estimate


def why_none(outputs: Floats, settings: int) -> str:
    """Why a figure has no indices, as a sentence without its full stop; empty if it has.

    Parameters
    ----------
    outputs : array of shape (point,)
        Finite; in the order of `simdc.sensitivity.design.saltelli_points`.
    settings : int
    """
    slack = _SAME * float(np.abs(outputs).max())
    if np.ptp(outputs) <= slack:
        return "does not vary: it is the same at every point"
    if np.ptp(outputs.reshape(-1, settings + 2)[:, [0, -1]]) <= slack:
        return "varies at so few points that more samples are needed to say why"
    return ""


def sobol_indices(outputs: Floats, settings: int, seed: int) -> tuple[Indices, ...]:
    """First-order and total indices of every setting.

    Estimators are those of Saltelli et al. (2010), which may fall slightly outside of 0 to 1.
    Limits are of a bootstrap over the base samples. These are spread more evenly than the
    bootstrap takes them to be, so that the limits are rather too wide.

    Parameters
    ----------
    outputs : array of shape (point,)
        Finite and varying, see `why_none`; in the order of
        `simdc.sensitivity.design.saltelli_points`.
    settings : int
    seed : int
        Of the bootstrap.
    """
    from SALib.analyze import sobol

    names = [str(place) for place in range(settings)]
    found = sobol.analyze(
        {"num_vars": settings, "names": names, "bounds": [[0.0, 1.0]] * settings},
        outputs,
        calc_second_order=False,
        num_resamples=_RESAMPLES,
        conf_level=CONFIDENCE,
        seed=seed + 1,  # SALib takes 0 for none
    )
    first, total = (_estimates(found[name], found[f"{name}_conf"]) for name in ("S1", "ST"))
    return tuple(map(Indices, first, total))


def _estimates(values: Floats, half_widths: Floats) -> list[Estimate]:
    errors = half_widths / ndtri(0.5 + CONFIDENCE / 2.0)
    return [
        normal_limits(float(value), float(error))
        for value, error in zip(values, errors, strict=True)
    ]


def is_coarse(index: Estimate) -> bool:
    """Whether its limits are so wide that they say next to nothing."""
    return _half_width(index) > _COARSE


def samples_for(index: Estimate, samples: int) -> int | None:
    """Roughly how many base samples would bring the limits to `FINE`.

    Limits are taken to narrow with the square root of the samples.

    Returns
    -------
    int or None
        A power of two; None where that is more than are taken.
    """
    needed = samples * max(1.0, (_half_width(index) / FINE) ** 2)
    power: int = 2 ** math.ceil(math.log2(needed))
    return power if power <= SAMPLES[1] else None


def _half_width(index: Estimate) -> float:
    return (index.high - index.low) / 2.0
