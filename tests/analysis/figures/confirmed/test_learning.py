import analysis


def test_learning_curve_leaves_diverged_runs_out(data, panel_of):
    panel = panel_of(analysis.learning_curves(data), fraction=0.25)
    assert {point.n for point in panel.points if point.regularizer == "residual-smoothing"} == {4}
    assert {point.epoch for point in panel.points} == set(range(1, 7))
    assert all(point.lowest <= point.mean <= point.highest for point in panel.points)
