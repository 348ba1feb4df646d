import numpy as np
import pytest

import analysis
from tune_reg.store import load


def mce(robustness_rows, rich_data, name, relative):
    """Hendrycks and Dietterich (2019), equations in section 4.2, for each seed."""
    values = []
    for seed in range(8):
        ratios = []
        for test in ("jpeg", "contrast"):
            errors = []
            for who in (name, rich_data.baseline):
                (clean,) = robustness_rows(rich_data, who, seed, test="clean")
                error_rates = [1 - row["accuracy"] for row in robustness_rows(rich_data, who, seed, test=test)]
                errors.append(sum(error_rates) - (5 * (1 - clean["accuracy"]) if relative else 0))
            ratios.append(errors[0] / errors[1])
        values.append(np.mean(ratios))
    return np.mean(values)


@pytest.mark.parametrize("name", ["adadecay", "residual-smoothing", "weight-decay"])
def test_mean_corruption_error_is_relative_to_the_baseline(rich_data, name, robustness_rows):
    (row,) = [row for row in analysis.corruption_rows(rich_data) if row[:3] == (1.0, 1.0, name)]
    assert row.mce.mean == pytest.approx(mce(robustness_rows, rich_data, name, relative=False))
    assert row.relative_mce.mean == pytest.approx(mce(robustness_rows, rich_data, name, relative=True))
    assert (row.corruptions, row.accuracy.n, row.mce.n) == (2, 8, 8)


def test_a_baseline_without_errors_has_no_ratio(tmp_path, lab):
    def perfect(row):
        return {**row, "accuracy": 1.0} if row["test"] == "jpeg" and row["regularizer"] == lab.baseline else row

    results = load(lab.write_rich(tmp_path, lab.changed(lab.rich_parts(), "robustness", perfect)))
    (row,) = [row for row in analysis.corruption_rows(results) if row[:3] == (1.0, 1.0, "adadecay")]
    (cell,) = [c for c in analysis.corruption_cells(results) if c[:4] == (1.0, 1.0, "contrast", "adadecay")]
    (base,) = [c for c in analysis.corruption_cells(results) if c[:4] == (1.0, 1.0, "contrast", lab.baseline)]
    assert row.mce.mean == pytest.approx((1 - cell.accuracy) / (1 - base.accuracy), rel=0.01)
