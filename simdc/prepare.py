"""Everything that is settled before the first draw: people, drivers and contracts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from simdc.benchmark.of_scenario import with_given_benchmark
from simdc.contracts import Contract, write_contract
from simdc.contracts.direct_contracting import DirectContractingContract
from simdc.drivers import ResolvedDrivers, resolve_drivers
from simdc.errors import InputError
from simdc.outcome import Assumption
from simdc.population import Population, build_population
from simdc.priors import expected_savings_rate, percent
from simdc.scenario.models import Scenario, Track

__all__ = ["Prepared", "contract_of", "person_cv", "prepare", "published_option"]

_SAME_RATE = 0.0005  # published means are given to a tenth of a percent


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scenario with everything known before the performance year.

    Attributes
    ----------
    population : Population
    drivers : ResolvedDrivers
    contracts : tuple of Contract
        One for each track, in the order of the scenario.
    savings : Assumption or None
        What the scenario expects to be saved, beside what was published before the year; None
        without a track of Direct Contracting or a program like it.
    """

    population: Population
    drivers: ResolvedDrivers
    contracts: tuple[Contract, ...]
    savings: Assumption | None = None

    @property
    def assumptions(self) -> tuple[Assumption, ...]:
        """Each assumption once, naming the tracks that make it unless all do."""
        makers: dict[Assumption, list[str]] = {}
        for contract in self.contracts:
            for assumption in contract.assumptions:
                makers.setdefault(assumption, []).append(contract.track.name)
        of_tracks = (
            assumption
            if len(tracks) == len(self.contracts)
            else replace(assumption, subject=f"{assumption.subject} ({', '.join(tracks)})")
            for assumption, tracks in makers.items()
        )
        savings = () if self.savings is None else (self.savings,)
        return (*savings, *self.drivers.assumptions, *of_tracks)


def prepare(
    scenario: Scenario,
    base_dir: Path,
    *,
    population: Population | None = None,
    drivers: ResolvedDrivers | None = None,
) -> Prepared:
    """Build the people, resolve the drivers and write the contract of every track.

    Parameters
    ----------
    scenario : Scenario
    base_dir : Path
        Folder that file names in the scenario are relative to.
    population, drivers : optional
        Instead of the scenario's own, such as those of an earlier year carried on.

    Raises
    ------
    InputError
        When a file that the scenario names cannot be used, or no default exists for a driver.
    """
    if population is None:
        population = build_population(scenario.population, base_dir)
    if drivers is None:
        drivers = resolve_drivers(
            scenario.drivers,
            scenario.entity,
            option=published_option(scenario),
            person_cv=person_cv(population),
            base_dir=base_dir,
        )
    contracts = tuple(
        contract_of(scenario, track, population, drivers, base_dir) for track in scenario.track
    )
    savings = _expected_savings(scenario, population, drivers, contracts)
    return Prepared(population, drivers, contracts, savings)


def contract_of(
    scenario: Scenario,
    track: Track,
    population: Population,
    drivers: ResolvedDrivers,
    base_dir: Path,
) -> Contract:
    """The contract of one track, its benchmark built beforehand where it is to be."""
    track, built = with_given_benchmark(scenario, track, population, base_dir)
    contract = write_contract(scenario, track, population, drivers, built)
    if built is None:
        return contract
    return replace(contract, assumptions=(*contract.assumptions, *built.assumptions))


def person_cv(population: Population) -> float:
    """Coefficient of variation of one beneficiary's cost by luck alone, this population's mix.

    That of the total cost of n such people is this over the square root of n.
    """
    people = sum(segment.beneficiaries for segment in population.segments)
    variance = sum(
        float(np.sum((segment.expected_cost * segment.severity.cv) ** 2))
        for segment in population.segments
    )
    mean = sum(segment.total_expected_cost for segment in population.segments)
    return float(np.sqrt(people * variance)) / mean


def _expected_savings(
    scenario: Scenario,
    population: Population,
    drivers: ResolvedDrivers,
    contracts: tuple[Contract, ...],
) -> Assumption | None:
    """What expected cost implies of savings, beside what entities of the kind had saved before.

    Of the option that the entity effect rests on, where a track has it.
    """
    alike = [each for each in contracts if isinstance(each, DirectContractingContract)]
    if not alike:
        return None
    option = published_option(scenario)
    contract = next((each for each in alike if each.track.option == option), alike[0])
    rate = contract.expected_savings_rate(
        sum(segment.total_expected_cost for segment in population.segments),
        drivers.mean_quality(contract.ci_sep_multiplier),
    )
    implied = (
        f"expected cost lies {percent(abs(rate))} {'below' if rate >= 0.0 else 'above'} the "
        f"{contract.track.option.title()} benchmark after discount and expected quality"
    )
    entity = scenario.entity
    try:
        prior = expected_savings_rate(entity.type, contract.track.option, entity.performance_year)
    except InputError:
        return Assumption("expected savings", implied, "scenario")
    published = f"{prior.population} saved {percent(prior.mean)} of theirs on average"
    relation = "just as" if abs(rate - prior.mean) < _SAME_RATE else "but"
    return Assumption("expected savings", f"{implied}, {relation} {published}", prior.source)


def published_option(scenario: Scenario) -> str:
    """The option whose published results the entity effect rests on.

    The effect belongs to the entity, not to a track, so one option serves all tracks: the one the
    scenario names, else Global unless every track is Professional.
    """
    if scenario.entity.option is not None:
        return scenario.entity.option
    options = {track.option for track in scenario.track}
    return "professional" if options == {"professional"} else "global"
