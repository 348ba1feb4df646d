import math
import xml.etree.ElementTree as ET

import pytest

import analysis
from analysis.figures import svg
from analysis.figures.search import strength
from tune_reg.store import load


def test_every_trial_is_a_point(data, lab):
    numbers = analysis.strength_response(data)
    assert [panel.regularizer for panel in numbers.panels] == [
        lab.baseline,
        "adadecay",
        "residual-smoothing",
        lab.diverged,
    ]
    trials = [point for panel in numbers.panels for point in panel.points if point.kind == "trial"]
    assert len(trials) == len(data.trials)


def test_strength_axis_is_the_spaces(data, lab, panel_of):
    numbers = analysis.strength_response(data)
    decay = panel_of(numbers, regularizer=lab.baseline)
    assert (decay.parameter, decay.scale, decay.low, decay.high) == ("decay", "log", 1e-5, 0.1)
    assert panel_of(numbers, regularizer="adadecay").scale == "linear"


def test_winner_is_the_confirmed_trial(data, panel_of):
    panel = panel_of(analysis.strength_response(data), regularizer="adadecay")
    # Trial 11 is better in the search, yet the confirmed runs say that trial 9 was taken.
    assert {(point.fraction, point.trial) for point in panel.points if point.winner} == {(0.25, 9), (1.0, 9)}


def test_winner_so_far_is_the_best_complete_trial(tmp_path, lab, panel_of):
    parts = [part for part in lab.parts_of() if part[0] == "trials"]
    panel = panel_of(analysis.strength_response(load(lab.write_study(tmp_path, parts))), regularizer="adadecay")
    assert {point.trial for point in panel.points if point.winner} == {11}


def test_diverged_trial_has_no_value_even_if_one_is_stored(tmp_path, lab, panel_of):
    parts = lab.changed(
        lab.parts_of(), "trials", lambda row: {**row, "value": 0.1} if row["state"] == "diverged" else row
    )
    panel = panel_of(analysis.strength_response(load(lab.write_study(tmp_path, parts))), regularizer=lab.diverged)
    assert {point.value for point in panel.points} == {None}


@pytest.mark.parametrize(
    ("values", "scale"),
    [((0.0, 1e-4, 1e-2), "symlog"), (("laplace", "logistic", "laplace"), "category"), ((1, 2, 3), "linear")],
)
def test_other_strength_axes_are_drawn(tmp_path, lab, values, scale):
    parts = lab.changed(
        lab.parts_of(["adadecay"]), "trials", lambda row: {**row, "params": {"x": values[row["trial"] % 3]}}
    )
    study = {**lab.study, "regularizers": {"adadecay": {}}}
    numbers = analysis.strength_response(load(lab.write_study(tmp_path, parts, study=study, provenance=None)))
    assert numbers.panels[0].scale == scale
    ET.fromstring(svg.svg(analysis.draw_strength_response(numbers), "x"))


def test_trials_at_chance_do_not_set_the_axis(tmp_path, lab):
    def chance(row):
        return {**row, "value": 0.1} if row["state"] == "pruned" else row

    parts = lab.changed(lab.parts_of(["adadecay"]), "trials", chance)
    numbers = analysis.strength_response(load(lab.write_study(tmp_path, parts, provenance=None)))
    (axes,) = analysis.draw_strength_response(numbers).axes
    assert axes.get_ylim()[0] > 70
    assert any(text.get_text() == "below the axis" for text in axes.get_legend().get_texts())
    assert min(point.value for point in numbers.panels[0].points if point.kind == "trial") == 0.1


def test_a_stopped_trial_is_drawn_at_what_is_expected_of_it(rich_data, panel_of):
    """It was stopped five points below what it would have come to."""
    panel = panel_of(analysis.strength_response(rich_data), regularizer="weight-decay", parameter="decay")
    stopped = [point for point in panel.points if point.state == "pruned"]
    assert stopped
    for point in stopped:
        assert point.shown == point.expected
        assert point.shown > point.value
        assert 0 < point.deviation < 0.03
    complete = [point for point in panel.points if point.state == "complete"]
    assert all(point.shown == point.value for point in complete)


def test_no_curve_where_no_trial_is_near(rich_data):
    """Of a panel whose trials leave the middle half of the space out, the curve is cut there and nowhere else."""
    panels = analysis.strength_response(rich_data).panels
    panel = next(panel for panel in panels if panel.scale == "log" and any(p.kind == "curve" for p in panel.points))
    low, high = math.log(panel.low), math.log(panel.high)

    def share(value):
        return (math.log(value) - low) / (high - low)

    kept = tuple(p for p in panel.points if p.kind != "trial" or not 0.25 < share(p.strength) < 0.75)
    tried = [share(p.strength) for p in kept if p.kind == "trial"]
    points = strength._supported(panel, list(kept))
    for before, point in zip(kept, points, strict=True):
        if before.kind == "curve":
            near = min(abs(share(before.strength) - at) for at in tried) <= 0.1
            assert math.isnan(point.value) != near
    assert any(math.isnan(p.value) for p in points if p.kind == "curve")
    assert [p for p in points if p.kind == "trial"] == [p for p in kept if p.kind == "trial"]


def test_a_winner_that_lacks_the_hyperparameter_is_named(tmp_path, lab):
    def without(row):
        lacks = (row["regularizer"], row["trial"]) == ("adadecay", best)
        return {**row, "params": {k: v for k, v in row["params"].items() if k != "alpha"}} if lacks else row

    results = load(lab.write_study(tmp_path / "a", lab.parts_of(["adadecay"])))
    panels = {panel.parameter: panel for panel in analysis.strength_response(results).panels}
    assert panels["alpha"].no_winner == ""
    best = next(point.trial for point in panels["alpha"].points if point.winner)
    parts = lab.changed(lab.parts_of(["adadecay"]), "trials", without)
    numbers = analysis.strength_response(load(lab.write_study(tmp_path / "b", parts)))
    panel = next(panel for panel in numbers.panels if panel.parameter == "alpha")
    assert panel.no_winner.startswith("winner")
    assert panel.no_winner.endswith("not drawn: it has no alpha")
    titles = [axes.get_title() for axes in analysis.draw_strength_response(numbers).axes]
    assert any("it has no alpha" in title.replace(" \n", " ") for title in titles)
