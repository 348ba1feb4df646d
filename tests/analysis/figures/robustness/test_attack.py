import numpy as np
import pytest

import analysis


def test_attack_is_the_mean_over_seeds(data, panel_of):
    panel = panel_of(analysis.attack_strength(data), fraction=1.0)
    rows = [row["accuracy"] for row in data.robustness if row["fraction"] == 1.0 and row["epsilon"] == 0.1]
    means = [point.mean for point in panel.points if point.x == 0.1]
    assert np.mean(means) == pytest.approx(np.mean(rows))
    assert {point.x for point in panel.points} == {0.0, 0.05, 0.1}
    assert {point.n for point in panel.points} == {5}
