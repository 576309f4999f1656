"""Interrupts and polite kills that are never lost.

Python raises an exception out of a signal wherever the program happens to be. Inside a callback of
the garbage collector it is swallowed with a message and the program goes on. So the signal is
noted as well, and long work asks between its steps.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

__all__ = ["check", "install"]

_noted: list[int] = []


def install() -> None:
    """Note interrupts and requests to end from now on; call from the main thread."""
    _noted.clear()
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, _note)


def check() -> None:
    """Stop now if that was asked for and lost.

    Raises
    ------
    KeyboardInterrupt
        After an interrupt.
    SystemExit
        After a request to end, with the status that shells expect.
    """
    if _noted:
        _stop(_noted[0])


def _note(signum: int, frame: FrameType | None) -> None:
    _noted.append(signum)
    _stop(signum)


def _stop(signum: int) -> None:
    if signum == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + signum)
