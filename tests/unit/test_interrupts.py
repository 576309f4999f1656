"""Signals that wait where they must, and are never told twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from simdc import interrupts

posix = pytest.mark.skipif(os.name == "nt", reason="signals are a POSIX matter")


@pytest.fixture
def python_handler():
    """Python's own way with an interrupt: commands run in this process have changed it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_handler")
def test_a_held_interrupt_comes_at_the_end():
    reached = []

    def interrupted_halfway():
        with interrupts.held():
            signal.raise_signal(signal.SIGINT)
            reached.append("the end")

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        interrupted_halfway()
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is before


def test_nothing_comes_where_nothing_was_sent():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with interrupts.held():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_error_while_held_is_not_lost():
    with pytest.raises(ZeroDivisionError), interrupts.held():
        raise ZeroDivisionError


def test_other_threads_hold_nothing():
    """Only the main thread may; a cluster can be opened from any."""
    failed = []

    def hold():
        try:
            with interrupts.held():
                pass
        except ValueError as error:
            failed.append(error)

    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert failed == []


@posix
def test_an_interrupt_that_was_swallowed_is_silent_and_comes_back():
    """As in a callback of the garbage collector, which cannot pass an exception on."""
    code = (
        "import gc, signal\n"
        "from simdc import interrupts\n"
        "interrupts.install()\n"
        "gc.callbacks.append(lambda *_: signal.raise_signal(signal.SIGINT))\n"
        "gc.collect()\n"
        "gc.callbacks.clear()\n"
        "try:\n"
        "    interrupts.check()\n"
        "except KeyboardInterrupt:\n"
        "    print('came back')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout.strip(), done.stderr) == ("came back", "")
