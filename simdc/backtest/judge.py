"""Published results beside their forecasts: every figure with how likely it is to miss as far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, kstwo

from simdc.backtest import scores
from simdc.backtest.forecast import Forecasts, forecast
from simdc.backtest.published import Entity, read_published
from simdc.estimate import Estimate, probability
from simdc.executors import Executor
from simdc.priors import Prior, expected_savings_rate, type_name
from simdc.replay.table import Damage

__all__ = [
    "BINS",
    "LEVELS",
    "Backtest",
    "Comparison",
    "Coverage",
    "Group",
    "Miss",
    "Naive",
    "Uniformity",
    "backtest",
]

Array = NDArray[np.float64]
Members = NDArray[np.bool_]  # which entities are of a kind
Statistic = Callable[[Array], NDArray[Any]]  # over the first axis, the entities

LEVELS = (0.50, 0.80, 0.90, 0.95)
"""Central intervals whose coverage is counted."""
BINS = 10
"""Bins of the histogram of probability integral transforms."""
_RANGE = 0.95  # of the simulated law of a statistic
_FAR_OUT = 0.99  # central interval outside which an entity is named
_SIZES = (1, 1_000, 3_000, 10_000, 30_000, None)
_TYPES = ("standard", "new_entrant", "high_needs")
_OPTIONS = ("global", "professional")


@dataclass(frozen=True)
class Comparison:
    """A statistic of published outcomes, and its law if they followed their forecasts.

    Attributes
    ----------
    published : float
    simulated, low, high : float
        Median and central 95% of the law.
    chance : float
        Of a statistic as far out as the published one, on either side.
    """

    published: float
    simulated: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True)
class Group:
    """Entities of one kind.

    Attributes
    ----------
    kind : str
        Type of entity, or ``All``.
    size : str
        Size class by beneficiaries; empty for all sizes.
    entities : int
    mean : Comparison
        Of their savings rates, unweighted.
    spread : Comparison or None
        Standard deviation between them; None for a single one.
    owing : Comparison
        How many of them owe.
    crps : float
        Mean score of the forecasts.
    """

    kind: str
    size: str
    entities: int
    mean: Comparison
    spread: Comparison | None
    owing: Comparison
    crps: float

    @property
    def name(self) -> str:
        """Type and size."""
        return f"{self.kind}, {self.size}" if self.size else self.kind


@dataclass(frozen=True)
class Coverage:
    """How many outcomes a central interval covers.

    Attributes
    ----------
    level : float
    covered : Comparison
        Number of entities.
    share : Estimate
        With binomial limits, which take the entities for independent.
    """

    level: float
    covered: Comparison
    share: Estimate


@dataclass(frozen=True)
class Uniformity:
    """Whether probability integral transforms spread evenly between 0 and 1.

    Attributes
    ----------
    histogram : tuple of int
        Entities in each of ten equal bins.
    mean : Comparison
        Above a half where outcomes lie above their forecasts.
    chi_square, kolmogorov_smirnov : Comparison
        Their chance is one-sided: that of a statistic at least as large.
    chi_square_independent, kolmogorov_smirnov_independent : float
        That chance if the entities were independent.
    """

    histogram: tuple[int, ...]
    mean: Comparison
    chi_square: Comparison
    kolmogorov_smirnov: Comparison
    chi_square_independent: float
    kolmogorov_smirnov_independent: float


@dataclass(frozen=True)
class Naive:
    """A forecast without simulation.

    Attributes
    ----------
    name, description : str
    crps : float
        Mean score.
    advantage, error : float
        Mean of its score less that of the simulation, and the standard error as if entities were
        independent. Positive where the simulation is better.
    """

    name: str
    description: str
    crps: float
    advantage: float
    error: float


@dataclass(frozen=True)
class Miss:
    """An outcome far out in its forecast."""

    entity: Entity
    transform: float
    median: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Backtest:
    """Forecasts of one performance year against its published results.

    Attributes
    ----------
    file, program : str
    year, draws, seed : int
    priors : tuple of Prior
        What each type and option of the file rests on.
    total : Group
        All entities; `groups` has them by type, and by type and size.
    groups : tuple of Group
    coverage : tuple of Coverage
    uniformity : Uniformity
    naive : tuple of Naive
    misses : tuple of Miss
        Outcomes outside the central 99% of their forecasts.
    missed : Comparison
        How many those are.
    forecasts : Forecasts
        Every draw.
    transforms, crps : float64 arrays of shape (entity,)
    left_out : tuple of Damage
        Rows and cells that could not be used.
    notes : tuple of str
    """

    file: str
    program: str
    year: int
    draws: int
    seed: int
    priors: tuple[Prior, ...]
    total: Group
    groups: tuple[Group, ...]
    coverage: tuple[Coverage, ...]
    uniformity: Uniformity
    naive: tuple[Naive, ...]
    misses: tuple[Miss, ...]
    missed: Comparison
    forecasts: Forecasts
    transforms: Array
    crps: Array
    left_out: tuple[Damage, ...]
    notes: tuple[str, ...]


def backtest(
    path: Path,
    program: str,
    year: int | None = None,
    *,
    draws: int = 2_000,
    seed: int = 1,
    executor: Executor | None = None,
    progress: Callable[[int, int], None] = lambda done, entities: None,
) -> Backtest:
    """Score the default priors against a published results file.

    Parameters
    ----------
    path : Path
        Table of results, one row per entity, as CMS and others publish it.
    program : {'gpdc', 'reach'}
    year : int, optional
        Performance year, where the file holds several or does not state it.
    draws, seed : int, optional
        Draws of each entity's year.
    executor : Executor, optional
        All available processors by default; no bit of the result depends on it.
    progress : callable, optional
        Told how many of how many entities are done.

    Raises
    ------
    InputError
        If the file cannot be tested: see `read_published`.
    """
    published = read_published(path, program, year)
    forecasts = forecast(
        published.entities,
        program,
        draws=draws,
        seed=seed,
        executor=executor,
        progress=lambda done: progress(done, len(published.entities)),
    )
    outcome = np.array([entity.savings_rate for entity in forecasts.entities])
    transforms = scores.pit(forecasts.rates, outcome)
    crps = scores.crps_sample(forecasts.rates, outcome)
    everyone = np.ones(outcome.size, dtype=bool)
    ranks = scores.ranks_of_draws(forecasts.rates)
    return Backtest(
        file=str(path),
        program=program,
        year=published.year,
        draws=draws,
        seed=seed,
        priors=tuple(_priors(forecasts.entities, published.year)),
        total=_group("All", "", everyone, forecasts, outcome, crps),
        groups=tuple(
            _group(kind, size, members, forecasts, outcome, crps)
            for kind, size, members in _kinds(forecasts.entities)
        ),
        coverage=tuple(_coverage(level, transforms, ranks) for level in LEVELS),
        uniformity=_uniformity(transforms, ranks),
        naive=_naive(forecasts.entities, published.year, outcome, crps),
        misses=_misses(forecasts, transforms),
        missed=_compare(lambda u: (~scores.covered(u, _FAR_OUT)).sum(axis=0), transforms, ranks),
        forecasts=forecasts,
        transforms=transforms,
        crps=crps,
        left_out=published.left_out,
        notes=(
            *published.notes,
            *(f"{entity} is left out: {why}" for entity, why in forecasts.refused.items()),
        ),
    )


def _priors(entities: Sequence[Entity], year: int) -> Iterator[Prior]:
    found = {(entity.entity_type, entity.option) for entity in entities}
    for kind in product(_TYPES, _OPTIONS):
        if kind in found:
            yield expected_savings_rate(*kind, year)


def _compare(
    statistic: Statistic, published: Array, simulated: Array, *, upper: bool = False
) -> Comparison:
    """A statistic of outcomes (entity,) beside its law over simulated ones (entity, draw)."""
    observed, law = float(statistic(published)), statistic(simulated)
    outside = (1.0 - _RANGE) / 2.0
    low, median, high = np.quantile(law, [outside, 0.5, 1.0 - outside], method="inverted_cdf")
    chance = (scores.upper_chance if upper else scores.two_sided_chance)(observed, law)
    return Comparison(observed, float(median), float(low), float(high), chance)


# --- groups -----------------------------------------------------------------------------------


def _kinds(entities: Sequence[Entity]) -> Iterator[tuple[str, str, Members]]:
    """Each type, followed by its size classes where it has several."""
    people = np.array([entity.beneficiaries for entity in entities])
    types = np.array([entity.entity_type for entity in entities])
    for entity_type in _TYPES:
        of_type = types == entity_type
        if not of_type.any():
            continue
        yield type_name(entity_type), "", of_type
        for least, below in pairwise(_SIZES):
            assert least is not None  # only the last is open
            members = of_type & (people >= least) & (people < (below or np.inf))
            if members.any() and not np.array_equal(members, of_type):
                yield type_name(entity_type), _size(least, below), members


def _size(least: int, below: int | None) -> str:
    if below is None:
        return f"{least:,} and more"
    return f"below {below:,}" if least == 1 else f"{least:,} to {below - 1:,}"


def _group(
    kind: str, size: str, members: Members, forecasts: Forecasts, outcome: Array, crps: Array
) -> Group:
    published, simulated = outcome[members], forecasts.rates[members]
    return Group(
        kind=kind,
        size=size,
        entities=int(members.sum()),
        mean=_compare(lambda rates: rates.mean(axis=0), published, simulated),
        spread=_compare(lambda rates: rates.std(axis=0, ddof=1), published, simulated)
        if published.size > 1
        else None,
        owing=_compare(lambda rates: (rates < 0.0).sum(axis=0), published, simulated),
        crps=float(crps[members].mean()),
    )


# --- calibration ------------------------------------------------------------------------------


def _coverage(level: float, transforms: Array, ranks: Array) -> Coverage:
    covered = _compare(lambda u: scores.covered(u, level).sum(axis=0), transforms, ranks)
    return Coverage(level, covered, probability(int(covered.published), transforms.size))


def _uniformity(transforms: Array, ranks: Array) -> Uniformity:
    entities = transforms.size
    histogram, _ = np.histogram(transforms, bins=BINS, range=(0.0, 1.0))
    squares = _compare(lambda u: scores.chi_square(u, BINS), transforms, ranks, upper=True)
    distance = _compare(scores.kolmogorov_smirnov, transforms, ranks, upper=True)
    return Uniformity(
        histogram=tuple(map(int, histogram)),
        mean=_compare(lambda u: u.mean(axis=0), transforms, ranks),
        chi_square=squares,
        kolmogorov_smirnov=distance,
        chi_square_independent=float(chi2.sf(squares.published, BINS - 1)),
        kolmogorov_smirnov_independent=float(kstwo.sf(distance.published, entities)),
    )


def _misses(forecasts: Forecasts, transforms: Array) -> tuple[Miss, ...]:
    outside = (1.0 - _FAR_OUT) / 2.0
    found = []
    for row in np.flatnonzero(~scores.covered(transforms, _FAR_OUT)):
        low, median, high = np.quantile(
            forecasts.rates[row], [outside, 0.5, 1.0 - outside], method="inverted_cdf"
        )
        found.append(
            Miss(
                forecasts.entities[row],
                float(transforms[row]),
                float(median),
                float(low),
                float(high),
            )
        )
    return tuple(found)


# --- forecasts without simulation -------------------------------------------------------------


def _naive(entities: Sequence[Entity], year: int, outcome: Array, crps: Array) -> tuple[Naive, ...]:
    priors = [expected_savings_rate(e.entity_type, e.option, year) for e in entities]
    mean, sd = np.array([p.mean for p in priors]), np.array([p.sd for p in priors])
    pool = [expected_savings_rate(*kind, year) for kind in product(_TYPES, _OPTIONS)]
    weights = np.array([p.entities for p in pool], dtype=np.float64)
    pooled = scores.crps_mixture(
        np.array([p.mean for p in pool]),
        np.array([p.sd for p in pool]),
        weights / weights.sum(),
        outcome,
    )
    return tuple(
        Naive(name, description, float(score.mean()), *_paired(score - crps))
        for name, description, score in (
            (
                "certainty",
                "the mean that its type and option had the year before, as if it were sure",
                scores.crps_normal(mean, np.zeros_like(mean), outcome),
            ),
            (
                "normal",
                "that mean, with the spread that its type and option had between entities",
                scores.crps_normal(mean, sd, outcome),
            ),
            (
                "pooled",
                "all entities of the year before as one distribution, the same for everyone",
                pooled,
            ),
        )
    )


def _paired(difference: Array) -> tuple[float, float]:
    """Mean and standard error."""
    if difference.size < 2:
        return float(difference.mean()), float("nan")
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(difference.size))
