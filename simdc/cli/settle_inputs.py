"""How the figures of ``simdc settle`` are read, and what contradicts what.

A figure is checked once by its kind, then against the other figures, then against the rules.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from simdc.cli.settle_figures import FIGURES, Kind, flag
from simdc.errors import InputError, Problem, nearest
from simdc.programs import RuleSet, load_program, program_names

if TYPE_CHECKING:
    from simdc.settlement.direct_contracting import Figures

__all__ = [
    "Values",
    "build_figures",
    "find_rules",
    "read_file",
    "read_options",
    "read_overrides",
    "taken_as_one",
]

Values: TypeAlias = dict[str, Any]
"""What was given, by name: numbers, numbers by category, switches that are on, and names."""

_CATEGORIES = ("A&D", "ESRD")
_CONTRACT = ("program", "year", "option", "entity_type")


# --- what goes together -----------------------------------------------------------------------

_BY_NAME = {figure.name: figure for figure in FIGURES}

_ONE_OF = (("unadjusted_benchmark", "final_benchmark"), ("cost", "claims", "net_cost"))

_EXCLUDES = {
    "final_benchmark": (
        ("trend_ratio", "seasonality", "quality", "performance_score", "retention_kept"),
        "the final benchmark has it in it already",
    ),
    "net_cost": (
        ("stop_loss_payout", "stop_loss_charge", "completion"),
        "the net cost has it in it already",
    ),
    "total_care_capitation": (
        (
            "base_capitation",
            "enhanced_capitation",
            "advanced_payments",
            "advanced_payment_reductions",
        ),
        "it goes with primary care capitation (CMS finance FAQ, October 2020, Q2 and Q20)",
    ),
    "performance_score": (("quality",), "the total quality score is worked out from the former"),
    "health_equity_up": (("health_equity_up_months",), "give dollars or months"),
    "health_equity_down": (("health_equity_down_months",), "give dollars or months"),
}

_NEEDS_PERFORMANCE_SCORE = ("ci_sep_missed", "equity_reporting")
_HEALTH_EQUITY = (
    "health_equity_up",
    "health_equity_down",
    "health_equity_up_months",
    "health_equity_down_months",
)


# The only performance year of less than twelve months (CMS finance FAQ, October 2020, Q15).
_NINE_MONTH_YEAR = 2021


# --- reading the command line -----------------------------------------------------------------


def read_options(options: Mapping[str, Any]) -> Values:
    """The options that were given, their text turned into numbers.

    Parameters
    ----------
    options : mapping of str to object
        Text by name; None or an empty tuple for what was not given.

    Raises
    ------
    InputError
        Naming every option whose number is not allowed.
    """
    given = {name: text for name, text in options.items() if text not in (None, ())}
    return _collect(given, _from_option)


def read_overrides(texts: Iterable[str]) -> dict[str, object]:
    """Rules overridden on the command line, as ``RULE=VALUE`` with the value as in TOML."""
    overrides: dict[str, object] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            overrides[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            sentence = "must be RULE=VALUE with the value as in TOML, such as discount=0.04"
            raise InputError(Problem(sentence, "--set", text)) from None
    return overrides


def _from_option(name: str, text: Any) -> object:
    figure = _BY_NAME.get(name)
    if name == "year":
        return _year(int(text) if text.isdecimal() else text, "--year")
    if figure is None or figure.kind is None:
        return text
    if figure.by_category:
        return _numbers_from_texts(figure.kind, text, figure.flag)
    return _number_from_text(figure.kind, text, figure.flag)


def _numbers_from_texts(kind: Kind, texts: tuple[str, ...], path: str) -> float | dict[str, float]:
    """One number for all categories, or one for each."""
    if len(texts) == 1 and "=" not in texts[0]:
        return _number_from_text(kind, texts[0], path)
    numbers: dict[str, float] = {}
    for text in texts:
        category, equals, number = text.partition("=")
        if not equals or category in numbers:
            sentence = "must be given once, or once for each category"
            raise InputError(Problem(sentence, path, " and ".join(texts)))
        numbers[_category(category, path)] = _number_from_text(kind, number, path)
    return numbers


def _number_from_text(kind: Kind, text: str, path: str) -> float:
    plain = text.strip().replace("$", "", 1)
    # Only commas between groups of three are taken out, so that 1,5 is not read as fifteen.
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", plain):
        plain = plain.replace(",", "")
    try:
        number = float(plain)
    except ValueError:
        raise InputError(Problem(kind.sentence, path, f"'{text}'")) from None
    return kind.check(number, path, text)


# --- reading a file ---------------------------------------------------------------------------


def read_file(file: str) -> tuple[Values, dict[str, object]]:
    """The figures of a TOML file, and the rules it overrides under ``[set]``.

    Raises
    ------
    InputError
        If the file cannot be read, or naming everything in it that is not allowed.
    """
    try:
        table = tomllib.loads(Path(file).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", file=file) from None
    except UnicodeDecodeError:
        raise InputError("the file must be text in UTF-8", file=file) from None
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the file must be valid TOML: {error}", file=file) from None

    overrides = table.pop("set", {})
    try:
        if not isinstance(overrides, dict):
            raise InputError(Problem("must be a table of rules and their values", "set"))
        given = {key.replace("-", "_"): value for key, value in table.items()}
        return _collect(given, _from_toml), overrides
    except InputError as error:
        raise InputError(error.problems, file=file) from None


def _from_toml(name: str, value: Any) -> object:
    figure = _BY_NAME.get(name)
    if name == "year":
        return _year(value, name)
    if name in _CONTRACT:
        return _typed(value, str, "must be a name in quotes", name)
    if figure is None:
        near = nearest(name, (*_CONTRACT, *_BY_NAME, "set"))
        raise InputError(Problem("there is no such figure", name, "", near))
    if figure.kind is None:
        return _typed(value, bool, "must be true or false", name)
    if figure.by_category and isinstance(value, dict):
        return {
            _category(category, name): _number_from_toml(figure.kind, number, f"{name}.{category}")
            for category, number in value.items()
        }
    return _number_from_toml(figure.kind, value, name)


def _number_from_toml(kind: Kind, value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InputError(Problem(f"{kind.sentence}, without quotes", path, repr(value)))
    return kind.check(float(value), path, str(value))


def _typed(value: Any, kind: type, sentence: str, path: str) -> object:
    if not isinstance(value, kind):
        raise InputError(Problem(sentence, path, repr(value)))
    return value


# --- reading either ---------------------------------------------------------------------------


def _collect(given: Mapping[str, Any], read: Callable[[str, Any], object]) -> Values:
    """Everything read, or all that is wrong at once; a switch that is off is as good as absent."""
    values: Values = {}
    problems: list[Problem] = []
    for name, value in given.items():
        try:
            values[name] = read(name, value)
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    return {name: value for name, value in values.items() if value is not False}


def _year(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(Problem("must be a performance year, such as 2022", path, repr(value)))
    return value


def _category(name: str, path: str) -> str:
    if name not in _CATEGORIES:
        raise InputError(
            Problem(
                f"the categories are {' and '.join(_CATEGORIES)}",
                path,
                f"'{name}'",
                nearest(name, _CATEGORIES),
            )
        )
    return name


# --- from what was given to rules and figures -------------------------------------------------


def find_rules(values: Values, overrides: Mapping[str, object]) -> RuleSet:
    """The rules of the program, year and option that were given.

    Raises
    ------
    InputError
        If one of the three is missing or unknown, or an override is not allowed.
    """
    missing = [flag(name) for name in ("program", "year", "option") if name not in values]
    if missing:
        raise InputError(
            f"{' and '.join(missing)} must be given, such as "
            f"--program reach --year 2023 --option global (the programs are "
            f"{', '.join(program_names())})"
        )
    entity_type = values.get("entity_type", "standard")
    rules = load_program(values["program"]).rules(values["year"], values["option"], entity_type)
    return rules.override(overrides)


def build_figures(values: Values, rules: RuleSet) -> Figures:
    """The figures of a settlement.

    Raises
    ------
    InputError
        If something is missing, or what was given contradicts itself or the rules.
    """
    from simdc.settlement.direct_contracting import Figures

    if problems := [*_contradictions(values), *_against_rules(values, rules)]:
        raise InputError(problems)

    number = dict.fromkeys(_BY_NAME, 0.0) | values
    benchmark = values.get("unadjusted_benchmark")
    capitation = number["base_capitation"] + number["total_care_capitation"]
    return Figures(
        unadjusted_benchmark={"all": benchmark} if isinstance(benchmark, float) else benchmark,
        final_benchmark=values.get("final_benchmark"),
        trend_ratio=values.get("trend_ratio", 1.0),
        seasonality=values.get("seasonality", 1.0),
        quality_score=_quality_score(values, rules),
        retention_kept=float(number["retention_kept"]),
        health_equity_up=values.get("health_equity_up"),
        health_equity_down=values.get("health_equity_down"),
        health_equity_up_months=number["health_equity_up_months"],
        health_equity_down_months=number["health_equity_down_months"],
        claims=_claims(values, capitation),
        completion=values.get("completion", 1.0),
        stop_loss_payout=number["stop_loss_payout"],
        stop_loss_charge=number["stop_loss_charge"],
        capitation_expenditure=capitation,
        enhanced_capitation=number["enhanced_capitation"],
        advanced_payment_paid=number["advanced_payments"],
        advanced_payment_reductions=number["advanced_payment_reductions"],
        high_performers_bonus=number["high_performers_bonus"],
        provisional_settlement=number["provisional_settlement"],
    )


def taken_as_one(values: Values, rules: RuleSet) -> list[str]:
    """Factors of the benchmark that were not given, and so leave it as it is."""
    if "final_benchmark" in values:
        return []
    missing = [] if "trend_ratio" in values else ["trend_ratio"]
    if rules.year == _NINE_MONTH_YEAR and "seasonality" not in values:
        missing.append("seasonality")
    if not values.keys() & {"quality", "performance_score"}:
        missing.append("quality")
    family = load_program(rules.program).family
    return [name for name in missing if family in _BY_NAME[name].families]


def _claims(values: Values, capitation: float) -> float:
    """Claims alone, out of whichever cost was given."""
    if "claims" in values:
        return float(values["claims"])
    return float(values["cost"] if "cost" in values else values["net_cost"]) - capitation


def _quality_score(values: Values, rules: RuleSet) -> float:
    from simdc.settlement.steps import total_quality_score

    if "performance_score" not in values:
        return float(values.get("quality", 1.0))
    return float(
        total_quality_score(
            values["performance_score"],
            rules.value("quality_reporting_share"),
            rules.value("ci_sep_multiplier") if "ci_sep_missed" in values else 1.0,
            values.get("equity_reporting", 0.0),
        )
    )


def _contradictions(values: Values) -> Iterator[Problem]:
    """What is missing, and what cannot stand beside what."""
    for group in _ONE_OF:
        if sum(name in values for name in group) != 1:
            flags = " and ".join(map(flag, group))
            given = " and ".join(flag(name) for name in group if name in values)
            yield Problem(f"exactly one of {flags} must be given", "", given or "none")
    for name, (others, reason) in _EXCLUDES.items():
        for other in others:
            if name in values and other in values:
                yield Problem(f"cannot be given together with {flag(name)}: {reason}", flag(other))
    for name in _NEEDS_PERFORMANCE_SCORE:
        if name in values and "performance_score" not in values:
            yield Problem("needs --performance-score, which it changes", flag(name))
    for name in ("cost", "net_cost"):
        capitation = values.get("base_capitation", 0.0) + values.get("total_care_capitation", 0.0)
        if name in values and values[name] < capitation:
            yield Problem(
                "must be at least the capitation in it", flag(name), f"{values[name]:,.2f}"
            )


def _against_rules(values: Values, rules: RuleSet) -> Iterator[Problem]:
    """What the rules of the program, year and option do not know."""
    where = f"{rules.program} {rules.year} {rules.option}"
    if "total_care_capitation" in values and not rules.value("total_care_capitation_allowed"):
        yield Problem(
            f"{where} has no total care capitation (rule total_care_capitation_allowed)",
            "--total-care-capitation",
        )
    if values.get("high_performers_bonus") and not rules.value("high_performers_pool"):
        yield Problem(
            f"{where} has no high performers pool (rule high_performers_pool)",
            "--high-performers-bonus",
        )
    if "ci_sep_missed" in values and rules.value("ci_sep_multiplier") == 1:
        yield Problem(
            f"{where} does not ask for CI/SEP (rule ci_sep_multiplier)", "--ci-sep-missed"
        )
    if "seasonality" in values and rules.year != _NINE_MONTH_YEAR:
        yield Problem(
            f"applies to the nine-month performance year {_NINE_MONTH_YEAR} only", "--seasonality"
        )
    most = rules.value("equity_reporting_maximum")
    if values.get("equity_reporting", 0.0) > most:
        yield Problem(
            f"must be at most {most:g} in {where} (rule equity_reporting_maximum)",
            "--equity-reporting",
            f"{values['equity_reporting']:g}",
        )
    if not (rules.value("health_equity_up_pbpm") or rules.value("health_equity_down_pbpm")):
        for name in _HEALTH_EQUITY:
            if values.get(name):
                yield Problem(
                    f"{where} has no health-equity adjustment (rules health_equity_up_pbpm and "
                    "health_equity_down_pbpm)",
                    flag(name),
                )
