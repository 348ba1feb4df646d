"""Successive halving, on the values that trials have and on those that they promise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from tune_reg.search import fidelity

#: One trial in so many is trained to the end, whatever it is worth, so that there is something to predict from.
_FREE: Final = 5
#: Finished trials from which a prediction is made; before, values are compared as they are.
_ENOUGH: Final = 4
#: Trials that are looked at, the newest: a decision must not slow down with the search.
_READ: Final = 500


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
    that finished trials of like hyperparameters had from there. Every fifth trial is never stopped and teaches the
    gain; while fewer than four have finished, values are compared as they are.
    """

    def __init__(self, min_resource: int, reduction_factor: int) -> None:
        self._first = min_resource
        self._factor = reduction_factor

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial stops at the step that it reported last."""
        if _free(trial):
            return False
        return any(self._stops(study, trial, rung) for rung in _passed(trial, self._first, self._factor))

    def _stops(self, study: optuna.Study, trial: FrozenTrial, rung: int) -> bool:
        trials = study.get_trials(deepcopy=False)
        there = [t for t in trials if t.number != trial.number and not _free(t) and _at(t, rung) is not None]
        own, *others = self._promised([trial, *there[-_READ:]], rung, trials)
        return _behind(own, others, self._factor)

    def _promised(self, there: Sequence[FrozenTrial], rung: int, trials: Sequence[FrozenTrial]) -> list[float]:
        """The final values of trials from what they had at the rung."""
        values = [value for trial in there if (value := _at(trial, rung)) is not None]
        finished = [t for t in trials if t.state == TrialState.COMPLETE and t.intermediate_values][-_READ:]
        if len(finished) < _ENOUGH:
            return values
        asked = {name: domain for trial in [*there, *finished] for name, domain in trial.distributions.items()}
        known = [fidelity.Observed(fidelity.unit(t, asked), t.intermediate_values) for t in finished]
        cut = [fidelity.Observed(fidelity.unit(t, asked), {rung: v}) for t, v in zip(there, values, strict=True)]
        return fidelity.predict(cut, known)


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


def _free(trial: FrozenTrial) -> bool:
    return trial.number % _FREE == _FREE - 2


def _at(trial: FrozenTrial, rung: int) -> float | None:
    """The value when the trial reached the rung, or None."""
    step = min((step for step in trial.intermediate_values if step >= rung), default=None)
    return None if step is None else trial.intermediate_values[step]
