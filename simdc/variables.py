"""Every variable of a result: what it is, its unit, its sign and its dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["SIGN_CONVENTION", "VARIABLES", "Variable"]

SIGN_CONVENTION = "positive is paid to the entity, negative is owed by it"

_USD = "US dollars"
_SHARE = "1"
_NO_SIGN = "none"
_POSITIVE = "positive amount"
_OWED = "positive is owed by the entity"


@dataclass(frozen=True)
class Variable:
    """What a reader needs to know about one variable.

    Attributes
    ----------
    long_name, units, sign_convention : str
        As written into the attributes of every result; rates have the unit ``1``.
    dims : tuple of str
        Dimensions per draw. In ``/summary``, ``draw`` gives way to ``statistic, figure``.
    """

    long_name: str
    units: str
    sign_convention: str
    dims: tuple[str, ...]

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes of the variable in a file."""
        return {
            "long_name": self.long_name,
            "units": self.units,
            "sign_convention": self.sign_convention,
        }


def _line(long_name: str, sign_convention: str, units: str = _USD) -> Variable:
    return Variable(long_name, units, sign_convention, ("track", "draw"))


def _driver(long_name: str) -> Variable:
    return Variable(long_name, _SHARE, _NO_SIGN, ("draw",))


def _deviation(long_name: str) -> Variable:
    """A driver of cost, in the terms of its distribution."""
    return _driver(f"{long_name}: deviation on the log scale, or factor where it is lognormal")


def _amount(long_name: str, *dims: str, sign_convention: str = _POSITIVE) -> Variable:
    return Variable(long_name, _USD, sign_convention, dims)


def _probability(long_name: str, *dims: str) -> Variable:
    return Variable(long_name, _SHARE, _NO_SIGN, (*dims, "figure"))


def _text(long_name: str, *dims: str) -> Variable:
    return Variable(long_name, "text", _NO_SIGN, dims)


def _number(long_name: str, units: str, *dims: str) -> Variable:
    return Variable(long_name, units, _NO_SIGN, dims)


VARIABLES: Mapping[str, Variable] = MappingProxyType(
    {
        # Coordinates
        "track": _text("track, as the scenario names it", "track"),
        "draw": _number("address of the draw", "1", "draw"),
        "segment": _text("segment, as the scenario names it", "segment"),
        "statistic": _text("what is estimated of the distribution over draws", "statistic"),
        "figure": _text("the estimate, its confidence limits, its standard error", "figure"),
        "level": _number("probability with which an amount covers the total owed", "1", "level"),
        # Lines of the settlement
        "final_benchmark": _line("benchmark after discount and quality", _POSITIVE),
        "settlement_benchmark": _line("benchmark after health-equity adjustment", _POSITIVE),
        "net_cost_of_care": _line(
            "completed claims net of stop-loss, capitation and stop-loss charge", _POSITIVE
        ),
        "gross_savings": _line("settlement benchmark less net cost of care", SIGN_CONVENTION),
        "gross_savings_rate": _line(
            "gross savings over final benchmark", SIGN_CONVENTION, units=_SHARE
        ),
        "shared_savings": _line("shared savings or losses after corridors", SIGN_CONVENTION),
        "shared_after_sequestration": _line(
            "shared savings or losses after sequestration", SIGN_CONVENTION
        ),
        "cash_due": _line("cash due at settlement", SIGN_CONVENTION),
        "provisional_settlement": _line(
            "paid or collected at provisional settlement, netted in cash due", SIGN_CONVENTION
        ),
        # What was drawn
        "cost": _amount("Part A and B cost", "segment", "draw"),
        "national_trend": _deviation("national trend (A&D)"),
        "national_trend_esrd": _deviation("national trend (ESRD)"),
        "pandemic": _deviation("shock to the nation's cost"),
        "regional_trend": _deviation("regional trend"),
        "entity_effect": _deviation("entity effect"),
        "quality_score": _driver("total quality score"),
        "completion": _driver("completed claims over claims as settled"),
        "high_performers_bonus": _driver("High Performers Pool bonus over unadjusted benchmark"),
        "ci_sep_missed": _driver("1 where CI/SEP is missed"),
        "raw_risk_score": _driver("raw risk score of the entity over the expected one"),
        "reference_population_drift": _driver("reference population's score over the projected"),
        "coding_factor": _driver("coding intensity factor over the one in the benchmark"),
        "health_equity_months": _driver("health-equity months over those in the benchmark"),
        "early_exit": _driver("1 where the entity leaves early"),
        # Segments
        "category": _text("category of beneficiary", "segment"),
        "alignment": _text("how beneficiaries are aligned", "segment"),
        "beneficiaries": _number("beneficiaries", "people", "segment"),
        "months": _number("eligible beneficiary-months", "months", "segment"),
        "expected_cost": _amount("expected Part A and B cost", "segment"),
        # Tracks
        "program": _text("program", "track"),
        "option": _text("risk option", "track"),
        "unadjusted_benchmark": _amount("prospective benchmark, unadjusted", "track"),
        "stop_loss_charge": _amount("stop-loss charge", "track"),
        "base_capitation": _amount("base primary care or total care capitation", "track"),
        "enhanced_capitation": _amount(
            "enhanced primary care capitation, repaid at settlement", "track"
        ),
        "guarantee_base": _amount(
            "what the required guarantee is a rate of; NaN where it is no rate", "track"
        ),
        # Rules, one row per track and rule
        "rule_track": _text("track the rule applies to", "rule"),
        "rule_name": _text("name of the rule", "rule"),
        "rule_value": _text("value as JSON; null in a list is no upper edge", "rule"),
        "rule_unit": _text("unit of the value", "rule"),
        "rule_source": _text("citation", "rule"),
        "rule_confidence": _text("how well the figure is known", "rule"),
        "rule_note": _text("what to know before relying on it", "rule"),
        "rule_original": _text("the program's own value as JSON, empty unless overridden", "rule"),
        # Assumptions
        "assumption_subject": _text("what is assumed about", "assumption"),
        "assumption_statement": _text("what is assumed", "assumption"),
        "assumption_source": _text("where it comes from", "assumption"),
        # Guarantee
        "guarantee_basis": _text(
            "what the required amount is a rate of, or why there is none", "track"
        ),
        "required_guarantee": _amount(
            "guarantee that the rules require; NaN where they state none", "track"
        ),
        "probability_of_loss": _probability("probability of a shared loss", "track"),
        "probability_owing": _probability("probability of owing at settlement", "track"),
        "probability_shared_loss_exceeds_required": _probability(
            "probability that the shared loss exceeds the required guarantee", "track"
        ),
        "probability_total_owed_exceeds_required": _probability(
            "probability that the total owed exceeds the required guarantee", "track"
        ),
        "mean_total_owed": _amount(
            "mean total owed, draws that owe nothing included",
            "track", "figure", sign_convention=_OWED,
        ),
        "expected_shortfall": _amount(
            "mean over all draws of the total owed beyond the required guarantee",
            "track", "figure", sign_convention=_OWED,
        ),
        "shortfall_when_exceeded": _amount(
            "mean of the total owed beyond the required guarantee where it is exceeded",
            "track", "figure", sign_convention=_OWED,
        ),
        "covering_amount": _amount(
            "amount that covers the total owed with the probability of the level",
            "track", "level", "figure", sign_convention=_OWED,
        ),
        "mean_owed_beyond": _amount(
            "mean total owed in the draws beyond the level (tail value at risk)",
            "track", "level", "figure", sign_convention=_OWED,
        ),
        "step": _text("when an amount is owed, with or without provisional settlement", "step"),
        "covering_amount_by_step": _amount(
            "amount that covers what is owed at the final settlement without a provisional one, at "
            "the provisional one, and at the final one after it, with the probability of the level",
            "track", "step", "level", "figure", sign_convention=_OWED,
        ),
        "draws_needed": _number("fewest draws that support the covering amount", "draws", "level"),
        # Attribution: what each driver, all of them together and people's luck are worth
        "driver": _text("driver, all drivers together, or people's own luck", "driver"),
        "line": _text("line of the settlement", "line"),
        "driver_mean": _number(
            "mean value: of the driver; of all drivers, their factor on expected cost; of people, "
            "cost over what the drivers let expect",
            _SHARE, "driver", "figure",
        ),
        "driver_mean_in_worst": _number(
            "the same over the draws in which cash due is in its worst 1%",
            _SHARE, "track", "driver", "figure",
        ),
        "variance_share": _number(
            "share of the variance that the driver explains (first order)",
            _SHARE, "line", "track", "driver", "figure",
        ),
        "variance_removed": _number(
            "share of the variance that goes with the driver fixed at its mean",
            _SHARE, "line", "track", "driver", "figure",
        ),
        "covering_change": _amount(
            "change, with the driver fixed at its mean, of the amount that covers the total owed "
            "with a probability of 99%",
            "track", "driver", "figure", sign_convention=_OWED,
        ),
        "what_if_mean": _amount(
            "mean with the driver fixed at its mean",
            "line", "track", "driver", "figure", sign_convention=SIGN_CONVENTION,
        ),
        "what_if_standard_deviation": _amount(
            "standard deviation with the driver fixed at its mean",
            "line", "track", "driver", "figure",
        ),
        "what_if_probability_owing": _probability(
            "probability of owing at settlement with the driver fixed at its mean",
            "track", "driver",
        ),
        "what_if_covering_amount": _amount(
            "amount that covers the total owed with a probability of 99%, with the driver fixed at "
            "its mean",
            "track", "driver", "figure", sign_convention=_OWED,
        ),
        # Convergence: watched figures by number of draws
        "watched": _text("figure that is watched, with its track", "watched"),
        "watched_units": _text("unit of the figure and its bound", "watched"),
        "watched_figure": _number(
            "the figure, estimated from so many draws",
            "as the figure", "watched", "draws", "figure",
        ),
        "draws": _number("draws from the first one on", "draws", "draws"),
        "bound": _number(
            "how far the limits were to lie from the figure", "as the figure", "watched"
        ),
        "bound_reached": _number("1 where they do, from all draws", "1", "watched"),
        # Several performance years; in /years, draw gives way to statistic and figure
        "year": _number("performance year", "1", "year"),
        "date": _text("date from which a guarantee must stand, ISO 8601", "date"),
        "program_of_year": _text("program", "track", "year"),
        "option_of_year": _text("risk option", "track", "year"),
        "benchmark_of_year": _amount("prospective benchmark, unadjusted", "track", "year"),
        "expected_cost_of_year": _amount("expected Part A and B cost", "year"),
        "required_guarantee_of_year": _amount(
            "guarantee that the rules require for the year; NaN where they state none",
            "track", "year",
        ),
        "shared_of_year": _amount(
            "shared savings or losses after sequestration",
            "track", "year", "draw", sign_convention=SIGN_CONVENTION,
        ),
        "cash_of_year": _amount(
            "cash settled for the year, provisionally and finally",
            "track", "year", "draw", sign_convention=SIGN_CONVENTION,
        ),
        "shared_of_years": _amount(
            "shared savings or losses after sequestration, all years together",
            "track", "draw", sign_convention=SIGN_CONVENTION,
        ),
        "cash_of_years": _amount(
            "cash settled for all years together",
            "track", "draw", sign_convention=SIGN_CONVENTION,
        ),
        "entity_effect_of_year": Variable(
            "entity effect: deviation on the log scale, or factor where it is lognormal",
            _SHARE, _NO_SIGN, ("year", "draw"),
        ),
        "probability_owing_of_year": _probability("probability of owing", "track", "year"),
        "probability_owing_of_years": _probability(
            "probability of owing, all years together", "track"
        ),
        "probability_owing_in_any_year": _probability(
            "probability of owing in one year or more", "track"
        ),
        "event": _text("what happens on the date", "track", "date"),
        "secured_years": _text("performance years that must be secured from then", "track", "date"),
        "required_standing": _amount(
            "sum of their required guarantees; NaN where that of one is not stated",
            "track", "date",
        ),
        "covering_standing": _amount(
            "amount that covers what is owed of these years with the probability of the level, "
            "each year's losses in full whatever the others save",
            "track", "date", "level", "figure", sign_convention=_OWED,
        ),
        "rule_year": _number("performance year the rule holds for", "1", "rule"),
        # Portfolios: entities, and what groups of them owe together
        "entity": _text("entity", "entity"),
        "elected_track": _text("track that the entity has elected", "entity"),
        "group_of_entity": _text("group that the entity is guaranteed with, if any", "entity"),
        "scenario_of_entity": _text("file name of the scenario", "entity"),
        "settings_of_entity": _text("settings that differ from it: JSON, path to TOML", "entity"),
        "program_of_entity": _text("program", "entity"),
        "option_of_entity": _text("risk option", "entity"),
        "beneficiaries_of_entity": _number("beneficiaries", "people", "entity"),
        "guarantee_basis_of_entity": _text(
            "what the required amount is a rate of, or why there is none", "entity"
        ),
        "rule_entities": _text("entities that the rule applies to; empty: all", "rule"),
        "assumption_entities": _text("entities that it is made for; empty: all", "assumption"),
        "group": _text("entities that are added up", "group"),
        "entities_of_group": _number("entities of the group", "entities", "group"),
        "gross_savings_of_group": _amount(
            "gross savings of all entities of the group together",
            "group", "statistic", "figure", sign_convention=SIGN_CONVENTION,
        ),
        "shared_of_group": _amount(
            "shared savings or losses after sequestration of all entities of the group together",
            "group", "statistic", "figure", sign_convention=SIGN_CONVENTION,
        ),
        "settlement_of_group": _amount(
            "cash due to all entities of the group together",
            "group", "statistic", "figure", sign_convention=SIGN_CONVENTION,
        ),
        "required_of_group": _amount(
            "sum of the guarantees that the rules require; NaN where that of one is not stated",
            "group",
        ),
        "probability_owing_of_group": _probability(
            "probability that the group owes more than it is due", "group"
        ),
        "covering_separately": _amount(
            "sum of the amounts that cover each entity with the probability of the level",
            "group", "level", "figure", sign_convention=_OWED,
        ),
        "covering_together": _amount(
            "amount that covers the sum of all that entities owe with the probability of the level",
            "group", "level", "figure", sign_convention=_OWED,
        ),
        "covering_netted": _amount(
            "amount that covers, with the probability of the level, what is left to owe when "
            "entities that are paid make up for those that owe",
            "group", "level", "figure", sign_convention=_OWED,
        ),
        "saved_together": _amount(
            "what one guarantee for all saves over one for each", "group", "level", "figure",
        ),
        "saved_netted": _amount(
            "what one guarantee for all saves when what is due to some makes up for what others "
            "owe",
            "group", "level", "figure",
        ),
    }
)  # fmt: skip
"""Registry by name. A line that a settlement keeps must have its entry here."""
