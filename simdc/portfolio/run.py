"""Every entity of a portfolio simulated, settled and stored, one after another.

An entity's draws are its own: their key is made of the portfolio's seed and its name, so that who
else is in the portfolio changes nothing about it. What acts on the whole nation has the same draws
for all.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from simdc.engine import KEPT_LINES, PROVISIONAL_LINE, simulate
from simdc.estimate import CONFIDENCE, draws_needed
from simdc.executors import Executor, Threads
from simdc.figures import guarantee_figures, summary_figures
from simdc.guarantee import LEVELS
from simdc.kernels.philox import DRAW_SCHEME
from simdc.portfolio.forecast import PortfolioForecast, forecast_portfolio
from simdc.portfolio.members import Member, Portfolio, load_portfolio
from simdc.portfolio.read import read_portfolio
from simdc.portfolio.survey import inputs, survey
from simdc.provenance import host, versions
from simdc.sweep.fill import StoreProgress, Worked, fill
from simdc.sweep.identity import sweep_identity
from simdc.sweep.store import SweepStore
from simdc.sweep.template import point_template
from simdc.variables import SIGN_CONVENTION

if TYPE_CHECKING:
    import xarray as xr

    from simdc.sweep.layout import Unit

__all__ = ["KEPT_DRAWS", "PortfolioRun", "entity_seed", "run_portfolio"]

Array: TypeAlias = NDArray[np.float64]

KEPT_DRAWS = ("gross_savings", "shared_after_sequestration", "cash_due")
"""Lines of which every draw is kept: what groups are added up from."""


def entity_seed(seed: int, name: str) -> int:
    """Key of the random numbers of one entity, 64 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed} entity {name}".encode()).digest()[:8], "big")


class PortfolioRun:
    """A portfolio with every entity looked at, ready to run.

    Parameters
    ----------
    portfolio : Portfolio
    levels : sequence of float, optional
        Probabilities with which a guarantee is to cover the total owed.
    told : callable, optional
        Told the number of entities looked at.

    Raises
    ------
    InputError
        Naming the entity whose people cannot be read, whose drivers cannot be resolved or whose
        contract cannot be written; or for a level that is no fraction.
    """

    def __init__(
        self,
        portfolio: Portfolio,
        *,
        levels: Sequence[float] = LEVELS,
        told: Callable[[int], None] = lambda done: None,
    ) -> None:
        self.portfolio = portfolio
        self._levels = tuple(sorted(set(levels)))
        for level in self._levels:
            draws_needed(level)  # refuses what is no level
        self._surveyed = survey(portfolio, told)
        self._inputs = inputs(self._surveyed)
        provisional = any(each.provisional for each in self._surveyed)
        self._lines = (*KEPT_LINES, PROVISIONAL_LINE) if provisional else KEPT_LINES

    def forecast(self, workers: int) -> PortfolioForecast:
        """Time, memory and disk that it will take."""
        return forecast_portfolio(
            self._surveyed,
            self._inputs,
            draws=self.portfolio.draws,
            lines=len(self._lines),
            kept=len(KEPT_DRAWS),
            levels=len(self._levels),
            workers=workers,
        )

    def run(
        self,
        target: Path,
        executor: Executor,
        *,
        resume: bool = False,
        progress: Callable[[StoreProgress], None] = lambda so_far: None,
    ) -> None:
        """Work out every entity and write it to a store.

        Parameters
        ----------
        target : Path
            Folder of the store.
        executor : Executor
            Threads share out the draws of one entity after another; a cluster's workers take whole
            entities. No bit depends on it.
        resume : bool, optional
            Go on with the store that is there.
        progress : callable, optional
            Told how far it is, at first and after each entity, which is a point of the store.

        Raises
        ------
        InputError
            When the store cannot be made, or is not of this portfolio.
        SimdcError
            When the disk is full, or a cluster is gone; what is finished is safe.
        """
        identity, entities = self._identity(), len(self.portfolio.members)
        store = (
            SweepStore.resume(target, identity)
            if resume
            else SweepStore.create(
                target,
                identity=identity,
                template=self._template,
                dims=["entity"],
                shape=[entities],
                coords=self._labels(),
                chunks=[1],
                attrs=self._attributes(),
                fixed={"inputs": self._inputs},
            )
        )
        fill(store, lambda left: self._worked(left, executor), is_new=not resume, progress=progress)

    def _worked(self, left: Sequence[Unit], executor: Executor) -> Iterator[Worked]:
        """Entities as they are finished."""
        shared = _Shared(self.portfolio.draws, self.portfolio.seed, self._lines, self._levels)
        members = (self.portfolio.members[unit.index] for unit in left)
        if executor is executor.threads:  # threads of this process share the draws of an entity
            for unit, member in zip(left, members, strict=True):
                yield unit, _as_unit(_settled(shared, member, executor))
            return
        for index, found in executor.run(_settled, shared, members):
            yield left[index], _as_unit(found)

    # --- what the store is told ---------------------------------------------------------------

    @functools.cached_property
    def _template(self) -> dict[str, xr.Dataset]:
        tracks = point_template([""], self._lines, self._levels, self.portfolio.draws)
        alone = {name: each.isel(track=0, drop=True) for name, each in tracks.items()}
        return alone | {"draws": alone["draws"][list(KEPT_DRAWS)]}

    def _labels(self) -> dict[str, tuple[str, list[str]]]:
        return {"entity": ("entity", [member.name for member in self.portfolio.members])}

    def _identity(self) -> dict[str, str]:
        members = self.portfolio.members
        identity = sweep_identity(
            scenario_sha256=self.portfolio.sha256,
            files={
                f"{name}' of '{member.name}": digest
                for member in members
                for name, digest in (
                    (member.loaded.path.name, member.loaded.sha256),
                    *member.loaded.inputs_sha256.items(),
                )
            },
            overrides={
                member.name: dict(member.loaded.overrides)
                for member in members
                if member.loaded.overrides
            },
            points=self._labels(),
            draws=self.portfolio.draws,
            seed=self.portfolio.seed,
            draw_scheme=DRAW_SCHEME,
            levels=self._levels,
            variables={name: map(str, each) for name, each in self._template.items()},
        )
        named = {"scenario": "portfolio", "points": "entities", "overrides": "settings of entities"}
        return {named.get(part, part): said for part, said in identity.items()}

    def _attributes(self) -> dict[str, str | int | float]:
        return {
            "title": self.portfolio.title,
            "portfolio": self.portfolio.path.name,
            "performance_year": self.portfolio.performance_year,
            "sign_convention": SIGN_CONVENTION,
            "confidence": CONFIDENCE,
            "seed": str(self.portfolio.seed),
            "draws": self.portfolio.draws,
            "draw_scheme": DRAW_SCHEME,
            "versions": json.dumps(versions()),
            "host": json.dumps(host()),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def run_portfolio(
    path: str | Path,
    target: str | Path,
    *,
    draws: int | None = None,
    seed: int | None = None,
    levels: Sequence[float] = LEVELS,
    executor: Executor | None = None,
    resume: bool = False,
    progress: Callable[[StoreProgress], None] = lambda so_far: None,
) -> xr.DataTree:
    """Settle every entity of a portfolio, and keep them in a Zarr store.

    Parameters
    ----------
    path : path-like
        The portfolio, a TOML or CSV file.
    target : path-like
        Folder of the store.
    draws, seed : int, optional
        Instead of the portfolio's own.
    levels : sequence of float, optional
        Probabilities with which a guarantee is to cover the total owed.
    executor : Executor, optional
        Threads on all available processors by default; no bit depends on it.
    resume, progress
        See `PortfolioRun.run`.

    Returns
    -------
    xarray.DataTree
        See `simdc.portfolio.read.read_portfolio`.

    Raises
    ------
    InputError
        For what cannot be run, naming the entity; nothing is written then.
    """
    asked = PortfolioRun(load_portfolio(path, draws=draws, seed=seed), levels=levels)
    asked.run(Path(target), executor or Threads.all(), resume=resume, progress=progress)
    return read_portfolio(target)


@dataclass(frozen=True, eq=False)
class _Shared:
    """What is the same for all entities."""

    draws: int
    seed: int
    lines: tuple[str, ...]
    levels: tuple[float, ...]


def _settled(shared: _Shared, member: Member, executor: Executor | None = None) -> dict[str, Array]:
    """Figures and kept draws of one entity."""
    (track,) = simulate(
        member.scenario,
        base_dir=member.loaded.base_dir,
        draws=shared.draws,
        seed=entity_seed(shared.seed, member.name),
        national_seed=shared.seed,
        executor=Threads(1) if executor is None else executor,
    ).tracks
    # Who settles nothing provisionally has no such line.
    lines = {line: track.draws.get(line, np.zeros(shared.draws)) for line in shared.lines}
    sized = guarantee_figures(lines, track.required_guarantee, shared.levels)
    return {
        **{f"summary/{line}": value for line, value in summary_figures(lines).items()},
        **{f"guarantee/{name}": value for name, value in sized.items()},
        **{f"draws/{line}": lines[line] for line in KEPT_DRAWS},
    }


def _as_unit(figures: dict[str, Array]) -> dict[str, Array]:
    """Figures of one entity as a unit of the store."""
    return {name: value[None] for name, value in figures.items()}
