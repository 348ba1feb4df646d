"""How robust are confirmed runs under corruptions: accuracies and the mean corruption error?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np

from analysis.measures.accuracy import BySeed, Setting, fewest, setting_of
from analysis.measures.attacks import CLEAN
from analysis.snapshot import Snapshot, finite, finite_or_none, once
from analysis.statistics import Estimate, mean_interval, share_interval

#: Accuracy of one run by corruption and severity.
_Run: TypeAlias = dict[tuple[str, int], float]


class CorruptionCell(NamedTuple):
    """One regularizer under one corruption, over its severities. Accuracies are shares in [0, 1]."""

    fraction: float
    search_fraction: float
    test: str
    regularizer: str
    severities: int
    n: int  # runs
    accuracy: float  # mean over severities and runs
    low: float | None
    high: float | None
    method: str


class CorruptionRow(NamedTuple):
    """One regularizer under all corruptions: mean accuracy and mean corruption errors."""

    fraction: float
    search_fraction: float
    regularizer: str
    corruptions: int
    accuracy: Estimate | None  # mean over corruptions and severities
    mce: Estimate | None  # mean corruption error, 1 is the baseline's
    relative_mce: Estimate | None  # of the error that corruption adds


@once
def corruption_means(data: Snapshot) -> dict[Setting, BySeed]:
    """Mean accuracy of every run over all corruptions and severities; only of runs that have them all."""
    means: dict[Setting, BySeed] = {}
    for setting, runs in _corrupted(data).items():
        complete = max(len(run) for run in runs.values())
        for (name, seed), run in sorted(runs.items()):
            if len(run) == complete:
                means.setdefault(setting, {}).setdefault(name, {})[seed] = float(np.mean(list(run.values())))
    return means


@once
def corrupted_images(data: Snapshot) -> dict[Setting, int]:
    """Test images under corruptions, by setting; the fewest, should runs or corruptions differ."""
    return fewest((setting_of(row), row["n"]) for row in data.robustness if row["severity"] is not None)


@once
def corruption_cells(data: Snapshot) -> tuple[CorruptionCell, ...]:
    """Accuracy under each corruption, mean over severities, with its interval over runs."""
    cells = []
    for setting, runs in _corrupted(data).items():
        for corruption in sorted({test for run in runs.values() for test, _ in run}):
            for name in data.regularizers:
                means: list[float] = []
                severities: set[int] = set()
                for (regularizer, _), run in sorted(runs.items()):
                    by_severity = {severity: value for (test, severity), value in run.items() if test == corruption}
                    if regularizer == name and by_severity:
                        means.append(float(np.mean(list(by_severity.values()))))
                        severities |= by_severity.keys()
                mean = share_interval(means, corrupted_images(data).get(setting))
                if mean is not None:
                    cell = (*setting, corruption, name, len(severities))
                    cells.append(CorruptionCell(*cell, *mean))
    return tuple(cells)


@once
def corruption_rows(data: Snapshot) -> tuple[CorruptionRow, ...]:
    """Mean corruption error relative to the baseline (Hendrycks and Dietterich 2019), paired by seed.

    mCE = mean over corruptions c of (sum over severities s of E_{s,c}) / (sum over s of E_{s,c} of the baseline);
    the relative one takes the clean error off each E first. E is an error rate, 1 - accuracy; 1 is the baseline, lower
    is better. A corruption at which the baseline's sum is not positive has no ratio and is left out for that seed.
    """
    clean = _clean(data)
    means = corruption_means(data)
    rows = []
    for setting, runs in _corrupted(data).items():
        baseline = _runs_of(runs, data.baseline)
        for name in data.regularizers:
            of_method = _runs_of(runs, name)
            seeds = sorted(of_method.keys() & baseline.keys())
            plain = [_mce(of_method[seed], baseline[seed], 0.0, 0.0) for seed in seeds]
            relative = [
                _mce(
                    of_method[seed],
                    baseline[seed],
                    1 - clean[setting, name, seed],
                    1 - clean[setting, data.baseline, seed],
                )
                for seed in seeds
                if (setting, name, seed) in clean and (setting, data.baseline, seed) in clean
            ]
            accuracy = share_interval(
                list(means.get(setting, {}).get(name, {}).values()), corrupted_images(data).get(setting)
            )
            if of_method:
                corruptions = len({test for run in of_method.values() for test, _ in run})
                mce, relative_mce = (mean_interval(finite(errors)) for errors in (plain, relative))
                rows.append(CorruptionRow(*setting, name, corruptions, accuracy, mce, relative_mce))
    return tuple(rows)


def _runs_of(runs: Mapping[tuple[str, int], _Run], name: str | None) -> dict[int, _Run]:
    return {seed: run for (regularizer, seed), run in runs.items() if regularizer == name}


def _mce(run: _Run, baseline: _Run, clean_error: float, clean_error_of_baseline: float) -> float:
    ratios = []
    for corruption in sorted({test for test, _ in run}):
        shared = [key for key in run if key[0] == corruption and key in baseline]
        errors = sum(1 - run[key] - clean_error for key in shared)
        errors_of_baseline = sum(1 - baseline[key] - clean_error_of_baseline for key in shared)
        if errors_of_baseline > 1e-12:
            ratios.append(errors / errors_of_baseline)
    return float(np.mean(ratios)) if ratios else float("nan")


def _corrupted(data: Snapshot) -> dict[Setting, dict[tuple[str, int], _Run]]:
    """Accuracy by setting, (regularizer, seed) and (corruption, severity)."""
    by_setting: dict[Setting, dict[tuple[str, int], _Run]] = {}
    for row in data.robustness:
        severity, accuracy = row["severity"], finite_or_none(row["accuracy"])
        if severity is not None and accuracy is not None:
            runs = by_setting.setdefault(setting_of(row), {})
            runs.setdefault((row["regularizer"], row["seed"]), {})[row["test"], severity] = accuracy
    return dict(sorted(by_setting.items(), reverse=True))


def _clean(data: Snapshot) -> dict[tuple[Setting, str | None, int], float]:
    """Clean accuracy by setting, regularizer and seed, of the runs that were corrupted."""
    accuracy: dict[tuple[Setting, str | None, int], float] = {}
    for row in data.robustness:
        value = finite_or_none(row["accuracy"])
        if row["test"] == CLEAN and value is not None:
            accuracy[setting_of(row), row["regularizer"], row["seed"]] = value
    return accuracy
