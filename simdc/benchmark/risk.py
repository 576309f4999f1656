"""Risk scores as a benchmark uses them: normalized, capped, and corrected for coding intensity.

    normalized = raw score / mean raw score of the national reference population
    capped     = normalized, held within the cap around the reference year's score
    score      = capped x coding intensity factor, from 2026 held below a ceiling of growth

The order is CMS's (finance FAQ, October 2020, Q34, Q36). Whom the cap holds for depends on the
program year, the type of entity and the way of alignment: all of it is rule data. Scores and
factors may be numbers or arrays of draws; a score that is uncertain then shows the share of draws
that end on the floor and on the ceiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from simdc.programs import RuleSet
from simdc.settlement.statement import Ledger
from simdc.settlement.steps import Amount

__all__ = [
    "Group",
    "GroupAlignment",
    "Moves",
    "ScoreModel",
    "Terms",
    "benchmark_score",
    "cap_band",
    "coding_factor",
    "limit_coding_factor",
    "limit_growth",
    "mean_score",
    "normalize",
    "uncapped_because",
    "within_band",
]

GroupAlignment: TypeAlias = Literal["claims", "newly_voluntary", "continuously_voluntary"]
"""How beneficiaries came, as far as risk adjustment tells them apart.

Who is aligned both voluntarily and by claims counts as aligned by claims (finance FAQ, Q41).
"""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The rules of risk adjustment, each under the name it has in the program's data.

    What is not in force in a year is None, infinite or empty.

    Attributes
    ----------
    risk_cap : float
        Half width of the band around the reference score, as a fraction of it; infinite for none.
    risk_cap_demographic : bool
        Whether the band moves with the demographic score.
    continuously_voluntary_capped : bool
        Whether cap and coding factor hold for the continuously voluntarily aligned.
    coding_factor_limit : float
        Farthest that the coding intensity factor may lie from 1.
    risk_cap_minimum_beneficiaries : int
        Beneficiaries needed in one historical year for the cap to hold.
    risk_cap_exemption_multiple : float or None
        Multiple of the reference population from which an entity is not capped.
    growth_ceiling : float or None
        One-sided ceiling on the score after cap and factor, as growth.
    growth_ceiling_alignment : tuple of str
        Whose scores it holds for.
    """

    risk_cap: float
    risk_cap_demographic: bool
    continuously_voluntary_capped: bool
    coding_factor_limit: float
    risk_cap_minimum_beneficiaries: int = 0
    risk_cap_exemption_multiple: float | None = None
    growth_ceiling: float | None = None
    growth_ceiling_alignment: tuple[str, ...] = ()

    @classmethod
    def from_rules(cls, rules: RuleSet) -> Terms:
        """The terms that a rule set holds, overrides included."""
        return cls(
            **{name: rules.value(name) for name in cls.__dataclass_fields__ if name in rules}
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Beneficiaries of one category whose scores are averaged, capped and corrected together.

    Attributes
    ----------
    alignment : {'claims', 'newly_voluntary', 'continuously_voluntary'}
    months : float
        Eligible beneficiary-months of the performance year.
    raw_score : Amount
        Mean raw risk score of the performance year.
    normalization_factor : Amount
        Mean raw score of the national reference population in the same year.
    reference_score : Amount or None
        Normalized score of the reference population in the reference year; None: no cap.
    demographic_change : Amount
        Demographic score of the performance year over that of the reference year.
    coding_factor : Amount
        Coding intensity factor as published or projected, before its limit.
    growth_reference_score : Amount or None
        Normalized score of the year from which the ceiling of growth counts.
    beneficiaries, reference_beneficiaries, most_historical_beneficiaries : float or None
        People aligned in the performance year, in the reference year and at most in a historical
        year; None where unknown, and then no exemption by size is granted.
    """

    alignment: GroupAlignment
    months: float
    raw_score: Amount
    normalization_factor: Amount = 1.0
    reference_score: Amount | None = None
    demographic_change: Amount = 1.0
    coding_factor: Amount = 1.0
    growth_reference_score: Amount | None = None
    beneficiaries: float | None = None
    reference_beneficiaries: float | None = None
    most_historical_beneficiaries: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Moves:
    """How the figures of a score turn out over what was expected of them, as factors.

    Attributes
    ----------
    raw_score : Amount
        Of the entity itself.
    reference_population : Amount
        Mean raw score of the national reference population.
    coding_factor : Amount
    """

    raw_score: Amount = 1.0
    reference_population: Amount = 1.0
    coding_factor: Amount = 1.0

    def of(self, group: Group) -> Group:
        """The group with its figures as they turn out."""
        return replace(
            group,
            raw_score=group.raw_score * self.raw_score,
            normalization_factor=group.normalization_factor * self.reference_population,
            coding_factor=group.coding_factor * self.coding_factor,
        )


# --- steps ------------------------------------------------------------------------------------


def normalize(raw_score: Amount, normalization_factor: Amount) -> Amount:
    """Score relative to the national reference population of the same year, whose mean is 1."""
    return raw_score / normalization_factor


def cap_band(
    reference_score: Amount, cap: float, demographic_change: Amount = 1.0
) -> tuple[Amount, Amount]:
    """Floor and ceiling of the normalized score.

    Parameters
    ----------
    reference_score : Amount
        Normalized score of the reference year.
    cap : float
        Half width as a fraction of the reference score; infinite for no cap.
    demographic_change : Amount
        Ratio of demographic scores by which the whole band moves.
    """
    centre = reference_score * demographic_change
    return (1.0 - cap) * centre, (1.0 + cap) * centre


def within_band(score: Amount, floor: Amount, ceiling: Amount) -> Amount:
    """The score, raised to the floor or lowered to the ceiling; NaN stays NaN."""
    held: Amount = np.minimum(np.maximum(score, floor), ceiling)
    return held


def coding_factor(reference_mean: Amount, capped_mean: Amount, limit: float) -> Amount:
    """Coding intensity factor that undoes the program's growth of scores since the reference year.

    Parameters
    ----------
    reference_mean : Amount
        Mean normalized score of all claims-aligned beneficiaries of the program then (2019).
    capped_mean : Amount
        Their mean score now, after every entity's cap.
    limit : float
        Farthest that the factor may lie from 1.
    """
    return limit_coding_factor(reference_mean / capped_mean, limit)


def limit_coding_factor(factor: Amount, limit: float) -> Amount:
    """The factor, no farther from 1 than the limit."""
    return within_band(factor, 1.0 - limit, 1.0 + limit)


def limit_growth(score: Amount, reference_score: Amount, ceiling: float) -> Amount:
    """The score, at most so much above that of an earlier year; there is no floor."""
    limited: Amount = np.minimum(score, (1.0 + ceiling) * reference_score)
    return limited


def mean_score(scores: Sequence[Amount], months: Sequence[float]) -> Amount:
    """Mean over groups, weighted by their months."""
    total = sum(months)
    average: Amount = 0.0
    for score, part in zip(scores, months, strict=True):
        average = average + score * (part / total)
    return average


def uncapped_because(terms: Terms, group: Group) -> str:
    """Why a group's score is free of the cap, as a phrase; empty where the cap holds."""
    if group.alignment == "newly_voluntary":
        return "newly aligned voluntarily"
    if group.alignment == "continuously_voluntary" and not terms.continuously_voluntary_capped:
        return "aligned voluntarily"
    if np.isinf(terms.risk_cap):
        return "no cap in this year"
    if group.reference_score is None:
        return "no reference score"
    most = group.most_historical_beneficiaries
    if most is not None and most < terms.risk_cap_minimum_beneficiaries:
        return "too few beneficiaries in every historical year"
    now, before = group.beneficiaries, group.reference_beneficiaries
    multiple = terms.risk_cap_exemption_multiple
    if now is not None and before is not None and multiple is not None and now >= multiple * before:
        return "grown beyond the reference population"
    return ""


def _coding_factor_holds(terms: Terms, group: Group) -> bool:
    return group.alignment == "claims" or (
        group.alignment == "continuously_voluntary" and terms.continuously_voluntary_capped
    )


def benchmark_score(terms: Terms, group: Group, ledger: Ledger, name: str = "") -> Amount:
    """The score that multiplies a group's benchmark, each step entered in the ledger.

    Parameters
    ----------
    terms : Terms
    group : Group
    ledger : Ledger
        Gets the lines ``raw_score``, ``normalized_score``, ``score_floor``, ``score_ceiling`` and
        ``capped_score`` (or only the last); ``coding_factor`` and ``coded_score`` where that
        factor holds; ``growth_limited_score`` where there is such a ceiling.
    name : str, optional
        Put in front of the keys, and in brackets behind the labels, where there are two groups.

    Returns
    -------
    Amount
    """
    front, behind = (f"{name}_", f" ({name.replace('_', ' ')})") if name else ("", "")

    def enter(
        key: str, label: str, after: Amount, before: Amount | None = None, rules: str = ""
    ) -> Amount:
        return ledger.enter(
            front + key,
            label + behind,
            after,
            before=before,
            rules=tuple(rules.split()),
            unit="score",
        )

    raw = enter("raw_score", "Raw risk score", group.raw_score)
    normalized = enter(
        "normalized_score", "Normalized", normalize(raw, group.normalization_factor), raw
    )
    reason = uncapped_because(terms, group)
    if reason or group.reference_score is None:
        score = enter("capped_score", f"Not capped: {reason}", normalized, normalized)
    else:
        moved = group.demographic_change if terms.risk_cap_demographic else 1.0
        floor, ceiling = cap_band(group.reference_score, terms.risk_cap, moved)
        enter("score_floor", "Floor", floor, group.reference_score, "risk_cap risk_cap_demographic")
        enter("score_ceiling", "Ceiling", ceiling, group.reference_score, "risk_cap")
        score = enter(
            "capped_score",
            "Capped",
            within_band(normalized, floor, ceiling),
            normalized,
            "risk_cap risk_cap_reference_year",
        )
    if _coding_factor_holds(terms, group):
        factor = ledger.enter(
            front + "coding_factor",
            "Coding intensity factor, limited" + behind,
            limit_coding_factor(group.coding_factor, terms.coding_factor_limit),
            before=group.coding_factor,
            rules=("coding_factor_limit", "coding_factor_reference_year"),
            unit="factor",
        )
        score = enter("coded_score", "After that factor", score * factor, score)
    if terms.growth_ceiling is None or group.alignment not in terms.growth_ceiling_alignment:
        return score
    if group.growth_reference_score is None:
        label, limited = "No ceiling of growth: no earlier score", score
    else:
        label = "After ceiling of growth"
        limited = limit_growth(score, group.growth_reference_score, terms.growth_ceiling)
    return enter(
        "growth_limited_score",
        label,
        limited,
        score,
        "growth_ceiling growth_ceiling_reference_year growth_ceiling_alignment",
    )


# --- what a score knows of cost ---------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ScoreModel:
    """How an entity's mean score moves with the cost of the year it is paid for.

    A person's score is the expectation of cost given what the model sees. A prospective model sees
    the year before, so the score stands still when the year turns out dear. A concurrent model also
    sees diagnoses of the year itself, so the score rises with part of the deviation.

    Let Y be cost over its prospective expectation, S = E[Y | diagnoses of the year], and r the
    share of the variance of Y that S explains. Then Cov(S, Y) = Var(S) = r Var(Y), so the best
    guess of S - 1 from Y - 1 is r (Y - 1), and what remains of S has variance r (1 - r) Var(Y).
    Means over N people keep the slope and divide the variances by N.

    Attributes
    ----------
    prospective_share : float
        Share of the variance of cost that is explained before the year (R squared, about 0.12 for
        CMS-HCC; a working value, no source states it).
    concurrent_share : float
        Share explained once the year's own diagnoses are seen (0.40 to 0.55 for concurrent HCC
        models, likewise); equal to the former for a prospective model.
    """

    prospective_share: float
    concurrent_share: float

    def __post_init__(self) -> None:
        if not 0 <= self.prospective_share <= self.concurrent_share < 1:
            raise ValueError("needs 0 <= prospective_share <= concurrent_share < 1")

    @property
    def slope(self) -> float:
        """Share of a deviation of cost from its prospective expectation that the score takes up."""
        left = 1.0 - self.prospective_share
        return (self.concurrent_share - self.prospective_share) / left

    def remaining_sd(self, cost_sd: float) -> float:
        """Standard deviation of the entity's score factor given its cost.

        Parameters
        ----------
        cost_sd : float
            That of the entity's total cost over its prospective expectation, from people's own
            luck.
        """
        return float(np.sqrt(self.slope * (1.0 - self.slope))) * cost_sd

    def score_factor(self, cost_ratio: Amount, cost_sd: float = 0.0, noise: Amount = 0.0) -> Amount:
        """What the expected score is multiplied by in each draw.

        Parameters
        ----------
        cost_ratio : Amount
            The draw's cost over its prospective expectation, national trend left out: a trend that
            all share moves the reference population too and is normalized away.
        cost_sd : float
            As in `remaining_sd`.
        noise : Amount
            Standard normal, one per draw.
        """
        return 1.0 + self.slope * (cost_ratio - 1.0) + self.remaining_sd(cost_sd) * noise
