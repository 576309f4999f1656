"""A stored sweep for its readers: as much of it as is finished, and how much is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from simdc.errors import InputError
from simdc.sweep.digest import point_digests
from simdc.sweep.layout import PROGRESS, units_of
from simdc.sweep.stored import root_attributes, telling_damage

__all__ = ["read_sweep"]

_LAZY = "draws"


def read_sweep(path: str | Path, *, whole: bool = True) -> xr.DataTree:
    """Open a sweep, be it finished or not; draws stay on disk, everything else is loaded.

    What is loaded is compared with the digests taken when it was written. A sweep that another
    process is writing can be read.

    Parameters
    ----------
    path : path-like
    whole : bool, optional
        Whether figures are loaded. Those of a finished sweep can be left on disk as draws are,
        which takes less memory; whatever of them is used is compared with checksums alone.

    Returns
    -------
    DataTree
        With the groups of a result, in which the swept dimensions come first and unfinished points
        are NaN. Attributes of the root: ``points``, ``points_unfinished``, ``units`` and
        ``units_unfinished`` say how far it is.

    Raises
    ------
    InputError
        When there is no sweep, or it is damaged.
    """
    path = Path(path)
    attributes = root_attributes(path)
    with telling_damage(path):
        stored = xr.open_datatree(path, engine="zarr", decode_times=False)
        groups = {name: node.to_dataset(inherit=False) for name, node in stored.children.items()}
        # First, so that whatever it calls finished is there when the rest is read.
        progress = groups.pop(PROGRESS).load()
        recorded = {str(group): digests.values for group, digests in progress.items()}
        finished = np.all([digests.any(axis=-1) for digests in recorded.values()], axis=0)
        for name, digests in recorded.items():
            # A label with a space is no coordinate in the file.
            labels = [label for label in attributes["swept"] if label in groups[name]]
            groups[name] = groups[name].set_coords(labels)
            if whole and name != _LAZY:
                _compare(path, groups[name].load(), digests)
                groups[name] = _masked(groups[name], finished)
        for name in groups.keys() - recorded.keys():
            groups[name].load()
        root = xr.Dataset(attrs={**stored.attrs, **_extent(finished, attributes["unit_shape"])})
    return xr.DataTree.from_dict({"/": root, **groups})


def _compare(path: Path, dataset: xr.Dataset, digests: NDArray[np.uint8]) -> None:
    """Make sure that whatever is recorded is what was written."""
    variables = (dataset[name].values for name in dataset.attrs["per_point"])
    found = point_digests(variables, digests.shape[:-1])
    differing = digests.any(axis=-1) & (found != digests).any(axis=-1)
    if differing.any():
        raise InputError(
            f"is damaged: {np.count_nonzero(differing)} of {differing.size} points are not what "
            "was written; --resume works them out again",
            file=path,
        )


def _masked(dataset: xr.Dataset, finished: NDArray[np.bool_]) -> xr.Dataset:
    """Without figures of units that were begun and not recorded."""
    if finished.all():
        return dataset
    per_point = dataset[dataset.attrs["per_point"]].data_vars
    return dataset.assign(
        {
            name: array.where(xr.DataArray(finished, dims=array.dims[: finished.ndim]))
            for name, array in per_point.items()
        }
    )


def _extent(finished: NDArray[np.bool_], unit_shape: Sequence[int]) -> dict[str, int]:
    units = units_of(finished.shape, unit_shape)
    return {
        "points": finished.size,
        "points_unfinished": int(np.count_nonzero(~finished)),
        "units": len(units),
        "units_unfinished": sum(not finished[unit.slices].all() for unit in units),
    }
