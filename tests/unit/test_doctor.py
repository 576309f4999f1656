"""What the doctor tells of this machine."""

from __future__ import annotations

import json

from simdc.cli.main import _status


def told(capsys, *options):
    assert _status(["doctor", "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_kernel_is_timed_only_when_asked(capsys):
    assert "ns per beneficiary-draw" not in told(capsys)


def test_the_kernel_is_timed_beside_what_is_expected(capsys):
    facts = told(capsys, "--benchmark")
    nanoseconds = facts["ns per beneficiary-draw"]
    assert nanoseconds > 0.0
    rate = facts["beneficiary-draws per second"]
    assert abs(rate * nanoseconds * 1e-9 - 1.0) < 0.05  # the same figure, rounded
    assert "expected with these vectors" in facts
