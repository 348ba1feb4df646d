"""What so many paired seeds can decide, told before they are trained: power of Student's t, of a look or of a test."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

#: What should be decided is decided in so many of 100 cases, as is usual.
POWER: Final = 0.8

_GRID: Final = 400
_HALVINGS: Final = 40


def power(difference: float, n: int, deviation: float, level: float) -> float:
    """How often the two-sided t-test at ``level`` tells a true ``difference`` from 0, on ``n`` pairs; a share.

    ``deviation``: standard deviation of the paired differences, in their unit. Normal differences: the noncentral t
    distribution with ``n - 1`` degrees of freedom and noncentrality ``difference sqrt(n) / deviation``.

    >>> round(power(0.02, 5, 0.01, 0.05), 3), power(0.02, 1, 0.01, 0.05)
    (0.909, 0.0)
    """
    from scipy.special import nctdtr

    if n < 2:
        return 0.0
    critical = _critical(n, level)
    shift = abs(difference) * math.sqrt(n) / deviation
    below = np.nan_to_num(nctdtr(n - 1, shift, -critical))  # scipy gives NaN for shares that are next to none
    return float(1 - nctdtr(n - 1, shift, critical) + below)


def smallest_difference(n: int, deviation: float, level: float, share: float = POWER) -> float:
    """The smallest true difference that ``n`` pairs tell from 0 in the share ``share`` of cases; infinite for one pair.

    Arguments as of ``power``; the result is in the unit of ``deviation``. With several looks it is a bound: what the
    last look alone would tell, the looks together tell at least as often.

    >>> round(smallest_difference(20, 0.01, 0.05), 4), smallest_difference(1, 0.01, 0.05)
    (0.0066, inf)
    """
    from scipy.special import nctdtrinc

    if n < 2:
        return math.inf
    return float(nctdtrinc(n - 1, 1 - share, _critical(n, level))) * deviation / math.sqrt(n)


def equivalence_power(margin: float, n: int, deviation: float, level: float) -> float:
    """How often the ``1 - level`` interval lies inside ``+-margin`` where the true difference is 0; a share.

    Arguments as of ``power``. Given the standard deviation s of ``n`` normal differences it is
    ``2 Phi(sqrt(n) margin / deviation - t s / deviation) - 1``, or 0 where that is negative; averaged over s.

    >>> round(equivalence_power(0.01, 20, 0.01, 0.02), 2), round(equivalence_power(0.005, 20, 0.01, 0.02), 2)
    (0.93, 0.05)
    """
    from scipy.special import chdtri, ndtr

    if n < 2:
        return 0.0
    shares = (np.arange(_GRID) + 0.5) / _GRID
    spread = np.sqrt(chdtri(n - 1, 1 - shares) / (n - 1))  # s / deviation at these shares of its distribution
    ends = math.sqrt(n) * margin / deviation - _critical(n, level) * spread
    return float(np.mean(np.maximum(0.0, 2 * ndtr(ends) - 1)))


def smallest_margin(n: int, deviation: float, level: float, share: float = POWER) -> float:
    """The smallest margin inside which the interval lies in the share ``share`` of cases, if nothing differs.

    Arguments as of ``equivalence_power``; in the unit of ``deviation``, infinite for one pair.

    >>> round(smallest_margin(20, 0.01, 0.02), 4)
    0.0087
    """
    if n < 2:
        return math.inf
    low, high = 0.0, deviation
    while equivalence_power(high, n, deviation, level) < share:
        high *= 2
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if equivalence_power(middle, n, deviation, level) >= share else (middle, high)
    return high


def _critical(n: int, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, 1 - level / 2))
