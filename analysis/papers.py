"""The papers' own measures beside the honest one."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.results import result_table
from analysis.statistics import BCA_MINIMUM, CONFIDENCE, RESAMPLES, Estimate
from analysis.tables import Snapshot, finite, once

#: Cut off each end by the trimmed mean, as scipy's ``trim_mean`` does.
TRIM: Final = 0.1


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
    trimmed_mean: float | None  # Nakamura and Hong (2019), of the same over runs without the 10 % at each end
    trimmed_low: float | None
    trimmed_high: float | None
    trimmed: int  # runs cut off at each end; 0 with fewer than 10 runs


@once
def paper_rows(data: Snapshot) -> tuple[PaperRow, ...]:
    """The papers' measures: of validation accuracy, or of test accuracy in protocol "paper", as theirs are.

    All but the first column are optimistic: the best epoch, or the best run, is picked by the accuracy shown.
    """
    last: dict[tuple[float, float, str], list[float]] = {}
    best: dict[tuple[float, float, str], list[float]] = {}
    for run in data.final:
        if run["state"] == "complete":
            key = (run["fraction"], run["search_fraction"], run["regularizer"])
            last.setdefault(key, []).extend(finite([run["mean_last_10pct"]]))
            best.setdefault(key, []).extend(finite([run["max_over_epochs"]]))
    rows = []
    for row in result_table(data):
        if row.runs:
            key = (row.fraction, row.search_fraction, row.regularizer)
            rows.append(
                PaperRow(
                    *key,
                    row.runs,
                    row.test_accuracy,
                    row.max_over_epochs,
                    max(best[key], default=None),
                    row.mean_last_10pct,
                    *trimmed_mean(last[key]),
                    int(TRIM * len(last[key])),
                )
            )
    return tuple(rows)


def trimmed_mean(values: list[float]) -> tuple[float | None, float | None, float | None]:
    """10 %-trimmed mean, each end, and its 95 % BCa bootstrap interval, which needs 5 values.

    >>> trimmed_mean([0.9, 0.8])
    (0.8500000000000001, None, None)
    """
    from scipy import stats

    if not values:
        return None, None, None
    sample = np.sort(np.asarray(values, dtype=np.float64))
    mean = float(stats.trim_mean(sample, TRIM))
    if sample.size < BCA_MINIMUM or np.ptp(sample) == 0:
        return mean, None, None
    found = stats.bootstrap(
        (sample,),
        _trimmed,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    low, high = float(found.low), float(found.high)
    return (mean, low, high) if math.isfinite(low) and math.isfinite(high) else (mean, None, None)


def _trimmed(sample: NDArray[np.float64], axis: int = -1) -> Any:
    from scipy import stats

    return stats.trim_mean(sample, TRIM, axis=axis)
