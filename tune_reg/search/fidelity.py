"""What the sampler is told: every trial at one fidelity.

A stopped trial has no final value. Told its last value as final, a sampler mixes budgets; told nothing, it learns
from the few finished trials alone. So the sampler sees a stopped trial as complete, with the final value that the
finished trials let expect. The journal keeps the truth.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Final

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

#: Marks, in the journal, a failed trial as one whose loss was not finite.
DIVERGED: Final = "diverged"

#: The value after each epoch, from 1.
Curve = Mapping[int, float]

#: Final values of ``stopped`` curves, by what ``finished`` ones did; anything of this form can stand in.
Predict = Callable[[Sequence[Curve], Sequence[Curve]], list[float]]


def predict(stopped: Sequence[Curve], finished: Sequence[Curve]) -> list[float]:
    """The final values that stopped curves would have had: last value + median gain of the finished ones.

    ``v(s) + median_j(f_j(end) - f_j(s))`` for a curve stopped after epoch s; the median is over the finished curves
    that have a value at s, and the gain is 0 where none has. All values in the units of the curves.

    >>> predict([{1: 0.25}], finished=[{1: 0.5, 2: 0.75}, {1: 0.25, 2: 0.5}])
    [0.5]
    """
    gains: dict[int, float] = {}
    values = []
    for curve in stopped:
        last = max(curve)
        if last not in gains:
            known = [other[max(other)] - other[last] for other in finished if last in other]
            gains[last] = statistics.median(known) if known else 0.0
        values.append(curve[last] + gains[last])
    return values


def shown(trials: Sequence[FrozenTrial], predict: Predict = predict) -> dict[int, FrozenTrial]:
    """By number, the trials that a sampler sees otherwise than they are, as it sees them.

    Stopped ones are complete with their predicted value. So are diverged ones, with the worst value among the
    others: a sampler that hears nothing of them asks there again.
    """
    finished = [t for t in trials if t.state == TrialState.COMPLETE]
    stopped = [t for t in trials if t.state == TrialState.PRUNED and t.intermediate_values]
    values = predict([t.intermediate_values for t in stopped], [t.intermediate_values for t in finished])
    told = [_complete(t, value) for t, value in zip(stopped, values, strict=True)]
    worst = min((t.value for t in [*finished, *told] if t.value is not None), default=None)
    if worst is not None:
        told += [_complete(t, worst) for t in trials if DIVERGED in t.user_attrs]
    return {t.number: t for t in told}


class ShownStudy(optuna.Study):
    """A study as its sampler sees it; what is asked of it is asked of the real one.

    Without ``predict`` the sampler sees the trials as they are. It does not see trial ``hidden``: one that is asked
    for again, and that its sampler would take for a running one.
    """

    def __init__(
        self, study: optuna.Study, sampler: BaseSampler, predict: Predict | None, *, hidden: int | None = None
    ) -> None:
        # Without a pruner: Optuna hides the trials of other Hyperband brackets from the sampler.
        super().__init__(study.study_name, study._storage, sampler, optuna.pruners.NopPruner())
        self._hidden = hidden
        self._shown = shown(study.get_trials(deepcopy=False), predict) if predict else {}

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        # Samplers read trials through this method alone.
        trials = [self._shown.get(t.number, t) for t in super()._get_trials(deepcopy=False, use_cache=use_cache)]
        kept = [t for t in trials if t.number != self._hidden and (states is None or t.state in states)]
        return copy.deepcopy(kept) if deepcopy else kept


def _complete(trial: FrozenTrial, value: float) -> FrozenTrial:
    told = copy.copy(trial)
    told.state, told.value = TrialState.COMPLETE, value
    return told
