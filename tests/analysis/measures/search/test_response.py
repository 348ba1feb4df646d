import math

import pytest

import analysis
from analysis.measures.search.model import search_models
from analysis.tables.search.optima import optimum_table
from tune_reg.store import load


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
    optimum = response_of(rich_data, "weight-decay", "decay").optimum
    assert optimum.scale == "log"
    assert optimum.located
    assert optimum.best_low <= 5e-4 <= optimum.best_high
    assert optimum.best_low <= optimum.best <= optimum.best_high
    assert optimum.plateau_low < optimum.best < optimum.plateau_high
    assert optimum.plateau_low <= optimum.best_low
    assert optimum.best_high <= optimum.plateau_high
    assert optimum.trials == 40  # stopped and diverged ones, too


def test_curve_is_between_the_trials_and_band_around_it(rich_data, response_of):
    response = response_of(rich_data, "weight-decay", "decay")
    strengths = [
        row["params"]["decay"]
        for row in rich_data.trials
        if (row["regularizer"], row["fraction"]) == ("weight-decay", 1.0)
    ]
    assert (response.curve[0].x, response.curve[-1].x) == pytest.approx((min(strengths), max(strengths)))
    assert min(strengths) <= response.optimum.picked <= max(strengths)
    assert all(point.low <= point.mean <= point.high for point in (*response.curve, *response.average))
    assert all(best.mean >= mean.mean for best, mean in zip(response.curve, response.average, strict=True))
    assert response.optimum.accuracy == max(point.mean for point in response.curve)


def test_curve_passes_the_pick_at_least_at_what_is_expected_of_it(rich_data, response_of):
    """It is the best over the settings of the others, among which that of the pick is."""
    response = response_of(rich_data, "weight-decay", "decay")
    estimate = search_models(rich_data)["weight-decay", 1.0].estimates[analysis_winner(rich_data)]
    near = min(response.curve, key=lambda point: abs(math.log(point.x / response.optimum.picked)))
    assert near.mean >= estimate.value - 0.001


def analysis_winner(data):
    return next(
        row["trial"] for row in data.final if (row["regularizer"], row["search_fraction"]) == ("weight-decay", 1.0)
    )


def test_winner_on_an_edge_and_a_plateau_that_goes_on_are_flagged(tmp_path, lab, response_of):
    def steeper(row):
        value = None if row["value"] is None else 0.9 + 0.01 * math.log10(row["params"]["learning_rate"])
        return {**row, "value": value}

    def tested(row):
        return None

    parts = lab.changed(lab.changed(lab.rich_parts(), "trials", steeper), "final", tested)
    data = analysis.Snapshot(load(lab.write_rich(tmp_path, parts)))
    optimum = response_of(data, "weight-decay", "learning_rate").optimum
    rates = [
        row["params"]["learning_rate"]
        for row in data.trials
        if (row["regularizer"], row["fraction"], row["state"]) == ("weight-decay", 1.0, "complete")
    ]
    assert optimum.picked == max(rates)
    assert optimum.picked_edge == ("high" if math.log10(max(rates) / 0.01) / math.log10(50) >= 0.95 else None)
    assert optimum.best > 0.2
    assert optimum.plateau_open == "high"
    notes = [row[-1] for row in optimum_table(data).rows if row[1:3] == ("weight-decay", "learning_rate")]
    assert "the plateau goes on at the high end of the trials" in notes[0]


def test_a_peak_that_may_be_anywhere_is_not_located(rich_data, response_of):
    """Alpha hardly matters: 0.02 points from one end to the other, below the noise of a training."""
    optimum = response_of(rich_data, "adadecay", "alpha", 0.3).optimum
    assert not optimum.located
    row = next(row for row in optimum_table(rich_data).rows if row[:3] == ("30 % of the data", "adadecay", "alpha"))
    assert row[5].startswith("not located [")


def test_names_have_an_accuracy_each(rich_data, response_of):
    response = response_of(rich_data, "residual-smoothing", "annealing")
    assert [point.x for point in response.curve] == ["laplace", "logistic"]
    assert response.optimum.picked in ("laplace", "logistic")
    assert (response.optimum.scale, response.optimum.best_low) == ("category", None)
    assert response.optimum.plateau_names == "laplace, logistic"  # of which nothing depends
    assert not response.optimum.located


def test_few_trials_have_no_curve(tmp_path, lab):
    results = load(lab.write_rich(tmp_path, lab.rich_parts(trials=3)))
    response = analysis.responses(results)
    assert {each.optimum.best for each in response} == {None}
    assert {each.curve for each in response} == {()}
    assert "no curve: too few trials" in optimum_table(analysis.Snapshot(results)).rows[0][-1]


def test_strengths_with_a_zero_have_a_curve(tmp_path, lab, response_of):
    grid = (0.0, 1e-5, 1e-4, 1e-3, 1e-2)

    def change(row):
        strength = grid[row["trial"] % 5]
        value = 0.9 - 0.01 * (row["trial"] % 5 - 3) ** 2
        return {**row, "params": {"decay": strength}, "state": "complete", "value": value, "epochs_trained": 6}

    parts = [part for part in lab.changed(lab.rich_parts(), "trials", change) if part[0] == "trials"]
    methods = {"weight-decay": {"strength": "decay", "space": {"decay": {"choices": list(grid)}}}}
    provenance = {**lab.provenance, "regularizers": methods}
    data = analysis.Snapshot(load(lab.write_rich(tmp_path, parts, provenance=provenance)))
    response = response_of(data, "weight-decay", "decay")
    assert response.optimum.scale == "symlog"
    assert [point.x for point in response.curve] == list(grid)
    assert response.optimum.best == 1e-3
    assert response.average == ()


def test_a_few_numbers_stay_what_they_are(rich_data):
    """Golden: of the study that the tests make, which is the same on every machine."""
    row = next(row for row in analysis.comparisons(rich_data) if row.regularizer == "adadecay")
    assert (row.difference.n, row.difference.p_sign_flip) == (8, 2 / 256)
    assert row.difference.mean == pytest.approx(GOLDEN["difference"], rel=1e-9)
    assert row.effect.d == pytest.approx(GOLDEN["d"], rel=1e-9)


GOLDEN = {"difference": 0.011335640170823585, "d": 8.634948072986598}
