"""Statistics of the trials of one task, kept up to date, so that no event has to read all trials again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from optuna.trial import FrozenTrial, TrialState

from tune_reg.search.retries import is_beside_budget, retried
from tune_reg.search.trial import TrialCounts
from tune_reg.store import Candidate, pick

_FINISHED: Final = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass
class TrialStatistics:
    """Counts of a task's trials by state, the best trial, and how many trials in a row brought nothing better.

    >>> statistics = TrialStatistics()
    >>> for number, value in enumerate((0.5, 0.75, 0.625)):
    ...     statistics.begin()
    ...     statistics.end(number, TrialState.COMPLETE, value)
    >>> statistics.winner, statistics.best, statistics.longest_wait
    (1, 0.75, 1)
    """

    asked: int = 0
    #: Failed trials that are tried again as others: they count no more.
    retried: int = 0
    #: Trials at shared values and at the best point of the space, which the budget does not count.
    added: int = 0
    #: Finished trials by state.
    by_state: dict[TrialState, int] = field(default_factory=lambda: dict.fromkeys(_FINISHED, 0))
    complete: dict[int, Candidate] = field(default_factory=dict)
    #: The highest value; None while none is complete.
    best: float | None = None
    #: Validation images: what is within one standard error, where there is a second objective.
    images: int = 1
    #: 1, or -1 where less of the second objective is better.
    sign: int = 1
    #: The most trials in a row that were no better than an earlier one, in the order in which they were asked for. The
    #: first trial that has not ended ends the count: it may still be better.
    longest_wait: int = 0
    _wait: int = 0
    _in_order: int = 0
    _best_in_order: float | None = None
    _out_of_order: dict[int, float | None] = field(default_factory=dict)

    _winner: int | None = None  # None: to be found anew

    @classmethod
    def of(cls, trials: list[FrozenTrial], *, images: int = 1, sign: int = 1) -> TrialStatistics:
        """The statistics of the trials of a journal."""
        again = set(retried(trials).values())
        statistics = cls(images=images, sign=sign, retried=len(again))
        statistics.added = sum(is_beside_budget(t) and t.number not in again for t in trials)
        for trial in trials:
            if trial.state == TrialState.WAITING:
                continue
            statistics.begin()
            if trial.number in again:
                statistics._place(trial.number, math.nan)
            elif trial.state in _FINISHED:
                done = trial.state == TrialState.COMPLETE
                statistics.end(trial.number, trial.state, *(trial.values if done else (None,)))
        return statistics

    @property
    def winner(self) -> int | None:
        """The number of the winning trial so far; None while no trial is complete."""
        if self._winner is None:
            self._winner = pick(self.complete.values(), images=self.images)
        return self._winner

    @property
    def running(self) -> int:
        """How many trials have not ended."""
        return self.asked - sum(self.by_state.values()) - self.retried

    def counts(self) -> TrialCounts:
        """How many trials are in which state, and the best value so far."""
        return TrialCounts(
            running=self.running,
            complete=self.by_state[TrialState.COMPLETE],
            pruned=self.by_state[TrialState.PRUNED],
            failed=self.by_state[TrialState.FAIL],
            best=self.best,
            added=self.added,
        )

    def begin(self) -> None:
        """Count a trial that was asked for."""
        self.asked += 1

    def end(self, number: int, state: TrialState, value: float | None, second: float | None = None) -> None:
        """Count a trial that has ended: a complete one has a ``value``, and with two objectives a ``second``."""
        self.by_state[state] += 1
        if value is not None:
            self.complete[number] = Candidate(number, value, None if second is None else self.sign * second)
            self.best = max(value, value if self.best is None else self.best)
            self._winner = None
        self._place(number, value)

    def _place(self, number: int, value: float | None) -> None:
        """Count how many trials in a row brought nothing better. ``value``: NaN of a trial that is tried again."""
        self._out_of_order[number] = value
        while self._in_order in self._out_of_order:
            value = self._out_of_order.pop(self._in_order)
            self._in_order += 1
            if value is not None and math.isnan(value):
                continue
            if value is not None and (self._best_in_order is None or value > self._best_in_order):
                self._best_in_order, self._wait = value, 0
            else:
                self._wait += 1
                self.longest_wait = max(self.longest_wait, self._wait)
