"""PED-ANOVA: how far the best trials differ from all trials in one hyperparameter (Watanabe, Bansal, Hutter 2023)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.intervals import Array


def divergence(cells: NDArray[np.intp], top: NDArray[np.bool_], count: int, *, ordered: bool) -> float:
    """Pearson divergence of the distribution of the ``top`` trials over ``count`` cells from that of all.

    ``cells``: [n], the cell of each trial; ``top``: [n], bool. Both distributions are Parzen estimates on the cells
    with a prior of the weight of one trial, where the cells are ``ordered`` with Scott's bandwidth.
    """
    estimate = _parzen if ordered else _frequencies
    best = estimate(np.bincount(cells[top], minlength=count)) + 1e-12
    every = estimate(np.bincount(cells, minlength=count)) + 1e-12
    return float(every @ (best / every - 1) ** 2)


def _frequencies(counts: NDArray[np.intp]) -> Array:
    # A kernel at each choice that was tried, which leaks to the others, weighted by its trials; and a flat prior.
    chosen = np.flatnonzero(counts)
    kernels = np.full((len(chosen) + 1, len(counts)), 1 / (len(chosen) + 1))
    kernels[np.arange(len(chosen)), chosen] += 1
    kernels /= kernels.sum(axis=1, keepdims=True)
    weights = np.append(counts[chosen], 1.0)
    mixed: Array = weights / weights.sum() @ kernels
    return mixed


def _parzen(counts: NDArray[np.intp]) -> Array:
    from scipy.special import ndtr

    filled = np.flatnonzero(counts)
    weights = counts[filled]
    total = int(weights.sum())
    mean = filled @ weights / total
    spread = float(np.sqrt((filled - mean) ** 2 @ weights / max(1, total - 1)))
    sums = np.cumsum(weights)
    first = filled[np.searchsorted(sums, total // 4, side="left")]
    third = filled[min(len(filled) - 1, int(np.searchsorted(sums, total * 3 // 4, side="right")))]
    width = max(1.059 * min(float(third - first) / 1.34, spread) * total**-0.2, 0.5 / 1.64)
    # A kernel is the normal distribution cut off at the ends. The kernels of all trials differ in their place alone,
    # so that one row of the distribution serves them all.
    count = len(counts)
    below = ndtr((np.arange(-count, count) + 0.5) / width)
    starts = count - 1 - filled
    inside = below[starts + count] - below[starts]
    kernels = np.diff(below)[starts[:, None] + np.arange(count)]
    prior = np.diff(ndtr((np.arange(count + 1) - count / 2) / count))
    mixed: Array = (weights / inside @ kernels + prior / prior.sum()) / (total + 1)
    return mixed
