"""What do the confirmed runs say: the result table, one row a regularizer and data fraction, as numbers?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.measures.accuracy import Setting, rounding_images, setting_of, test_images
from analysis.measures.comparisons import Compared, compared
from analysis.measures.lost import is_of_0_1, lost
from analysis.measures.outcomes import state_counts
from analysis.measures.primary import test_measure
from analysis.measures.search.spaces import edges, space_in_trial
from analysis.measures.timescale import timescale_of
from analysis.snapshot import Snapshot, finite, once
from analysis.statistics import Comparison, Estimate, mean_interval, share_interval
from tune_reg.decisions import mean_floor
from tune_reg.store import FinalRow


@dataclass(frozen=True)
class ResultRow:
    """The confirmed runs of one regularizer at one data fraction. Accuracies are shares in [0, 1].

    ``test_accuracy`` and ``difference`` are of the metric of the study, in its unit, whatever it is.
    """

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
    comparison: Compared | None  # the difference, and what may be said of it
    generalization_gap: Estimate | None  # train minus test accuracy
    max_over_epochs: Estimate | None  # the papers' measure, optimistic; of validation accuracy
    mean_last_10pct: Estimate | None  # the papers' measure; of validation accuracy
    params: tuple[dict[str, Any], ...]  # winning hyperparameters; more than one only where the store disagrees
    timescales: tuple[float | None, ...]  # of the weight decay of each of ``params``, in epochs; None without one
    edges: dict[str, str]  # hyperparameters on an edge of their space: {name: "low" or "high"}
    lost: str | None  # why there is no confirmed run that ended, where none did because runs or trials were lost


@once
def result_table(data: Snapshot) -> tuple[ResultRow, ...]:
    """One row per (fraction, search fraction, regularizer), the largest fraction first, the baseline on top.

    Diverged and failed runs are counted and enter no mean. The p-values are corrected within the family of each row,
    see ``comparisons``. A regularizer of the study without any confirmed run at a fraction keeps a row of its own with
    ``runs`` 0.

    >>> from pathlib import Path
    >>> from tune_reg.store import Results
    >>> result_table(Results(Path("nowhere")))
    ()
    """
    groups: dict[Setting, dict[str, list[FinalRow]]] = {}
    for row in data.final:
        groups.setdefault(setting_of(row), {}).setdefault(row["regularizer"], []).append(row)
    return tuple(
        _row(data, setting, name, group)
        for setting, group in sorted(groups.items(), reverse=True)
        for name in data.regularizers
    )


def largest_measured(data: Snapshot) -> tuple[ResultRow, ...]:
    """The rows of the largest training set on which a confirmed run ended; empty where none did.

    Strengths searched on the training set itself come before strengths that were carried over to it.
    """
    table = result_table(data)
    setting = next(((row.fraction, row.search_fraction) for row in table if row.test_accuracy), None)
    return tuple(row for row in table if (row.fraction, row.search_fraction) == setting)


def test_interval(data: Snapshot, setting: Setting, values: Sequence[float]) -> Estimate | None:
    """The mean of test values in the metric of the study, with its interval: of accuracies within 0 and 1."""
    if not data.metric.is_accuracy:
        return mean_interval(values)
    return share_interval(values, rounding_images(data).get(setting))


def _row(data: Snapshot, setting: Setting, name: str, group: dict[str, list[FinalRow]]) -> ResultRow:
    runs, baseline = group.get(name, []), group.get(data.baseline or "", [])
    complete = [row for row in runs if row["state"] == "complete"]
    states = state_counts(runs)
    params = {json.dumps(row["params"], sort_keys=True): dict(row["params"]) for row in runs}
    won = {row["trial"]: row for row in data.trials_of(name) if row["fraction"] == setting.search_fraction}
    on_edge = {
        key: side
        for row in runs
        for key, side in edges(dict(row["params"]), space_in_trial(data, name, won.get(row["trial"]))).items()
    }
    comparison = compared(data, test_measure(data), setting, name)
    n_train = _images([*runs, *baseline, *(row for rows in group.values() for row in rows)])
    picked = tuple(params[text] for text in sorted(params))
    return ResultRow(
        fraction=setting.fraction,
        search_fraction=setting.search_fraction,
        regularizer=name,
        is_baseline=name == data.baseline,
        images_per_class=data.images_per_class.get(setting.fraction),
        search_images_per_class=data.images_per_class.get(setting.search_fraction),
        n_train=n_train,
        runs=states["complete"],
        diverged=states["diverged"],
        failed=len(runs) - states["complete"] - states["diverged"],
        test_accuracy=test_interval(data, setting, finite(data.metric.of_run(row) for row in complete)),
        difference=comparison.difference if comparison is not None else None,
        comparison=comparison,
        generalization_gap=mean_interval(
            finite(row["generalization_gap"] for row in complete), mean_floor(test_images(data).get(setting))
        ),
        max_over_epochs=share_interval(finite(row["max_over_epochs"] for row in complete)),
        mean_last_10pct=share_interval(finite(row["mean_last_10pct"] for row in complete)),
        params=picked,
        timescales=tuple(timescale_of(data.study, values, n_train) for values in picked),
        edges=on_edge,
        lost=None if is_of_0_1(data) else lost(data, name, *setting),
    )


def _images(rows: Sequence[FinalRow]) -> int | None:
    return next((row["n_train"] for row in rows if row["n_train"] is not None), None)
