"""Jobs on threads of this process. Kernels hold no lock, so threads share the processors well."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from simdc import interrupts

__all__ = ["Threads", "available_threads"]

Shared = TypeVar("Shared")
Job = TypeVar("Job")
Result = TypeVar("Result")

_IN_FLIGHT = 3  # jobs per thread: one that runs and a few that wait
_PATIENCE = 0.1  # seconds between two looks for an interrupt


def available_threads() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Threads:
    """An executor on a pool of threads; one thread means the calling one.

    Attributes
    ----------
    workers : int
    job_seconds : float
        Small, so that progress and interrupts are seen to.
    """

    workers: int = 1
    job_seconds: float = 0.05

    @classmethod
    def all(cls) -> Threads:
        """One thread for every processor that this process may use."""
        return cls(available_threads())

    @property
    def threads(self) -> Threads:
        """See `Executor.threads`."""
        return self

    def run(
        self, work: Callable[[Shared, Job], Result], shared: Shared, jobs: Iterable[Job]
    ) -> Iterator[tuple[int, Result]]:
        """See `Executor.run`."""
        if self.workers == 1:
            for index, job in enumerate(jobs):
                interrupts.check()
                yield index, work(shared, job)
            return
        waiting = enumerate(jobs)
        with ThreadPoolExecutor(max_workers=self.workers) as pool:
            pending: dict[Future[Result], int] = {}
            try:
                while True:
                    for index, job in islice(waiting, _IN_FLIGHT * self.workers - len(pending)):
                        pending[pool.submit(work, shared, job)] = index
                    if not pending:
                        return
                    interrupts.check()
                    finished, _ = wait(pending, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
                    for future in finished:
                        yield pending.pop(future), future.result()
            except BaseException:  # an interrupt, or a reader that has had enough
                pool.shutdown(wait=True, cancel_futures=True)
                raise
