"""The results in short, for the body of a paper: one row a method, on the most data."""

from __future__ import annotations

from typing import Final, NamedTuple

from analysis.measures.claim_rule import equivalent, may_be_claimed
from analysis.measures.comparisons import Compared
from analysis.measures.results import largest_measured
from analysis.metric_text import metric_text
from analysis.snapshot import Snapshot
from analysis.statistics import Comparison, Estimate
from analysis.tables.spec import Table, TableSpec
from tune_reg.store import Decision


class ShortRow(NamedTuple):
    """One method on the largest training set on which a confirmed run ended, in the unit of the metric."""

    regularizer: str
    n: int  # runs
    test_accuracy: Estimate | None
    difference: Comparison | None  # to the baseline, paired by seed
    decision: Decision | None  # of that difference, between the settings that the searches picked


def short_table(data: Snapshot) -> Table:
    """The metric of every method, its difference to the baseline and what is decided of it; the best mean in bold.

    All means that are tied with the best are bold.
    """
    rows, text = largest_measured(data), metric_text(data)
    means = [text.number(row.test_accuracy.mean) if row.test_accuracy else "" for row in rows]
    best = (min if text.minimized else max)((mean for mean in means if mean), key=float, default="")
    headings = ("Regularizer", "n", text.heading("Test"), text.of_difference("Difference"), "Decision")
    texts = tuple(
        (
            row.regularizer,
            str(row.runs),
            text.estimate(row.test_accuracy),
            "baseline" if row.is_baseline else text.estimate(row.difference, signed=True),
            "" if row.comparison is None else _decision(data, row.comparison),
        )
        for row in rows
    )
    bold = frozenset((index, 2) for index, mean in enumerate(means) if mean and mean == best)
    numbers = tuple(
        ShortRow(
            row.regularizer,
            row.runs,
            row.test_accuracy,
            row.difference,
            None if row.comparison is None else row.comparison.decision,
        )
        for row in rows
    )
    return Table(headings, texts, numbers, bold)


def _decision(data: Snapshot, row: Compared) -> str:
    claimed = may_be_claimed(data, row) or equivalent(data, row) is not None
    return row.decision if claimed or row.decision == "undecided" else f"{row.decision} (settings alone)"


SHORT_TABLE: Final = TableSpec(
    "results-short",
    "Results in short, on the test set",
    "Means over n confirmed runs on the most data, and mean differences to the baseline over runs of the same seed, "
    "with 95 % intervals in brackets. Bold: the highest mean, and every mean that is tied with it to the digits shown; "
    "it says nothing of significance. Decision: superior, inferior or equivalent to the baseline; settings alone: so "
    "decided between the settings that the searches picked, and not claimed of the regularizers.",
    short_table,
)
