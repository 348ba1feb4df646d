"""The tables of the report beside the result table, in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from analysis.tables import Snapshot


class Table(NamedTuple):
    """A table as shown, and its numbers with all their digits."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[Any, ...]  # NamedTuples of one class, for the CSV


class TableSheet(NamedTuple):
    """One table of the report: how it is made, and what is said about it. One without rows is left out."""

    name: str  # of its file
    title: str
    caption: str
    compute: Callable[[Snapshot], Table]


TABLE_SHEETS: Final[tuple[TableSheet, ...]] = ()
