import pytest

import analysis


def test_best_strength_is_that_of_each_search(rich_data, response_of):
    panels = {panel.regularizer: panel for panel in analysis.best_strength(rich_data).panels}
    assert [point.x for point in panels["adadecay"].points] == [0.1, 0.3, 1.0]
    for point in panels["adadecay"].points:
        optimum = response_of(rich_data, "adadecay", "decay", point.x).optimum
        assert (point.picked, point.best, point.low) == (optimum.picked, optimum.best, optimum.best_low)


def test_pairs_are_ranked_by_their_accuracy(rich_data):
    panel = next(panel for panel in analysis.pair_maps(rich_data).panels if panel.regularizer == "adadecay")
    assert (panel.x_parameter, panel.y_parameter, panel.y_scale) == ("decay", "alpha", "linear")
    ended = sorted((point for point in panel.points if point.rank is not None), key=lambda point: -point.value)
    n = len(ended)
    assert [point.rank for point in ended] == pytest.approx([(place + 1) / n for place in range(n)])
    assert {point.state for point in panel.points if point.rank is None} == {"pruned", "diverged"}
