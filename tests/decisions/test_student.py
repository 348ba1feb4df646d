"""Student's t with a floor, beside scipy's own test and simulations of what its intervals cover."""

import math

import numpy as np
import pytest
from scipy import stats

from tune_reg.decisions import difference_floor, mean_floor, mean_test


@pytest.mark.parametrize("n", [2, 5, 20])
def test_without_floor_and_shift_it_is_the_one_sample_t_test(n):
    values = np.random.default_rng(n).normal(0.3, 1, n)
    test, expected = mean_test(list(values)), stats.ttest_1samp(values, 0)
    interval = expected.confidence_interval()
    assert test.p == pytest.approx(expected.pvalue, rel=1e-10)
    assert (test.low, test.high) == pytest.approx((interval.low, interval.high), rel=1e-10)
    assert (test.n, test.degrees) == (n, n - 1)
    assert test.error == pytest.approx(stats.sem(values))


def test_the_level_is_what_the_interval_leaves_out():
    values = [0.1, 0.4, 0.2, 0.3]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.99)
    test = mean_test(values, level=0.01)
    assert (test.low, test.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_intervals_of_accuracies_on_few_images_cover_their_mean(n):
    rng = np.random.default_rng(0)
    images, deviation, true = 360, 0.002, 0.9713
    runs = np.round(rng.normal(true, deviation, (4000, n)) * images) / images
    tests = [mean_test(list(row), floor=mean_floor(images)) for row in runs]
    covered = np.mean([test.low <= true <= test.high for test in tests])
    assert covered > 0.95 - 3 * math.sqrt(0.05 * 0.95 / 4000)
    assert all(test.high > test.low for test in tests)


def test_equal_values_have_the_width_of_the_floor_or_no_interval():
    test = mean_test([0.02] * 5, floor=difference_floor(100))
    half = stats.t.ppf(0.975, 4) * math.sqrt(1 / (6 * 100**2) / 5)
    assert (test.low, test.high) == pytest.approx((0.02 - half, 0.02 + half))
    without = mean_test([0.02] * 5)
    assert (without.low, without.high, without.p, without.error) == (None, None, None, None)
    assert mean_test([0.02], floor=1.0).low is None


def test_a_shift_moves_the_mean_and_widens_the_interval():
    values = [0.01, 0.02, 0.03, 0.02]
    plain, shifted = mean_test(values), mean_test(values, shift=-0.005, shift_variance=1e-4)
    assert shifted.mean == pytest.approx(plain.mean - 0.005)
    assert shifted.error == pytest.approx(math.hypot(plain.error, 0.01))
    assert shifted.degrees > plain.degrees
    assert shifted.p > plain.p


def test_with_a_shift_of_known_error_the_interval_covers():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(4000):
        shift = rng.normal(0, 0.5)  # what the shift is off by
        test = mean_test(list(rng.normal(0, 1, 6)), shift=shift, shift_variance=0.25)
        covered += test.low <= 0 <= test.high
    assert abs(covered / 4000 - 0.95) < 0.015
