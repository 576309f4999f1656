"""The benchmark of the Shared Savings Program, in its four enrollment types.

For each of ESRD, disabled, aged and dually eligible, aged and not dually eligible:

1. cost per person-year of three base years, each person's cut at a national percentile
2. x trend to base year 3, a blend of nation and region, and x growth of the risk score to it
3. weighted, the latest year most in a first agreement, equally in later ones: the history
4. + a share of the difference from the region, or of prior savings where that is more; limited
5. x growth to the performance year, x growth of the risk score, which is capped upwards

and weighted by person-years: those of base year 3 give the historical benchmark, those of the
performance year the updated one. The weight of the nation in trends is the entity's share of the
assignable beneficiaries of its region, so that a dominant entity is not measured by itself.

Order and figures follow 42 CFR 425.601 and 425.652. An adjustment for populations with many
underserved beneficiaries, which from 2025 may take the place of the regional one, is left out.

Where Direct Contracting blends in the region at a fixed weight, limited to +5% and -2%, this
program takes a share that depends on whether the entity is cheaper or dearer than its region, and
on how often it has been so adjusted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from simdc.benchmark.construction import limit_adjustment, weigh
from simdc.programs import RuleSet
from simdc.settlement.statement import Ledger, Statement
from simdc.settlement.steps import Amount

__all__ = [
    "REFORM",
    "STRATA",
    "Figures",
    "Stratum",
    "Terms",
    "blend_growth",
    "build",
    "limit_risk_growth",
    "negative_offset",
    "regional_weight",
]

REFORM = 2024
"""First year of the agreements whose benchmarks are built by the later rules (42 CFR 425.652)."""
STRATA = ("esrd", "disabled", "aged_dual", "aged_non_dual")
"""The enrollment types, each with a benchmark of its own."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The rules of construction, each under the name it has in the program's data.

    Attributes
    ----------
    base_year_weights_first, base_year_weights_later : tuple of float
        The earliest first, in a first agreement and in later ones.
    prospective_trend_weight : float
        Weight of the trend projected before the agreement in the update.
    regional_weights_below, regional_weights_above : tuple of float
        Share of the difference from the region, by how often it has been applied.
    regional_adjustment_ceiling, regional_adjustment_floor : float
        Fractions of national assignable spending per capita, both positive.
    regional_offset : bool
        Whether a negative adjustment is scaled down for dual eligibility and risk.
    prior_savings_share : float
    risk_growth_cap : float
    risk_growth_cap_aggregate : bool
        Whether the cap looks at all enrollment types together first.
    """

    base_year_weights_first: tuple[float, ...]
    base_year_weights_later: tuple[float, ...]
    prospective_trend_weight: float
    regional_weights_below: tuple[float, ...]
    regional_weights_above: tuple[float, ...]
    regional_adjustment_ceiling: float
    regional_adjustment_floor: float
    regional_offset: bool
    prior_savings_share: float
    risk_growth_cap: float
    risk_growth_cap_aggregate: bool

    @classmethod
    def from_rules(cls, rules: RuleSet) -> Terms:
        """The terms that a rule set holds, overrides included."""
        return cls(**{name: rules.value(name) for name in cls.__dataclass_fields__})

    def base_year_weights(self, agreement_period: int) -> tuple[float, ...]:
        """Weights of the base years in the entity's first, second, ... agreement."""
        return (
            self.base_year_weights_first if agreement_period == 1 else self.base_year_weights_later
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Stratum:
    """One enrollment type. Spending is in US dollars per person-year, years from base year 1 on.

    Attributes
    ----------
    name : str
        One of `STRATA`.
    base_person_years, person_years : float
        Of base year 3 and of the performance year.
    per_capita : sequence of three Amounts
        The entity's truncated spending.
    risk_scores : sequence of three Amounts
        Its mean prospective risk scores, renormalized.
    risk_score : Amount
        Of the performance year.
    national_trend, regional_trend : pair of Amounts
        Growth of assignable spending from base years 1 and 2 to base year 3.
    national_growth, regional_growth, prospective_growth : Amount
        Growth from base year 3 to the performance year: of the nation, of the region, and as
        projected before the agreement.
    regional_per_capita : Amount
        Spending of the region in base year 3, brought to the entity's own risk.
    national_per_capita : Amount
        National assignable spending in base year 3, of which the limits are fractions.
    """

    name: str
    base_person_years: float
    person_years: float
    per_capita: Sequence[Amount]
    risk_scores: Sequence[Amount]
    risk_score: Amount
    national_trend: Sequence[Amount]
    regional_trend: Sequence[Amount]
    national_growth: Amount
    regional_growth: Amount
    regional_per_capita: Amount
    national_per_capita: Amount
    prospective_growth: Amount = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Figures:
    """One entity's benchmark inputs.

    Attributes
    ----------
    strata : tuple of Stratum
    agreement_period : int
        1 in a first agreement.
    regional_exposure : int
        Which agreement with a regional adjustment this is, 1 the first.
    national_weight : float
        Weight of national growth: the entity's share of its region's assignable beneficiaries.
    prior_savings : Amount
        Mean savings per person-year before the agreement, 0 for none, US dollars.
    demographic_growth : Amount
        Demographic score over that of base year 3, with which the aggregate cap moves.
    dual_share : Amount
        Share of dually eligible beneficiaries in base year 3.
    mean_risk_score : Amount
        Mean prospective risk score of all assigned beneficiaries in base year 3.
    """

    strata: tuple[Stratum, ...]
    agreement_period: int = 1
    regional_exposure: int = 1
    national_weight: float = 0.0
    prior_savings: Amount = 0.0
    demographic_growth: Amount = 1.0
    dual_share: Amount = 0.0
    mean_risk_score: Amount = 1.0


# --- steps ------------------------------------------------------------------------------------


def blend_growth(national: Amount, regional: Amount, national_weight: float) -> Amount:
    """Growth blended from the nation's and the region's."""
    return national_weight * national + (1.0 - national_weight) * regional


def regional_weight(difference: Amount, terms: Terms, exposure: int) -> Amount:
    """Share of the difference from the region that is added or taken away.

    Parameters
    ----------
    difference : Amount
        Region less history over all enrollment types: positive for an entity that spends less.
    terms : Terms
    exposure : int
        Which agreement with a regional adjustment this is.
    """

    def nth(weights: Sequence[float]) -> float:
        return weights[min(exposure, len(weights)) - 1]

    share: Amount = np.where(
        np.asarray(difference) >= 0.0,
        nth(terms.regional_weights_below),
        nth(terms.regional_weights_above),
    )
    return share if np.ndim(difference) else float(share)


def negative_offset(dual_share: Amount, mean_risk_score: Amount) -> Amount:
    """What a regional adjustment that takes away is multiplied by.

    1 less the share of dually eligible and less what the mean score is above 1, within 0 and 1.
    """
    kept: Amount = np.clip(1.0 - (dual_share + (mean_risk_score - 1.0)), 0.0, 1.0)
    return kept


def limit_risk_growth(growth: Amount, most: Amount, aggregate_growth: Amount | None) -> Amount:
    """Growth of a stratum's risk score, capped upwards.

    Parameters
    ----------
    growth : Amount
        Score of the performance year over that of base year 3.
    most : Amount
        The same at most, such as 1.03.
    aggregate_growth : Amount or None
        The same over all strata; the cap then binds only where this exceeds it. None: it binds each
        stratum by itself.
    """
    capped = np.minimum(growth, most)
    if aggregate_growth is None:
        return capped
    bound: Amount = np.where(np.asarray(aggregate_growth) > most, capped, growth)
    return bound


# --- the chain --------------------------------------------------------------------------------


def build(terms: Terms, figures: Figures) -> Statement:
    """Build the historical benchmark and update it to the performance year.

    Returns
    -------
    Statement
        For each stratum NAME: ``NAME_bY`` (base year Y at the prices and risk of the third),
        ``NAME_history``, ``NAME_region``; over all: ``history``, ``region``,
        ``regional_weight``; for each stratum ``NAME_regional_adjustment``; then
        ``regional_adjustment``, ``prior_savings_adjustment`` and ``historical_benchmark``; for each
        stratum ``NAME_update``, ``NAME_risk_growth`` and ``NAME_updated``; ``updated_benchmark``
        (US dollars per person-year) and ``benchmark`` (US dollars).
    """
    ledger = Ledger()
    strata = figures.strata
    histories = [_history(ledger, terms, figures, s) for s in strata]
    over_base_year = _mean_over([s.base_person_years for s in strata])

    history = ledger.enter(
        "history", "History over all types", over_base_year(histories), unit="per capita"
    )
    region = ledger.enter(
        "region",
        "Region over all types",
        over_base_year([s.regional_per_capita for s in strata]),
        unit="per capita",
    )
    weight = ledger.enter(
        "regional_weight",
        "Share of the difference that counts",
        regional_weight(region - history, terms, figures.regional_exposure),
        rules=("regional_weights_below", "regional_weights_above"),
        unit="fraction",
    )
    adjustments = [
        _regional_adjustment(ledger, terms, figures, s, own, weight)
        for s, own in zip(strata, histories, strict=True)
    ]
    regional = ledger.enter(
        "regional_adjustment",
        "Regional adjustment over all types",
        over_base_year(adjustments),
        before=region - history,
        unit="per capita",
    )
    prior = _prior_savings(
        ledger, terms, figures, over_base_year([s.national_per_capita for s in strata])
    )
    adjusted = [
        own + np.where(np.asarray(prior) > regional, prior, adjustment)
        for own, adjustment in zip(histories, adjustments, strict=True)
    ]
    historical = ledger.enter(
        "historical_benchmark",
        "Historical benchmark",
        over_base_year(adjusted),
        before=history,
        unit="per capita",
    )

    updated = _update(ledger, terms, figures, adjusted)
    total = sum(s.person_years for s in strata)
    per_capita = ledger.enter(
        "updated_benchmark",
        "Updated benchmark",
        _mean_over([s.person_years for s in strata])(updated),
        before=historical,
        unit="per capita",
    )
    ledger.enter("benchmark", "Times person-years", per_capita * total, before=per_capita)
    return ledger.statement()


def _mean_over(person_years: Sequence[float]) -> Callable[[Sequence[Amount]], Amount]:
    """The mean over strata weighted by person-years, as a function of their amounts."""
    total = sum(person_years)
    shares = [part / total for part in person_years]
    return lambda amounts: weigh(amounts, shares)


def _title(stratum: Stratum) -> str:
    words = stratum.name.replace("_", " ").replace("non dual", "non-dual")
    return "ESRD" if words == "esrd" else words.capitalize()


def _history(ledger: Ledger, terms: Terms, figures: Figures, stratum: Stratum) -> Amount:
    """Cost of the base years at the prices and the risk of the third, weighted."""
    trends = [
        blend_growth(nation, region, figures.national_weight)
        for nation, region in zip(stratum.national_trend, stratum.regional_trend, strict=True)
    ]
    last_score = stratum.risk_scores[-1]
    years = [
        ledger.enter(
            f"{stratum.name}_b{place}",
            f"{_title(stratum)}, base year {place}",
            cost * trend * last_score / score,
            before=cost,
            unit="per capita",
        )
        for place, (cost, trend, score) in enumerate(
            zip(stratum.per_capita, [*trends, 1.0], stratum.risk_scores, strict=True), start=1
        )
    ]
    first = figures.agreement_period == 1
    history = ledger.enter(
        f"{stratum.name}_history",
        "  weighted",
        weigh(years, terms.base_year_weights(figures.agreement_period)),
        rules=("base_year_weights_first" if first else "base_year_weights_later",),
        unit="per capita",
    )
    ledger.enter(
        f"{stratum.name}_region", "  its region", stratum.regional_per_capita, unit="per capita"
    )
    return history


def _regional_adjustment(
    ledger: Ledger,
    terms: Terms,
    figures: Figures,
    stratum: Stratum,
    history: Amount,
    weight: Amount,
) -> Amount:
    wanted = weight * (stratum.regional_per_capita - history)
    rules: tuple[str, ...] = ("regional_adjustment_ceiling", "regional_adjustment_floor")
    limited = limit_adjustment(
        wanted,
        stratum.national_per_capita,
        terms.regional_adjustment_ceiling,
        terms.regional_adjustment_floor,
    )
    if terms.regional_offset:
        rules += ("regional_offset",)
        kept = negative_offset(figures.dual_share, figures.mean_risk_score)
        limited = np.maximum(limited, 0.0) + np.minimum(limited, 0.0) * kept
    return ledger.enter(
        f"{stratum.name}_regional_adjustment",
        f"{_title(stratum)}, regional adjustment",
        limited,
        before=wanted,
        rules=rules,
        unit="per capita",
    )


def _prior_savings(
    ledger: Ledger, terms: Terms, figures: Figures, national_per_capita: Amount
) -> Amount:
    most = terms.regional_adjustment_ceiling * national_per_capita
    wanted = terms.prior_savings_share * np.maximum(figures.prior_savings, 0.0)
    # Nothing to add is no adjustment, which must not beat a regional one that takes away.
    prior: Amount = np.where(wanted > 0.0, np.minimum(wanted, most), -np.inf)
    if np.all(np.isneginf(prior)):
        return -np.inf
    return ledger.enter(
        "prior_savings_adjustment",
        "Prior savings adjustment, if better",
        prior,
        before=figures.prior_savings,
        rules=("prior_savings_share", "regional_adjustment_ceiling"),
        unit="per capita",
    )


def _update(
    ledger: Ledger, terms: Terms, figures: Figures, adjusted: Sequence[Amount]
) -> list[Amount]:
    """Each stratum's benchmark at the performance year's prices and risk."""
    strata = figures.strata
    growths = [s.risk_score / s.risk_scores[-1] for s in strata]
    most: Amount = 1.0 + terms.risk_growth_cap
    together = None
    if terms.risk_growth_cap_aggregate:
        # 42 CFR 425.605(a)(1)(ii): the cap moves with the demographic score, and a type counts by
        # its historical benchmark times its person-years of the performance year.
        most = figures.demographic_growth + terms.risk_growth_cap
        weights = [own * s.person_years for own, s in zip(adjusted, strata, strict=True)]
        together = weigh(growths, weights) / sum(weights)
    updated = []
    for stratum, benchmark, growth in zip(strata, adjusted, growths, strict=True):
        two_way = blend_growth(
            stratum.national_growth, stratum.regional_growth, figures.national_weight
        )
        update = ledger.enter(
            f"{stratum.name}_update",
            f"{_title(stratum)}, growth to the year",
            blend_growth(stratum.prospective_growth, two_way, terms.prospective_trend_weight),
            before=two_way,
            rules=("prospective_trend_weight",),
            unit="factor",
        )
        risk = ledger.enter(
            f"{stratum.name}_risk_growth",
            "  growth of its risk score",
            limit_risk_growth(growth, most, together),
            before=growth,
            rules=("risk_growth_cap", "risk_growth_cap_aggregate"),
            unit="factor",
        )
        updated.append(
            ledger.enter(
                f"{stratum.name}_updated",
                "  updated",
                benchmark * update * risk,
                before=benchmark,
                unit="per capita",
            )
        )
    return updated
