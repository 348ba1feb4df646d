"""How trials and confirmed runs ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from analysis.snapshot import finite_or_none
from tune_reg.store import FinalRow, RunState, TrialRow


def state_counts(rows: Iterable[TrialRow] | Iterable[FinalRow]) -> Counter[RunState]:
    """How many of the trials or confirmed runs ended in each state.

    >>> state_counts([])["complete"]
    0
    """
    return Counter(row["state"] for row in rows)


def complete_value(row: TrialRow) -> float | None:
    """The value of a complete trial, else None: only complete trials can win and are fitted by curves."""
    return finite_or_none(row["value"]) if row["state"] == "complete" else None
