"""What a table of the report is: rows to show, numbers with all their digits, and what is said about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from analysis.snapshot import Snapshot


class Table(NamedTuple):
    """A table in words, and its numbers with all their digits."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[Any, ...]  # NamedTuples of one class, for the CSV; shares in [0, 1], not percent
    bold: frozenset[tuple[int, int]] = frozenset()  # row and column of cells that are set in bold


class TableSpec(NamedTuple):
    """One table of the report: how it is computed, and what is said about it. One without rows is left out."""

    name: str  # of its files
    title: str  # here and in the caption, {scored} stands for the images that picked the strengths
    caption: str
    compute: Callable[[Snapshot], Table]
