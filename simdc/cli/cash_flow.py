"""``simdc cash-flow``: capitation month by month, and what it leaves to be settled.

The JSON form has ``file``, ``entity``, ``performance_year``, ``interim_risk_score``,
``sign_convention`` and ``tracks``. A track has ``name``, ``program``, ``option``, ``capitation``
(which one is elected), ``months`` (``paid_on``, ``capitation`` and ``enhanced`` before
sequestration, ``sequestration``, ``paid``), ``total`` of the same amounts, ``leakage_withhold``
(null, or per quarter ``rate`` and ``withheld``), ``capitation_expenditure`` (held against the
benchmark) and ``at_settlement`` (``risk_score_true_up``, ``enhanced_capitation``, ``together``).
Amounts are US dollars, rates fractions; at settlement positive is paid to the entity and negative
owed by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

    from simdc.contracts import Contract
    from simdc.report.figures import Money
    from simdc.scenario import LoadedScenario
    from simdc.settlement.cash_flow import CashFlow

_QUARTER = 3  # months
_BILLION = 1e9  # dollars a year, from which they are printed in thousands: columns have their width


@click.command()
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option(
    "--track",
    "tracks",
    multiple=True,
    help="A track by name, may be given several times; all with capitation otherwise.",
)
@click.option(
    "--interim-risk-score",
    type=click.FloatRange(min=0.0, min_open=True),
    default=1.0,
    show_default=True,
    help="Mean risk score that months are paid on, over the final one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def command(
    scenario: Path, tracks: tuple[str, ...], interim_risk_score: float, as_json: bool
) -> None:
    """Print when capitation is paid under SCENARIO; nothing is simulated or written.

    For each track with capitation: what is paid each month after sequestration, what is withheld
    each quarter for care by others, and what is still out when the year is settled.
    """
    from simdc.scenario import load_scenario

    loaded = load_scenario(scenario)
    document = _document(loaded, tracks, interim_risk_score)
    if as_json:
        click.echo(json.dumps(document, indent=2, allow_nan=False))
        return
    from simdc.report.layout import print_report

    print_report(_report(document), None)


# --- what is paid -----------------------------------------------------------------------------


def _document(
    loaded: LoadedScenario, tracks: Sequence[str], interim_risk_score: float
) -> dict[str, Any]:
    """Everything there is to print, as plain objects."""
    from simdc.variables import SIGN_CONVENTION

    entity = loaded.scenario.entity
    flows = list(_flows(loaded, interim_risk_score))
    _check_tracks(tracks, [contract.track.name for contract, _ in flows])
    return {
        "file": str(loaded.path),
        "entity": entity.id,
        "performance_year": entity.performance_year,
        "interim_risk_score": interim_risk_score,
        "sign_convention": SIGN_CONVENTION,
        "tracks": [
            _track(contract, flow)
            for contract, flow in flows
            if not tracks or contract.track.name in tracks
        ],
    }


def _flows(
    loaded: LoadedScenario, interim_risk_score: float
) -> Iterator[tuple[Contract, CashFlow]]:
    """The tracks with capitation, each with its payments."""
    from simdc.contracts.direct_contracting import DirectContractingContract, capitation_cash_flow
    from simdc.contracts.write import setting_of
    from simdc.prepare import prepare

    prepared = prepare(loaded.scenario, loaded.base_dir)
    for contract in prepared.contracts:
        if not isinstance(contract, DirectContractingContract):
            continue
        setting = setting_of(loaded.scenario, contract.track, prepared.population, prepared.drivers)
        prospective = contract.fixed["unadjusted_benchmark"]
        flow = capitation_cash_flow(setting, prospective, interim_risk_score)
        if flow is not None:
            yield contract, flow


def _check_tracks(asked: Sequence[str], there: Sequence[str]) -> None:
    from simdc.errors import InputError, Problem, nearest

    if not there:
        raise InputError("no track of this scenario has capitation")
    for name in asked:
        if name not in there:
            listed = ", ".join(f"'{each}'" for each in there)
            raise InputError(
                Problem(
                    f"there is no such track with capitation; there are {listed}",
                    given=f"'{name}'",
                    suggestion=nearest(name, there),
                )
            )


def _track(contract: Contract, flow: CashFlow) -> dict[str, Any]:
    track = contract.track
    return {
        "name": track.name,
        "program": track.program,
        "option": track.option,
        "capitation": track.capitation,
        "months": [
            {
                "paid_on": month.paid_on.isoformat(),
                "capitation": month.capitation,
                "enhanced": month.enhanced,
                "sequestration": month.sequestration,
                "paid": month.paid,
            }
            for month in flow.months
        ],
        "total": {
            "capitation": float(flow.capitation.sum()),
            "enhanced": float(flow.enhanced.sum()),
            "paid": float(flow.paid.sum()),
        },
        "leakage_withhold": _withhold(flow) if track.capitation == "total_care" else None,
        "capitation_expenditure": flow.capitation_expenditure,
        "at_settlement": {
            "risk_score_true_up": flow.risk_score_true_up,
            "enhanced_capitation": 0.0 - flow.enhanced_to_repay,  # never -0.0
            "together": flow.out_at_settlement,
        },
    }


def _withhold(flow: CashFlow) -> list[dict[str, float]]:
    """What is withheld of each quarter's benchmark for care by others."""
    benchmark, paid = (
        months.reshape(-1, _QUARTER).sum(axis=1) for months in (flow.benchmark, flow.capitation)
    )
    return [
        {"rate": float(1.0 - part / whole), "withheld": float(whole - part)}
        for whole, part in zip(benchmark, paid, strict=True)
    ]


# --- tables -----------------------------------------------------------------------------------


def _report(document: dict[str, Any]) -> Iterator[RenderableType]:
    from rich.text import Text

    from simdc.report.figures import Money
    from simdc.report.layout import clean

    largest = max(track["total"]["paid"] for track in document["tracks"])
    money = Money(1e3, "$ thousand", 0) if largest >= _BILLION else Money(1.0, "$", 0)
    yield Text(
        f"{clean(document['entity'])}, performance year {document['performance_year']}: "
        f"capitation as paid, {money.name}",
        style="bold",
    )
    yield Text(
        f"Months are paid on {document['interim_risk_score']:g} of the final risk score, on the "
        "first day, and are cut by the sequestration of that day."
    )
    yield Text(f"Sign at settlement: {document['sign_convention']}.\n")
    for track in document["tracks"]:
        yield from _tables(track, money)


def _tables(track: dict[str, Any], money: Money) -> Iterator[RenderableType]:
    from rich.text import Text

    from simdc.report.layout import clean, new_table, section

    months = new_table("Paid on", ["Capitation", "Enhanced", "Seques-\ntration", "Paid", "So far"])
    so_far = 0.0
    for month in track["months"]:
        so_far += month["paid"]
        months.add_row(
            month["paid_on"],
            money.plain(month["capitation"]),
            money.plain(month["enhanced"]),
            f"{month['sequestration']:.0%}",
            money.plain(month["paid"]),
            money.plain(so_far),
        )
    total = track["total"]
    months.add_section()
    months.add_row(
        "Year",
        money.plain(total["capitation"]),
        money.plain(total["enhanced"]),
        "",
        money.plain(total["paid"]),
    )
    elected = track["capitation"].replace("_", " ")
    yield section(
        f"{clean(track['name'])} ({track['program']}, {track['option']}, {elected} capitation)",
        months,
    )
    if track["leakage_withhold"] is not None:
        withheld = new_table("Quarter", ["Withheld for\ncare by others", money.name])
        for number, quarter in enumerate(track["leakage_withhold"], start=1):
            withheld.add_row(
                str(number), f"{quarter['rate']:.2%}", money.plain(quarter["withheld"])
            )
        yield withheld
        yield Text()
    out = track["at_settlement"]
    at_settlement = new_table("Still out when the year is settled", [money.name])
    at_settlement.add_row("Risk score trued up", money.plain(out["risk_score_true_up"]))
    at_settlement.add_row("Enhanced capitation repaid", money.plain(out["enhanced_capitation"]))
    at_settlement.add_section()
    at_settlement.add_row("Together", money.plain(out["together"]))
    yield at_settlement
    yield Text(
        f"Held against the benchmark as cost: {money.plain(track['capitation_expenditure'])}.\n",
        style="dim",
    )
