"""A short form of two long checks, which say in docs/robustness.md what a crash costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

VERIFICATION = Path(__file__).parents[1] / "verification"


def passes(script: str, *arguments: str) -> str:
    """What a check prints, once it has found nothing wrong."""
    done = subprocess.run(
        [sys.executable, VERIFICATION / script, *arguments],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_sweep_killed_at_random_moments_loses_nothing():
    told = passes("kills.py", "--times", "3", "--only", "driver killed", "--draws", "30000")
    assert "| driver killed | 3 | SIGKILL: 3 |" in told
    assert told.rstrip().endswith("| 0 | 0 | 3 of 3 |")


@pytest.mark.slow
def test_nonsense_is_refused_and_nothing_is_written():
    told = passes("fuzz.py", "60", "--seed", "6")
    assert told.startswith("60 cases, of which 0 failed")
