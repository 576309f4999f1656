"""``simdc settle``: one settlement from figures on the command line or in a file, step by step."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import click

from simdc.cli.settle_families import refuse_other_figures, settle_family
from simdc.cli.settle_figures import DIRECT_CONTRACTING, FIGURES, Figure, flag
from simdc.cli.settle_inputs import (
    build_figures,
    find_rules,
    read_file,
    read_options,
    read_overrides,
    taken_as_one,
)
from simdc.errors import InputError
from simdc.programs import load_program
from simdc.programs.model import source_keys

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from simdc.cli.settle_inputs import Values
    from simdc.programs import Rule, RuleSet
    from simdc.settlement import direct_contracting, next_generation, shared_savings
    from simdc.settlement.statement import Line, Statement
    from simdc.settlement.steps import Amount

    Figures: TypeAlias = (
        direct_contracting.Figures | shared_savings.Figures | next_generation.Figures
    )


# Lines of a settlement in which the quality score counts.
_QUALITY_COUNTS = frozenset({"unadjusted_benchmark", "final_sharing_rate"})


def _figure_options(function: Callable[..., None]) -> Callable[..., None]:
    for figure in reversed(FIGURES):
        function = _figure_option(figure)(function)
    return function


def _figure_option(figure: Figure) -> Callable[[Callable[..., None]], Callable[..., None]]:
    if figure.kind is None:
        return click.option(figure.flag, is_flag=True, default=None, help=figure.help)
    return click.option(
        figure.flag, metavar=figure.kind.metavar, multiple=figure.by_category, help=figure.help
    )


@click.command(no_args_is_help=True)
@click.argument("file", required=False, metavar="[FILE.toml]")
@click.option("--program", metavar="NAME", help="Program, such as gpdc, reach or mssp.")
@click.option("--year", metavar="YEAR", help="Performance year.")
@click.option(
    "--option", metavar="NAME", help="Risk option, such as global, professional or basic-e."
)
@click.option(
    "--entity-type", metavar="TYPE", help="standard (the default), new_entrant or high_needs."
)
@_figure_options
@click.option("--set", "rules", metavar="RULE=VALUE", multiple=True, help="Override a rule.")
@click.option("--json", "as_json", is_flag=True, help="Print the settlement as JSON only.")
def command(file: str | None, rules: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Settle one set of figures and print every step.

    Start from the unadjusted benchmark, or from a published final one. Rates and scores are
    fractions (2% is 0.02), amounts are US dollars, with or without commas. Positive is paid to
    the entity, negative is owed by it.

    \b
    A published settlement, from its final benchmark on:
      simdc settle --program gpdc --year 2022 --option global \\
        --final-benchmark 43,984,166.24 --cost 31,345,778.22 \\
        --stop-loss-payout 694,063.79

    \b
    A whole one, from the benchmark before trend and quality:
      simdc settle --program reach --year 2023 --option global \\
        --unadjusted-benchmark 220,744,975 --trend-ratio 0.9667 \\
        --quality 0.81 --cost 168,042,056 --enhanced-capitation 9,000,000

    \b
    An ENHANCED track of the Shared Savings Program:
      simdc settle --program mssp --year 2024 --option enhanced \\
        --benchmark 100,000,000 --expenditure 95,000,000 --beneficiaries 20,000

    \b
    Figures from a file, and other rules:
      simdc settle figures.toml --set discount=0.04 \\
        --set "corridors=[[0.1, 1.0], [inf, 0.5]]"

    A file holds the same names as the options (final_benchmark = 43984166.24) and overrides of
    rules under [set]; what is given on the command line takes precedence over it.
    """  # noqa: D301 - click wants a real backspace before text not to be rewrapped
    values, overrides = read_file(file) if file else ({}, {})
    values |= read_options(options)
    overrides |= read_overrides(rules)
    rule_set = find_rules(values, overrides)
    figures, statement = _settle(values, rule_set)
    if statement["settlement_benchmark"] <= 0:
        raise InputError(
            "nothing is left of the benchmark after the reductions and adjustments given; "
            "it must stay above 0"
        )
    settlement = Settlement(rule_set, figures, taken_as_one(values, rule_set), statement)
    if as_json:
        click.echo(json.dumps(_document(settlement), indent=2, allow_nan=False))
    else:
        _print(settlement)


def _settle(values: Values, rules: RuleSet) -> tuple[Figures, Statement]:
    family = refuse_other_figures(values, rules)
    if family != DIRECT_CONTRACTING:
        return settle_family(values, rules, family)
    from simdc.settlement.direct_contracting import Terms, settle

    figures = build_figures(values, rules)
    return figures, settle(Terms.from_rules(rules), figures)


class Settlement(NamedTuple):
    """Everything that is shown."""

    rules: RuleSet
    figures: Figures
    taken_as_one: list[str]
    statement: Statement

    @property
    def applied(self) -> list[Rule]:
        """The rules that some step applied."""
        return [self.rules[name] for name in self.statement.rules]


# --- for programs -----------------------------------------------------------------------------


def _document(settlement: Settlement) -> dict[str, Any]:
    """The settlement as plain JSON values."""
    rules, figures, taken, statement = settlement
    return {
        "program": rules.program,
        "year": rules.year,
        "option": rules.option,
        "entity_type": rules.entity_type,
        "units": "US dollars",
        "sign_convention": "positive is paid to the entity, negative is owed by it; "
        "benchmarks and costs are positive",
        "quality_score": float(figures.quality_score),
        "taken_as_one": taken,
        "steps": [
            {
                "key": line.key,
                "label": line.label,
                "before": None if line.before is None else float(line.before),
                "after": float(line.after),
                "unit": line.unit,
                "rules": list(line.rules),
            }
            for line in statement.lines
        ],
        "rules": [
            {
                "name": rule.name,
                "value": _plain(rule.value),
                "unit": rule.unit,
                "source": rules.citation(rule.name),
                "confidence": rule.confidence,
                "note": rule.note,
                "original": _plain(rule.original),
            }
            for rule in settlement.applied
        ],
    }


def _plain(value: Any) -> Any:
    """The value of a rule, with null for the upper edge of a band that has none."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return None if value == math.inf else value


# --- for people -------------------------------------------------------------------------------


def _print(settlement: Settlement) -> None:
    from rich.console import Console

    rules = settlement.rules
    # Texts of rules hold brackets and numbers that are neither markup nor to be coloured.
    console = Console(markup=False, highlight=False, emoji=False)
    told_apart = load_program(rules.program).entity_types
    entity_type = f", {rules.entity_type.replace('_', ' ')}" if told_apart else ""
    console.print(
        f"Settlement: {rules.program} {rules.year}, {rules.option}{entity_type}", style="bold"
    )
    console.print()
    console.print(_step_table(settlement.statement))
    console.print()
    for sentence in _sentences(settlement):
        console.print(sentence)
    console.print("\nRules applied", style="bold")
    console.print(_rule_table(settlement.applied))
    _print_list(console, "Notes", {r.name: r.note for r in settlement.applied if r.note})
    keys = (key for rule in settlement.applied for key in source_keys(rule.source))
    sources = {key: rules.sources[key] for key in keys if key in rules.sources}
    _print_list(console, "Sources", sources)


def _step_table(statement: Statement) -> Table:
    table = _table()
    table.add_column("Step")
    table.add_column("Before, US$", justify="right", no_wrap=True)
    table.add_column("After, US$", justify="right", no_wrap=True)
    for line in statement.lines:
        before = "" if line.before is None else _shown(line, line.before)
        table.add_row(line.label, before, _shown(line, line.after))
    return table


def _rule_table(rules: Iterable[Rule]) -> Table:
    table = _table()
    table.add_column("Rule", no_wrap=True)
    table.add_column("Value", min_width=15)
    table.add_column("Confidence", no_wrap=True)
    table.add_column("Source", min_width=15)
    for rule in rules:
        table.add_row(rule.name, rule.shown, rule.confidence, rule.source)
    return table


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, padding=(0, 1, 0, 0), header_style="bold")


def _print_list(console: Console, title: str, texts: Mapping[str, str]) -> None:
    if not texts:
        return
    console.print(f"\n{title}", style="bold")
    for label, text in texts.items():
        # Web addresses stay whole, so that they can be followed.
        for line in textwrap.wrap(
            f"{label}: {text}",
            width=min(console.width, 80),
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        ):
            console.print(line, soft_wrap=True)


def _sentences(settlement: Settlement) -> Iterator[str]:
    """What the table comes to, and what it takes for granted."""
    _, figures, taken, statement = settlement
    gross = float(statement["gross_savings"])
    share = gross / float(statement["settlement_benchmark"])
    due = float(statement["cash_due"])
    yield (
        f"Gross {'savings' if gross >= 0 else 'losses'}: {abs(share):.2%} of the benchmark they "
        "are measured against."
    )
    if not _QUALITY_COUNTS.isdisjoint(statement):
        yield f"Total quality score: {float(figures.quality_score):.2%}."
    if taken:
        yield f"Not given, so taken as 1: {', '.join(map(flag, taken))}."
    yield f"{'Paid to' if due >= 0 else 'Owed by'} the entity: ${abs(due):,.2f}."


def _shown(line: Line, amount: Amount) -> str:
    """An amount in dollars, or a rate that later steps apply."""
    return f"{float(amount):.3%}" if line.unit == "fraction" else f"{float(amount):,.2f}"
