"""What the journal says of a trial that may be paused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from optuna.trial import FrozenTrial, TrialState

from tune_reg.search.retries import is_beside_budget

#: In the journal, the step to which a trial may train before it is decided anew.
UNTIL: Final = "until"
#: In the journal, which of the search's seeds a trial is first trained on. Earlier versions took it from its number.
SEED: Final = "seed"


def step_of(trial: FrozenTrial) -> int:
    """The step of the newest value of a trial; 0 before the first."""
    return max(trial.intermediate_values, default=0)


@dataclass(frozen=True)
class Standing:
    """Where a trial stands. ``step``: of its last value, 0 before it; steps count the epochs of all its trainings.

    ``until``: the step to which it may train before it is decided anew; 0 where that is not known.
    """

    frozen: FrozenTrial
    step: int
    until: int

    @classmethod
    def of(cls, trial: FrozenTrial) -> Self:
        """Where a trial stands by the journal."""
        return cls(trial, step_of(trial), trial.user_attrs.get(UNTIL, 0))

    @property
    def is_added(self) -> bool:
        """Whether it is a trial at shared values or the best of the space: beside the budget, trained to the end."""
        return is_beside_budget(self.frozen)

    def seed(self, training: int, seeds: int) -> int:
        """Which of the search's ``seeds`` a training of the trial is made with; the first training is number 0."""
        first: int = self.frozen.user_attrs.get(SEED, self.frozen.number)
        return (first + training) % seeds

    @property
    def running(self) -> bool:
        """Whether it has not ended; it may be paused."""
        return self.frozen.state == TrialState.RUNNING

    def is_waiting(self, last: int) -> bool:
        """Whether it stands at the step to which it may train: it is paused, or about to be decided.

        ``last``: the step at which a trial ends, where nothing waits any more.
        """
        return self.running and 0 < self.until <= self.step < last
