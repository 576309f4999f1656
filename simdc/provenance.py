"""What a result rests on: the scenario, the random numbers, the software and the machine.

Everything is plain text or a number, so that any netCDF reader shows it. Nothing tells who ran it
or where: the machine is described by its kind, the scenario by its file name without the folder.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simdc.outcome import Simulation
    from simdc.scenario import LoadedScenario

__all__ = ["host", "origin", "provenance", "versions"]

_PACKAGES = ("simdc", "numpy", "scipy", "numba", "llvmlite", "xarray", "h5netcdf", "h5py")


def versions(packages: Iterable[str] = _PACKAGES) -> dict[str, str]:
    """Versions of Python and of the packages that are installed, without importing them."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def host() -> dict[str, str | int]:
    """The kind of machine; no name, user or folder."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processors": os.cpu_count() or 1,
    }


def origin(loaded: LoadedScenario) -> dict[str, str]:
    """What a scenario's figures come from, as attributes: the scenario, the software, the machine.

    Returns
    -------
    dict
        ``scenario_overrides``, ``inputs_sha256`` (of every file that the scenario names),
        ``versions`` and ``host`` are JSON texts; ``created`` is UTC.
    """
    from simdc.kernels.philox import DRAW_SCHEME  # loads numba, which a reader does without

    return {
        "scenario_name": loaded.path.name,
        "scenario": loaded.text,
        "scenario_sha256": loaded.sha256,
        "scenario_overrides": json.dumps(dict(loaded.overrides), default=str),
        "inputs_sha256": json.dumps(dict(loaded.inputs_sha256)),
        "draw_scheme": DRAW_SCHEME,
        "versions": json.dumps(versions()),
        "host": json.dumps(host()),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def provenance(simulation: Simulation, loaded: LoadedScenario) -> dict[str, str | int]:
    """The attributes of a result's root group.

    Returns
    -------
    dict
        Those of `origin`, and the draws: ``seed`` is text, because it may exceed what a signed
        64-bit reader can hold; ``durations`` (seconds by phase) is a JSON text.
    """
    return {
        **origin(loaded),
        "seed": str(simulation.seed),
        "first_draw": simulation.first_draw,
        "draws": simulation.draws,
        "durations": json.dumps(dict(simulation.durations)),
    }
