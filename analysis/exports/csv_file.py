"""Numbers as CSV, with all their digits: what stands beside every table and figure."""

from __future__ import annotations

import csv
import io
import json
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, get_args, get_origin, get_type_hints

_MAYBE_FORMULA: Final = re.compile(rb'(?:^|,)"?(?:[=@\t]|[+-][^\d.in])', re.MULTILINE)


def rows_csv(rows: Sequence[Any]) -> bytes:
    r"""NamedTuples of one class as CSV; nothing for no rows.

    A field that is declared as a NamedTuple, or as one or None, becomes columns ``field_inner``. An empty cell is a
    missing value; mappings and lists are JSON.

    >>> from typing import NamedTuple
    >>> from analysis.statistics import Estimate
    >>> row = NamedTuple("row", [("name", str), ("accuracy", Estimate | None)])
    >>> rows_csv([row("a", None), row("b", Estimate(1, 0.125, None, None, "one run"))])
    b'name,accuracy_n,accuracy_mean,accuracy_low,accuracy_high,accuracy_method\na,,,,,\nb,1,0.125,,,one run\n'
    """
    if not rows:
        return b""
    nested = _nested(type(rows[0]))
    return _written(_columns(rows[0], nested), (_cells(row, nested) for row in rows))


def panels_csv(panels: Sequence[Any]) -> bytes:
    """The points of all panels of a figure as one table: the panel's own fields first, then the point's.

    A panel and a point are NamedTuples; ``points`` is the panel's last field. There is one point at least.

    >>> from typing import NamedTuple
    >>> point = NamedTuple("point", [("x", float)])
    >>> panel = NamedTuple("panel", [("name", str), ("points", tuple)])
    >>> panels_csv([panel("a", (point(0.5), point(1.0)))])
    b'name,x\\na,0.5\\na,1.0\\n'
    """
    first = panels[0].points[0]
    nested = _nested(type(first))
    lines = ([*map(_cell, panel[:-1]), *_cells(point, nested)] for panel in panels for point in panel.points)
    return _written([*panels[0]._fields[:-1], *_columns(first, nested)], lines)


def formulas_sentence(content: bytes) -> str:
    """For the end of a caption: a warning where a spreadsheet would take words of a CSV for formulas; else empty.

    The words stay as they are, so that tables can be joined by them.

    >>> formulas_sentence(b"name,x\\n=1+1,-0.5\\n")
    ' A spreadsheet takes cells of the CSV for formulas, such as =1+1: import its columns as text.'
    >>> formulas_sentence(b"name,x\\na,-0.5\\n")
    ''
    """
    if not _MAYBE_FORMULA.search(content):
        return ""
    for row in csv.reader(io.StringIO(content.decode())):
        for cell in row:
            if cell.startswith(("=", "+", "-", "@", "\t")) and not _is_number(cell):
                return (
                    f" A spreadsheet takes cells of the CSV for formulas, such as {cell}: import its columns as text."
                )
    return ""


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _nested(row: type) -> Mapping[str, tuple[str, ...]]:
    """The fields of a NamedTuple that are declared as NamedTuples, each with its own fields."""
    nested = {}
    for name, hint in get_type_hints(row).items():
        for kind in get_args(hint) if get_origin(hint) is types.UnionType else (hint,):
            if isinstance(kind, type) and hasattr(kind, "_fields"):
                nested[name] = kind._fields
    return nested


def _columns(row: Any, nested: Mapping[str, tuple[str, ...]]) -> list[str]:
    inner = {name: [f"{name}_{field}" for field in fields] for name, fields in nested.items()}
    return [column for name in row._fields for column in inner.get(name, [name])]


def _cells(row: Any, nested: Mapping[str, tuple[str, ...]]) -> Iterator[object]:
    for name, value in zip(row._fields, row, strict=True):
        if name in nested:
            yield from map(_cell, (None,) * len(nested[name]) if value is None else value)
        else:
            yield _cell(value)


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, sort_keys=True)
    return value


def _written(header: Sequence[str], lines: Iterable[Iterable[object]]) -> bytes:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return sink.getvalue().encode()
