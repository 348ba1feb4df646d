"""Trials that failed and were tried again: the later one counts, the failed one stays in the table as it was."""

from __future__ import annotations

from collections.abc import Sequence

from tune_reg.store.schema import TrialRow


def without_retried(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """The rows of the table ``trials`` without those that a later row tries again.

    >>> from typing import cast
    >>> task = {"regularizer": "l1", "fraction": 1.0, "images_per_class": None}
    >>> rows = [{**task, "trial": 0, "retries": None}, {**task, "trial": 1, "retries": 0}]
    >>> [row["trial"] for row in without_retried(cast(list[TrialRow], rows))]
    [1]
    """
    retried = {(*_task(row), row["retries"]) for row in rows if row["retries"] is not None}
    return [row for row in rows if (*_task(row), row["trial"]) not in retried]


def _task(row: TrialRow) -> tuple[str, float, int | None]:
    return row["regularizer"], row["fraction"], row["images_per_class"]
