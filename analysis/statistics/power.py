"""How many pairs of runs would establish a difference of the size that was seen."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: The chance with which so many pairs establish the difference.
POWER: Final = 0.8
#: More pairs are not looked for: nobody trains them.
MOST_PAIRS: Final = 10_000


def pairs_needed(
    mean: float, spread: float, level: float, *, shift: float = 0.0, shift_variance: float = 0.0
) -> int | None:
    """The fewest pairs with which a difference would be established in four of five studies; None where no number is.

    The difference is that seen: its pairs have the mean ``mean`` and the standard deviation ``spread``, both in any
    unit. It is established where Student's t rejects at ``level``, two-sided, and also with the ``shift`` that the
    luck of two searches adds to it and the ``shift_variance`` of that, which no pair makes smaller. Above 10,000 pairs
    it is None, too.

    >>> pairs_needed(1.0, 1.0, 0.05), pairs_needed(1.0, 1.0, 0.01), pairs_needed(0.0, 1.0, 0.05)
    (10, 16, None)
    >>> pairs_needed(1.0, 1.0, 0.05, shift_variance=0.01), pairs_needed(1.0, 1.0, 0.05, shift_variance=0.3)
    (11, None)
    """
    if mean == 0 or spread <= 0 or (shift and (mean + shift) * mean <= 0):
        return None

    def enough(pairs: int) -> bool:
        settings = _power(abs(mean), spread**2 / pairs, 0.0, pairs, level)
        return min(settings, _power(abs(mean + shift), spread**2 / pairs, shift_variance, pairs, level)) >= POWER

    if not enough(MOST_PAIRS):
        return None
    few, many = 1, 2
    while not enough(many):
        few, many = many, min(2 * many, MOST_PAIRS)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many


def _power(mean: float, of_mean: float, shift_variance: float, pairs: int, level: float) -> float:
    """The chance that the t of a mean with that variance is above its quantile; Welch-Satterthwaite with a shift."""
    from scipy.special import ndtr, stdtrit

    variance = of_mean + shift_variance
    degrees = (pairs - 1) * (variance / of_mean) ** 2
    limit = float(stdtrit(degrees, 1 - level / 2))
    # Of the variance only the part of the pairs is estimated; scaled to the degrees of freedom of the whole.
    return float(ndtr(mean / math.sqrt(variance) - limit * _scales(round(degrees, 3))).mean())


@lru_cache(maxsize=1_024)
def _scales(degrees: float) -> NDArray[np.float64]:
    from scipy.special import gammaincinv

    shares = (np.arange(1_000) + 0.5) / 1_000
    scales: NDArray[np.float64] = np.sqrt(gammaincinv(degrees / 2, shares) / (degrees / 2))
    return scales
