"""Best value and plateau of each searched hyperparameter."""

from __future__ import annotations

from typing import Final

from analysis.formatting import NONE, setting_text
from analysis.measures.search.response import Optimum, responses
from analysis.metric_text import metric_text
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


def optimum_table(data: Snapshot) -> Table:
    """Best value, plateau and edge of every searched hyperparameter."""
    text = metric_text(data)
    optima = tuple(each.optimum for each in responses(data))
    rows = tuple(
        (
            where(data, row.fraction),
            row.regularizer,
            row.parameter,
            str(row.trials),
            NONE if row.picked is None else setting_text(row.picked),
            _peak(row),
            NONE if row.accuracy is None else text.interval(row.accuracy, row.accuracy_low, row.accuracy_high),
            NONE if row.plateau_share is None else _plateau(row),
            _remarks(row),
        )
        for row in optima
    )
    there = "Accuracy there, %" if text.is_accuracy else text.heading("Value there:")
    headings = (
        *("Training data", "Regularizer", "Hyperparameter", "Trials", "Winner's", text.in_metric("Peak [95 %]")),
        *(there, "Plateau (share of the space)", "Notes"),
    )
    return Table(headings, rows, optima)


def _peak(row: Optimum) -> str:
    if row.best is None:
        return NONE
    if row.best_low is None or row.best_high is None:
        return setting_text(row.best) if row.located else "not located"
    interval = f"[{setting_text(row.best_low)}, {setting_text(row.best_high)}]"
    return f"{setting_text(row.best)} {interval}" if row.located else f"not located {interval}"


def _plateau(row: Optimum) -> str:
    ends = row.plateau_names or f"{setting_text(row.plateau_low)} to {setting_text(row.plateau_high)}"
    return f"{ends} ({100 * (row.plateau_share or 0.0):.0f} %)"


def _remarks(row: Optimum) -> str:
    remarks = []
    if row.picked_edge:
        remarks.append(f"winner on the {row.picked_edge} edge of its space")
    if row.plateau_open:
        end = "both ends" if row.plateau_open == "both" else f"the {row.plateau_open} end"
        remarks.append(f"the plateau goes on at {end} of the trials")
    if row.missing:
        remarks.append(f"no curve: {row.missing}")
    return "; ".join(remarks)


OPTIMUM_TABLE: Final = TableSpec(
    "optima",
    "Best value and plateau of each hyperparameter, by {scored} accuracy",
    "From the curves of the figure above: the accuracy at the end of a training with the best setting of the other "
    "hyperparameters, by the model of final values from all trials. The peak's interval is that of its place; where it "
    "is more than 80 % of the space, the peak is not located. On the plateau are the values that cannot be told from "
    "the peak: the 95 % interval of their distance to it includes 0. The winner is the trial that the search picked.",
    optimum_table,
)
