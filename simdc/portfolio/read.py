"""A stored portfolio for its readers, with what its groups owe together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from simdc.errors import InputError
from simdc.figures import FIGURES, STATISTICS, statistics
from simdc.portfolio.groups import pool
from simdc.portfolio.members import EVERYONE
from simdc.result import group, labelled
from simdc.sweep.read import read_sweep
from simdc.sweep.stored import telling_damage

__all__ = ["read_portfolio"]


def read_portfolio(path: str | Path) -> xr.DataTree:
    """Open a stored portfolio, with what its groups owe together where it is finished.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    DataTree
        As `simdc.sweep.read.read_sweep` gives it, along ``entity``; with a group ``/groups`` along
        ``group``: all entities, and every group that the portfolio names.

    Raises
    ------
    InputError
        When there is no portfolio, or it is damaged.
    """
    path = Path(path)
    tree = read_sweep(path)
    if "portfolio" not in tree.attrs:
        raise InputError("is a sweep of one scenario, not a portfolio", file=path)
    if tree.attrs["points_unfinished"]:
        return tree
    with telling_damage(path):
        groups = _groups(tree)
    return xr.DataTree.from_dict({**tree.to_dict(), "/groups": groups})


def _groups(tree: xr.DataTree) -> xr.Dataset:
    draws, guarantee = group(tree, "draws"), group(tree, "guarantee")
    levels = guarantee["level"].values.tolist()
    required = guarantee["required_guarantee"].values
    members = _members(group(tree, "inputs")["group_of_entity"].values)
    pooled = [
        pool((draws["cash_due"][place].values for place in places), levels)
        for places in members.values()
    ]

    def summed(line: str) -> list[object]:
        return [statistics(_sum(draws[line], places)) for places in members.values()]

    def figures(name: str) -> list[object]:
        return [getattr(each, name) for each in pooled]

    return labelled(
        {
            "group": list(members),
            "statistic": list(STATISTICS),
            "figure": list(FIGURES),
            "level": levels,
            "entities_of_group": [places.size for places in members.values()],
            "gross_savings_of_group": summed("gross_savings"),
            "shared_of_group": summed("shared_after_sequestration"),
            "settlement_of_group": figures("settlement"),
            "probability_owing_of_group": figures("probability_owing"),
            "required_of_group": [required[places].sum() for places in members.values()],
            "covering_separately": figures("separately"),
            "covering_together": figures("together"),
            "covering_netted": figures("netted"),
            "saved_together": figures("saved_together"),
            "saved_netted": figures("saved_netted"),
        }
    )


def _members(group_of_entity: NDArray[np.object_]) -> dict[str, NDArray[np.intp]]:
    """Places of the entities of all groups, in the order of the file."""
    named = dict.fromkeys(str(name) for name in group_of_entity if name)
    return {
        EVERYONE: np.arange(group_of_entity.size),
        **{name: np.flatnonzero(group_of_entity == name) for name in named},
    }


def _sum(line: xr.DataArray, places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Sum over entities, draw by draw, one of them in memory at a time."""
    total = np.zeros(line.sizes["draw"])
    for place in places:
        total += line[place].values
    return total
