"""What do the papers' own measures say, beside the honest one?"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from analysis.measures.accuracy import Setting, setting_of
from analysis.measures.results import result_table
from analysis.snapshot import Snapshot, finite, once
from analysis.statistics import Estimate

#: Share of the sorted values that the trimmed mean cuts off at each end, as scipy's ``trim_mean`` does.
_TRIM: Final = 0.1


class PaperRow(NamedTuple):
    """One regularizer at one data fraction in every measure. Accuracies are shares in [0, 1]."""

    fraction: float
    search_fraction: float
    regularizer: str
    n: int  # runs that ended
    test_accuracy: Estimate | None  # after the last epoch: the honest one
    max_over_epochs: Estimate | None  # Cho et al. (2019), mean over runs of the best epoch's accuracy
    max_over_runs: float | None  # Nakamura and Hong (2019), best epoch of the best run; grows with n, has no interval
    mean_last_10pct: Estimate | None  # Cho et al. (2019), mean over runs of the last tenth of the epochs
    trimmed_mean: float | None  # Nakamura and Hong (2019), of mean_last_10pct without the 10 % of runs at each end
    trimmed: int  # runs cut off at each end; 0 with fewer than 10 runs


@once
def paper_rows(data: Snapshot) -> tuple[PaperRow, ...]:
    """The papers' measures: of validation accuracy, or in protocol "paper" of test accuracy, as in the papers.

    All but the first column are optimistic: the best epoch, or the best run, is picked by the accuracy shown.
    """
    last: dict[tuple[Setting, str], list[float]] = {}
    best: dict[tuple[Setting, str], list[float]] = {}
    for run in data.final:
        if run["state"] == "complete":
            key = (setting_of(run), run["regularizer"])
            last.setdefault(key, []).extend(finite([run["mean_last_10pct"]]))
            best.setdefault(key, []).extend(finite([run["max_over_epochs"]]))
    rows = []
    for row in result_table(data):
        if row.runs:
            key = (Setting(row.fraction, row.search_fraction), row.regularizer)
            rows.append(
                PaperRow(
                    *key[0],
                    row.regularizer,
                    row.runs,
                    row.test_accuracy,
                    row.max_over_epochs,
                    max(best[key], default=None),
                    row.mean_last_10pct,
                    _trimmed_mean(last[key]),
                    int(_TRIM * len(last[key])),
                )
            )
    return tuple(rows)


def _trimmed_mean(values: list[float]) -> float | None:
    cut = int(_TRIM * len(values))
    return float(np.mean(sorted(values)[cut : len(values) - cut])) if values else None
