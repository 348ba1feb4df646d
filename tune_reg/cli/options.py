"""Arguments and options that several commands share, and the console that all of them write to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tune_reg.display.console import console

__all__ = ["DataRoot", "Plugins", "StudyFile", "console", "load_plugins"]

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
