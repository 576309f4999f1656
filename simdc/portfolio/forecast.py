"""What a portfolio will take, worked out without running any of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simdc.engine import SECONDS_PER_BENEFICIARY_DRAW
from simdc.portfolio.survey import Surveyed
from simdc.sweep.layout import INNER_CHUNKS

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["PortfolioForecast", "forecast_portfolio"]


@dataclass(frozen=True)
class PortfolioForecast:
    """What a portfolio will take.

    Attributes
    ----------
    entities, beneficiaries, draws, workers : int
        Beneficiaries of all entities.
    seconds : float
        Wall time on a machine like the one the kernel was measured on.
    memory_bytes, disk_bytes : int
        Peak memory of the process, and size of the store.
    """

    entities: int
    beneficiaries: int
    draws: int
    workers: int
    seconds: float
    memory_bytes: int
    disk_bytes: int


# Measured: see docs/performance.md.
_SECONDS_PER_ENTITY = 0.2  # people, contract with its neutral charge, tables, files forced to disk
_SECONDS_PER_SETTLED_DRAW = 3e-7  # settling, estimating, writing, adding up
_START_SECONDS = 2.0
_START_BYTES = 305 * 2**20  # interpreter, numba with the kernels, scipy, xarray, zarr
_BYTES_PER_BENEFICIARY = 120
_WORKING_ROWS = 7  # of one number per draw: factors, copies that estimates are made of
_ADDING_ROWS = 10  # beside one for each level
_SETTLED_BYTES = 16 * 2**20  # intermediate lines of the draws that are settled at once ...
_SETTLED_BYTES_PER_DRAW = 256  # ... where there are so many
_FIGURES_BYTES = 3_600  # of an entity
_STORE_BYTES = 200_000  # what tells readers of each variable, and a second copy of it


def forecast_portfolio(
    surveyed: Sequence[Surveyed],
    told: xr.Dataset,
    *,
    draws: int,
    lines: int,
    kept: int,
    levels: int,
    workers: int,
) -> PortfolioForecast:
    """Estimate time, memory and disk.

    Parameters
    ----------
    surveyed : sequence of Surveyed
    told : Dataset
        From `simdc.portfolio.survey.inputs`.
    draws : int
    lines, kept : int
        Settlement lines that are estimated, and those of which every draw is kept.
    levels : int
        Of the guarantee.
    workers : int
    """
    entities, row = len(surveyed), 8 * draws
    people = [each.beneficiaries for each in surveyed]
    rows = max(each.segments + each.designs + each.drivers for each in surveyed) + lines
    text = sum(len(str(value)) for array in told.variables.values() for value in array.values)
    chunk = min(draws, INNER_CHUNKS["draw"])
    stored = 8 * chunk * math.ceil(draws / chunk)  # the last chunk is written whole
    return PortfolioForecast(
        entities=entities,
        beneficiaries=sum(people),
        draws=draws,
        workers=workers,
        seconds=_START_SECONDS
        + entities * (_SECONDS_PER_ENTITY + draws * _SECONDS_PER_SETTLED_DRAW)
        + sum(people) * draws * SECONDS_PER_BENEFICIARY_DRAW / workers,
        memory_bytes=_START_BYTES
        + max(people) * _BYTES_PER_BENEFICIARY
        + max(rows + _WORKING_ROWS, levels + _ADDING_ROWS) * row
        + min(_SETTLED_BYTES, _SETTLED_BYTES_PER_DRAW * draws),
        # Labels, those of the draws too, are there twice, so that they can be put back.
        disk_bytes=entities * (kept * stored + _FIGURES_BYTES) + 2 * (text + row) + _STORE_BYTES,
    )
