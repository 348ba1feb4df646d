"""The console that commands and Python users' studies write to."""

from __future__ import annotations

import sys

from rich.console import Console

#: Files and pipes have no width of their own; 120 keeps a table row on one line. Brackets and colons in names, paths
#: and messages are no markup.
console = Console(
    width=None if sys.stdout is not None and sys.stdout.isatty() else 120, markup=False, emoji=False, highlight=False
)
