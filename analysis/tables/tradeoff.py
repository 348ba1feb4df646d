"""Clean against robust accuracy."""

from __future__ import annotations

from typing import Final, NamedTuple

from analysis.formatting import attack_name, interval_text
from analysis.measures.tradeoff import TradePoint, trades
from analysis.snapshot import Snapshot
from analysis.tables.spec import Table, TableSpec
from analysis.wording import where


class TradeNumbers(NamedTuple):
    """One regularizer under one attack: clean and robust accuracy."""

    fraction: float
    search_fraction: float
    test: str
    norm: str | None
    point: TradePoint


def trade_table(data: Snapshot) -> Table:
    """Which regularizers lie on the front of clean and robust accuracy, and how surely."""
    rows, numbers = [], []
    for setting, attack, points in trades(data):
        for point in points:
            share = point.front_share
            rows.append(
                (
                    where(data, *setting),
                    attack_name(*attack),
                    point.regularizer,
                    str(point.n),
                    interval_text(point.clean, point.clean_low, point.clean_high, ".2f", 100),
                    interval_text(point.robust, point.robust_low, point.robust_high, ".2f", 100),
                    "yes" if point.front else "no",
                    "one seed" if share is None else f"{100 * share:.0f}",
                )
            )
            numbers.append(TradeNumbers(*setting, *attack, point))
    headings = (
        *("Training data", "Attack", "Regularizer", "Runs", "Test accuracy, %", "Mean accuracy over epsilon, %"),
        *("On the front", "In % of resampled seeds"),
    )
    return Table(headings, tuple(rows), tuple(numbers))


TRADE_TABLE: Final = TableSpec(
    "trade-off",
    "Clean against robust test accuracy, in numbers",
    "On the front: no other regularizer has both means at least as high and one higher.",
    trade_table,
)
