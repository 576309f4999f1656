"""The account that a settlement leaves behind: what each step started from and came to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simdc.errors import nearest
from simdc.settlement.steps import Amount

__all__ = ["Ledger", "Line", "Statement"]


@dataclass(frozen=True, eq=False)
class Line:
    """One step of a settlement.

    Attributes
    ----------
    key : str
        Name by which the statement gives the amount that the step came to.
    label : str
        The step in the contract's words.
    before : Amount or None
        What the step started from, in its unit, a number or an array of shape (draw,); None for
        an amount that the settlement starts from.
    after : Amount
        What it came to.
    rules : tuple of str
        Names of the rules that the step applied.
    unit : str
        ``dollars``, or ``fraction`` for a rate that later steps apply.
    """

    key: str
    label: str
    before: Amount | None
    after: Amount
    rules: tuple[str, ...] = ()
    unit: str = "dollars"


@dataclass(frozen=True, eq=False)
class Statement:
    """The lines of a settlement, in the order of the contract.

    ``statement["gross_savings"]`` is the amount which that line came to. Positive is paid to the
    entity, negative is owed by it; benchmarks and costs are positive.
    """

    lines: tuple[Line, ...]

    def __getitem__(self, key: str) -> Amount:
        for line in self.lines:
            if line.key == key:
                return line.after
        suggestion = nearest(key, self)
        hint = f"; did you mean '{suggestion}'?" if suggestion else ""
        raise KeyError(f"no line '{key}' in this statement{hint}")

    def reduction(self, key: str) -> Amount:
        """What the step of a line has taken off what it started from; 0 without such a line."""
        for line in self.lines:
            if line.key == key and line.before is not None:
                return line.before - line.after
        return 0.0

    def __contains__(self, key: object) -> bool:
        return any(line.key == key for line in self.lines)

    def __iter__(self) -> Iterator[str]:
        return (line.key for line in self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of all rules applied, each once, in the order in which they first were."""
        return tuple(dict.fromkeys(name for line in self.lines for name in line.rules))


class Ledger:
    """A statement in the making: each step is entered as it is taken."""

    def __init__(self) -> None:
        self._lines: list[Line] = []

    def enter(
        self,
        key: str,
        label: str,
        after: Amount,
        *,
        before: Amount | None = None,
        rules: tuple[str, ...] = (),
        unit: str = "dollars",
    ) -> Amount:
        """Enter a step and hand back what it came to."""
        self._lines.append(Line(key, label, before, after, rules, unit))
        return after

    def statement(self) -> Statement:
        """Everything entered so far."""
        return Statement(tuple(self._lines))
