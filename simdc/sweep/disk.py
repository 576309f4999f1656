"""Folders that appear whole or not at all, come back as they were made, and outlive a power cut."""

from __future__ import annotations

import contextlib
import errno
import functools
import glob
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from simdc.errors import InputError, SimdcError
from simdc.sweep.lock import BOOKKEEPING, WriterLock

__all__ = ["check_new", "cleaned", "force", "is_sweep", "new_folder", "refusal", "restored"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_FORCED_AT_ONCE = 8  # a disk writes several files in little more time than one
_ORIGIN = f"{BOOKKEEPING}/origin.zip"


def refusal(path: Path, error: OSError) -> SimdcError:
    """Why nothing could be written, as an input error unless the disk itself is at its end."""
    told = error.strerror or str(error)
    if error.errno in _FULL:
        return SimdcError(f"{path}: cannot be written: {told}.")
    return InputError(f"cannot be written: {told}", file=path)


def is_sweep(path: Path) -> bool:
    """Whether that is the folder of a sweep, be it damaged."""
    return (path / _ORIGIN).exists()


def check_new(path: str | Path) -> None:
    """Make sure that a sweep can be made there, before hours are spent on it; nothing is written.

    Raises
    ------
    InputError
        When something is there already, or nothing can be made there.
    """
    path = Path(path)
    try:
        _check_new(path)
    except OSError as error:
        raise refusal(path, error) from error


def _check_new(path: Path) -> None:
    if is_sweep(path):
        raise InputError(
            "is a sweep already; go on with it by --resume, or remove it first", file=path
        )
    if path.is_dir():
        raise InputError("is a folder, but not a sweep; give the name of a new folder", file=path)
    if path.exists() or path.is_symlink():
        raise InputError("is a file, and a sweep is a folder; give another name", file=path)
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise InputError(f"cannot be written: {above} is a file, not a folder", file=path)
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(f"cannot be written: {above} is write-protected", file=path)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill under a temporary name, which takes its own when the block ends well.

    Raises
    ------
    InputError
        When nothing can be made there.
    SimdcError
        When the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        temporary.mkdir()
        with WriterLock(temporary):
            yield temporary
            _keep_origin(temporary)
        force(_tree(temporary))
        temporary.rename(path)
        force([path.parent])
    except OSError as error:
        raise refusal(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _remove_abandoned(path: Path) -> None:
    """Remove what earlier processes left when they were killed while making this folder."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        with contextlib.suppress(InputError, OSError), WriterLock(left):
            shutil.rmtree(left)


def _keep_origin(folder: Path) -> None:
    """Keep the folder's files a second time, with checksums."""
    names = sorted(path.relative_to(folder) for path in _tree(folder) if path.is_file())
    with zipfile.ZipFile(folder / _ORIGIN, "w") as archive:
        for name in names:
            if name.parts[0] != BOOKKEEPING:
                archive.write(folder / name, name)


def restored(folder: Path) -> list[str]:
    """Put back every file that was there when the folder was made and has changed since.

    Returns
    -------
    list of str
        Names of the files that were put back, from the folder.
    """
    try:
        with zipfile.ZipFile(folder / _ORIGIN) as archive:
            kept = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # whatever a damaged archive brings about, it is of no help then
        return []
    changed = [name for name, content in kept.items() if _content(folder / name) != content]
    with zipfile.ZipFile(folder / _ORIGIN) as archive:
        archive.extractall(folder, changed)
    return changed


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


def cleaned(folder: Path) -> None:
    """Remove files that a killed process had begun to write."""
    for left in folder.rglob("*.partial"):  # as Zarr names them
        left.unlink(missing_ok=True)


def force(paths: Iterable[Path]) -> None:
    """Have files, and the entries of folders, on disk before going on.

    What is not there is passed, and folders where the system cannot open them.
    """
    for _ in _pool().map(_force, paths):
        pass


@functools.cache
def _pool() -> ThreadPoolExecutor:
    """Threads for as long as the process lives: to start them for each unit takes longer."""
    return ThreadPoolExecutor(_FORCED_AT_ONCE)


def _force(path: Path) -> None:
    is_folder = path.is_dir()
    if is_folder and not hasattr(os, "O_DIRECTORY"):
        return
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _tree(folder: Path) -> Iterator[Path]:
    yield from folder.rglob("*")
    yield folder
