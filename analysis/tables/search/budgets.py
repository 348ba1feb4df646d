"""What the searches spent, and what they had reached at equal budgets."""

from __future__ import annotations

from typing import Final, NamedTuple

from analysis.formatting import NONE, duration
from analysis.measures.budget import budget
from analysis.measures.search.tuning import TuningPoint, equal_budgets
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


class BudgetNumbers(NamedTuple):
    """One search at one budget that all searches of a fraction share."""

    fraction: float
    point: TuningPoint


def equal_budget_table(data: Snapshot) -> Table:
    """The best value of every search at equal budgets."""
    numbers = [BudgetNumbers(at, point) for at, points in equal_budgets(data).items() for point in points]
    numbers.sort(key=lambda row: (-row.fraction, row.point.epochs))
    rows = tuple(
        (
            where(data, fraction),
            f"{point.epochs:,}",
            point.regularizer,
            f"{point.trials} of {point.n}",
            NONE if point.best is None else f"{100 * point.best:.2f}",
            _order_band(point),
        )
        for fraction, point in numbers
    )
    # In protocol "paper" trials are scored on the test set.
    expected = "expected " if data.expected else ""
    best = f"Best {expected}{'test' if data.picked_on_test else 'validation'} accuracy so far, %"
    headings = (
        *("Training data", "Epochs spent", "Regularizer", "Trials finished", best),
        "Trials in random order, % [95 %]",
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


def _order_band(point: TuningPoint) -> str:
    if point.median is None or point.high is None:
        return NONE
    low = "none yet" if point.low is None else f"{100 * point.low:.2f}"
    return f"{100 * point.median:.2f} [{low}, {100 * point.high:.2f}]"


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
