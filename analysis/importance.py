"""How much each hyperparameter mattered for reaching the best trials: PED-ANOVA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.response import searched
from analysis.spaces import Space, number, numeric_space
from analysis.statistics import percentile_interval
from analysis.tables import Row, Snapshot, finite, mapping, once

Array: TypeAlias = NDArray[np.float64]

#: The share of trials that counts as best. Small searches need more than the usual tenth.
TOP: Final = 0.25
#: Fewest complete trials: below, the best quarter is a handful.
MINIMUM: Final = 20

_STEPS: Final = 50
_RESAMPLES: Final = 200


class Importance(NamedTuple):
    """The importance of one hyperparameter within one search."""

    regularizer: str
    fraction: float
    parameter: str
    n: int  # complete trials
    share: float  # of the summed importance of the search's hyperparameters, in [0, 1]
    low: float  # ends of the 95 % bootstrap interval over trials
    high: float


@once
def importances(data: Snapshot) -> tuple[Importance, ...]:
    """PED-ANOVA (Watanabe, Bansal and Hutter 2023) of every search with ``MINIMUM`` complete trials or more.

    The divergence of the best quarter's distribution from that of all complete trials, for each hyperparameter,
    divided by their sum. It is about the trials that were made: a hyperparameter that the sampler never moved away
    from has none. One with a single hyperparameter has nothing to share out and is left out.
    """
    found = []
    for name in data.regularizers:
        mine = [row for row in data.trials if row["regularizer"] == name]
        for fraction in sorted({row["fraction"] for row in mine}, reverse=True):
            rows = [
                row
                for row in mine
                if row["fraction"] == fraction and row["state"] == "complete" and finite([row["value"]])
            ]
            found += _search(name, fraction, rows, mapping(data.method(name).get("space")))
    return tuple(found)


def _search(name: str, fraction: float, rows: list[Row], spaces: Mapping[str, Any]) -> list[Importance]:
    parameters = [key for key in searched(rows, spaces) if all(key in row["params"] for row in rows)]
    if len(rows) < MINIMUM or len(parameters) < 2:
        return []
    values = np.array([row["value"] for row in rows])
    cells = [_cells([row["params"][key] for row in rows], numeric_space(spaces.get(key))) for key in parameters]
    n = len(rows)
    rng = np.random.default_rng(0)
    shares = _shares(values, cells)
    draws = np.array([_shares(values, cells, rng.integers(0, n, n)) for _ in range(_RESAMPLES)])
    return [
        Importance(name, fraction, key, n, float(shares[place]), *percentile_interval(draws[:, place]))
        for place, key in enumerate(parameters)
    ]


class _Cells(NamedTuple):
    at: NDArray[np.intp]  # the cell of each trial
    total: int
    ordered: bool


def _cells(values: list[Any], space: Space | None) -> _Cells:
    numbers = [number(value) for value in values]
    if space is None and None not in numbers and len(set(numbers)) > 1:
        ends = [value for value in numbers if value is not None]
        space = Space(min(ends), max(ends), log=min(ends) > 0 and max(ends) / min(ends) >= 50, listed=False)
    if space is None or space.listed or None in numbers:
        choices = sorted(set(map(str, values)))
        return _Cells(np.array([choices.index(str(value)) for value in values]), len(choices), ordered=False)
    scale = np.log if space.log else np.asarray
    low, high = float(scale(space.low)), float(scale(space.high))
    place = (scale(np.array(numbers, dtype=np.float64)) - low) / (high - low) * (_STEPS - 1)
    return _Cells(np.clip(np.ceil(place - 0.5), 0, _STEPS - 1).astype(np.intp), _STEPS, ordered=True)


def _shares(values: Array, cells: list[_Cells], sample: NDArray[np.intp] | None = None) -> Array:
    taken = np.arange(len(values)) if sample is None else sample
    mine = values[taken]
    top = mine >= np.sort(mine)[::-1][int(np.ceil(TOP * len(mine))) - 1]
    found = np.array([divergence(own.at[taken], top, own.total, ordered=own.ordered) for own in cells])
    total = float(found.sum())
    return found / total if total > 0 else np.full(len(cells), 1 / len(cells))


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
    # A kernel at each seen choice that leaks to the others, weighted by how often it was seen, and a flat prior.
    seen = np.flatnonzero(counts)
    kernels = np.full((len(seen) + 1, len(counts)), 1 / (len(seen) + 1))
    kernels[np.arange(len(seen)), seen] += 1
    kernels /= kernels.sum(axis=1, keepdims=True)
    weights = np.append(counts[seen], 1.0)
    mixed: Array = weights / weights.sum() @ kernels
    return mixed


def _parzen(counts: NDArray[np.intp]) -> Array:
    from scipy.special import ndtr

    seen = np.flatnonzero(counts)
    weights = counts[seen]
    total = int(weights.sum())
    mean = seen @ weights / total
    spread = float(np.sqrt((seen - mean) ** 2 @ weights / max(1, total - 1)))
    sums = np.cumsum(weights)
    first = seen[np.searchsorted(sums, total // 4, side="left")]
    third = seen[min(len(seen) - 1, int(np.searchsorted(sums, total * 3 // 4, side="right")))]
    width = max(1.059 * min(float(third - first) / 1.34, spread) * total**-0.2, 0.5 / 1.64)
    # A kernel is the normal distribution cut off at the ends. Those of trials differ in their place alone, so that
    # one row of the distribution serves them all.
    count = len(counts)
    below = ndtr((np.arange(-count, count) + 0.5) / width)
    starts = count - 1 - seen
    inside = below[starts + count] - below[starts]
    kernels = np.diff(below)[starts[:, None] + np.arange(count)]
    prior = np.diff(ndtr((np.arange(count + 1) - count / 2) / count))
    mixed: Array = (weights / inside @ kernels + prior / prior.sum()) / (total + 1)
    return mixed
