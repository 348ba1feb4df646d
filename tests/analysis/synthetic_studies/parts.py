"""Parts of synthetic studies: (table, key, rows), as a search writes them."""

import re
from collections.abc import Callable
from typing import Any

Part = tuple[str, str, list[dict[str, Any]]]
Change = Callable[[dict[str, Any]], dict[str, Any] | None]

EPOCHS = 6
BASELINE = "weight-decay"
DIVERGED = "exploding"


def run_columns(regularizer: str) -> dict[str, Any]:
    """Columns that every row of a regularizer begins with."""
    return {
        "study": "0123abcd",
        "dataset": "digits",
        "model": "nn-2",
        "protocol": "validation",
        "regularizer": regularizer,
    }


def merged(parts: list[Part]) -> list[Part]:
    """One part per table, regularizer and fraction: a search writes one per run, which takes longer to write."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for table, _, rows in parts:
        key = f"{rows[0]['regularizer']}-{rows[0]['fraction']}"
        groups.setdefault((table, re.sub(r"[^\w.-]", "", key)), []).extend(rows)
    return [(table, key, rows) for (table, key), rows in groups.items()]


def changed(parts: list[Part], table: str, change: Change) -> list[Part]:
    """``parts`` with every row of ``table`` changed; rows that become None are dropped."""
    result: list[Part] = []
    for name, key, rows in parts:
        kept = [new for row in rows if (new := change(row)) is not None] if name == table else rows
        if kept:
            result.append((name, key, kept))
    return result
