import pytest

import analysis
from tune_reg.store import load


def test_best_strength_is_that_of_each_search(rich_data, response_of):
    panels = {panel.regularizer: panel for panel in analysis.best_strength(rich_data).panels}
    assert [point.x for point in panels["adadecay"].points] == [0.1, 0.3, 1.0]
    for point in panels["adadecay"].points:
        optimum = response_of(rich_data, "adadecay", "decay", point.x).optimum
        located = (optimum.best, optimum.best_low) if optimum.located else (None, None)
        assert (point.picked, point.best, point.low) == (optimum.picked, *located)


def test_pairs_are_ranked_by_what_is_expected_of_them(rich_data):
    panel = next(panel for panel in analysis.pair_maps(rich_data).panels if panel.regularizer == "adadecay")
    assert (panel.x_parameter, panel.y_parameter, panel.y_scale) == ("decay", "alpha", "linear")
    ranked = sorted((point for point in panel.points if point.rank is not None), key=lambda point: -point.expected)
    n = len(ranked)
    assert [point.rank for point in ranked] == pytest.approx([(place + 1) / n for place in range(n)])
    assert {point.state for point in panel.points if point.rank is None} == {"diverged"}


def test_pairs_without_a_model_are_ranked_by_the_accuracy_of_what_was_trained_to_the_end(tmp_path, lab):
    results = load(lab.write_rich(tmp_path, provenance=None))
    panel = next(panel for panel in analysis.pair_maps(results).panels if panel.regularizer == "adadecay")
    ranked = [point for point in panel.points if point.rank is not None]
    assert all(point.expected == point.value for point in ranked)
    assert {point.state for point in panel.points if point.rank is None} == {"pruned", "diverged"}
