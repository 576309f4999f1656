"""``simdc doctor``: what this installation is and whether it is ready."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

_PACKAGES = ("numpy", "scipy", "numba", "llvmlite", "xarray", "pydantic", "h5netcdf", "h5py")
_VECTORS = ("avx512f", "avx2", "avx", "sse2", "neon")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def command(as_json: bool) -> None:
    """Report versions, processors and the state of the compiled kernels."""
    facts = _facts()
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        click.echo(f"{name:<{width}}  {value}")


def _facts() -> dict[str, Any]:
    import llvmlite.binding

    from simdc.execute import available_threads
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


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
