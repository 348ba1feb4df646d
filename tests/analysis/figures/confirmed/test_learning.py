import analysis


def panel_of(numbers, **fields):
    (found,) = [p for p in numbers.panels if all(getattr(p, name) == value for name, value in fields.items())]
    return found


def test_learning_curve_leaves_diverged_runs_out(data):
    panel = panel_of(analysis.learning_curves(data), fraction=0.25)
    assert {point.n for point in panel.points if point.regularizer == "residual-smoothing"} == {4}
    assert {point.epoch for point in panel.points} == set(range(1, 7))
    assert all(point.lowest <= point.mean <= point.highest for point in panel.points)
