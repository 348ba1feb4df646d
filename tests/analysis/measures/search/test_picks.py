"""The pick of a search: what is expected of it, its regret, and what cannot be told from it."""

import pytest

import analysis
from analysis.measures.search.model import search_models
from analysis.measures.search.picks import picks, regret_of
from analysis.snapshot import Snapshot
from analysis.tables.search.winners import winner_table
from tune_reg.store import load
from tune_reg.surrogate.regret import regret
from tune_reg.surrogate.space_points import space_points


def pick_of(data, name="weight-decay", fraction=1.0):
    (pick,) = [pick for pick in picks(data) if (pick.regularizer, pick.fraction) == (name, fraction)]
    return pick


def changed(tmp_path, lab, change, **described):
    """A snapshot of the rich study with other trials of weight decay."""

    def of_baseline(row):
        return change(row) if row["regularizer"] == lab.baseline else row

    return Snapshot(load(lab.write_rich(tmp_path, lab.changed(lab.rich_parts(), "trials", of_baseline), **described)))


def test_numbers_are_those_of_the_model(rich_data):
    pick = pick_of(rich_data)
    model = search_models(rich_data)["weight-decay", 1.0]
    row = next(
        r
        for r in rich_data.trials
        if (r["regularizer"], r["fraction"], r["trial"]) == ("weight-decay", 1.0, pick.trial)
    )
    estimates = model.estimates
    assert (pick.expected, pick.deviation) == estimates[pick.trial]
    assert pick.observed == row["value"]
    assert pick.optimism == row["value"] - pick.expected
    others = {trial: estimate.value for trial, estimate in estimates.items() if trial != pick.trial}
    assert pick.runner_up == max(others, key=others.get)
    assert pick.margin == pick.expected - others[pick.runner_up]
    space = space_points(model.cube, model.density, near=model.cube.point(row["params"]))
    expected = regret(model.model, model.trials.index(pick.trial), space.features, space.prior)
    assert (pick.regret, pick.regret_deviation) == pytest.approx(tuple(expected), abs=1e-5)
    assert regret_of(rich_data, "weight-decay", 1.0) == (pick.regret, pick.regret_deviation)


def test_what_the_search_wrote_of_its_trials_is_told_as_it_is(expected_data):
    for pick in picks(expected_data):
        row = next(
            r
            for r in expected_data.expected
            if (r["regularizer"], r["fraction"], r["trial"]) == (pick.regularizer, pick.fraction, pick.trial)
        )
        written = (row["expected_value"], row["expected_deviation"])
        assert (pick.expected, pick.deviation) == pytest.approx(written, abs=1e-5)


def test_region_has_the_pick_and_what_is_as_good_but_not_what_is_worse(rich_data):
    """A decay of 1e-6 or 0.1 costs more than three points; alpha of AdaDecay costs next to nothing."""
    region = pick_of(rich_data).region
    decay = region["decay"]
    picked = next(
        row["params"]
        for row in rich_data.final
        if (row["regularizer"], row["search_fraction"]) == ("weight-decay", 1.0)
    )
    assert list(region) == ["decay", "learning_rate"]
    assert 1e-5 < decay.low <= picked["decay"] <= decay.high < 0.03
    assert not decay.whole
    assert pick_of(rich_data, "adadecay").region["alpha"].whole
    assert pick_of(rich_data, "residual-smoothing").region["annealing"].values == ("laplace", "logistic")


def test_ties_are_counted(tmp_path, lab):
    best = 0.99

    def tie(row):
        high = row["trial"] in (4, 5, 6) and row["state"] == "complete"
        return {**row, "value": best if high else row["value"], "n_val": 240}

    data = changed(tmp_path, lab, tie)
    pick = pick_of(data)
    tied = [
        row
        for row in data.trials
        if (row["regularizer"], row["fraction"], row["value"]) == ("weight-decay", 1.0, pick.observed)
    ]
    assert pick.ties == len(tied) - 1
    assert pick.images == 240


def test_a_method_at_chance_is_flagged_where_the_classes_are_known(tmp_path, lab, rich_data):
    assert pick_of(rich_data).chance is None

    def chance(row):
        return {**row, "value": None if row["value"] is None else 0.1 + 0.002 * (row["trial"] % 3), "n_val": 1000}

    provenance = {**lab.provenance, "regularizers": lab.rich_methods, "data": {"name": "digits", "classes": 10}}
    data = changed(tmp_path, lab, chance, provenance=provenance)
    assert pick_of(data).chance is True
    assert pick_of(data, "adadecay").chance is False
    table = winner_table(data)
    notes = {row[1]: row[-1] for row in table.rows if row[0] == "100 % of the data"}
    assert "not above guessing" in notes["weight-decay"]
    assert "not above guessing" not in notes["adadecay"]


def test_one_configuration_has_no_regret(tmp_path, lab):
    def one(row):
        return {**row, "params": {"decay": 1e-3, "learning_rate": 0.1}}

    data = changed(tmp_path, lab, one)
    assert regret_of(data, "weight-decay", 1.0) == (0.0, 0.0)
    assert not [pick for pick in picks(data) if pick.regularizer == "weight-decay"]


def test_without_a_model_or_with_a_second_objective_there_is_no_regret(tmp_path, lab, rich_data):
    assert regret_of(rich_data, "unknown", 1.0) is None
    study = {**lab.rich_study, "search": {"trials": 40, "second_objective": {"kind": "epoch_time"}}}
    assert regret_of(Snapshot(load(lab.write_rich(tmp_path, study=study))), "weight-decay", 1.0) is None


def test_every_pick_is_a_row_of_the_table(rich_data):
    table = winner_table(rich_data)
    assert table.numbers == picks(rich_data)
    assert {len(row) for row in table.rows} == {len(table.headings)}
    assert analysis.picks(rich_data) == picks(rich_data)
