"""Means and proportions with 95 % intervals.

Every function takes the values of runs that ended; a diverged run has a status and no value. The interval of a mean is
Student's t, whose variance is not taken for less than the test images can resolve (``tune_reg.decisions``): few runs
that agree by chance would otherwise have no spread at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.publications import Publication
from tune_reg.decisions import mean_floor, mean_test
from tune_reg.decisions.student import LEVEL

Array: TypeAlias = NDArray[np.float64]

CONFIDENCE: Final = 1 - LEVEL
#: Probability left out at each end of an interval.
TAIL: Final = LEVEL / 2
#: Permutations of a test where all of them are more.
RESAMPLES: Final = 9_999

STUDENT: Final = "Student t"
NO_SPREAD: Final = "no spread, no interval"
ONE_RUN: Final = "one run, no interval"

#: What a paper that shows these intervals has to cite.
PUBLICATIONS: Final = (Publication("Student's t intervals", "student1908probable"),)


class Estimate(NamedTuple):
    """A mean over runs and its 95 % interval, in the unit of the values."""

    n: int
    mean: float
    low: float | None  # None with one run, and where runs agree and nothing says how finely they were measured
    high: float | None
    method: str  # how the interval was made: STUDENT, NO_SPREAD or ONE_RUN


def mean_interval(values: Sequence[float], floor: float = 0.0) -> Estimate | None:
    """Mean of ``values`` with the 95 % interval of Student's t; None where there are none.

    ``floor``: the least variance of a value, in the square of its unit: ``tune_reg.decisions.mean_floor`` of the test
    images for accuracies, ``difference_floor`` for their differences. No interval has width 0: one value has none, and
    equal values have one only with a floor. The values are sorted first, so that their order changes nothing.

    >>> mean_interval([0.5])
    Estimate(n=1, mean=0.5, low=None, high=None, method='one run, no interval')
    >>> estimate = mean_interval([0.90, 0.92, 0.91])
    >>> round(estimate.low, 4), round(estimate.high, 4), estimate.method
    (0.8852, 0.9348, 'Student t')
    >>> mean_interval([0.5, 0.5]).method, round(mean_interval([0.5, 0.5], mean_floor(360)).high, 4)
    ('no spread, no interval', 0.5072)
    """
    return _interval(tuple(sorted(map(float, values))), floor) if values else None


def share_interval(values: Sequence[float], images: int | None = None) -> Estimate | None:
    """Mean of shares in [0, 1] with a 95 % interval, as in ``mean_interval``; what lies outside [0, 1] is cut off.

    ``images``: on which each share was counted; None where that is not known.

    >>> share_interval([0.97, 0.99]).high
    1.0
    """
    mean = mean_interval(values, mean_floor(images))
    if mean is None or mean.low is None or mean.high is None:
        return mean
    return mean._replace(low=max(mean.low, min(0.0, mean.mean)), high=min(mean.high, max(1.0, mean.mean)))


# Cached, because a set of runs stands in several tables and figures.
@lru_cache(maxsize=65_536)
def _interval(values: tuple[float, ...], floor: float) -> Estimate:
    test = mean_test(values, floor=floor)
    method = ONE_RUN if test.n == 1 else NO_SPREAD if test.low is None else STUDENT
    return Estimate(test.n, test.mean, test.low, test.high, method)


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a proportion ``share`` in ``n`` draws: the error of a finite test set (Wilson 1927).

    >>> tuple(round(end, 4) for end in wilson(0.9, 100))
    (0.8256, 0.9448)
    """
    from scipy.special import ndtri

    z = float(ndtri((1 + CONFIDENCE) / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def clopper_pearson(successes: int, n: int) -> tuple[float, float]:
    """Exact 95 % interval of a proportion (Clopper and Pearson 1934).

    >>> tuple(round(end, 3) for end in clopper_pearson(5, 5))
    (0.478, 1.0)
    """
    from scipy.special import betaincinv

    low = float(betaincinv(successes, n - successes + 1, TAIL)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - TAIL)) if successes < n else 1.0
    return low, high


def percentile_interval(draws: Array) -> tuple[float, float]:
    """Ends of the middle 95 % of resampled values; infinite values count as the largest or smallest.

    >>> percentile_interval(np.arange(1000.0))
    (25.0, 974.0)
    """
    ordered = np.sort(draws)
    at = round(TAIL * draws.size)
    return float(ordered[at]), float(ordered[draws.size - 1 - at])
