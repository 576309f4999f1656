"""A small sweep of known figures, and a process that writes it; for tests of its store.

Run as ``python sweep_writer.py PATH SECONDS``: makes the store or goes on with it, in units of one
point, says each step on a line of its own, and waits that long after each unit.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import xarray as xr

from simdc.sweep.layout import Unit
from simdc.sweep.store import SweepStore

TRACKS = ("Global PCC", "Professionnel élargi")
FIGURES = ("estimate", "ci_low", "ci_high", "standard_error")
SHAPE = (4, 7)
UNIT = (2, 3)  # the last along the second dimension is one point wide
COORDS = {
    "run.share": ("run.share", [0.5, 0.75, 1.0, np.inf]),
    "track.Global PCC.option": ("track.Global PCC.option", list("abcdefg")),
}
IDENTITY = {"scenario": "ab" * 32, "seed": "7", "draws": "20", "file people.csv": "cd" * 32}
USD = {"long_name": "cash due", "units": "US dollars", "sign_convention": "positive is paid"}


def template() -> dict[str, xr.Dataset]:
    """The groups of one point."""
    labels = {"track": list(TRACKS), "figure": list(FIGURES)}
    return {
        "summary": xr.Dataset(
            {
                "cash_due": (("track", "figure"), np.zeros((2, 4)), USD),
                "gross_savings": (("track", "figure"), np.zeros((2, 4))),
            },
            {**labels, "program": ("track", ["gpdc", "reach"])},
        ),
        "guarantee": xr.Dataset({"required_guarantee": ("track", np.zeros(2))}, labels),
        "draws": xr.Dataset(
            {"cash_due": (("track", "draw"), np.zeros((2, 20)))},
            {**labels, "draw": np.arange(100, 120)},
        ),
    }


def create(path: Path, unit: tuple[int, ...] = UNIT, **changes: object) -> SweepStore:
    """An empty store of the sweep."""
    given = {
        "identity": IDENTITY,
        "template": template(),
        "dims": tuple(COORDS),
        "shape": SHAPE,
        "coords": COORDS,
        "chunks": unit,
        "fixed": {"inputs": xr.Dataset({"rule_name": ("rule", ["discount", "withhold"])})},
    }
    return SweepStore.create(path, **{**given, **changes})


def figures() -> dict[str, np.ndarray]:
    """What every point yields, by variable, with some figures that no draws support."""
    found = {}
    for group, dataset in template().items():
        for name, variable in dataset.data_vars.items():
            place = f"{group}/{name}"
            generator = np.random.default_rng(list(place.encode()))
            values = generator.normal(size=(*SHAPE, *variable.shape))
            values[generator.random(values.shape) < 0.1] = np.nan
            found[place] = values
    # A whole unit without support, with the sign bit that 0/0 leaves on some processors.
    found["guarantee/required_guarantee"][:2, :3] = -np.nan
    return found


def of_unit(unit: Unit) -> dict[str, np.ndarray]:
    """What the points of one unit yield."""
    return {place: values[unit.slices] for place, values in figures().items()}


def fill(store: SweepStore, pause: float = 0.0) -> None:
    """Work out all units that are not there."""
    there = store.finished().whole
    for unit in store.units:
        if unit.index not in there:
            store.write(unit, of_unit(unit))
            print("wrote", unit.index, flush=True)
            time.sleep(pause)


def main() -> None:
    path = Path(sys.argv[1])
    print("ready", flush=True)
    with SweepStore.resume(path, IDENTITY) if path.exists() else create(path, (1, 1)) as store:
        print("open", flush=True)
        fill(store, float(sys.argv[2]))
    print("done", flush=True)


if __name__ == "__main__":
    main()
