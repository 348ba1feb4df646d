"""Configurations that stand for a whole search space, wherever something is asked of all of it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from search_spaces import Value
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


class Configurations(NamedTuple):
    """Configurations as the model of final values reads them."""

    params: tuple[dict[str, Value], ...]
    features: Vector  # [n, k], as ``UnitCube.features`` gives them
    prior: Vector  # [n], log density of what is known beforehand


def configurations(cube: UnitCube, density: PriorDensity, points: Vector) -> Configurations:
    """The configurations at points [n, d] of the unit cube of a space."""
    params = tuple(cube.params(point) for point in points)
    features = np.array([cube.features(each) for each in params])
    return Configurations(params, features, np.array([density.log(each) for each in params]))


def space_points(cube: UnitCube, density: PriorDensity, *, near: Vector) -> Configurations:
    """Points that stand for a space: 101 on a line, else 256 of a Sobol sequence and 64 neighbours of ``near`` [d].

    >>> from search_spaces import SearchSpace, loguniform
    >>> space = SearchSpace({"strength": loguniform(1e-4, 1.0)})
    >>> cube = UnitCube(space)
    >>> points = space_points(cube, PriorDensity(space, cube), near=np.array([0.5]))
    >>> len(points.params), round(points.params[50]["strength"], 6)
    (101, 0.01)
    """
    if cube.dims == 1:
        points = np.linspace(0, 1, _ON_A_LINE)[:, None]
    else:
        even = qmc.Sobol(cube.dims, seed=0).random(_SPREAD)
        steps = np.resize(_NEARNESS, _NEAR)[:, None] * np.random.default_rng(0).standard_normal((_NEAR, cube.dims))
        points = np.concatenate([even, np.clip(near + steps, 0, 1)])
    return configurations(cube, density, points)
