"""What the searches spent, and what they had reached at equal budgets."""

from __future__ import annotations

from typing import Final, NamedTuple

from analysis.formatting import NONE, duration
from analysis.measures.budget import budget
from analysis.measures.search.tuning import TuningPoint, equal_budgets
from analysis.metric_text import MetricText, metric_text
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


class BudgetNumbers(NamedTuple):
    """One search at one budget that all searches of a fraction share."""

    fraction: float
    point: TuningPoint


def equal_budget_table(data: Snapshot) -> Table:
    """The best value of every search at equal budgets."""
    text = metric_text(data)
    numbers = [BudgetNumbers(at, point) for at, points in equal_budgets(data).items() for point in points]
    numbers.sort(key=lambda row: (-row.fraction, row.point.epochs))
    rows = tuple(
        (
            where(data, fraction),
            f"{point.epochs:,}",
            point.regularizer,
            f"{point.trials} of {point.n}",
            NONE if point.best is None else text.number(point.best),
            _order_band(text, point),
        )
        for fraction, point in numbers
    )
    # In protocol "paper" trials are scored on the test set.
    expected = "expected " if data.expected else ""
    unit = f", {text.unit}" if text.unit else ""
    best = f"Best {expected}{'test' if data.picked_on_test else 'validation'} {text.words} so far{unit}"
    headings = (
        *("Training data", "Epochs spent", "Regularizer", "Trials finished", best),
        f"Trials in random order{unit} [95 %]",
    )
    return Table(headings, rows, tuple(numbers))


def budget_table(data: Snapshot) -> Table:
    """Trials, epochs and seconds that each regularizer spent."""
    spent = budget(data)
    headings = (
        *("Regularizer", "Trials", "Complete", "Pruned", "Diverged", "Failed", "Search epochs", "Search time"),
        *("Confirmed runs", "Confirm epochs", "Confirm time", "Device time", "Device"),
    )
    return Table(headings, tuple(tuple(_quantity(value) for value in row) for row in spent), spent)


def _quantity(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else duration(value)


def _order_band(text: MetricText, point: TuningPoint) -> str:
    if point.median is None or (point.low if text.minimized else point.high) is None:
        return NONE
    low, high = ("none yet" if end is None else text.number(end) for end in (point.low, point.high))
    return f"{text.number(point.median)} [{low}, {high}]"


EQUAL_BUDGET_TABLE: Final = TableSpec(
    "equal-budgets",
    "The searches at equal budgets, by {scored} accuracy",
    "At a quarter, a half and the whole of the smallest budget spent. The last column draws the trials in random "
    "order with replacement: what luck in the order alone would give.",
    equal_budget_table,
)


#: Stands apart from the catalogue, with a heading of its own.
BUDGET_TABLE: Final = TableSpec(
    "budget",
    "Budget spent",
    "Trials of the search by state, and confirmed runs. Seconds are summed over runs, which may have run side by side; "
    "device time is that sum times the cores, or the share of a GPU, that each run had.",
    budget_table,
)
