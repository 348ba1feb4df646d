import itertools

import numpy as np
import pytest
from scipy import stats

from analysis import statistics
from analysis.statistics import BCA, NO_SPREAD, ONE_RUN, STUDENT, holm, mean_interval, paired_difference

FIVE = [0.912, 0.907, 0.921, 0.915, 0.909]


def test_bca_is_scipys():
    expected = stats.bootstrap(
        (np.sort(FIVE),), np.mean, n_resamples=9999, confidence_level=0.95, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    got = mean_interval(FIVE)
    assert got.method == BCA
    assert got.mean == pytest.approx(np.mean(FIVE))
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_few_runs_use_students_t(n):
    values = FIVE[:n]
    low, high = stats.t.interval(0.95, n - 1, loc=np.mean(values), scale=stats.sem(values))
    got = mean_interval(values)
    assert got.method == STUDENT
    assert (got.low, got.high) == pytest.approx((low, high))


def test_one_run_has_no_interval():
    assert mean_interval([0.9]) == (1, 0.9, None, None, ONE_RUN)


def test_no_run_has_no_mean():
    assert mean_interval([]) is None


@pytest.mark.parametrize("n", [2, 5, 8])
def test_equal_runs_have_an_interval_without_width(n):
    assert mean_interval([0.9] * n) == (n, pytest.approx(0.9), pytest.approx(0.9), pytest.approx(0.9), NO_SPREAD)


def test_bca_undefined_falls_back_to_t(monkeypatch):
    monkeypatch.setattr(statistics, "_bca", lambda sample: (float("nan"), float("nan")))
    monkeypatch.setattr(statistics, "_interval", statistics._interval.__wrapped__)
    assert mean_interval(FIVE).method == STUDENT


def test_one_run_unlike_all_others_is_still_an_interval():
    got = mean_interval([0.9, 0.9, 0.9, 0.9, 0.8])
    assert got.low < got.mean < got.high


def test_order_of_runs_changes_nothing():
    assert mean_interval(FIVE) == mean_interval(FIVE[::-1])


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
    found = [
        paired_difference(dict(enumerate(rng.normal(size=6))), dict(enumerate(rng.normal(size=6)))).p <= 0.05
        for _ in range(200)
    ]
    # 1 in 32 is the exact rate; 16 of 200 would be four standard deviations above it.
    assert sum(found) <= 16


def test_holm_by_hand():
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1 raised to the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_is_statsmodels():
    # statsmodels 0.15.0: multipletests(p, method="holm")[1]
    p = [0.0625, 0.031, 0.002, 0.4, 0.0078, 0.031, 1.0, 0.25]
    assert holm(p) == pytest.approx([0.25, 0.186, 0.016, 0.8, 0.0546, 0.186, 1.0, 0.75], abs=1e-12)


def test_holm_never_exceeds_one_and_skips_untested():
    assert holm([0.6, None, 0.9]) == [1.0, None, 1.0]


@pytest.mark.parametrize("comparisons", [1, 2, 4, 7, 30])
def test_pairs_needed_is_the_fewest(comparisons):
    n = statistics.pairs_needed(comparisons)
    assert comparisons * 2 ** (1 - n) <= 0.05 < comparisons * 2 ** (2 - n)


def test_smallest_p_is_reached():
    five = paired_difference(dict.fromkeys(range(5), 0.9), dict.fromkeys(range(5), 0.8))
    assert five.p == statistics.smallest_p(5)
