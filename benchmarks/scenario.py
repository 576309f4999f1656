"""A scenario of six tracks for any number of people and segments."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from simdc.runner import run
from simdc.scenario import LoadedScenario, load_scenario

__all__ = ["scenario", "toml", "tree"]

_HEAD = """
[run]
draws = 1000
seed = 20220101
[entity]
id = "benchmark"
type = "standard"
performance_year = 2022
[benchmark]
pbpm = 1030
[drivers]
national_trend = { distribution = "normal", sd = 0.02 }
quality_score = { distribution = "beta", alpha = 9, beta = 1 }
"""
_SEGMENT = """
[[population.segment]]
name = "segment {number}"
category = "A&D"
beneficiaries = {people}
expected_cost_pbpm = 1000
severity = {{ distribution = "generalised_gamma", total_cv = 2.14, risk_share = 0.12 }}
"""
_TRACK = """
[[track]]
name = "track {number}"
program = "gpdc"
option = "{option}"
{stop_loss}
"""
_STOP_LOSS = """
[track.stop_loss]
bands = [
  {{ from = {low}, to = {high}, payout_rate = 0.8 }},
  {{ from = {high}, payout_rate = 0.9 }},
]
charge = "neutral"
"""
_DESIGNS = ((150_000, 300_000), (250_000, 500_000))


def toml(people: int, segments: int = 4, tracks: int = 6) -> str:
    """The text: Professional and Global in turn, without stop-loss and with two designs of it."""
    parts = [_HEAD]
    parts += [_SEGMENT.format(number=n, people=people // segments) for n in range(segments)]
    for number in range(tracks):
        design = number // 2 % 3
        stop_loss = ""
        if design:
            low, high = _DESIGNS[design - 1]
            stop_loss = _STOP_LOSS.format(low=low, high=high)
        option = ("professional", "global")[number % 2]
        parts.append(_TRACK.format(number=number, option=option, stop_loss=stop_loss))
    return "".join(parts)


@cache
def scenario(folder: Path, people: int, segments: int = 4, tracks: int = 6) -> LoadedScenario:
    """The scenario, written to a folder and read back."""
    path = folder / f"benchmark-{people}-{segments}-{tracks}.toml"
    path.write_text(toml(people, segments, tracks), encoding="utf-8")
    return load_scenario(path)


@cache
def tree(folder: Path, people: int, draws: int):
    """A result of it."""
    return run(scenario(folder, people), draws=draws)
