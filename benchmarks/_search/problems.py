"""What problems of ``search_efficiency.py`` have in common, and those that need no table of trainings.

Learning curves that cost nothing, with a known true final value, to be maximized. Three kinds: made-up ones whose
curves cross; a random search of this project's own, smoothed; and the multi-fidelity Hartmann functions.
"""

from __future__ import annotations

import csv
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from search_spaces import Float, SearchSpace, loguniform, uniform
from tune_reg.store.metric import ACCURACY, Metric

Array = NDArray[np.float64]


class Problem(Protocol):
    """What is searched. ``units`` [n, d] are configurations, each hyperparameter on its own scale in [0, 1]."""

    name: str
    #: The regularizer whose hyperparameters these are; a word of no meaning where they are those of none.
    regularizer: str
    space: SearchSpace
    epochs: int
    #: What its values are: accuracies, which are shares in [0, 1], or others.
    metric: Metric

    def training(self, unit: Array, replay: int, number: int, seed: int) -> Array:
        """The values after each epoch [epochs] of trial ``number`` of a replay, trained on its ``seed``.

        They are NaN from the epoch on at which the configuration diverges.
        """

    def regret(self, unit: Array | None) -> float:
        """How far a configuration lies below the best one; that of a median configuration where there is none."""

    def bias(self, unit: Array | None) -> float:
        """The picked strength minus the best one, in units of the range; NaN where no strength is best or picked."""


def to_unit(space: SearchSpace, params: Mapping[str, float]) -> Array:
    """A configuration [d] with each hyperparameter on its own scale in [0, 1]."""
    unit = []
    for name, domain in space.domains.items():
        assert isinstance(domain, Float)
        low, high, value = domain.low, domain.high, params[name]
        if domain.log:
            low, high, value = np.log(low), np.log(high), np.log(value)
        unit.append((value - low) / (high - low))
    return np.array(np.clip(unit, 0, 1))


def from_unit(space: SearchSpace, unit: Array) -> dict[str, float]:
    """The configuration that ``to_unit`` puts at ``unit`` [d]."""
    params = {}
    for (name, domain), at in zip(space.domains.items(), unit, strict=True):
        assert isinstance(domain, Float)
        if domain.log:
            value = np.exp(np.log(domain.low) + at * (np.log(domain.high) - np.log(domain.low)))
        else:
            value = domain.low + at * (domain.high - domain.low)
        params[name] = float(np.clip(value, domain.low, domain.high))
    return params


class MadeUp(ABC):
    """A problem that is given by its mean curves, the noise around them, and where it diverges."""

    name: str
    regularizer = "made-up"
    space: SearchSpace
    epochs: int
    metric = ACCURACY

    @abstractmethod
    def mean(self, units: Array) -> Array:
        """Values without noise [n, epochs]; the last is the true final value."""

    @abstractmethod
    def noise(self, unit: Array, rng: np.random.Generator) -> Array:
        """What is added to the mean curve in one training [epochs]."""

    def diverges(self, units: Array) -> Array:
        """The epoch [n] at which a configuration diverges, or infinity."""
        return np.full(len(units), np.inf)

    def training(self, unit: Array, replay: int, number: int, seed: int) -> Array:
        """The mean curve with noise of its own for each trial, whatever the seed."""
        del seed
        values = self.mean(unit[None])[0] + self.noise(unit, np.random.default_rng([replay, number]))
        return np.where(np.arange(1, self.epochs + 1) >= self.diverges(unit[None])[0], np.nan, values)

    def regret(self, unit: Array | None) -> float:
        """The best true final value minus that of a configuration; a diverged one counts as a median one."""
        median, best = self._extremes
        value = median if unit is None else self._truth(unit[None])[0]
        return best - float(median if np.isnan(value) else value)

    def bias(self, unit: Array | None) -> float:
        """NaN: no hyperparameter is the strength."""
        del unit
        return math.nan

    def _truth(self, units: Array) -> Array:
        """True final values [n], NaN where a configuration diverges."""
        return np.where(np.isfinite(self.diverges(units)), np.nan, self.mean(units)[:, -1])

    @cached_property
    def _extremes(self) -> tuple[float, float]:
        """The median over the space and the highest true final value: random points, the best four refined."""
        units = np.random.default_rng(0).random((10_000, len(self.space.domains)))
        values = self._truth(units)
        best = float(np.nanmax(values))
        for start in units[np.argsort(-np.nan_to_num(values, nan=-np.inf))[:4]]:

            def loss(unit: Array) -> float:
                value = self._truth(np.clip(unit, 0, 1)[None])[0]
                return 1e3 if np.isnan(value) else -value

            best = max(best, -minimize(loss, start, method="Nelder-Mead", options={"maxiter": 200}).fun)
        return float(np.nanmedian(values)), best


class Crossing(MadeUp):
    """Three hyperparameters; those that learn fast at first end lower."""

    name = "crossing curves"
    space = SearchSpace({"a": uniform(0, 1), "b": uniform(0, 1), "c": uniform(0, 1)})
    epochs = 9

    def mean(self, units: Array) -> Array:
        a, b, c = units.T
        broad = np.exp(-((a - 0.35) ** 2 + (b - 0.6) ** 2 + (c - 0.4) ** 2) / (2 * 0.35**2))
        narrow = np.exp(-((a - 0.75) ** 2 + (b - 0.25) ** 2 + (c - 0.8) ** 2) / (2 * 0.15**2))
        final = 0.6 + 0.3 * broad + 0.1 * narrow
        rate = 0.6 + 3.4 * a  # in units of 1 / (a third of the training)
        progress = np.arange(1, self.epochs + 1) / self.epochs
        left = np.exp(-3 * rate[:, None] * progress) - np.exp(-3 * rate[:, None])
        return final[:, None] - (0.35 + 0.1 * b[:, None]) * left

    def noise(self, unit: Array, rng: np.random.Generator) -> Array:
        del unit
        return rng.normal(0, 0.004, self.epochs)


class Strength(MadeUp):
    """A response to regularization: strength x learning rate x alpha, with divergence beyond a learning rate.

    Strong regularization is behind in the early epochs and ahead in the late ones; the best learning rates are next
    to those that diverge; what counts is the product of learning rate and strength.
    """

    name = "strength with a cliff"
    space = SearchSpace(
        {"strength": loguniform(1e-6, 1e-1), "learning_rate": loguniform(1e-3, 1.0), "alpha": uniform(-1, 8)}
    )
    epochs = 9

    def mean(self, units: Array) -> Array:
        strength, rate, alpha = -6 + 5 * units[:, 0], -3 + 3 * units[:, 1], -1 + 9 * units[:, 2]
        shrink = strength + rate  # log10 of the decay in a step
        fit = 1 / (1 + np.exp(-(rate + 2.3) / 0.35))
        regular = np.exp(-((shrink + 4.2 + 0.06 * alpha) ** 2) / (2 * 0.8**2))
        crushed = 1 / (1 + np.exp(-(shrink + 2.6) / 0.15))
        final = 0.30 + (0.55 * fit + 0.08 * fit * regular + 0.01 * np.exp(-((alpha - 4) ** 2) / 18)) * (1 - crushed)
        progress = np.arange(1, self.epochs + 1) / self.epochs
        return 0.1 + (final[:, None] - 0.1) * progress ** (0.12 + 0.12 * regular[:, None])

    def diverges(self, units: Array) -> Array:
        beyond = (-3 + 3 * units[:, 1]) - (-0.6 - 0.03 * (-1 + 9 * units[:, 2]))
        return np.where(beyond > 0, np.ceil(np.clip(0.4 / np.maximum(beyond, 1e-9), 1, self.epochs)), np.inf)

    def noise(self, unit: Array, rng: np.random.Generator) -> Array:
        del unit
        return rng.normal(0, 0.004, self.epochs)


class Digits(MadeUp):
    """AdaDecay on digits: the curves of data/digits_adadecay.csv, smoothed over configurations by Gaussian processes.

    One process says which configurations are lost (diverged, or no better than chance in the end): they stay at
    chance. For the others there is one for each of the four leading components of the curves. Noise: how the two
    trainings of one of the ten nearest configurations differ, over sqrt(2).
    """

    name = "digits, replayed"
    space = SearchSpace(
        {
            "learning_rate": loguniform(1e-3, 10**0.5),
            "weight_decay": loguniform(1e-6, 1e-1),
            "alpha": uniform(-1, 8),
        }
    )
    epochs = 8  # every second one of the table
    table = Path(__file__).parents[1] / "data" / "digits_adadecay.csv"

    @cached_property
    def _fitted(self) -> _Fitted:
        params: dict[int, dict[str, float]] = {}
        runs: dict[tuple[int, int], list[float]] = {}
        with self.table.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                number = int(row["configuration"])
                params[number] = {name: float(row[name]) for name in self.space}
                runs.setdefault((number, int(row["seed"])), []).append(float(row["val_accuracy"] or "nan"))
        units = np.stack([to_unit(self.space, params[number]) for number, _ in runs])
        lost = np.array([not curve[-1] >= 0.5 * max(max(c) for c in runs.values()) for curve in runs.values()])
        curves = np.stack([curve[1::2] for curve, gone in zip(runs.values(), lost, strict=True) if not gone])
        centre = curves.mean(axis=0)
        _, _, components = np.linalg.svd(curves - centre, full_matrices=False)
        components = components[:4]
        sound = [gaussian_process().fit(units[~lost], scores) for scores in ((curves - centre) @ components.T).T]
        whole = dict(zip([key for key, gone in zip(runs, lost, strict=True) if not gone], curves, strict=True))
        twice = [number for number, seed in whole if seed == 0 and (number, 1) in whole]
        noise = np.stack([(whole[number, 0] - whole[number, 1]) / np.sqrt(2) for number in twice])
        noise_at = np.stack([to_unit(self.space, params[number]) for number in twice])
        return _Fitted(sound, components, centre, gaussian_process().fit(units, lost.astype(float)), noise, noise_at)

    def mean(self, units: Array) -> Array:
        fitted = self._fitted
        scores = np.stack([model.predict(units) for model in fitted.sound], axis=1)
        curves = np.clip(fitted.centre + scores @ fitted.components, 0.1, 1)
        curves[fitted.lost.predict(units) > 0.5] = 0.1
        return curves

    def noise(self, unit: Array, rng: np.random.Generator) -> Array:
        near = np.argsort(np.sum((self._fitted.noise_at - unit) ** 2, axis=1))[:10]
        return self._fitted.noise[rng.choice(near)] * rng.choice([-1, 1])


class _Fitted(NamedTuple):
    sound: list[GaussianProcessRegressor]
    components: Array
    centre: Array
    lost: GaussianProcessRegressor
    noise: Array
    noise_at: Array


def gaussian_process() -> GaussianProcessRegressor:
    kernel = ConstantKernel(1.0) * Matern([0.5] * 3, (0.05, 20), nu=2.5) + WhiteKernel(0.1, (1e-4, 1))
    return GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=2, random_state=0)


class Hartmann(MadeUp):
    """MFHartmann, preset "good", with as many fidelities as epochs, negated.

    Kandasamy et al. 2017, Multi-fidelity Bayesian optimisation with continuous approximations, ICML; bias, noise
    and presets as in mf-prior-bench 1.10.0 (Mallik et al. 2023, PriorBand, NeurIPS), whose values
    these are: ``mfpbench.synthetic.hartmann.generators``.
    """

    epochs = 9
    metric = Metric("value")
    _lost, _scatter = 2.5, 2.0

    def __init__(self, dims: int) -> None:
        self.name = f"MFHartmann {dims}D"
        self.space = SearchSpace({f"x{i}": uniform(0, 1) for i in range(dims)})
        self._a, self._p = HARTMANN[dims]

    def mean(self, units: Array) -> Array:
        near = np.exp(-np.sum(self._a * (units[:, None, :] - 1e-4 * self._p) ** 2, axis=-1))  # [n, 4]
        alpha = np.array([1.0, 1.2, 3.0, 3.2])
        return np.stack([near @ (alpha - self._lost * (1 - z)) for z in self._fidelity()], axis=1)

    def noise(self, unit: Array, rng: np.random.Generator) -> Array:
        del unit
        return -np.abs(rng.normal(size=self.epochs)) * self._scatter * (1 - self._fidelity())

    def _fidelity(self) -> Array:
        return np.log(np.arange(1, self.epochs + 1)) / np.log(self.epochs)


HARTMANN: dict[int, tuple[Array, Array]] = {
    3: (
        np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]], dtype=float),
        np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]], dtype=float),
    ),
    6: (
        np.array(
            [
                [10, 3, 17, 3.5, 1.7, 8],
                [0.05, 10, 17, 0.1, 8, 14],
                [3, 3.5, 1.7, 10, 17, 8],
                [17, 8, 0.05, 10, 0.1, 14],
            ]
        ),
        np.array(
            [
                [1312, 1696, 5569, 124, 8283, 5886],
                [2329, 4135, 8307, 3736, 1004, 9991],
                [2348, 1451, 3522, 2883, 3047, 6650],
                [4047, 8828, 8732, 5743, 1091, 381],
            ],
            dtype=float,
        ),
    ),
}

PROBLEMS: list[Problem] = [Crossing(), Strength(), Digits(), Hartmann(3), Hartmann(6)]
