"""Jobs on the workers of a Dask cluster: one that exists, or one of processes on this machine.

What all jobs of a pass share travels as a task of its own. The scheduler has its result handed to
each worker once, to late ones too, and can make it again when the only worker that held it has
died; data that are merely scattered would be lost. Everything travels pickled, so that the
scheduler carries bytes and does not look inside.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import queue
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import dask
from distributed import Client, Future, KilledWorker
from distributed.client import ClosedClientError
from distributed.utils import silence_logging_cmgr

from simdc import interrupts
from simdc.errors import SimdcError
from simdc.executors.connect import client_of, local_cluster
from simdc.executors.local import Threads, available_threads
from simdc.executors.worker import Pass, Software, do, unpack

__all__ = ["Dask"]

Shared = TypeVar("Shared")
Job = TypeVar("Job")
Result = TypeVar("Result")

_IN_FLIGHT = 3  # jobs per worker thread: one that runs and a few that wait
_PATIENCE = 0.1  # seconds between two looks for an interrupt
_WORKERLESS_SECONDS = 60  # a batch system takes its time, but nobody waits for ever

_SETTINGS = {
    # What a pass shares is sent large on purpose, and once.
    "distributed.admin.large-graph-warning-threshold": "1 TiB",
    # Of a cluster that is started here: workers are killed by chance rather than by a job, and
    # one that is gone is not called for half a minute.
    "distributed.scheduler.allowed-failures": 10,
    "distributed.comm.timeouts.connect": "10s",
}


@dataclass(frozen=True)
class Dask:
    """An executor on a Dask cluster, made by `connect`.

    Attributes
    ----------
    client : distributed.Client
    address : str
        Of the scheduler.
    job_seconds : float
        Long beside the milliseconds that a task costs, short beside what one would mind to lose
        with a worker.
    """

    client: Client
    address: str
    job_seconds: float = 2.0

    @classmethod
    @contextmanager
    def connect(
        cls, scheduler: str | None = None, workers: int | None = None, *, dashboard: bool = False
    ) -> Iterator[Dask]:
        """Use a cluster for as long as the context lasts.

        Parameters
        ----------
        scheduler : str, optional
            Address of a running scheduler, such as ``tcp://10.0.0.5:8786`` or ``tls://...``;
            certificates are taken from Dask's own configuration. Without it a cluster of processes
            is started on this machine, and ended with the context.
        workers : int, optional
            Processes of that cluster, of one thread each; one per processor by default.
        dashboard : bool, optional
            Whether that cluster serves Dask's dashboard, to this machine alone, at
            ``client.dashboard_link``.

        Yields
        ------
        Dask

        Raises
        ------
        InputError
            When the address is none, or the dashboard lacks what it is made with.
        SimdcError
            When no scheduler answers, it has no workers, or they have other software.
        """
        with (
            silence_logging_cmgr(logging.CRITICAL),
            dask.config.set(_SETTINGS),
            contextlib.ExitStack() as opened,
        ):
            if scheduler is None:
                with interrupts.held():
                    cluster = opened.enter_context(
                        local_cluster(workers or available_threads(), dashboard=dashboard)
                    )
                    client = opened.enter_context(Client(cluster, set_as_default=False))
                executor = cls(client, cluster.scheduler_address)
            else:
                client = opened.enter_context(client_of(scheduler))
                executor = cls(client, scheduler)
                executor._await_workers()
                executor._check_software()
            try:
                yield executor
            finally:
                with interrupts.held():
                    opened.close()

    @property
    def workers(self) -> int:
        """Jobs that run at the same time: threads of all workers there are now."""
        with self._reaching():
            return sum(self.client.nthreads().values())

    @property
    def threads(self) -> Threads:
        """See `Executor.threads`."""
        return Threads.all()

    def run(
        self, work: Callable[[Shared, Job], Result], shared: Shared, jobs: Iterable[Job]
    ) -> Iterator[tuple[int, Result]]:
        """See `Executor.run`.

        Raises
        ------
        SimdcError
            When the scheduler is gone, no worker is left, one that joined has other software, or
            a job killed one worker after another.
        """
        name = f"simdc-{uuid.uuid4().hex}"
        packed = pickle.dumps(Pass(work, shared, Software.here()))
        common = self._submit(f"{name}-shared", unpack, packed)
        waiting = enumerate(jobs)
        pending: dict[Future[Result], int] = {}
        finished: queue.SimpleQueue[Future[Result]] = queue.SimpleQueue()
        try:
            while True:
                room = _IN_FLIGHT * max(self.workers, 1) - len(pending)
                for index, job in islice(waiting, max(room, 0)):
                    future = self._submit(f"{name}-{index}", do, common, pickle.dumps(job))
                    future.add_done_callback(finished.put)
                    pending[future] = index
                if not pending:
                    return
                future = self._next(finished)
                yield pending.pop(future), self._result(future)
        except BaseException:  # an interrupt, or a reader that has had enough
            self._drop([common, *pending])
            raise

    def _submit(self, key: str, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        with self._reaching():
            return self.client.submit(work, *arguments, key=key, pure=False)

    def _next(self, finished: queue.SimpleQueue[Future[Result]]) -> Future[Result]:
        """Wait for a job to end, as long as there is anyone to do it."""
        since = time.monotonic()
        while True:
            interrupts.check()
            try:
                return finished.get(timeout=_PATIENCE)
            except queue.Empty:
                if self.client.status != "running":
                    raise self._gone() from None
            if time.monotonic() - since > _WORKERLESS_SECONDS:
                since = time.monotonic()
                self._await_workers()

    def _result(self, future: Future[Result]) -> Result:
        if future.status == "error":
            raise _of_worker(future.exception())
        with self._reaching():
            return future.result()

    def _drop(self, futures: list[Future[Any]]) -> None:
        with contextlib.suppress(SimdcError), self._reaching():
            if self.client.status == "running":
                self.client.cancel(futures)

    def _await_workers(self) -> None:
        deadline = time.monotonic() + _WORKERLESS_SECONDS
        while not self.workers:
            interrupts.check()
            if time.monotonic() > deadline:
                raise SimdcError(
                    f"the Dask scheduler at {self.address} has had no worker for "
                    f"{_WORKERLESS_SECONDS} seconds; start workers and run again."
                )
            time.sleep(_PATIENCE)

    def _check_software(self) -> None:
        """Refuse what might give other bits. The scheduler has to know our functions' names too."""
        with self._reaching():
            found = self.client.run(Software.here, on_error="return")
            try:
                found[self.address] = self.client.run_on_scheduler(Software.here)
            except ImportError as error:
                found[self.address] = error
        ours = Software.here()
        for address, theirs in found.items():
            if theirs != ours:
                raise SimdcError(
                    f"at {address}: {theirs}; here: {ours}; install the same version of simdc "
                    "everywhere."
                )

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Tell a scheduler that cannot be reached any more as such."""
        try:
            yield
        except (CancelledError, ClosedClientError, OSError) as error:
            raise self._gone() from error

    def _gone(self) -> SimdcError:
        return SimdcError(f"the Dask scheduler at {self.address} is gone, or it dropped the jobs.")


def _of_worker(error: BaseException) -> BaseException:
    """What ended a job, in a sentence where the cluster is to blame."""
    if isinstance(error, KilledWorker):
        return SimdcError(
            f"a job was given up when {error.allowed_failures + 1} workers had died under it, most "
            "likely for want of memory; give the workers more of it."
        )
    if isinstance(error, ImportError):
        return SimdcError(
            f"a worker or the scheduler cannot import what it needs ({error}); install "
            f"simdc {Software.here().simdc} on every one of them."
        )
    return error
