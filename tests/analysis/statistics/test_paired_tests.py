import itertools

import numpy as np
import pytest
from scipy import stats

from analysis.statistics import Comparison, established, paired_difference, smallest_p
from analysis.statistics.intervals import NO_SPREAD


def test_difference_is_paired_by_seed():
    values = {3: 0.95, 1: 0.91, 2: 0.93, 9: 0.1}
    baseline = {1: 0.90, 2: 0.91, 3: 0.92, 8: 0.99}
    got = paired_difference(values, baseline)
    assert got.n == 3
    assert got.mean == pytest.approx(0.02)
    low, high = stats.t.interval(0.95, 2, loc=0.02, scale=stats.sem([0.01, 0.02, 0.03]))
    assert (got.low, got.high) == pytest.approx((low, high))
    assert got.p == pytest.approx(2 / 8)


def sign_flip_p(differences):
    """Two-sided p by listing all sign flips, in whole test images so that ties are exact."""
    observed = abs(sum(differences))
    flips = [abs(sum(s * d for s, d in zip(signs, differences, strict=True))) for signs in _signs(len(differences))]
    return sum(flip >= observed for flip in flips) / len(flips)


def _signs(n):
    return itertools.product((-1, 1), repeat=n)


@pytest.mark.parametrize("images", [(1, 2, 3, 4, 5), (1, 1, 1, 3), (-1, 2, 2, -3, 4, 1), (7, -7, 1, 1, 1, 3, 2)])
def test_sign_flip_counts_ties_of_accuracies(images):
    # Accuracies out of 360 images: their differences are not exact in binary.
    baseline = {seed: (300 - seed) / 360 for seed in range(len(images))}
    values = {seed: (300 - seed + more) / 360 for seed, more in enumerate(images)}
    got = paired_difference(values, baseline)
    assert got.exact
    assert got.p == pytest.approx(sign_flip_p(images))


def test_no_difference_at_all_is_p_one():
    got = paired_difference({0: 0.9, 1: 0.8}, {0: 0.9, 1: 0.8})
    assert (got.mean, got.p, got.method) == (0, 1, NO_SPREAD)


def test_one_pair_has_no_test():
    got = paired_difference({0: 0.9}, {0: 0.8})
    assert (got.n, got.low, got.p) == (1, None, None)


def test_no_common_seed_has_no_difference():
    assert paired_difference({0: 0.9}, {1: 0.8}) is None


def test_many_pairs_are_sampled_and_say_so():
    rng = np.random.default_rng(3)
    values = dict(enumerate(rng.normal(0.9, 0.01, 20)))
    baseline = dict(enumerate(rng.normal(0.9, 0.01, 20)))
    got = paired_difference(values, baseline)
    assert not got.exact
    assert got == paired_difference(values, baseline)
    assert got.p == pytest.approx(stats.ttest_rel(list(values.values()), list(baseline.values())).pvalue, abs=0.03)


def test_sign_flip_keeps_its_level_where_nothing_differs():
    rng = np.random.default_rng(11)
    rejected = [
        paired_difference(dict(enumerate(rng.normal(size=6))), dict(enumerate(rng.normal(size=6)))).p <= 0.05
        for _ in range(200)
    ]
    # 1 in 32 is the exact rate; 16 of 200 would be four standard deviations above it.
    assert sum(rejected) <= 16


def test_smallest_p_is_reached():
    five = paired_difference(dict.fromkeys(range(5), 0.9), dict.fromkeys(range(5), 0.8))
    assert five.p == smallest_p(5)


@pytest.mark.parametrize(
    ("low", "high", "p_holm", "claimed"),
    [
        (0.01, 0.03, 0.05, True),
        (-0.03, -0.01, 0.01, True),
        (0.01, 0.03, 0.0501, False),
        (0.0, 0.03, 0.01, False),
        (-0.01, 0.03, 0.01, False),
        (None, None, 0.01, False),
        (0.01, 0.03, None, False),
    ],
)
def test_established_needs_both_the_interval_and_the_corrected_test(low, high, p_holm, claimed):
    assert established(Comparison(8, 0.02, low, high, "", 0.001, True, p_holm)) is claimed
