"""Successive halving by predicted final values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final, final

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from tune_reg.search import final_values
from tune_reg.search.pruners.rungs import is_behind, passed_rungs, value_at

#: Finished trials that a prediction is made from at least; so many are trained to the end, whatever they are worth.
_FEWEST: Final = 2
#: Trials that are looked at, the newest: a decision must not slow down with the search.
_READ: Final = 200


@final
class PredictedHalving(BasePruner):
    """Successive halving by the final values that trials promise.

    Some regularizers learn slowly and end well, so that the value at a rung says little. Rungs stand as in
    ``SuccessiveHalving``, but trials are compared by ``final_values.predict``: the value at the rung and the gain that
    finished trials with similar hyperparameters had from there. A trial stops where its predicted value and one
    standard deviation more are not among the best. So a trial that is unlike all finished ones goes on, and later
    trials like it are predicted from its gain. The first two trials that come to an end are never stopped; while they
    train, values are compared as they are.
    """

    def __init__(self, min_resource: int, reduction_factor: int) -> None:
        self._first = min_resource
        self._factor = reduction_factor

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial stops at the step that it reported last."""
        rungs = passed_rungs(trial, self._first, self._factor)
        if not rungs:
            return False  # most epochs end here: the trials need not be read
        trials = study.get_trials(deepcopy=False)
        return not _predicted_from(trial, trials) and any(_stops(trial, rung, trials, self._factor) for rung in rungs)


def _predicted_from(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> bool:
    """Whether predictions need this trial to finish: too few have finished, and too few before it may still do so."""
    before = (t for t in trials[: trial.number] if t.state in (TrialState.COMPLETE, TrialState.RUNNING))
    return _fewer(before, _FEWEST) and _fewer((t for t in trials if t.state == TrialState.COMPLETE), _FEWEST)


def _fewer(trials: Iterable[FrozenTrial], wanted: int) -> bool:
    return len(list(islice(trials, wanted))) < wanted


def _stops(trial: FrozenTrial, rung: int, trials: Sequence[FrozenTrial], factor: int) -> bool:
    others = _newest(trials, lambda t: t.number != trial.number and value_at(t, rung) is not None, _READ)
    prediction, *of_others = predicted([trial, *others], rung, trials)
    return is_behind(prediction.value + prediction.deviation, [other.value for other in of_others], factor)


def predicted(
    at_rung: Sequence[FrozenTrial], rung: int, trials: Sequence[FrozenTrial]
) -> list[final_values.Prediction]:
    """The final values of trials from what they had at the rung."""
    values = [value for trial in at_rung if (value := value_at(trial, rung)) is not None]
    finished = _newest(
        trials, lambda t: t.state == TrialState.COMPLETE and bool(t.intermediate_values), final_values.MOST_FINISHED
    )
    if len(finished) < _FEWEST:
        return [final_values.Prediction(value, 0.0) for value in values]
    asked = final_values.widest([*at_rung, *finished])
    curves = final_values.observed(finished, (t.intermediate_values for t in finished), asked)
    return final_values.predict(final_values.observed(at_rung, ({rung: value} for value in values), asked), curves)


def _newest(trials: Sequence[FrozenTrial], wanted: Callable[[FrozenTrial], bool], limit: int) -> list[FrozenTrial]:
    """The last ``limit`` of the ``wanted`` ones, by number."""
    return list(islice(filter(wanted, reversed(trials)), limit))[::-1]
