"""Numbers as CSV, with all their digits."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def numbers_csv(rows: Sequence[Any]) -> bytes:
    r"""NamedTuples of one class as CSV; a NamedTuple inside a row becomes columns ``field_inner``.

    An empty cell is a missing value; mappings and lists are JSON.

    >>> from typing import NamedTuple
    >>> class Mean(NamedTuple):
    ...     n: int
    ...     mean: float
    >>> class Row(NamedTuple):
    ...     name: str
    ...     accuracy: Mean | None
    >>> numbers_csv([Row("a", None), Row("b", Mean(5, 0.125))])
    b'name,accuracy_n,accuracy_mean\na,,\nb,5,0.125\n'
    """
    if not rows:
        return b""
    # A field that is missing in one row may be a NamedTuple in another.
    inner: dict[str, tuple[str, ...]] = {}
    for row in rows:
        for name, value in zip(row._fields, row, strict=True):
            if hasattr(value, "_fields"):
                inner[name] = value._fields
    header = [
        column
        for name in rows[0]._fields
        for column in ([f"{name}_{field}" for field in inner[name]] if name in inner else [name])
    ]
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(_cells(row, inner) for row in rows)
    return sink.getvalue().encode()


def _cells(row: Any, inner: Mapping[str, Sequence[str]]) -> Iterable[object]:
    for name, value in zip(row._fields, row, strict=True):
        if name in inner:
            yield from map(_cell, (None,) * len(inner[name]) if value is None else value)
        else:
            yield _cell(value)


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, sort_keys=True)
    return value
