"""What is known of a configuration before it is tried: the log density of the priors of its hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from search_spaces import SearchSpace, Value
from tune_reg.surrogate.unit_cube import UnitCube

Vector = NDArray[np.float64]

#: The log density of what is usual falls no lower: a prior that is wrong must be overruled by a few trials.
_FLOOR: Final = -4.0


class PriorDensity:
    """The priors of a space, as normal densities of the coordinates of its unit cube.

    ``prior``: whether the priors of the space count; without them every density is 1.

    >>> from search_spaces import Prior, loguniform
    >>> space = SearchSpace({"decay": loguniform(1e-5, 1e-1)}).expecting({"decay": Prior(1e-3, 10)})
    >>> density = PriorDensity(space, UnitCube(space))
    >>> round(density.log({"decay": 1e-3}), 3), round(density.log({"decay": 1e-2}), 3)
    (-0.0, -0.5)
    """

    def __init__(self, space: SearchSpace, cube: UnitCube, *, prior: bool = True) -> None:
        self._space, self._cube = space, cube
        #: Mean and standard deviation of the coordinate of each hyperparameter that has a prior.
        self.coordinates = {
            name: cube.prior(name, of) for name, of in (space.priors if prior else {}).items() if name in space.domains
        }

    def log(self, params: Mapping[str, Value]) -> float:
        """The log density of hyperparameters, without its constant; never below -4."""
        point = self._cube.point(params)
        coordinates = dict(zip(self._space.domains, point.tolist(), strict=True))
        squares = (
            ((coordinates[name] - centre) / width) ** 2
            for name, (centre, width) in self.coordinates.items()
            if name in params
        )
        return float(max(_FLOOR, -0.5 * sum(squares)))

    def log_at(self, points: Vector, used: NDArray[np.bool_]) -> Vector:
        """The log density [n] at points [n, d] of the unit cube, of the hyperparameters that are in use there."""
        squares = np.zeros(len(points))
        for name, (centre, width) in self.coordinates.items():
            index = self._cube.names.index(name)
            squares += np.where(used[:, index], ((points[:, index] - centre) / width) ** 2, 0.0)
        return np.maximum(_FLOOR, -0.5 * squares)
