"""How large a paired difference is, beside its mean: standardised, its median, how often it is an improvement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.intervals import TAIL, clopper_pearson

#: Differences smaller than this are ties: far below one test image in a million.
_TIE: Final = 1e-10


class Effect(NamedTuple):
    """Sizes of a paired difference with 95 % intervals; None where the pairs are too few to tell."""

    n: int  # pairs
    d: float | None  # Cohen's d_z with Hedges' small-sample correction; None without spread
    d_low: float | None
    d_high: float | None
    median: float  # of the differences, in the unit of the values
    median_low: float | None
    median_high: float | None
    improvement: float  # share of pairs in which the regularizer has the higher value; a tie counts half
    improvement_low: float
    improvement_high: float


def effect(differences: Sequence[float]) -> Effect | None:
    """Effect sizes of paired ``differences``; None where there are none.

    d = J mean / sd, J = Γ((n-1)/2) / (sqrt((n-1)/2) Γ((n-2)/2)) (Hedges 1981); its interval inverts the noncentral t
    distribution of sqrt(n) mean / sd (normal differences), without J. The median's interval is that of order
    statistics and needs 6 pairs. The share of improvements has a Clopper-Pearson interval, in which a tie counts
    against both ends. It is the chance of a higher value on the same fresh seed; Agarwal et al. (2021) define one over
    independent runs.

    >>> size = effect([0.01, 0.02, 0.03])
    >>> size.n, round(size.d, 3), size.median, size.improvement
    (3, 1.128, 0.02, 1.0)
    """
    return _effect(tuple(sorted(map(float, differences)))) if differences else None


@lru_cache(maxsize=65_536)
def _effect(differences: tuple[float, ...]) -> Effect:
    n = len(differences)
    wins = sum(value > _TIE for value in differences)
    ties = sum(abs(value) <= _TIE for value in differences)
    median_low, median_high = _median_interval(differences)
    d, d_low, d_high = _standardised(differences)
    return Effect(
        n,
        d,
        d_low,
        d_high,
        float(np.median(differences)),
        median_low,
        median_high,
        (wins + ties / 2) / n,
        clopper_pearson(wins, n)[0],
        clopper_pearson(wins + ties, n)[1],
    )


def _standardised(differences: tuple[float, ...]) -> tuple[float, float, float] | tuple[None, None, None]:
    n = len(differences)
    spread = float(np.std(differences, ddof=1)) if n > 1 else 0.0
    if n < 3 or spread <= _TIE:  # the correction needs two degrees of freedom
        return None, None, None
    raw = math.fsum(differences) / n / spread
    df = n - 1
    correction = math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)
    t = raw * math.sqrt(n)
    low, high = (_noncentrality(t, df, share) for share in (1 - TAIL, TAIL))
    # The ends are those of the standardised mean itself: the correction is of the estimate's bias, and has no part in
    # which values the data are compatible with.
    return correction * raw, low / math.sqrt(n), high / math.sqrt(n)


def _noncentrality(t: float, df: int, share: float) -> float:
    """The noncentrality at which ``share`` of the noncentral t distribution lies below ``t``.

    P(T < t) = E[Phi(t s - noncentrality)] over s = sqrt(chi2 / df), by the midpoint rule over the quantiles of s:
    scipy's ``nct.cdf`` is NaN far out in the tails.
    """
    from scipy import optimize
    from scipy.special import ndtr

    at = t * _scales(df)

    def excess(noncentrality: float) -> float:
        return float(ndtr(at - noncentrality).mean()) - share

    return float(optimize.brentq(excess, float(at.min()) - 9, float(at.max()) + 9, xtol=1e-9))


@lru_cache(maxsize=256)
def _scales(df: int) -> NDArray[np.float64]:
    from scipy.special import gammaincinv

    shares = (np.arange(4_000) + 0.5) / 4_000
    scales: NDArray[np.float64] = np.sqrt(gammaincinv(df / 2, shares) / (df / 2))
    return scales


def _median_interval(differences: tuple[float, ...]) -> tuple[float | None, float | None]:
    from scipy import stats

    n = len(differences)
    # The largest k such that fewer than k of n fair coins fall on one side with probability at most 2.5 %.
    k = int(stats.binom.ppf(TAIL, n, 0.5))
    if k and stats.binom.cdf(k - 1, n, 0.5) > TAIL:
        k -= 1
    return (differences[k - 1], differences[n - k]) if k else (None, None)
