"""What the sampler is told: every trial at one fidelity.

A stopped trial has no final value. Told its last value as final, a sampler mixes budgets; told nothing, it learns
from the few finished trials alone. So the sampler sees a stopped trial as complete, with the final value that the
finished trials let expect. The journal keeps the truth.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

#: Marks, in the journal, a failed trial as one whose loss was not finite.
DIVERGED: Final = "diverged"

#: How far, in a space of three hyperparameters scaled to [0, 1], one trial's gain says something of another's.
_LENGTH: Final = 0.3
#: Ended trials that are looked at where a sampler is shown a limited number: an ask must not slow down with the search.
_READ: Final = 500
#: Variance of the noise of a gain, over that of the gains of different configurations.
_NOISE: Final = 0.1

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


#: The final values of stopped trials, by what the finished ones did. Another function of this form can stand in.
Predict = Callable[[Sequence[Observed], Sequence[Observed]], list[float]]


def predict(stopped: Sequence[Observed], finished: Sequence[Observed]) -> list[float]:
    """The final values that stopped trials would have had: last value + the gain that finished ones let expect.

    ``v(s) + m + k(x, X) (k(X, X) + 0.1 I)^-1 (g - m)`` for a trial at x stopped after epoch s. ``g`` are the gains
    from epoch s to the end of the finished trials at X that have a value at s, ``m`` is their median and
    ``k(x, y) = exp(-|x - y|^2 / (2 l^2))`` with ``l^2 = 0.09 d / 3`` in d dimensions: kriging of the gain. A trial far
    from all finished ones gets the median gain; where none is finished, none. Values in the units of the curves.

    >>> here, there = np.array([0.0]), np.array([1.0])
    >>> predict([Observed(here, {1: 0.5})], finished=[Observed(there, {1: 0.25, 2: 0.75})])
    [1.0]
    """
    values = [trial.curve[trial.last] for trial in stopped]
    for epoch in {trial.last for trial in stopped}:
        known = [trial for trial in finished if epoch in trial.curve]
        if not known:
            continue
        gains = np.array([trial.curve[trial.last] - trial.curve[epoch] for trial in known])
        median = float(np.median(gains))
        at = np.stack([trial.unit for trial in known])
        weights = np.linalg.solve(_kernel(at, at) + _NOISE * np.eye(len(at)), gains - median)
        index = [i for i, trial in enumerate(stopped) if trial.last == epoch]
        expected = median + _kernel(np.stack([stopped[i].unit for i in index]), at) @ weights
        for i, gain in zip(index, expected, strict=True):
            values[i] += float(gain)
    return values


def _kernel(first: Vector, second: Vector) -> Vector:
    """[n, d], [m, d] -> [n, m]."""
    squares: Vector = np.sum((first[:, None] - second[None]) ** 2, axis=-1)
    near: Vector = np.exp(-squares / (2 * _LENGTH**2 * max(first.shape[1], 1) / 3))
    return near


def unit(trial: FrozenTrial, distributions: Mapping[str, BaseDistribution] | None = None) -> Vector:
    """A configuration with each hyperparameter on a scale of [0, 1], and two choices at distance 1.

    ``distributions``: of all trials that it is compared with; its own where None. A hyperparameter that the trial was
    not asked for stands in the middle.
    """
    place: list[float] = []
    for name, distribution in sorted((distributions or trial.distributions).items()):
        value = trial.params.get(name)
        if isinstance(distribution, CategoricalDistribution):
            place += [math.sqrt(0.5) * (name in trial.params and choice == value) for choice in distribution.choices]
            continue
        assert isinstance(distribution, FloatDistribution | IntDistribution)
        scale: Callable[[float], float] = math.log if distribution.log else float
        low, high = scale(distribution.low), scale(distribution.high)
        place.append(0.5 if value is None or high <= low else (scale(value) - low) / (high - low))
    return np.array(place)


def shown(
    trials: Sequence[FrozenTrial],
    predict: Predict = predict,
    directions: Sequence[StudyDirection] = (StudyDirection.MAXIMIZE,),
) -> dict[int, FrozenTrial]:
    """By number, the trials that a sampler sees otherwise than they are, as it sees them.

    Stopped ones are complete with their predicted value. So are diverged ones, with the worst value among the
    others, in each objective: a sampler that hears nothing of them asks there again.
    """
    finished = [t for t in trials if t.state == TrialState.COMPLETE]
    stopped = [t for t in trials if t.state == TrialState.PRUNED and t.intermediate_values]
    # Where nothing is stopped, nothing is predicted: an ask is the dearest thing that the driver does.
    reported = [t for t in finished if t.intermediate_values] if stopped else []
    asked = {name: distribution for t in trials for name, distribution in t.distributions.items()}
    stopped_curves, finished_curves = (
        [Observed(unit(t, asked), t.intermediate_values) for t in some] for some in (stopped, reported)
    )
    values = predict(stopped_curves, finished_curves)
    told = [_complete(t, [value]) for t, value in zip(stopped, values, strict=True)]
    ended = [t.values for t in [*finished, *told]]
    if ended:
        worst = [
            max(column) if direction == StudyDirection.MINIMIZE else min(column)
            for direction, column in zip(directions, zip(*ended, strict=True), strict=True)
        ]
        told += [_complete(t, worst) for t in trials if DIVERGED in t.user_attrs]
    return {t.number: t for t in told}


def furthest(trials: Sequence[FrozenTrial], limit: int) -> list[FrozenTrial]:
    """``limit`` of ended trials: the half trained longest, the best of equals, and of the others the newest."""

    def rank(trial: FrozenTrial) -> tuple[float, float, int]:
        last = max(trial.intermediate_values, default=-1)
        value = trial.values[0] if trial.values else trial.intermediate_values.get(last, -math.inf)
        return -last, -value, trial.number

    return list(trials) if len(trials) <= limit else _best_and_newest(trials, limit, rank)


def most_useful(trials: Sequence[FrozenTrial], limit: int) -> list[FrozenTrial]:
    """``limit`` of the trials with a value: the best half, and of the others the newest; all where there are fewer."""
    return _best_and_newest(trials, limit, lambda t: (-_value(t), t.number))


def _best_and_newest(
    trials: Sequence[FrozenTrial], limit: int, rank: Callable[[FrozenTrial], tuple[float, ...]]
) -> list[FrozenTrial]:
    ranked = sorted(trials, key=rank)
    best, others = ranked[: limit // 2], ranked[limit // 2 :]
    return best + sorted(others, key=lambda t: -t.number)[: limit - len(best)]


class ShownStudy(optuna.Study):
    """A study as its sampler sees it; what is asked of it is asked of the real one.

    Without ``predict`` the sampler sees the trials as they are. ``limit``: of the complete trials it sees the most
    useful ones alone. ``again``: the number of a trial that is asked for once more; its sampler would take it for a
    running one, and does not see it.
    """

    def __init__(
        self,
        study: optuna.Study,
        sampler: BaseSampler,
        predict: Predict | None,
        *,
        limit: int | None = None,
        again: int | None = None,
    ) -> None:
        # Without a pruner: Optuna hides the trials of other Hyperband brackets from the sampler.
        super().__init__(study.study_name, study._storage, sampler, optuna.pruners.NopPruner())
        ended = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished()]
        read = ended if limit is None else furthest(ended, _READ)
        self._shown = shown(read, predict, study.directions) if predict else {}
        complete = [t for t in (self._shown.get(t.number, t) for t in read) if t.state == TrialState.COMPLETE]
        kept = complete if limit is None else most_useful(complete, limit)
        self._hidden = {t.number for t in ended} - {t.number for t in read}
        self._hidden |= {t.number for t in complete} - {t.number for t in kept}
        if again is not None:
            self._hidden.add(again)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        # Samplers read trials through this method alone.
        trials = [self._shown.get(t.number, t) for t in super()._get_trials(deepcopy=False, use_cache=use_cache)]
        kept = [t for t in trials if t.number not in self._hidden and (states is None or t.state in states)]
        return copy.deepcopy(kept) if deepcopy else kept


def _value(trial: FrozenTrial) -> float:
    """Of the first objective."""
    value: float = trial.values[0]
    return value


def _complete(trial: FrozenTrial, values: Sequence[float]) -> FrozenTrial:
    told = copy.copy(trial)
    told.state, told.values = TrialState.COMPLETE, values
    return told
