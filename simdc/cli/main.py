"""The command line: names the commands and imports one only when it is called."""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from simdc import interrupts
from simdc.errors import SimdcError, nearest

COMMANDS = {
    "run": "Simulate a scenario and settle every track on the same draws.",
    "sweep": "Settle variants of a scenario, simulated once where they can be.",
    "portfolio": "Settle many entities at once, and what a group of them owes together.",
    "sensitivity": "Say which settings of a scenario matter: Sobol' indices and a tornado.",
    "extend": "Add draws to a result without repeating those it holds.",
    "settle": "Settle one set of figures and print every step.",
    "replay": "Recompute a published results file and say row by row what matches.",
    "backtest": "Score the default priors against a published results file.",
    "guarantee": "Size the financial guarantee from a result.",
    "cash-flow": "Print when capitation is paid, and what is still out at settlement.",
    "compare": "Compare the tracks of a result with each other on the same draws.",
    "benchmark": "Print how a scenario's benchmark is built, step by step.",
    "validate": "Check a scenario and print what was understood.",
    "schema": "Print the JSON Schema of a scenario.",
    "programs": "List the programs, or show one's rules with their sources.",
    "doctor": "Report versions, processors and the state of the compiled kernels.",
    "warmup": "Compile the kernels now, so that the first run does not wait.",
}


class _ReaderHasGone(Exception):  # noqa: N818 - no fault
    """Nobody reads our output any more, as in `simdc ... | head`; click would call it a failure."""


@contextmanager
def _noticing_that_the_reader_has_gone() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _ReaderHasGone from error
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # as rich ends a program
            raise _ReaderHasGone from stop
        raise


class LazyGroup(click.Group):
    """A group that knows its commands by name and one sentence, and imports them when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of the tour."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"simdc.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, suggesting the nearest name for a mistyped one."""
        if args and args[0] not in COMMANDS and (near := nearest(args[0], COMMANDS)):
            ctx.fail(f"no command '{args[0]}'; did you mean '{near}'?")
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the command line, and print help where it asks for that."""
        with _noticing_that_the_reader_has_gone():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        with _noticing_that_the_reader_has_gone():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"simdc {version('simdc')}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Show the version and stop.",
)  # fmt: skip
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """How much a Medicare accountable-care organisation could owe or earn, and how sure that is.

    Start with: simdc run scenarios/large-standard-global.toml
    """
    ctx.obj = {"debug": debug}


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with 0 done, 2 bad input, 1 failure, 130 interrupted."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a dash is worth no crash where ASCII is all
    _start_and_end_quickly()
    interrupts.install()
    status = _status(sys.argv[1:] if args is None else args)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done; leaving takes a moment
    sys.exit(status)


def _start_and_end_quickly() -> None:
    """Leave out what takes up to a third of a second each and serves nothing here."""
    # Threads for linear algebra, where only vectors are multiplied.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Search for garbage, ever again and at the end, among what imports have made and what stays.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)


def _status(args: list[str]) -> int:
    debug = "--debug" in args
    try:
        status: Any = cli.main(args=args, prog_name="simdc", standalone_mode=False)
    except click.ClickException as error:
        told = io.StringIO()
        error.show(told)
        click.echo("\n".join(map(_printable, told.getvalue().split("\n"))), err=True, nl=False)
        return error.exit_code
    except SimdcError as error:
        for sentence in str(error).split("\n"):
            click.echo(f"simdc: {_printable(sentence)}", err=True)
        return error.exit_status
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(signal.SIGINT)
    except _ReaderHasGone:
        return _leave_quietly()
    except MemoryError:
        click.echo(
            "simdc: there is not enough memory; ask for fewer draws, or see what a run takes "
            "with --dry-run.",
            err=True,
        )
        return 1
    except OSError as error:
        if debug:
            traceback.print_exc()
        if (signum := interrupts.noted()) is not None:
            return _interrupted(signum)
        place = f" {error.filename}" if error.filename else ""
        click.echo(f"simdc: the system refused{place}: {error.strerror or error}.", err=True)
        return 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        if (signum := interrupts.noted()) is not None:  # some libraries make it their own error
            return _interrupted(signum)
        if not debug:
            click.echo(
                f"simdc: unexpected {type(error).__name__}: {error}. "
                "This is a bug; run again as 'simdc --debug ...' for the traceback.",
                err=True,
            )
        return 1
    return status if isinstance(status, int) else 0


def _printable(sentence: str) -> str:
    """What a user has written must not steer the terminal; such characters show by number."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in sentence)


def _interrupted(signum: int) -> int:
    click.echo("simdc: interrupted.", err=True)
    return 128 + signum


def _leave_quietly() -> int:
    """End as if all had been read."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
