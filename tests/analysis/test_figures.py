import csv
import io
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest

import analysis
from analysis.csv_table import panels_csv
from analysis.exports.drawn import draw
from analysis.figures import style
from analysis.sheets import SHEETS
from tune_reg.store import load


@pytest.fixture(scope="module")
def data(directory):
    return analysis.Snapshot(load(directory))


@pytest.fixture(scope="module")
def rich_data(rich):
    return analysis.Snapshot(load(rich))


def is_complete(row, regularizer, fraction):
    return (row["regularizer"], row["fraction"], row["state"]) == (regularizer, fraction, "complete")


def panel_of(numbers, **fields):
    (found,) = [p for p in numbers.panels if all(getattr(p, name) == value for name, value in fields.items())]
    return found


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


def test_strength_axis_is_the_spaces(data, lab):
    numbers = analysis.strength_response(data)
    decay = panel_of(numbers, regularizer=lab.baseline)
    assert (decay.parameter, decay.scale, decay.low, decay.high) == ("decay", "log", 1e-5, 0.1)
    assert panel_of(numbers, regularizer="adadecay").scale == "linear"


def test_winner_is_the_confirmed_trial(data):
    panel = panel_of(analysis.strength_response(data), regularizer="adadecay")
    # Trial 11 is better in the search, yet the confirmed runs say that trial 9 was taken.
    assert {(point.fraction, point.trial) for point in panel.points if point.winner} == {(0.25, 9), (1.0, 9)}


def test_winner_so_far_is_the_best_complete_trial(tmp_path, lab):
    parts = [part for part in lab.parts_of() if part[0] == "trials"]
    panel = panel_of(analysis.strength_response(load(lab.write_study(tmp_path, parts))), regularizer="adadecay")
    assert {point.trial for point in panel.points if point.winner} == {11}


def test_diverged_trial_has_no_value_even_if_one_is_stored(tmp_path, lab):
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
    ET.fromstring(style.svg(analysis.draw_strength_response(numbers), "x"))


def test_trials_at_chance_do_not_set_the_axis(tmp_path, lab):
    def chance(row):
        return {**row, "value": 0.1} if row["state"] == "pruned" else row

    parts = lab.changed(lab.parts_of(["adadecay"]), "trials", chance)
    numbers = analysis.strength_response(load(lab.write_study(tmp_path, parts)))
    (axes,) = analysis.draw_strength_response(numbers).axes
    assert axes.get_ylim()[0] > 70
    assert any(text.get_text().startswith("below 8") for text in axes.get_legend().get_texts())
    assert min(point.value for point in numbers.panels[0].points if point.kind == "trial") == 0.1


def test_data_fraction_is_the_result_table(data):
    (panel,) = analysis.data_fraction(data).panels
    table = {
        (row.regularizer, row.fraction): row.test_accuracy for row in analysis.result_table(data) if row.test_accuracy
    }
    assert {(point.regularizer, point.x): point[2:] for point in panel.points} == table


def test_carried_strengths_are_a_panel_of_their_own(tmp_path, lab):
    parts = lab.parts_of()
    for table, key, rows in lab.parts_of():
        if table == "final" and rows[0]["fraction"] == 0.25:
            parts.append((table, f"{key}-carried", [{**rows[0], "search_fraction": 1.0}]))
    numbers = analysis.data_fraction(load(lab.write_study(tmp_path, parts)))
    assert [panel.search_fraction for panel in numbers.panels] == [None, 1.0]
    assert {point.x for point in numbers.panels[1].points} == {0.25, 1.0}


def test_attack_is_the_mean_over_seeds(data):
    panel = panel_of(analysis.attack_strength(data), fraction=1.0)
    rows = [row["accuracy"] for row in data.robustness if row["fraction"] == 1.0 and row["epsilon"] == 0.1]
    means = [point.mean for point in panel.points if point.x == 0.1]
    assert np.mean(means) == pytest.approx(np.mean(rows))
    assert {point.x for point in panel.points} == {0.0, 0.05, 0.1}
    assert {point.n for point in panel.points} == {5}


def test_learning_curve_leaves_diverged_runs_out(data):
    panel = panel_of(analysis.learning_curves(data), fraction=0.25)
    assert {point.n for point in panel.points if point.regularizer == "residual-smoothing"} == {4}
    assert {point.epoch for point in panel.points} == set(range(1, 7))
    assert all(point.lowest <= point.mean <= point.highest for point in panel.points)


def test_tuning_curve_spends_every_epoch_and_never_falls(data, lab):
    panel = panel_of(analysis.tuning_curve(data), fraction=1.0)
    mine = [point for point in panel.points if point.regularizer == "adadecay"]
    assert mine[-1].epochs == 8 * 6 + 4 * 2
    best = [point.best for point in mine if point.best is not None]
    assert best == sorted(best)
    assert best[-1] == max(row["value"] for row in data.trials if is_complete(row, "adadecay", 1.0))
    assert {point.best for point in panel.points if point.regularizer == lab.diverged} == {None}


def test_budget_counts_by_state(data, lab, tmp_path):
    rows = {row.regularizer: row for row in analysis.budget(data)}
    assert rows[lab.diverged][1:6] == (24, 0, 0, 24, 0)
    assert rows["adadecay"][1:7] == (24, 16, 8, 0, 0, 2 * (8 * 6 + 4 * 2))
    assert rows["adadecay"].confirm_wall_s == pytest.approx(15)
    searched = rows["adadecay"].search_wall_s
    assert rows["adadecay"][-2:] == (pytest.approx(searched + 15), "core")
    on_gpus = load(lab.write_study(tmp_path, lab.parts_of(), study={**lab.study, "resources": {"gpus": 0.25}}))
    shared = next(row for row in analysis.budget(on_gpus) if row.regularizer == "adadecay")
    assert shared[-2:] == (pytest.approx((searched + 15) / 4), "GPU")


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_svg_is_well_formed_themed_and_the_same_twice(rich_data, sheet):
    numbers = sheet.compute(rich_data)
    if sheet.name in ("robust-strength", "objectives"):
        assert not numbers.panels  # tested elsewhere, with studies that have them
        return
    first = style.svg(sheet.draw(numbers), "a")
    root = ET.fromstring(first)
    assert first == style.svg(sheet.draw(numbers), "a")
    assert "currentColor" in first
    assert style.INK not in first
    assert "width" not in root.attrib
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("a-") for name in ids)


def test_a_panel_stands_alone_and_nothing_is_drawn_twice(data, monkeypatch):
    from matplotlib.axes import Axes
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    (sheet,) = (sheet for sheet in SHEETS if sheet.name == "learning-curves")
    numbers = sheet.compute(data)
    done = []
    for owner, name in ((Axes, "draw"), (ConstrainedLayoutEngine, "execute")):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *a, name=name, real=real, **k: (done.append(name), real(*a, **k))[1])
    drawn, files = draw(sheet, numbers)
    assert len(drawn.panels) == len(numbers.panels) > 1
    assert done.count("execute") == 1
    assert done.count("draw") == 3 * len(numbers.panels)  # SVG, PDF and PNG
    titles = [panel.data for panel in numbers.panels]
    for place, panel in enumerate(drawn.panels):
        root = ET.fromstring(panel.svg)
        assert [title for title in titles if title in set(root.itertext())] == [titles[place]]
        width, height = (float(side) for side in root.attrib["viewBox"].split()[2:])
        texts = [float(x) for x in re.findall(r'<text[^>]* x="([\d.-]+)"', panel.svg)]
        assert texts
        assert all(0 <= x <= width for x in texts)
        assert (width, height) == pytest.approx((72 * 4.1, 72 * 3.4), abs=0.01)
    assert set(titles) <= set(ET.fromstring(files["figures/learning-curves.svg"]).itertext())


def test_users_matplotlib_settings_change_nothing(data):
    import matplotlib

    numbers = analysis.data_fraction(data)
    expected = style.svg(analysis.draw_data_fraction(numbers), "a")
    with matplotlib.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.facecolor": "red"}):
        assert style.svg(analysis.draw_data_fraction(numbers), "a") == expected


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.name)
def test_csv_holds_every_point(rich_data, sheet):
    panels = sheet.compute(rich_data).panels
    if not panels:
        return
    lines = list(csv.reader(io.StringIO(panels_csv(panels).decode())))
    assert len(lines) == 1 + sum(len(panel.points) for panel in panels)
    assert len({len(line) for line in lines}) == 1


def contrast(color, paper):
    def luminance(text):
        parts = [int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(color), luminance(paper)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("color", style.COLOURS)
def test_series_stand_out_from_white(color):
    assert contrast(color, "#ffffff") >= 3


def test_neighbouring_series_differ_in_shape_and_colour():
    looks = [style.look(place) for place in range(14)]
    assert len({(seen.color, seen.marker) for seen in looks}) == 14
    for first, second in pairwise(looks):
        assert first.marker != second.marker
        assert first.color != second.color
