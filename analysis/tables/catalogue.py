"""The tables of the report beside the result table and the budget, in their order."""

from __future__ import annotations

from typing import Final

from analysis.tables.accuracy import ACCURACY_TABLE
from analysis.tables.attacks import ROBUSTNESS_TABLE, WARNING_TABLE
from analysis.tables.comparisons import COMPARISON_TABLE
from analysis.tables.corruptions import CORRUPTION_CELL_TABLE, CORRUPTION_TABLE
from analysis.tables.data_equivalence import EQUIVALENCE_TABLE
from analysis.tables.papers import PAPER_TABLE
from analysis.tables.search.budgets import EQUAL_BUDGET_TABLE
from analysis.tables.search.importance import IMPORTANCE_TABLE
from analysis.tables.search.optima import OPTIMUM_TABLE
from analysis.tables.search.winners import WINNER_TABLE
from analysis.tables.short_results import SHORT_TABLE
from analysis.tables.spec import TableSpec
from analysis.tables.tradeoff import TRADE_TABLE

#: A new table is declared in a file of its own and gets its place here.
TABLES: Final[tuple[TableSpec, ...]] = (
    SHORT_TABLE,
    ACCURACY_TABLE,
    COMPARISON_TABLE,
    EQUIVALENCE_TABLE,
    WINNER_TABLE,
    OPTIMUM_TABLE,
    IMPORTANCE_TABLE,
    EQUAL_BUDGET_TABLE,
    ROBUSTNESS_TABLE,
    TRADE_TABLE,
    CORRUPTION_TABLE,
    CORRUPTION_CELL_TABLE,
    WARNING_TABLE,
    PAPER_TABLE,
)
