"""The regret of a pick: how much better the best configuration of the space may be than the one that was picked."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tune_reg.surrogate.final_value_model import FinalValueModel

Vector = NDArray[np.float64]

#: Joint draws of the final values.
DRAWS: Final = 2000


class Regret(NamedTuple):
    """Mean and standard deviation of ``max_x f(x) - f(pick)``, f the final value, in its unit."""

    mean: float
    deviation: float


def regret(model: FinalValueModel, pick: int, features: Vector, prior: Vector) -> Regret:
    """What the model expects the regret of one of its trainings to be, from 2,000 joint draws of all final values.

    ``pick``: index of the training. ``features`` [n, k], ``prior`` [n]: of configurations that stand for the space, as
    ``space_points`` gives them; the model's trainings are looked at, too.
    """
    every = np.concatenate([np.stack([training.features for training in model.trainings]), features])
    known = np.concatenate([[training.prior for training in model.trainings], prior])
    return regret_of_draws(model.draws(every, known, DRAWS), pick)


def regret_of_draws(draws: Vector, pick: int) -> Regret:
    """The regret of one configuration by joint draws [draws, n] of the final values of all.

    >>> regret_of_draws(np.array([[0.5, 0.5], [0.5, 0.75]]), 0)
    Regret(mean=0.125, deviation=0.125)
    """
    behind = draws.max(axis=1) - draws[:, pick]
    return Regret(float(behind.mean()), float(behind.std()))
