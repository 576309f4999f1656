"""What every track comes to when all turns out as expected: one settlement, no draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simdc.contracts import Contract
from simdc.prepare import Prepared
from simdc.settlement.statement import Statement
from simdc.stop_loss import expected_payout
from simdc.sums import CostDraws, payout_key

__all__ = ["ExpectedYear", "expected_years"]


@dataclass(frozen=True)
class ExpectedYear:
    """One track's year with cost and every driver at their means.

    The mean of a simulation differs where the contract is not linear: around the trigger of the
    trend adjustment, and where quality or events weigh on costs that vary with them.

    Attributes
    ----------
    benchmark : float
        Unadjusted, US dollars.
    final_benchmark : float
        After trend, seasonality, discount and quality, as far as the program has them; US dollars.
    cost_of_care : float
        Part A and B cost of everyone, US dollars.
    net_cost_of_care : float
        What the track counts as cost, US dollars: capitation and the stop-loss charge in it,
        payouts taken off; or by the program's own definition.
    gross_savings : float
        US dollars; negative for losses.
    """

    benchmark: float
    final_benchmark: float
    cost_of_care: float
    net_cost_of_care: float
    gross_savings: float

    @property
    def gross_savings_rate(self) -> float:
        """Gross savings over the final benchmark."""
        return self.gross_savings / self.final_benchmark


def expected_years(prepared: Prepared) -> tuple[ExpectedYear, ...]:
    """Settle every track once, at expected cost.

    Parameters
    ----------
    prepared : Prepared

    Returns
    -------
    tuple of ExpectedYear
        In the order of the scenario's tracks.
    """
    drivers = prepared.drivers.fixed_at_mean(prepared.drivers.names)
    values = drivers.draw(seed=0, first_draw=0, count=1)
    sums = _expected_sums(prepared)
    return tuple(
        _year(contract, sums, contract.settle(sums, drivers, values))
        for contract in prepared.contracts
    )


def _expected_sums(prepared: Prepared) -> CostDraws:
    """What the kernel would sum up in a draw that is as expected."""
    segments = prepared.population.segments
    designs = {payout_key(design): design for c in prepared.contracts for design in c.designs}
    laws = {
        category: prepared.drivers.cost_factor_law(category)
        for category in {segment.category for segment in segments}
    }
    cost = [
        segment.total_expected_cost * float(np.dot(*laws[segment.category])) for segment in segments
    ]
    paid = [
        sum(expected_payout(design, segment, *laws[segment.category]) for segment in segments)
        for design in designs.values()
    ]
    return CostDraws(
        cost=np.array(cost)[:, np.newaxis],
        payout=np.array(paid)[:, np.newaxis],
        designs=tuple(designs.values()),
    )


def _year(contract: Contract, sums: CostDraws, statement: Statement) -> ExpectedYear:
    def amount(line: str) -> float:
        return float(np.mean(statement[line]))

    return ExpectedYear(
        benchmark=contract.fixed["unadjusted_benchmark"],
        final_benchmark=amount(
            "final_benchmark" if "final_benchmark" in statement else "settlement_benchmark"
        ),
        cost_of_care=float(sums.total_cost[0]),
        net_cost_of_care=amount("net_cost_of_care"),
        gross_savings=amount("gross_savings"),
    )
