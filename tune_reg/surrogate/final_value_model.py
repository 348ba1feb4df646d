"""The model of final values: what a search expects of every configuration, from all trainings that it has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tune_reg.surrogate.gaussian_process import Expected, GaussianProcess, Points
from tune_reg.surrogate.value_scale import ValueScale

Vector = NDArray[np.float64]

#: So many draws of the model's scales stand for their posterior.
_SCALES: Final = 4


@dataclass(frozen=True)
class Training:
    """One training of a configuration, as far as it has come."""

    #: As ``UnitCube.features`` gives them.
    features: Vector
    #: Log density of what is known of the configuration beforehand, without its constant.
    prior: float
    #: Which of the search's seeds it is trained on.
    seed: int
    #: Value at each rung that it has passed, by the rung's index: larger is better, as of the validation accuracy.
    values: Mapping[int, float]
    #: Its loss became infinite: its final value is the lowest that was seen.
    diverged: bool = False
    #: The rung that it is on its way to, where it is believed to come to what is expected there; None if it is not.
    under_way_to: int | None = None


class FinalValueModel:
    """Mean and deviation of the final value of any configuration, from trainings on their way and at their end.

    See ``GaussianProcess`` for the model itself, which reads values on the scale of ``ValueScale``. ``trainings``: at
    least one of them with a value. ``groups``: see ``UnitCube.groups``. ``rungs``: how many there are; the last one is
    the end of a training. ``shares``: whether values are shares in [0, 1], as accuracies are.
    """

    def __init__(
        self, trainings: Sequence[Training], groups: NDArray[np.int64], rungs: int, *, shares: bool = True
    ) -> None:
        self.trainings = trainings
        self.rungs = rungs
        seen = [(i, rung, value) for i, training in enumerate(trainings) for rung, value in training.values.items()]
        values = np.array([value for _, _, value in seen])
        lowest = float(values.min())
        lost = [i for i, training in enumerate(trainings) if training.diverged]
        self.scale = ValueScale.of(values, shares=shares)
        points = self.points([*((i, rung) for i, rung, _ in seen), *((i, rungs - 1) for i in lost)])
        scaled = self.scale.scaled(np.concatenate([values, np.full(len(lost), lowest)]))
        process = GaussianProcess(points, scaled, groups, rungs)
        under_way = [(i, to) for i, t in enumerate(trainings) if (to := t.under_way_to) is not None]
        if under_way:
            believed = self.points(under_way)
            process = process.believing(believed)
        self._process = process

    def points(self, trainings_and_rungs: Sequence[tuple[int, int]]) -> Points:
        """Rungs of the model's trainings, by their indices, as the Gaussian process reads them."""
        chosen = [self.trainings[i] for i, _ in trainings_and_rungs]
        return Points(
            np.stack([training.features for training in chosen]),
            np.array([i for i, _ in trainings_and_rungs], np.int64),
            np.array([rung for _, rung in trainings_and_rungs], np.int64),
            np.array([training.seed for training in chosen], np.int64),
            np.array([training.prior for training in chosen]),
        )

    @staticmethod
    def new_points(features: Vector, prior: Vector, seed: int, rung: int) -> Points:
        """Trainings of configurations [n, features] that have not begun, at a rung."""
        n = len(features)
        return Points(features, np.full(n, -1), np.full(n, rung), np.full(n, seed), prior)

    def expect(self, features: Vector, prior: Vector) -> Expected:
        """What is expected of configurations [n, features], on the scale of the model."""
        return self._process.expect(features, prior)

    def expect_trainings(self) -> Expected:
        """What is expected of the configuration of each training, on the scale of the model."""
        return self.expect(
            np.stack([training.features for training in self.trainings]),
            np.array([training.prior for training in self.trainings]),
        )

    def values(self, expected: Expected) -> tuple[Vector, Vector]:
        """Mean and standard deviation of the final value of configurations."""
        return self.scale.mean_and_deviation(expected.mean, expected.deviation)

    def draws(self, features: Vector, prior: Vector, count: int) -> Vector:
        """Joint draws of the final values of configurations [count, n], always the same ones.

        Of a few trials the scales of the model are not well known, so the draws are those of several: by their
        posterior, where ``expect`` has the likeliest ones alone. ``count``: a multiple of 4.
        """
        drawn = [
            process.expect(features, prior).draws(count // _SCALES, seed)
            for seed, process in enumerate(self._plausible)
        ]
        return self.scale.value(np.concatenate(drawn))

    @cached_property
    def _plausible(self) -> list[GaussianProcess]:
        return self._process.plausible(_SCALES)
