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
#: Of a larger space, in a report: points that are spread evenly, a power of 2; and neighbours of one configuration.
_SPREAD: Final = 256
_NEAR: Final = 64
#: How far neighbours are away in each coordinate, in turn, and how often one of their coordinates is drawn anew.
_NEARNESS: Final = (0.07, 0.02)
_ANEW: Final = 0.1


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
    points = evenly(cube.dims, _SPREAD, np.random.default_rng(0))
    if cube.dims > 1:
        points = np.concatenate([points, neighbours(near, _NEAR, np.random.default_rng(0))])
    used = cube.used(points)
    return SpacePoints(points, cube.features_at(points, used), density.log_at(points, used))


def evenly(dims: int, count: int, rng: np.random.Generator) -> Vector:
    """Points that are spread evenly over the unit cube: 101 on a line, else ``count`` of a Sobol sequence [n, d].

    >>> evenly(1, 64, np.random.default_rng(0))[:3].round(2).tolist()
    [[0.0], [0.01], [0.02]]
    """
    return np.linspace(0, 1, _ON_A_LINE)[:, None] if dims == 1 else sobol(dims, count, rng)


def sobol(dims: int, count: int, rng: np.random.Generator) -> Vector:
    """The first ``count`` points of a scrambled Sobol sequence [count, d]; ``count`` is best a power of 2."""
    points: Vector = qmc.Sobol(dims, seed=rng).random(count)
    return points


def neighbours(near: Vector, count: int, rng: np.random.Generator) -> Vector:
    """Points around ``near`` [d], within the unit cube [count, d]; a tenth of their coordinates are anywhere.

    >>> neighbours(np.array([0.5, 0.5]), 3, np.random.default_rng(0)).shape
    (3, 2)
    """
    steps = np.resize(_NEARNESS, count)[:, None]
    points = np.clip(near + steps * rng.standard_normal((count, len(near))), 0, 1)
    anew = rng.random(points.shape) < _ANEW
    points[anew] = rng.random(int(anew.sum()))
    return points
