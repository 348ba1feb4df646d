"""Which hyperparameters mattered."""

from __future__ import annotations

from typing import Final

from analysis.formatting import interval_text
from analysis.measures.search.importance import RANKING_BELOW, importances
from analysis.metric_text import metric_text
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


def importance_table(data: Snapshot) -> Table:
    """The importance of every hyperparameter of every search."""
    shares, text = importances(data), metric_text(data)
    rows = tuple(
        (
            where(data, row.fraction),
            row.regularizer,
            row.parameter,
            str(row.n),
            interval_text(row.share, row.low, row.high, ".0f", 100),
            text.interval(row.swing, row.swing_low, row.swing_high),
        )
        for row in shares
    )
    apart = "Best minus worst value" if text.is_accuracy else "Best and worst value apart"
    headings = (
        *("Training data", "Regularizer", "Hyperparameter", "Trials"),
        *("Share of the variance, %", text.of_difference(apart)),
    )
    return Table(headings, rows, shares)


IMPORTANCE_TABLE: Final = TableSpec(
    "importance",
    "How much each hyperparameter mattered for {scored} accuracy",
    "By itself, the others averaged over: the share of the variance of the final accuracy over the space that is "
    "between values of the hyperparameter, and how far its best value is above its worst. From the model of final "
    f"values, with 95 % intervals. With fewer than {RANKING_BELOW} trials the shares are a ranking at most, and where "
    "intervals overlap not even that. What the shares leave of 100 % is of hyperparameters together.",
    importance_table,
)
