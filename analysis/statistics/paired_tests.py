"""Paired differences to the baseline: their interval, Student's t test, and the exact test beside it as a check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from analysis.statistics.intervals import NO_SPREAD, ONE_RUN, RESAMPLES, STUDENT, Array
from tune_reg.decisions.student import LEVEL, difference_floor, mean_test

__all__ = ["LEVEL", "Comparison", "paired", "paired_difference", "permutation_p"]


class Comparison(NamedTuple):
    """A mean paired difference to the baseline, its interval and its tests, in the unit of the values."""

    n: int  # pairs: seeds at which both runs ended
    mean: float
    low: float | None  # of the interval that leaves out ``level``: 95 %, but for a look of a confirmation in rounds
    high: float | None
    method: str
    p: float | None  # two-sided, Student's t; None with one pair and without spread
    p_sign_flip: float | None  # two-sided sign-flip permutation test, beside p as a check; None with one pair
    all_flips: bool  # all 2^n sign flips were taken, not a sample of them
    p_holm: float | None = None  # p corrected over its family; None in rounds, where ``level`` is corrected instead
    level: float = LEVEL  # that p, or p_holm where there is one, is held against


def paired_difference(
    values: Mapping[int, float], baseline: Mapping[int, float], images: int | None = None, level: float = LEVEL
) -> Comparison | None:
    """Mean of ``values[seed] - baseline[seed]`` over the seeds that both have; None where they share none.

    Interval and p are Student's t with the variance floor of differences on ``images`` test images (None: not known).
    The check flips the signs of the differences: all 2^n ways up to 13 pairs, else 9,999 random ones of a fixed
    seed. ``level``: that the interval leaves out.

    >>> difference = paired_difference({0: 0.9, 1: 0.8, 2: 0.9}, {0: 0.8, 1: 0.7, 2: 0.7, 3: 0.1})
    >>> difference.n, round(difference.mean, 3), round(difference.p, 3), difference.p_sign_flip
    (3, 0.133, 0.057, 0.25)
    """
    differences = paired(values, baseline)
    if not differences:
        return None
    test = mean_test(sorted(differences), floor=difference_floor(images), level=level)
    method = ONE_RUN if test.n == 1 else NO_SPREAD if test.low is None else STUDENT
    check = _sign_flip(differences) if test.n > 1 else None
    return Comparison(
        test.n, test.mean, test.low, test.high, method, test.p, check, 2**test.n <= RESAMPLES, level=level
    )


def paired(values: Mapping[int, float], baseline: Mapping[int, float]) -> list[float]:
    """``values[seed] - baseline[seed]`` of the seeds that both have, in their order.

    >>> paired({1: 3.0, 0: 2.0}, {0: 1.0, 1: 1.0, 2: 1.0})
    [1.0, 2.0]
    """
    return [values[seed] - baseline[seed] for seed in sorted(values.keys() & baseline.keys())]


def _rounded_mean(sample: Array, axis: int = -1) -> Any:
    # Accuracies are multiples of one test image, so sign flips tie often; rounding keeps float noise from
    # breaking those ties, which would make p too small.
    return np.round(np.mean(sample, axis=axis), 10)


def _sign_flip(differences: Sequence[float]) -> float:
    return permutation_p((np.sort(np.asarray(differences, dtype=np.float64)),), _rounded_mean, "two-sided")


def permutation_p(
    samples: tuple[Array, ...], statistic: Callable[..., Any], alternative: Literal["two-sided", "greater"]
) -> float:
    """p of a permutation test within samples: one sample has its signs flipped, of several the pairs are permuted.

    ``samples``: each [n], float64. ``statistic``: a function of the samples and an axis. All permutations where they
    are at most 9,999, else so many random ones of a fixed seed.
    """
    from scipy import stats

    result = stats.permutation_test(
        samples,
        statistic,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        alternative=alternative,
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)
