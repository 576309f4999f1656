"""Options that say where work runs, the same for every command that simulates."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from simdc.executors import Executor

__all__ = ["Where", "executor_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--executor",
        type=click.Choice(["serial", "threads", "dask"]),
        help="Where blocks of draws run; the result is the same to the bit. Default: threads, or "
        "dask with one of its options.",
    ),
    click.option("--threads", type=click.IntRange(min=1), help="Default: every processor."),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="A Dask cluster that is running: tcp://... or tls://...",
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        help="Or a cluster of so many processes here. Default: one per processor.",
    ),
    click.option("--dashboard", is_flag=True, help="Watch that cluster in a browser here."),
)


def executor_options(command: Command) -> Command:
    """Add the options; the command is given them as one argument, ``where``, a `Where`.

    Raises
    ------
    click.UsageError
        When they contradict each other, before the command is called.
    """

    @functools.wraps(command)
    def with_where(
        *arguments: Any,
        executor: str | None,
        threads: int | None,
        scheduler: str | None,
        workers: int | None,
        dashboard: bool,
        **options: Any,
    ) -> Any:
        where = Where.asked(executor, threads, scheduler, workers, dashboard)
        return command(*arguments, where=where, **options)

    for option in reversed(_OPTIONS):
        with_where = option(with_where)
    return with_where  # type: ignore[return-value]  # the options are the command's own


@dataclass(frozen=True)
class Where:
    """Where work runs.

    Attributes
    ----------
    executor : str
        ``serial``, ``threads`` or ``dask``.
    threads : int or None
        Of this process; None for one per processor.
    scheduler : str or None
        Address of a Dask cluster; None for one that is started here.
    workers : int or None
        Processes of that one; None for one per processor.
    dashboard : bool
        Whether it serves its dashboard.
    """

    executor: str = "threads"
    threads: int | None = None
    scheduler: str | None = None
    workers: int | None = None
    dashboard: bool = False

    @classmethod
    def asked(
        cls,
        executor: str | None,
        threads: int | None,
        scheduler: str | None,
        workers: int | None,
        dashboard: bool,
    ) -> Where:
        """What options mean together.

        Raises
        ------
        click.UsageError
            When they contradict each other.
        """
        of_dask = {"--scheduler": scheduler, "--workers": workers, "--dashboard": dashboard}
        given = [name for name, value in of_dask.items() if value]
        if executor is None:
            executor = "dask" if given else "threads"
        if given and executor != "dask":
            raise click.UsageError(f"{given[0]} is of --executor dask, not of {executor}.")
        if threads is not None and executor != "threads":
            raise click.UsageError(f"--threads is of --executor threads, not of {executor}.")
        if scheduler is not None and len(given) > 1:
            raise click.UsageError(
                f"{given[1]} is of a cluster that is started here; the one at {scheduler} has its "
                "own."
            )
        return cls(executor, threads, scheduler, workers, dashboard)

    def jobs_at_once(self) -> int | None:
        """How many run at the same time; None for one per processor.

        Nothing is started, but a scheduler is asked.
        """
        if self.executor == "serial":
            return 1
        if self.scheduler is not None:
            with self.opened() as executor:
                return executor.workers
        return self.workers if self.executor == "dask" else self.threads

    @contextmanager
    def opened(self) -> Iterator[Executor]:
        """The executor that was asked for, closed again at the end.

        Raises
        ------
        InputError, SimdcError
            As `simdc.executors.cluster.Dask.connect` does, or where Dask is not installed.
        """
        if self.executor == "dask":
            with self._cluster() as executor:
                yield executor
            return
        from simdc.executors import Threads

        workers = self.jobs_at_once()
        yield Threads.all() if workers is None else Threads(workers)

    @contextmanager
    def _cluster(self) -> Iterator[Executor]:
        try:
            from simdc.executors.cluster import Dask
        except ModuleNotFoundError as error:
            from simdc.errors import InputError

            raise InputError(
                f'a Dask cluster needs {error.name}: pip install "simdc[distributed]"'
            ) from error
        with Dask.connect(self.scheduler, self.workers, dashboard=self.dashboard) as executor:
            if self.dashboard:
                click.echo(f"Dashboard: {executor.client.dashboard_link}", err=True)
            yield executor
