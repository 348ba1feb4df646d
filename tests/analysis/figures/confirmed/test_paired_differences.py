from itertools import pairwise

import numpy as np
import pytest

import analysis
from analysis.figures.confirmed.paired_differences import PAIRED_FIGURE
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
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["adadecay (uneven)", "residual-smoothing"]
    assert axes.collections[0].get_offsets()[:, 0].min() < -25


def test_no_difference_has_no_figure(tmp_path, lab):
    numbers = analysis.paired_differences(load(lab.write_study(tmp_path, lab.parts_of([lab.baseline]))))
    assert numbers.panels == ()


def test_the_first_figure_is_of_the_training_set_of_the_verdict_and_the_other_of_all_others(rich_data):
    every = analysis.paired_differences(rich_data).panels
    (first,) = analysis.head_to_head(rich_data).panels
    row = analysis.verdict(rich_data).rows[0]
    assert (first.fraction, first.search_fraction) == (row.fraction, row.search_fraction)
    assert (first, *PAIRED_FIGURE.compute(rich_data).panels) == every


def test_the_margin_of_the_study_is_drawn_on_both_sides_and_named(tmp_path, lab):
    study = {**lab.study, "confirm": {"seeds": 5, "margin": 0.01}}
    numbers = analysis.head_to_head(load(lab.write_study(tmp_path, lab.parts_of(), study=study)))
    figure = analysis.draw_paired_differences(numbers)
    upright = [line.get_xdata()[0] for line in figure.axes[0].get_lines() if len(set(line.get_xdata())) == 1]
    assert {-1.0, 0.0, 1.0} <= set(upright)
    (named,) = figure.axes[0].get_legend().get_texts()
    assert named.get_text() == "margin of the study, ±1 point"
    without = analysis.draw_paired_differences(numbers._replace(margin=None))
    assert without.axes[0].get_legend() is None


def test_each_name_has_room_for_its_lines_whatever_their_number(data):
    (panel,) = analysis.head_to_head(data).panels
    names = [f"a name of many words that goes over several lines {number}" for number in range(14)]
    points = tuple(point._replace(regularizer=name) for name in names for point in panel.points)
    many = analysis.head_to_head(data)._replace(
        regularizers=("weight-decay", *names), panels=(panel._replace(points=points),)
    )
    figure = analysis.draw_paired_differences(many)
    boxes = [text.get_window_extent() for text in figure.axes[0].get_yticklabels()]
    boxes.sort(key=lambda box: box.y0)
    assert all(lower.y1 <= upper.y0 for lower, upper in pairwise(boxes))
