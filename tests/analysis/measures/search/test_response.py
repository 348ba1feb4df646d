import math

import numpy as np
import pytest

import analysis
from analysis.statistics.smoothing import Smoother
from analysis.tables.search.optima import optimum_table
from tune_reg.store import load


def complete(rich_data, name, parameter, fraction=1.0):
    rows = [
        row
        for row in rich_data.trials
        if (row["regularizer"], row["fraction"], row["state"]) == (name, fraction, "complete")
    ]
    return np.array([(row["params"][parameter], row["value"]) for row in rows]).T


def test_every_searched_hyperparameter_answers_the_strength_first(rich_data):
    parameters = [each.optimum.parameter for each in analysis.responses(rich_data) if each.optimum.fraction == 1.0]
    assert parameters == [
        "decay",
        "learning_rate",
        "decay",
        "alpha",
        "learning_rate",
        "b",
        "annealing",
        "learning_rate",
    ]


def test_peak_is_where_the_study_was_made_to_have_it(rich_data, response_of):
    optimum = response_of(rich_data, "adadecay", "decay").optimum
    assert optimum.scale == "log"
    assert abs(math.log10(optimum.best / 2e-3)) < 0.5
    assert optimum.best_low <= optimum.best <= optimum.best_high
    assert optimum.plateau_low < optimum.best < optimum.plateau_high
    assert optimum.trials == complete(rich_data, "adadecay", "decay").shape[1]


def test_plateau_is_within_one_standard_error_of_the_best(rich_data, response_of):
    optimum = response_of(rich_data, "weight-decay", "decay").optimum
    x, y = complete(rich_data, "weight-decay", "decay")
    order = np.argsort(x)
    smoother = Smoother(np.log10(x)[order], y[order])
    grid = np.linspace(np.log10(x.min()), np.log10(x.max()), 5_000)
    curve = smoother.at(grid)
    top = int(np.argmax(curve.mean))
    inside = grid[curve.mean >= curve.mean[top] - curve.error[top]]
    step = np.ptp(grid) / 120
    assert math.log10(optimum.plateau_low) == pytest.approx(inside.min(), abs=step)
    assert math.log10(optimum.plateau_high) == pytest.approx(inside.max(), abs=step)
    assert optimum.accuracy == pytest.approx(curve.mean[top], abs=1e-5)
    assert optimum.plateau_share == pytest.approx(np.ptp(inside) / 5, abs=2 * step / 5)  # the space has five decades
    assert optimum.plateau_open == ""


def test_winner_is_the_best_trial_and_its_edge_is_flagged(tmp_path, lab, response_of):
    def steeper(row):
        return {
            **row,
            "value": None if row["value"] is None else 0.9 + 0.01 * math.log10(row["params"]["learning_rate"]),
        }

    def tested(row):
        return None

    parts = lab.changed(lab.changed(lab.rich_parts(), "trials", steeper), "final", tested)
    rich_data = analysis.Snapshot(load(lab.write_rich(tmp_path, parts)))
    optimum = response_of(rich_data, "weight-decay", "learning_rate").optimum
    x, _ = complete(rich_data, "weight-decay", "learning_rate")
    assert optimum.picked == x.max()
    assert optimum.best == pytest.approx(x.max())
    assert optimum.plateau_open == "high"
    assert optimum.picked_edge == ("high" if math.log10(x.max() / 0.01) / math.log10(50) >= 0.95 else None)
    notes = [row[-1] for row in optimum_table(rich_data).rows if row[1:3] == ("weight-decay", "learning_rate")]
    assert "the plateau goes on at the high end of the trials" in notes[0]


def test_names_have_no_curve(rich_data, response_of):
    response = response_of(rich_data, "residual-smoothing", "annealing")
    assert (response.curve, response.optimum.best, response.optimum.scale) == ((), None, "category")
    assert response.optimum.picked in ("laplace", "logistic")


def test_few_trials_have_no_curve(tmp_path, lab):
    results = load(lab.write_rich(tmp_path, lab.rich_parts(trials=6)))
    response = analysis.responses(results)
    assert {each.optimum.best for each in response} == {None}
    assert "too few trials for a curve" in optimum_table(analysis.Snapshot(results)).rows[0][-1]


def test_strengths_with_a_zero_have_a_curve(tmp_path, lab, response_of):
    grid = (0.0, 1e-5, 1e-4, 1e-3, 1e-2)

    def change(row):
        strength = grid[row["trial"] % 5]
        # No noise: the curve has nothing to smooth away.
        value = 0.9 - 0.01 * (row["trial"] % 5 - 3) ** 2
        return {**row, "params": {"decay": strength}, "state": "complete", "value": value}

    parts = [part for part in lab.changed(lab.rich_parts(), "trials", change) if part[0] == "trials"]
    rich_data = analysis.Snapshot(load(lab.write_rich(tmp_path, parts, provenance=None)))
    response = response_of(rich_data, "weight-decay", "decay")
    assert response.optimum.scale == "symlog"
    assert response.curve[0].x == 0
    assert response.curve[-1].x == pytest.approx(1e-2)
    assert 3e-4 < response.optimum.best < 3e-3


def test_a_few_numbers_stay_what_they_are(rich_data, response_of):
    """Golden: of the study that the tests make, which is the same on every machine."""
    optimum = response_of(rich_data, "adadecay", "decay").optimum
    row = next(row for row in analysis.comparisons(rich_data) if row.regularizer == "adadecay")
    assert (row.difference.n, row.difference.p_sign_flip) == (8, 2 / 256)
    assert row.difference.mean == pytest.approx(GOLDEN["difference"], rel=1e-9)
    assert row.effect.d == pytest.approx(GOLDEN["d"], rel=1e-9)
    assert optimum.best == pytest.approx(GOLDEN["best"], rel=1e-6)


GOLDEN = {"difference": 0.011335640170823585, "d": 8.634948072986598, "best": 0.0016335730754684459}
