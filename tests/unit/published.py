"""Public result files of CMS, which the project does not carry."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def published(name: str) -> Path:
    """A file of the folder SIMDC_DATA; the test is skipped where there is none."""
    path = ROOT / os.environ.get("SIMDC_DATA", "../shared/data") / name
    if not path.exists():
        pytest.skip(f"needs {name} in the folder SIMDC_DATA")
    return path
