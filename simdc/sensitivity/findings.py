"""What a sensitivity analysis finds, for those who report it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simdc.estimate import Estimate
from simdc.sensitivity.design import Setting
from simdc.sensitivity.indices import Indices
from simdc.sensitivity.tornado import Swing

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Findings", "OutputFindings"]


@dataclass(frozen=True)
class OutputFindings:
    """What moves one figure of one track.

    Attributes
    ----------
    base : Estimate
        The figure at the base of the tornado.
    mean, standard_deviation : float
        Over Saltelli's points; NaN where there is no figure.
    simulation_error : float
        Median over the points of the figure's standard error, which the points have in common.
    indices : tuple of Indices
        Of every setting, in order; none where there is an obstacle.
    obstacle : str
        Why there are no indices, as a sentence without its full stop; else empty.
    swings : tuple of Swing
        The tornado, widest first.
    """

    base: Estimate
    mean: float
    standard_deviation: float
    simulation_error: float
    indices: tuple[Indices, ...]
    obstacle: str
    swings: tuple[Swing, ...]


@dataclass(frozen=True)
class Findings:
    """What moves each track.

    Attributes
    ----------
    settings : tuple of Setting
    samples, points : int
        Base samples, and Saltelli's points.
    level : float
        Of the covering amount.
    tracks : mapping of track to mapping of output to OutputFindings
    tree : DataTree
        The sweep over Saltelli's points; its figures may still lie on disk.
    """

    settings: tuple[Setting, ...]
    samples: int
    points: int
    level: float
    tracks: Mapping[str, Mapping[str, OutputFindings]]
    tree: xr.DataTree
