"""Benchmarks built step by step, so that a user can rebuild a benchmark report line by line.

:mod:`~simdc.benchmark.construction` is the chain of Direct Contracting and ACO REACH, from the
base years to the line before the retrospective trend adjustment;
:mod:`~simdc.benchmark.risk` its risk scores, :mod:`~simdc.benchmark.rate_book` its county rates.
:mod:`~simdc.benchmark.shared_savings` is the benchmark of the Shared Savings Program, for the
same entity. :mod:`~simdc.benchmark.of_scenario` reads both out of a scenario.

All but the last know amounts and rules, not scenarios, files or screens.
"""
