import itertools

import numpy as np
import pytest
from scipy import stats

from analysis.statistics import paired_difference
from analysis.statistics.intervals import NO_SPREAD


def test_difference_is_paired_by_seed():
    values = {3: 0.95, 1: 0.91, 2: 0.93, 9: 0.1}
    baseline = {1: 0.90, 2: 0.91, 3: 0.92, 8: 0.99}
    got = paired_difference(values, baseline)
    assert got.n == 3
    assert got.mean == pytest.approx(0.02)
    low, high = stats.t.interval(0.95, 2, loc=0.02, scale=stats.sem([0.01, 0.02, 0.03]))
    assert (got.low, got.high) == pytest.approx((low, high))
    assert got.p == pytest.approx(stats.ttest_1samp([0.01, 0.02, 0.03], 0).pvalue)
    assert got.p_sign_flip == pytest.approx(2 / 8)


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
    assert got.all_flips
    assert got.p_sign_flip == pytest.approx(sign_flip_p(images))


def test_pairs_that_agree_have_the_spread_that_the_test_images_resolve():
    got = paired_difference({0: 0.9, 1: 0.8}, {0: 0.9, 1: 0.8})
    assert (got.mean, got.low, got.p, got.p_sign_flip, got.method) == (0, None, None, 1, NO_SPREAD)
    got = paired_difference({0: 0.9, 1: 0.8}, {0: 0.9, 1: 0.8}, images=360)
    half = stats.t.ppf(0.975, 1) * np.sqrt(1 / (6 * 360**2) / 2)
    assert (got.low, got.high) == pytest.approx((-half, half))
    assert got.p == 1


def test_the_level_is_what_the_interval_leaves_out():
    values, baseline = {0: 0.9, 1: 0.8, 2: 0.85}, dict.fromkeys(range(3), 0.8)
    got = paired_difference(values, baseline, level=0.018)
    differences = [values[seed] - 0.8 for seed in range(3)]
    expected = stats.t.interval(0.982, 2, loc=np.mean(differences), scale=stats.sem(differences))
    assert (got.low, got.high) == pytest.approx(expected)
    assert got.level == 0.018


def test_one_pair_has_no_test():
    got = paired_difference({0: 0.9}, {0: 0.8}, images=360)
    assert (got.n, got.low, got.p, got.p_sign_flip) == (1, None, None, None)


def test_no_common_seed_has_no_difference():
    assert paired_difference({0: 0.9}, {1: 0.8}) is None


def test_many_pairs_are_sampled_and_say_so():
    rng = np.random.default_rng(3)
    values = dict(enumerate(rng.normal(0.9, 0.01, 20)))
    baseline = dict(enumerate(rng.normal(0.9, 0.01, 20)))
    got = paired_difference(values, baseline)
    assert not got.all_flips
    assert got == paired_difference(values, baseline)
    assert got.p == pytest.approx(stats.ttest_rel(list(values.values()), list(baseline.values())).pvalue)
    assert got.p_sign_flip == pytest.approx(got.p, abs=0.03)
