"""The results in short, for the body of a paper: one row a method, on the most data."""

from __future__ import annotations

from typing import Final, NamedTuple

from analysis.formatting import estimate_text
from analysis.measures.results import largest_measured
from analysis.snapshot import Snapshot
from analysis.statistics import Comparison, Estimate
from analysis.tables.spec import Table, TableSpec


class ShortRow(NamedTuple):
    """One method on the largest training set on which a confirmed run ended; shares in [0, 1]."""

    regularizer: str
    n: int  # runs
    test_accuracy: Estimate | None
    difference: Comparison | None  # to the baseline, paired by seed


def short_table(data: Snapshot) -> Table:
    """Accuracy and difference to the baseline of every method, the highest mean in bold, with all tied."""
    rows = largest_measured(data)
    means = [f"{100 * row.test_accuracy.mean:.2f}" if row.test_accuracy else "" for row in rows]
    highest = max(means, key=lambda mean: float(mean or -1), default="")
    headings = ("Regularizer", "n", "Test accuracy, %", "Difference to baseline, points")
    texts = tuple(
        (
            row.regularizer,
            str(row.runs),
            estimate_text(row.test_accuracy),
            "baseline" if row.is_baseline else estimate_text(row.difference, signed=True),
        )
        for row in rows
    )
    bold = frozenset((index, 2) for index, mean in enumerate(means) if mean and mean == highest)
    numbers = tuple(ShortRow(row.regularizer, row.runs, row.test_accuracy, row.difference) for row in rows)
    return Table(headings, texts, numbers, bold)


SHORT_TABLE: Final = TableSpec(
    "results-short",
    "Results in short",
    "Means over n confirmed runs on the most data, and mean differences to the baseline over runs of the same seed, "
    "with 95 % intervals in brackets. Bold: the highest mean, and every mean that is tied with it to the digits shown; "
    "it says nothing of significance.",
    short_table,
)
