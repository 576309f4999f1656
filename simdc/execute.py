"""Where blocks of draws run: one after another, or on a pool of threads.

Kernels hold no lock and each block writes its own slice, so threads change nothing but the time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from simdc import interrupts

__all__ = ["available_threads", "blocks", "run_blocks"]

Block = tuple[int, int]


def available_threads() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def blocks(draws: int, size: int) -> Iterator[Block]:
    """Cut a run into consecutive blocks (start, stop) of at most `size` draws."""
    for start in range(0, draws, size):
        yield start, min(start + size, draws)


def run_blocks(
    work: Callable[[int, int], None],
    draws: int,
    *,
    block_size: int,
    threads: int,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Call ``work(start, stop)`` for every block.

    Parameters
    ----------
    work : callable
        Fills the slice ``start:stop`` of arrays it owns.
    draws, block_size, threads : int
        One thread means the calling one.
    progress : callable, optional
        Told the number of draws done, from the calling thread.

    Raises
    ------
    KeyboardInterrupt
        When interrupted: blocks under way are finished, the rest are dropped.
    """
    if threads == 1:
        for start, stop in blocks(draws, block_size):
            interrupts.check()
            work(start, stop)
            progress(stop)
        return
    with ThreadPoolExecutor(max_workers=threads) as pool:
        pending: dict[Future[None], int] = {
            pool.submit(work, start, stop): stop - start
            for start, stop in blocks(draws, block_size)
        }
        done = 0
        try:
            while pending:
                interrupts.check()
                finished, _ = wait(pending, timeout=0.1, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
                    done += pending.pop(future)
                progress(done)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
