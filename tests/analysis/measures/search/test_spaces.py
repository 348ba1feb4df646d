import pytest

import analysis
from analysis.measures.search.spaces import DEPENDS, Space, all_spaces, edge, edges, numeric_space, space_in_trial
from analysis.report.study_facts import methods
from tune_reg.store import load

LOG = Space(1e-4, 1.0, log=True, listed=False)
LINEAR = Space(0.0, 10.0, log=False, listed=False)
LISTED = Space(0.1, 0.9, log=False, listed=True)


@pytest.mark.parametrize(
    ("space", "value", "side"),
    [
        (LOG, 1.0, "high"),
        (LOG, 1e-4, "low"),
        (LOG, 1.5e-4, "low"),  # 4 % of the four decades
        (LOG, 0.01, None),
        (LOG, 0.0, "low"),
        (LINEAR, 9.6, "high"),
        (LINEAR, 9.4, None),
        (LINEAR, 0.0, "low"),
        (LISTED, 0.9, "high"),
        (LISTED, 0.85, None),
        (LISTED, 0.1, "low"),
    ],
)
def test_edge(space, value, side):
    assert edge(space, value) == side


@pytest.mark.parametrize(
    "description",
    [
        None,
        3,
        {},
        {"value": 0.1},
        {"choices": ["a", "b"]},
        {"choices": [0.1]},
        {"low": 1.0, "high": 1.0},
        {"low": "a", "high": 2},
    ],
)
def test_what_is_not_searched_over_numbers_has_no_bounds(description):
    assert numeric_space(description) is None
    assert edges({"x": 0.1}, {"x": description}) == {}


def test_grid_over_decades_is_log():
    assert numeric_space({"choices": [1e-2, 1e-5, 1e-3]}) == Space(1e-5, 1e-2, log=True, listed=True)
    assert not numeric_space({"choices": [0.0, 1e-5, 1e-2]}).log


def with_ranges(lab, folder, regularizer, high):
    """The small study, in which the upper end of the range of ``regularizer`` was ``high(row)`` in each trial."""
    name = lab.methods[regularizer]["strength"]

    def change(row):
        ranges = {name: {"low": 0.0, "high": high(row)}} if row["regularizer"] == regularizer else None
        return {**row, "ranges": ranges}

    parts = lab.changed(lab.parts_of([lab.baseline, regularizer]), "trials", change)
    return analysis.Snapshot(load(lab.write_study(folder, parts)))


def test_an_edge_is_that_of_the_range_in_which_the_winner_was_drawn(tmp_path, lab, response_of):
    """Trial 9 won with alpha 6, in the middle of the provenance's 0 to 8, but at the end of its own range."""
    data = with_ranges(lab, tmp_path, "adadecay", lambda row: 6.1 if row["trial"] == 9 else 20.0)
    assert space_in_trial(data, "adadecay", None)["alpha"]["high"] == 8.0
    assert response_of(data, "adadecay", "alpha").optimum.picked_edge == "high"
    row = next(row for row in analysis.result_table(data) if row.regularizer == "adadecay")
    assert row.edges == {"alpha": "high"}
    assert all_spaces(data)["adadecay"]["alpha"] == {"low": 0.0, "high": 20.0, "log": False, DEPENDS: True}
    wide = with_ranges(lab, tmp_path / "wide", "adadecay", lambda row: 20.0)
    assert response_of(wide, "adadecay", "alpha").optimum.picked_edge is None


def test_figures_and_facts_show_the_widest_range(tmp_path, lab, panel_of):
    data = with_ranges(lab, tmp_path, "adadecay", lambda row: 1.0 + row["trial"])
    numbers = analysis.strength_response(data)
    panel = panel_of(numbers, regularizer="adadecay")
    assert (panel.low, panel.high) == (0.0, 12.0)
    assert numbers.moving == {("adadecay", "alpha")}
    (method,) = [each for each in methods(data) if each.name == "adadecay"]
    assert method.space == (("alpha", "0 to 12 at most, by the trial"),)


def test_a_value_that_was_given_without_a_range_has_no_edge(tmp_path, lab):
    def change(row):
        return {**row, "ranges": {}} if row["regularizer"] == lab.baseline else row

    data = analysis.Snapshot(load(lab.write_study(tmp_path, lab.changed(lab.parts_of(), "trials", change))))
    row = next(row for row in analysis.result_table(data) if row.regularizer == lab.baseline)
    assert row.edges == {}
    assert all_spaces(data)[lab.baseline] == {}
