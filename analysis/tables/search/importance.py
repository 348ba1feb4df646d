"""Which hyperparameters mattered."""

from __future__ import annotations

from typing import Final

from analysis.formatting import interval_text
from analysis.measures.search.importance import importances
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


def importance_table(data: Snapshot) -> Table:
    """The importance of every hyperparameter of every search."""
    shares = importances(data)
    rows = tuple(
        (
            where(data, row.fraction),
            row.regularizer,
            row.parameter,
            str(row.n),
            interval_text(row.share, row.low, row.high, ".0f", 100),
        )
        for row in shares
    )
    headings = ("Training data", "Regularizer", "Hyperparameter", "Complete trials", "Share of the importance, %")
    return Table(headings, rows, shares)


IMPORTANCE_TABLE: Final = TableSpec(
    "importance",
    "Which hyperparameters mattered",
    "PED-ANOVA: how far the best quarter of the complete trials differs from all of them in each hyperparameter. "
    "Searches with fewer than 20 complete trials are left out. Intervals resample trials.",
    importance_table,
)
