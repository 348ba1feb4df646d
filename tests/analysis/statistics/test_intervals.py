import numpy as np
import pytest
from scipy import stats

from analysis.statistics import intervals, mean_interval, percentile_interval, wilson
from analysis.statistics.intervals import BCA, NO_SPREAD, ONE_RUN, STUDENT, clopper_pearson, trimmed_mean

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
    monkeypatch.setattr(intervals, "bca", lambda sample, statistic: (float("nan"), float("nan")))
    monkeypatch.setattr(intervals, "_interval", intervals._interval.__wrapped__)
    assert mean_interval(FIVE).method == STUDENT


def test_one_run_unlike_all_others_is_still_an_interval():
    got = mean_interval([0.9, 0.9, 0.9, 0.9, 0.8])
    assert got.low < got.mean < got.high


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


@pytest.mark.parametrize("n", [3, 9, 10, 32, 50])
def test_trimmed_mean_cuts_a_tenth_at_each_end(n):
    values = list(np.random.default_rng(n).normal(0.9, 0.01, n))
    cut = n // 10
    mean, low, high = trimmed_mean(values)
    assert mean == pytest.approx(np.mean(sorted(values)[cut : n - cut]))
    if n < 5:
        assert low is high is None
    else:
        assert low < mean < high


def test_trimmed_interval_is_scipys():
    values = np.sort(np.random.default_rng(1).normal(0.9, 0.01, 20))
    expected = stats.bootstrap(
        (values,),
        lambda sample, axis: stats.trim_mean(sample, 0.1, axis=axis),
        n_resamples=9999,
        method="BCa",
        vectorized=True,
        rng=np.random.default_rng(0),
    ).confidence_interval
    assert trimmed_mean(list(values))[1:] == pytest.approx((expected.low, expected.high))
