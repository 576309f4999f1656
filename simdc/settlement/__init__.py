"""Settlements: one small pure function per contract step, and one file per program that strings
them together.

:mod:`~simdc.settlement.steps` holds the arithmetic that programs share and
:mod:`~simdc.settlement.statement` the account a settlement leaves behind.
:mod:`~simdc.settlement.direct_contracting` is the order of Direct Contracting, ACO REACH and LEAD,
:mod:`~simdc.settlement.shared_savings` that of the Shared Savings Program,
:mod:`~simdc.settlement.next_generation` that of Next Generation ACOs.

Beside the settlement of a year stand the High Performers Pool over many entities
(:mod:`~simdc.settlement.high_performers`), the provisional settlement before the final one
(:mod:`~simdc.settlement.provisional`) and capitation month by month
(:mod:`~simdc.settlement.cash_flow`).
One call settles any of them (:mod:`~simdc.settlement.api`).
Settlement knows amounts and rules, not scenarios, files or screens.
"""
