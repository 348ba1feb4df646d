"""How sure each accuracy is: the error over seeds and that of the finite test set."""

from __future__ import annotations

from typing import Final, NamedTuple

from analysis.formatting import NONE, estimate_text, interval_text
from analysis.measures.accuracy import accuracies, setting_of, test_images
from analysis.snapshot import Snapshot, finite
from analysis.statistics import Estimate, mean_interval, share_interval, wilson
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


class AccuracyNumbers(NamedTuple):
    """One regularizer at one data fraction: its accuracy with both kinds of error, and its calibration."""

    fraction: float
    search_fraction: float
    regularizer: str
    accuracy: Estimate  # test accuracy; the interval is over seeds
    test_images: int | None
    test_set_low: float | None  # Wilson interval of one run of that accuracy on so many images
    test_set_high: float | None
    test_loss: Estimate | None
    test_ece: Estimate | None


def accuracy_table(data: Snapshot) -> Table:
    """Accuracy with the error over seeds and that of the finite test set, cross-entropy and calibration error."""
    numbers, rows = [], []
    for setting, runs in accuracies(data).items():
        for name in data.regularizers:
            mean = share_interval(list(runs.get(name, {}).values()), test_images(data).get(setting))
            if mean is None:
                continue
            complete = [
                row
                for row in data.final
                if (*setting_of(row), row["regularizer"]) == (*setting, name) and row["state"] == "complete"
            ]
            images = test_images(data).get(setting)
            low, high = (None, None) if images is None else wilson(min(1.0, max(0.0, mean.mean)), images)
            loss = mean_interval(finite(row["test_loss"] for row in complete))
            ece = mean_interval(finite(row["test_ece"] for row in complete))
            numbers.append(AccuracyNumbers(*setting, name, mean, images, low, high, loss, ece))
            rows.append(
                (
                    where(data, *setting),
                    name,
                    str(mean.n),
                    estimate_text(mean),
                    NONE if images is None else f"{images:,}",
                    NONE if low is None or high is None else f"{100 * low:.2f} to {100 * high:.2f}",
                    NONE if loss is None else interval_text(loss.mean, loss.low, loss.high, ".4f"),
                    estimate_text(ece),
                )
            )
    headings = (
        *("Training data", "Regularizer", "Runs", "Test accuracy, % [over seeds]", "Test images"),
        *("The same, % [finite test set]", "Cross-entropy", "Calibration error, %"),
    )
    return Table(headings, tuple(rows), tuple(numbers))


ACCURACY_TABLE: Final = TableSpec(
    "accuracy",
    "How sure each test accuracy is",
    "Two errors beside each other: over seeds (the bracket of the first accuracy), and that of a test set of so "
    "many images (Wilson interval of a single run; the mean over runs on the one test set is at least as sure). "
    "All runs share the test set, so the second is mostly common to all rows. Calibration error: 15 bins.",
    accuracy_table,
)
