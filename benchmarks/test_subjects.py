"""Time every subject; with ``--benchmark-disable``, run each once and check its answer."""

from __future__ import annotations

import pytest

from benchmarks.subjects import SUBJECTS, subject


@pytest.mark.parametrize("name", SUBJECTS)
def test_subject(benchmark, name):
    measured = subject(name)
    measured.check(measured.call())  # also compiles, outside the timing
    answer = benchmark(measured.call)
    measured.check(answer)
    benchmark.extra_info["units"] = measured.units
    benchmark.extra_info["unit"] = measured.unit
