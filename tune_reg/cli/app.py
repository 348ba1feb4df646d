"""The command ``tune-reg``: its commands together, and how a mistake of the user's is said."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Final

import typer

from tune_reg.cli.catalog_commands import data_fetch, doctor, list_
from tune_reg.cli.cluster_commands import fetch, submit
from tune_reg.cli.environment import take_the_machine_as_it_is
from tune_reg.cli.limits import limit_reached
from tune_reg.cli.options import console
from tune_reg.cli.reproduce_command import reproduce
from tune_reg.cli.study_commands import check, compare, report, run
from tune_reg.errors import LostClusterError, NothingSucceededError, TuneRegError, UnreachableError
from tune_reg.version import __version__

app = typer.Typer(
    name="tune-reg",
    help="Which regularizer, how strong, on what schedule.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(report)
app.command()(compare)
app.command()(check)
app.command("list")(list_)
app.command()(doctor)
app.command()(submit)
app.command()(fetch)
app.command()(reproduce)
data_app = typer.Typer(help="Data sets: fetch them before they are needed.", no_args_is_help=True)
data_app.command("fetch")(data_fetch)
app.add_typer(data_app, name="data")


#: Errors for which nothing need be wrong with the command.
_NOT_OF_THE_COMMAND: Final = (UnreachableError, LostClusterError, NothingSucceededError)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        console.print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command; a user's mistake is one line and exit code 2; a lost store or cluster, or no result, 1."""
    take_the_machine_as_it_is()
    try:
        app()
    except TuneRegError as error:
        _say(str(error))
        sys.exit(1 if isinstance(error, _NOT_OF_THE_COMMAND) else 2)
    except (OSError, MemoryError, ImportError, RuntimeError) as error:
        line = limit_reached(error)
        if line is None:
            raise
        _say(line)
        # What standard output still holds could not be written at the end, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)


def _say(text: str) -> None:
    """Write lines to standard error, which may be full, too: the exit code then tells alone."""
    try:
        for line in text.splitlines():
            print(f"tune-reg: {line}", file=sys.stderr)  # noqa: T201 - rich would wrap the line
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
