"""The model that the report makes of the tables is that of the search."""

import in_process
import pytest
from digits import digits_study

import analysis
from analysis.measures.search.model import BY_FUNCTION, MISFIT, NO_SPACE, NOTHING_SEARCHED, search_models
from analysis.snapshot import Snapshot
from tune_reg.store import load


def space(trial):
    return {"weight_decay": trial.suggest_float("weight_decay", 1e-6, 1e-2, log=True)}


@pytest.mark.parametrize(
    ("regularizer", "search"),
    [
        ("weight-decay", {"pruner": "pause", "learning_rate": {"low": 0.01, "high": 1e4, "log": True}}),  # some diverge
        ("weight-decay", {"pruner": "none", "learning_rate": {"low": 0.01, "high": 1e4, "log": True}}),
        ("residual-smoothing", {"seeds": 2}),  # choices and conditions; trained on two seeds
        ("dropout", {"pruner": "pause", "prior": False, "min_epochs": 1, "reduction_factor": 2}),
    ],
)
def test_what_it_expects_is_what_the_search_expected(tmp_path, regularizer, search):
    study = digits_study(
        regularizers=[regularizer],
        training={"epochs": 3, "batch_size": 64},
        search={"trials": 6, "sampler": "knowledge-gradient", **search},
        confirm={"seeds": 1},
    )
    data = Snapshot(in_process.run_study(study, tmp_path))
    estimates = search_models(data)[regularizer, 1.0].estimates
    assert len(data.expected) > (5 if study.search.pruner == "pause" else 3)
    for row in data.expected:
        estimate = estimates[row["trial"]]
        assert estimate.value == pytest.approx(row["expected_value"], abs=1e-5)
        assert estimate.deviation == pytest.approx(row["expected_deviation"], abs=1e-5)


def test_a_space_that_is_a_function_has_no_model(tmp_path):
    study = digits_study(
        regularizers={"weight-decay": {"space": space}},
        training={"epochs": 1, "batch_size": 64},
        search={"trials": 3},
        confirm={"seeds": 1},
    )
    data = Snapshot(in_process.run_study(study, tmp_path))
    assert search_models(data) == {("weight-decay", 1.0): BY_FUNCTION}
    assert analysis.responses(data)[0].optimum.missing == BY_FUNCTION


def test_without_the_epochs_of_the_search_the_trials_themselves_say_enough(rich_data):
    model = search_models(rich_data)["adadecay", 1.0]
    rows = {row["trial"]: row for row in rich_data.trials_of("adadecay") if row["fraction"] == 1.0}
    for trial, training in zip(model.trials, model.model.trainings, strict=True):
        values = list(training.values.values())
        assert values == ([] if rows[trial]["value"] is None else [rows[trial]["value"]])
        assert training.diverged == (rows[trial]["state"] == "diverged")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda row: {**row, "params": {"decay": 1e-3, "learning_rate": 0.1}}, NOTHING_SEARCHED),
        (lambda row: {**row, "params": {"decay": -1.0 * row["trial"], "learning_rate": 0.1}}, MISFIT),
    ],
)
def test_a_search_without_a_model_says_why(tmp_path, lab, change, reason):
    parts = lab.changed(lab.parts_of([lab.baseline]), "trials", change)
    study = {**lab.study, "regularizers": {lab.baseline: {}}}
    models = search_models(Snapshot(load(lab.write_study(tmp_path, parts, study=study))))
    assert set(models.values()) == {reason}


def test_without_a_provenance_there_is_no_space(tmp_path, lab):
    data = Snapshot(load(lab.write_study(tmp_path, lab.parts_of(), provenance=None)))
    assert set(search_models(data).values()) == {NO_SPACE}
