"""However the kernels are compiled, they give the same bits."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import llvmlite.binding
import pytest

HERE = Path(__file__).parent
X86 = platform.machine() in ("x86_64", "AMD64")
FEATURES = llvmlite.binding.get_host_cpu_features()

# The cases of test_kernel, in a process of its own that finds nothing compiled and keeps nothing.
BITS = """
import hashlib
from test_kernel import exact_case, kernel
table, scale, attachment, factor = exact_case()
for people, level in ((40, 1.0), (40, 0.01)):  # few costs above the attachment points, and most
    sums = kernel(table, scale[:people], level * attachment[:people], factor[:200])
    print(hashlib.sha256(b"".join(part.tobytes() for part in sums)).hexdigest())
"""


def run(code, **environment):
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=HERE,
        env=os.environ | {"SIMDC_CACHE_DIR": "/dev/null/nowhere"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.split()


@pytest.fixture(scope="module")
def usual():
    return run(BITS)


def x86(*features):
    missing = not X86 or not all(FEATURES.get(feature) for feature in features)
    return pytest.mark.skipif(missing, reason=f"needs an x86-64 processor with {features}")


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"SIMDC_PLAIN_NUMBA": "1"}, id="without what Numba has no switch for"),
        pytest.param({"NUMBA_BOUNDSCHECK": "1"}, id="bounds checked"),
        pytest.param({"NUMBA_DISABLE_JIT": "1"}, id="interpreted"),
        pytest.param({"NUMBA_CPU_NAME": "generic"}, id="SSE2", marks=x86("sse2")),
        pytest.param(
            {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}, id="AVX2", marks=x86("avx2")
        ),
    ],
)
def test_same_bits(usual, environment):
    assert run(BITS, **environment) == usual


GATHER = """
from test_kernel import exact_case, kernel
from simdc.kernels.leaves import costs
kernel(*exact_case())
print(sum("gather" in code for code in costs.inspect_asm().values()))
"""


@x86("avx512f", "avx512vl")
def test_the_table_is_read_with_gathers():
    """Half of the kernel's speed; lost without a word when something stops vectorising.

    Asked of AVX-512 alone: LLVM holds the gathers of AVX2 to be no faster than single loads.
    """
    assert run(GATHER) == ["1"]
