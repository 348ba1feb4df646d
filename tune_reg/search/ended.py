"""The ended trials of one task, ranked as they end: an ask must not rank them all again."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable
from operator import itemgetter
from typing import Final

from optuna.trial import FrozenTrial

#: In the journal, the seconds that the shortest epoch of a trial took.
EPOCH_S: Final = "epoch_s"


class Ended:
    """Ended trials, kept in two orders: how much they say, and how new they are.

    >>> from optuna.trial import create_trial
    >>> ended = Ended()
    >>> for number, value in enumerate((0.5, 0.75, 0.25, 0.125)):
    ...     trial = create_trial(value=value)
    ...     trial.number = number
    ...     ended.add(trial)
    >>> [trial.value for trial in ended.most_telling(2)], [trial.value for trial in ended.most_telling()]
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
        """A trial has ended; it does not change any more."""
        insort(self._ranked, (_rank(trial), trial), key=itemgetter(0))
        insort(self._numbered, (trial.number, trial), key=itemgetter(0))
        if EPOCH_S in trial.user_attrs and (self._first_timed is None or trial.number < self._first_timed.number):
            self._first_timed = trial

    @property
    def epoch_s(self) -> float | None:
        """The seconds of the first trial that says them. One trial's: a mean would go on changing."""
        if self._first_timed is None:
            return None
        seconds: float = self._first_timed.user_attrs[EPOCH_S]
        return seconds

    def most_telling(self, limit: int | None = None) -> list[FrozenTrial]:
        """``limit`` of them: the half trained longest, the best of equals, and of the others the newest; by number."""
        if limit is None or len(self._numbered) <= limit:
            return [trial for _, trial in self._numbered]
        best = (trial for _, trial in self._ranked[: limit // 2])
        return best_and_newest(best, (trial for _, trial in reversed(self._numbered)), limit)


def best_and_newest(best: Iterable[FrozenTrial], newest: Iterable[FrozenTrial], limit: int) -> list[FrozenTrial]:
    """The ``best`` ones and as many of the ``newest`` others, which are read from the first on, as make ``limit``."""
    chosen = {trial.number: trial for trial in best}
    for trial in newest:
        if len(chosen) == limit:
            break
        chosen.setdefault(trial.number, trial)
    return [chosen[number] for number in sorted(chosen)]


def _rank(trial: FrozenTrial) -> tuple[float, float, int]:
    last = max(trial.intermediate_values, default=-1)
    value = trial.values[0] if trial.values else trial.intermediate_values.get(last, -math.inf)
    return -last, -value, trial.number
