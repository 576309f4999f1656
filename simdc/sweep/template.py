"""What one point of a sweep leaves, laid out like a result but still without figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from simdc.figures import FIGURES, STATISTICS, guarantee_figures
from simdc.guarantee import STEPS
from simdc.variables import VARIABLES

__all__ = ["point_template"]


def point_template(
    tracks: Sequence[str],
    lines: Sequence[str],
    levels: Sequence[float],
    draws: int | None,
) -> dict[str, xr.Dataset]:
    """Groups of one point with the labels of their dimensions.

    Parameters
    ----------
    tracks : sequence of str
    lines : sequence of str
        Settlement lines that are kept.
    levels : sequence of float
        Of the guarantee.
    draws : int or None
        How many of each line are kept, if they are.
    """
    labels: dict[str, Sequence[object]] = {
        "track": tracks,
        "statistic": STATISTICS,
        "figure": FIGURES,
        "level": levels,
        "step": STEPS,
    }
    summary = ("track", "statistic", "figure")
    nothing = dict.fromkeys(lines, np.zeros(0))
    sized = {name: VARIABLES[name].dims for name in guarantee_figures(nothing, None, levels)}
    groups = {
        "summary": _group(dict.fromkeys((*lines, "gross_savings_rate"), summary), labels),
        "guarantee": _group(sized, labels),
    }
    if draws is not None:
        kept = dict.fromkeys(lines, ("track", "draw"))
        groups["draws"] = _group(kept, {**labels, "draw": range(draws)})
    return groups


def _group(
    variables: Mapping[str, tuple[str, ...]], labels: Mapping[str, Sequence[object]]
) -> xr.Dataset:
    used = dict.fromkeys(dim for dims in variables.values() for dim in dims)
    return xr.Dataset(
        {
            name: xr.Variable(
                dims,
                np.broadcast_to(np.nan, [len(labels[dim]) for dim in dims]),
                VARIABLES[name].attributes,
            )
            for name, dims in variables.items()
        },
        {dim: xr.Variable((dim,), list(labels[dim]), VARIABLES[dim].attributes) for dim in used},
    )
