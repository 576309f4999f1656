"""The stream for test batteries holds the words at the addresses that it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simdc.kernels.philox import philox_words, stream_of

STREAM = Path(__file__).parents[1] / "verification" / "stream.py"


def streamed(count: int, *arguments: str) -> list[int]:
    """The first words that the program writes; it must end quietly when nobody reads on."""
    with subprocess.Popen(
        [sys.executable, STREAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        data = running.stdout.read(4 * count)
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait() == 0
    return [int.from_bytes(data[k : k + 4], "little") for k in range(0, len(data), 4)]


def words(draw: int, person: int, seed: int = 2022) -> int:
    group, word = divmod(person, 4)
    return int(philox_words(seed, draw, 1, stream_of(1, "aged"), group)[0, word])


@pytest.mark.parametrize(
    ("order", "addresses"),
    [
        ("people", [(draw, person) for draw in range(2) for person in range(1024)]),
        ("draws", [(draw, person) for person in range(2) for draw in range(4096)]),
    ],
)
def test_order(order, addresses):
    found = streamed(len(addresses), order)
    for place in [*range(6), 1023, 1024, 2047, len(addresses) - 1]:
        assert found[place] == words(*addresses[place])


def test_seed():
    assert streamed(1, "people", "7") == [words(0, 0, seed=7)]


def test_goes_on_with_further_draws():
    found = streamed(1024 * 4096 + 1, "people")
    assert found[-1] == words(4096, 0)
    assert np.unique(found[:4096]).size > 4090


def test_an_unknown_order_is_refused():
    told = subprocess.run([sys.executable, STREAM, "tracks"], capture_output=True, text=True)
    assert told.returncode == 1
    assert "one of people, draws, not tracks" in told.stderr
