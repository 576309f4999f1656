"""Simulations of known law, for tests of what is made of draws."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from simdc.outcome import Assumption, Simulation, TrackOutcome
from simdc.programs import load_program
from simdc.scenario import LoadedScenario
from simdc.scenario.models import Scenario

TRACKS = ("Professional PCC", "Global PCC", "Global TCC")
BENCHMARK = 150e6


def loaded_scenario(**changes: object) -> LoadedScenario:
    """A minimal scenario of a Standard entity in 2022 with three tracks."""
    text = "# stands for a file\n"
    document: dict[str, object] = {
        "title": "Synthetic entity",
        "entity": {"id": "D0000", "type": "standard", "performance_year": 2022},
        "population": {
            "segment": [
                {
                    "name": "aged",
                    "category": "A&D",
                    "beneficiaries": 12_000,
                    "expected_cost_pbpm": 1_000.0,
                    "severity": {"distribution": "lognormal", "sigma": 1.0},
                }
            ]
        },
        "benchmark": {"dollars": BENCHMARK},
        "track": [
            {"name": name, "program": "gpdc", "option": name.split()[0].lower()} for name in TRACKS
        ],
        **changes,
    }
    return LoadedScenario(
        scenario=Scenario.model_validate(document),
        text=text,
        path=Path("somewhere/synthetic.toml"),
        base_dir=Path("somewhere"),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def normal_sample(draws: int, mean: float, sd: float) -> NDArray[np.float64]:
    """Every draw at its own quantile midpoint, in an order that looks random."""
    midpoints = mean + sd * ndtri((np.arange(draws) + 0.5) / draws)
    return np.random.default_rng(7).permutation(midpoints)


def track(
    name: str,
    shared: NDArray[np.float64],
    *,
    enhanced: float = 0.0,
    required: float | None = 4.5e6,
    rules: Mapping[str, object] | None = None,
    provisional: NDArray[np.float64] | None = None,
) -> TrackOutcome:
    """A track whose cash due is its shared savings less enhanced capitation and provisional."""
    option = name.split()[0].lower()
    benchmark = np.full(shared.size, BENCHMARK)
    cash_due = shared - enhanced if enhanced else shared
    settled_before = {}
    if provisional is not None:
        cash_due = cash_due - provisional
        settled_before = {"provisional_settlement": provisional}
    return TrackOutcome(
        name=name,
        program="gpdc",
        option=option,
        rules=load_program("gpdc").rules(2022, option).override(rules or {}),
        draws={
            "final_benchmark": benchmark,
            "settlement_benchmark": benchmark,
            "net_cost_of_care": benchmark - 2.0 * shared,
            "gross_savings": 2.0 * shared,
            "shared_savings": shared,
            "shared_after_sequestration": shared,
            "cash_due": cash_due,
            **settled_before,
        },
        fixed={
            "unadjusted_benchmark": BENCHMARK,
            "stop_loss_charge": 1e6,
            "base_capitation": 5e6,
            "enhanced_capitation": enhanced,
            **({} if required is None else {"guarantee_base": required / 0.03}),
        },
        required_guarantee=required,
        guarantee_basis="no rate stated" if required is None else "3.00% of something",
    )


def simulation(tracks: tuple[TrackOutcome, ...], *, first_draw: int = 0) -> Simulation:
    """A simulation around tracks that have been settled."""
    draws = tracks[0].draws["cash_due"].size
    return Simulation(
        first_draw=first_draw,
        draws=draws,
        seed=2**64 - 1,
        tracks=tracks,
        segments=("aged",),
        cost=np.full((1, draws), 144e6),
        drivers={"entity_effect": np.zeros(draws), "quality_score": np.full(draws, 0.9)},
        segment_table={
            "category": ("A&D",),
            "alignment": ("claims",),
            "beneficiaries": (12_000,),
            "months": (144_000.0,),
            "expected_cost": (144e6,),
        },
        assumptions=(
            Assumption("stop-loss (Global PCC, Global TCC)", "attachment points are assumed"),
            Assumption("entity effect", "spread of 4.9 points", "participant-level file, 2021"),
        ),
        durations={"kernel": 1.5},
    )


def three_tracks(draws: int = 10_000, **options: object) -> tuple[TrackOutcome, ...]:
    """Normal shared savings: mean $1, $2, $3 million, standard deviation $3, $6, $6 million."""
    return (
        track(TRACKS[0], normal_sample(draws, 1e6, 3e6), enhanced=3e6, **options),  # type: ignore[arg-type]
        track(TRACKS[1], normal_sample(draws, 2e6, 6e6), enhanced=3e6, **options),  # type: ignore[arg-type]
        track(TRACKS[2], normal_sample(draws, 3e6, 6e6), **options),  # type: ignore[arg-type]
    )
