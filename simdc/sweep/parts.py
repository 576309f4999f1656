"""Parts of scenarios, compared by what they say: points that share a part share what follows of it.

What the cost draws rest on decides which points share a pass of the kernel. What a contract is
written from decides which points share its settlement.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from simdc.drivers import COST_DRIVERS, ResolvedDrivers, resolve_drivers
from simdc.drivers.laws import Law
from simdc.population import build_population
from simdc.prepare import Prepared, contract_of, person_cv, prepare, published_option
from simdc.scenario.models import ChargePBPM

if TYPE_CHECKING:
    from simdc.contracts import Contract
    from simdc.population import Population
    from simdc.scenario.models import Scenario, Track

__all__ = ["Part", "Preparations", "digest", "law_text"]

Model = TypeVar("Model")

_KEYS = 256  # of tables that lie between two uses of one
_POPULATIONS = 2  # the one in use and the one before: people take memory
_DRIVERS = 64
_CONTRACTS = 8_192  # a few kilobytes each


@dataclass(frozen=True)
class Part(Generic[Model]):
    """Something with a key of what it says; equal keys make equal parts."""

    key: bytes
    model: Model = field(compare=False)


class _Itself:
    """Something known as the very object it is: points share what none of them changes."""

    __slots__ = ("held",)

    def __init__(self, held: object) -> None:
        self.held = held

    def __hash__(self) -> int:
        return id(self.held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.held is self.held


def _key(*parts: object) -> bytes:
    """Digest of what models and names say, every float to the bit."""
    return _digest_of(tuple(map(_Itself, parts)))


@functools.lru_cache(_KEYS)
def _digest_of(parts: tuple[_Itself, ...]) -> bytes:
    # Not as JSON, which knows no infinity.
    return digest("\n".join(repr(part.held) for part in parts))


def digest(said: str | bytes) -> bytes:
    """Sixteen bytes that tell texts and keys apart."""
    content = said.encode() if isinstance(said, str) else said
    return hashlib.blake2b(content, digest_size=16).digest()


@functools.lru_cache(_KEYS)
def _law_key(itself: _Itself) -> bytes:
    """Digest of the laws that the cost draws follow."""
    drivers: Any = itself.held
    told = [
        f"{name} {law_text(drivers.laws[name])}" for name in COST_DRIVERS if name in drivers.laws
    ]
    # Correlated with another, a driver of cost moves with it.
    if np.any(drivers.correlation != np.eye(len(drivers.names))):
        told += [*drivers.names, drivers.correlation.tobytes().hex()]
    return digest("\n".join(told))


def law_text(law: Law) -> str:
    """A law with every float to the bit."""
    held = (getattr(law, part.name) for part in fields(law))  # type: ignore[arg-type]
    told = (
        law_text(part)
        if isinstance(part, Law)
        else part.tobytes().hex()
        if isinstance(part, np.ndarray)
        else repr(part)
        for part in held
    )
    return f"{type(law).__name__}({','.join(told)})"


class Preparations:
    """People, drivers and contracts of many scenarios, each worked out once.

    Parameters
    ----------
    base_dir : Path
        Folder that file names in the scenarios are relative to.
    """

    def __init__(self, base_dir: Path) -> None:
        self._base_dir = base_dir
        self._populations = functools.lru_cache(_POPULATIONS)(self._build_population)
        self._drivers = functools.lru_cache(_DRIVERS)(self._resolve_drivers)
        self._contracts = functools.lru_cache(_CONTRACTS)(self._write_contract)

    def population(self, scenario: Scenario) -> Population:
        """The people of a scenario."""
        return self._populations(Part(_key(scenario.population), scenario))

    def drivers(self, scenario: Scenario) -> ResolvedDrivers:
        """The drivers of a scenario.

        Raises
        ------
        InputError
            Where no evidence is old enough for a default, or a law leaves its driver's range.
        """
        return self._drivers(Part(self.driver_key(scenario), scenario))

    def cost_key(self, scenario: Scenario) -> bytes:
        """What the cost draws of a scenario rest on.

        Points whose keys are equal are settled on one pass of the kernel. Stop-loss designs do
        not count: a pass takes as many as are asked of it.
        """
        return _key(scenario.population, scenario.run) + _law_key(_Itself(self.drivers(scenario)))

    def contracts(self, scenario: Scenario) -> tuple[Contract, ...]:
        """The contract of every track, in the order of the scenario.

        Raises
        ------
        InputError
            When a benchmark cannot be built, or a contract not be written.
        """
        keys = enumerate(self.contract_keys(scenario))
        return tuple(self._contracts(Part(key, scenario), place) for place, key in keys)

    def draft(self, scenario: Scenario, place: int) -> Contract:
        """The contract of one track, to see whether it can be written.

        In a draft a neutral stop-loss charge is zero: to work it out takes most of the time.

        Raises
        ------
        InputError
            As `contracts`.
        """
        track = scenario.track[place]
        design = track.stop_loss
        if design is None or design.charge != "neutral":
            return self._contracts(Part(self.contract_keys(scenario)[place], scenario), place)
        free = design.model_copy(update={"charge": ChargePBPM(pbpm=0.0)})
        return self._written(scenario, track.model_copy(update={"stop_loss": free}))

    def whole(self, scenario: Scenario) -> Prepared:
        """All of these of a scenario, and what it expects to be saved."""
        return prepare(
            scenario,
            self._base_dir,
            population=self.population(scenario),
            drivers=self.drivers(scenario),
        )

    @classmethod
    def contract_keys(cls, scenario: Scenario) -> list[bytes]:
        """What each track's contract is written from."""
        common = _key(scenario.benchmark, scenario.guarantee) + cls.driver_key(scenario)
        return [_key(track) + common for track in scenario.track]

    @staticmethod
    def driver_key(scenario: Scenario) -> bytes:
        """What the drivers of a scenario are resolved from."""
        option = published_option(scenario)
        return _key(scenario.population, scenario.drivers, scenario.entity, option)

    @classmethod
    def shock_key(cls, scenario: Scenario) -> bytes:
        """What the draws of the drivers rest on."""
        return cls.driver_key(scenario) + _key(scenario.run)

    def _build_population(self, part: Part[Scenario]) -> Population:
        return build_population(part.model.population, self._base_dir)

    def _resolve_drivers(self, part: Part[Scenario]) -> ResolvedDrivers:
        scenario = part.model
        return resolve_drivers(
            scenario.drivers,
            scenario.entity,
            option=published_option(scenario),
            person_cv=person_cv(self.population(scenario)),
            base_dir=self._base_dir,
        )

    def _write_contract(self, part: Part[Scenario], place: int) -> Contract:
        return self._written(part.model, part.model.track[place])

    def _written(self, scenario: Scenario, track: Track) -> Contract:
        return contract_of(
            scenario, track, self.population(scenario), self.drivers(scenario), self._base_dir
        )
