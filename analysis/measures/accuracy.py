"""Test accuracy of the confirmed runs, by training data, regularizer and seed."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from analysis.snapshot import Snapshot, finite_or_none, once
from tune_reg.store import FinalRow, RobustnessRow


class Setting(NamedTuple):
    """Which training data a run had, and at which fraction its hyperparameters were picked."""

    fraction: float
    search_fraction: float


#: One number for each seed of each regularizer.
BySeed: TypeAlias = dict[str, dict[int, float]]


def setting_of(row: FinalRow | RobustnessRow) -> Setting:
    """The setting of a confirmed run."""
    return Setting(row["fraction"], row["search_fraction"])


@once
def accuracies(data: Snapshot) -> dict[Setting, BySeed]:
    """Test accuracy of the confirmed runs that ended, by setting, regularizer and seed."""
    by_setting: dict[Setting, BySeed] = {}
    for row in data.final:
        accuracy = finite_or_none(row["test_accuracy"])
        if row["state"] == "complete" and accuracy is not None:
            by_setting.setdefault(setting_of(row), {}).setdefault(row["regularizer"], {})[row["seed"]] = accuracy
    return dict(sorted(by_setting.items(), reverse=True))
