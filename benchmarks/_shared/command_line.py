"""The command line that all benchmarks have in common: ``--help``, ``--small``, ``--out``, and errors of one line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

#: The exit code of a program that was called wrongly.
USAGE_ERROR = 2


class _Help(argparse.RawDescriptionHelpFormatter):
    """The docstring of the program as it is written, and each option on a line of its own with its default."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=36, width=1000)

    def _get_help_string(self, action: argparse.Action) -> str | None:
        given = action.default
        if action.help is None or given is None or isinstance(given, bool) or given == argparse.SUPPRESS:
            return action.help
        if action.choices is not None and list(action.choices) == given:
            return f"{action.help} (default: all)"
        return f"{action.help} (default: {_as_typed(given)})"


class CommandLine(argparse.ArgumentParser):
    """The options of one benchmark.

    ``description``: the docstring of its file. ``small``: option -> value of the smallest size, which ``--small``
    gives to each option that is not given itself.
    """

    def __init__(self, description: str | None, small: Mapping[str, object]) -> None:
        super().__init__(description=description, formatter_class=_Help, allow_abbrev=False)
        self._small = dict(small)
        sizes = ", ".join(f"{name} {_as_typed(value)}" for name, value in small.items())
        self.add_argument("--small", action="store_true", help=f"the smallest size, to see that it runs: {sizes}")

    def names(
        self,
        option: str,
        choices: Iterable[str],
        help: str,  # noqa: A002  # argparse calls it so
        *,
        default: Iterable[str] | None = None,
    ) -> None:
        """Add an option that takes one or more of the names ``choices``; ``default``: all of them."""
        names = list(choices)
        given = names if default is None else list(default)
        self.add_argument(
            option, nargs="+", choices=names, default=given, metavar="NAME", help=f"{help}: {', '.join(names)}"
        )

    def outputs(self, *, figure: bool = False) -> None:
        """Add ``--out`` and, with ``figure``, ``--figure``. Without them a benchmark writes no file."""
        self.add_argument("--out", type=Path, metavar="FILE.json", help="write the numbers to this file")
        if figure:
            self.add_argument("--figure", type=Path, metavar="FILE.png", help="draw the numbers into this file")

    def hidden(self, option: str, type: Callable[[str], Any] = str) -> None:  # noqa: A002  # argparse calls it so
        """Add an option that a benchmark gives to the processes of its arms; the help does not show it."""
        self.add_argument(option, type=type, help=argparse.SUPPRESS)

    def read(self, arguments: Sequence[str] | None = None) -> argparse.Namespace:
        """Parse ``arguments``, by default those of the process. A mistake ends the process with exit code 2."""
        options = self.parse_args(arguments)
        if options.small:
            self.set_defaults(**self._small)
            options = self.parse_args(arguments)
        return options

    def error(self, message: str) -> NoReturn:
        """End the process with ``message`` as one line on stderr, without the usage that argparse puts before it."""
        print(f"{self.prog}: {message}", file=sys.stderr)
        raise SystemExit(USAGE_ERROR)


def write_json(path: Path | None, numbers: Any, *, indent: int | None = 1) -> None:
    """Write ``numbers`` to ``path`` and make its folder; nothing where ``path`` is None. ``indent``: as of ``json``."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(numbers, indent=indent) + "\n", encoding="utf-8")


def _as_typed(value: object) -> str:
    """A value as one types it after its option."""
    if isinstance(value, str) or not isinstance(value, Iterable):
        return str(value)
    return " ".join(map(str, value))
