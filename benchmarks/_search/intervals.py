"""Means over seeds and ratios of paired means, each with a 95 % interval by bootstrap over seeds."""

from __future__ import annotations

import numpy as np

Interval = tuple[float, float, float]
#: Below this a mean regret is none.
NONE = 1e-12


def interval(values: list[float]) -> Interval:
    """Mean of ``values``, one a seed, and the ends of its interval."""
    array = np.array(values)
    low, high = np.quantile(array[_samples(len(array))].mean(axis=1), [0.025, 0.975])
    return float(array.mean()), float(low), float(high)


def paired_ratio(values: list[float], base: list[float]) -> Interval:
    """Ratio of the means of ``values`` and ``base``, paired by seed, and the ends of its interval."""
    pairs = np.array([values, base])
    means = pairs[:, _samples(pairs.shape[1])].mean(axis=2)
    low, high = np.quantile(means[0] / np.maximum(means[1], NONE), [0.025, 0.975])
    return float(pairs[0].mean() / max(pairs[1].mean(), NONE)), float(low), float(high)


def _samples(n: int) -> np.ndarray:
    """Numbers of seeds, drawn with replacement [samples, n]."""
    return np.random.default_rng(0).integers(n, size=(4000, n))
