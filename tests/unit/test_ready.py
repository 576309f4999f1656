"""The compiled kernels on disk: damaged, write-protected or asked for by many at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HASH = (
    "import hashlib, numpy as np\n"
    "from simdc.kernels.ready import is_compiled, warm_up\n"
    "from simdc.kernels.philox import philox_words\n"
    "warm_up()\n"
    "print(hashlib.sha256(philox_words(1, 0, 1000, 2).tobytes()).hexdigest(), is_compiled())\n"
)


def start(folder, code=HASH, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"SIMDC_CACHE_DIR": str(folder)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(process):
    told, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return told.split()


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    return folder, answer(start(folder))[0]


def test_eight_processes_may_start_at_once(tmp_path):
    processes = [start(tmp_path) for _ in range(8)]
    assert len({tuple(answer(process)) for process in processes}) == 1


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", [b"", b"no compiled code at all" * 20])
def test_damaged_files_are_compiled_anew(tmp_path, filled, suffix, damage):
    folder, expected = filled
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    files = sorted(copy.rglob(f"*{suffix}"))
    assert files
    for file in files:
        file.write_bytes(damage)
    assert answer(start(copy)) == [expected, "True"]


def test_a_write_protected_cache_is_read(filled):
    """Told by the absence of compiling: the folder is as good as protected, also for root."""
    folder, expected = filled
    code = (
        "import numba.core.dispatcher as d\n"
        "def refuse(*a, **k): raise SystemExit('compiled')\n"
        "d._FunctionCompiler.compile = refuse\n"
        "import simdc.kernels.jit as jit\n"
        "jit._writable = lambda path: False\n"
    ) + HASH
    assert answer(start(folder, code)) == [expected, "True"]


def test_nothing_to_write_and_nothing_to_read_compiles_in_memory(filled):
    process = start("/dev/null/nowhere")
    assert answer(process) == [filled[1], "False"]
