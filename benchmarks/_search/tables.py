"""Problems that replay a table of real learning curves, as ``strength_table.py`` makes them.

For each method M a table has ``M_S`` and ``M_L`` [configurations], strength and learning rate, ``M_curves``
[seed, configuration, epoch], validation accuracy, and ``M_test`` [seed, configuration], test accuracy. Each strength
was trained with each learning rate. The problem "M" searches the strength alone, at the learning rate whose best mean
test accuracy is highest; "M x lr" searches both.

A strength between those of the table has a curve between the two neighbours' curves of the same seed, linear in the
unit coordinate, and bilinear with the learning rate, so that a search sees a continuous function. The strength's scale
is that on which the positive strengths are spaced more evenly, so that a strength of 0 is left out of a logarithmic
one. Where a training diverged, a curve is NaN from there on; what lies nearer to it than to others diverges, too. The
test accuracy of a seed between those of the table follows its curve in this, and is the lowest of the table where the
curve diverges; that of a configuration is the mean over all seeds.
"""

from __future__ import annotations

import math
import zipfile
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _search.problems import Array, to_unit
from search_spaces import Float, Prior, SearchSpace, loguniform, uniform
from tune_reg.regularizers import regularizers
from tune_reg.store.metric import ACCURACY
from tune_reg.study.learning_rate import learning_rate_prior
from tune_reg.training.settings import TrainingSettings

WITH_LEARNING_RATE = " x lr"
LEARNING_RATE = "learning_rate"
#: What ``M_regularizer`` and ``M_hyperparameter`` say in tables that have them, by the methods of those that do not.
ABBREVIATIONS = {
    "wd": ("weight-decay", "weight_decay"),
    "dropout": ("dropout", "rate"),
    "ls": ("label-smoothing", "epsilon"),
    "noise": ("noise-injection", "strength"),
    "db": ("db", "strength"),
}


class TableError(ValueError):
    """A file that is no table of this form."""


class TableProblem:
    """A method of a table, searched by its strength or by strength and learning rate.

    Replay number r takes the seeds of the table in an order of its own: the seed s of a search is the seed of the
    table at place s of this order, from the beginning again where it ends.
    """

    def __init__(self, method: Method, *, learning_rate: bool) -> None:
        self.name = method.name + WITH_LEARNING_RATE * learning_rate
        self.metric = ACCURACY
        self.regularizer = method.regularizer
        self.epochs = method.curves.shape[-1]
        strengths, rates = domain(method.strengths), None
        priors = known_beforehand(method)
        curves, test = method.curves, method.test
        if learning_rate:
            rates = loguniform(float(method.rates[0]), float(method.rates[-1]))
            self.space = SearchSpace({method.hyperparameter: strengths, LEARNING_RATE: rates}, priors=priors)
        else:
            best = int(method.mean_test.max(axis=0).argmax())
            curves, test = curves[:, :, [best]], test[:, :, [best]]
            self.space = SearchSpace({method.hyperparameter: strengths}, priors=priors)
        #: The places of the table's values in the unit cube, one array a hyperparameter; [0] for one that is fixed.
        self._nodes = to_unit_values(method.strengths, strengths), to_unit_values(method.rates, rates)
        self._curves, self._test, self._worst = curves, np.moveaxis(test, 0, -1), method.worst_test

    def training(self, unit: Array, replay: int, number: int, seed: int) -> Array:
        """A curve of one seed of the table, the same for all trials that are trained on it."""
        del number
        order = np.random.default_rng(replay).permutation(self.seeds)
        return self.curve(unit, order[seed % len(order)])

    def regret(self, unit: Array | None) -> float:
        """In points: the highest test accuracy, mean over all seeds, minus that of a configuration."""
        accuracy = self._median if unit is None else self._accuracy(unit)
        return 100 * (self._accuracy(self.best) - accuracy)

    def bias(self, unit: Array | None) -> float:
        """The picked strength minus the best one, in units of the range."""
        if unit is None:
            return math.nan
        return float(unit[0] - self.best[0])

    @cached_property
    def best(self) -> Array:
        """The configuration of the highest mean test accuracy.

        Between nodes it is linear, but jumps half-way where a seed diverges, so that it is highest at a node or there.
        """
        axes = [np.concatenate([nodes, half_way(nodes)]) for nodes in self._nodes[: len(self.space.domains)]]
        units = np.stack([grid.ravel() for grid in np.meshgrid(*axes, indexing="ij")], axis=1)
        best: Array = max(units, key=self._accuracy)
        return best

    @cached_property
    def _median(self) -> float:
        units = np.random.default_rng(0).random((1000, len(self.space.domains)))
        return float(np.median([self._accuracy(unit) for unit in units]))

    @property
    def seeds(self) -> int:
        """How many the table has."""
        return len(self._curves)

    def curve(self, unit: Array, seed: int) -> Array:
        """Validation accuracy after each epoch, trained on a seed of the table."""
        return self._between(self._curves[seed], unit)

    def test_accuracies(self, unit: Array) -> Array:
        """Test accuracy on each seed of the table [seeds]."""
        return worst_where_diverged(self._between(self._test, unit), self._worst)

    def _accuracy(self, unit: Array) -> float:
        """Test accuracy, mean over all seeds of the table."""
        return float(self.test_accuracies(unit).mean())

    def _between(self, values: Array, unit: Array) -> Array:
        """``values`` [strengths, rates, ...] at a point of the unit cube."""
        for nodes, at in zip(self._nodes, (*unit, 0.0)[:2], strict=True):
            if len(nodes) == 1:
                values = values[0]
                continue
            right = int(np.clip(np.searchsorted(nodes, at), 1, len(nodes) - 1))
            share = (at - nodes[right - 1]) / (nodes[right] - nodes[right - 1])
            values = blend(values[right - 1], values[right], share)
        return values


class Method:
    """The arrays of one method of a table, sorted: [seed, strength, learning rate, ...]."""

    def __init__(self, table: dict[str, NDArray[np.generic]], name: str) -> None:
        self.name = name
        known = ABBREVIATIONS.get(name, (name, "strength"))
        self.regularizer = str(table.get(f"{name}_regularizer", known[0]))
        self.hyperparameter = str(table.get(f"{name}_hyperparameter", known[1]))
        strengths, rates = (np.asarray(table[f"{name}_{axis}"], float) for axis in "SL")
        curves, test = (np.asarray(table[f"{name}_{part}"], float) for part in ("curves", "test"))
        if curves.shape[:2] != test.shape or test.shape[1:] != strengths.shape or strengths.shape != rates.shape:
            raise TableError(f"the arrays of {name} do not fit one another")
        self.strengths, self.rates = np.unique(strengths), np.unique(rates)
        if len(self.strengths) < 2 or self.rates[0] <= 0:
            raise TableError(f"{name} must have two strengths at least, and learning rates above 0")
        places = np.searchsorted(self.strengths, strengths), np.searchsorted(self.rates, rates)
        cells = np.full((len(self.strengths), len(self.rates)), -1)
        cells[places] = np.arange(len(strengths))
        if (cells < 0).any() or cells.size != len(strengths):
            raise TableError(f"{name} must have each strength with each learning rate once")
        self.curves, self.test = curves[:, cells], test[:, cells]
        self.worst_test = float(np.nanmin(test))
        #: Mean test accuracy over seeds [strength, learning rate]; the lowest of the table where a training diverged.
        self.mean_test = worst_where_diverged(self.test, self.worst_test).mean(axis=0)
        if domain(self.strengths).log and self.strengths[0] == 0:
            self.strengths, self.mean_test = self.strengths[1:], self.mean_test[1:]
            self.curves, self.test = self.curves[:, 1:], self.test[:, 1:]


def read_methods(path: Path) -> list[Method]:
    """The methods of a table. Raises ``TableError``."""
    try:
        with zipfile.ZipFile(path), np.load(path) as file:  # numpy would take other files, too
            table = dict(file)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise TableError(f"is no file of numpy arrays ({error})") from error
    names = [key.removesuffix("_S") for key in table if key.endswith("_S")]
    lacking = [f"{name}_{part}" for name in names for part in ("L", "curves", "test") if f"{name}_{part}" not in table]
    if not names or lacking:
        raise TableError(f"lacks the array {(lacking or ['M_S'])[0]}")
    return [Method(table, name) for name in names]


def worst_where_diverged(values: Array, worst: float | None = None) -> Array:
    """Accuracies with ``worst``, by default the lowest one of them, in place of NaN."""
    return np.where(np.isnan(values), np.nanmin(values) if worst is None else worst, values)


def table_problems(path: Path) -> list[TableProblem]:
    """The problems of a table, those with the strength alone first. Raises ``TableError``."""
    methods = read_methods(path)
    alone = [TableProblem(method, learning_rate=False) for method in methods]
    return alone + [TableProblem(method, learning_rate=True) for method in methods if len(method.rates) > 1]


def known_beforehand(method: Method) -> dict[str, Prior]:
    """The priors that a study of the method has: those of the regularizer, and of the learning rate.

    A prior of a hyperparameter that is searched on another scale here says nothing.
    """
    rates = loguniform(float(method.rates[0]), float(method.rates[-1]))
    rate_prior = learning_rate_prior(TrainingSettings(), rates)
    priors = {} if rate_prior is None else {LEARNING_RATE: rate_prior}
    space = regularizers()[method.regularizer].space if method.regularizer in regularizers() else SearchSpace()
    usual, here = space.get(method.hyperparameter), domain(method.strengths)
    if method.hyperparameter in space.priors and isinstance(usual, Float) and usual.log == here.log:
        priors[method.hyperparameter] = space.priors[method.hyperparameter]
    return priors


def domain(values: Array) -> Float:
    """The range of strengths, on the scale on which the positive ones are spaced more evenly.

    >>> domain(np.array([0.0, 0.1, 0.2, 0.3])).log, domain(np.array([0.0, 1e-4, 1e-3, 1e-2])).log
    (False, True)
    """
    positive = values[values > 0]
    if len(positive) != len(values[values != 0]) or uneven(np.log(positive)) >= uneven(positive):
        return uniform(float(values[0]), float(values[-1]))
    return loguniform(float(positive[0]), float(positive[-1]))


def uneven(values: Array) -> float:
    """How uneven the gaps of sorted values are: their standard deviation over their mean."""
    gaps = np.diff(values)
    return float(gaps.std() / gaps.mean()) if len(gaps) else 0.0


def half_way(nodes: Array) -> Array:
    """The places next to the middles of neighbouring nodes, on both sides."""
    middles = (nodes[1:] + nodes[:-1]) / 2
    return np.concatenate([middles - 1e-9, middles + 1e-9])


def to_unit_values(values: Array, scale: Float | None) -> Array:
    """Values [n] on a scale from 0 to 1; [0] where nothing is searched."""
    if scale is None:
        return np.zeros(1)
    space = SearchSpace({"value": scale})
    return np.array([to_unit(space, {"value": float(value)})[0] for value in values])


def blend(left: Array, right: Array, share: float) -> Array:
    """The values at ``share`` of the way from left to right; NaN where the nearer one is, else the other one alone."""
    between = left + share * (right - left)
    nearer, other = (left, right) if share < 0.5 else (right, left)
    return np.where(np.isnan(other) & ~np.isnan(nearer), nearer, np.where(np.isnan(nearer), np.nan, between))
