"""Predicts the final values that stopped trials would have had, from the curves of finished trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial

from search_spaces.domains import widened
from search_spaces.to_optuna import domain_from_optuna, optuna_distribution

#: How far, in a space of three hyperparameters scaled to [0, 1], one trial's gain says something of another's.
_LENGTH: Final = 0.3
#: Variance of the gains that the value so far explains, over that of the gains of different configurations.
_SO_FAR: Final = 0.3
#: Variance of the noise of a gain, over that of the gains of different configurations.
_NOISE: Final = 0.1
#: Finished trials that a prediction is made from at most, the newest: its time grows with their square and cube.
MOST_FINISHED: Final = 100

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Observed:
    """A trial as predictions read it: its configuration on scales of [0, 1], and the value after each epoch, from 1."""

    unit: Vector
    curve: Mapping[int, float]

    @property
    def last(self) -> int:
        """The newest epoch."""
        return max(self.curve)


class Prediction(NamedTuple):
    """The final value that a trial would have had, and its standard deviation, infinite where nothing is known."""

    value: float
    deviation: float


#: The final values of stopped trials, from the curves of finished ones; ``predict`` is one such function.
Predictor = Callable[[Sequence[Observed], Sequence[Observed]], list[Prediction]]


def predict(stopped: Sequence[Observed], finished: Sequence[Observed]) -> list[Prediction]:
    """The final values that stopped trials would have had: the last value, and the gain expected from finished trials.

    Kriging of the gain. For a trial at x that had v after epoch s the value is ``v + m + k' K^-1 (g - m)`` and its
    variance ``(k0 - k' K^-1 k) (g - m)' K^-1 (g - m) / n``. ``g`` are the gains from epoch s to the end of the n
    finished trials that have a value at s, ``m`` is their median, ``K`` the covariances of the finished trials with
    0.1 more on the diagonal, ``k`` those with the trial, ``k0`` its own. The covariance of two trials is
    ``exp(-|x - y|^2 / (2 l^2)) + 0.3 z w`` with ``l^2 = 0.09 d / 3`` in d dimensions, and z and w their values at s in
    standard deviations from the median of the finished ones, cut at 2: a trial that is behind has more to gain. A trial
    far from all finished ones gets about the median gain; where no trial is finished, no gain. Values are in the units
    of the curves.

    >>> here, there = np.array([0.0]), np.array([1.0])
    >>> predict([Observed(here, {1: 0.5})], finished=[Observed(there, {1: 0.25, 2: 0.75})])
    [Prediction(value=1.0, deviation=0.0)]
    """
    predictions = [Prediction(trial.curve[trial.last], math.inf) for trial in stopped]
    for epoch in {trial.last for trial in stopped}:
        comparable = [trial for trial in finished if epoch in trial.curve]
        index = [i for i, trial in enumerate(stopped) if trial.last == epoch]
        if comparable:
            for i, gain in zip(index, _gains([stopped[i] for i in index], comparable, epoch), strict=True):
                predictions[i] = Prediction(predictions[i].value + gain.value, gain.deviation)
    return predictions


def _gains(stopped: Sequence[Observed], finished: Sequence[Observed], epoch: int) -> list[Prediction]:
    """What trials stopped after ``epoch`` would have gained, from the gains of ``finished`` after that epoch."""
    gains = np.array([trial.curve[trial.last] - trial.curve[epoch] for trial in finished])
    median = float(np.median(gains))
    x_finished, x_stopped = (np.stack([trial.unit for trial in trials]) for trials in (finished, stopped))
    v_finished, v_stopped = (np.array([trial.curve[epoch] for trial in trials]) for trials in (finished, stopped))
    z_finished, z_stopped = (_standard(values, v_finished) for values in (v_finished, v_stopped))
    covariance = (
        _kernel(x_finished, x_finished) + _SO_FAR * np.outer(z_finished, z_finished) + _NOISE * np.eye(len(x_finished))
    )
    across = _kernel(x_stopped, x_finished) + _SO_FAR * np.outer(z_stopped, z_finished)
    solved = np.linalg.solve(covariance, np.column_stack([gains - median, across.T]))
    scale = float((gains - median) @ solved[:, 0]) / len(gains)
    unexplained = 1 + _SO_FAR * z_stopped**2 - np.sum(across * solved[:, 1:].T, axis=1)
    expected = median + across @ solved[:, 0]
    deviations = np.sqrt(np.maximum(unexplained, 0) * scale)
    return [Prediction(float(value), float(deviation)) for value, deviation in zip(expected, deviations, strict=True)]


def _standard(values: Vector, among: Vector) -> Vector:
    """``values`` in standard deviations from the median of ``among``, cut at 2."""
    cut: Vector = np.clip((values - np.median(among)) / (np.std(among) + 1e-9), -2, 2)
    return cut


def _kernel(first: Vector, second: Vector) -> Vector:
    """The covariance of configurations [n, d] and [m, d]: [n, m]."""
    squares: Vector = np.sum((first[:, None] - second[None]) ** 2, axis=-1)
    covariance: Vector = np.exp(-squares / (2 * _LENGTH**2 * max(first.shape[1], 1) / 3))
    return covariance


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


def widest(trials: Iterable[FrozenTrial]) -> dict[str, BaseDistribution]:
    """The distribution of each hyperparameter of any trial, with the widest range where trials differ in it."""
    asked: dict[str, BaseDistribution] = {}
    for trial in trials:
        for name, distribution in trial.distributions.items():
            known = asked.setdefault(name, distribution)
            if known is not distribution and known != distribution:
                both = widened(domain_from_optuna(known), domain_from_optuna(distribution))
                asked[name] = optuna_distribution(both)
    return asked


def observed(
    trials: Sequence[FrozenTrial], curves: Iterable[Mapping[int, float]], asked: Mapping[str, BaseDistribution]
) -> list[Observed]:
    """Trials as ``predict`` reads them: each with its curve, and its configuration as ``units`` scales it."""
    return [Observed(unit, curve) for unit, curve in zip(units(trials, asked), curves, strict=True)]
