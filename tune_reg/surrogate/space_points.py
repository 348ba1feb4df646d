"""Configurations that stand for a whole search space, wherever something is asked of all of it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from tune_reg.surrogate.prior_density import PriorDensity
from tune_reg.surrogate.unit_cube import UnitCube

Vector = NDArray[np.float64]

#: Points of a space of one hyperparameter.
_ON_A_LINE: Final = 101
#: Points of a larger space, spread evenly, a power of 2; and neighbours of one configuration.
_SPREAD: Final = 256
_NEAR: Final = 64
#: How far neighbours are away in each coordinate, in turn.
_NEARNESS: Final = (0.07, 0.02)


class SpacePoints(NamedTuple):
    """Points of the unit cube of a space, as the model of final values reads them."""

    points: Vector  # [n, d]
    features: Vector  # [n, k], as ``UnitCube.features`` gives them
    prior: Vector  # [n], log density of what is known beforehand


def space_points(cube: UnitCube, density: PriorDensity, *, near: Vector) -> SpacePoints:
    """Points that stand for a space: 101 on a line, else 256 of a Sobol sequence and 64 neighbours of ``near`` [d].

    >>> from search_spaces import SearchSpace, loguniform
    >>> space = SearchSpace({"strength": loguniform(1e-4, 1.0)})
    >>> cube = UnitCube(space)
    >>> len(space_points(cube, PriorDensity(space, cube), near=np.array([0.5])).points)
    101
    """
    if cube.dims == 1:
        points = np.linspace(0, 1, _ON_A_LINE)[:, None]
    else:
        even = qmc.Sobol(cube.dims, seed=0).random(_SPREAD)
        steps = np.resize(_NEARNESS, _NEAR)[:, None] * np.random.default_rng(0).standard_normal((_NEAR, cube.dims))
        points = np.concatenate([even, np.clip(near + steps, 0, 1)])
    used = cube.used(points)
    return SpacePoints(points, cube.features_at(points, used), density.log_at(points, used))
