"""Default laws of the drivers, each with the published figures it rests on.

Published spreads between entities already hold their regions, their scores and their people's
luck. So the default entity effect is only what is left of the spread when the other sources of
this scenario have had their part, and the reader is shown the subtraction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import ndtri

from simdc.drivers.laws import (
    BetaLaw,
    Clipped,
    Constant,
    Law,
    NormalLaw,
    Spiked,
    Steps,
    TriangularLaw,
    deviation_rule,
)
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
    "default_ci_sep_missed",
    "default_coding_factor",
    "default_completion",
    "default_early_exit",
    "default_entity_effect",
    "default_national_trend",
    "default_pandemic",
    "default_quality_score",
    "default_raw_risk_score",
    "default_reference_population_drift",
    "default_regional_trend",
]

Default = tuple[Law, Assumption]


def default_national_trend(name: str, performance_year: int, *, pandemic: bool = False) -> Default:
    """Deviation of the national trend from the prospective one.

    Centred on the prospective trend. The variance is the mean of the long-run one, counted as one
    year, and the squared deviations seen in the years before: a long calm and few surprises
    known, the surprises weigh more with every year.

    Parameters
    ----------
    name : {'national_trend', 'national_trend_esrd'}
    performance_year : int
    pandemic : bool
        The scenario has a pandemic of its own, so that the deviations of the last one are left
        to it and do not count twice.
    """
    table = load_priors("trend")
    category = "ESRD" if name == "national_trend_esrd" else "A&D"
    long_run = table["long_run"]
    # The long-run figure is no result of an entity: it was known before the first year.
    evidence = [{**long_run, "year": long_run["evidence_year"]}]
    evidence += [
        row
        for row in table["realised"]
        if row["category"] == category and not (pandemic and row["pandemic"])
    ]
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
    elif not pandemic:
        basis = f"{basis}, no deviation from a prospective trend being published by then"
    if pandemic:
        basis = f"{basis}; the deviations of 2021 and 2022 are left to the pandemic driver"
    statement = f"normal on the log scale, mean 0, sd {percent(sd)}: {basis}"
    sources = dict.fromkeys(row["source"] for row in known)
    return NormalLaw(0.0, sd), _assumption(name, statement, "; ".join(sources))


def default_pandemic(performance_year: int) -> Default:
    """A shock like that of 2020: full in its own year, partly made up for in the next.

    Both years are measured against a trend that goes on as in the year before the shock, which is
    what a prospective trend set before it would have assumed.
    """
    prior = load_priors("pandemic")
    _check_age(performance_year, prior, "the size of a pandemic")
    usual = math.log1p(prior["growth_before"])
    struck = math.log1p(prior["growth_in"]) - usual
    after = struck + math.log1p(prior["growth_after"]) - usual
    chance = prior["probability"]
    statement = (
        f"on the log scale {percent(struck)} in the year it strikes and {percent(after)} in the "
        f"year after, with a probability of {percent(chance)} each: cost per person grew by "
        f"{percent(prior['growth_in'])} in 2020 and {percent(prior['growth_after'])} in 2021, "
        f"against {percent(prior['growth_before'])} in 2019"
    )
    law = Steps.of((struck, after, 0.0), (chance, chance, 1.0 - 2.0 * chance))
    return law, _assumption("pandemic", statement, prior["source"])


def default_regional_trend(performance_year: int) -> Default:
    """Deviation of the region from the nation."""
    regional = load_priors("trend")["regional"]
    _check_age(performance_year, regional, "the deviation of regions from the nation")
    statement = f"normal on the log scale, mean 0, sd {percent(regional['sd'])}: {regional['note']}"
    law = NormalLaw(0.0, regional["sd"])
    return law, _assumption("regional_trend", statement, regional["source"])


def default_quality_score(
    entity_type: str, performance_year: int, *, before_ci_sep: bool = False
) -> Default:
    """Total quality score, as last published for the entity's type.

    Parameters
    ----------
    entity_type : {'standard', 'new_entrant', 'high_needs'}
    performance_year : int
    before_ci_sep : bool
        The scenario misses CI/SEP by a driver of its own. Published scores are those after it, so
        what it did to them is taken out: the score is such that halving it as often as was
        published gives the published mean and spread.
    """
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
        halved = latest["halved_share"] if before_ci_sep else 0.0
        law = _spiked_score(scores["mean"], scores["sd"], latest["full_share"], halved)
        shape = (
            f"100% for {percent(latest['full_share'])} of entities, the rest a beta density, with "
            f"the mean {percent(scores['mean'])} and the standard deviation "
            f"{percent(scores['sd'])} of {scores['entities']} {type_name(entity_type)} entities"
        )
        if before_ci_sep:
            shape += (
                f", before the {percent(halved)} of entities that missed CI/SEP had it halved "
                f"(mean {percent(law.mean)}, standard deviation {percent(law.sd)})"
            )
    statement = f"{shape} in {latest['year']}; {latest['note']}"
    return law, _assumption("quality_score", statement, table["source"])


def _spiked_score(mean: float, sd: float, full_share: float, halved_share: float) -> Law:
    """A score with a spike at 1 that has given moments once a share of the scores is halved.

    Parameters
    ----------
    mean, sd : float
        Of the published scores.
    full_share, halved_share : float
        Shares of the published scores that are 1, and that were halved.
    """
    # Halving a share h of scores multiplies their mean by 1 - h/2 and their mean square by
    # 1 - 3h/4; none of the halved ones is 1 any more.
    first = mean / (1.0 - 0.5 * halved_share)
    second = (mean**2 + sd**2) / (1.0 - 0.75 * halved_share)
    spike = full_share / (1.0 - halved_share)
    rest = (first - spike) / (1.0 - spike)
    rest_square = (second - spike) / (1.0 - spike)
    return Spiked(BetaLaw.from_moments(rest, math.sqrt(rest_square - rest**2)), spike, 1.0)


def default_ci_sep_missed(performance_year: int) -> Default:
    """Whether CI/SEP is missed, as often as by the entities that were last subject to it."""
    latest = evidence_before(performance_year, load_priors("ci_sep")["evidence"], "CI/SEP")[-1]
    missed, subject = latest["missed"], latest["subject"]
    statement = (
        f"missed with a probability of {percent(missed / subject)}: {missed} of the {subject} "
        f"entities subject to it in {latest['year']}; {latest['note']}"
    )
    return _event(missed / subject), _assumption("ci_sep_missed", statement, latest["source"])


def default_raw_risk_score(performance_year: int) -> Default:
    """Raw risk score of the entity over the expected one, centred on it.

    The standard deviation is that of a normal growth which puts the published shares of entities
    beyond floor and ceiling.
    """
    prior = load_priors("risk_score")["growth"]
    _check_age(performance_year, prior, "the growth of an entity's risk score")
    at_floor, at_ceiling = (prior[at] / prior["entities"] for at in ("at_floor", "at_ceiling"))
    sd = 2.0 * prior["cap"] / -float(ndtri(at_floor) + ndtri(at_ceiling))
    statement = (
        f"normal, mean 1, sd {percent(sd)}: of {prior['entities']} entities {prior['at_floor']} "
        f"ended on the floor and {prior['at_ceiling']} on the ceiling, "
        f"{percent(prior['cap'])} below and above the score of {prior['reference_year']}, in "
        f"{prior['evidence_year']}, as if no entity had foreseen its own; {prior['note']}"
    )
    return NormalLaw(1.0, sd), _assumption("raw_risk_score", statement, prior["source"])


def default_reference_population_drift(performance_year: int) -> Default:
    """Mean score of the national reference population over the projected one."""
    prior = load_priors("risk_score")["reference_population"]
    _check_age(performance_year, prior, "the score of the reference population")
    statement = f"normal, mean 1, sd {percent(prior['sd'])}: {prior['note']}"
    law = NormalLaw(1.0, prior["sd"])
    return law, _assumption("reference_population_drift", statement, prior["source"])


def default_coding_factor(performance_year: int) -> Default:
    """Final coding intensity factor over the one in the benchmark, centred on it."""
    prior = load_priors("risk_score")["coding_factor"]
    _check_age(performance_year, prior, "the coding intensity factor")
    low, mode, high = prior["low"], prior["seen"], prior["high"]
    centre = (low + mode + high) / 3.0
    law = TriangularLaw(low / centre, mode / centre, high / centre)
    statement = (
        f"triangular from {low:g} over {mode:g} to {high:g}, divided by its mean {centre:.4g}: "
        f"{prior['note']}"
    )
    return law, _assumption("coding_factor", statement, prior["source"])


def default_early_exit(performance_year: int) -> Default:
    """Whether the entity leaves early, as often as was published before the year."""
    table = load_priors("early_exit")
    known = evidence_before(performance_year, table["evidence"], "the frequency of early exit")
    left, entities = (sum(row[count] for row in known) for count in ("left", "entities"))
    years = f"{known[0]['year']} to {known[-1]['year']}" if len(known) > 1 else known[0]["year"]
    statement = (
        f"leaves with a probability of {percent(left / entities)}: the retention withhold was kept "
        f"from {left} of {entities} entities in {years}"
    )
    return _event(left / entities), _assumption("early_exit", statement, table["source"])


def _event(probability: float) -> Law:
    return Steps.of((0.0, 1.0), (1.0 - probability, probability))


def _check_age(performance_year: int, prior: Mapping[str, Any], subject: str) -> None:
    """Refuse a single figure of evidence that is not older than the year."""
    evidence_before(performance_year, [{**prior, "year": prior["evidence_year"]}], subject)


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
        multiplier = rules.value("ci_sep_multiplier", 1.0)
        parts["quality"] = rules.value("quality_withhold") * _sd_of_quality(others, multiplier)
    if "raw_risk_score" in others:
        cap = rules.value("risk_cap", math.inf)
        parts["risk score"] = Clipped(others["raw_risk_score"], 1.0 - cap, 1.0 + cap).sd
    if "early_exit" in others:
        parts["early exit"] = rules.value("retention_withhold") * others["early_exit"].sd
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


def _sd_of_quality(others: Mapping[str, Law], ci_sep_multiplier: float) -> float:
    """Of the total score: that before CI/SEP times 1, or the multiplier where it is missed."""
    score = others["quality_score"]
    if "ci_sep_missed" not in others:
        return score.sd
    missed = others["ci_sep_missed"].mean
    kept = 1.0 - missed * (1.0 - ci_sep_multiplier)
    kept_square = 1.0 - missed * (1.0 - ci_sep_multiplier**2)
    return math.sqrt((score.sd**2 + score.mean**2) * kept_square - (score.mean * kept) ** 2)


def _sd_of_log(law: Law) -> float:
    values, weights = deviation_rule(law)
    return float(np.sqrt(weights @ (values - weights @ values) ** 2))


def _assumption(name: str, statement: str, source: str) -> Assumption:
    return Assumption(f"driver {name}", statement, source)
