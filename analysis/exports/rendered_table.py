"""One table as every export of the report shows it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from analysis.exports.csv_file import rows_csv
from analysis.formatting import NONE
from analysis.tables.spec import Table, TableSpec

#: Cells that hold no value; they sort last and do not keep a column from being one of numbers.
EMPTY: Final = frozenset({"", NONE, "baseline", "-", "–"})

_LEADING: Final = re.compile(
    r"([<>]?)\s*([+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)(?=$|[\s%])\s?(h|min|s)?\b", re.IGNORECASE
)
#: A cell that is a number and no sentence that starts with one: with a unit, a second number or brackets after it.
_NUMBER: Final = re.compile(
    r"[<>]?\s*[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?: ?%| s| h| min| h \d+ min)?"
    r"(?: (?:to|of) [+-]?\d\S*)?(?: [\[(].*)?",
    re.IGNORECASE,
)
_MINUTES: Final = re.compile(r"\d+ h (\d+) min")
_UNITS: Final = {"h": 3600.0, "min": 60.0, "s": 1.0}
_TAIL: Final = re.compile(r"(.+?) ([\[(].*[\])].*)")


class RenderedTable(NamedTuple):
    """A table with its words, its rows as strings, and its numbers as CSV."""

    name: str  # of its files
    title: str
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    csv: bytes
    bold: frozenset[tuple[int, int]] = frozenset()  # row and column of cells that are set in bold


def rendered(spec: TableSpec, table: Table) -> RenderedTable:
    """A table of the catalogue, computed, for the exports."""
    return RenderedTable(
        spec.name, spec.title, spec.caption, table.headings, table.rows, rows_csv(table.numbers), table.bold
    )


def sort_number(cell: str) -> float | None:
    """The number at the start of a cell, by which a column is sorted; durations in seconds; None for words.

    >>> sort_number("97.31 [97.01, 97.60]"), sort_number("1,197 images"), sort_number("1 h 2 min")
    (97.31, 1197.0, 3720.0)
    >>> sort_number("<0.001") < 0.001, sort_number("adadecay"), sort_number("3-layer")
    (True, None, None)
    """
    leading = _LEADING.match(cell)
    if leading is None:
        return None
    below, digits, unit = leading.groups()
    number = float(digits.replace(",", "")) * _UNITS.get((unit or "s").lower(), 1.0)
    minutes = _MINUTES.match(cell)
    if minutes is not None:
        number += 60.0 * int(minutes[1])
    # "<0.001" comes before 0.001 and ">5" after 5.
    return number * {"<": 1 - 1e-9, ">": 1 + 1e-9}.get(below, 1.0)


def numeric_columns(rows: tuple[tuple[str, ...], ...]) -> tuple[bool, ...]:
    """Which columns hold numbers: every cell with a value is a number, maybe with its interval.

    >>> numeric_columns((("a", "0.5", "none", "5 of these"), ("b", "none", "none", "6")))
    (False, True, False, False)
    """
    columns = list(zip(*rows, strict=True))
    filled = [[cell for cell in column if cell not in EMPTY] for column in columns]
    return tuple(bool(cells) and all(map(_NUMBER.fullmatch, cells)) for cells in filled)


def split_interval(cell: str) -> tuple[str, str]:
    """The value of a cell and what stands in brackets after it, which narrow tables put below the value.

    >>> split_interval("97.31 [97.01, 97.60]"), split_interval("adadecay")
    (('97.31', '[97.01, 97.60]'), ('adadecay', ''))
    """
    parts = _TAIL.fullmatch(cell)
    return (parts[1], parts[2]) if parts else (cell, "")
