"""Drivers ready to be drawn: each a law on its own stream, coupled by a Gaussian copula."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from simdc.drivers.copula import correlate, lower_factor
from simdc.drivers.laws import Constant, Law, deviation_rule, log_mean_excess
from simdc.drivers.quadrature import Rule, add_rules, gauss_rule, inner, score_rule
from simdc.kernels.philox import stream_of, uniforms
from simdc.outcome import Assumption

__all__ = [
    "AMOUNTS",
    "COST_DRIVERS",
    "DRIVER_NAMES",
    "FURTHER_AMOUNTS",
    "NATIONAL_DRIVERS",
    "ResolvedDrivers",
    "normal_scores",
]

Array = NDArray[np.float64]

COST_DRIVERS = (
    "national_trend",
    "national_trend_esrd",
    "pandemic",
    "regional_trend",
    "entity_effect",
)
NATIONAL_DRIVERS = (
    "national_trend",
    "national_trend_esrd",
    "pandemic",
    "reference_population_drift",
    "coding_factor",
)
"""Drivers that act on the whole nation at once, and so on all entities alike."""
AMOUNTS = {"quality_score": 1.0, "completion": 1.0, "high_performers_bonus": 0.0}
"""Drivers that are amounts, and what each is where the scenario leaves it out."""
FURTHER_AMOUNTS = (
    "ci_sep_missed",
    "reference_population_drift",
    "coding_factor",
    "health_equity_months",
    "early_exit",
    "raw_risk_score",
)
"""Drivers that are amounts too, here only where the scenario gives them."""
DRIVER_NAMES = (*COST_DRIVERS, *AMOUNTS, *FURTHER_AMOUNTS)

_DRIVER = 2  # tag of driver streams
_MARGINAL_POINTS = 32
_LAW_POINTS = 16
_CERTAIN: Rule = np.zeros(1), np.ones(1)


def normal_scores(name: str, seed: int, first_draw: int, count: int) -> Array:
    """Standard normal scores of a driver's own stream, shape (count,), before any correlation."""
    uniform = uniforms(seed, first_draw, count, stream_of(_DRIVER, name))
    return ndtri(uniform, out=uniform)


@dataclass(frozen=True, eq=False)
class ResolvedDrivers:
    """What is uncertain for all beneficiaries at once, every default replaced by figures.

    A cost driver's value x is a deviation on the log scale and its cost factor is exp(x - k) with
    k = log E exp(x - E x), so that the factor's mean is exp(E x) however wide the law; a lognormal
    driver's value is the factor itself. The other drivers are amounts; those of `AMOUNTS` are
    always here, fixed where the scenario leaves them out.

    Attributes
    ----------
    laws : mapping of str to Law
        In the order of `DRIVER_NAMES`, whatever the order of the scenario.
    correlation : array of shape (driver, driver)
        Of the normal scores, in the order of `laws`.
    assumptions : tuple of Assumption
        What the defaults rest on.
    """

    laws: Mapping[str, Law]
    correlation: Array
    assumptions: tuple[Assumption, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The drivers that are drawn."""
        return tuple(self.laws)

    @property
    def uncertain(self) -> tuple[str, ...]:
        """The drivers whose value is not the same in every draw."""
        return tuple(name for name, law in self.laws.items() if law.sd > 0.0)

    def fixed_at_mean(self, names: Collection[str]) -> ResolvedDrivers:
        """The same drivers with some of them always at their mean.

        A cost driver is fixed so that its cost factor has the mean that it has now. The others
        keep their laws and, as scores are correlated before laws are applied, their draws.
        """

        def fixed(name: str, law: Law) -> Law:
            on_log_scale = name in COST_DRIVERS and law.describes_factor
            return Constant(math.log(law.mean) if on_log_scale else law.mean)

        laws = {n: fixed(n, law) if n in names else law for n, law in self.laws.items()}
        return replace(self, laws=laws)

    def draw(
        self,
        seed: int,
        first_draw: int,
        count: int,
        carried: Mapping[str, Array] = MappingProxyType({}),
    ) -> dict[str, Array]:
        """Values of every driver in a run of draws.

        Parameters
        ----------
        seed : int
            Key of the random numbers.
        first_draw, count : int
            Draws ``first_draw`` to ``first_draw + count - 1``.
        carried : mapping of str to array of shape (draw,), optional
            Normal scores of drivers that are not drawn afresh, such as an entity effect carried
            over from the year before; the others are correlated with them.

        Returns
        -------
        dict of str to float64 array of shape (count,)
            Deviations on the log scale (lognormal: factors) and amounts.
        """
        together = self._coupled_scores(seed, first_draw, count, carried)
        values = {}
        for name, law in self.laws.items():
            if isinstance(law, Constant):
                values[name] = np.full(count, law.value)
            elif name in together:
                values[name] = law.at(together.pop(name))
            elif name in carried:
                values[name] = law.at(carried[name])
            else:
                values[name] = law.at(normal_scores(name, seed, first_draw, count))
        return values

    def score(self, name: str, seed: int, first_draw: int, count: int) -> Array:
        """Normal score that a driver is drawn at, correlated with the others; shape (count,)."""
        together = self._coupled_scores(seed, first_draw, count, {})
        return together[name] if name in together else normal_scores(name, seed, first_draw, count)

    def _coupled_scores(
        self, seed: int, first_draw: int, count: int, carried: Mapping[str, Array]
    ) -> dict[str, Array]:
        """Scores of the drivers that are correlated with another."""
        # Those carried over come first, where the factor leaves a score as it is.
        coupled = sorted(self._coupled, key=lambda i: self.names[i] not in carried)
        together = {
            name: carried[name].copy()
            if name in carried
            else normal_scores(name, seed, first_draw, count)
            for name in (self.names[i] for i in coupled)
        }
        correlate(lower_factor(self.correlation[np.ix_(coupled, coupled)]), [*together.values()])
        return together

    def cost_factor(self, values: Mapping[str, Array], category: str) -> Array:
        """Product of the national, pandemic, regional and entity factors on everyone's cost.

        Parameters
        ----------
        values : mapping of str to array of shape (draw,)
            As `draw` gives them.
        category : {'A&D', 'ESRD'}
            ESRD has its own national factor where the scenario gives one.

        Returns
        -------
        float64 array of shape (draw,)
        """
        product = np.ones_like(values["completion"])
        for name in self._acting_on(category):
            product *= self._factor(name, values[name])
        return product

    def trend_ratio(self, values: Mapping[str, Array], category: str) -> Array:
        """The factors of the whole nation, which the retrospective trend adjustment sees.

        Realised over prospective trend of the category, float64 array of shape (draw,).
        """
        product = np.ones_like(values["completion"])
        for name in self._national(category):
            product *= self._factor(name, values[name])
        return product

    def regional_ratio(self, values: Mapping[str, Array]) -> Array | float:
        """The region's deviation from the nation as a factor, (draw,) or the number 1."""
        if "regional_trend" not in self.laws:
            return 1.0
        return self._factor("regional_trend", values["regional_trend"])

    def quality(self, values: Mapping[str, Array], ci_sep_multiplier: float = 1.0) -> Array:
        """Total quality score, 0 to 1, shape (draw,).

        Parameters
        ----------
        values : mapping of str to array of shape (draw,)
            As `draw` gives them.
        ci_sep_multiplier : float
            What the rules multiply the score by where CI/SEP is missed.
        """
        score = values["quality_score"]
        if "ci_sep_missed" not in self.laws or ci_sep_multiplier == 1.0:
            return score
        return score * (1.0 - (1.0 - ci_sep_multiplier) * values["ci_sep_missed"])

    def mean_quality(self, ci_sep_multiplier: float = 1.0) -> float:
        """Mean of the total quality score, the score and CI/SEP taken as independent."""
        means = {
            name: np.array([self.laws[name].mean])
            for name in ("quality_score", "ci_sep_missed")
            if name in self.laws
        }
        return float(self.quality(means, ci_sep_multiplier)[0])

    def completion(self, values: Mapping[str, Array]) -> Array:
        """Completed claims over claims as settled, shape (draw,)."""
        return values["completion"]

    def high_performers_bonus(self, values: Mapping[str, Array]) -> Array:
        """Bonus from the High Performers Pool over the unadjusted benchmark, shape (draw,)."""
        return values["high_performers_bonus"]

    def ratio(self, values: Mapping[str, Array], name: str) -> Array | float:
        """A driver that is an amount over the expected one, (draw,) or the number 1 without it.

        Parameters
        ----------
        values : mapping of str to array of shape (draw,)
            As `draw` gives them.
        name : str
            ``raw_risk_score``, ``reference_population_drift``, ``coding_factor`` or
            ``health_equity_months``.
        """
        return values[name] if name in self.laws else 1.0

    def early_exit(self, values: Mapping[str, Array], elected: bool) -> Array | float:
        """1 where the entity leaves early, else 0; shape (draw,), or as elected without a driver.

        Parameters
        ----------
        values : mapping of str to array of shape (draw,)
            As `draw` gives them.
        elected : bool
            What the track says.
        """
        return values["early_exit"] if "early_exit" in self.laws else float(elected)

    def cost_factor_law(self, category: str) -> tuple[Array, Array]:
        """The law of the cost factor as a few factors with weights, for expected values.

        A Gauss rule in the logarithm of the factor. Its mean is exact where the cost drivers are
        independent; correlated ones are integrated jointly (to about 1e-5 when one of them has
        steps).

        Parameters
        ----------
        category : {'A&D', 'ESRD'}

        Returns
        -------
        factors, weights : float64 arrays of shape (point,)
            At most 16 points; the weights sum to 1.
        """
        return self._factor_law_of(category)

    @functools.cached_property
    def _factor_law_of(self) -> Callable[[str], Rule]:
        """`cost_factor_law`, worked out once for each category."""
        return functools.cache(self._work_out_factor_law)

    def _work_out_factor_law(self, category: str) -> Rule:
        names = self._acting_on(category)
        coupled = [name for name in names if self._correlated_with(name, names)]
        rule, mean = self._joint_log(coupled) if coupled else (_CERTAIN, 1.0)
        for name in names:
            if name in coupled:
                continue
            marginal, marginal_mean = self._marginal_of(name)
            mean *= marginal_mean
            rule = gauss_rule(add_rules(rule, marginal), _MARGINAL_POINTS)
        values, weights = gauss_rule(rule, _LAW_POINTS)
        factors = np.exp(values)
        return factors * (mean / float(weights @ factors)), weights

    @functools.cached_property
    def _marginal_of(self) -> Callable[[str], tuple[Rule, float]]:
        """Logarithm of one cost factor, and the factor's mean; most act on every category."""

        def work_out(name: str) -> tuple[Rule, float]:
            values, weights = self._log_factor_rule(name)
            reduced = gauss_rule((values, weights), _MARGINAL_POINTS)
            return reduced, float(weights @ np.exp(values))

        return functools.cache(work_out)

    def _joint_log(self, names: Sequence[str]) -> tuple[Rule, float]:
        """Logarithm of the product of correlated cost factors, and the product's mean."""
        smooth = not any(self.laws[name].has_steps for name in names)
        scores, weights = score_rule(len(names), smooth=smooth)
        members = [self.names.index(name) for name in names]
        correlate(lower_factor(self.correlation[np.ix_(members, members)]), list(scores))
        factor = np.ones_like(weights)
        for name, score in zip(names, scores, strict=True):
            factor *= self._factor(name, self.laws[name].at(score))
        return gauss_rule((np.log(factor), weights), _MARGINAL_POINTS), inner(weights, factor)

    def _correlated_with(self, name: str, names: Sequence[str]) -> bool:
        """Whether a driver is correlated with any other of these."""
        row = self.correlation[self.names.index(name)]
        return any(row[self.names.index(other)] != 0.0 for other in names if other != name)

    def _national(self, category: str) -> list[str]:
        own = category == "ESRD" and "national_trend_esrd" in self.laws
        names = ("national_trend_esrd" if own else "national_trend", "pandemic")
        return [name for name in names if name in self.laws]

    def _acting_on(self, category: str) -> list[str]:
        local = ("regional_trend", "entity_effect")
        return [*self._national(category), *(name for name in local if name in self.laws)]

    @functools.cached_property
    def _coupled(self) -> list[int]:
        """Positions of the drivers that are correlated with another."""
        others = self.correlation - np.eye(len(self.laws))
        return [int(i) for i in np.flatnonzero(others.any(axis=1))]

    @functools.cached_property
    def _shifts(self) -> dict[str, float]:
        """The k of each cost driver."""
        return {
            name: log_mean_excess(self.laws[name]) for name in COST_DRIVERS if name in self.laws
        }

    def _factor(self, name: str, values: Array) -> Array:
        if self.laws[name].describes_factor:
            return values.copy()
        factor = values - self._shifts[name]
        return np.exp(factor, out=factor)

    def _log_factor_rule(self, name: str) -> tuple[Array, Array]:
        values, weights = deviation_rule(self.laws[name])
        return values - self._shifts[name], weights
