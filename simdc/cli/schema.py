"""``simdc schema``: the JSON Schema of a scenario, for editors and other programs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from simdc.errors import InputError


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Write it to a file instead of printing it.",
)
def command(output: Path | None) -> None:
    r"""Print the JSON Schema of a scenario file.

    Editors that know TOML complete and check scenarios with it.

    \b
    Example:
      simdc schema -o scenario.schema.json
    """
    from simdc.scenario import scenario_schema

    text = json.dumps(scenario_schema(), indent=2, allow_nan=False)
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", file=output) from None
    click.echo(f"Kept in {output}", err=True)
