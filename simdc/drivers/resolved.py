"""Drivers ready to be drawn: each a law on its own stream, coupled by a Gaussian copula."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from simdc.drivers.copula import correlate, lower_factor
from simdc.drivers.laws import Constant, Law, deviation_rule, log_mean_excess
from simdc.drivers.quadrature import add_rules, gauss_rule, score_rule
from simdc.kernels.philox import stream_of, uniforms
from simdc.outcome import Assumption

__all__ = ["AMOUNTS", "COST_DRIVERS", "DRIVER_NAMES", "ResolvedDrivers"]

Array = NDArray[np.float64]

COST_DRIVERS = ("national_trend", "national_trend_esrd", "regional_trend", "entity_effect")
AMOUNTS = {"quality_score": 1.0, "completion": 1.0, "high_performers_bonus": 0.0}
"""Drivers that are amounts, and what each is where the scenario leaves it out."""
DRIVER_NAMES = (*COST_DRIVERS, *AMOUNTS)

_DRIVER = 2  # tag of driver streams
_MARGINAL_POINTS = 32
_LAW_POINTS = 16


@dataclass(frozen=True, eq=False)
class ResolvedDrivers:
    """What is uncertain for all beneficiaries at once, every default replaced by figures.

    A cost driver's value x is a deviation on the log scale and its cost factor is exp(x - k) with
    k = log E exp(x - E x), so that the factor's mean is exp(E x) however wide the law; a lognormal
    driver's value is the factor itself. The quality score and completion are amounts, and always
    here: fixed at 1 where the scenario leaves them out.

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

    def draw(self, seed: int, first_draw: int, count: int) -> dict[str, Array]:
        """Values of every driver in a run of draws.

        Parameters
        ----------
        seed : int
            Key of the random numbers.
        first_draw, count : int
            Draws ``first_draw`` to ``first_draw + count - 1``.

        Returns
        -------
        dict of str to float64 array of shape (count,)
            Deviations on the log scale (lognormal: factors) and amounts.
        """

        def scores(name: str) -> Array:
            uniform = uniforms(seed, first_draw, count, stream_of(_DRIVER, name))
            return ndtri(uniform, out=uniform)

        coupled = self._coupled
        together = {self.names[i]: scores(self.names[i]) for i in coupled}
        correlate(lower_factor(self.correlation[np.ix_(coupled, coupled)]), [*together.values()])
        values = {}
        for name, law in self.laws.items():
            if isinstance(law, Constant):
                values[name] = np.full(count, law.value)
            else:
                values[name] = law.at(together.pop(name) if name in together else scores(name))
        return values

    def cost_factor(self, values: Mapping[str, Array], category: str) -> Array:
        """Product of the national, regional and entity factors on everyone's cost.

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
        """The national factor alone, which the retrospective trend adjustment sees.

        Realised over prospective trend of the category, float64 array of shape (draw,).
        """
        name = self._national(category)
        if name not in self.laws:
            return np.ones_like(values["completion"])
        return self._factor(name, values[name])

    def quality(self, values: Mapping[str, Array]) -> Array:
        """Total quality score, 0 to 1, shape (draw,)."""
        return values["quality_score"]

    def completion(self, values: Mapping[str, Array]) -> Array:
        """Completed claims over claims as settled, shape (draw,)."""
        return values["completion"]

    def high_performers_bonus(self, values: Mapping[str, Array]) -> Array:
        """Bonus from the High Performers Pool over the unadjusted benchmark, shape (draw,)."""
        return values["high_performers_bonus"]

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
        names = self._acting_on(category)
        members = [self.names.index(name) for name in names]
        correlation = self.correlation[np.ix_(members, members)]
        if np.array_equal(correlation, np.eye(len(names))):
            rule = np.zeros(1), np.ones(1)
            mean = 1.0
            for name in names:
                values, weights = self._log_factor_rule(name)
                mean *= float(weights @ np.exp(values))
                rule = add_rules(rule, gauss_rule((values, weights), _MARGINAL_POINTS))
                rule = gauss_rule(rule, _MARGINAL_POINTS)
        else:
            smooth = not any(self.laws[name].has_steps for name in names)
            scores, weights = score_rule(len(names), smooth=smooth)
            correlate(lower_factor(correlation), list(scores))
            factor = np.ones_like(weights)
            for name, score in zip(names, scores, strict=True):
                factor *= self._factor(name, self.laws[name].at(score))
            mean = float(weights @ factor)
            rule = np.log(factor), weights
        values, weights = gauss_rule(rule, _LAW_POINTS)
        factors = np.exp(values)
        return factors * (mean / float(weights @ factors)), weights

    def _national(self, category: str) -> str:
        own = category == "ESRD" and "national_trend_esrd" in self.laws
        return "national_trend_esrd" if own else "national_trend"

    def _acting_on(self, category: str) -> list[str]:
        names = (self._national(category), "regional_trend", "entity_effect")
        return [name for name in names if name in self.laws]

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
