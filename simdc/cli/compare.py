"""``simdc compare``: the tracks of a result against each other."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("result", type=click.Path(path_type=Path))
@click.option(
    "--line",
    metavar="NAME",
    default="shared_after_sequestration",
    show_default=True,
    help="Line of the settlement to compare by; also gross_savings, shared_savings, cash_due.",
)
@click.option(
    "--track",
    "tracks",
    metavar="NAME",
    multiple=True,
    help="A track to compare, given twice or more; all of them otherwise.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(result: Path, line: str, tracks: tuple[str, ...], as_json: bool) -> None:
    """Compare the tracks of a result with each other on the same draws.

    RESULT is a file that 'simdc run' wrote. For each pair of tracks: the distribution of the
    difference, which pays more and how often, and at which gross savings they cross by the rules
    recorded in the result.
    """
    from simdc.compare import compare
    from simdc.report.comparison import comparison_document, render_comparison
    from simdc.result import read_result

    with read_result(result) as tree:
        comparison = compare(tree, line, tracks)
        if as_json:
            click.echo(json.dumps(comparison_document(tree, comparison), indent=2))
        else:
            render_comparison(tree, comparison)
