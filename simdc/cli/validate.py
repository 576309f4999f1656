"""``simdc validate``: check a scenario and print what was understood, without simulating."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simdc.priors import type_name

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from simdc.contracts import Contract
    from simdc.expected import ExpectedYear
    from simdc.prepare import Prepared
    from simdc.programs import Rule
    from simdc.scenario import LoadedScenario
    from simdc.scenario.models import StopLoss

_LEAST_WIDTH, _GREATEST_WIDTH = 60, 110


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def command(scenario: Path, as_json: bool) -> None:
    """Check SCENARIO and print what was understood; nothing is simulated or written.

    Shows the segments, the drivers, what each track fixes before the year and comes to if all is
    as expected, the rules each track is settled by with overrides marked, and every assumption.
    """
    from simdc.scenario import load_scenario
    from simdc.years import prepare_years

    loaded = load_scenario(scenario)
    by_year = prepare_years(loaded.scenario, loaded.base_dir)
    understood = _understood(loaded, next(iter(by_year.values())))
    if len(by_year) > 1:
        understood["years"] = [_year(year, prepared) for year, prepared in by_year.items()]
    if as_json:
        click.echo(json.dumps(understood, indent=2, allow_nan=False))
        return

    from rich.console import Console

    # Names from the scenario may hold brackets, which are no markup.
    console = Console(markup=False, highlight=False, emoji=False)
    console.width = min(max(console.width, _LEAST_WIDTH), _GREATEST_WIDTH)
    _print(_report(understood, console.width), console)


# --- what was understood ----------------------------------------------------------------------


def _understood(loaded: LoadedScenario, prepared: Prepared) -> dict[str, Any]:
    """The scenario with its defaults and rules filled in, as plain objects."""
    from simdc.expected import expected_years
    from simdc.prepare import published_option

    scenario, segments = loaded.scenario, prepared.population.segments
    return {
        "file": str(loaded.path),
        "sha256": loaded.sha256,
        "title": scenario.title,
        "entity": scenario.entity.model_dump() | {"option": published_option(scenario)},
        "run": scenario.run.model_dump(),
        "segments": [
            {
                "name": segment.name,
                "category": segment.category,
                "alignment": segment.alignment,
                "beneficiaries": segment.beneficiaries,
                "months": float(segment.total_months),
                "expected_cost": float(segment.total_expected_cost),
                "severity": segment.severity.description,
            }
            for segment in segments
        ],
        "drivers": [
            {
                "name": name,
                "distribution": "off" if driver is None else driver.distribution,
                "mean": float(law.mean),
                "standard_deviation": float(law.sd),
            }
            for name, law in prepared.drivers.laws.items()
            for driver in [getattr(scenario.drivers, name)]
        ],
        "months": float(sum(segment.total_months for segment in segments)),
        "tracks": [
            _track(contract, year)
            for contract, year in zip(prepared.contracts, expected_years(prepared), strict=True)
        ],
        "assumptions": [
            {"subject": a.subject, "statement": a.statement, "source": a.source}
            for a in prepared.assumptions
        ],
    }


def _year(year: int, prepared: Prepared) -> dict[str, Any]:
    """What is fixed before one of several performance years."""
    return {
        "year": year,
        "expected_cost": float(sum(s.total_expected_cost for s in prepared.population.segments)),
        "tracks": [
            {
                "name": contract.track.name,
                "program": contract.track.program,
                "option": contract.track.option,
                "unadjusted_benchmark": float(contract.fixed["unadjusted_benchmark"]),
                "required_guarantee": contract.required_guarantee,
                "rules": [_rule(rule) for rule in contract.rules.values()],
            }
            for contract in prepared.contracts
        ],
    }


def _track(contract: Contract, expected: ExpectedYear) -> dict[str, Any]:
    track = contract.track
    return {
        "name": track.name,
        "program": track.program,
        "option": track.option,
        "capitation": track.capitation,
        "stop_loss": None if track.stop_loss is None else _stop_loss(track.stop_loss),
        **{name: float(amount) for name, amount in contract.fixed.items()},
        "expected": asdict(expected) | {"gross_savings_rate": expected.gross_savings_rate},
        "required_guarantee": contract.required_guarantee,
        "guarantee_basis": contract.guarantee_basis,
        "rules": [_rule(rule) for rule in contract.rules.values()],
    }


def _stop_loss(design: StopLoss) -> dict[str, Any]:
    """A design as plain objects; an open upper attachment point is null."""
    plain = design.model_dump(by_alias=True)
    for band in plain["bands"]:
        if band["to"] == float("inf"):
            band["to"] = None
    return plain


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "value": rule.shown,
        "confidence": rule.confidence,
        "source": rule.source,
        "overridden": rule.overridden,
        "note": rule.note,
    }


# --- tables -----------------------------------------------------------------------------------


def _report(understood: dict[str, Any], width: int) -> Iterator[RenderableType]:
    entity, run = understood["entity"], understood["run"]
    yield _text(f"{understood['file']} is valid. Nothing was simulated.", width, style="bold")
    if understood["title"]:
        yield _text(understood["title"], width)
    yield _text(
        f"{entity['id']}, {type_name(entity['type'])}, performance year "
        f"{entity['performance_year']}; {run['draws']:,} draws, seed {run['seed']}",
        width,
    )
    yield ""
    yield from _segments(understood["segments"], width)
    yield from _drivers(understood["drivers"], entity, width)
    for track in understood["tracks"]:
        yield from _figures(track, understood["months"], width)
    yield from _rules(understood["tracks"], width)
    yield from _years(understood.get("years", []), width)
    yield from _assumptions(understood["assumptions"], width)


def _years(years: list[dict[str, Any]], width: int) -> Iterator[RenderableType]:
    """Programs and amounts of several performance years; all else above is of the first."""
    if not years:
        return
    yield _table(
        ("Year", "Track", "Program", "Expected cost>", "Benchmark>", "Guarantee>"),
        [
            (
                str(each["year"]),
                track["name"],
                track["program"],
                _dollars(each["expected_cost"]),
                _dollars(track["unadjusted_benchmark"]),
                "-"
                if track["required_guarantee"] is None
                else _dollars(track["required_guarantee"]),
            )
            for each in years
            for track in each["tracks"]
        ],
        width,
    )
    yield ""


def _segments(segments: list[dict[str, Any]], width: int) -> Iterator[RenderableType]:
    yield _table(
        ("Segment", "People>", "Months>", "Expected cost>", "PBPM>"),
        [
            (
                f"{s['name']} ({s['category']}, {s['alignment']})",
                f"{s['beneficiaries']:,}",
                f"{s['months']:,.0f}",
                _dollars(s["expected_cost"]),
                _dollars(s["expected_cost"] / s["months"], cents=True),
            )
            for s in segments
        ],
        width,
    )
    for s in segments:
        yield _text(f"Severity of {s['name']}: {s['severity']}", width)
    yield ""


def _drivers(
    drivers: list[dict[str, Any]], entity: dict[str, Any], width: int
) -> Iterator[RenderableType]:
    yield _table(
        ("Driver", "Distribution", "Mean>", "SD>"),
        [
            (
                d["name"],
                d["distribution"],
                f"{round(d['mean'], 4) + 0.0:.4f}",  # adding zero turns -0.0 into 0.0
                f"{d['standard_deviation']:.4f}",
            )
            for d in drivers
        ],
        width,
    )
    if any((d["name"], d["distribution"]) == ("entity_effect", "default") for d in drivers):
        option = entity["option"].title()
        yield _text(f"The default entity effect rests on published {option} entities.", width)
    yield ""


def _figures(track: dict[str, Any], months: float, width: int) -> Iterator[RenderableType]:
    """What a track fixes before the year, and what it comes to if all is as expected."""

    def row(label: str, amount: float) -> tuple[str, str, str]:
        return label, _dollars(amount), _dollars(amount / months, cents=True)

    expected = track["expected"]
    fixed = {
        f"Capitation ({_plain(track['capitation'])})": track["base_capitation"],
        "Enhanced capitation": track["enhanced_capitation"],
        "Stop-loss charge": track["stop_loss_charge"],
        "Required guarantee": track["required_guarantee"],
    }
    rows = [
        row("Benchmark", expected["benchmark"]),
        row("Benchmark after discount, quality", expected["final_benchmark"]),
        row("Expected cost of care", expected["cost_of_care"]),
        row("Expected cost as settled", expected["net_cost_of_care"]),
        row("Expected gross savings", expected["gross_savings"]),
        ("Expected gross savings rate", f"{expected['gross_savings_rate']:.2%}", ""),
        *(row(label, amount) for label, amount in fixed.items() if amount),
    ]
    yield _text(f"Track {track['name']}: {track['program']}, {track['option']}", width, "bold")
    yield _table(("Figure", "Amount>", "PBPM>"), rows, width)
    yield ""


def _rules(tracks: list[dict[str, Any]], width: int) -> Iterator[RenderableType]:
    """One table for all tracks that share their rules; an override is marked with a star."""
    shared: list[tuple[list[str], dict[str, Any]]] = []
    for track in tracks:
        for names, other in shared:
            if all(track[key] == other[key] for key in ("program", "option", "rules")):
                names.append(track["name"])
                break
        else:
            shared.append(([track["name"]], track))
    for names, track in shared:
        heading = f"Rules of {', '.join(names)} ({track['program']}, {track['option']})"
        yield _text(heading, width, "bold")
        rows = []
        for rule in track["rules"]:
            mark, note = ("*", f"\n{rule['note']}") if rule["overridden"] else ("", "")
            rows.append((rule["name"] + mark, rule["value"] + note, rule["confidence"]))
        yield _table(("Rule", "Value", "Confidence"), rows, width)
        if any(rule["overridden"] for rule in track["rules"]):
            yield "* overridden by the scenario"
        yield ""
    programs = dict.fromkeys(track["program"] for track in tracks)
    shows = ", ".join(f"simdc programs show {name}" for name in programs)
    yield _text(f"Sources: {shows}", width)
    yield ""


def _assumptions(assumptions: list[dict[str, str]], width: int) -> Iterator[RenderableType]:
    yield _text("Assumptions" if assumptions else "No assumptions", width, "bold")
    for a in assumptions:
        source = "" if a["source"] == "assumption" else f" [{a['source']}]"
        yield _text(f"• {a['subject']}: {a['statement']}{source}", width, indent="  ")


# --- how it is laid out -----------------------------------------------------------------------


def _text(text: str, width: int, style: str = "", indent: str = "") -> Text:
    """Text in lines that break between words only, however long a word is."""
    from rich.text import Text

    lines = textwrap.wrap(
        # A name from the scenario may hold characters that would steer the terminal.
        "".join(c if c.isprintable() else " " for c in text),
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return Text("\n".join(lines), style=style, no_wrap=True)


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Table:
    """A plain table in which no word is broken; a header that ends in '>' heads figures.

    A table whose words alone are wider than the page is as wide as it has to be.
    """
    from rich import box
    from rich.cells import cell_len
    from rich.table import Table

    titles = [header.removesuffix(">") for header in headers]
    columns = [
        [title, *cells] for title, cells in zip(titles, zip(*rows, strict=True), strict=True)
    ]
    widths = [max(map(cell_len, "\n".join(cells).split("\n"))) for cells in columns]
    least = [max(map(cell_len, " ".join(cells).split())) for cells in columns]
    between = 2 * (len(columns) - 1)
    while sum(widths) + between > width and widths != least:
        widest = max(range(len(columns)), key=lambda i: (widths[i] > least[i], widths[i]))
        widths[widest] -= 1

    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_edge=False,
        width=sum(widths) + between,
    )
    for header, title, column_width in zip(headers, titles, widths, strict=True):
        table.add_column(
            title,
            justify="left" if title == header else "right",
            width=column_width,
            overflow="crop",  # of nothing but the blank after a word
        )
    for row in rows:
        table.add_row(*row)
    return table


def _dollars(amount: float, cents: bool = False) -> str:
    return f"{'-' if amount < 0 else ''}${abs(amount):,.{2 if cents else 0}f}"


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _print(parts: Iterable[RenderableType], console: Console) -> None:
    """Print without the blanks that fill up lines, and without cutting what is too wide."""
    with console.capture() as printed:
        for part in parts:
            console.print(part, crop=False)
    for line in printed.get().splitlines():
        click.echo(line.rstrip())
