"""``simdc validate``: check a scenario and print what was understood, without simulating."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from simdc.contracts import Contract
    from simdc.prepare import Prepared
    from simdc.programs import Rule
    from simdc.scenario import LoadedScenario
    from simdc.scenario.models import StopLoss

_LEAST_WIDTH, _GREATEST_WIDTH = 80, 110


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def command(scenario: Path, as_json: bool) -> None:
    """Check SCENARIO and print what was understood; nothing is simulated or written.

    Shows the segments, the drivers, the tracks with what they fix before the year, the rules each
    track is settled by with overrides marked, and every assumption.
    """
    from simdc.prepare import prepare
    from simdc.scenario import load_scenario

    loaded = load_scenario(scenario)
    understood = _understood(loaded, prepare(loaded.scenario, loaded.base_dir))
    if as_json:
        click.echo(json.dumps(understood, indent=2, allow_nan=False))
        return

    from rich.console import Console, Group

    # Names from the scenario may hold brackets, which are no markup.
    console = Console(markup=False, highlight=False, emoji=False)
    width = min(max(console.width, _LEAST_WIDTH), _GREATEST_WIDTH)
    console.print(Group(*_report(understood)), width=width)


# --- what was understood ----------------------------------------------------------------------


def _understood(loaded: LoadedScenario, prepared: Prepared) -> dict[str, Any]:
    """The scenario with its defaults and rules filled in, as plain objects."""
    scenario = loaded.scenario
    return {
        "file": str(loaded.path),
        "sha256": loaded.sha256,
        "title": scenario.title,
        "entity": scenario.entity.model_dump(),
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
            for segment in prepared.population.segments
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
        "tracks": [_track(contract) for contract in prepared.contracts],
        "assumptions": [
            {"subject": a.subject, "statement": a.statement, "source": a.source}
            for a in prepared.assumptions
        ],
    }


def _track(contract: Contract) -> dict[str, Any]:
    track = contract.track
    return {
        "name": track.name,
        "program": track.program,
        "option": track.option,
        "capitation": track.capitation,
        "stop_loss": None if track.stop_loss is None else _stop_loss(track.stop_loss),
        **{name: float(amount) for name, amount in contract.fixed.items()},
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


def _report(understood: dict[str, Any]) -> Iterator[RenderableType]:
    from rich.text import Text

    entity, run = understood["entity"], understood["run"]
    yield Text(f"{understood['file']} is valid. Nothing was simulated.", style="bold")
    if understood["title"]:
        yield Text(_clean(understood["title"]))
    yield Text(
        f"{entity['id']}, {entity['type'].replace('_', ' ')}, performance year "
        f"{entity['performance_year']}; {run['draws']:,} draws, seed {run['seed']}\n"
    )
    yield from _segments(understood["segments"])
    yield from _drivers(understood["drivers"])
    yield from _tracks(understood["tracks"])
    yield from _rules(understood["tracks"])
    yield from _assumptions(understood["assumptions"])


def _segments(segments: list[dict[str, Any]]) -> Iterator[RenderableType]:
    table = _table("Segment", "Kind", "People>", "Months>", "Expected cost>", "PBPM>")
    for s in segments:
        table.add_row(
            s["name"],
            f"{s['category']}, {s['alignment']}",
            f"{s['beneficiaries']:,}",
            f"{s['months']:,.0f}",
            f"${s['expected_cost']:,.0f}",
            f"${s['expected_cost'] / s['months']:,.2f}",
        )
    yield table
    for s in segments:
        yield f"Severity of {s['name']}: {s['severity']}"
    yield ""


def _drivers(drivers: list[dict[str, Any]]) -> Iterator[RenderableType]:
    table = _table("Driver", "Distribution", "Mean>", "SD>")
    for d in drivers:
        table.add_row(
            d["name"],
            d["distribution"],
            f"{round(d['mean'], 4) + 0.0:.4f}",  # adding zero turns -0.0 into 0.0
            f"{d['standard_deviation']:.4f}",
        )
    yield from (table, "")


def _tracks(tracks: list[dict[str, Any]]) -> Iterator[RenderableType]:
    table = _table("Track", "Program, option", "Figure fixed before the year", "Amount>")
    for track in tracks:
        figures = [
            ("Unadjusted benchmark", track["unadjusted_benchmark"]),
            (f"Capitation ({track['capitation'].replace('_', ' ')})", track["base_capitation"]),
            ("Enhanced capitation", track["enhanced_capitation"]),
            ("Stop-loss charge", track["stop_loss_charge"]),
            ("Required guarantee", track["required_guarantee"]),
        ]
        shown = [(label, amount) for label, amount in figures if amount]
        table.add_row(
            track["name"],
            f"{track['program']}, {track['option']}",
            "\n".join(label for label, _ in shown),
            "\n".join(f"${amount:,.0f}" for _, amount in shown),
        )
    yield from (table, "")


def _rules(tracks: list[dict[str, Any]]) -> Iterator[RenderableType]:
    """One table for all tracks that share their rules; an override is marked with a star."""
    from rich.text import Text

    shared: list[tuple[list[str], dict[str, Any]]] = []
    for track in tracks:
        for names, other in shared:
            if all(track[key] == other[key] for key in ("program", "option", "rules")):
                names.append(track["name"])
                break
        else:
            shared.append(([track["name"]], track))
    for names, track in shared:
        yield Text(f"Rules of {', '.join(names)} ({track['program']}, {track['option']})")
        table = _table("Rule", "Value", "Confidence")
        table.columns[0].no_wrap = True
        for rule in track["rules"]:
            mark, note = ("* ", f"\n{rule['note']}") if rule["overridden"] else ("  ", "")
            table.add_row(mark + rule["name"], rule["value"] + note, rule["confidence"])
        yield table
        if any(rule["overridden"] for rule in track["rules"]):
            yield "* overridden by the scenario"
        yield ""
    programs = dict.fromkeys(track["program"] for track in tracks)
    yield f"Sources: {', '.join(f'simdc programs show {name}' for name in programs)}\n"


def _assumptions(assumptions: list[dict[str, str]]) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    yield Text("Assumptions" if assumptions else "No assumptions", style="bold")
    listed = Table.grid(padding=(0, 1))
    for a in assumptions:
        source = "" if a["source"] == "assumption" else f" [{a['source']}]"
        told = _clean(f": {a['statement']}{source}")
        listed.add_row("-", Text.assemble((a["subject"], "bold"), told))
    yield listed


def _clean(text: str) -> str:
    """Text from a scenario without characters that would steer the terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _table(*headers: str) -> Table:
    """A plain table; a header that ends in '>' heads a column of figures."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for header in headers:
        figures = header.endswith(">")
        table.add_column(
            header.removesuffix(">"),
            justify="right" if figures else "left",
            no_wrap=figures,
            overflow="fold",
        )
    return table
