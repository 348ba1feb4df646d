"""The two objectives of a search."""

import xml.etree.ElementTree as ET

import pytest

import analysis
from analysis.figures import svg
from analysis.figures.style import INK
from tune_reg.store import load


def written(path, lab, kind, seconds, name="adadecay"):
    """A study of one search: trial -> (validation accuracy, accuracy under attack or seconds)."""

    def change(row):
        if row["regularizer"] != name or row["fraction"] != 1.0 or row["trial"] not in seconds:
            return None
        value, second = seconds[row["trial"]]
        robust = second if kind == "robust_accuracy" else None
        outcome = {"state": "complete", "value": value, "robust_accuracy": robust, "n_val": 100}
        return {**row, **outcome, "epochs_trained": 4, "wall_s": 4 * (second or 0.25)}

    parts = [part for part in lab.changed(lab.parts_of([name]), "trials", change) if part[0] == "trials"]
    search = {**lab.study["search"], "pruner": "none", "second_objective": {"kind": kind}}
    study = {**lab.study, "search": search, "regularizers": {name: {}}}
    return load(lab.write_study(path, parts, study=study))


@pytest.mark.parametrize(
    ("kind", "seconds", "front", "winner"),
    [
        ("robust_accuracy", {0: (0.9, 0.1), 1: (0.88, 0.5), 2: (0.6, 0.7), 3: (0.5, 0.6)}, {0, 1, 2}, 1),
        ("epoch_time", {0: (0.9, 3.0), 1: (0.88, 1.0), 2: (0.6, 0.5), 3: (0.5, 0.75)}, {0, 1, 2}, 1),
    ],
)
def test_front_and_winner(tmp_path, lab, kind, seconds, front, winner):
    results = written(tmp_path, lab, kind, seconds)
    (panel,) = analysis.objectives(results).panels
    assert {point.trial: (point.value, point.second) for point in panel.points} == seconds
    assert {point.trial for point in panel.points if point.front} == front
    assert [point.trial for point in panel.points if point.winner] == [winner]
    text = svg.svg(analysis.draw_objectives(analysis.objectives(results)), "objectives")
    ET.fromstring(text)
    assert INK in text


def test_a_search_for_accuracy_alone_has_no_such_figure(directory):
    assert analysis.objectives(load(directory)).panels == ()


def test_a_trial_without_a_second_value_is_left_out(tmp_path, lab):
    results = written(tmp_path, lab, "robust_accuracy", {0: (0.9, 0.1), 1: (0.8, None)})
    assert [point.trial for point in analysis.objectives(results).panels[0].points] == [0]
