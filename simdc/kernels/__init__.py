"""Numba kernels: pure functions of arrays and scalars that know nothing of the rest of simdc.

Read them in this order: ``philox`` (the addressed random numbers), ``table`` (how a severity is
laid out), ``leaves`` (one short loop per stage, each over a strip of draws), ``strip`` (the loop
over people that calls them), ``jit`` (how they are compiled and cached), ``ready`` (whether they
are).
"""
