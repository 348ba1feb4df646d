"""Means with 95 % intervals over seeds, paired differences, exact tests and their correction.

Every function takes the values of runs that ended; a diverged run has a status and no value.

BCa intervals from few seeds are too short: on normal data they cover the mean in about 85 % of cases with 5 seeds
and 90 % with 10. So the report never claims a difference from an interval alone: the exact test, which keeps its
level at any number of seeds, must agree.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Array: TypeAlias = NDArray[np.float64]

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 9_999
#: Below this number of runs BCa has too few distinct resamples to be of use, and Student's t is used.
BCA_MINIMUM: Final = 5
#: Spread below which values count as equal: far below one test image in a million.
_EQUAL: Final = 1e-12

BCA: Final = "BCa bootstrap"
STUDENT: Final = "Student t"
NO_SPREAD: Final = "no spread"
ONE_RUN: Final = "one run, no interval"


class Estimate(NamedTuple):
    """A mean over runs and its 95 % interval, in the unit of the values."""

    n: int
    mean: float
    low: float | None  # None with one run
    high: float | None
    method: str  # how the interval was made: BCA, STUDENT, NO_SPREAD or ONE_RUN


class Comparison(NamedTuple):
    """A mean paired difference to the baseline, its 95 % interval and its test, in the unit of the values."""

    n: int  # pairs: seeds at which both runs ended
    mean: float
    low: float | None
    high: float | None
    method: str
    p: float | None  # two-sided sign-flip permutation test; None with one pair
    exact: bool  # all 2^n sign flips were taken, not a sample of them
    p_holm: float | None = None  # corrected over all comparisons of the report


def mean_interval(values: Sequence[float]) -> Estimate | None:
    """Mean of ``values`` with a 95 % interval; None where there are none.

    The interval is scipy's BCa bootstrap (9,999 resamples, fixed seed) from 5 values on, Student's t for 2 to 4
    and where BCa is undefined; equal values have an interval without width; one value has none. The values are
    sorted first, so that their order changes nothing.

    >>> mean_interval([0.5])
    Estimate(n=1, mean=0.5, low=None, high=None, method='one run, no interval')
    >>> estimate = mean_interval([0.90, 0.92, 0.91])
    >>> round(estimate.low, 4), round(estimate.high, 4), estimate.method
    (0.8852, 0.9348, 'Student t')
    """
    return _interval(tuple(sorted(map(float, values)))) if values else None


def share_interval(values: Sequence[float]) -> Estimate | None:
    """``mean_interval`` of shares in [0, 1]: what lies beyond cannot be, and is cut off.

    >>> share_interval([0.97, 0.99]).high
    1.0
    """
    mean = mean_interval(values)
    if mean is None or mean.low is None or mean.high is None:
        return mean
    return mean._replace(low=max(mean.low, min(0.0, mean.mean)), high=min(mean.high, max(1.0, mean.mean)))


# The same runs stand in several tables and figures.
@lru_cache(maxsize=65_536)
def _interval(values: tuple[float, ...]) -> Estimate:
    sample = np.asarray(values, dtype=np.float64)
    mean = math.fsum(sample) / sample.size
    if sample.size == 1:
        return Estimate(1, mean, None, None, ONE_RUN)
    if np.ptp(sample) <= _EQUAL:
        return Estimate(sample.size, mean, mean, mean, NO_SPREAD)
    if sample.size >= BCA_MINIMUM:
        low, high = _bca(sample)
        if math.isfinite(low) and math.isfinite(high):
            return Estimate(sample.size, mean, low, high, BCA)
    low, high = _student(sample, mean)
    return Estimate(sample.size, mean, low, high, STUDENT)


def paired_difference(values: Mapping[int, float], baseline: Mapping[int, float]) -> Comparison | None:
    """Mean of ``values[seed] - baseline[seed]`` over the seeds that both have; None where they share none.

    The test flips the signs of the differences: all 2^n ways up to 13 pairs, else 9,999 random ones of a fixed
    seed. Its smallest possible p is ``smallest_p(n)``.

    >>> difference = paired_difference({0: 0.9, 1: 0.8, 2: 0.9}, {0: 0.8, 1: 0.7, 2: 0.7, 3: 0.1})
    >>> difference.n, round(difference.mean, 3), difference.p, difference.exact
    (3, 0.133, 0.25, True)
    """
    seeds = sorted(values.keys() & baseline.keys())
    differences = [values[seed] - baseline[seed] for seed in seeds]
    estimate = mean_interval(differences)
    if estimate is None:
        return None
    p = _sign_flip(differences) if estimate.n > 1 else None
    return Comparison(*estimate, p=p, exact=2**estimate.n <= RESAMPLES)


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a proportion ``share`` seen in ``n`` draws: the error of a finite test set (Wilson 1927).

    >>> tuple(round(end, 4) for end in wilson(0.9, 100))
    (0.8256, 0.9448)
    """
    from scipy.special import ndtri

    z = float(ndtri((1 + CONFIDENCE) / 2))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def percentile_interval(draws: _Array) -> tuple[float, float]:
    """Ends of the middle 95 % of resampled values; infinite ones count as what they are.

    >>> percentile_interval(np.arange(1000.0))
    (25.0, 974.0)
    """
    ordered = np.sort(draws)
    tail = (1 - CONFIDENCE) / 2
    at = round(tail * draws.size)
    return float(ordered[at]), float(ordered[draws.size - 1 - at])


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction; None stays None and is not counted.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * p))
        corrected[place] = highest
    return corrected


def smallest_p(pairs: int) -> float:
    """Smallest p that the two-sided sign-flip test can give with ``pairs`` pairs.

    >>> smallest_p(5)
    0.0625
    """
    return max(2.0 ** (1 - pairs), 2 / (RESAMPLES + 1)) if pairs else 1.0


def pairs_needed(comparisons: int, level: float = 1 - CONFIDENCE) -> int:
    """Fewest pairs with which a Holm-corrected p of ``comparisons`` tests can reach ``level``.

    >>> pairs_needed(1), pairs_needed(4)
    (6, 8)
    """
    return 1 + math.ceil(math.log2(max(1, comparisons) / level))


def _bca(sample: _Array) -> tuple[float, float]:
    from scipy import stats

    with warnings.catch_warnings():
        # Where BCa is undefined (all but one value equal, say) scipy warns and returns NaN; the caller falls back.
        warnings.simplefilter("ignore")
        interval = stats.bootstrap(
            (sample,),
            np.mean,
            vectorized=True,
            n_resamples=RESAMPLES,
            confidence_level=CONFIDENCE,
            method="BCa",
            rng=np.random.default_rng(0),
        ).confidence_interval
    return float(interval.low), float(interval.high)


def _student(sample: _Array, mean: float) -> tuple[float, float]:
    from scipy import stats

    half = (
        float(stats.t.ppf((1 + CONFIDENCE) / 2, sample.size - 1)) * float(sample.std(ddof=1)) / math.sqrt(sample.size)
    )
    return mean - half, mean + half


def _rounded_mean(sample: _Array, axis: int = -1) -> Any:
    # Accuracies are multiples of one test image, so sign flips tie often; rounding keeps float noise from
    # breaking those ties, which would make p too small.
    return np.round(np.mean(sample, axis=axis), 10)


def _sign_flip(differences: Sequence[float]) -> float:
    from scipy import stats

    result = stats.permutation_test(
        (np.sort(np.asarray(differences, dtype=np.float64)),),
        _rounded_mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=RESAMPLES,
        alternative="two-sided",
        rng=np.random.default_rng(0),
    )
    return float(result.pvalue)
