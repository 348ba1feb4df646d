"""The command line."""

from tune_reg.cli.app import main

__all__ = ["main"]
