"""The model of final values of one search: its trials as trainings, and what is expected of them."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from optuna.trial import TrialState

from search_spaces import SearchSpace
from tune_reg.search.candidates import Candidates
from tune_reg.search.imputed_study import DIVERGED
from tune_reg.search.pauses import Standing
from tune_reg.search.trial import ExpectedValue
from tune_reg.surrogate.final_value_model import FinalValueModel, Training
from tune_reg.surrogate.gaussian_process import Points
from tune_reg.surrogate.most_informative import most_informative

Vector = NDArray[np.float64]

#: A trial whose expected value and so many deviations are below the best expected value never goes on.
_HOPELESS: Final = 3.0


@dataclass(frozen=True)
class Reading:
    """How the trials of a search are read as trainings.

    ``rungs``: epochs of a training, the last one its end. ``seeds``: how many the search has; a trial that is trained
    again takes the next one.
    """

    space: SearchSpace
    candidates: Candidates
    rungs: tuple[int, ...]
    seeds: int

    def trainings(self, standing: Standing) -> list[Training]:
        """The trainings of a trial: those that have passed a rung, are under way, diverged or failed."""
        frozen = standing.frozen
        if not frozen.params or (standing.running and standing.until == 0):
            return []  # its process was killed while it asked
        params = self.space.complete(frozen.params)
        features, prior = self.candidates.cube.features(params), self.candidates.log_prior(params)
        epochs, curve = self.rungs[-1], frozen.intermediate_values
        last = max(standing.step, standing.until if standing.running else 0, 1)
        trainings = []
        count = math.ceil(last / epochs)
        for of_trial in range(count):
            values = {
                index: curve[step]
                for index, rung in enumerate(self.rungs)
                if (step := of_trial * epochs + rung) in curve
            }
            newest = of_trial == count - 1
            trainings.append(
                Training(
                    features,
                    prior,
                    standing.seed(of_trial, self.seeds),
                    values,
                    diverged=newest and DIVERGED in frozen.user_attrs,
                    under_way_to=self._way(standing, values) if newest else None,
                )
            )
        return trainings

    def _way(self, standing: Standing, values: dict[int, float]) -> int | None:
        """The rung that a trial is believed to come to: that to which it trains, or the next one, where it failed."""
        frozen = standing.frozen
        if standing.running:
            live = standing.step < standing.until
            return self.rungs.index((standing.until - 1) % self.rungs[-1] + 1) if live else None
        if frozen.state != TrialState.FAIL or DIVERGED in frozen.user_attrs:
            return None
        return min(max(values, default=-1) + 1, len(self.rungs) - 1)


class TrialsModel:
    """The final values that are expected of the trials of a search, by all that is in its journal.

    ``final_values``: the model of the trainings. ``keys``: the number of the trial of each of
    them, and which of the trial's trainings it is.
    """

    def __init__(self, final_values: FinalValueModel, keys: Sequence[tuple[int, int]], reading: Reading) -> None:
        self.final_values = final_values
        self._keys = keys
        self._places = {key: place for place, key in enumerate(keys)}
        self.reading = reading
        self._expected = final_values.expect_trainings()

    @classmethod
    def of(cls, standings: Sequence[Standing], reading: Reading, *, shares: bool) -> Self | None:
        """The model of some trials; None while none of them has a value. ``shares``: whether values lie in [0, 1]."""
        keyed = [
            ((standing.frozen.number, of_trial), training)
            for standing in standings
            for of_trial, training in enumerate(reading.trainings(standing))
        ]
        if not any(training.values for _, training in keyed):
            return None
        keyed = most_informative(keyed)
        trainings = [training for _, training in keyed]
        final_values = FinalValueModel(trainings, reading.candidates.cube.groups, len(reading.rungs), shares=shares)
        return cls(final_values, [key for key, _ in keyed], reading)

    @property
    def best(self) -> int:
        """The number of the trial of the highest expected value."""
        return self._keys[int(self._expected.mean.argmax())][0]

    def expected_values(self) -> list[ExpectedValue]:
        """What is expected of each trial that has passed a rung."""
        means, deviations = self.final_values.values(self._expected)
        return [
            ExpectedValue(number, float(mean), float(deviation))
            for (number, of_trial), training, mean, deviation in zip(
                self._keys, self.final_values.trainings, means, deviations, strict=True
            )
            if of_trial == 0 and training.values
        ]

    def hopes(self) -> dict[int, float]:
        """How far the expected value of each trial may be above the best one, on the scale of the model."""
        hope = self._expected.mean + _HOPELESS * self._expected.deviation - self._expected.mean.max()
        return {number: above for (number, _), above in zip(self._keys, hope.tolist(), strict=True)}

    def points(self, standings: Sequence[Standing], untils: Sequence[int]) -> Points:
        """What trials that train to the steps ``untils`` would be seen at, as the model reads it; at least one."""
        return functools.reduce(Points.joined, map(self._point, standings, untils))

    def _point(self, standing: Standing, until: int) -> Points:
        of_trial, epoch = divmod(until - 1, self.reading.rungs[-1])
        rung = self.reading.rungs.index(epoch + 1)
        key = standing.frozen.number, of_trial
        if key in self._places:
            return self.final_values.points([(self._places[key], rung)])
        # It is trained again, with another seed; or it is not among those that the model reads.
        first, *_ = self.reading.trainings(standing)
        seed = standing.seed(of_trial, self.reading.seeds)
        return self.final_values.new_points(first.features[None], np.array([first.prior]), seed, rung)

    def is_near_a_training(self, features: Vector, distance: float) -> bool:
        """Whether a training is no further from a configuration than ``distance``, in any of its coordinates."""
        tried = np.stack([training.features for training in self.final_values.trainings])
        return bool(np.abs(tried - features).max(axis=1).min() <= distance)
