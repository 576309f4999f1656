"""Tracks of a scenario as contracts: what is fixed before the year, and how a draw settles.

One file per family of programs; all of them give a `Contract`, which is all the engine knows.
"""

from simdc.contracts.contract import Contract
from simdc.contracts.write import write_contract

__all__ = ["Contract", "write_contract"]
