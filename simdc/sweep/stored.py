"""A sweep on disk: what it is of, its units, and whether they are what they were when written."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import zarr
from numpy.typing import NDArray

from simdc.errors import InputError, SimdcError
from simdc.sweep.digest import DIGEST_BYTES, point_digests
from simdc.sweep.disk import is_sweep
from simdc.sweep.identity import FORMAT, FORMAT_VERSION
from simdc.sweep.layout import PROGRESS, Unit, ZarrArray, units_of

__all__ = ["StoredSweep", "UnitState", "content_hash", "root_attributes", "telling_damage"]

_ROOT = "zarr.json"

UnitState = Literal["finished", "open", "damaged"]

_UNREADABLE = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError)


@contextlib.contextmanager
def telling_damage(path: Path) -> Iterator[None]:
    """Say in one sentence that a sweep is damaged, whatever a reader says of it."""
    try:
        yield
    except PermissionError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    except _UNREADABLE as error:
        raise InputError(
            "is damaged; --resume works out again what can be, or remove it and start anew",
            file=path,
        ) from error


def root_attributes(path: Path) -> dict[str, Any]:
    """The attributes of a stored sweep.

    Raises
    ------
    InputError
        When there is no sweep of a format that is understood, or it is damaged.
    """
    try:
        _check_folder(path)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    with telling_damage(path):
        document = json.loads((path / _ROOT).read_text(encoding="utf-8"))
        attributes = dict(document["attributes"])
    if attributes.get("format") != FORMAT:
        raise InputError("is a Zarr store, but not a sweep of simdc", file=path)
    if attributes.get("format_version") != FORMAT_VERSION:
        raise InputError("was written by another version of simdc; read it with that", file=path)
    return attributes


def _check_folder(path: Path) -> None:
    if not path.exists():
        raise InputError(
            "nothing is stored there yet; leave out --resume, or check the name", file=path
        )
    if not path.is_dir():
        raise InputError("is a file, and a sweep is a folder", file=path)
    if not (path / _ROOT).exists() and not is_sweep(path):
        raise InputError("is a folder, but not a sweep", file=path)


class StoredSweep:
    """The arrays of a sweep, unit by unit.

    Parameters
    ----------
    path : Path
    mode : {'r', 'r+'}, optional
        Whether its arrays can be written to.

    Attributes
    ----------
    units : tuple of Unit
    arrays : mapping of str to mapping of str to zarr.Array
        Per group, every variable that points fill, swept dimensions first.
    every_array : list of zarr.Array
        The same, of all groups.
    progress : mapping of str to zarr.Array
        Per group, the digest of every point; zeros until its unit is finished.

    Raises
    ------
    InputError
        As `root_attributes`.
    """

    def __init__(self, path: Path, mode: Literal["r", "r+"] = "r") -> None:
        self.path = path
        self.attributes = root_attributes(path)
        with telling_damage(path):
            self.shape = tuple(self.attributes["swept_shape"])
            self.units = units_of(self.shape, self.attributes["unit_shape"])
            self._root = zarr.open_group(path, mode=mode, zarr_format=3)
            self.progress: dict[str, ZarrArray] = dict(sorted(self._group(PROGRESS).arrays()))
            self.arrays = {group: self._per_point(group) for group in self.progress}
        self.every_array = [array for group in self.arrays.values() for array in group.values()]

    def state(self, unit: Unit) -> UnitState:
        """Whether a unit is there, not there yet, or not what was written.

        A unit is finished when every group of it has a record that agrees with its content.
        """
        try:
            records = [array[unit.slices] for array in self.progress.values()]
            if not all(np.any(record) for record in records):
                return "open"
            found = (self.digests(unit, group) for group in self.progress)
            return "finished" if all(map(np.array_equal, records, found)) else "damaged"
        except _UNREADABLE:
            return "damaged"

    def digests(self, unit: Unit, group: str) -> NDArray[np.uint8]:
        """Digests of a unit's points over the variables of a group, as they are on disk."""
        variables = (np.asarray(array[unit.slices]) for array in self.arrays[group].values())
        return point_digests(variables, unit.shape)

    def content_hash(self) -> str:
        """One hash of all that a finished sweep says: labels, points and their figures.

        It does not depend on how points were cut into units, in which order these were written,
        or how often the sweep was resumed; nor on the attributes, which tell of host and time.

        Returns
        -------
        str
            64 hexadecimal digits.

        Raises
        ------
        SimdcError
            When a unit is not finished, or damaged.
        """
        missing = sum(self.state(unit) != "finished" for unit in self.units)
        if missing:
            raise SimdcError(
                f"{self.path}: {missing} of {len(self.units)} units are not finished or are "
                "damaged; go on with --resume."
            )
        whole = hashlib.blake2b(digest_size=DIGEST_BYTES)
        with telling_damage(self.path):
            for name, array in sorted(self._root.members(max_depth=None)):
                group, _, variable = name.rpartition("/")
                if not isinstance(array, zarr.Array) or group == PROGRESS:
                    continue
                whole.update(json.dumps([name, array.shape]).encode())
                if variable not in self.arrays.get(group, ()):
                    whole.update(json.dumps(np.asarray(array[...]).tolist()).encode())
            for records in self.progress.values():
                whole.update(np.asarray(records[...]).tobytes())
        return whole.hexdigest()

    def _group(self, name: str) -> zarr.Group:
        group = self._root[name]
        if not isinstance(group, zarr.Group):
            raise TypeError(f"{name} is no group")
        return group

    def _per_point(self, name: str) -> dict[str, ZarrArray]:
        group = self._group(name)
        arrays = dict(group.arrays())
        names = cast("list[str]", group.attrs["per_point"])
        return {name: arrays[name] for name in names}


def content_hash(path: str | Path) -> str:
    """One hash of all that a finished sweep says, see `StoredSweep.content_hash`.

    Raises
    ------
    InputError
        When there is no sweep, or it is damaged.
    SimdcError
        When a unit is not finished, or damaged.
    """
    return StoredSweep(Path(path)).content_hash()
