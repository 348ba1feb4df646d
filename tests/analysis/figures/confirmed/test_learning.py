import analysis
from analysis.figures.confirmed.learning import EpochPoint, LearningCurves, LearningPanel


def test_learning_curve_leaves_diverged_runs_out(data, panel_of):
    panel = panel_of(analysis.learning_curves(data), fraction=0.25)
    assert {point.n for point in panel.points if point.regularizer == "residual-smoothing"} == {4}
    assert {point.epoch for point in panel.points} == set(range(1, 7))
    assert all(point.lowest <= point.mean <= point.highest for point in panel.points)


def curves(rise):
    """One regularizer whose mean accuracy rises in ten epochs as given."""
    points = tuple(
        EpochPoint("a", epoch, 5, value, value - 0.002, value + 0.002) for epoch, value in enumerate(rise, start=1)
    )
    return LearningCurves(False, ("a",), (LearningPanel(1.0, 1.0, "all", points),))


def test_the_axis_shows_the_last_half_of_the_epochs_and_says_what_it_cuts():
    steep = [0.1, 0.5, 0.8, 0.9, 0.94, 0.95, 0.952, 0.953, 0.954, 0.955]
    (axes,) = analysis.draw_learning_curves(curves(steep)).axes
    low, high = axes.get_ylim()
    assert 94 < low < 94.8 < 95.7 < high
    assert "cut below 94.7 %, to epoch 5" in axes.get_title()


def test_the_axis_shows_everything_where_the_first_epochs_hide_nothing():
    (axes,) = analysis.draw_learning_curves(curves([0.90 + 0.005 * epoch for epoch in range(10)])).axes
    assert axes.get_ylim()[0] < 90
    assert "cut" not in axes.get_title()
