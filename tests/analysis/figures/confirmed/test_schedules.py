import pytest

import analysis


def test_schedules_are_those_of_the_epochs(rich_data):
    rate, strength = analysis.schedules(rich_data).panels
    line = [point for point in rate.points if point.regularizer == "adadecay"]
    assert [point.epoch for point in line] == [1, 2, 3, 4, 5, 6]
    assert line[3].mean == pytest.approx(line[0].mean / 8)
    assert {point.n for point in rate.points} == {8}
    rising = [point for point in strength.points if point.regularizer == "residual-smoothing"]
    assert [point.mean for point in rising] == pytest.approx([0.5 * epoch / 6 for epoch in range(1, 7)])
    assert {point.peak for point in rising} == {0.5}
