"""A trial of the search as everything outside this room sees it, without Optuna."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from search_spaces import Domain, Value
from tune_reg.store import RunState, TrialRow
from tune_reg.study import Task

#: In the journal, the method whose winner's values of shared hyperparameters a trial has.
SHARED_FROM: Final = "shared_from"
#: In the journal, of a trial at the best point of the whole space by the model: "space".
PICKED_FROM: Final = "picked_from"
#: What marks the trials that come on top of the budget.
BESIDE_BUDGET: Final[tuple[str, ...]] = (SHARED_FROM, PICKED_FROM)


class Refused(NamedTuple):
    """Why a trial is not trained: how the function that is its space ended it, and the reason in words."""

    state: RunState
    reason: str


@dataclass(frozen=True)
class Trial:
    """A configuration to train: number ``number`` of ``task``, with every hyperparameter of its space."""

    task: Task
    number: int
    params: dict[str, Value]
    #: For each training of the configuration, one after the other: which of the search's seeds it is made with.
    seeds: tuple[int, ...] = (0,)
    #: The training that is to begin or to go on, from 0.
    training: int = 0

    @property
    def seed_index(self) -> int:
        """Which of the search's seeds the training is made with."""
        return self.seeds[self.training]

    #: Of a space that is a function, the ranges that it asked for in this trial; None where all trials have the same.
    ranges: dict[str, Domain] | None = None
    #: Where the function ended the trial in place of giving all of its hyperparameters.
    refused: Refused | None = None
    #: The number of the failed trial that this one tries again.
    retries: int | None = None
    #: The method whose winner's values of shared hyperparameters it has; None where the search itself asked for it.
    shared_from: str | None = None
    #: "space" where it is at the best point of the whole space by the model, tried once the search was over.
    picked_from: str | None = None


@dataclass(frozen=True)
class TrialCounts:
    """How many trials of a task are in which state, and the best value so far."""

    running: int
    complete: int
    pruned: int
    failed: int
    best: float | None
    #: Trials that wait, with a checkpoint, and may go on.
    paused: int = 0
    #: Trials at shared values and at the best point of the space, which the budget does not count.
    added: int = 0


class ExpectedValue(NamedTuple):
    """What the search's model expects of a trial: mean and standard deviation of its final validation value."""

    number: int
    mean: float
    deviation: float


@dataclass(frozen=True)
class StoredTrial:
    """A trial that is over, as the tables have it."""

    row: TrialRow
    #: What the search was told of it: values of the metric, by the epochs after which they were reported.
    values: dict[int, float]
    #: Seconds of its shortest epoch on the first seed.
    epoch_s: float | None
    #: Which of the search's seeds it was first trained on.
    seed: int
