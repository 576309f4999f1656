"""Settling a million draws: by the package, and by the same formulas in plain NumPy."""

from __future__ import annotations

from functools import cache

import numpy as np

from simdc.programs import load_program
from simdc.settlement.direct_contracting import Figures, Terms, settle

__all__ = ["DRAWS", "by_numpy", "by_package"]

DRAWS = 1_000_000
BENCHMARK, CHARGE = 120e6, 1.5e6


@cache
def _inputs():
    rng = np.random.default_rng(3)
    return {
        "trend": np.exp(rng.normal(0.0, 0.02, DRAWS)),
        "quality": rng.beta(9.0, 1.0, DRAWS),
        "claims": rng.normal(118e6, 4e6, DRAWS),
        "payout": rng.gamma(9.0, 1.6e5, DRAWS),
    }


@cache
def _terms() -> Terms:
    return Terms.from_rules(load_program("gpdc").rules(2022, "global"))


def by_package():
    """Every step a function, every line kept in the statement."""
    given = _inputs()

    def call():
        statement = settle(
            _terms(),
            Figures(
                unadjusted_benchmark={"all": BENCHMARK},
                trend_ratio=given["trend"],
                quality_score=given["quality"],
                claims=given["claims"],
                stop_loss_payout=given["payout"],
                stop_loss_charge=CHARGE,
            ),
        )
        return statement["cash_due"]

    return call


def by_numpy():
    """One function with the numbers of Global in 2022 written out."""
    given = _inputs()

    def call():
        deviation = given["trend"] - 1.0
        moved = np.where(np.abs(deviation) < 0.01, 0.0, deviation)
        benchmark = BENCHMARK * (1.0 + moved)
        benchmark = benchmark * (1.0 - 0.02 - 0.05 * (1.0 - given["quality"]))
        gross = benchmark - (given["claims"] - given["payout"] + CHARGE)
        size = np.abs(gross)
        shared = np.zeros_like(gross)
        low = 0.0
        for edge, share in ((0.25, 1.0), (0.35, 0.5), (0.50, 0.25), (np.inf, 0.10)):
            shared += share * np.clip(size - low * benchmark, 0.0, (edge - low) * benchmark)
            low = edge
        shared *= np.sign(gross)
        return np.where(shared > 0.0, 0.98 * shared, shared)

    return call
