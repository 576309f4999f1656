"""The store of a sweep while it is being worked out: made, filled unit by unit, gone on with.

A unit is on disk before it is recorded, and its record holds a digest of it. So after a kill, a
full disk or a power cut every unit is either finished, to the bit, or worked out again.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from simdc.errors import InputError, SimdcError
from simdc.sweep.digest import canonical, point_digests
from simdc.sweep.disk import check_new, cleaned, force, is_sweep, new_folder, refusal, restored
from simdc.sweep.identity import differences, fingerprint
from simdc.sweep.layout import SweptPoints, Unit, ZarrArray, build, chunk_files
from simdc.sweep.lock import WriterLock
from simdc.sweep.stored import StoredSweep, root_attributes, telling_damage

__all__ = ["Finished", "SweepStore"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Finished:
    """What a store holds of a sweep.

    Attributes
    ----------
    whole : tuple of int
        Units that are finished and agree with their records, rising.
    damaged : tuple of int
        Units that were recorded but are not what was written; to be worked out again.
    """

    whole: tuple[int, ...]
    damaged: tuple[int, ...]


class SweepStore:
    """A sweep that this process, and no other, is writing; use it in a ``with`` statement.

    Made by `create` or `resume`.

    Attributes
    ----------
    path : Path
    units : tuple of Unit
        All units, in order.
    restored : tuple of str
        Files with labels or metadata that were damaged and have been put back.
    """

    def __init__(self, path: Path, lock: WriterLock, put_back: Sequence[str]) -> None:
        self.path = path
        self.restored = tuple(put_back)
        self._lock = lock
        self._stored = StoredSweep(path, "r+")
        self.units = self._stored.units

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        identity: Mapping[str, str],
        template: Mapping[str, xr.Dataset],
        dims: Sequence[str],
        shape: Sequence[int],
        coords: Mapping[str, tuple[str, ArrayLike]],
        chunks: Sequence[int],
        attrs: Mapping[str, Any] | None = None,
        fixed: Mapping[str, xr.Dataset] | None = None,
    ) -> Self:
        """Make an empty store, which is there as a whole or not at all.

        Parameters
        ----------
        path : path-like
            A folder that does not exist yet; the folders above it are made if need be.
        identity : mapping of str to str
            From `simdc.sweep.identity.sweep_identity`.
        template : mapping of str to Dataset
            The groups of one point, such as ``summary``. Variables are floats, which every point
            fills; coordinates are the same at every point.
        dims : sequence of str
            Swept dimensions.
        shape : sequence of int
            Number of points along each.
        coords : mapping of str to (str, sequence)
            Label of every swept path: the dimension it lies along and its values.
        chunks : sequence of int
            Number of points of a unit along each swept dimension.
        attrs : mapping of str to object, optional
            Further attributes of the store, such as who made it; no part of its content.
        fixed : mapping of str to Dataset, optional
            Groups that are the same for all points.

        Raises
        ------
        InputError
            When something is there already, or nothing can be made there.
        SimdcError
            When the disk is full.
        """
        path = Path(path)
        points = SweptPoints(tuple(dims), tuple(shape), tuple(chunks), coords)
        check_new(path)
        with new_folder(path) as folder:
            build(
                folder,
                identity=identity,
                template=template,
                points=points,
                fixed=fixed or {},
                attributes=attrs or {},
            )
        return cls.resume(path, identity)

    @classmethod
    def resume(cls, path: str | Path, identity: Mapping[str, str]) -> Self:
        """Open a store to go on with it; `finished` says what is left to do.

        Parameters
        ----------
        path : path-like
        identity : mapping of str to str
            Of the sweep to go on with.

        Raises
        ------
        InputError
            When there is no store, it is of another sweep, another process is writing to it, it
            cannot be written, or its metadata are damaged beyond repair.
        SimdcError
            When the disk is full.
        """
        path = Path(path)
        lock = WriterLock(path)
        try:
            if not is_sweep(path):
                root_attributes(path)  # says what it is instead
            lock.acquire()
            put_back = restored(path)
            cleaned(path)
            _check_identity(path, identity)
            return cls(path, lock, put_back)
        except OSError as error:
            lock.release()
            raise refusal(path, error) from error
        except BaseException:
            lock.release()
            raise

    def finished(self) -> Finished:
        """Read every recorded unit back and compare it with its record.

        What is damaged loses its record, so that no reader takes it for finished.
        """
        states = [self._stored.state(unit) for unit in self.units]
        whole, damaged = (
            tuple(unit.index for unit, state in zip(self.units, states, strict=True) if state == of)
            for of in ("finished", "damaged")
        )
        with self._telling():
            for index in damaged:
                self._forget(self.units[index])
        return Finished(whole, damaged)

    def write(self, unit: Unit, values: Mapping[str, NDArray[np.floating]]) -> None:
        """Put a unit on disk, and record it once it is there.

        Parameters
        ----------
        unit : Unit
            One of `units`.
        values : mapping of str to array
            By ``group/variable``: the shape of the unit, then the dimensions of the variable.

        Raises
        ------
        SimdcError
            When the disk is full or fails; what was recorded before is safe.
        """
        found = self._checked(unit, values)
        with self._telling():
            self._forget(unit)
            arrays = self._stored.every_array
            for array in arrays:
                array[unit.slices] = found[array.path]
            self._force(arrays, unit)
            for group, record in self._stored.progress.items():
                variables = [found[array.path] for array in self._stored.arrays[group].values()]
                record[unit.slices] = point_digests(variables, unit.shape)
            self._force(self._stored.progress.values(), unit)

    def content_hash(self) -> str:
        """One hash of all that the finished sweep says, see `StoredSweep.content_hash`."""
        return self._stored.content_hash()

    def close(self) -> None:
        """Let others write."""
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _checked(self, unit: Unit, values: Mapping[str, NDArray[np.floating]]) -> dict[str, Array]:
        """The values of every variable, in the form in which they are stored and compared."""
        arrays = self._stored.every_array
        if strange := set(values).symmetric_difference(array.path for array in arrays):
            raise ValueError(f"missing, or not in the template: {', '.join(sorted(strange))}")
        for array in arrays:
            expected = (*unit.shape, *array.shape[len(unit.shape) :])
            if values[array.path].shape != expected:
                raise ValueError(
                    f"{array.path} has shape {values[array.path].shape}, not {expected}"
                )
        return {name: canonical(given) for name, given in values.items()}

    def _forget(self, unit: Unit) -> None:
        """Take a unit off the disk, its record first; a damaged chunk cannot be written over."""
        for array in (*self._stored.progress.values(), *self._stored.every_array):
            for file in chunk_files(self.path, array, unit):
                file.unlink(missing_ok=True)

    def _force(self, arrays: Collection[ZarrArray], unit: Unit) -> None:
        """Have the chunks of a unit on disk, and the folders that name them."""
        force(file for array in arrays for file in chunk_files(self.path, array, unit))
        force(self.path / array.path for array in arrays)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SimdcError(
                f"{self.path}: cannot be written: {error.strerror or error}; what is finished is "
                "safe, go on with --resume."
            ) from error


def _check_identity(path: Path, identity: Mapping[str, str]) -> None:
    attributes = root_attributes(path)
    if attributes.get("identity_sha256") == fingerprint(identity):
        return
    with telling_damage(path):
        stored = json.loads(attributes["identity"])
        differing = ", ".join(differences(stored, identity)) or "its identity"
    if ("portfolio" in stored) != ("portfolio" in identity):
        kinds = "a portfolio", "variants of one scenario"
        held, asked = kinds if "portfolio" in stored else reversed(kinds)
        raise InputError(f"holds {held}, not {asked}", file=path)
    raise InputError(
        f"is of another sweep, which differs in {differing}; resume it with what it was started "
        "with, or write to a new folder",
        file=path,
    )
