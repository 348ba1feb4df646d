import math

import numpy as np
import pytest

import analysis
from analysis.smoother import Smoother
from analysis.table_sheets import optimum_table
from tune_reg.store import load


@pytest.fixture(scope="module")
def data(rich):
    return analysis.Snapshot(load(rich))


def of(data, name, parameter, fraction=1.0):
    (found,) = [
        each
        for each in analysis.responses(data)
        if (each.optimum.regularizer, each.optimum.parameter, each.optimum.fraction) == (name, parameter, fraction)
    ]
    return found


def complete(data, name, parameter, fraction=1.0):
    rows = [
        row
        for row in data.trials
        if (row["regularizer"], row["fraction"], row["state"]) == (name, fraction, "complete")
    ]
    return np.array([(row["params"][parameter], row["value"]) for row in rows]).T


def test_every_searched_hyperparameter_answers_the_strength_first(data):
    seen = [each.optimum.parameter for each in analysis.responses(data) if each.optimum.fraction == 1.0]
    assert seen == ["decay", "learning_rate", "decay", "alpha", "learning_rate", "b", "annealing", "learning_rate"]


def test_peak_is_where_the_study_was_made_to_have_it(data):
    own = of(data, "adadecay", "decay").optimum
    assert own.scale == "log"
    assert abs(math.log10(own.best / 2e-3)) < 0.5
    assert own.best_low <= own.best <= own.best_high
    assert own.plateau_low < own.best < own.plateau_high
    assert own.trials == complete(data, "adadecay", "decay").shape[1]


def test_plateau_is_within_one_standard_error_of_the_best(data):
    own = of(data, "weight-decay", "decay").optimum
    x, y = complete(data, "weight-decay", "decay")
    order = np.argsort(x)
    smoother = Smoother(np.log10(x)[order], y[order])
    grid = np.linspace(np.log10(x.min()), np.log10(x.max()), 5_000)
    curve = smoother.at(grid)
    top = int(np.argmax(curve.mean))
    inside = grid[curve.mean >= curve.mean[top] - curve.error[top]]
    step = np.ptp(grid) / 120
    assert math.log10(own.plateau_low) == pytest.approx(inside.min(), abs=step)
    assert math.log10(own.plateau_high) == pytest.approx(inside.max(), abs=step)
    assert own.accuracy == pytest.approx(curve.mean[top], abs=1e-5)
    assert own.plateau_share == pytest.approx(np.ptp(inside) / 5, abs=2 * step / 5)  # the space has five decades
    assert own.plateau_open == ""


def test_winner_is_the_best_trial_and_its_edge_is_flagged(tmp_path, lab):
    def steeper(row):
        return {
            **row,
            "value": None if row["value"] is None else 0.9 + 0.01 * math.log10(row["params"]["learning_rate"]),
        }

    def tested(row):
        return None

    parts = lab.changed(lab.changed(lab.rich_parts(), "trials", steeper), "final", tested)
    data = analysis.Snapshot(load(lab.write_rich(tmp_path, parts)))
    own = of(data, "weight-decay", "learning_rate").optimum
    x, _ = complete(data, "weight-decay", "learning_rate")
    assert own.picked == x.max()
    assert own.best == pytest.approx(x.max())
    assert own.plateau_open == "high"
    assert own.picked_edge == ("high" if math.log10(x.max() / 0.01) / math.log10(50) >= 0.95 else None)
    notes = [row[-1] for row in optimum_table(data).rows if row[1:3] == ("weight-decay", "learning_rate")]
    assert "the plateau goes on at the high end of the trials" in notes[0]


def test_names_have_no_curve(data):
    found = of(data, "residual-smoothing", "annealing")
    assert (found.curve, found.optimum.best, found.optimum.scale) == ((), None, "category")
    assert found.optimum.picked in ("laplace", "logistic")


def test_few_trials_have_no_curve(tmp_path, lab):
    results = load(lab.write_rich(tmp_path, lab.rich_parts(trials=6)))
    found = analysis.responses(results)
    assert {each.optimum.best for each in found} == {None}
    assert "too few trials for a curve" in optimum_table(analysis.Snapshot(results)).rows[0][-1]


def test_strengths_with_a_zero_have_a_curve(tmp_path, lab):
    grid = (0.0, 1e-5, 1e-4, 1e-3, 1e-2)

    def change(row):
        strength = grid[row["trial"] % 5]
        # No noise: the curve has nothing to smooth away.
        value = 0.9 - 0.01 * (row["trial"] % 5 - 3) ** 2
        return {**row, "params": {"decay": strength}, "state": "complete", "value": value}

    parts = [part for part in lab.changed(lab.rich_parts(), "trials", change) if part[0] == "trials"]
    data = analysis.Snapshot(load(lab.write_rich(tmp_path, parts, provenance=None)))
    found = of(data, "weight-decay", "decay")
    assert found.optimum.scale == "symlog"
    assert found.curve[0].x == 0
    assert found.curve[-1].x == pytest.approx(1e-2)
    assert 3e-4 < found.optimum.best < 3e-3


def test_carried_and_searched_strengths_stand_side_by_side(data):
    numbers = analysis.data_fraction(data)
    assert [panel.data for panel in numbers.panels] == [
        "strength searched at each size",
        "strength from 100 % of the data",
    ]
    table = {(row.regularizer, row.fraction, row.search_fraction): row for row in analysis.result_table(data)}
    gain, gap = analysis.data_gain(data), analysis.generalization_gap(data)
    for panel, source in zip(gain.panels, (None, 1.0), strict=True):
        assert len(panel.points) == 6
        for point in panel.points:
            row = table[point.regularizer, point.x, source or point.x]
            assert (point.n, point.mean, point.low) == row.difference[:3]
    for panel, source in zip(gap.panels, (None, 1.0), strict=True):
        for point in panel.points:
            row = table[point.regularizer, point.x, source or point.x]
            assert (point.n, point.mean, point.low, point.high) == row.generalization_gap[:4]


def test_best_strength_is_that_of_each_search(data):
    panels = {panel.regularizer: panel for panel in analysis.best_strength(data).panels}
    assert [point.x for point in panels["adadecay"].points] == [0.1, 0.3, 1.0]
    for point in panels["adadecay"].points:
        own = of(data, "adadecay", "decay", point.x).optimum
        assert (point.picked, point.best, point.low) == (own.picked, own.best, own.best_low)


def test_schedules_are_those_of_the_epochs(data):
    rate, strength = analysis.schedules(data).panels
    mine = [point for point in rate.points if point.regularizer == "adadecay"]
    assert [point.epoch for point in mine] == [1, 2, 3, 4, 5, 6]
    assert mine[3].mean == pytest.approx(mine[0].mean / 8)
    assert {point.n for point in rate.points} == {8}
    rising = [point for point in strength.points if point.regularizer == "residual-smoothing"]
    assert [point.mean for point in rising] == pytest.approx([0.5 * epoch / 6 for epoch in range(1, 7)])
    assert {point.peak for point in rising} == {0.5}


def test_pairs_are_ranked_by_their_accuracy(data):
    panel = next(panel for panel in analysis.pair_maps(data).panels if panel.regularizer == "adadecay")
    assert (panel.x_parameter, panel.y_parameter, panel.y_scale) == ("decay", "alpha", "linear")
    ended = sorted((point for point in panel.points if point.rank is not None), key=lambda point: -point.value)
    n = len(ended)
    assert [point.rank for point in ended] == pytest.approx([(place + 1) / n for place in range(n)])
    assert {point.state for point in panel.points if point.rank is None} == {"pruned", "diverged"}


def test_a_few_numbers_stay_what_they_are(data):
    """Golden: of the study that the tests make, which is the same on every machine."""
    own = of(data, "adadecay", "decay").optimum
    row = next(row for row in analysis.comparisons(data) if row.regularizer == "adadecay")
    assert (row.difference.n, row.difference.p) == (8, 2 / 256)
    assert row.difference.mean == pytest.approx(GOLDEN["difference"], rel=1e-9)
    assert row.effect.d == pytest.approx(GOLDEN["d"], rel=1e-9)
    assert own.best == pytest.approx(GOLDEN["best"], rel=1e-6)


GOLDEN = {"difference": 0.011335640170823585, "d": 8.634948072986598, "best": 0.0016335730754684459}
