import itertools
import math

import numpy as np
import pytest
from scipy import special, stats

from analysis.statistics import effect
from analysis.statistics.intervals import clopper_pearson

SAMPLES = [
    (0.01, 0.02, -0.005, 0.015, 0.0, 0.03, 0.012),
    (-0.02, -0.01, -0.03, -0.015, -0.001),
    (1.0, 1.01, 0.99, 1.02, 1.0, 0.98),
]


@pytest.mark.parametrize("differences", SAMPLES)
def test_d_is_the_mean_in_standard_deviations_with_hedges_correction(differences):
    n = len(differences)
    df = n - 1
    correction = special.gamma(df / 2) / (math.sqrt(df / 2) * special.gamma((df - 1) / 2))
    expected = correction * np.mean(differences) / np.std(differences, ddof=1)
    assert effect(differences).d == pytest.approx(expected, rel=1e-12)
    assert correction == pytest.approx(1 - 3 / (4 * df - 1), abs=0.02)  # Hedges' own approximation


@pytest.mark.parametrize("differences", SAMPLES[:2])
def test_interval_of_d_inverts_the_noncentral_t(differences):
    n = len(differences)
    t = stats.ttest_1samp(differences, 0).statistic
    size = effect(differences)
    for end, share in ((size.d_low, 0.975), (size.d_high, 0.025)):
        assert stats.nct.cdf(t, n - 1, end * math.sqrt(n)) == pytest.approx(share, abs=2e-5)


@pytest.mark.parametrize("n", [3, 5, 10])
def test_interval_of_d_covers_the_true_effect_in_95_of_100(n):
    rng = np.random.default_rng(n)
    sizes = [effect(list(rng.normal(1.5, 1.0, n))) for _ in range(1_000)]
    share = np.mean([size.d_low <= 1.5 <= size.d_high for size in sizes])
    assert share == pytest.approx(0.95, abs=3 * math.sqrt(0.05 * 0.95 / 1_000))


def test_interval_of_d_is_finite_where_scipys_distribution_is_not():
    size = effect(SAMPLES[2])
    assert 0 < size.d_low < size.d < size.d_high < 500


def test_d_needs_spread_and_three_pairs():
    assert effect([0.1, 0.1, 0.1]).d is None
    assert effect([0.1, 0.2]).d is None
    assert effect([]) is None


@pytest.mark.parametrize("n", [5, 6, 8, 12, 17])
def test_median_interval_is_the_widest_that_fair_coins_allow(n):
    size = effect(list(range(n)))
    if n == 5:
        assert size.median_low is None  # even the extremes hold only 93.75 %
        return
    k = int(size.median_low)
    inside = sum(math.comb(n, heads) for heads in range(k + 1, n - k)) / 2**n
    narrower = sum(math.comb(n, heads) for heads in range(k + 2, n - k - 1)) / 2**n
    assert inside >= 0.95 > narrower
    assert size.median_high == n - 1 - k


def test_ties_are_half_an_improvement_and_count_against_both_ends():
    size = effect([0.1, 0.0, 0.0, -0.1])
    assert size.improvement == 0.5
    assert size.improvement_low == clopper_pearson(1, 4)[0]
    assert size.improvement_high == clopper_pearson(3, 4)[1]


def test_order_changes_nothing():
    for order in itertools.islice(itertools.permutations(SAMPLES[1]), 5):
        assert effect(order) == effect(SAMPLES[1])
