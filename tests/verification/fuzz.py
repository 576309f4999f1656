"""Mutated scenarios, options, results and stores: every one is run, or refused in a sentence.

    python tests/verification/fuzz.py [COUNT] [--seed N] [--only NUMBER] [--markdown]

Each case has a folder of its own. What must hold: exit status 0 or 2; no traceback, no warning;
nothing written on 2; nothing printed that steers a terminal; no more than 20 seconds and 2 GiB.
Every twentieth case runs in a process of its own, the others in this one. ``--only`` shows one
case, by the number under which it failed. ``--markdown`` puts the summary into docs/robustness.md.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from cases import Cases
from page import put_into_page, table
from trials import MOST_BYTES, MOST_SECONDS, Ending, in_a_process, in_here, limited

from simdc.kernels.ready import warm_up

_IN_A_PROCESS = 20  # every so many


def main() -> None:
    """Run the cases and exit with 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--markdown", action="store_true")
    asked = parser.parse_args()
    faulthandler.enable()
    limited()
    warm_up()  # so that no case has to wait for it
    with tempfile.TemporaryDirectory() as made:
        cases = Cases(asked.seed, Path(made))
    if asked.only is not None:
        show(cases, asked.only)
        return
    summary = Summary()
    for number in range(asked.count):
        summary.add(number, *tried(cases, number))
    print(summary.text())
    if asked.markdown:
        command = f"python tests/verification/fuzz.py {asked.count} --seed {asked.seed} --markdown"
        put_into_page("fuzz", command, summary.text())
    sys.exit(bool(summary.failed))


def tried(cases: Cases, number: int) -> tuple[str, list[Ending]]:
    """Run one case: its kind, and how its commands ended."""
    trial = cases.trial(number)
    run = in_a_process if number % _IN_A_PROCESS == 0 else in_here
    with tempfile.TemporaryDirectory() as folder:
        return trial.kind, run(trial, Path(folder))


def show(cases: Cases, number: int) -> None:
    """Print one case with everything it was given, in a folder that stays."""
    folder = Path(tempfile.mkdtemp(prefix=f"case-{number}-"))
    for ending in in_here(cases.trial(number), folder):
        print("simdc", *map(repr, ending.args))
        print(f"ended with {ending.status}: {'; '.join(ending.faults) or 'as it should'}")
        print(ending.told[:4_000])
    print(f"in {folder}")


class Summary:
    """What happened, by kind of case."""

    def __init__(self) -> None:
        self.failed = 0
        self._cases: Counter[str] = Counter()
        self._ended: dict[str, Counter[int]] = defaultdict(Counter)
        self._longest: defaultdict[str, float] = defaultdict(float)
        self._largest: defaultdict[str, int] = defaultdict(int)
        self._faults: Counter[str] = Counter()

    def add(self, number: int, kind: str, endings: list[Ending]) -> None:
        """Count a case; say at once what is wrong with it."""
        self._cases[kind] += 1
        self._ended[kind][endings[-1].status] += 1
        self._longest[kind] = max(self._longest[kind], *(e.seconds for e in endings))
        self._largest[kind] = max(self._largest[kind], *(e.bytes for e in endings))
        faults = [fault for ending in endings for fault in ending.faults]
        if faults:
            self.failed += 1
            self._faults[kind] += 1
            last = endings[-1].told.strip()[-300:]
            print(f"case {number} ({kind}): {'; '.join(faults)}: {last!r}", flush=True)

    def text(self) -> str:
        """As a Markdown table, with a sentence."""
        rows = [
            (
                kind,
                f"{self._cases[kind]:,}",
                f"{self._ended[kind][0]:,}",
                f"{self._ended[kind][2]:,}",
                f"{self._faults[kind]:,}",
                f"{self._longest[kind]:.1f}",
                f"{self._largest[kind] / 2**20:,.0f}",
            )
            for kind in sorted(self._cases)
        ]
        total = sum(self._cases.values())
        head = ("command", "cases", "exit 0", "exit 2", "failed", "longest, s", "most memory, MiB")
        return (
            f"{total:,} cases, of which {self.failed:,} failed. Allowed were {MOST_SECONDS} s and "
            f"{MOST_BYTES // 2**20:,} MiB for each.\n\n{table(head, rows)}"
        )


if __name__ == "__main__":
    main()
