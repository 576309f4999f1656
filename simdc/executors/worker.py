"""What a worker of a cluster does with a job. Nothing here needs Dask."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from simdc.errors import SimdcError
from simdc.provenance import versions

__all__ = ["Pass", "Software", "do", "unpack"]


@dataclass(frozen=True)
class Software:
    """What must be the same everywhere, or bits might differ.

    Attributes
    ----------
    simdc : str
        Version of the package.
    draw_scheme : str
        Version of the addresses of random numbers.
    """

    simdc: str
    draw_scheme: str

    @classmethod
    def here(cls) -> Software:
        """As it is in this process."""
        from simdc.kernels.philox import DRAW_SCHEME  # loads numba, which can wait

        return cls(versions(["simdc"])["simdc"], DRAW_SCHEME)

    def __str__(self) -> str:
        return f"simdc {self.simdc} with draw scheme {self.draw_scheme}"


@dataclass(frozen=True)
class Pass:
    """What all jobs of a pass share.

    Attributes
    ----------
    work : callable
        Of `shared` and a job.
    shared : object
    software : Software
        Where the pass was made.
    """

    work: Callable[[Any, Any], Any]
    shared: Any
    software: Software


def unpack(packed: bytes) -> Pass:
    """The pass that was pickled."""
    made: Pass = pickle.loads(packed)
    return made


def do(of: Pass, packed: bytes) -> Any:
    """The result of one pickled job.

    Raises
    ------
    SimdcError
        On a worker that has other software and joined too late to be asked for it.
    """
    software = _ready()
    if software != of.software:
        raise SimdcError(f"a worker runs {software}, and this is {of.software}.")
    return of.work(of.shared, pickle.loads(packed))


@cache
def _ready() -> Software:
    """Load the kernels, once in a process."""
    from simdc.kernels.ready import warm_up

    warm_up()
    return Software.here()
