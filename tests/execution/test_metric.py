"""Whole studies by another metric than the accuracy: searched, confirmed and decided in the direction of its goal."""

import in_process
import own_loops
import pytest
import torch
from digits import digits_study

from tune_reg.backends.workers import worker_for
from tune_reg.errors import StudyError
from tune_reg.execution.controller import StudyController
from tune_reg.execution.progress import stored_progress
from tune_reg.execution.provenance import make_provenance, write_provenance
from tune_reg.execution.results_directory import claim
from tune_reg.search.decision import Decision
from tune_reg.store import Results
from tune_reg.study import Study, make_plan

GAIN = {"name": "gain", "goal": "maximize"}
ERROR = {"name": "error", "goal": "minimize", "unit": "m"}


def own_loop(loop, metric, **settings):
    plain = {
        "name": "x",
        "trainer": f"own_loops:{loop}",
        "examples": own_loops.EXAMPLES,
        "regularizers": ["weight-decay", "l1"],
        "training": {"epochs": 3, "batch_size": 20},
        "search": {"trials": 5},
        "metric": metric,
    }
    return Study(**{**plain, **settings})


def begun(study, directory):
    plan = make_plan(study)
    claim(directory, study)
    write_provenance(directory, make_provenance(plan, None))
    return StudyController(plan, directory)


def carry_out(study, directory, limit=1000):
    """Train every run of a study by its loop, one after the other, ``limit`` reports at most; its results."""
    controller = begun(study, directory)
    reports = 0
    while not controller.finished and reports < limit:
        run = controller.next_run()
        worker = worker_for(controller.order(run), torch.device("cpu"))
        decision = Decision.CONTINUE
        while decision is Decision.CONTINUE and reports < limit:
            decision = controller.take(run.key, worker.step())
            reports += 1
        worker.close()
    controller.raise_if_stopped()
    return Results(directory)


def rows(table, *columns):
    return sorted(tuple(row[name] for name in columns) for row in table.to_pylist())


@pytest.fixture(scope="module")
def gains(tmp_path_factory):
    return carry_out(own_loop("gains", GAIN), tmp_path_factory.mktemp("gains"))


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    return carry_out(own_loop("errors", ERROR), tmp_path_factory.mktemp("errors"))


def test_the_search_makes_the_same_decisions(gains, errors):
    of_trial = ("regularizer", "trial", "state", "epochs_trained")
    assert rows(gains.trials(), *of_trial) == rows(errors.trials(), *of_trial)
    values = {(row["regularizer"], row["trial"]): row["value"] for row in gains.trials().to_pylist()}
    for row in errors.trials().to_pylist():
        assert row["value"] == -values[row["regularizer"], row["trial"]]
    expected = {(row["regularizer"], row["trial"]): row["expected_value"] for row in gains.expected().to_pylist()}
    assert expected
    for row in errors.expected().to_pylist():
        assert row["expected_value"] == -expected[row["regularizer"], row["trial"]]
    for name in ("weight-decay", "l1"):
        assert errors.best(name) == gains.best(name)
        assert errors.best_trials(name, 2) == gains.best_trials(name, 2)


def test_the_tables_hold_the_metric_as_it_is_and_no_accuracy(errors):
    epochs, final = errors.epochs().to_pylist(), errors.final().to_pylist()
    assert all(row["val_metric"] < 0 and row["val_accuracy"] is None for row in epochs)
    assert final
    for row in final:
        assert row["test_metric"] < 0
        assert row["val_metric"] is not None
        assert row["test_accuracy"] is row["max_over_epochs"] is row["generalization_gap"] is None


def test_rounds_end_alike_and_say_what_they_compare(gains, errors):
    of_look = ("regularizer", "look", "n", "decision")
    assert rows(gains.decisions(), *of_look) == rows(errors.decisions(), *of_look)
    assert {row["measure"] for row in errors.decisions().to_pylist()} == {"test_error"}
    up = {(row["regularizer"], row["look"]): row for row in gains.decisions().to_pylist()}
    for row in errors.decisions().to_pylist():
        other = up[row["regularizer"], row["look"]]
        assert row["estimate"] == pytest.approx(-other["estimate"])
        assert (row["low"], row["high"]) == pytest.approx((-other["high"], -other["low"]))


def test_a_killed_study_and_one_whose_journal_was_lost_go_on(tmp_path, errors):
    study = own_loop("errors", ERROR)
    carry_out(study, tmp_path, limit=9)
    (tmp_path / "search.journal").unlink()
    again = carry_out(study, tmp_path)
    of_trial = ("regularizer", "trial", "state", "value", "epochs_trained")
    assert rows(again.trials(), *of_trial) == rows(errors.trials(), *of_trial)
    of_run = ("regularizer", "seed", "test_metric")
    assert rows(again.final(), *of_run) == rows(errors.final(), *of_run)


def test_progress_says_the_best_value_and_of_what(errors):
    progress = stored_progress(make_plan(own_loop("errors", ERROR)), errors.directory)
    assert progress.metric.name == "error"
    best = {task.task.regularizer: task.best for task in progress.tasks}
    complete = [row for row in errors.trials().to_pylist() if row["state"] == "complete"]
    for name, value in best.items():
        assert value == min(row["value"] for row in complete if row["regularizer"] == name)


def test_a_run_without_a_finite_value_of_the_metric_has_diverged(tmp_path):
    study = own_loop("no_error", ERROR, regularizers=["weight-decay"], search={"trials": 1, "pruner": "none"})
    results = carry_out(study, tmp_path)
    (row,) = results.trials().to_pylist()
    assert (row["state"], row["value"]) == ("diverged", None)


def test_the_houses_own_training_can_be_judged_by_its_loss(tmp_path):
    study = digits_study(metric={"name": "loss"}, regularizers=["weight-decay", "l1"], confirm={"seeds": 2})
    results = in_process.run_study(study, tmp_path)
    losses = {
        (row["regularizer"], row["trial"]): row["val_loss"]
        for row in results.epochs().to_pylist()
        if row["stage"] == "search" and row["epoch"] == 2
    }
    complete = [row for row in results.trials().to_pylist() if row["state"] == "complete"]
    assert {(row["regularizer"], row["trial"]): row["value"] for row in complete} == losses
    for name in ("weight-decay", "l1"):
        best = min((row for row in complete if row["regularizer"] == name), key=lambda row: row["value"])
        assert dict(results.best(name))[next(iter(results.best(name)))] in best["params"]
    assert all(row["test_accuracy"] is not None and row["test_metric"] is None for row in results.final().to_pylist())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metric": {"name": "f1"}}, "metric.goal: nothing is known of 'f1'; say \"maximize\""),
        ({"metric": {"name": "rmse", "goal": "maximize"}}, "metric.goal: rmse is better the smaller it is"),
        ({"metric": {"name": "accuracy", "unit": "%"}}, "metric.unit: the accuracy is shown in per cent"),
        ({"metric": {"name": "rmse"}}, "metric.name: rmse is reported by no training of tune-reg's own"),
        (
            {"metric": {"name": "loss"}, "search": {"second_objective": {"kind": "epoch_time"}}},
            "search.second_objective: it decides among trials within one standard error of an accuracy",
        ),
        ({"metric": {"name": "bits per byte", "goal": "minimize"}}, "metric.name: string must match pattern"),
    ],
)
def test_what_goes_with_no_metric_is_refused_in_one_line(settings, message):
    with pytest.raises(StudyError) as caught:
        digits_study(**settings)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_study_by_the_accuracy_is_what_it_was(tmp_path):
    plain = digits_study()
    assert "metric" not in plain.to_plain()
    assert digits_study(metric={"name": "accuracy"}).hash == plain.hash
    loss = digits_study(metric={"name": "loss"})
    assert loss.hash != plain.hash
    assert Study(**loss.to_plain()).hash == loss.hash
    assert own_loop("errors", ERROR, confirm={"margin": 5.0}).confirm.margin == 5.0
