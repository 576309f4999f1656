"""An interrupt that is never lost.

Python raises KeyboardInterrupt wherever the program happens to be. Inside a callback of the
garbage collector it is swallowed with a message and the program goes on. So it is noted as well,
and long work asks between its steps.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

__all__ = ["check", "install"]

_seen = threading.Event()


def install() -> None:
    """Note interrupts from now on; call from the main thread."""
    _seen.clear()
    signal.signal(signal.SIGINT, _note)


def check() -> None:
    """Raise KeyboardInterrupt if one was asked for and lost."""
    if _seen.is_set():
        raise KeyboardInterrupt


def _note(signum: int, frame: FrameType | None) -> None:
    _seen.set()
    raise KeyboardInterrupt
