"""``simdc doctor``: what this installation is and whether it is ready."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

_PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "xarray", "pydantic", "h5netcdf", "h5py")
_VECTORS = ("avx512f", "avx2", "avx", "sse2", "neon")

# Nanoseconds per beneficiary-draw with two stop-loss designs, as in docs/performance.md; older
# vectors were measured as targets on an AVX-512 machine of 3.5 GHz.
_EXPECTED = {"avx512f": 0.9, "avx2": 2.0, "avx": 2.3, "sse2": 2.3}
_PEOPLE, _DRAWS, _ROUNDS = 4_000, 1_024, 9


@click.command()
@click.option("--benchmark", is_flag=True, help="Also time the kernel on one processor.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def command(benchmark: bool, as_json: bool) -> None:
    """Report versions, processors and the state of the compiled kernels."""
    facts = _facts()
    if benchmark:
        facts |= _speed(facts["vectors"])
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {value}")


def _facts() -> dict[str, Any]:
    import llvmlite.binding

    from simdc.executors import available_threads
    from simdc.kernels.jit import cache_folder
    from simdc.kernels.philox import DRAW_SCHEME
    from simdc.kernels.ready import is_compiled

    features = llvmlite.binding.get_host_cpu_features()
    folder = cache_folder()
    return {
        "simdc": _version("simdc"),
        "draw scheme": DRAW_SCHEME,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": available_threads(),
        "vectors": next((name for name in _VECTORS if features.get(name)), "unknown"),
        "compiled kernels": "ready" if is_compiled() else "not yet: run 'simdc warmup'",
        "kernel cache": "none: no folder is writable" if folder is None else str(folder),
        **{name: _version(name) for name in _PACKAGES},
    }


def _speed(vectors: str) -> dict[str, Any]:
    """What the kernel takes here, beside what it took where it was measured."""
    nanoseconds = _kernel_nanoseconds()
    expected = _EXPECTED.get(vectors)
    return {
        "ns per beneficiary-draw": round(nanoseconds, 2),
        "expected with these vectors": "never measured" if expected is None else expected,
        "beneficiary-draws per second": round(1e9 / nanoseconds),
    }


def _kernel_nanoseconds() -> float:
    """Processor time per beneficiary-draw on one processor, median of some rounds."""
    import statistics
    import time

    import numpy as np

    from simdc.kernels.philox import key_words
    from simdc.kernels.ready import warm_up
    from simdc.kernels.strip import segment_sums
    from simdc.severity import generalised_gamma
    from simdc.severity_table import quantile_table

    warm_up()
    table = quantile_table(generalised_gamma(0.488, 0.693, zero_probability=0.05))
    attachment = np.tile([150e3, 250e3, 300e3, 500e3], (_PEOPLE, 1))
    cost, excess = np.empty(_DRAWS), np.empty((attachment.shape[1], _DRAWS))
    took = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        segment_sums(
            cost,
            excess,
            np.uint64(0),
            np.uint64(1),
            *key_words(1),
            np.full(_PEOPLE, 12_000.0, dtype=np.float32),
            attachment,
            np.ones(_DRAWS),
            table.body,
            table.tail,
        )
        took.append(time.process_time() - started)
    return statistics.median(took) / (_PEOPLE * _DRAWS) * 1e9


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
