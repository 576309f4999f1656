"""What every executor does, and how a run is cut into jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from simdc.executors.local import Threads

__all__ = ["Executor", "blocks"]

Shared = TypeVar("Shared")
Job = TypeVar("Job")
Result = TypeVar("Result")

Block = tuple[int, int]


def blocks(draws: int, size: int) -> Iterator[Block]:
    """Cut a run into consecutive blocks (start, stop) of at most `size` draws."""
    for start in range(0, draws, size):
        yield start, min(start + size, draws)


class Executor(Protocol):
    """Runs jobs somewhere and hands back their results as they finish."""

    @property
    def workers(self) -> int:
        """Jobs that run at the same time."""

    @property
    def job_seconds(self) -> float:
        """How long a job should take on one processor, so that handing it over costs little."""

    @property
    def threads(self) -> Threads:
        """Threads of this process, for work that is too light to be sent anywhere."""

    def run(
        self, work: Callable[[Shared, Job], Result], shared: Shared, jobs: Iterable[Job]
    ) -> Iterator[tuple[int, Result]]:
        """Call ``work(shared, job)`` for every job.

        Parameters
        ----------
        work : callable
            A pure function that is known by its name: a cluster's workers import it.
        shared : object
            What all jobs need; a cluster sends it to each worker once.
        jobs : iterable
            Taken one by one as there is room, so that few are held at a time.

        Yields
        ------
        index, result
            The job's place among the jobs, in the order in which they finish.

        Raises
        ------
        KeyboardInterrupt
            When interrupted: jobs under way are finished, the rest are dropped.
        """
