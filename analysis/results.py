"""The result table: one row a regularizer and data fraction, as numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from analysis.comparisons import ACCURACY, compared
from analysis.robustness import Setting
from analysis.spaces import edges
from analysis.statistics import Comparison, Estimate, mean_interval, share_interval
from analysis.tables import Row, Snapshot, finite, once


@dataclass(frozen=True)
class ResultRow:
    """The confirmed runs of one regularizer at one data fraction. Accuracies are shares in [0, 1]."""

    fraction: float  # of the training images
    search_fraction: float  # at which the strength was picked
    regularizer: str
    is_baseline: bool
    images_per_class: int | None  # where the study gave that in place of a fraction
    search_images_per_class: int | None
    n_train: int | None  # training images
    runs: int  # that ended; only these enter a mean
    diverged: int
    failed: int
    test_accuracy: Estimate | None
    difference: Comparison | None  # of test accuracy to the baseline, paired by seed; None for the baseline
    generalization_gap: Estimate | None  # train minus test accuracy
    max_over_epochs: Estimate | None  # the papers' measure, optimistic; of validation accuracy
    mean_last_10pct: Estimate | None  # the papers' measure; of validation accuracy
    params: tuple[dict[str, Any], ...]  # winning hyperparameters; more than one only where the store disagrees
    edges: dict[str, str]  # hyperparameters on an edge of their space: {name: "low" or "high"}


@once
def result_table(data: Snapshot) -> tuple[ResultRow, ...]:
    """One row per (fraction, search fraction, regularizer), the largest fraction first, the baseline on top.

    Diverged and failed runs are counted and enter no mean. The p-values are Holm-corrected over all
    comparisons of the report, those of robustness among them. A
    regularizer of the study without any confirmed run at a fraction keeps a row of its own with ``runs`` 0.

    >>> from pathlib import Path
    >>> from tune_reg.store import Results
    >>> result_table(Results(Path("nowhere")))
    ()
    """
    groups: dict[tuple[float, float], dict[str, list[Row]]] = {}
    for row in data.final:
        group = groups.setdefault((row["fraction"], row["search_fraction"]), {})
        group.setdefault(row["regularizer"], []).append(row)
    return tuple(
        _row(data, key, name, group)
        for key, group in sorted(groups.items(), reverse=True)
        for name in data.regularizers
    )


def _row(data: Snapshot, key: tuple[float, float], name: str, group: dict[str, list[Row]]) -> ResultRow:
    runs, baseline = group.get(name, []), group.get(data.baseline or "", [])
    ended = [row for row in runs if row["state"] == "complete"]
    params = {json.dumps(row["params"], sort_keys=True): row["params"] for row in runs}
    on_edge = {place: side for found in params.values() for place, side in _edges(data, name, found).items()}
    found = compared(data, ACCURACY, Setting(*key), name)
    return ResultRow(
        fraction=key[0],
        search_fraction=key[1],
        regularizer=name,
        is_baseline=name == data.baseline,
        images_per_class=data.images_per_class.get(key[0]),
        search_images_per_class=data.images_per_class.get(key[1]),
        n_train=_images([*runs, *baseline, *(row for rows in group.values() for row in rows)]),
        runs=len(ended),
        diverged=sum(row["state"] == "diverged" for row in runs),
        failed=sum(row["state"] not in ("complete", "diverged") for row in runs),
        test_accuracy=_share(ended, "test_accuracy"),
        difference=found.difference if found is not None else None,
        generalization_gap=_mean(ended, "generalization_gap"),
        max_over_epochs=_share(ended, "max_over_epochs"),
        mean_last_10pct=_share(ended, "mean_last_10pct"),
        params=tuple(params[text] for text in sorted(params)),
        edges=on_edge,
    )


def _images(rows: list[Row]) -> int | None:
    return next((row["n_train"] for row in rows if row["n_train"] is not None), None)


def _edges(data: Snapshot, name: str, params: dict[str, Any]) -> dict[str, str]:
    return edges(params, data.method(name).get("space"))


def _mean(rows: list[Row], column: str) -> Estimate | None:
    return mean_interval(finite(row[column] for row in rows))


def _share(rows: list[Row], column: str) -> Estimate | None:
    return share_interval(finite(row[column] for row in rows))
