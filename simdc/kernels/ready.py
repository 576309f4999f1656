"""Compile every kernel once, and know whether that has been done."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np

from simdc.kernels.jit import COMPILED, cache_folder, compile_lock
from simdc.kernels.philox import GROUPS, philox_words
from simdc.kernels.strip import segment_sums

__all__ = ["is_compiled", "warm_up"]


def _marker() -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / COMPILED


def is_compiled() -> bool:
    """Whether compiled kernels for this version and processor are on disk."""
    marker = _marker()
    return marker is not None and marker.exists()


def warm_up() -> float:
    """Compile or load every kernel.

    Processes that start at once compile once: the others wait for the first and load its work.

    Returns
    -------
    float
        Seconds it took.
    """
    started = time.perf_counter()
    if is_compiled():
        try:
            _call_everything()
        except Exception:
            # Damaged files on disk; an error of our own will show again below.
            _empty(cache_folder())
    if not is_compiled():
        with compile_lock():
            _call_everything()
            marker = _marker()
            if marker is not None:
                marker.touch()
    return time.perf_counter() - started


def _empty(folder: Path | None) -> None:
    for entry in folder.iterdir() if folder is not None else ():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _call_everything() -> None:
    """Run each kernel on the smallest input, with the types that the engine passes."""
    philox_words(seed=0, first_draw=0, count=1, stream=0)
    zero = np.uint64(0)
    segment_sums(
        np.empty(1),
        np.empty((1, 1)),
        zero,
        zero,
        zero,
        zero,
        np.ones(4 * GROUPS, dtype=np.float32),
        np.zeros((4 * GROUPS, 1)),
        np.ones(1),
        np.zeros(1 << 15, dtype=np.uint64),
        np.zeros((1 << 12, 2)),
    )
