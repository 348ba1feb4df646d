"""A trial of the search as everything outside this room sees it, without Optuna."""

from __future__ import annotations

from dataclasses import dataclass

from search_spaces import Value
from tune_reg.store import TrialRow
from tune_reg.study import Task


@dataclass(frozen=True)
class Trial:
    """A configuration to train: number ``number`` of ``task``, with every hyperparameter of its space."""

    task: Task
    number: int
    params: dict[str, Value]


@dataclass(frozen=True)
class TrialCounts:
    """How many trials of a task are in which state, and the best value so far."""

    running: int
    complete: int
    pruned: int
    failed: int
    best: float | None


@dataclass(frozen=True)
class StoredTrial:
    """A trial that is over, as the tables have it."""

    row: TrialRow
    #: What the search was told of it: accuracies, by the epochs after which they were reported.
    values: dict[int, float]
    #: Seconds of its shortest epoch on the first seed.
    epoch_s: float | None
