"""One writer at a time: a lock that the operating system takes back from a process that dies."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from simdc.errors import InputError

__all__ = ["BOOKKEEPING", "WriterLock"]

BOOKKEEPING = ".simdc"
"""Folder in a store that holds what is no part of the sweep: the lock, and the way back."""


class WriterLock:
    """The right to write to a store. A lock file that is left over does not hold anybody up.

    Parameters
    ----------
    folder : Path
        The store.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # The holder is named in a file of its own: some systems forbid reading what is locked.
        self._holder = folder / BOOKKEEPING / "writer"
        self._lock = FileLock(folder / BOOKKEEPING / "lock", timeout=0, thread_local=False)

    def acquire(self) -> None:
        """Take the lock, or say who has it.

        Raises
        ------
        InputError
            When another writer has it, or the file system knows no locks.
        OSError
            When nothing can be written there.
        """
        try:
            self._holder.parent.mkdir(exist_ok=True)
            self._lock.acquire()
            self._holder.write_text(str(os.getpid()))
        except Timeout:
            raise InputError(
                f"{self._writer()} is writing to this sweep; wait for it to end, or write to "
                "another folder",
                file=self._folder,
            ) from None
        except NotImplementedError:
            raise InputError(
                "cannot be locked on this file system; write to a folder on another",
                file=self._folder,
            ) from None
        except OSError:
            self.release()
            raise

    def release(self) -> None:
        """Give the lock back; nothing happens to one that is not held."""
        if self._lock.is_locked:
            self._holder.unlink(missing_ok=True)
            self._lock.release()

    def _writer(self) -> str:
        try:
            return f"process {int(self._holder.read_text())}"
        except (OSError, ValueError):
            return "another process"

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()
