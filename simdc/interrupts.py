"""Interrupts and polite kills that are never lost.

Python raises an exception out of a signal wherever the program happens to be. Inside a callback of
the garbage collector it is swallowed with a message and the program goes on. So the signal is
noted as well, and long work asks between its steps; the message is left out.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["check", "held", "install", "noted"]

_WANTED = (signal.SIGINT, signal.SIGTERM)

_noted: list[int] = []


def install() -> None:
    """Note interrupts and requests to end from now on; call from the main thread."""
    _noted.clear()
    for wanted in _WANTED:
        signal.signal(wanted, _note)
    sys.unraisablehook = _tell_unless_noted


def check() -> None:
    """Stop now if that was asked for and lost.

    Raises
    ------
    KeyboardInterrupt
        After an interrupt.
    SystemExit
        After a request to end, with the status that shells expect.
    """
    if (signum := noted()) is not None:
        _stop(signum)


def noted() -> int | None:
    """The signal that asked for an end, if any did."""
    return _noted[0] if _noted else None


@contextmanager
def held() -> Iterator[None]:
    """Let signals wait for the end of the context, where half of what it does would be a mess."""
    if threading.current_thread() is not threading.main_thread():  # signals go to that one
        yield
        return
    came: list[int] = []
    before = {
        wanted: signal.signal(wanted, lambda signum, frame: came.append(signum))
        for wanted in _WANTED
    }
    try:
        yield
    finally:
        for wanted, handler in before.items():
            signal.signal(wanted, signal.SIG_DFL if handler is None else handler)
        for signum in came[:1]:
            signal.raise_signal(signum)


def _note(signum: int, frame: FrameType | None) -> None:
    _noted.append(signum)
    _stop(signum)


def _tell_unless_noted(unraisable: sys.UnraisableHookArgs) -> None:
    if not (_noted and issubclass(unraisable.exc_type, (KeyboardInterrupt, SystemExit))):
        sys.__unraisablehook__(unraisable)


def _stop(signum: int) -> None:
    if signum == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + signum)
