"""Trials: how they end, over how many seeds, and what the search is told of them."""

import math

import pytest
from digits import digits_study
from made_up import epoch_row, epochs, finish, finish_all

from tune_reg.execution.controller import StudyController
from tune_reg.execution.messages import Completed, Diverged, RunReport
from tune_reg.execution.recorder import Recorder
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.decision import Decision
from tune_reg.store import Results
from tune_reg.study import make_plan


def control(directory, **settings):
    return StudyController(make_plan(digits_study(**settings)), directory)


def trials(directory):
    return sorted(Results(directory).trials().to_pylist(), key=lambda row: row["trial"])


def test_a_pruned_trial_is_stored_with_what_it_did(tmp_path):
    controller = control(tmp_path, search={"trials": 3, "pruner": "asha", "reduction_factor": 2})
    good, bad = controller.next_run(), controller.next_run()
    assert controller.take(good.key, epochs(1, accuracy=0.9)) is Decision.CONTINUE
    assert controller.take(bad.key, epochs(1, accuracy=0.1)) is Decision.STOP
    (stored,) = trials(tmp_path)
    assert (stored["state"], stored["value"], stored["epochs_trained"], stored["wall_s"]) == ("pruned", 0.1, 1, 0.25)
    (task,) = controller.progress().tasks
    assert (task.pruned, task.running) == (1, 1)


def test_the_time_of_an_epoch_is_that_of_the_shortest(tmp_path, monkeypatch):
    """The first one of a process, or one on a busy machine, would have a slow sampler asked."""
    epoch_seconds = []
    controller = control(tmp_path)
    run = controller.next_run()
    rows = (epoch_row(1, wall_s=9.0), epoch_row(2, wall_s=0.5))
    with monkeypatch.context() as patch:
        # Killed before the search is told, which the next process does from what is stored.
        patch.setattr(AskTell, "tell", lambda *_, **values: epoch_seconds.append(values["epoch_s"]))
        controller.take(run.key, RunReport(rows, Completed()))
    tell = AskTell.tell
    monkeypatch.setattr(
        AskTell, "tell", lambda *a, **values: [epoch_seconds.append(values["epoch_s"]), tell(*a, **values)]
    )
    control(tmp_path).next_run()
    assert epoch_seconds == [0.5, 0.5]


def test_divergence_is_a_status_never_a_number(tmp_path):
    controller = control(tmp_path, search={"trials": 2})
    run = controller.next_run()
    assert controller.take(run.key, epochs(1, accuracy=math.nan, outcome=Diverged())) is Decision.STOP
    finish(controller, controller.next_run())
    stored = trials(tmp_path)[0]
    assert (stored["state"], stored["value"]) == ("diverged", None)
    assert stored["reason"] == "the loss is not finite in epoch 1"
    assert controller.next_run().trial.number == 1


def test_a_decision_to_stop_that_was_lost_is_made_again(tmp_path, monkeypatch):
    """Killed after the report that stopped a trial, before that was told: the trial stays stopped there."""
    asha = {"trials": 2, "pruner": "asha", "reduction_factor": 2}
    settings = {"search": asha, "training": {"epochs": 4, "batch_size": 64}}
    controller = control(tmp_path, **settings)
    first = controller.next_run()
    controller.take(first.key, epochs(1, 2, 3, 4, accuracy=0.9, outcome=Completed()))
    second = controller.next_run()

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "write_search_epochs", killed)
        with pytest.raises(KeyboardInterrupt):
            controller.take(second.key, epochs(1, accuracy=0.1))
    again = control(tmp_path, **settings)
    assert again.next_run().key == second.key
    # Its process had trained on before it was killed.
    rows = (epoch_row(1, 0.1), epoch_row(2, 0.95))
    assert again.take(second.key, RunReport(rows)) is Decision.STOP
    stopped = trials(tmp_path)[1]
    assert (stopped["state"], stopped["value"], stopped["epochs_trained"]) == ("pruned", 0.1, 1)


# Several seeds a trial


def several_seeds(directory, **search):
    search = {"trials": 4, "seeds": 3, "pruner": "none", **search}
    return control(directory, search=search, confirm={"seeds": 2})


def test_a_trial_is_scored_by_the_mean_over_its_seeds(tmp_path):
    runs = finish_all(several_seeds(tmp_path), lambda run: 0.1 * run.trial.number + 0.01 * run.training)
    search = [run for run in runs if run.stage == "search"]
    assert len({run.key for run in search}) == len(search) == 12
    seeds = {run.training: run.run.seed for run in search}
    assert len(set(seeds.values())) == 3
    assert not set(seeds.values()) & {run.run.seed for run in runs if run.stage == "confirm"}
    stored = trials(tmp_path)
    assert [row["value"] for row in stored] == pytest.approx([0.01, 0.11, 0.21, 0.31])
    assert {(row["seeds"], row["epochs_trained"], row["wall_s"]) for row in stored} == {(3, 6, 1.5)}
    assert {run.trial.number for run in runs if run.stage == "confirm"} == {3}


def test_a_configuration_that_falls_behind_gets_no_further_seed(tmp_path):
    controller = several_seeds(tmp_path, pruner="asha", reduction_factor=2, min_epochs=2, trials=8)
    finish_all(controller, lambda run: 0.9 - 0.1 * run.trial.number)
    first, *others = trials(tmp_path)
    assert (first["state"], first["seeds"]) == ("complete", 3)
    assert {(row["state"], row["seeds"]) for row in others} == {("pruned", 1)}


@pytest.mark.parametrize("stop_after", range(1, 9))
def test_trials_of_several_seeds_go_on_where_they_were_interrupted(tmp_path, stop_after):
    def accuracy(run):
        return 0.1 * run.trial.number + 0.01 * run.training

    controller = several_seeds(tmp_path, trials=3)
    before = finish_all(controller, accuracy, limit=stop_after)
    interrupted = controller.next_run()  # asked for, and the process is killed
    rest = finish_all(several_seeds(tmp_path, trials=3), accuracy)
    assert interrupted is None or interrupted.key == rest[0].key
    assert not {run.key for run in before} & {run.key for run in rest}
    stored = trials(tmp_path)
    assert [row["value"] for row in stored] == pytest.approx([0.01, 0.11, 0.21])
    assert {row["epochs_trained"] for row in stored} == {6}


# Two objectives


def two_objectives(directory, kind, **search):
    objective = {"kind": kind, **({"epsilon": 0.1} if kind == "robust_accuracy" else {})}
    controller = control(directory, search={"trials": 3, "pruner": "none", "second_objective": objective, **search})
    (directory / "study.toml").write_text(controller.plan.study.to_toml())
    return controller


def take_robust(controller, accuracy, robust_accuracy):
    """The next run to its end."""
    run = controller.next_run()
    assert controller.take(run.key, epochs(1, accuracy=accuracy)) is Decision.CONTINUE
    report = epochs(2, accuracy=accuracy, outcome=Completed(robust_accuracy=robust_accuracy))
    assert controller.take(run.key, report) is Decision.STOP
    return run


def test_the_winner_is_the_most_robust_of_those_that_validation_cannot_tell_apart(tmp_path):
    controller = two_objectives(tmp_path, "robust_accuracy")
    for accuracy, robust in ((0.92, 0.1), (0.91, 0.5), (0.5, 0.9)):
        take_robust(controller, accuracy, robust)
    assert [(row["trial"], row["robust_accuracy"]) for row in trials(tmp_path)] == [(0, 0.1), (1, 0.5), (2, 0.9)]
    assert {row["n_val"] for row in trials(tmp_path)} == {controller.plan.validation_images}
    confirmed = controller.next_run()
    assert (confirmed.stage, confirmed.trial.number) == ("confirm", 1)
    assert Results(tmp_path).best("weight-decay") == confirmed.trial.params
    # So it is for the next process.
    assert two_objectives(tmp_path, "robust_accuracy").next_run().trial.number == 1


def test_the_winner_is_the_quickest_of_those_that_validation_cannot_tell_apart(tmp_path):
    controller = two_objectives(tmp_path, "epoch_time")
    for wall_s in (2.0, 1.0, 0.5):
        run = controller.next_run()
        accuracy = 0.4 if wall_s == 0.5 else 0.9
        controller.take(run.key, RunReport(tuple(epoch_row(n, accuracy, wall_s) for n in (1, 2)), Completed()))
    confirmed = controller.next_run()
    assert (confirmed.stage, confirmed.trial.number) == ("confirm", 1)
    assert Results(tmp_path).best("weight-decay") == confirmed.trial.params


def test_over_several_seeds_the_second_objective_is_a_mean_too_also_after_a_restart(tmp_path):
    first = take_robust(two_objectives(tmp_path, "robust_accuracy", seeds=2, trials=1), 0.5, 0.25)
    second = take_robust(two_objectives(tmp_path, "robust_accuracy", seeds=2, trials=1), 0.5, 0.75)
    assert (first.training, second.training) == (0, 1)
    assert [row["robust_accuracy"] for row in trials(tmp_path)] == [0.5]


def test_a_diverged_trial_has_no_second_value(tmp_path):
    controller = two_objectives(tmp_path, "robust_accuracy")
    take_robust(controller, 0.5, 0.25)
    bad = controller.next_run()
    controller.take(bad.key, epochs(1, accuracy=math.nan, outcome=Diverged()))
    assert trials(tmp_path)[1]["robust_accuracy"] is None
    assert controller.next_run() is not None  # the sampler takes it
