"""What one simulation yields, in plain arrays: the boundary between the engine and its readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simdc.programs import RuleSet

__all__ = ["Assumption", "Simulation", "TrackOutcome"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Assumption:
    """Something no source settles, shown to the user wherever results are.

    Attributes
    ----------
    subject : str
        What it is about, such as ``stop-loss``, and the tracks that make it when not all do.
    statement : str
        What was assumed, as a sentence.
    source : str
        Where the figure comes from, or ``assumption``.
    """

    subject: str
    statement: str
    source: str = "assumption"


@dataclass(frozen=True)
class TrackOutcome:
    """One track, settled on every draw.

    Attributes
    ----------
    name, program, option : str
        As the scenario names them.
    rules : RuleSet
        The rules it was settled by, overrides marked.
    draws : mapping of str to array of shape (draw,)
        Statement lines kept for every draw, in US dollars unless the registry of variables says
        otherwise: ``settlement_benchmark``, ``net_cost_of_care``, ``gross_savings``,
        ``shared_savings``, ``shared_after_sequestration``, ``cash_due``, ``final_benchmark``; and
        ``provisional_settlement`` where any track of the simulation takes one.
    fixed : mapping of str to float
        Figures that are the same in every draw: ``stop_loss_charge``, ``base_capitation``,
        ``enhanced_capitation``, ``unadjusted_benchmark`` and, where the required guarantee is a
        rate, ``guarantee_base`` (US dollars).
    required_guarantee : float or None
        US dollars that the rules require, fixed before the year; None where no rule states any.
    guarantee_basis : str
        What that amount is a rate of, or why there is none, as a phrase.
    """

    name: str
    program: str
    option: str
    rules: RuleSet
    draws: Mapping[str, Array]
    fixed: Mapping[str, float]
    required_guarantee: float | None
    guarantee_basis: str


@dataclass(frozen=True)
class Simulation:
    """Every draw of every track, and what they rest on.

    Attributes
    ----------
    first_draw, draws : int
        Address of the first draw and how many there are.
    seed : int
        Key of the random numbers.
    tracks : tuple of TrackOutcome
        In the order of the scenario.
    segments : tuple of str
        Names of the segments, in the order of the scenario.
    cost : array of shape (segment, draw)
        Part A and B cost in US dollars.
    drivers : mapping of str to array of shape (draw,)
        The value of every driver that is on.
    segment_table : mapping of str to sequence
        Per segment: category, alignment, beneficiaries, months, expected_cost.
    assumptions : tuple of Assumption
        Shown wherever results are.
    durations : mapping of str to float
        Seconds spent by phase.
    """

    first_draw: int
    draws: int
    seed: int
    tracks: tuple[TrackOutcome, ...]
    segments: tuple[str, ...]
    cost: Array
    drivers: Mapping[str, Array]
    segment_table: Mapping[str, tuple[object, ...]]
    assumptions: tuple[Assumption, ...] = ()
    durations: Mapping[str, float] = field(default_factory=dict)
