"""Isotonic regression: curves made non-decreasing."""

from __future__ import annotations

import numpy as np

from analysis.statistics.intervals import Array


def isotonic(curves: Array) -> Array:
    """Each row of ``curves``, [m, k] float64, made non-decreasing: least squares with equal weights.

    y_i = max over j <= i of min over l >= i of mean(x_j .. x_l)

    >>> isotonic(np.array([[1.0, 3.0, 2.0]])).tolist()
    [[1.0, 2.5, 2.5]]
    """
    k = curves.shape[1]
    sums = np.concatenate([np.zeros((len(curves), 1)), np.cumsum(curves, axis=1)], axis=1)
    fitted = np.empty_like(curves)
    for i in range(k):
        lowest = [
            np.min([(sums[:, end + 1] - sums[:, start]) / (end + 1 - start) for end in range(i, k)], axis=0)
            for start in range(i + 1)
        ]
        fitted[:, i] = np.max(lowest, axis=0)
    return fitted
