"""Settlements: one small pure function per contract step, and one file per program that strings
them together.

:mod:`~simdc.settlement.steps` holds the arithmetic that programs share,
:mod:`~simdc.settlement.statement` the account a settlement leaves behind, and
:mod:`~simdc.settlement.direct_contracting` the order of Direct Contracting and ACO REACH.
Settlement knows amounts and rules, not scenarios, files or screens.
"""
