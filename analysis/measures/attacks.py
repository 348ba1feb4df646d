"""How robust are confirmed runs under attack and noise: areas under curves, distances, warnings?"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from analysis.measures.accuracy import BySeed, Setting, fewest, setting_of
from analysis.snapshot import Snapshot, finite_or_none, once

#: Name of the test on clean images, which corruptions share.
CLEAN: Final = "clean"


class Attack(NamedTuple):
    """An attack or a noise of growing strength."""

    test: str
    norm: str | None


class WarningRow(NamedTuple):
    """What an attack's check of itself found wrong, and in how many runs."""

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


@once
def areas(data: Snapshot) -> dict[tuple[Setting, Attack], BySeed]:
    """Normalised area under accuracy against epsilon, of every run that has all epsilons of the attack.

    A = 1 / (e_k - e_1) * integral of accuracy over epsilon from e_1 to e_k by the trapezoid rule: the mean accuracy
    over the range, in [0, 1], which depends on the range. The range is that of all runs under the attack; a run that
    lacks one of its epsilons has no area.
    """
    groups: dict[tuple[Setting, Attack], dict[tuple[str, int], dict[float, float]]] = {}
    for row in data.robustness:
        epsilon, accuracy = row["epsilon"], finite_or_none(row["accuracy"])
        if epsilon is None or row["test"] == CLEAN or accuracy is None:
            continue
        group = groups.setdefault((setting_of(row), Attack(row["test"], row["norm"])), {})
        group.setdefault((row["regularizer"], row["seed"]), {})[epsilon] = accuracy
    by_attack: dict[tuple[Setting, Attack], BySeed] = {}
    for key, runs in sorted(groups.items(), key=lambda item: _order(*item[0])):
        grid = sorted({epsilon for run in runs.values() for epsilon in run})
        if len(grid) < 2:
            continue
        for (name, seed), run in sorted(runs.items()):
            if len(run) == len(grid):
                area = float(np.trapezoid([run[epsilon] for epsilon in grid], grid)) / (grid[-1] - grid[0])
                by_attack.setdefault(key, {}).setdefault(name, {})[seed] = area
    return by_attack


@once
def attacked_images(data: Snapshot) -> dict[tuple[Setting, Attack], int]:
    """Test images under each attack or corruption; the fewest, should runs differ."""
    return fewest(((setting_of(row), Attack(row["test"], row["norm"])), row["n"]) for row in data.robustness)


@once
def distances(data: Snapshot) -> dict[tuple[Setting, Attack], BySeed]:
    """Median distance to the decision boundary of every run, from the attacks that look for the nearest image."""
    by_attack: dict[tuple[Setting, Attack], BySeed] = {}
    for row in data.robustness:
        distance = finite_or_none(row["median_distance"])
        if distance is not None:
            group = by_attack.setdefault((setting_of(row), Attack(row["test"], row["norm"])), {})
            group.setdefault(row["regularizer"], {}).setdefault(row["seed"], distance)
    return dict(sorted(by_attack.items(), key=lambda item: _order(*item[0])))


@once
def warnings(data: Snapshot) -> tuple[WarningRow, ...]:
    """Every warning of the attacks' checks of themselves, with the number of runs in which it was found."""
    occurrences: dict[tuple[_Test, str], int] = {}
    seeds: dict[_Test, set[int]] = {}
    for row in data.robustness:
        test = _Test(setting_of(row), row["regularizer"], row["test"], row["norm"], row["epsilon"], row["severity"])
        seeds.setdefault(test, set()).add(row["seed"])
        if row["warning"]:
            occurrences[test, row["warning"]] = occurrences.get((test, row["warning"]), 0) + 1
    rows = [
        WarningRow(
            fraction=test.setting.fraction,
            search_fraction=test.setting.search_fraction,
            regularizer=test.regularizer,
            test=test.test,
            norm=test.norm,
            epsilon=test.epsilon,
            severity=test.severity,
            warning=warning,
            runs=runs,
            of=len(seeds[test]),
        )
        for (test, warning), runs in occurrences.items()
    ]
    return tuple(
        sorted(
            rows,
            key=lambda row: (
                *(-row.fraction, -row.search_fraction, data.order(row.regularizer), row.test, row.norm or ""),
                *(row.epsilon or 0.0, row.severity or 0, row.warning),
            ),
        )
    )


def _order(setting: Setting, attack: Attack) -> tuple[float, float, str, str]:
    return -setting.fraction, -setting.search_fraction, attack.test, attack.norm or ""
