"""Paired differences to the baseline: their interval, their exact test, and when a difference is established."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from analysis.statistics.intervals import CONFIDENCE, RESAMPLES, Array, mean_interval

#: The level of every test.
LEVEL: Final = 1 - CONFIDENCE


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


def established(difference: Comparison) -> bool:
    """Whether a difference is established: its corrected p is at most 0.05 and its 95 % interval leaves out zero.

    Both must hold, since intervals from few seeds are too short. Without an interval or a corrected p nothing is
    established.

    >>> established(Comparison(8, 0.02, 0.01, 0.03, "BCa bootstrap", 0.01, True, p_holm=0.02))
    True
    >>> established(Comparison(8, 0.02, 0.01, 0.03, "BCa bootstrap", 0.01, True, p_holm=0.08))
    False
    """
    if difference.p_holm is None or difference.low is None or difference.high is None:
        return False
    return difference.p_holm <= LEVEL and not difference.low <= 0 <= difference.high


def smallest_p(pairs: int) -> float:
    """Smallest p that the two-sided sign-flip test can give with ``pairs`` pairs.

    >>> smallest_p(5)
    0.0625
    """
    return max(2.0 ** (1 - pairs), 2 / (RESAMPLES + 1)) if pairs else 1.0


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
