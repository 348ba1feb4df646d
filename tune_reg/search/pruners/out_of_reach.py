"""Stopping what cannot come within reach of the best accuracy, where a second objective decides among those that do."""

from __future__ import annotations

import math
from typing import Final, final

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

from tune_reg.search.pruners.predicted_halving import predicted
from tune_reg.search.pruners.rungs import value_at

#: A trial stops where its predicted value and so many deviations are out of reach.
_DEVIATIONS: Final = 2.0
#: Finished trials that a decision needs: predictions are made from their gains.
_FEWEST: Final = 4


@final
class OutOfReach(BasePruner):
    """Stops, at one rung, a trial whose accuracy will not come within one standard error of the best.

    Among the trials that do, the second objective decides (see ``store.pick``), so that a trial of lower accuracy than
    others may still win. A final value is predicted as in ``PredictedHalving``. ``rung``: the step at which trials are
    looked at. ``images``: validation images behind an accuracy.
    """

    def __init__(self, rung: int, images: int) -> None:
        self._rung = rung
        self._images = images

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial stops at the step that it reported last."""
        if max(trial.intermediate_values, default=0) != self._rung:
            return False
        trials = study.get_trials(deepcopy=False)
        finished = [t for t in trials if t.state == TrialState.COMPLETE and value_at(t, self._rung) is not None]
        if len(finished) < _FEWEST:
            return False
        (prediction,) = predicted([trial], self._rung, trials)
        best = max(t.values[0] for t in finished)
        error = math.sqrt(max(0.0, best * (1 - best)) / self._images)
        return bool(prediction.value + _DEVIATIONS * prediction.deviation < best - error)
