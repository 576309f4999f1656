"""Everything that is settled before the first draw: people, drivers and contracts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from simdc.contracts import Contract, write_contract
from simdc.drivers import ResolvedDrivers, resolve_drivers
from simdc.outcome import Assumption
from simdc.population import Population, build_population
from simdc.scenario.models import Scenario

__all__ = ["Prepared", "prepare"]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A scenario with everything known before the performance year.

    Attributes
    ----------
    population : Population
    drivers : ResolvedDrivers
    contracts : tuple of Contract
        One for each track, in the order of the scenario.
    """

    population: Population
    drivers: ResolvedDrivers
    contracts: tuple[Contract, ...]

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
        return (*self.drivers.assumptions, *of_tracks)


def prepare(scenario: Scenario, base_dir: Path) -> Prepared:
    """Build the people, resolve the drivers and write the contract of every track.

    Parameters
    ----------
    scenario : Scenario
    base_dir : Path
        Folder that file names in the scenario are relative to.

    Raises
    ------
    InputError
        When a file that the scenario names cannot be used, or no default exists for a driver.
    """
    population = build_population(scenario.population, base_dir)
    drivers = resolve_drivers(
        scenario.drivers,
        scenario.entity,
        option=_reference_option(scenario),
        person_noise_sd=person_noise(population),
        base_dir=base_dir,
    )
    contracts = tuple(
        write_contract(scenario, track, population, drivers) for track in scenario.track
    )
    return Prepared(population, drivers, contracts)


def person_noise(population: Population) -> float:
    """Standard deviation of total cost over its mean that people's own luck brings."""
    variance = sum(
        float(np.sum((segment.expected_cost * segment.severity.cv) ** 2))
        for segment in population.segments
    )
    return float(np.sqrt(variance)) / sum(s.total_expected_cost for s in population.segments)


def _reference_option(scenario: Scenario) -> str:
    """The option whose published results the entity effect is taken from.

    The effect belongs to the entity, so one option must serve all tracks.
    """
    if scenario.observed is not None:
        for track in scenario.track:
            if track.name == scenario.observed.track:
                return track.option
    return scenario.track[0].option
