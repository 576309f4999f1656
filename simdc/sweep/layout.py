"""How a sweep lies in Zarr: one array per variable, points first, cut into units of points.

============== ================================================================================
group          holds
============== ================================================================================
/              what was swept and from what, as attributes
/summary, ...  the groups of a result with the swept dimensions in front of each variable
/progress      per group and point: a digest of all its variables; zeros until a unit is finished
============== ================================================================================

Every array has a CRC-32C in every chunk. A unit is one chunk of every array along the swept
dimensions; other dimensions are whole in it but for long ones (`INNER_CHUNKS`).
"""

from __future__ import annotations

import itertools
import json
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
import zarr
from numpy.typing import ArrayLike, NDArray
from zarr.codecs import Crc32cCodec

from simdc.errors import InputError
from simdc.sweep.digest import DIGEST_BYTES
from simdc.sweep.identity import FORMAT, FORMAT_VERSION, fingerprint
from simdc.sweep.lock import BOOKKEEPING

__all__ = [
    "PROGRESS",
    "SweptPoints",
    "Unit",
    "build",
    "chunk_files",
    "units_of",
]

ZarrArray: TypeAlias = "zarr.Array[Any]"

PROGRESS = "progress"
INNER_CHUNKS = {"draw": 65_536}


@dataclass(frozen=True)
class SweptPoints:
    """The points of a sweep and how they are cut into units.

    Attributes
    ----------
    dims : tuple of str
        Swept dimensions: one for each swept path of a grid, or ``point``.
    shape : tuple of int
        Number of points along each.
    unit : tuple of int
        Points of a unit along each.
    labels : mapping of str to (str, array)
        Label of every swept path: the dimension it lies along and its values.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    unit: tuple[int, ...]
    labels: Mapping[str, tuple[str, ArrayLike]]

    def __post_init__(self) -> None:
        if not len(self.dims) == len(self.shape) == len(self.unit) > 0:
            raise ValueError("dims, shape and unit tell of the same swept dimensions, one or more")
        if min(self.shape) < 1 or min(self.unit) < 1:
            raise ValueError("every swept dimension has a point, and so has every unit")
        for label, (dim, values) in self.labels.items():
            if np.shape(values) != (self.shape[self.dims.index(dim)],):
                raise ValueError(f"label '{label}' does not have one value per point along '{dim}'")
            if "/" in label:
                raise InputError(f"'{label}' cannot name a swept dimension, because of its '/'")


@dataclass(frozen=True, eq=False)
class Unit:
    """Points that are worked out, written and, if need be, repeated together.

    Attributes
    ----------
    index : int
        Its place in the order of units.
    place : tuple of int
        Its place along each swept dimension, in units.
    slices : tuple of slice
        Its points along each swept dimension.
    shape : tuple of int
        Number of its points along each swept dimension.
    points : array of int
        Places of its points in the C order of all points, rising.
    """

    index: int
    place: tuple[int, ...]
    slices: tuple[slice, ...]
    shape: tuple[int, ...]
    points: NDArray[np.int64]


def units_of(shape: Sequence[int], unit: Sequence[int]) -> tuple[Unit, ...]:
    """All units of a sweep, in C order; the last along a dimension may be smaller."""
    every = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
    counts = [math.ceil(size / step) for size, step in zip(shape, unit, strict=True)]
    found = []
    for index, place in enumerate(itertools.product(*map(range, counts))):
        slices = tuple(
            slice(at * step, min((at + 1) * step, size))
            for at, step, size in zip(place, unit, shape, strict=True)
        )
        points = every[slices]
        found.append(Unit(index, place, slices, points.shape, points.ravel()))
    return tuple(found)


def chunk_files(folder: Path, array: ZarrArray, unit: Unit) -> Iterator[Path]:
    """The files that hold a unit of an array, whether they are there or not.

    Parameters
    ----------
    folder : Path
        The store.
    array : zarr.Array
        With the swept dimensions first, as `build` makes them.
    unit : Unit
    """
    swept = len(unit.place)
    counts = map(math.ceil, np.divide(array.shape, array.chunks)[swept:])
    for inner in itertools.product(*map(range, counts)):
        yield folder / array.path / ".".join(("c", *map(str, (*unit.place, *inner))))


# --- making ------------------------------------------------------------------------------------


def build(
    folder: Path,
    *,
    identity: Mapping[str, str],
    template: Mapping[str, xr.Dataset],
    points: SweptPoints,
    fixed: Mapping[str, xr.Dataset],
    attributes: Mapping[str, Any],
) -> None:
    """Lay out an empty sweep in an empty folder.

    Parameters
    ----------
    folder : Path
    identity : mapping of str to str
        From `simdc.sweep.identity.sweep_identity`.
    template : mapping of str to Dataset
        The groups of one point: float variables, which every point fills anew, and coordinates,
        which are the same at every point.
    points : SweptPoints
    fixed : mapping of str to Dataset
        Groups that are the same for all points.
    attributes : mapping of str to object
        Further attributes of the root.
    """
    with warnings.catch_warnings():
        # Zarr warns of what its readers in other languages may not know yet, and of our lock.
        warnings.filterwarnings("ignore", message=".*not part in the Zarr format 3")
        warnings.filterwarnings("ignore", message=f"Object at {re.escape(BOOKKEEPING)}")
        root = zarr.open_group(
            folder,
            mode="a",
            zarr_format=3,
            attributes={
                **attributes,
                "format": FORMAT,
                "format_version": FORMAT_VERSION,
                "identity": json.dumps(dict(identity)),
                "identity_sha256": fingerprint(identity),
                "swept": list(points.labels),
                "swept_dims": list(points.dims),
                "swept_shape": list(points.shape),
                "unit_shape": list(points.unit),
            },
        )
        for name, dataset in fixed.items():
            _add_labels(_add_group(root, name, dataset), dataset.variables)
        progress = root.create_group(PROGRESS)
        for name, dataset in template.items():
            _add_point_group(_add_group(root, name, dataset), dataset, points)
            _add_digests(progress, name.strip("/"), points)
        zarr.consolidate_metadata(root.store)


def _add_group(root: zarr.Group, name: str, dataset: xr.Dataset) -> zarr.Group:
    return root.create_group(name.strip("/"), attributes=dict(dataset.attrs))


def _add_point_group(group: zarr.Group, dataset: xr.Dataset, points: SweptPoints) -> None:
    for name, variable in dataset.data_vars.items():
        if variable.dtype.kind != "f":
            raise ValueError(f"'{name}' is not a float; what is no figure belongs in a coordinate")
        chunks = [INNER_CHUNKS.get(str(dim), size) for dim, size in variable.sizes.items()]
        _add_array(
            group,
            str(name),
            dims=(*points.dims, *map(str, variable.dims)),
            shape=points.shape + variable.shape,
            chunks=(*points.unit, *chunks),
            dtype="<f8",
            fill_value=math.nan,
            attributes=variable.attrs,
        )
    swept = {label: xr.Variable(dim, values) for label, (dim, values) in points.labels.items()}
    labels = {**{str(name): each.variable for name, each in dataset.coords.items()}, **swept}
    _add_labels(group, labels)
    # A name with a space cannot stand in this list of the CF conventions.
    beside = [name for name, label in labels.items() if label.dims != (name,) and " " not in name]
    group.attrs.update(
        {
            "per_point": sorted(map(str, dataset.data_vars)),
            **({"coordinates": " ".join(beside)} if beside else {}),
        }
    )


def _add_digests(progress: zarr.Group, name: str, points: SweptPoints) -> None:
    _add_array(
        progress,
        name,
        dims=(*points.dims, "byte"),
        shape=(*points.shape, DIGEST_BYTES),
        chunks=(*points.unit, DIGEST_BYTES),
        dtype="uint8",
        fill_value=0,
        attributes={"long_name": f"BLAKE2b digest of every point of {name}; zeros: not finished"},
    )


def _add_labels(group: zarr.Group, variables: Mapping[Any, xr.Variable]) -> None:
    """Arrays that are written once, whole."""
    for name, variable in variables.items():
        values = np.asarray(variable.values)
        is_text = values.dtype.kind in "OUT"
        array = _add_array(
            group,
            str(name),
            dims=tuple(map(str, variable.dims)),
            shape=values.shape,
            chunks=values.shape,
            dtype=str if is_text else values.dtype,
            fill_value="" if is_text else 0,
            attributes=variable.attrs,
        )
        array[...] = values.astype(str) if is_text else values


def _add_array(
    group: zarr.Group,
    name: str,
    *,
    dims: tuple[str, ...],
    shape: tuple[int, ...],
    chunks: Sequence[int],
    dtype: Any,
    fill_value: Any,
    attributes: Mapping[Any, Any],
) -> ZarrArray:
    return group.create_array(
        name,
        shape=shape,
        # No chunk is longer than its array: the reader would fill what is beyond for nothing.
        chunks=tuple(max(1, min(pair)) for pair in zip(chunks, shape, strict=True)),
        dtype=dtype,
        fill_value=fill_value,
        compressors=[Crc32cCodec()],
        # One folder per array, so that forcing a unit to disk takes few calls.
        chunk_key_encoding={"name": "default", "separator": "."},
        dimension_names=dims,
        attributes={str(key): value for key, value in attributes.items()},
    )
