"""What every contract has in common, and the notes taken while one is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simdc.benchmark.of_scenario import BuiltBenchmark
from simdc.drivers import ResolvedDrivers
from simdc.outcome import Assumption
from simdc.population import Population
from simdc.programs import Program, Rule, RuleSet
from simdc.scenario.models import Benchmark, Scenario, StopLoss, Track
from simdc.settlement.statement import Statement
from simdc.sums import CostDraws

__all__ = [
    "Contract",
    "Notes",
    "Required",
    "Setting",
    "benchmark_by_category",
    "fixed_figures",
    "required_guarantee",
]

Array = NDArray[np.float64]

_UNSURE = ("inferred", "conflicting", "assumption")


@dataclass(frozen=True)
class Setting:
    """Everything that a track is written against.

    Attributes
    ----------
    scenario : Scenario
    track : Track
    program : Program
    rules : RuleSet
        Of the program for the year, option and entity type, with the track's overrides.
    population : Population
    drivers : ResolvedDrivers
    built : BuiltBenchmark or None
        How the benchmark came about, where it is built.
    """

    scenario: Scenario
    track: Track
    program: Program
    rules: RuleSet
    population: Population
    drivers: ResolvedDrivers
    built: BuiltBenchmark | None = None

    @property
    def target(self) -> Benchmark:
        """The track's own benchmark, or the scenario's."""
        return self.track.benchmark or self.scenario.benchmark

    @property
    def expected_cost(self) -> float:
        """Expected Part A and B cost of everyone, US dollars."""
        return sum(s.total_expected_cost for s in self.population.segments)

    @property
    def months(self) -> float:
        """Beneficiary-months."""
        return sum(s.total_months for s in self.population.segments)


@dataclass(frozen=True, kw_only=True, eq=False)
class Contract(ABC):
    """A track with everything known before the performance year.

    Attributes
    ----------
    track : Track
    rules : RuleSet
        The program's rules for the year and option, overrides marked.
    fixed : mapping of str to float
        Figures that are the same in every draw, US dollars.
    required_guarantee : float or None
        US dollars; None where no rule states any.
    guarantee_basis : str
        What that amount is a rate of, or why there is none.
    assumptions : tuple of Assumption
    """

    track: Track
    rules: RuleSet
    fixed: Mapping[str, float]
    required_guarantee: float | None
    guarantee_basis: str
    assumptions: tuple[Assumption, ...]

    @property
    @abstractmethod
    def designs(self) -> tuple[StopLoss, ...]:
        """What the kernel has to take off each beneficiary's cost for this contract."""

    @property
    def settles_provisionally(self) -> bool:
        """Whether part of the year is settled before the final settlement."""
        return False

    @abstractmethod
    def settle(
        self, sums: CostDraws, drivers: ResolvedDrivers, values: Mapping[str, Array]
    ) -> Statement:
        """Settle a run of draws.

        Parameters
        ----------
        sums : CostDraws
            Cost and what the designs take away.
        drivers, values
            The drivers and their values in these draws.

        Returns
        -------
        Statement
            Lines of shape (draw,) or scalars.
        """


class Notes:
    """Collects what is assumed while a contract is written."""

    def __init__(self) -> None:
        self.assumptions: list[Assumption] = []

    def say(self, subject: str, statement: str, source: str = "assumption") -> None:
        """Note one assumption."""
        self.assumptions.append(Assumption(subject, statement, source))

    def program(self, program: Program) -> None:
        """What a program is, where it is not one as it was run."""
        if program.status != "as run":
            self.say(f"program {program.name}", f"{program.title}: {program.status}", "program")

    def rules(self, rules: RuleSet, applied: Iterable[str]) -> None:
        """Overrides, and those of the applied rules that no source settles."""
        for name, rule in rules.items():
            if rule.original is not None:
                program_value = _shown(replace(rule, value=rule.original))
                self.say(
                    name, f"the scenario overrides {program_value} with {_shown(rule)}", "scenario"
                )
            elif name in applied and rule.confidence in _UNSURE:
                note = f": {rule.note}" if rule.note else ""
                self.say(
                    f"{rules.program} {rules.year} {rules.option}: {name}",
                    f"{_shown(rule)} is {rule.confidence}{note}",
                    rule.source,
                )


def _shown(rule: Rule) -> str:
    """A rule's value as the program shows it, corridors in one line."""
    return rule.shown.replace("\n(", " (").replace("\n", ", ")


def benchmark_by_category(setting: Setting, told: Notes) -> dict[str, float]:
    """Unadjusted benchmark of each category of beneficiary, US dollars."""
    target = setting.target
    months: dict[str, float] = {}
    cost: dict[str, float] = {}
    for segment in setting.population.segments:
        months[segment.category] = months.get(segment.category, 0.0) + segment.total_months
        cost[segment.category] = cost.get(segment.category, 0.0) + segment.total_expected_cost
    if target.by_category is not None:
        return {
            category: amount.dollars
            if amount.dollars is not None
            else (amount.pbpm or 0.0) * months[category]
            for category, amount in target.by_category.items()
        }
    total = target.dollars if target.dollars is not None else (target.pbpm or 0.0) * setting.months
    if len(cost) > 1:
        told.say(
            "benchmark",
            "one benchmark is given for all categories; it is split in proportion to expected cost",
        )
    everything = sum(cost.values())
    return {category: total * amount / everything for category, amount in cost.items()}


def fixed_figures(
    benchmark: float,
    *,
    stop_loss_charge: float = 0.0,
    capitation: float = 0.0,
    enhanced: float = 0.0,
    guarantee_base: float | None = None,
) -> dict[str, float]:
    """What a result keeps of a contract's fixed figures, US dollars.

    Without an amount that the required guarantee is a rate of there is no ``guarantee_base``.
    """
    fixed = {
        "unadjusted_benchmark": benchmark,
        "stop_loss_charge": stop_loss_charge,
        "base_capitation": capitation,
        "enhanced_capitation": enhanced,
    }
    return fixed if guarantee_base is None else fixed | {"guarantee_base": guarantee_base}


class Required(NamedTuple):
    """What must be posted, fixed before the year.

    Attributes
    ----------
    amount : float or None
        US dollars; None where no rule states any.
    basis : str
        What it is a rate of, or why there is none.
    base : float or None
        That of which it is a rate, US dollars; None where it is no rate.
    """

    amount: float | None
    basis: str
    base: float | None = None


def required_guarantee(
    setting: Setting, rate: float | None, prospective: float, told: Notes
) -> Required:
    """What must be posted, and what it is a rate of.

    Parameters
    ----------
    setting : Setting
    rate : float or None
        What the rules require; None where they state nothing.
    prospective : float
        Benchmark known before the year, US dollars.
    told : Notes
    """
    wanted = setting.scenario.guarantee
    if wanted.base == "dollars" and wanted.dollars is not None:
        return Required(wanted.dollars, "dollars given in the scenario")
    if rate is None:
        return Required(None, "the rules state none")
    if wanted.base == "prior_expenditure" and wanted.prior_expenditure is not None:
        prior = wanted.prior_expenditure
        return Required(rate * prior, f"{rate:.2%} of prior expenditure", prior)
    told.say(
        "guarantee",
        "no source states what the required percentage is of; the prospective benchmark before "
        "trend adjustment, discount and quality is taken",
    )
    basis = f"{rate:.2%} of the prospective benchmark"
    return Required(rate * prospective, basis, prospective)
