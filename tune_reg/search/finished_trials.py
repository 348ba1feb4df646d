"""The finished trials of one task, ranked as they finish: an ask must not rank them all again."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable
from operator import attrgetter, itemgetter
from typing import Final

from optuna.trial import FrozenTrial

from tune_reg.surrogate.most_informative import best_and_newest

#: In the journal, the seconds that the shortest epoch of a trial took.
EPOCH_S: Final = "epoch_s"


class FinishedTrials:
    """Finished trials, kept in two orders: how informative they are, and how new they are.

    >>> from optuna.trial import create_trial
    >>> finished = FinishedTrials()
    >>> for number, value in enumerate((0.5, 0.75, 0.25, 0.125)):
    ...     trial = create_trial(value=value)
    ...     trial.number = number
    ...     finished.add(trial)
    >>> [trial.value for trial in finished.most_informative(2)], [trial.value for trial in finished.most_informative()]
    ([0.75, 0.125], [0.5, 0.75, 0.25, 0.125])
    """

    def __init__(self, trials: Iterable[FrozenTrial] = ()) -> None:
        self._ranked: list[tuple[tuple[float, float, int], FrozenTrial]] = []
        self._numbered: list[tuple[int, FrozenTrial]] = []
        self._first_timed: FrozenTrial | None = None
        for trial in trials:
            if trial.state.is_finished():
                self.add(trial)

    def add(self, trial: FrozenTrial) -> None:
        """Add a trial that has finished, whatever its state; it does not change any more."""
        insort(self._ranked, (_rank(trial), trial), key=itemgetter(0))
        insort(self._numbered, (trial.number, trial), key=itemgetter(0))
        if EPOCH_S in trial.user_attrs and (self._first_timed is None or trial.number < self._first_timed.number):
            self._first_timed = trial

    @property
    def epoch_s(self) -> float | None:
        """The seconds of an epoch, by the first trial that was timed: a mean over trials would go on changing."""
        if self._first_timed is None:
            return None
        seconds: float = self._first_timed.user_attrs[EPOCH_S]
        return seconds

    def most_informative(self, limit: int | None = None) -> list[FrozenTrial]:
        """At most ``limit`` finished trials, by number: half trained longest and best, the others the newest."""
        if limit is None or len(self._numbered) <= limit:
            return [trial for _, trial in self._numbered]
        best = (trial for _, trial in self._ranked[: limit // 2])
        newest = (trial for _, trial in reversed(self._numbered))
        return best_and_newest(best, newest, limit, key=attrgetter("number"))


def _rank(trial: FrozenTrial) -> tuple[float, float, int]:
    last = max(trial.intermediate_values, default=-1)
    value = trial.values[0] if trial.values else trial.intermediate_values.get(last, -math.inf)
    return -last, -value, trial.number
