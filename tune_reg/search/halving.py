"""Successive halving, on the values that trials have and on those that they promise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, final

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from tune_reg.search import fidelity

#: Finished trials that a prediction is made from at least; so many are trained to the end, whatever they are worth.
_TEACHERS: Final = 2
#: Trials that are looked at, the newest: a decision must not slow down with the search.
_READ: Final = 200


@final
class SuccessiveHalving(BasePruner):
    """Asynchronous successive halving of values that are maximized.

    Rungs stand at ``min_resource * reduction_factor ** k``. A trial that reaches a rung goes on if it is among the best
    ``1 / reduction_factor`` of the values seen there so far, and always if it is the best. With several ``brackets``
    trial n belongs to bracket ``n % brackets``, whose first ``n % brackets`` rungs are left out, and races against its
    own bracket alone (Hyperband). Optuna's pruner of this name marks each passed rung in the journal, and so answers
    differently when it is asked twice; this one only reads.

    Sources: Li et al., A System for Massively Parallel Hyperparameter Tuning, MLSys 2020, algorithm 2; Li et al.,
    Hyperband, JMLR 2018.
    """

    def __init__(self, min_resource: int, reduction_factor: int, brackets: int = 1) -> None:
        self._first = min_resource
        self._factor = reduction_factor
        self._brackets = brackets

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial stops at the step that it reported last."""
        bracket = trial.number % self._brackets
        for rung in _passed(trial, self._first * self._factor**bracket, self._factor):
            others = [
                value
                for other in study.get_trials(deepcopy=False)
                if other.number != trial.number
                and other.number % self._brackets == bracket
                and (value := _at(other, rung)) is not None
            ]
            own = _at(trial, rung)
            if own is not None and _behind(own, others, self._factor):
                return True
        return False


@final
class PredictedHalving(BasePruner):
    """Successive halving by the final values that trials promise.

    Some regularizers learn slowly and end well, so that what is ahead at a rung says little. Rungs stand as in
    ``SuccessiveHalving``, but the trials there are compared by ``fidelity.predict``: the value at the rung and the gain
    that finished trials of like hyperparameters had from there. A trial gets the benefit of the doubt: it stops where
    its predicted value and one standard deviation more are not among the best, so that one unlike all that have
    finished goes on, and teaches what its like gain. The first two trials that come to an end are never stopped; while
    they train, values are compared as they are.
    """

    def __init__(self, min_resource: int, reduction_factor: int) -> None:
        self._first = min_resource
        self._factor = reduction_factor

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial stops at the step that it reported last."""
        rungs = _passed(trial, self._first, self._factor)
        if not rungs:
            return False  # most epochs end here: the trials need not be read
        trials = study.get_trials(deepcopy=False)
        return not _teaches(trial, trials) and any(_stops(trial, rung, trials, self._factor) for rung in rungs)


def _teaches(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> bool:
    """Whether it is wanted to predict from: too few have finished, and too few before it have or may yet."""
    before = (t for t in trials[: trial.number] if t.state in (TrialState.COMPLETE, TrialState.RUNNING))
    return _fewer(before, _TEACHERS) and _fewer((t for t in trials if t.state == TrialState.COMPLETE), _TEACHERS)


def _fewer(trials: Iterable[FrozenTrial], wanted: int) -> bool:
    return len(list(islice(trials, wanted))) < wanted


def _stops(trial: FrozenTrial, rung: int, trials: Sequence[FrozenTrial], factor: int) -> bool:
    there = _newest(trials, lambda t: t.number != trial.number and _at(t, rung) is not None, _READ)
    own, *others = _promised([trial, *there], rung, trials)
    return _behind(own.value + own.deviation, [other.value for other in others], factor)


def _promised(there: Sequence[FrozenTrial], rung: int, trials: Sequence[FrozenTrial]) -> list[fidelity.Prediction]:
    """The final values of trials from what they had at the rung."""
    values = [value for trial in there if (value := _at(trial, rung)) is not None]
    finished = _newest(
        trials, lambda t: t.state == TrialState.COMPLETE and bool(t.intermediate_values), fidelity.TEACHERS
    )
    if len(finished) < _TEACHERS:
        return [fidelity.Prediction(value, 0.0) for value in values]
    asked = {name: domain for trial in [*there, *finished] for name, domain in trial.distributions.items()}
    known = fidelity.observed(finished, (t.intermediate_values for t in finished), asked)
    return fidelity.predict(fidelity.observed(there, ({rung: value} for value in values), asked), known)


def _newest(trials: Sequence[FrozenTrial], wanted: Callable[[FrozenTrial], bool], limit: int) -> list[FrozenTrial]:
    """The last ``limit`` of the ``wanted`` ones, by number."""
    return list(islice(filter(wanted, reversed(trials)), limit))[::-1]


def _passed(trial: FrozenTrial, first: int, factor: int) -> list[int]:
    """The rungs between the last step that was reported and the one before."""
    steps = sorted(trial.intermediate_values)
    last, previous = steps[-1], steps[-2] if len(steps) > 1 else 0
    rungs = []
    while first <= last:
        rungs += [first] if first > previous else []
        first *= factor
    return rungs


def _behind(own: float, others: Sequence[float], factor: int) -> bool:
    """Whether a value is not among the best ``1 / factor``, nor the best."""
    go_on = max(1, (len(others) + 1) // factor)
    return sum(value > own for value in others) >= go_on


def _at(trial: FrozenTrial, rung: int) -> float | None:
    """The value when the trial reached the rung, or None."""
    curve = trial.intermediate_values
    step = rung if rung in curve else min((step for step in curve if step >= rung), default=None)
    return None if step is None else curve[step]
