"""Test values of the confirmed runs, in the metric and in accuracy, by training data, regularizer and seed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple, TypeAlias, TypeVar

from analysis.snapshot import Snapshot, finite_or_none, once
from tune_reg.store import FinalRow, RobustnessRow

Key = TypeVar("Key", bound=Hashable)


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
def test_images(data: Snapshot) -> dict[Setting, int]:
    """Test images of the confirmed runs that ended, by setting; the fewest, should runs differ."""
    return fewest((setting_of(row), row["n_test"]) for row in data.final if row["state"] == "complete")


def fewest(numbers: Iterable[tuple[Key, int | None]]) -> dict[Key, int]:
    """The smallest number of each key; null and 0 are none.

    >>> fewest([("a", 5), ("a", 3), ("b", None)])
    {'a': 3}
    """
    smallest: dict[Key, int] = {}
    for key, number in numbers:
        if number:
            smallest[key] = min(number, smallest.get(key, number))
    return smallest


@once
def measured(data: Snapshot) -> dict[Setting, BySeed]:
    """The study's metric on the test images, of the confirmed runs that ended, by setting, regularizer and seed."""
    return _by_setting(data, data.metric.of_run)


@once
def rounding_images(data: Snapshot) -> dict[Setting, int]:
    """Test images that say how finely the metric is measured, by setting: empty where it is not the accuracy."""
    return test_images(data) if data.metric.is_accuracy else {}


@once
def accuracies(data: Snapshot) -> dict[Setting, BySeed]:
    """Test accuracy of the confirmed runs that ended, by setting, regularizer and seed."""
    return _by_setting(data, lambda row: row["test_accuracy"])


@once
def calibrations(data: Snapshot) -> dict[Setting, BySeed]:
    """1 - expected calibration error of the confirmed runs that ended, by setting, regularizer and seed."""
    return _by_setting(data, lambda row: None if row["test_ece"] is None else 1 - row["test_ece"])


def _by_setting(data: Snapshot, of_run: Callable[[FinalRow], float | None]) -> dict[Setting, BySeed]:
    by_setting: dict[Setting, BySeed] = {}
    for row in data.final:
        value = finite_or_none(of_run(row))
        if row["state"] == "complete" and value is not None:
            by_setting.setdefault(setting_of(row), {}).setdefault(row["regularizer"], {})[row["seed"]] = value
    return dict(sorted(by_setting.items(), reverse=True))
