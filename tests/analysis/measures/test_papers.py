import numpy as np
import pytest

import analysis
from tune_reg.store import load


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
