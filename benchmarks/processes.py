"""What happens in a process of its own: start-up, and compiling from nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

__all__ = ["compile_everything", "interpreter"]


def interpreter(*arguments: str, **environment: str) -> str:
    """Run Python in a fresh process and return what it prints."""
    return subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def compile_everything() -> str:
    """Warm up with an empty cache; returns the folder's state as the command tells it."""
    with tempfile.TemporaryDirectory() as folder:
        return interpreter("-m", "simdc", "warmup", SIMDC_CACHE_DIR=folder)
