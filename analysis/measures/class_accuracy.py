"""How does each regularizer differ from the baseline in the accuracy of each class of the test set?"""

from __future__ import annotations

import math
from typing import NamedTuple

from analysis.measures.accuracy import setting_of
from analysis.measures.results import largest_measured
from analysis.snapshot import Snapshot, once
from analysis.statistics import paired
from tune_reg.decisions import MeanTest, difference_floor, mean_test
from tune_reg.store import FinalRow


class ClassDifference(NamedTuple):
    """One regularizer against the baseline in the test accuracy of one class. Shares in [0, 1]."""

    regularizer: str
    label: int  # the class, from 0
    images: int | None  # of the class in the test set
    baseline: float  # mean over the baseline's runs of the pairs
    difference: MeanTest  # paired by seed; its interval is not corrected for the number of classes


@once
def class_differences(data: Snapshot) -> tuple[ClassDifference, ...]:
    """The paired differences of every regularizer and class, on the training set of the verdict.

    They describe where a difference comes from, and decide nothing: no claim is made of them. Empty where the runs
    store no accuracy of classes, as those of earlier releases do.

    >>> from pathlib import Path
    >>> from tune_reg.store import Results
    >>> class_differences(Results(Path("nowhere")))
    ()
    """
    settings = {(row.fraction, row.search_fraction) for row in largest_measured(data)}
    runs: dict[str, list[FinalRow]] = {}
    for row in data.final:
        if row["state"] == "complete" and row["test_class_accuracy"] and tuple(setting_of(row)) in settings:
            runs.setdefault(row["regularizer"], []).append(row)
    if not runs:
        return ()
    baseline = runs.get(data.baseline or "", [])
    rows = []
    for name in data.regularizers:
        for label in _labels(runs.get(name, [])) if name != data.baseline else ():
            method, other = _by_seed(runs[name], label), _by_seed(baseline, label)
            images = _images(runs[name], label)
            shared = [other[seed] for seed in sorted(method.keys() & other.keys())]
            if shared:
                difference = mean_test(sorted(paired(method, other)), floor=difference_floor(images))
                rows.append(ClassDifference(name, label, images, math.fsum(shared) / len(shared), difference))
    return tuple(rows)


def _labels(runs: list[FinalRow]) -> range:
    return range(max((len(row["test_class_accuracy"] or ()) for row in runs), default=0))


def _by_seed(runs: list[FinalRow], label: int) -> dict[int, float]:
    """The accuracy of one class by seed; runs without it, or without an image of the class, have none."""
    accuracies = {row["seed"]: (row["test_class_accuracy"] or [])[label : label + 1] for row in runs}
    return {seed: value for seed, values in accuracies.items() for value in values if value is not None}


def _images(runs: list[FinalRow], label: int) -> int | None:
    counts = [(row["test_class_images"] or [])[label : label + 1] for row in runs]
    return min((count for each in counts for count in each), default=None)
