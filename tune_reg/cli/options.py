"""Arguments and options that several commands share, and the console that all of them write to."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

#: Files and pipes have no width of their own; 120 keeps a table row on one line. Brackets and colons in names, paths
#: and messages are no markup.
console = Console(
    width=None if sys.stdout is not None and sys.stdout.isatty() else 120, markup=False, emoji=False, highlight=False
)

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="The study, a TOML file.")]
DataRoot = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", envvar="TUNE_REG_DATA", help="Where the data sets lie."),
]
Plugins = Annotated[
    list[Path], typer.Option("--plugin", metavar="FILE", help="A Python file that registers a regularizer of your own.")
]


def load_plugins(plugins: list[Path]) -> None:
    """Run the files that register regularizers of the user's own."""
    from tune_reg.regularizers import load_plugin  # loads torch, which --help and report need not

    for path in plugins:
        load_plugin(path)
