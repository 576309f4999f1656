"""Time every subject; with ``--benchmark-disable``, run each once and check its answer."""

from __future__ import annotations

import pytest

from benchmarks.registry import subjects


@pytest.mark.parametrize("measured", [pytest.param(s, id=s.name) for s in subjects()])
def test_subject(benchmark, measured):
    if not measured.slow:
        measured.call()  # compiles and fills caches, outside the timing
    answer = benchmark.pedantic(measured.call, rounds=1 if measured.slow else 5)
    measured.check(answer)
    benchmark.group = measured.phase
    benchmark.extra_info.update(phase=measured.phase, units=measured.units, unit=measured.unit)
