"""The knowledge gradient: what an observation is worth to whoever picks the highest expected value afterwards."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Vector = NDArray[np.float64]

_NODES: Final = np.linspace(-4.0, 4.0, 21)
_EDGES: Final = (_NODES[1:] + _NODES[:-1]) / 2
_WEIGHTS: Final = np.diff(ndtr(np.concatenate([[-np.inf], _EDGES, [np.inf]])))
#: Configurations that can become the best are looked at in blocks of so many observations, which bounds the memory.
_BLOCK: Final = 64


def knowledge_gradient(mean: Vector, changes: Vector) -> Vector:
    """The expected rise of the highest mean by each of several observations: ``E[max(mean + change Z)] - max(mean)``.

    Z is standard normal; the expectation is a sum over 21 evenly spaced values of it. ``mean`` [n]: expected values of
    configurations. ``changes`` [m, n]: by how much each moves where the observation is one standard deviation high.

    Source: Frazier, Powell and Dayanik, The Knowledge-Gradient Policy for Correlated Normal Beliefs, INFORMS Journal on
    Computing 2009, equation 9.

    >>> knowledge_gradient(np.array([0.0, 0.0]), np.array([[1.0, 0.0], [0.0, 2.0]])).round(1).tolist()
    [0.4, 0.8]
    """
    best = mean.max()
    blocks = [changes[i : i + _BLOCK] for i in range(0, len(changes), _BLOCK)]
    return np.concatenate(
        [
            sum(weight * (mean + node * block).max(axis=1) for node, weight in zip(_NODES, _WEIGHTS, strict=True))
            - best
            for block in blocks
        ]
        or [np.zeros(0)]
    )


def expected_improvement(mean: Vector, deviation: Vector) -> Vector:
    """The expected rise above the highest mean of each configuration, were its value to become known [n].

    Source: Mockus, Tiesis and Zilinskas, The application of Bayesian methods for seeking the extremum, 1978.

    >>> expected_improvement(np.array([0.0, 0.0]), np.array([1.0, 0.0])).round(3).tolist()
    [0.399, 0.0]
    """
    deviation = np.maximum(deviation, 1e-12)
    z = (mean - mean.max()) / deviation
    improvement: Vector = deviation * (z * ndtr(z) + np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))
    return improvement
