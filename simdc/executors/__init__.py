"""Where work runs: on threads of this process, or on the workers of a Dask cluster.

Work is a function of arrays whose random numbers are addressed, so where and in which order jobs
run changes nothing but the time. `simdc.executors.cluster.Dask` needs the extra ``distributed``
and is imported by those who want it.
"""

from simdc.executors.base import Executor, blocks
from simdc.executors.local import Threads, available_threads

__all__ = ["Executor", "Threads", "available_threads", "blocks"]
