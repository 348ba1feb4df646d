import numpy as np
import pytest
from scipy import stats

from analysis.statistics import mean_interval, percentile_interval, share_interval, wilson
from analysis.statistics.intervals import NO_SPREAD, ONE_RUN, STUDENT, clopper_pearson
from tune_reg.decisions import mean_floor

FIVE = [0.912, 0.907, 0.921, 0.915, 0.909]


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_interval_is_scipys_t(n):
    values = FIVE[:n]
    low, high = stats.t.interval(0.95, n - 1, loc=np.mean(values), scale=stats.sem(values))
    got = mean_interval(values)
    assert got.method == STUDENT
    assert got.mean == pytest.approx(np.mean(values))
    assert (got.low, got.high) == pytest.approx((low, high))
    assert mean_interval(values, mean_floor(10_000)) == got  # the floor lies far below this spread


def test_one_run_has_no_interval():
    assert mean_interval([0.9]) == (1, 0.9, None, None, ONE_RUN)


def test_no_run_has_no_mean():
    assert mean_interval([]) is None


@pytest.mark.parametrize("n", [2, 5, 8])
def test_equal_runs_have_the_interval_that_the_test_images_resolve_and_never_one_without_width(n):
    assert mean_interval([0.9] * n) == (n, pytest.approx(0.9), None, None, NO_SPREAD)
    got = share_interval([0.9] * n, images=360)
    half = stats.t.ppf(0.975, n - 1) * np.sqrt(1 / (12 * 360**2) / n)
    assert (got.low, got.high) == pytest.approx((0.9 - half, 0.9 + half))


def covered(draw, truth, interval, studies=2_000):
    """The share of ``studies`` samples of ``draw`` whose interval holds ``truth``."""
    rng = np.random.default_rng(5)
    ends = [interval(draw(rng)) for _ in range(studies)]
    return np.mean([low <= truth <= high for low, high in ends])


def ends(values, floor=0.0):
    return mean_interval(list(values), floor)[2:4]


@pytest.mark.parametrize("n", [2, 5, 10, 20])
def test_the_interval_covers_normal_accuracies_in_95_of_100(n):
    share = covered(lambda rng: rng.normal(0.9, 0.01, n), 0.9, ends)
    assert share == pytest.approx(0.95, abs=3 * np.sqrt(0.05 * 0.95 / 2_000))


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_the_interval_covers_accuracies_that_are_few_multiples_of_a_test_image(n):
    def draw(rng):
        return np.round(rng.normal(0.95, 0.5 / 360, n) * 360) / 360

    assert covered(draw, 0.95, lambda values: ends(values, mean_floor(360))) >= 0.95 - 0.015


def test_order_of_runs_changes_nothing():
    assert mean_interval(FIVE) == mean_interval(FIVE[::-1])


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (5, 5), (3, 8), (9, 10)])
def test_clopper_pearson_is_scipys(successes, n):
    expected = stats.binomtest(successes, n).proportion_ci(method="exact")
    assert clopper_pearson(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(0, 50), (950, 1000), (10_000, 10_000), (1, 3)])
def test_wilson_is_scipys(successes, n):
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson(successes / n, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_percentiles_count_infinities():
    draws = np.concatenate([np.full(10, -np.inf), np.arange(980.0), np.full(10, np.inf)])
    low, high = percentile_interval(draws)
    assert (low, high) == (15.0, 964.0)
    assert percentile_interval(np.full(100, np.inf)) == (np.inf, np.inf)
