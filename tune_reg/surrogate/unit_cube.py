"""A search space as a unit cube: configurations as points in it, and as the features that a model compares."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from search_spaces import Choice, Integer, SearchSpace, Value
from search_spaces.domains import Domain
from search_spaces.priors import Prior

Vector = NDArray[np.float64]

#: Two values of a choice are then at distance 1.
_CHOSEN: Final = math.sqrt(0.5)


class UnitCube:
    """Points of [0, 1]^d, one coordinate for each hyperparameter that is searched, in the order of the space.

    A range is scaled, in its logarithm where the range is logarithmic; a choice divides [0, 1] evenly. In a point of
    given hyperparameters, one that is not in use stands in the middle. Features are the coordinates of ranges, and for
    each value of a choice a feature of its own.

    >>> from search_spaces import choice, loguniform
    >>> cube = UnitCube(SearchSpace({"strength": loguniform(1e-4, 1.0), "mode": choice(["a", "b"])}))
    >>> cube.params(np.array([1.0, 0.9]))
    {'strength': 1.0, 'mode': 'b'}
    >>> cube.point({"strength": 0.01, "mode": "b"}).round(2).tolist()
    [0.5, 0.75]
    """

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._domains = space.domains
        #: The coordinate that each feature belongs to [features].
        self.groups = np.concatenate(
            [np.full(_width(domain), i, np.int64) for i, domain in enumerate(self._domains.values())]
            or [np.zeros(0, np.int64)]
        )

    @property
    def names(self) -> list[str]:
        """The hyperparameters that are searched, in the order of the coordinates."""
        return list(self._domains)

    @property
    def domains(self) -> list[Domain]:
        """Their domains."""
        return list(self._domains.values())

    @property
    def dims(self) -> int:
        """How many hyperparameters are searched."""
        return len(self._domains)

    def params(self, point: Vector) -> dict[str, Value]:
        """The hyperparameters in use at a point [d], fixed ones included."""
        return self._space.complete(self.values(point))

    def values(self, point: Vector) -> dict[str, Value]:
        """A value for every hyperparameter that is searched, whether it is in use at the point or not."""
        return {
            name: _value(domain, float(unit)) for (name, domain), unit in zip(self._domains.items(), point, strict=True)
        }

    def value(self, index: int, unit: float) -> Value:
        """The value of one hyperparameter at its coordinate in [0, 1]."""
        return _value(self.domains[index], unit)

    def coordinate(self, index: int, value: Value) -> float:
        """The coordinate of a value of one hyperparameter."""
        return _unit(self.domains[index], value)

    def prior(self, name: str, prior: Prior) -> tuple[float, float]:
        """Mean and standard deviation of the coordinate of a hyperparameter with a range, under its prior."""
        domain = self._domains[name]
        assert not isinstance(domain, Choice)
        usual = min(max(prior.usual, domain.low), domain.high)
        whole = math.log(domain.high / domain.low) if domain.log else domain.high - domain.low
        spread = math.log(prior.spread) if domain.log else prior.spread
        return _unit(domain, usual), spread / whole if whole > 0 else 1.0

    def point(self, params: Mapping[str, Value]) -> Vector:
        """The point [d] of given hyperparameters."""
        return np.array(
            [_unit(domain, params[name]) if name in params else 0.5 for name, domain in self._domains.items()]
        )

    def features(self, params: Mapping[str, Value]) -> Vector:
        """The features of given hyperparameters, in the order of ``groups``."""
        features: list[float] = []
        for name, domain in self._domains.items():
            if isinstance(domain, Choice):
                features += [_CHOSEN * (name in params and params[name] == value) for value in domain.values]
            else:
                features.append(_unit(domain, params[name]) if name in params else 0.5)
        return np.array(features)

    def used(self, points: Vector) -> NDArray[np.bool_]:
        """Which hyperparameters are in use at points [n, d]."""
        if not self._space.conditions:
            return np.ones(points.shape, bool)
        in_use = [self.params(point) for point in points]
        return np.array([[name in params for name in self._domains] for params in in_use])

    def features_at(self, points: Vector, used: NDArray[np.bool_]) -> Vector:
        """The features [n, k] of the hyperparameters at points [n, d]. ``used``: as the method of this name says it.

        >>> from search_spaces import choice, loguniform
        >>> cube = UnitCube(SearchSpace({"strength": loguniform(1e-4, 1.0), "mode": choice(["a", "b"])}))
        >>> points = np.array([[0.25, 0.75]])
        >>> np.allclose(cube.features_at(points, cube.used(points))[0], cube.features(cube.params(points[0])))
        True
        """
        columns = []
        for index, domain in enumerate(self._domains.values()):
            units, in_use = points[:, index], used[:, index]
            if isinstance(domain, Choice):
                chosen = np.minimum((units * len(domain.values)).astype(int), len(domain.values) - 1)
                columns += [_CHOSEN * ((chosen == i) & in_use) for i in range(len(domain.values))]
                continue
            if isinstance(domain, Integer):
                units = np.array([_unit(domain, _value(domain, float(unit))) for unit in units])
            columns.append(np.where(in_use, units, 0.5))
        return np.stack(columns, axis=1)


def _width(domain: Domain) -> int:
    return len(domain.values) if isinstance(domain, Choice) else 1


def _value(domain: Domain, unit: float) -> Value:
    """The value at a coordinate in [0, 1]."""
    if isinstance(domain, Choice):
        return domain.values[min(int(unit * len(domain.values)), len(domain.values) - 1)]
    if isinstance(domain, Integer):
        if domain.log:
            value = math.exp(math.log(domain.low) + unit * math.log(domain.high / domain.low))
            return min(max(round(value), domain.low), domain.high)
        return min(domain.low + int(unit * (domain.high - domain.low + 1)), domain.high)
    if domain.log:
        value = math.exp(math.log(domain.low) + unit * math.log(domain.high / domain.low))
        return min(max(value, domain.low), domain.high)
    return min(max(domain.low + unit * (domain.high - domain.low), domain.low), domain.high)


def _unit(domain: Domain, value: Value) -> float:
    """The coordinate of a value."""
    if isinstance(domain, Choice):
        return (domain.values.index(value) + 0.5) / len(domain.values)
    number = float(value)
    if domain.high <= domain.low:
        return 0.5
    if domain.log:
        return math.log(number / domain.low) / math.log(domain.high / domain.low)
    return (number - domain.low) / (domain.high - domain.low)
