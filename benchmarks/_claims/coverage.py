"""How often do the 95 % intervals of the report hold the truth? A row a rule, a kind of noise and a number of seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from _claims.noise import NOISE, Array
from analysis.measures.data_equivalence import images_interval
from analysis.statistics import effect, mean_interval, paired_difference, wilson
from tune_reg.decisions import difference_floor, mean_floor, mean_test

SEEDS = (2, 3, 5, 10, 20)
#: Test images, and the mean and standard deviation of accuracies of which rounding to 1 / IMAGES is much.
IMAGES, LEVEL, SPREAD = 360, 0.95, 0.5 / 360


class Coverage(NamedTuple):
    """How often the intervals of one rule hold the truth."""

    rule: str
    noise: str
    seeds: int
    studies: int
    told: float  # share of studies in which there is an interval
    covers: float  # share of these whose interval holds the truth
    error: float  # standard error of ``covers``


Ends = tuple[float | None, float | None]


def coverage(studies: int = 1_000) -> Iterator[Coverage]:
    """The coverage of every rule; ``studies`` of each."""
    rng = np.random.default_rng(0)
    for n in SEEDS:
        for noise, draw in NOISE.items():
            values = LEVEL + 0.01 * draw(rng, (studies, n))
            yield _row("mean of accuracies", noise, n, values, lambda v: mean_interval(list(v))[2:4], LEVEL)
        counted = np.round((LEVEL + SPREAD * rng.normal(size=(studies, n))) * IMAGES) / IMAGES
        floor = mean_floor(IMAGES)
        rounded = f"multiples of 1/{IMAGES}"
        yield _row("mean of accuracies", rounded, n, counted, lambda v, f=floor: mean_interval(list(v), f)[2:4], LEVEL)
        pairs = np.round((LEVEL + SPREAD * rng.normal(size=(studies, 2 * n))) * IMAGES) / IMAGES
        yield _row("paired difference", rounded, n, pairs, _paired, 0.0)
        yield _row("with the luck of two searches", "normal", n, _lucky(rng, studies, n), _with_luck, 0.01)
        if n > 2:
            sample = rng.normal(2.0, 1.0, (min(studies, 500), n))
            yield _row("effect size d", "normal", n, sample, lambda v: effect(list(v))[2:4], 2.0)
            yield _row("share of better pairs", "normal", n, sample - 1.5, lambda v: effect(list(v))[-2:], 0.6914625)
        yield _row("median", "heavy tails", n, NOISE["heavy tails"](rng, (studies, n)), _median, 0.0)
        yield _row("images worth", "normal", n, *_equivalences(rng, studies, n))
    for share in (0.6, 0.95, 0.99):
        right = rng.binomial(IMAGES, share, (studies, 1)) / IMAGES
        yield _row("finite test set (Wilson)", f"binomial, {share:g}", 1, right, lambda v: wilson(v[0], IMAGES), share)


def _row(
    rule: str, noise: str, seeds: int, samples: Array, interval: Callable[[Array], Ends], truth: float
) -> Coverage:
    ends = [interval(sample) for sample in samples]
    told = [(low, high) for low, high in ends if low is not None and high is not None]
    covers = float(np.mean([low <= truth <= high for low, high in told])) if told else float("nan")
    error = float(np.sqrt(covers * (1 - covers) / len(told))) if told else float("nan")
    return Coverage(rule, noise, seeds, len(samples), len(told) / len(samples), covers, error)


def _paired(sample: Array) -> Ends:
    half = len(sample) // 2
    difference = paired_difference(dict(enumerate(sample[:half])), dict(enumerate(sample[half:])), IMAGES)
    assert difference is not None
    return difference[2:4]


def _median(sample: Array) -> Ends:
    size = effect(list(sample))
    assert size is not None
    return size.median_low, size.median_high


def _lucky(rng: np.random.Generator, studies: int, n: int) -> Array:
    """Differences of true mean 0.01 and spread 0.01, lowered by a regret of 0.006, which is known up to 0.003."""
    known = rng.normal(0.006, 0.003, (studies, 1))
    return np.hstack([rng.normal(0.01 - 0.006, 0.01, (studies, n)), known])


def _with_luck(sample: Array) -> Ends:
    test = mean_test(list(sample[:-1]), shift=sample[-1], shift_variance=0.003**2)
    return test.low, test.high


def _equivalences(rng: np.random.Generator, studies: int, n: int) -> tuple[Array, Callable[[Array], Ends], float]:
    """Seeds of a baseline at 500, 1,500 and 5,000 images and of a method that is worth 1,000 of them."""
    sizes = np.array([500.0, 1_500.0, 5_000.0])
    curve = 0.9 + 0.05 * np.log10(sizes / 500)
    seeds = rng.normal(0, 0.003, (studies, n, 1))  # what a seed does to all of its runs
    runs = np.concatenate([curve, [0.9 + 0.05 * np.log10(2)]]) + seeds + rng.normal(0, 0.004, (studies, n, 4))

    def interval(sample: Array) -> Ends:
        of_seeds = sample.reshape(n, 4)
        return images_interval(sizes, of_seeds[:, :3], of_seeds[:, 3], difference_floor(10_000)) or (None, None)

    return runs.reshape(studies, -1), interval, 1_000.0
