import numpy as np
import pytest
from scipy import stats

import analysis
from analysis.papers import trimmed_mean
from tune_reg.store import load


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


def test_measures_are_those_of_the_runs(rich):
    data = analysis.Snapshot(load(rich))
    (row,) = [row for row in analysis.paper_rows(data) if row[:3] == (1.0, 1.0, "adadecay")]
    runs = [run for run in data.final if (run["fraction"], run["regularizer"]) == (1.0, "adadecay")]
    assert row.n == 8
    assert row.test_accuracy.mean == pytest.approx(np.mean([run["test_accuracy"] for run in runs]))
    assert row.max_over_epochs.mean == pytest.approx(np.mean([run["max_over_epochs"] for run in runs]))
    assert row.max_over_runs == max(run["max_over_epochs"] for run in runs)
    assert row.mean_last_10pct.mean == pytest.approx(np.mean([run["mean_last_10pct"] for run in runs]))
    assert row.trimmed_mean == pytest.approx(row.mean_last_10pct.mean)
    assert row.trimmed == 0


def test_the_optimistic_measures_are_never_below(rich):
    for row in analysis.paper_rows(load(rich)):
        assert row.max_over_runs >= row.max_over_epochs.mean > row.mean_last_10pct.mean
