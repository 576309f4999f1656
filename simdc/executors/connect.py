"""Clusters to run on: processes of this machine, or a scheduler that is running somewhere."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any

from distributed import Client, LocalCluster, Security
from distributed.core import rpc

from simdc.errors import InputError, SimdcError

__all__ = ["client_of", "local_cluster"]

_CONNECT_SECONDS = 5
_ONE_THREAD = dict.fromkeys(
    ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)


def local_cluster(workers: int, *, dashboard: bool) -> LocalCluster:
    """Processes of one thread each that talk over the loopback interface alone.

    Raises
    ------
    InputError
        When the dashboard lacks what it is made with.
    """
    if dashboard and importlib.util.find_spec("bokeh") is None:
        raise InputError("the dashboard is made with Bokeh: pip install bokeh")
    with _interrupts_for_us_alone():
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": dashboard},
            silence_logs=logging.CRITICAL,
            env=_ONE_THREAD,
        )


@contextmanager
def _interrupts_for_us_alone() -> Iterator[None]:
    """Keep Ctrl-C, which a terminal sends to every process, from those that are started here.

    They inherit what is blocked, and so do those that the cluster's own thread starts later in
    place of one that died.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its start would unblock them, before Python 3.13
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def client_of(scheduler: str) -> Client:
    """A client of the scheduler that is running at an address.

    Whether one is there is found out beforehand: a client that cannot connect is not quiet.

    Raises
    ------
    InputError
        When this is no address, or that of something else.
    SimdcError
        When no scheduler answers.
    """
    with ThreadPoolExecutor(1) as pool:  # where no event loop runs, as one does in a notebook
        try:
            identity = pool.submit(asyncio.run, _identity(scheduler)).result()
        except (TypeError, ValueError, RuntimeError) as error:  # no address, or no certificates
            raise InputError(
                f"'{scheduler}' cannot be used as the address of a Dask scheduler, which is like "
                f"tcp://10.0.0.5:8786 ({error})"
            ) from error
        except Exception as error:  # what is no Dask may answer anything
            raise SimdcError(
                f"no Dask scheduler answered at {scheduler} within {_CONNECT_SECONDS} seconds; "
                "check the address, and whether it wants TLS."
            ) from error
    kind = identity["type"]
    if kind != "Scheduler":
        raise InputError(f"what answers at {scheduler} is a Dask {kind.lower()}, not a scheduler")
    return Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)


async def _identity(address: str) -> dict[str, Any]:
    """What a part of a Dask cluster says of itself."""
    certificates = Security().get_connection_args("client")
    async with asyncio.timeout(_CONNECT_SECONDS):
        async with rpc(address, timeout=_CONNECT_SECONDS, connection_args=certificates) as there:
            identity: dict[str, Any] = await there.identity()
            return identity
