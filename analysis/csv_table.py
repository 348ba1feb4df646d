"""Numbers as CSV: what stands beside every figure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from analysis.results import ResultRow
from analysis.statistics import Comparison, Estimate


def panels_csv(panels: Sequence[Any]) -> bytes:
    """The points of all panels as one table: the panel's own fields first, then the point's.

    A panel and a point are NamedTuples; ``points`` is the panel's last field.

    >>> from typing import NamedTuple
    >>> class Point(NamedTuple):
    ...     x: float
    >>> class Panel(NamedTuple):
    ...     name: str
    ...     points: tuple[Point, ...]
    >>> panels_csv([Panel("a", (Point(0.5), Point(1.0)))])
    b'name,x\\na,0.5\\na,1.0\\n'
    """
    header: list[str] = []
    rows = []
    for panel in panels:
        for point in panel.points:
            header = header or [*panel._fields[:-1], *point._fields]
            rows.append([*panel[:-1], *point])
    return _csv(header, rows)


def results_csv(rows: Iterable[ResultRow]) -> bytes:
    """The result table with all its digits; shares in [0, 1], not percent."""
    header = [
        *("fraction", "search_fraction", "images_per_class", "search_images_per_class", "regularizer", "is_baseline"),
        *("n_train", "runs", "diverged", "failed"),
        *_names("test_accuracy", Estimate._fields),
        *_names("difference", Comparison._fields),
        *(name for measure in _MEASURES for name in _names(measure, Estimate._fields)),
        *("params", "edges"),
    ]
    return _csv(header, [_flat(row) for row in rows])


_MEASURES = ("generalization_gap", "max_over_epochs", "mean_last_10pct")


def _names(prefix: str, fields: Iterable[str]) -> list[str]:
    return [f"{prefix}_{field}" for field in fields]


def _flat(row: ResultRow) -> list[object]:
    nothing: tuple[None, ...] = (None,) * len(Estimate._fields)
    return [
        *(row.fraction, row.search_fraction, row.images_per_class, row.search_images_per_class),
        *(row.regularizer, row.is_baseline, row.n_train, row.runs, row.diverged, row.failed),
        *(row.test_accuracy or nothing),
        *(row.difference or (None,) * len(Comparison._fields)),
        *(row.generalization_gap or nothing),
        *(row.max_over_epochs or nothing),
        *(row.mean_last_10pct or nothing),
        "; ".join(json.dumps(params, sort_keys=True) for params in row.params),
        "; ".join(f"{name} {side}" for name, side in sorted(row.edges.items())),
    ]


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(["" if value is None else value for value in row] for row in rows)
    return sink.getvalue().encode()
