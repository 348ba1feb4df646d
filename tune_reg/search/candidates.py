"""The configurations that a search looks at: those it begins with, and those it weighs against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from search_spaces import SearchSpace, Value
from tune_reg.surrogate.prior_density import PriorDensity
from tune_reg.surrogate.space_points import evenly, neighbours, sobol
from tune_reg.surrogate.unit_cube import UnitCube
from tune_reg.training.seeding import derive

Vector = NDArray[np.float64]

#: Points of a space of several hyperparameters, spread evenly; and as many around the values that are usual, where
#: these are known.
_SPREAD: Final = 128
#: Neighbours of the best configuration so far.
_NEAR: Final = 48
#: Trials that are trained to the end before anything is weighed, at most.
_MOST_TO_THE_END: Final = 4


class Candidates:
    """Configurations of one space: the first ones, and those that a decision is made among.

    ``prior``: whether the priors of the space count. Everything is drawn from ``seed`` and ``name``, so that a search
    that goes on draws what an undisturbed one would have drawn.
    """

    def __init__(self, space: SearchSpace, name: str, *, seed: int, trials: int, prior: bool = True) -> None:
        self.cube = UnitCube(space)
        self._space = space
        self._seed, self._name = seed, name
        self._density = PriorDensity(space, self.cube, prior=prior)
        self._priors = self._density.coordinates
        dims = self.cube.dims
        #: So many trials are trained to the end before anything is weighed.
        self.first_to_the_end = max(1, min(dims + 2, _MOST_TO_THE_END, trials // 2))
        #: Starting points that the space gives: each of them is tried.
        self.given = min(len(space.start), trials)
        self._first = self._drawn("first", _SPREAD)
        base = evenly(dims, _SPREAD, self._rng("spread"))
        if dims > 1 and self._priors:
            base = np.concatenate([base, self._drawn("usual", _SPREAD)])
        self._base = self._described([self.cube.params(point) for point in base])

    def first(self, number: int) -> dict[str, Value]:
        """Trial ``number`` of those that begin before anything is known: starting points, usual values, draws."""
        usual = self.cube.values(self._usual())
        begun = [self._space.complete({**usual, **start}) for start in self._space.start]
        at_usual = self._space.complete(usual)
        point = self.cube.point(at_usual)  # a value may come back from its coordinate with another last digit
        if not any(np.allclose(self.cube.point(params), point, rtol=0, atol=1e-9) for params in begun):
            begun.append(at_usual)
        if number < len(begun):
            return begun[number]
        return self.cube.params(self._first[(number - len(begun)) % len(self._first)])

    def around(
        self, best: Mapping[str, Value], number: int, known: Sequence[Mapping[str, Value]]
    ) -> tuple[list[dict[str, Value]], Vector, Vector]:
        """What trial ``number`` is chosen from: configurations, their features [n, k], their log prior [n]."""
        params, features, prior = self._base
        if self.cube.dims == 1:
            return params, features, prior
        rng = np.random.default_rng(derive(self._seed, "near", self._name, number))
        points = neighbours(self.cube.point(best), _NEAR, rng)
        near = self._described([*(self.cube.params(point) for point in points), *map(dict, known)])
        return [*params, *near[0]], np.concatenate([features, near[1]]), np.concatenate([prior, near[2]])

    def log_prior(self, params: Mapping[str, Value]) -> float:
        """The log density of hyperparameters under the priors, without its constant; never below -4."""
        return self._density.log(params)

    def _described(self, configurations: list[dict[str, Value]]) -> tuple[list[dict[str, Value]], Vector, Vector]:
        features = np.array([self.cube.features(params) for params in configurations])
        return configurations, features, np.array([self.log_prior(params) for params in configurations])

    def _usual(self) -> Vector:
        return np.array(
            [self._priors[name][0] if name in self._priors else 0.5 for name in self._space.domains], np.float64
        )

    def _drawn(self, purpose: str, count: int) -> Vector:
        """Points around the usual values, spread evenly; a hyperparameter without a prior is uniform."""
        points = sobol(self.cube.dims, count, self._rng(purpose))
        for i, name in enumerate(self._space.domains):
            if name in self._priors:
                centre, width = self._priors[name]
                points[:, i] = np.clip(centre + width * ndtri(np.clip(points[:, i], 0.01, 0.99)), 0, 1)
        return points

    def _rng(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng(derive(self._seed, purpose, self._name) % 2**32)
