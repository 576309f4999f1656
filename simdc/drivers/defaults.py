"""Default laws of the drivers, each with the published figures it rests on.

Published spreads between entities already hold their regions, their scores and their people's
luck. So the default entity effect is only what is left of the spread when the other sources of
this scenario have had their part, and the reader is shown the subtraction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from simdc.drivers.laws import BetaLaw, Constant, Law, NormalLaw, Steps, deviation_rule
from simdc.outcome import Assumption
from simdc.priors import (
    evidence_before,
    expected_savings_rate,
    load_priors,
    percent,
    type_name,
)
from simdc.programs import load_program

__all__ = [
    "default_completion",
    "default_entity_effect",
    "default_national_trend",
    "default_quality_score",
    "default_regional_trend",
]

Default = tuple[Law, Assumption]


def default_national_trend(name: str, performance_year: int) -> Default:
    """Deviation of the national trend from the prospective one.

    Centred on the prospective trend. The variance is the mean of the long-run one, counted as one
    year, and the squared deviations seen in the years before: a long calm and few surprises
    known, the surprises weigh more with every year.

    Parameters
    ----------
    name : {'national_trend', 'national_trend_esrd'}
    performance_year : int
    """
    table = load_priors("trend")
    category = "ESRD" if name == "national_trend_esrd" else "A&D"
    long_run = table["long_run"]
    # The long-run figure is no result of an entity: it was known before the first year.
    evidence = [{**long_run, "year": long_run["evidence_year"]}]
    evidence += [row for row in table["realised"] if row["category"] == category]
    known = evidence_before(performance_year, evidence, f"the {category} trend")

    seen = [row for row in known if "ratio" in row]
    variance = long_run["sd"] ** 2 + sum(math.log(row["ratio"]) ** 2 for row in seen)
    sd = math.sqrt(variance / len(known))
    basis = (
        f"{percent(long_run['sd'])} long-run standard deviation of spending growth "
        f"({long_run['years']})"
    )
    if seen:
        deviations = ", ".join(f"{percent(row['ratio'] - 1)} in {row['year']}" for row in seen)
        basis = f"root mean square of the {basis} and the {category} deviations of {deviations}"
    else:
        basis = f"{basis}, no deviation from a prospective trend being published by then"
    statement = f"normal on the log scale, mean 0, sd {percent(sd)}: {basis}"
    sources = dict.fromkeys(row["source"] for row in known)
    return NormalLaw(0.0, sd), _assumption(name, statement, "; ".join(sources))


def default_regional_trend(performance_year: int) -> Default:
    """Deviation of the region from the nation."""
    regional = load_priors("trend")["regional"]
    evidence_before(
        performance_year,
        [{**regional, "year": regional["evidence_year"]}],
        "the deviation of regions from the nation",
    )
    statement = f"normal on the log scale, mean 0, sd {percent(regional['sd'])}: {regional['note']}"
    law = NormalLaw(0.0, regional["sd"])
    return law, _assumption("regional_trend", statement, regional["source"])


def default_quality_score(entity_type: str, performance_year: int) -> Default:
    """Total quality score, as last published for the entity's type."""
    table = load_priors("quality_score")
    latest = evidence_before(performance_year, table["evidence"], "the quality score")[-1]
    scores = latest[entity_type]
    law: Law
    if "scores" in scores:
        law = Steps.of(scores["scores"], scores["entities"])
        shares = zip(scores["scores"], scores["entities"], strict=True)
        shape = ", ".join(f"{percent(score)} for {n}" for score, n in shares)
        shape = (
            f"as scored by {sum(scores['entities'])} {type_name(entity_type)} entities ({shape})"
        )
        if len(scores["scores"]) == 1:
            law = Constant(scores["scores"][0])
    else:
        law = BetaLaw.from_moments(scores["mean"], scores["sd"])
        shape = (
            f"beta with the mean {percent(scores['mean'])} and the standard deviation "
            f"{percent(scores['sd'])} of {scores['entities']} {type_name(entity_type)} entities"
        )
    statement = f"{shape} in {latest['year']}; {latest['note']}"
    return law, _assumption("quality_score", statement, table["source"])


def default_completion() -> Default:
    """Completed claims over claims as settled."""
    prior = load_priors("completion")
    statement = f"fixed at {prior['ratio']:g}: {prior['note']}"
    return Constant(prior["ratio"]), _assumption("completion", statement, prior["source"])


def default_entity_effect(
    entity_type: str,
    option: str,
    performance_year: int,
    *,
    others: Mapping[str, Law],
    person_cv: float,
    correlated: bool = False,
) -> Default:
    """The entity's own deviation: mean zero, its variance what the published spread leaves.

    Savings are one less cost over benchmark, so a spread of savings rates is divided by the mean
    cost over benchmark to become a relative spread of cost.

    Parameters
    ----------
    entity_type, option, performance_year
        Whose published spread to take.
    others : mapping of str to Law
        The drivers of the scenario that also differ between entities.
    person_cv : float
        Coefficient of variation of one beneficiary's cost by luck alone. The published entities'
        own luck is in the published spread, so it counts at their size, not at this entity's.
    correlated : bool
        The scenario correlates the entity effect with other drivers, which the subtraction of
        variances leaves aside.
    """
    published = expected_savings_rate(entity_type, option, performance_year)
    spread = published.sd / (1.0 - published.mean)
    rules = load_program(published.program).rules(published.evidence_year, option, entity_type)

    parts: dict[str, float] = {}
    if "regional_trend" in others:
        parts["regional trend"] = _sd_of_log(others["regional_trend"])
    if "quality_score" in others:
        parts["quality"] = rules.value("quality_withhold") * others["quality_score"].sd
    if "completion" in others:
        parts["completion"] = others["completion"].sd / others["completion"].mean
    size = published.median_beneficiaries
    parts[f"person-level noise at their median size of {size:,}"] = person_cv / math.sqrt(size)

    sd = math.sqrt(max(0.0, spread**2 - sum(part**2 for part in parts.values())))
    less = "".join(f" less {percent(part)} squared {name}" for name, part in parts.items())
    statement = (
        f"normal on the log scale, mean 0, sd {percent(sd)} = sqrt({percent(spread)} squared "
        f"published spread{less}); {published.sentence}, which is {percent(spread)} of their cost"
    )
    if sd == 0.0:
        statement += "; nothing is left of the published spread, so the effect is zero"
    if correlated:
        statement += "; the correlations that the scenario gives it come on top"
    return NormalLaw(0.0, sd), _assumption("entity_effect", statement, published.source)


def _sd_of_log(law: Law) -> float:
    values, weights = deviation_rule(law)
    return float(np.sqrt(weights @ (values - weights @ values) ** 2))


def _assumption(name: str, statement: str, source: str) -> Assumption:
    return Assumption(f"driver {name}", statement, source)
