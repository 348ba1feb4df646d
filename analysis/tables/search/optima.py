"""Best value and plateau of each searched hyperparameter."""

from __future__ import annotations

from typing import Final

from analysis.formatting import NONE, interval_text, setting_text
from analysis.measures.search.response import CATEGORY, Optimum, responses
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


def optimum_table(data: Snapshot) -> Table:
    """Best value, plateau and edge of every searched hyperparameter."""
    optima = tuple(each.optimum for each in responses(data))
    rows = tuple(
        (
            where(data, row.fraction),
            row.regularizer,
            row.parameter,
            str(row.trials),
            NONE if row.picked is None else setting_text(row.picked),
            NONE if row.best is None else _interval(row.best, row.best_low, row.best_high),
            NONE
            if row.accuracy is None
            else interval_text(row.accuracy, row.accuracy_low, row.accuracy_high, ".2f", 100),
            NONE if row.plateau_share is None else _plateau(row),
            _remarks(row),
        )
        for row in optima
    )
    headings = (
        *("Training data", "Regularizer", "Hyperparameter", "Complete trials", "Winner's", "Peak of the curve"),
        *("Validation accuracy there, %", "Plateau (share of the space)", "Notes"),
    )
    return Table(headings, rows, optima)


def _interval(value: float, low: float | None, high: float | None) -> str:
    interval = "" if low is None or high is None else f" [{setting_text(low)}, {setting_text(high)}]"
    return f"{setting_text(value)}{interval}"


def _plateau(row: Optimum) -> str:
    ends = f"{setting_text(row.plateau_low)} to {setting_text(row.plateau_high)}"
    return f"{ends} ({100 * (row.plateau_share or 0.0):.0f} %)"


def _remarks(row: Optimum) -> str:
    remarks = []
    if row.picked_edge:
        remarks.append(f"winner on the {row.picked_edge} edge of its space")
    if row.plateau_open:
        end = "both ends" if row.plateau_open == "both" else f"the {row.plateau_open} end"
        remarks.append(f"the plateau goes on at {end} of the trials")
    if row.accuracy is None:
        remarks.append("no curve through names" if row.scale == CATEGORY else "too few trials for a curve")
    return "; ".join(remarks)


OPTIMUM_TABLE: Final = TableSpec(
    "optima",
    "Best value and plateau of each hyperparameter",
    "From the fitted curves of the figure above. The plateau is where the curve is within one standard error of "
    "its best: inside it the trials do not tell one value from another. The peak's interval resamples trials. The "
    "winner is the trial that the search picked.",
    optimum_table,
)
