"""How the scores that multiply a benchmark are distributed, and how often they end on a limit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simdc.benchmark import risk
from simdc.benchmark.of_scenario import BuiltCell
from simdc.contracts.risk_scores import UncertainScores
from simdc.drivers import ResolvedDrivers
from simdc.estimate import Estimate, mean, probability, standard_deviation
from simdc.guarantee import attempt

__all__ = ["FinalScore", "final_scores"]

_STEPS = ("score_floor", "score_ceiling", "capped_score", "coded_score", "growth_limited_score")


@dataclass(frozen=True)
class FinalScore:
    """How the score that multiplies a group's benchmark is distributed.

    Attributes
    ----------
    category, alignment : str
        Of the group.
    floor, ceiling : float or None
        Of the normalized score; None where it is not capped.
    at_floor, at_ceiling : Estimate
        Probability that the score ends there; at the ceiling counts one of growth too.
    mean, standard_deviation : Estimate
        Of the score after every step.
    """

    category: str
    alignment: str
    floor: float | None
    ceiling: float | None
    at_floor: Estimate
    at_ceiling: Estimate
    mean: Estimate
    standard_deviation: Estimate


def final_scores(
    scores: UncertainScores, drivers: ResolvedDrivers, *, draws: int, seed: int
) -> tuple[FinalScore, ...]:
    """Distribution of every group's score over the drivers of a run, people costing as expected.

    Parameters
    ----------
    scores : UncertainScores
    drivers : ResolvedDrivers
    draws, seed : int
        As the run has them.
    """
    values = drivers.draw(seed, 0, draws)
    return tuple(
        _final_score(built, group, draws)
        for built in scores.benchmark.moved(scores.moves(drivers, values))
        for group in built.cell.groups
    )


def _final_score(built: BuiltCell, group: risk.Group, draws: int) -> FinalScore:
    front = f"{group.alignment}_" if len(built.cell.groups) > 1 else ""
    lines = {key: built.statement[front + key] for key in _STEPS if front + key in built.statement}
    last = list(lines.values())
    floor, ceiling = lines.get("score_floor"), lines.get("score_ceiling")
    at_floor = np.zeros(draws, dtype=bool)
    at_ceiling = np.zeros(draws, dtype=bool)
    if floor is not None:
        at_floor |= lines["capped_score"] == floor
        at_ceiling |= lines["capped_score"] == ceiling
    if "growth_limited_score" in lines:
        at_ceiling |= last[-1] < last[-2]
    final = np.broadcast_to(last[-1], draws)
    return FinalScore(
        category=built.cell.category,
        alignment=group.alignment,
        floor=None if floor is None else float(floor),
        ceiling=None if ceiling is None else float(ceiling),
        at_floor=attempt(probability, int(at_floor.sum()), draws),
        at_ceiling=attempt(probability, int(at_ceiling.sum()), draws),
        mean=attempt(mean, final),
        standard_deviation=attempt(standard_deviation, final),
    )
