import numpy as np
import pytest

import analysis
from tune_reg.store import load


def test_the_dots_are_the_differences_of_the_table(rich_data):
    panels = analysis.paired_differences(rich_data).panels
    assert len(panels) == 5  # three sizes, and two with strengths carried over
    assert panels[0].fraction == panels[0].search_fraction == 1
    (row,) = [row for row in analysis.comparisons(rich_data) if row.primary and row.regularizer == "adadecay"]
    dots = [point for point in panels[0].points if point.regularizer == "adadecay"]
    assert [point.seed for point in dots] == list(range(8))
    assert np.mean([point.difference for point in dots]) == pytest.approx(row.difference.mean)
    assert {(point.mean, point.low, point.high) for point in dots} == {row.difference[1:4]}


def test_a_method_with_an_outlier_is_named_uneven_and_its_dot_is_drawn(tmp_path, lab):
    def bad(row):
        worse = 0.3 * ((row["regularizer"], row["seed"], row["fraction"]) == ("adadecay", 3, 1.0))
        return {**row, "test_accuracy": row["test_accuracy"] - worse} if worse else row

    numbers = analysis.paired_differences(load(lab.write_study(tmp_path, lab.changed(lab.parts_of(), "final", bad))))
    axes = analysis.draw_paired_differences(numbers).axes[0]
    names = [text.get_text().replace("\n", " ") for text in axes.get_yticklabels()]
    assert names == ["adadecay (uneven)", "residual- smoothing"]
    assert axes.collections[0].get_offsets()[:, 0].min() < -25


def test_no_difference_has_no_figure(tmp_path, lab):
    numbers = analysis.paired_differences(load(lab.write_study(tmp_path, lab.parts_of([lab.baseline]))))
    assert numbers.panels == ()
