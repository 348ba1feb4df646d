"""Means over seeds and ratios of paired means, each with a 95 % interval by bootstrap over seeds."""

from __future__ import annotations

import numpy as np
from scipy.stats import bootstrap

Interval = tuple[float, float, float]


def interval(values: list[float]) -> Interval:
    """Mean of ``values``, one a seed, and the ends of its interval."""
    array = np.array(values)
    if np.ptp(array) == 0:
        return float(array[0]), float(array[0]), float(array[0])
    low, high = bootstrap((array,), np.mean, n_resamples=2000, rng=np.random.default_rng(0)).confidence_interval
    return float(array.mean()), float(low), float(high)


def paired_ratio(values: list[float], base: list[float]) -> Interval:
    """Ratio of the means of ``values`` and ``base``, paired by seed, and the ends of its interval."""
    pairs = np.array([values, base])
    samples = np.random.default_rng(0).integers(pairs.shape[1], size=(4000, pairs.shape[1]))
    ratios = pairs[0][samples].mean(axis=1) / np.maximum(pairs[1][samples].mean(axis=1), 1e-12)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(pairs[0].mean() / pairs[1].mean()), float(low), float(high)
