"""Failed trials in the journal: which of them are tried again, and when a search stops because all fail alike.

The journal is only appended to: a failed trial stays in it, and is tried again as a new trial with its configuration,
which names it. All that is decided here follows from the journal alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from tune_reg.search.imputed_study import DIVERGED
from tune_reg.search.trial import BESIDE_BUDGET

#: In the journal, the number of the failed trial that a trial tries again.
RETRIES: Final = "retries"
#: In the journal, why a trial failed or diverged.
REASON: Final = "reason"
#: So many trials that fail alike, and no other, end a search.
ALIKE: Final = 3

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]+")


def retried(trials: Sequence[FrozenTrial]) -> dict[int, int]:
    """The failed trials that are tried again, by the number of the trial that does so."""
    return {trial.number: trial.user_attrs[RETRIES] for trial in trials if RETRIES in trial.user_attrs}


def enqueue_retries(study: Study, retry: Callable[[int], bool]) -> None:
    """Have each failed trial asked again that ``retry`` says is to be tried again."""
    for trial in failed(study.get_trials(deepcopy=False)):
        if retry(trial.number):
            marks = {key: trial.user_attrs[key] for key in BESIDE_BUDGET if key in trial.user_attrs}
            study.enqueue_trial(trial.params, user_attrs={RETRIES: trial.number, **marks})


def is_beside_budget(trial: FrozenTrial | Trial) -> bool:
    """Whether a trial comes on top of the budget: at shared values, or at the best point of the space."""
    return any(mark in trial.user_attrs for mark in BESIDE_BUDGET)


def failed(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that failed, other than by divergence, and are not tried again yet."""
    again = set(retried(trials).values())
    return [trial for trial in trials if _failed(trial) and trial.number not in again]


def failing_alike(trials: Sequence[FrozenTrial]) -> str | None:
    """The reason for which the first trials to end all failed, where no trial came to a value; else None.

    Trials that are tried again do not count. The first to end, since one that waits for its process holds up no others.
    """
    again = set(retried(trials).values())
    counted = [trial for trial in trials if trial.number not in again]
    if any(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in counted):
        return None
    ended = [(trial.datetime_complete, trial.number, trial) for trial in counted if trial.datetime_complete is not None]
    first = [trial for *_, trial in sorted(ended, key=lambda entry: entry[:2])[:ALIKE]]
    reasons = {_ADDRESS.sub("0x", trial.user_attrs.get(REASON, "")) for trial in first}
    if len(first) < ALIKE or len(reasons) != 1 or not all(_failed(trial) for trial in first):
        return None
    reason: str = first[0].user_attrs.get(REASON, "")
    return reason.removeprefix("failed: ")


def _failed(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.FAIL and DIVERGED not in trial.user_attrs
