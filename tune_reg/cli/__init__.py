"""The command line."""

import sys

from tune_reg import own_packages

if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m` puts the working folder first, where a user's queue.py would hide Python's own.
    sys.path.append(sys.path.pop(0))
own_packages.claim("analysis")

from tune_reg.cli.app import main  # noqa: E402 - once names mean what they should

__all__ = ["main"]
