"""Student's t with a floor for the variance: the interval and the test of a mean over runs.

Accuracies on N images are multiples of 1 / N, so that few runs may agree by chance, and their spread may be far too
small. A value that is rounded to a multiple of 1 / N has an error of variance 1 / (12 N^2), and a difference of two
such values one of 1 / (6 N^2): no spread is taken for less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

#: The level of a test that stands alone, and of what an interval leaves out.
LEVEL: Final = 0.05


class MeanTest(NamedTuple):
    """The mean of some values, its interval, and the two-sided test that it is 0, in the unit of the values."""

    n: int
    mean: float
    low: float | None  # None where the values have no spread to judge by: one value, or equal ones without a floor
    high: float | None
    p: float | None
    error: float | None  # standard error of the mean
    degrees: float | None  # degrees of freedom of the t distribution


def mean_floor(images: int | None) -> float:
    """The least variance of accuracies on ``images`` images, 1 / (12 N^2); 0 where the number is not known.

    >>> round(1e6 * mean_floor(360), 3)
    0.643
    """
    return 0.0 if images is None else 1 / (12 * images**2)


def difference_floor(images: int | None) -> float:
    """The least variance of differences of two accuracies on ``images`` images, 1 / (6 N^2); 0 where it is not known.

    >>> difference_floor(360) == 2 * mean_floor(360)
    True
    """
    return 2 * mean_floor(images)


def mean_test(
    values: Sequence[float],
    *,
    floor: float = 0.0,
    level: float = LEVEL,
    shift: float = 0.0,
    shift_variance: float = 0.0,
) -> MeanTest:
    """The mean of ``values`` plus ``shift``, its two-sided ``1 - level`` interval, and the p of its test against 0.

    ``mean +- t_(v, 1 - level / 2) sqrt(max(s^2, floor) / n + shift_variance)``, with s^2 the variance of the n values
    and ``v = n - 1`` degrees of freedom, or those of Welch and Satterthwaite where the shift has a variance, which is
    taken as known. ``values``: at least one, in any unit. ``floor``, ``shift_variance``: in its square.

    Source: Student 1908; Satterthwaite, An approximate distribution of estimates of variance components, 1946.

    >>> test = mean_test([0.90, 0.92, 0.91])
    >>> round(test.low, 4), round(test.high, 4)
    (0.8852, 0.9348)
    >>> mean_test([0.5]).low is None, mean_test([0.5, 0.5]).low is None
    (True, True)
    >>> round(mean_test([0.5, 0.5], floor=mean_floor(360)).high, 4)
    0.5072
    """
    from scipy.special import stdtr, stdtrit  # here, since reading a store needs no scipy

    n = len(values)
    mean = math.fsum(values) / n + shift
    if n == 1:
        return MeanTest(1, mean, None, None, None, None, None)
    centre = math.fsum(values) / n
    of_mean = max(math.fsum((value - centre) ** 2 for value in values) / (n - 1), floor) / n
    variance = of_mean + shift_variance
    if not of_mean > _NO_SPREAD**2:
        return MeanTest(n, mean, None, None, None, None, None)
    degrees = (n - 1) * (variance / of_mean) ** 2
    error = math.sqrt(variance)
    half = float(stdtrit(degrees, 1 - level / 2)) * error
    p = 2 * float(stdtr(degrees, -abs(mean) / error))
    return MeanTest(n, mean, mean - half, mean + half, p, error, degrees)


#: A standard error below which values count as equal: far below one test image in a million.
_NO_SPREAD: Final = 1e-12
