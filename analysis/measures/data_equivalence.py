"""How many images would the baseline need for the accuracy that a regularizer has with fewer?"""

from __future__ import annotations

import itertools
from typing import Final, NamedTuple

import numpy as np

from analysis.measures.accuracy import BySeed, Setting, measured, rounding_images, setting_of
from analysis.snapshot import Snapshot, once
from analysis.statistics import LEVEL
from analysis.statistics.intervals import Array
from analysis.statistics.isotonic import isotonic
from tune_reg.decisions import difference_floor

#: Image counts that are tried between two measured sizes.
_BETWEEN: Final = 512
#: A variance below which values count as equal: far below one test image in a million.
_NO_SPREAD: Final = 1e-20

MEASURED: Final = "within the data"
BEYOND: Final = "beyond the data"
BELOW: Final = "below the data"


class Equivalence(NamedTuple):
    """The baseline's images for one regularizer's accuracy. Infinite ends lie outside the measured data."""

    fraction: float
    search_fraction: float
    regularizer: str
    images: int  # that the regularizer was trained on
    n: int  # seeds that all runs of it and of the baseline's curve share
    sizes: int  # data sizes in the baseline's curve
    accuracy: float  # mean over these seeds, in the metric of the study
    needed: float  # images of the baseline; inf where it never gets there, 0 where it has it with the fewest
    low: float | None  # ends of the 95 % interval over seeds; 0 and inf lie outside the data; None with one seed
    high: float | None
    place: str  # MEASURED, BEYOND or BELOW

    @property
    def factor(self) -> float:
        """How many times as many images the baseline needs: ``needed`` divided by ``images``."""
        return self.needed / self.images


@once
def equivalences(data: Snapshot) -> tuple[Equivalence, ...]:
    """The baseline's images for every regularizer and data size, where the baseline was measured at two sizes or more.

    The baseline's mean accuracy is made non-decreasing in the number of images (isotonic regression, equal
    weights) and interpolated linearly in log images; what is needed is the fewest images at which it has the
    regularizer's mean accuracy. It is never extrapolated: an accuracy above the curve needs more than the data
    there are (inf), one below it less than the fewest (0). The interval holds the image counts at which Student's t
    does not reject, at 5 %, that the paired differences between the regularizer's accuracy and the baseline's curve of
    the same seed, interpolated there, have mean 0. Strengths searched at each size are compared with the baseline's
    strengths searched at each size, carried ones with carried ones.
    """
    sizes = _images(data)
    rows = []
    for carried_from in [None, *_carried(data)]:
        group = {
            setting: runs
            for setting, runs in measured(data).items()
            if setting in sizes
            and setting.search_fraction == (setting.fraction if carried_from is None else carried_from)
        }
        rows += _group(data, group, sizes)
    return tuple(rows)


def images_needed(sizes: Array, curves: Array, targets: Array) -> Array:
    """Images at which each curve first reaches its target, linear in log images.

    ``sizes``: [k], ascending; ``curves``: [m, k], non-decreasing; ``targets``: [m]. Returns [m], float64: inf
    where the curve stays below its target, 0 where it starts above it.

    >>> sizes, curves = np.array([100.0, 10_000.0]), np.array([[0.8, 0.9]] * 3)
    >>> images_needed(sizes, curves, np.array([0.85, 0.95, 0.7])).round(6).tolist()
    [1000.0, inf, 0.0]
    """
    close = 1e-12  # the sum of some accuracies depends a little on their order
    first = np.sum(curves < targets[:, None] - close, axis=1)  # the first size at which the target is reached
    inside = (first > 0) & (first < len(sizes))
    after = np.clip(first, 1, len(sizes) - 1)
    rows = np.arange(len(curves))
    below, above = curves[rows, after - 1], curves[rows, after]
    step = np.clip((targets - below) / np.maximum(above - below, close), 0.0, 1.0)
    logs = np.log(sizes)
    between = np.exp(logs[after - 1] + step * (logs[after] - logs[after - 1]))
    at_first = (first == 0) & (np.abs(curves[:, 0] - targets) <= close)
    needed: Array = np.where(inside, between, np.where(first == 0, np.where(at_first, sizes[0], 0.0), np.inf))
    return needed


def images_interval(sizes: Array, curves: Array, targets: Array, floor: float) -> tuple[float, float] | None:
    """95 % interval of the images needed, by inverting the paired t test; None where it has no spread to judge by.

    ``sizes``: [k], ascending; ``curves``: [n, k], accuracy of n seeds at each size, linear in log images between them;
    ``targets``: [n], accuracy of the regularizer on these seeds. ``floor``: the least variance of a difference of two
    accuracies. An end that is 0 or inf lies outside of the measured sizes. Where counts apart from each other are not
    rejected, the interval holds all between them.

    >>> sizes, curves = np.array([100.0, 10_000.0]), np.array([[0.80, 0.90], [0.81, 0.91], [0.79, 0.89]])
    >>> low, high = images_interval(sizes, curves, np.array([0.84, 0.86, 0.85]), 0.0)
    >>> round(low), round(high)
    (319, 3139)
    """
    n = len(targets)
    logs, grid = np.log(sizes), _grid(sizes)
    at = np.clip(np.searchsorted(logs, grid, side="right") - 1, 0, len(sizes) - 2)
    share = (grid - logs[at]) / (logs[at + 1] - logs[at])
    differences = targets[:, None] - ((1 - share) * curves[:, at] + share * curves[:, at + 1])
    variance = np.maximum(differences.var(axis=0, ddof=1), floor) if n > 1 else np.zeros_like(grid)
    if not variance.min() > _NO_SPREAD:
        return None
    from scipy.special import stdtrit

    t = differences.mean(axis=0) / np.sqrt(variance / n)
    limit = float(stdtrit(n - 1, 1 - LEVEL / 2))
    inside = np.flatnonzero(np.abs(t) <= limit)
    if not inside.size:
        # The sign cannot change between two counts of the grid without one of them being inside.
        return (np.inf, np.inf) if t[-1] > 0 else (0.0, 0.0)
    first, last = int(inside[0]), int(inside[-1])
    low = 0.0 if first == 0 else _crossing(grid, np.abs(t) - limit, first - 1)
    high = np.inf if last == len(grid) - 1 else _crossing(grid, np.abs(t) - limit, last)
    return low, high


def _grid(sizes: Array) -> Array:
    """Logs of the image counts that are tried: the sizes, and many between each two of them."""
    logs = np.log(sizes)
    shares = np.arange(_BETWEEN) / _BETWEEN
    inner = [below + shares * (above - below) for below, above in itertools.pairwise(logs)]
    return np.concatenate([*inner, logs[-1:]])


def _crossing(grid: Array, excess: Array, before: int) -> float:
    """Images at which the test begins or ceases to reject, between a count of the grid and the next one."""
    share = excess[before] / (excess[before] - excess[before + 1])
    return float(np.exp(grid[before] + share * (grid[before + 1] - grid[before])))


def _group(data: Snapshot, group: dict[Setting, BySeed], sizes: dict[Setting, int]) -> list[Equivalence]:
    by_size = {sizes[setting]: runs.get(data.baseline or "", {}) for setting, runs in group.items()}
    baseline = {size: runs for size, runs in sorted(by_size.items()) if runs}
    rows: list[Equivalence] = []
    if len(baseline) < 2:
        return rows
    counts = np.array([*baseline], dtype=np.float64)
    for setting, by_regularizer in group.items():
        for name in data.regularizers:
            runs = by_regularizer.get(name, {})
            seeds = sorted(set(runs).intersection(*baseline.values()))
            if name == data.baseline or not seeds:
                continue
            target = np.array([runs[seed] for seed in seeds])
            curve = np.array([[at_size[seed] for seed in seeds] for at_size in baseline.values()])
            floor = difference_floor(rounding_images(data).get(setting))
            if data.metric.minimized:
                target, curve = -target, -curve
            row = _equivalence(setting, name, sizes[setting], counts, target, curve, floor)
            rows.append(row._replace(accuracy=data.metric.value(row.accuracy)))
    return rows


def _equivalence(
    setting: Setting, name: str, images: int, sizes: Array, target: Array, curve: Array, floor: float
) -> Equivalence:
    n = len(target)
    needed = float(images_needed(sizes, isotonic(curve.mean(axis=1)[None]), target.mean(keepdims=True))[0])
    low, high = images_interval(sizes, curve.T, target, floor) or (None, None)
    if low is not None and high is not None:  # the curve was made non-decreasing for the point alone
        low, high = min(low, needed), max(high, needed)
    place = BEYOND if needed == np.inf else BELOW if needed == 0 else MEASURED
    return Equivalence(*setting, name, images, n, len(sizes), float(target.mean()), needed, low, high, place)


def _images(data: Snapshot) -> dict[Setting, int]:
    return {setting_of(row): row["n_train"] for row in data.final if row["n_train"] is not None}


def _carried(data: Snapshot) -> list[float]:
    carried = {each.search_fraction for each in measured(data) if each.search_fraction != each.fraction}
    return sorted(carried, reverse=True)
