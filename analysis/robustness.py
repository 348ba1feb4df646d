"""Robustness of confirmed runs: areas under attack curves, distances to the boundary, corruptions, warnings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from analysis.statistics import Estimate, mean_interval, share_interval
from analysis.tables import Row, Snapshot, finite, once

CLEAN: Final = "clean"


class Setting(NamedTuple):
    """Which training data, and where its strengths were picked."""

    fraction: float
    search_fraction: float


class Attack(NamedTuple):
    """An attack or a noise of growing strength."""

    test: str
    norm: str | None


#: A number for each seed of a regularizer.
BySeed: TypeAlias = dict[str, dict[int, float]]


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
    """One regularizer under all corruptions."""

    fraction: float
    search_fraction: float
    regularizer: str
    corruptions: int
    accuracy: Estimate | None  # mean over corruptions and severities
    mce: Estimate | None  # mean corruption error, 1 is the baseline's
    relative_mce: Estimate | None  # of the error that corruption adds


class WarningRow(NamedTuple):
    """What a check of an attack against itself found."""

    fraction: float
    search_fraction: float
    regularizer: str
    test: str
    norm: str | None
    epsilon: float | None
    severity: int | None
    warning: str
    runs: int  # in which it was found
    of: int  # runs under this test


class _Test(NamedTuple):
    setting: Setting
    regularizer: str
    test: str
    norm: str | None
    epsilon: float | None
    severity: int | None


class _Said(NamedTuple):
    test: _Test
    warning: str


@once
def areas(data: Snapshot) -> dict[tuple[Setting, Attack], BySeed]:
    """Normalised area under accuracy against epsilon, of every run that has all epsilons of the attack.

    A = 1 / (e_k - e_1) * integral of accuracy over epsilon from e_1 to e_k by the trapezoid rule: the mean accuracy
    over the range, in [0, 1], which depends on the range. The range is that of all runs under the attack; a run that
    lacks one of its epsilons has no area.
    """
    groups: dict[tuple[Setting, Attack], dict[tuple[str, int], dict[float, float]]] = {}
    for row in _attacked(data):
        group = groups.setdefault((_setting(row), Attack(row["test"], row["norm"])), {})
        group.setdefault((row["regularizer"], row["seed"]), {})[row["epsilon"]] = row["accuracy"]
    found: dict[tuple[Setting, Attack], BySeed] = {}
    for key, runs in sorted(groups.items(), key=lambda item: _place(*item[0])):
        grid = sorted({epsilon for run in runs.values() for epsilon in run})
        if len(grid) < 2:
            continue
        for (name, seed), run in sorted(runs.items()):
            if len(run) == len(grid):
                area = float(np.trapezoid([run[at] for at in grid], grid)) / (grid[-1] - grid[0])
                found.setdefault(key, {}).setdefault(name, {})[seed] = area
    return found


@once
def distances(data: Snapshot) -> dict[tuple[Setting, Attack], BySeed]:
    """Median distance to the decision boundary of every run, from the attacks that look for the nearest image."""
    found: dict[tuple[Setting, Attack], BySeed] = {}
    for row in data.robustness:
        if finite([row["median_distance"]]):
            group = found.setdefault((_setting(row), Attack(row["test"], row["norm"])), {})
            group.setdefault(row["regularizer"], {}).setdefault(row["seed"], row["median_distance"])
    return dict(sorted(found.items(), key=lambda item: _place(*item[0])))


@once
def corruption_means(data: Snapshot) -> dict[Setting, BySeed]:
    """Mean accuracy of every run over all corruptions and severities; only of runs that have them all."""
    found: dict[Setting, BySeed] = {}
    for setting, runs in _corrupted(data).items():
        whole = max(len(run) for run in runs.values())
        for (name, seed), run in sorted(runs.items()):
            if len(run) == whole:
                mean = float(np.mean(list(run.values())))
                found.setdefault(setting, {}).setdefault(name, {})[seed] = mean
    return found


@once
def corruption_cells(data: Snapshot) -> tuple[CorruptionCell, ...]:
    """Accuracy under each corruption, mean over severities, with its interval over runs."""
    cells = []
    for setting, runs in _corrupted(data).items():
        for test in sorted({test for run in runs.values() for test, _ in run}):
            for name in data.regularizers:
                values: list[float] = []
                severities: set[int] = set()
                for (who, _), run in sorted(runs.items()):
                    mine = {severity: value for (kind, severity), value in run.items() if kind == test}
                    if who == name and mine:
                        values.append(float(np.mean(list(mine.values()))))
                        severities |= mine.keys()
                mean = share_interval(values)
                if mean is not None:
                    head = (*setting, test, name, len(severities))
                    cells.append(CorruptionCell(*head, *mean))
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
        for name in data.regularizers:
            mine = {seed: run for (who, seed), run in runs.items() if who == name}
            base = {seed: run for (who, seed), run in runs.items() if who == data.baseline}
            seeds = sorted(mine.keys() & base.keys())
            plain = [_mce(mine[seed], base[seed], 0.0, 0.0) for seed in seeds]
            relative = [
                _mce(mine[seed], base[seed], 1 - clean[setting, name, seed], 1 - clean[setting, data.baseline, seed])
                for seed in seeds
                if (setting, name, seed) in clean and (setting, data.baseline, seed) in clean
            ]
            accuracy = share_interval(list(means.get(setting, {}).get(name, {}).values()))
            if mine:
                kinds = {test for run in mine.values() for test, _ in run}
                rows.append(
                    CorruptionRow(
                        *setting,
                        name,
                        len(kinds),
                        accuracy,
                        mean_interval(finite(plain)),
                        mean_interval(finite(relative)),
                    )
                )
    return tuple(rows)


@once
def warnings(data: Snapshot) -> tuple[WarningRow, ...]:
    """Every warning of the attacks' checks of themselves, with the number of runs in which it was found."""
    said: dict[_Said, int] = {}
    ran: dict[_Test, set[int]] = {}
    for row in data.robustness:
        test = _Test(_setting(row), row["regularizer"], row["test"], row["norm"], row["epsilon"], row["severity"])
        ran.setdefault(test, set()).add(row["seed"])
        if row["warning"]:
            key = _Said(test, row["warning"])
            said[key] = said.get(key, 0) + 1
    rows = []
    for (test, sentence), runs in said.items():
        rows.append(
            WarningRow(
                *test.setting,
                test.regularizer,
                test.test,
                test.norm,
                test.epsilon,
                test.severity,
                sentence,
                runs,
                len(ran[test]),
            )
        )
    return tuple(
        sorted(
            rows,
            key=lambda row: (
                *(-row.fraction, -row.search_fraction, data.order(row.regularizer), row.test, row.norm or ""),
                *(row.epsilon or 0.0, row.severity or 0, row.warning),
            ),
        )
    )


def _mce(
    mine: Mapping[tuple[str, int], float], base: Mapping[tuple[str, int], float], at: float, base_at: float
) -> float:
    ratios = []
    for test in sorted({kind for kind, _ in mine}):
        shared = [key for key in mine if key[0] == test and key in base]
        errors = sum(1 - mine[key] - at for key in shared)
        wanted = sum(1 - base[key] - base_at for key in shared)
        if wanted > 1e-12:
            ratios.append(errors / wanted)
    return float(np.mean(ratios)) if ratios else float("nan")


def _corrupted(data: Snapshot) -> dict[Setting, dict[tuple[str, int], dict[tuple[str, int], float]]]:
    """Accuracy by setting, (regularizer, seed) and (corruption, severity)."""
    found: dict[Setting, dict[tuple[str, int], dict[tuple[str, int], float]]] = {}
    for row in data.robustness:
        if row["severity"] is not None and finite([row["accuracy"]]):
            runs = found.setdefault(_setting(row), {})
            runs.setdefault((row["regularizer"], row["seed"]), {})[row["test"], row["severity"]] = row["accuracy"]
    return dict(sorted(found.items(), reverse=True))


def _clean(data: Snapshot) -> dict[tuple[Setting, str | None, int], float]:
    return {
        (_setting(row), row["regularizer"], row["seed"]): row["accuracy"]
        for row in data.robustness
        if row["test"] == CLEAN and finite([row["accuracy"]])
    }


def _attacked(data: Snapshot) -> list[Row]:
    return [
        row
        for row in data.robustness
        if row["epsilon"] is not None and row["test"] != CLEAN and finite([row["accuracy"]])
    ]


def _setting(row: Row) -> Setting:
    return Setting(row["fraction"], row["search_fraction"])


def _place(setting: Setting, attack: Attack) -> tuple[float, float, str, str]:
    return -setting.fraction, -setting.search_fraction, attack.test, attack.norm or ""
