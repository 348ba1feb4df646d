"""Where the trials of one task stand, kept up to date, so that no event has to read them all again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from optuna.trial import FrozenTrial, TrialState

from tune_reg.store import Candidate, pick

_ENDED: Final = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass
class Standing:
    """Counts of a task's trials by state, the best of them, and how long there was no better one.

    >>> standing = Standing()
    >>> for number, value in enumerate((0.5, 0.75, 0.625)):
    ...     standing.begin()
    ...     standing.end(number, TrialState.COMPLETE, value)
    >>> standing.winner, standing.best, standing.longest_wait
    (1, 0.75, 1)
    """

    asked: int = 0
    ended: dict[TrialState, int] = field(default_factory=lambda: dict.fromkeys(_ENDED, 0))
    complete: dict[int, Candidate] = field(default_factory=dict)
    #: The highest value; None while none is complete.
    best: float | None = None
    #: Validation images: what is within one standard error, where there is a second objective.
    images: int = 1
    #: 1, or -1 where less of the second objective is better.
    sign: int = 1
    #: The most trials in a row that were no better than one before, in the order in which they were asked for, up to
    #: the first that has not ended: it may still be better.
    longest_wait: int = 0
    _wait: int = 0
    _in_order: int = 0
    _best_in_order: float | None = None
    _out_of_order: dict[int, float | None] = field(default_factory=dict)

    _winner: int | None = None  # None: to be found anew

    @classmethod
    def of(cls, trials: list[FrozenTrial], *, images: int = 1, sign: int = 1) -> Standing:
        """That of the trials of a journal."""
        standing = cls(images=images, sign=sign)
        for trial in trials:
            if trial.state == TrialState.WAITING:
                continue
            standing.begin()
            if trial.state in _ENDED:
                done = trial.state == TrialState.COMPLETE
                standing.end(trial.number, trial.state, *(trial.values if done else (None,)))
        return standing

    @property
    def winner(self) -> int | None:
        """The number of the winner so far; None while none is complete."""
        if self._winner is None:
            self._winner = pick(self.complete.values(), images=self.images)
        return self._winner

    @property
    def running(self) -> int:
        """Trials that have not ended."""
        return self.asked - sum(self.ended.values())

    def begin(self) -> None:
        """A trial was asked for."""
        self.asked += 1

    def end(self, number: int, state: TrialState, value: float | None, second: float | None = None) -> None:
        """A trial has ended; ``value`` of a complete one, and of its second objective where there is one."""
        self.ended[state] += 1
        if value is not None:
            self.complete[number] = Candidate(number, value, None if second is None else self.sign * second)
            self.best = max(value, value if self.best is None else self.best)
            self._winner = None
        self._out_of_order[number] = value
        while self._in_order in self._out_of_order:
            value = self._out_of_order.pop(self._in_order)
            self._in_order += 1
            if value is not None and (self._best_in_order is None or value > self._best_in_order):
                self._best_in_order, self._wait = value, 0
            else:
                self._wait += 1
                self.longest_wait = max(self.longest_wait, self._wait)
