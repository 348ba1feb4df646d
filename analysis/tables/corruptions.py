"""Robustness under corruptions."""

from __future__ import annotations

from typing import Final

from analysis.formatting import NONE, estimate_text, interval_text
from analysis.measures.corruptions import corruption_cells, corruption_rows
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


def corruption_table(data: Snapshot) -> Table:
    """Mean accuracy under corruptions and the mean corruption error."""
    corrupted = corruption_rows(data)
    rows = tuple(
        (
            where(data, row.fraction, row.search_fraction),
            row.regularizer,
            str(row.corruptions),
            str(0 if row.accuracy is None else row.accuracy.n),
            estimate_text(row.accuracy),
            estimate_text(row.mce),
            estimate_text(row.relative_mce),
        )
        for row in corrupted
    )
    headings = (
        *("Training data", "Regularizer", "Corruptions", "Runs", "Mean accuracy, %", "mCE, % of the baseline's"),
        "Relative mCE, % of the baseline's",
    )
    return Table(headings, rows, corrupted)


def corruption_cell_table(data: Snapshot) -> Table:
    """Accuracy under each corruption, one row a corruption, one column a regularizer."""
    cells = corruption_cells(data)
    names = [name for name in data.regularizers if any(cell.regularizer == name for cell in cells)]
    by_corruption: dict[tuple[float, float, str], dict[str, str]] = {}
    for cell in cells:
        row = by_corruption.setdefault(cell[:3], {})
        row[cell.regularizer] = f"{interval_text(cell.accuracy, cell.low, cell.high, '.2f', 100)} (n = {cell.n})"
    rows = tuple(
        (where(data, *key[:2]), key[2], *(row.get(name, NONE) for name in names)) for key, row in by_corruption.items()
    )
    return Table(("Training data", "Corruption", *(f"{name}, %" for name in names)), rows, cells)


CORRUPTION_TABLE: Final = TableSpec(
    "corruptions",
    "Corruptions of the test images",
    "mCE: mean over corruptions of the error summed over severities, relative to the baseline's run on the same "
    "seed (Hendrycks and Dietterich 2019); below 100 % is better than the baseline. Relative mCE: of the error "
    "that corruption adds to the clean one.",
    corruption_table,
)


CORRUPTION_CELL_TABLE: Final = TableSpec(
    "corruption-accuracy",
    "Test accuracy under each corruption",
    "Means over severities and runs.",
    corruption_cell_table,
)
