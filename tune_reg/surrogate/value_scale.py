"""A scale of final values on which bad ones do not stretch the differences between good ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

#: Accuracies that differ by less are taken for one value; of other values, so small a part of the largest one.
_SMALLEST: Final = 1e-9
#: The median to the best, where all values that there are agree; of others than accuracies, such a part of the largest.
_WHERE_ALL_AGREE: Final = 1e-3


@dataclass(frozen=True)
class ValueScale:
    """``z = -log(1 + (best - v) / spread)``: 0 at the best value seen, -log 2 at the median.

    Larger values are better. The scale moves and stretches with the values, so that a unit changes nothing.

    >>> scale = ValueScale.of(np.array([0.5, 0.8, 0.9]))
    >>> scale.scaled(np.array([0.8, 0.5])).round(4).tolist()
    [-0.6931, -1.6094]
    >>> scale.value(np.array([-0.6931471805599453])).round(4).tolist()
    [0.8]
    """

    best: float
    #: From the median to the best.
    spread: float
    #: What is expected of a configuration lies within.
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Vector, *, shares: bool = True) -> Self:
        """The scale of values that were seen, of which there is at least one.

        Shares stay within 0 and 1. Other values stay above the lowest one that was seen by as much again as that is
        below the best: a configuration of which nothing is known is not taken for endlessly bad.
        """
        best, worst = float(values.max()), float(values.min())
        unit = 1.0 if shares else float(np.abs(values).max()) or 1.0
        spread = best - float(np.median(values))
        candidates = (spread, float(np.std(values)), _WHERE_ALL_AGREE * unit)
        spread = next(s for s in candidates if s > _SMALLEST * unit)
        if shares:
            return cls(best, spread, 0.0, 1.0)
        return cls(best, spread, worst - max(best - worst, spread), np.inf)

    def scaled(self, values: Vector) -> Vector:
        """Values on this scale; none may be above the best."""
        scaled: Vector = -np.log1p((self.best - values) / self.spread)
        return scaled

    def value(self, scaled: Vector) -> Vector:
        """The values that stand at points of this scale, within its bounds."""
        unbounded = self.best - self.spread * np.expm1(-np.maximum(scaled, -20.0))
        value: Vector = np.clip(unbounded, self.lowest, self.highest)
        return value

    def mean_and_deviation(self, mean: Vector, deviation: Vector) -> tuple[Vector, Vector]:
        """Mean and standard deviation of values that are normal on this scale, by Gauss-Hermite quadrature."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(15)
        weights = weights / weights.sum()
        values = self.value(mean[:, None] + deviation[:, None] * nodes)
        means = values @ weights
        return means, np.sqrt(np.maximum((values - means[:, None]) ** 2 @ weights, 0.0))
