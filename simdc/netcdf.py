"""A tree of labelled arrays as a netCDF-4 file, written in one pass.

The layout is what xarray writes of the same tree, and any netCDF reader takes it. xarray's own way
spends some milliseconds on each variable and holds all of a group in memory; here an array of
several dimensions is read and written one index of its first dimension at a time.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["write_netcdf"]

_MARGIN = 256 * 2**10  # attributes, the scenario's text among them, and what HDF5 keeps for itself
_MARGIN_OF_VARIABLE = 2**10

# What netCDF calls the scale of a dimension that no variable is named after (netCDF-4 format
# specification, "Dimension Scales").
_BARE_DIMENSION = "This is a netCDF dimension but not a netCDF variable.{size:10d}"


def write_netcdf(tree: xr.DataTree, path: Path) -> None:
    """Write numbers, texts and their attributes; nothing is compressed.

    Parameters
    ----------
    tree : xarray.DataTree
        No group shares a dimension with a group within it.
    path : Path
        Replaced if it is there.

    Raises
    ------
    OSError
        When writing fails.
    """
    _make_room(tree, path)
    # Readers of netCDF show things in the order in which they were made.
    with h5py.File(path, "w", track_order=True) as file:
        for node in tree.subtree:
            place = file if node.path == "/" else file.create_group(node.path, track_order=True)
            _write_group(node.to_dataset(inherit=False), place)


def _make_room(tree: xr.DataTree, path: Path) -> None:
    """See beforehand whether the file fits: HDF5 bears a disk that fills up badly.

    Raises
    ------
    OSError
        When there is no room for it, or it may not be so long.
    """
    variables = [
        each for node in tree.subtree for each in node.to_dataset(inherit=False).variables.values()
    ]
    needed = _MARGIN + sum(_MARGIN_OF_VARIABLE + _bytes_of(variable) for variable in variables)
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, needed)


def _bytes_of(variable: xr.Variable) -> int:
    if variable.dtype.kind in "OTU":
        return sum(len(str(text).encode()) for text in variable.values.flat)
    return int(variable.nbytes)


def _write_group(dataset: xr.Dataset, place: h5py.Group) -> None:
    place.attrs.update(dataset.attrs)
    for name, size in dataset.sizes.items():
        if name not in dataset.coords:
            place.create_dataset(name, (size,), "f4").make_scale(_BARE_DIMENSION.format(size=size))
    for name in dataset.coords:
        _write_variable(dataset.variables[name], str(name), place).make_scale(str(name))
    for name in dataset.data_vars:
        written = _write_variable(dataset.variables[name], str(name), place)
        for axis, dimension in enumerate(dataset.variables[name].dims):
            written.dims[axis].attach_scale(place[dimension])


def _write_variable(variable: xr.Variable, name: str, place: h5py.Group) -> h5py.Dataset:
    text = variable.dtype.kind in "OTU"
    kind: Any = h5py.string_dtype() if text else variable.dtype
    written = place.create_dataset(name, variable.shape, kind)
    written.attrs.update(variable.attrs)
    if variable.ndim > 1:
        for index in range(variable.shape[0]):
            written[index] = variable[index].values
    elif variable.size:
        written[...] = variable.values.astype(object) if text else variable.values
    return written
