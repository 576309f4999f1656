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
        # What was drawn
        "cost": _amount("Part A and B cost", "segment", "draw"),
        "national_trend": _driver("national trend deviation (A&D), log scale"),
        "national_trend_esrd": _driver("national trend deviation (ESRD), log scale"),
        "regional_trend": _driver("regional deviation, log scale"),
        "entity_effect": _driver("entity effect, log scale"),
        "quality_score": _driver("total quality score"),
        "completion": _driver("completed claims over claims as settled"),
        "high_performers_bonus": _driver("High Performers Pool bonus over unadjusted benchmark"),
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
        "guarantee_basis": _text("what the required amount is a rate of", "track"),
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
        "draws_needed": _number("fewest draws that support the covering amount", "draws", "level"),
    }
)  # fmt: skip
"""Registry by name. A line that a settlement keeps must have its entry here."""
