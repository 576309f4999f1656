"""What can be measured: a subject is one thing to time and the answer it must give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

__all__ = ["PHASES", "SUBJECTS", "Subject", "register", "subject", "subjects"]

Call = Callable[[], object]

PHASES = {
    "kernel stages": "one short loop of the kernel, over a strip of draws",
    "kernel": "the whole cost kernel, and the loops that others would write instead",
    "settle": "a million draws of one contract, and the same formulas in plain NumPy",
    "run": "a scenario from its text to its result tree",
    "sweep": "a scenario at many points that share their cost draws, to the store on disk",
    "store": "a result to disk and back",
    "compile": "every kernel in a process that finds none compiled",
    "import": "an interpreter started, asked something and ended",
}


@dataclass(frozen=True)
class Subject:
    """One thing to time.

    Attributes
    ----------
    name : str
    phase : str
        One of `PHASES`.
    units : int
        Units of work in one call.
    unit : str
        What one of them is.
    prepare : callable
        Sets up, which is never timed, and returns what is.
    check : callable
        Asserts the answer of a call.
    slow : bool
        Whether one call takes a second or more.
    """

    name: str
    phase: str
    units: int
    unit: str
    prepare: Callable[[], Call]
    check: Callable[[object], None]
    slow: bool = False

    def __post_init__(self) -> None:
        if self.phase not in PHASES:
            raise ValueError(f"{self.name}: there is no phase '{self.phase}'")
        if self.units < 1:
            raise ValueError(f"{self.name}: must do at least one unit of work")

    @cached_property
    def call(self) -> Call:
        """The work, set up once."""
        return self.prepare()


SUBJECTS: dict[str, Subject] = {}


def register(
    name: str,
    phase: str,
    units: int,
    unit: str,
    check: Callable[[object], None],
    *,
    slow: bool = False,
) -> Callable[[Callable[[], Call]], Callable[[], Call]]:
    """Enter the decorated preparation as a subject."""
    if name in SUBJECTS:
        raise ValueError(f"{name}: registered twice")

    def enter(prepare: Callable[[], Call]) -> Callable[[], Call]:
        SUBJECTS[name] = Subject(name, phase, units, unit, prepare, check, slow)
        return prepare

    return enter


def subjects() -> tuple[Subject, ...]:
    """Every subject, in the order of `PHASES`."""
    import benchmarks.subjects  # noqa: F401 (registers them)

    order = list(PHASES)
    return tuple(sorted(SUBJECTS.values(), key=lambda s: order.index(s.phase)))


def subject(name: str) -> Subject:
    """The subject of that name."""
    return next(s for s in subjects() if s.name == name)
