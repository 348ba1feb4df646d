"""What the sampler is told: every trial at one fidelity.

A stopped trial has no final value. Told its last value as final, a sampler mixes budgets; told nothing, it learns
from the few finished trials alone. So the sampler sees a stopped trial as complete, with the final value that the
finished trials let expect. The journal keeps the truth.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from tune_reg.search.ended import best_and_newest

#: Marks, in the journal, a failed trial as one whose loss was not finite.
DIVERGED: Final = "diverged"

#: How far, in a space of three hyperparameters scaled to [0, 1], one trial's gain says something of another's.
_LENGTH: Final = 0.3
#: Variance of the gains that the value so far explains, over that of the gains of different configurations.
_SO_FAR: Final = 0.3
#: Variance of the noise of a gain, over that of the gains of different configurations.
_NOISE: Final = 0.1
#: Finished trials that a prediction is made from at most, the newest: its time grows with their square and cube.
TEACHERS: Final = 100

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Observed:
    """A trial: its configuration on scales of [0, 1], and the value after each epoch, from 1."""

    unit: Vector
    curve: Mapping[int, float]

    @property
    def last(self) -> int:
        """The newest epoch."""
        return max(self.curve)


class Prediction(NamedTuple):
    """A final value that a trial would have had, and its standard deviation; infinite where nothing is known."""

    value: float
    deviation: float


#: The final values of stopped trials, by what the finished ones did. Another function of this form can stand in.
Predict = Callable[[Sequence[Observed], Sequence[Observed]], list[Prediction]]


def predict(stopped: Sequence[Observed], finished: Sequence[Observed]) -> list[Prediction]:
    """The final values that stopped trials would have had: last value + the gain that finished ones let expect.

    Kriging of the gain. For a trial at x that had v after epoch s the value is ``v + m + k' K^-1 (g - m)`` and its
    variance ``(k0 - k' K^-1 k) (g - m)' K^-1 (g - m) / n``. ``g`` are the gains from epoch s to the end of the n
    finished trials that have a value at s, ``m`` is their median, ``K`` the covariances of the finished trials with
    0.1 more on the diagonal, ``k`` those with the trial, ``k0`` its own. The covariance of two trials is
    ``exp(-|x - y|^2 / (2 l^2)) + 0.3 z w`` with ``l^2 = 0.09 d / 3`` in d dimensions, and z and w their values at s in
    standard deviations from the median of the finished ones, cut at 2: who is behind has more to gain. A trial far from
    all finished ones gets about the median gain; where none is finished, none. Values in the units of the curves.

    >>> here, there = np.array([0.0]), np.array([1.0])
    >>> predict([Observed(here, {1: 0.5})], finished=[Observed(there, {1: 0.25, 2: 0.75})])
    [Prediction(value=1.0, deviation=0.0)]
    """
    predictions = [Prediction(trial.curve[trial.last], math.inf) for trial in stopped]
    for epoch in {trial.last for trial in stopped}:
        known = [trial for trial in finished if epoch in trial.curve]
        index = [i for i, trial in enumerate(stopped) if trial.last == epoch]
        if known:
            for i, gain in zip(index, _gains([stopped[i] for i in index], known, epoch), strict=True):
                predictions[i] = Prediction(predictions[i].value + gain.value, gain.deviation)
    return predictions


def _gains(stopped: Sequence[Observed], known: Sequence[Observed], epoch: int) -> list[Prediction]:
    """What trials stopped after ``epoch`` would have gained, by the gains of ``known`` from there."""
    gains = np.array([trial.curve[trial.last] - trial.curve[epoch] for trial in known])
    median = float(np.median(gains))
    at, new = np.stack([trial.unit for trial in known]), np.stack([trial.unit for trial in stopped])
    values, own = (np.array([trial.curve[epoch] for trial in some]) for some in (known, stopped))
    behind, own_behind = (_standard(some, values) for some in (values, own))
    covariance = _kernel(at, at) + _SO_FAR * np.outer(behind, behind) + _NOISE * np.eye(len(at))
    across = _kernel(new, at) + _SO_FAR * np.outer(own_behind, behind)
    solved = np.linalg.solve(covariance, np.column_stack([gains - median, across.T]))
    scale = float((gains - median) @ solved[:, 0]) / len(gains)
    left = 1 + _SO_FAR * own_behind**2 - np.sum(across * solved[:, 1:].T, axis=1)
    expected = median + across @ solved[:, 0]
    deviations = np.sqrt(np.maximum(left, 0) * scale)
    return [Prediction(float(value), float(deviation)) for value, deviation in zip(expected, deviations, strict=True)]


def _standard(values: Vector, among: Vector) -> Vector:
    """In standard deviations from the median of ``among``, cut at 2."""
    cut: Vector = np.clip((values - np.median(among)) / (np.std(among) + 1e-9), -2, 2)
    return cut


def _kernel(first: Vector, second: Vector) -> Vector:
    """[n, d], [m, d] -> [n, m]."""
    squares: Vector = np.sum((first[:, None] - second[None]) ** 2, axis=-1)
    near: Vector = np.exp(-squares / (2 * _LENGTH**2 * max(first.shape[1], 1) / 3))
    return near


def units(trials: Sequence[FrozenTrial], asked: Mapping[str, BaseDistribution]) -> Vector:
    """Configurations [n, d] with each hyperparameter on a scale of [0, 1], and two choices at distance 1.

    ``asked``: the distributions of all trials that they are compared with. A hyperparameter that a trial was not asked
    for stands in the middle.
    """
    columns: list[list[float]] = []
    for name, distribution in sorted(asked.items()):
        if isinstance(distribution, CategoricalDistribution):
            columns += [
                [math.sqrt(0.5) * (name in trial.params and trial.params[name] == choice) for trial in trials]
                for choice in distribution.choices
            ]
            continue
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        scale: Callable[[float], float] = math.log if distribution.log else float
        low, high = scale(distribution.low), scale(distribution.high)
        values = [trial.params.get(name) for trial in trials]
        columns.append([0.5 if v is None or high <= low else (scale(v) - low) / (high - low) for v in values])
    return np.array(columns, dtype=np.float64).T.reshape(len(trials), len(columns))


def observed(
    trials: Sequence[FrozenTrial], curves: Iterable[Mapping[int, float]], asked: Mapping[str, BaseDistribution]
) -> list[Observed]:
    """Trials with these curves, and their configurations as ``units`` puts them."""
    return [Observed(unit, curve) for unit, curve in zip(units(trials, asked), curves, strict=True)]


def shown(
    trials: Sequence[FrozenTrial],
    predict: Predict = predict,
    directions: Sequence[StudyDirection] = (StudyDirection.MAXIMIZE,),
) -> dict[int, FrozenTrial]:
    """By number, the trials that a sampler sees otherwise than they are, as it sees them.

    Stopped ones are complete with their predicted value. So are diverged ones, with the worst value among the
    others, in each objective: a sampler that hears nothing of them asks there again. Where there is one objective,
    values as far below the median as the best is above, or further, are told to be just so far below: how bad the bad
    ones are is of no use, and would take up most of what a Gaussian process can fit.
    """
    finished = [t for t in trials if t.state == TrialState.COMPLETE]
    stopped = [t for t in trials if t.state == TrialState.PRUNED and t.intermediate_values]
    # Where nothing is stopped, nothing is predicted: an ask is the dearest thing that the driver does.
    reported = [t for t in finished if t.intermediate_values] if stopped else []
    asked = {name: distribution for t in (*finished, *stopped) for name, distribution in t.distributions.items()}
    stopped_curves, finished_curves = (
        observed(some, (t.intermediate_values for t in some), asked) for some in (stopped, reported[-TEACHERS:])
    )
    predictions = predict(stopped_curves, finished_curves)
    told = {t.number: [prediction.value] for t, prediction in zip(stopped, predictions, strict=True)}
    ended = [*(t.values for t in finished), *told.values()]
    if not ended:
        return {}
    worst = [
        max(column) if direction == StudyDirection.MINIMIZE else min(column)
        for direction, column in zip(directions, zip(*ended, strict=True), strict=True)
    ]
    told |= {t.number: worst for t in trials if DIVERGED in t.user_attrs}
    if len(directions) == 1:
        values = {t.number: _value(t) for t in finished} | {number: value for number, (value,) in told.items()}
        lowest = 2 * float(np.median(list(values.values()))) - max(values.values())
        # Of the finished ones those that change alone: an ask copies each trial that it shows otherwise than it is.
        changed = {number for number, value in values.items() if number in told or value < lowest}
        told = {number: [max(values[number], lowest)] for number in changed}
    return {t.number: _complete(t, told[t.number]) for t in trials if t.number in told}


def most_useful(trials: Sequence[FrozenTrial], limit: int) -> list[FrozenTrial]:
    """``limit`` of the trials with a value: the best half, and of the others the newest; all where there are fewer."""
    ranked = sorted(trials, key=lambda t: (-_value(t), t.number))
    return best_and_newest(ranked[: limit // 2], sorted(trials, key=lambda t: -t.number), limit)


class ShownStudy(optuna.Study):
    """A study as its sampler sees it; what is asked of it is asked of the real one.

    ``trials``: what it sees, but for ended ones that have another value where there is a ``predict``. ``limit``: of the
    complete ones it sees the most useful alone. ``waiting``: whether there are trials that are to be asked first.

    It never looks for trials in the storage, which goes through all of them each time.
    """

    def __init__(
        self,
        study: optuna.Study,
        sampler: BaseSampler,
        trials: Sequence[FrozenTrial],
        predict: Predict | None,
        *,
        limit: int | None = None,
        waiting: bool = False,
    ) -> None:
        # Without a pruner: Optuna hides the trials of other Hyperband brackets from the sampler.
        super().__init__(study.study_name, study._storage, sampler, optuna.pruners.NopPruner())
        told = shown(trials, predict, study.directions) if predict else {}
        seen = [told.get(t.number, t) for t in trials]
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
    """Of the first objective."""
    value: float = trial.values[0]
    return value


def _complete(trial: FrozenTrial, values: Sequence[float]) -> FrozenTrial:
    told = copy.copy(trial)
    told.state, told.values = TrialState.COMPLETE, values
    return told
