"""``simdc warmup``: compile the kernels ahead of the first run."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Compile the kernels now, so that the first run does not wait.

    Compiled code is kept in the user's cache folder and found again by every later run; set
    SIMDC_CACHE_DIR to keep it elsewhere.
    """
    from simdc.kernels.jit import cache_folder
    from simdc.kernels.ready import is_compiled, warm_up

    found = is_compiled()
    seconds = warm_up()
    folder = cache_folder()
    if folder is None:
        click.echo(
            f"Compiled in {seconds:.1f} s, but nothing can be kept: no cache folder is writable."
        )
    elif found:
        click.echo(f"Kernels were compiled already; loaded in {seconds:.1f} s from {folder}.")
    else:
        click.echo(f"Compiled in {seconds:.1f} s; kept in {folder}.")
