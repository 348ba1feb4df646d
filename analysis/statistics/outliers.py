"""Values that a mean and Student's t describe badly: one unlike the others, or a visible skew.

With bad runs on one side alone no rule on means keeps its level, whatever its test, so that they are flagged and shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.publications import Publication

#: So rare is a flag where values are normal.
FLAG_LEVEL: Final = 0.01
#: Fewest values for the test of skewness, whose approximation is not good below.
SKEW_MINIMUM: Final = 8

#: What a paper that shows these flags has to cite.
PUBLICATIONS: Final = (
    Publication("Grubbs' test of outliers, repeated", "rosner1983percentage"),
    Publication("D'Agostino's test of skewness", "dagostino1970transformation"),
)


class Irregular(NamedTuple):
    """What is irregular in some values."""

    outliers: tuple[int, ...]  # places of values that are unlike all others, the farthest first
    skewed: bool


def irregular(values: Sequence[float], floor: float = 0.0) -> Irregular:
    """The outliers among ``values`` and their skew, each at 1 %.

    Outliers: Rosner's generalized test, which is Grubbs' of one value repeated without the farthest so far, for up to a
    fifth of the values, so that two bad runs do not hide each other. Of n values that are left the farthest from their
    mean is compared with mean m and variance s^2 of the others: ``|x - m| / sqrt(max(s^2, floor) (1 + 1 / (n - 1)))``
    above the 1 - 0.01 / (2 n) quantile of Student's t with n - 2 degrees of freedom; the last that is above, and all
    before it, are outliers. From 3 values on. ``floor``: the least variance of a value, as in ``mean_interval``, so
    that one value a test image away from equal ones is none. Skew: D'Agostino's test of the sample skewness (scipy),
    from 8 values on.

    >>> irregular([0.1, 0.2, 0.15, 0.18, -3.0])
    Irregular(outliers=(4,), skewed=False)
    >>> irregular([0.0, 0.0, 0.0, 1 / 360], floor=1 / (6 * 360**2)).outliers
    ()
    """
    return Irregular(_outliers(values, floor), _skewed(values, floor))


def _outliers(values: Sequence[float], floor: float) -> tuple[int, ...]:
    if len(values) < 3:
        return ()
    sample, left = np.asarray(values, dtype=np.float64), list(range(len(values)))
    removed: list[int] = []
    outliers: tuple[int, ...] = ()
    for _ in range(max(1, len(values) // 5)):
        place = left[int(np.argmax(np.abs(sample[left] - sample[left].mean())))]
        left.remove(place)
        removed.append(place)
        if _is_unlike(float(sample[place]), sample[left], floor):
            outliers = tuple(removed)
    return outliers


def _is_unlike(value: float, others: NDArray[np.float64], floor: float) -> bool:
    """Whether Grubbs' test rejects that a value is like the others, of which it is the farthest."""
    from scipy.special import stdtrit

    n = len(others) + 1
    scale = math.sqrt(max(float(others.var(ddof=1)), floor, _NO_SPREAD) * (1 + 1 / (n - 1)))
    return abs(value - float(others.mean())) / scale > float(stdtrit(n - 2, 1 - FLAG_LEVEL / (2 * n)))


def _skewed(values: Sequence[float], floor: float) -> bool:
    if len(values) < SKEW_MINIMUM or float(np.var(values, ddof=1)) <= max(floor, _NO_SPREAD):
        return False
    from scipy import stats

    return bool(stats.skewtest(values).pvalue <= FLAG_LEVEL)


#: A variance below which values count as equal: far below one test image in a million.
_NO_SPREAD: Final = 1e-20
