"""``simdc guarantee``: size the financial guarantee from a result."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("result", type=click.Path(path_type=Path))
@click.option(
    "--level",
    "levels",
    type=float,
    multiple=True,
    help="Probability with which the amount is to cover the total owed, as a fraction "
    "(99% is 0.99). May be given several times; by default 90, 95, 99 and 99.5%.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(result: Path, levels: tuple[float, ...], as_json: bool) -> None:
    """Is the required guarantee enough, and how much would be?

    RESULT is a file that 'simdc run' wrote. Amounts are read from its draws; nothing is simulated
    again.
    """
    from simdc.result import read_result, resize_guarantee

    with read_result(result) as stored:
        tree = resize_guarantee(stored, levels) if levels else stored
        if as_json:
            from simdc.report.document import render_guarantee_json

            click.echo(json.dumps(render_guarantee_json(tree), indent=2))
        else:
            from simdc.report.terminal import render_guarantee

            render_guarantee(tree)
