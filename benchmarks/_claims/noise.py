"""The noise of seeds: values of mean 0 and standard deviation 1, by functions of a generator and a shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Noise = Callable[[np.random.Generator, tuple[int, ...]], Array]

#: Share of runs that are bad, and how many standard deviations they lie below the others.
_BAD, _HOW_BAD = 0.1, 10.0


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Normal."""
    return rng.normal(size=shape)


def heavy_tails(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Student's t with 5 degrees of freedom."""
    return rng.standard_t(5, size=shape) / np.sqrt(5 / 3)


def bad_runs(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Normal, but one run in ten lies far below the others: only to one side."""
    bad = -_HOW_BAD * ((rng.random(shape) < _BAD) - _BAD)
    return (rng.normal(size=shape) + bad) / np.sqrt(1 + _HOW_BAD**2 * _BAD * (1 - _BAD))


NOISE: Mapping[str, Noise] = {"normal": normal, "heavy tails": heavy_tails, "one bad run in ten": bad_runs}
