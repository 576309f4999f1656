"""What came of accidents of one kind, as a row of a table."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["HEAD", "Row"]

HEAD = (
    "accident",
    "times",
    "ended with",
    "finished points then",
    "of them lost",
    "damaged and repeated",
    "same hash",
)


@dataclass
class Row:
    """What came of one kind of accident.

    Attributes
    ----------
    accident : str
    endings : set of int
        Exit statuses that may be; a signal is negative.
    times, same : int
        How often it happened, and how often the hash was the same in the end.
    ended : Counter of int
        Exit statuses.
    on_disk : list of int
        Finished points, each time that there was a store.
    lost, damaged : int
        Points worked out again that had been finished: those that were sound, and those that had
        been damaged on purpose.
    faults : list of str
    """

    accident: str
    endings: set[int]
    times: int = 0
    same: int = 0
    ended: Counter[int] = field(default_factory=Counter)
    on_disk: list[int] = field(default_factory=list)
    lost: int = 0
    damaged: int = 0
    faults: list[str] = field(default_factory=list)

    def happened(self, status: int, told: str) -> None:
        """Note how a command ended."""
        self.times += 1
        self.ended[status] += 1
        if status not in self.endings or "Traceback" in told or "behind" in told:
            self.faults.append(f"ended with {status}: {told[-500:]}")

    def repeated(self, there: int, again: int, *, on_purpose: bool) -> None:
        """Note how many points were finished, and how many of them were worked out again."""
        self.on_disk.append(there)
        if on_purpose:
            self.damaged += again
        else:
            self.lost += again

    @property
    def failed(self) -> bool:
        """Whether anything was lost or is not as it should be."""
        return bool(self.faults or self.lost or self.same < self.times)

    def cells(self) -> tuple[str, ...]:
        """As a row of the table."""
        none = self.times - len(self.on_disk)
        there = "-"
        if self.on_disk:
            least, most = min(self.on_disk), max(self.on_disk)
            there = f"{least} to {most}" if least < most else f"{least}"
            there += f"; no store {none} times" if none else ""
        return (
            self.accident,
            str(self.times),
            ", ".join(f"{_named(status)}: {n}" for status, n in sorted(self.ended.items())),
            there,
            str(self.lost),
            str(self.damaged),
            f"{self.same} of {self.times}",
        )


def _named(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit {status}"
