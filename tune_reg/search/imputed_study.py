"""The study as its sampler sees it: every trial with a final value.

A stopped trial has no final value. A sampler that takes its last value for the final one mixes budgets; a sampler that
sees no value learns from the few finished trials alone. So the sampler sees a stopped trial as complete, with its
predicted final value. The journal keeps the truth.
"""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from operator import attrgetter
from typing import Final

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tune_reg.search import final_values
from tune_reg.search.final_values import Predictor
from tune_reg.surrogate.most_informative import best_and_newest

#: Marks, in the journal, a failed trial as one whose loss was not finite.
DIVERGED: Final = "diverged"


def imputed(
    trials: Sequence[FrozenTrial],
    predict: Predictor = final_values.predict,
    directions: Sequence[StudyDirection] = (StudyDirection.MAXIMIZE,),
) -> dict[int, FrozenTrial]:
    """The trials that a sampler sees otherwise than they are, as the sampler sees them, by number.

    Stopped trials are complete with their predicted value. Diverged trials are complete with the worst value among the
    others, in each objective: a sampler that hears nothing of them asks there again. Where there is one objective, no
    value is further below the median than the best is above it: how bad the bad ones are is of no use, and would take
    up most of what a Gaussian process can fit.
    """
    finished = [t for t in trials if t.state == TrialState.COMPLETE]
    # With two objectives nobody knows what a stopped trial would have come to in the second.
    one = len(directions) == 1
    stopped = [t for t in trials if one and t.state == TrialState.PRUNED and t.intermediate_values]
    # Where nothing is stopped, nothing is predicted: an ask is the dearest thing that the driver does.
    reported = [t for t in finished if t.intermediate_values] if stopped else []
    asked = final_values.widest([*finished, *stopped])
    stopped_curves, finished_curves = (
        final_values.observed(some, (t.intermediate_values for t in some), asked)
        for some in (stopped, reported[-final_values.MOST_FINISHED :])
    )
    predictions = predict(stopped_curves, finished_curves)
    values = {t.number: [prediction.value] for t, prediction in zip(stopped, predictions, strict=True)}
    ended = [*(t.values for t in finished), *values.values()]
    if not ended:
        return {}
    worst = [
        max(column) if direction == StudyDirection.MINIMIZE else min(column)
        for direction, column in zip(directions, zip(*ended, strict=True), strict=True)
    ]
    values |= {t.number: worst for t in trials if DIVERGED in t.user_attrs}
    if len(directions) == 1:
        firsts = {t.number: _value(t) for t in finished} | {number: value for number, (value,) in values.items()}
        lowest = 2 * float(np.median(list(firsts.values()))) - max(firsts.values())
        # Of the finished ones those that change alone: an ask copies each trial that it shows otherwise than it is.
        changed = {number for number, value in firsts.items() if number in values or value < lowest}
        values = {number: [max(firsts[number], lowest)] for number in changed}
    return {t.number: _completed(t, values[t.number]) for t in trials if t.number in values}


def most_useful(trials: Sequence[FrozenTrial], limit: int) -> list[FrozenTrial]:
    """At most ``limit`` of the trials with a value: half of them the best, the others the newest."""
    ranked = sorted(trials, key=lambda t: (-_value(t), t.number))
    newest = sorted(trials, key=lambda t: -t.number)
    return best_and_newest(ranked[: limit // 2], newest, limit, key=attrgetter("number"))


class ImputedStudy(optuna.Study):
    """A study as its sampler sees it: trials with imputed final values. Trials are asked of the real study.

    ``trials``: what the sampler sees; ended ones have imputed values where there is a ``predict``. ``limit``: of the
    complete trials the sampler sees at most so many, the most useful. ``waiting``: whether there are trials that are to
    be asked first.

    Trials are never looked for in the storage, which goes through all of them each time.
    """

    def __init__(
        self,
        study: optuna.Study,
        sampler: BaseSampler,
        trials: Sequence[FrozenTrial],
        predict: Predictor | None,
        *,
        limit: int | None = None,
        waiting: bool = False,
    ) -> None:
        # Without a pruner: Optuna hides the trials of other Hyperband brackets from the sampler.
        super().__init__(study.study_name, study._storage, sampler, optuna.pruners.NopPruner())
        changed = imputed(trials, predict, study.directions) if predict else {}
        one = len(study.directions) == 1
        seen = [changed.get(t.number, t) for t in trials if one or t.state != TrialState.PRUNED]
        complete = [t for t in seen if t.state == TrialState.COMPLETE]
        useful = {t.number for t in (complete if limit is None else most_useful(complete, limit))}
        self._seen = [t for t in seen if t.state != TrialState.COMPLETE or t.number in useful]
        self._waiting = waiting

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        # Samplers read trials through this method alone.
        del use_cache
        kept = [t for t in self._seen if states is None or t.state in states]
        return copy.deepcopy(kept) if deepcopy else kept

    def _pop_waiting_trial_id(self) -> int | None:
        popped: int | None = super()._pop_waiting_trial_id() if self._waiting else None
        return popped


def _value(trial: FrozenTrial) -> float:
    """The value of the first objective."""
    value: float = trial.values[0]
    return value


def _completed(trial: FrozenTrial, values: Sequence[float]) -> FrozenTrial:
    completed = copy.copy(trial)
    completed.state, completed.values = TrialState.COMPLETE, values
    return completed
