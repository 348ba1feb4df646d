"""The papers' own measures beside test accuracy after the last epoch."""

from __future__ import annotations

from typing import Final

from analysis.formatting import NONE, estimate_text
from analysis.measures.papers import paper_rows
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


def paper_table(data: Snapshot) -> Table:
    """Each regularizer in the papers' measures, beside its test accuracy after the last epoch."""
    measured = paper_rows(data) if data.metric.is_accuracy else ()
    rows = tuple(
        (
            where(data, row.fraction, row.search_fraction),
            row.regularizer,
            str(row.n),
            estimate_text(row.test_accuracy),
            estimate_text(row.max_over_epochs),
            NONE if row.max_over_runs is None else f"{100 * row.max_over_runs:.2f}",
            estimate_text(row.mean_last_10pct),
            NONE if row.trimmed_mean is None else f"{100 * row.trimmed_mean:.2f} ({row.trimmed} cut at each end)",
        )
        for row in measured
    )
    headings = (
        *("Training data", "Regularizer", "Runs", "Honest: test accuracy after the last epoch, %"),
        *("Paper: max over epochs, %", "Paper: max over epochs and runs, %", "Paper: mean of last 10 % of epochs, %"),
        "Paper: 10 %-trimmed mean of those, %",
    )
    return Table(headings, rows, measured)


PAPER_TABLE: Final = TableSpec(
    "papers",
    "The papers' own measures",
    "For a comparison with printed numbers alone: each picks the best epoch or run after the fact, or shows the "
    "accuracy that picked the strength. A maximum over runs grows with their number and has no interval, "
    "and a mean of trimmed runs is not that of runs.",
    paper_table,
)
