"""The Pareto front of two measures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.intervals import Array


def on_front(clean: Array, robust: Array) -> NDArray[np.bool_]:
    """Which points lie on the front: no other one is as good in both measures and better in one.

    ``clean``, ``robust``: [..., k], float64, higher is better. Returns [..., k], bool.

    >>> on_front(np.array([0.9, 0.8, 0.7]), np.array([0.1, 0.3, 0.2])).tolist()
    [True, True, False]
    """
    least = (clean[..., None, :] >= clean[..., :, None]) & (robust[..., None, :] >= robust[..., :, None])
    more = (clean[..., None, :] > clean[..., :, None]) | (robust[..., None, :] > robust[..., :, None])
    front: NDArray[np.bool_] = ~np.any(least & more, axis=-1)
    return front
