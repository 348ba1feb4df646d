"""What the journal says of a trial that may be paused."""

from __future__ import annotations

from typing import Final

from optuna.trial import FrozenTrial, TrialState

#: In the journal, the step to which a trial may train before it is decided anew.
UNTIL: Final = "until"


def step_of(trial: FrozenTrial) -> int:
    """The step of the newest value of a trial; 0 before the first."""
    return max(trial.intermediate_values, default=0)


def until_of(trial: FrozenTrial) -> int:
    """The step to which a trial may train before it is decided anew; 0 where that is not known."""
    step: int = trial.user_attrs.get(UNTIL, 0)
    return step


def is_waiting(trial: FrozenTrial, last: int) -> bool:
    """Whether a trial stands at the step to which it may train: it is paused, or about to be decided.

    ``last``: the step at which a trial ends, where nothing waits any more.
    """
    return trial.state == TrialState.RUNNING and 0 < until_of(trial) <= step_of(trial) < last
