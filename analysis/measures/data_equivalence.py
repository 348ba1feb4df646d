"""How many images would the baseline need for the accuracy that a regularizer has with fewer?"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from analysis.measures.accuracy import BySeed, Setting, accuracies, setting_of
from analysis.snapshot import Snapshot, once
from analysis.statistics import percentile_interval
from analysis.statistics.intervals import Array
from analysis.statistics.isotonic import isotonic

_RESAMPLES: Final = 2_000

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
    accuracy: float  # mean over these seeds
    needed: float  # images of the baseline; inf where it never gets there, 0 where it has it with the fewest
    low: float | None  # ends of the 95 % bootstrap interval over seeds; None with one seed
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
    there are (inf), one below it less than the fewest (0). The interval resamples the shared seeds (2,000 times,
    percentiles), the same ones for the regularizer and for the curve. Strengths searched at each size are compared
    with the baseline's strengths searched at each size, carried ones with carried ones.
    """
    sizes = _images(data)
    rows = []
    for carried_from in [None, *_carried(data)]:
        group = {
            setting: runs
            for setting, runs in accuracies(data).items()
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


def _group(data: Snapshot, group: dict[Setting, BySeed], sizes: dict[Setting, int]) -> list[Equivalence]:
    by_size = {sizes[setting]: runs.get(data.baseline or "", {}) for setting, runs in group.items()}
    baseline = {size: runs for size, runs in sorted(by_size.items()) if runs}
    rows: list[Equivalence] = []
    if len(baseline) < 2:
        return rows
    measured = np.array([*baseline], dtype=np.float64)
    for setting, by_regularizer in group.items():
        for name in data.regularizers:
            runs = by_regularizer.get(name, {})
            seeds = sorted(set(runs).intersection(*baseline.values()))
            if name == data.baseline or not seeds:
                continue
            target = np.array([runs[seed] for seed in seeds])
            curve = np.array([[at_size[seed] for seed in seeds] for at_size in baseline.values()])
            rows.append(_equivalence(setting, name, sizes[setting], measured, target, curve))
    return rows


def _equivalence(setting: Setting, name: str, images: int, sizes: Array, target: Array, curve: Array) -> Equivalence:
    n = len(target)
    needed = float(images_needed(sizes, isotonic(curve.mean(axis=1)[None]), target.mean(keepdims=True))[0])
    low = high = None
    if n > 1:
        draws = np.random.default_rng(0).integers(0, n, (_RESAMPLES, n))
        curves = isotonic(curve[:, draws].mean(axis=2).T)
        low, high = percentile_interval(images_needed(sizes, curves, target[draws].mean(axis=1)))
    place = BEYOND if needed == np.inf else BELOW if needed == 0 else MEASURED
    return Equivalence(*setting, name, images, n, len(sizes), float(target.mean()), needed, low, high, place)


def _images(data: Snapshot) -> dict[Setting, int]:
    return {setting_of(row): row["n_train"] for row in data.final if row["n_train"] is not None}


def _carried(data: Snapshot) -> list[float]:
    carried = {each.search_fraction for each in accuracies(data) if each.search_fraction != each.fraction}
    return sorted(carried, reverse=True)
