"""The sweep driven by hand, without Ray."""

import math

import pytest

from tune_reg import Study
from tune_reg.execution.controller import StudyController
from tune_reg.search.ask_tell import AskTell
from tune_reg.store import Results


def study(**keys):
    plain = {
        "name": "sweep",
        "dataset": "digits",
        "model": "nn-2",
        "regularizers": ["weight-decay", "adadecay"],
        "training": {"epochs": 2, "batch_size": 64},
        "search": {"trials": 3, "pruner": "none"},
        "confirm": {"seeds": 2},
    }
    return Study(**{**plain, **keys})


def row(epoch, accuracy=0.5):
    loss = 1.0 if math.isfinite(accuracy) else math.nan
    return {
        "epoch": epoch,
        "learning_rate": 0.1,
        "strength": 1e-4,
        "train_loss": loss,
        "val_loss": loss,
        "val_accuracy": accuracy,
        "wall_s": 0.25,
    }


def final():
    return {"n_train": 1, "n_test": 1, "val_accuracy": 0.5, "test_accuracy": 0.5}


def finish(sweep, run, accuracy=0.5):
    assert not sweep.on_epochs(run.key, [row(1, accuracy)])
    assert not sweep.on_epochs(run.key, [row(2, accuracy)])
    sweep.end(run.key, "complete", final=final() if run.stage == "confirm" else None)


def drive(sweep, accuracy=lambda run: 0.5, limit=1000):
    runs = []
    while not sweep.finished and len(runs) < limit:
        runs.append(sweep.next())
        finish(sweep, runs[-1], accuracy(runs[-1]))
    return runs


def test_searches_then_confirms_the_winner_on_fresh_paired_seeds(tmp_path):
    sweep = StudyController(study(fractions=[0.5, 1.0]), tmp_path)
    runs = drive(sweep, lambda run: 0.5 + 0.1 * run.trial.number)
    search, confirm = ([r for r in runs if r.stage == stage] for stage in ("search", "confirm"))
    assert len(search) == 6
    assert {r.run.seed for r in search} == {0}
    assert all(r.trial.number == 2 for r in confirm)
    expected = {(n, f, s) for n in ("weight-decay", "adadecay") for f in (0.5, 1.0) for s in (1, 2)}
    assert {(r.run.regularizer, r.run.fraction, r.run.seed) for r in confirm} == expected
    assert len(confirm) == len(expected)


def test_where_each_fraction_is_searched_both_strengths_are_confirmed(tmp_path):
    sweep = StudyController(study(fractions=[0.5, 1.0], search={"trials": 1, "fractions": [0.5, 1.0]}), tmp_path)
    confirm = [r for r in drive(sweep) if r.stage == "confirm" and r.run.regularizer == "adadecay"]
    assert {(r.trial.task.fraction, r.run.fraction) for r in confirm} == {(0.5, 0.5), (1.0, 0.5), (1.0, 1.0)}


def test_confirmation_waits_for_every_trial_of_its_task(tmp_path):
    sweep = StudyController(study(regularizers=["weight-decay"]), tmp_path)
    first, second, third = sweep.next(), sweep.next(), sweep.next()
    finish(sweep, first)
    finish(sweep, second)
    assert sweep.next() is None
    assert not sweep.finished
    finish(sweep, third)
    assert sweep.next().stage == "confirm"


def test_a_pruned_trial_is_stored_with_what_it_did(tmp_path):
    sweep = StudyController(
        study(search={"trials": 3, "pruner": "asha", "reduction_factor": 2}, regularizers=["weight-decay"]), tmp_path
    )
    good, bad = sweep.next(), sweep.next()
    assert not sweep.on_epochs(good.key, [row(1, 0.9)])
    assert sweep.on_epochs(bad.key, [row(1, 0.1)])
    assert not sweep.is_live(bad.key)
    (stored,) = sweep_rows(tmp_path, "trials")
    assert (stored["state"], stored["value"], stored["epochs_trained"], stored["wall_s"]) == ("pruned", 0.1, 1, 0.25)
    assert sweep.progress().tasks[0].pruned == 1


def test_the_time_of_an_epoch_is_that_of_the_shortest(tmp_path, monkeypatch):
    """The first one of a process, or one on a busy machine, would have a slow sampler asked."""
    said = []
    sweep = StudyController(study(regularizers=["weight-decay"]), tmp_path)
    run = sweep.next()
    assert not sweep.on_epochs(run.key, [{**row(1), "wall_s": 9.0}, {**row(2), "wall_s": 0.5}])
    with monkeypatch.context() as patch:
        # Killed before the brain is told, and told by the next process from what is stored.
        patch.setattr(sweep.brain, "tell", lambda *_, **keys: said.append(keys["epoch_s"]))
        sweep.end(run.key, "complete")
    tell = AskTell.tell
    monkeypatch.setattr(AskTell, "tell", lambda *told, **keys: [said.append(keys["epoch_s"]), tell(*told, **keys)])
    StudyController(study(regularizers=["weight-decay"]), tmp_path).next()
    assert said == [0.5, 0.5]


def test_divergence_is_a_status_never_a_number(tmp_path):
    sweep = StudyController(study(regularizers=["weight-decay"], search={"trials": 2}), tmp_path)
    run = sweep.next()
    assert not sweep.on_epochs(run.key, [row(1, math.nan)])
    sweep.end(run.key, "diverged", reason="the loss is not finite")
    finish(sweep, sweep.next())
    stored = sweep_rows(tmp_path, "trials")[0]
    assert (stored["state"], stored["value"]) == ("diverged", None)
    assert stored["reason"] == "the loss is not finite in epoch 1"
    confirm = sweep.next()
    assert confirm.trial.number == 1


def test_a_task_that_only_diverged_is_left_out_and_the_study_ends(tmp_path):
    sweep = StudyController(study(search={"trials": 1}), tmp_path)
    while not sweep.finished:
        run = sweep.next()
        if run.run.regularizer == "adadecay":
            sweep.on_epochs(run.key, [row(1, math.nan)])
            sweep.end(run.key, "diverged", reason="the loss is not finite")
        else:
            finish(sweep, run)
    assert {r["regularizer"] for r in sweep_rows(tmp_path, "final")} == {"weight-decay"}


@pytest.mark.parametrize("stop_after", range(1, 11))
def test_a_new_sweep_goes_on_where_the_last_one_stopped(tmp_path, stop_after):
    through, stopped = tmp_path / "through", tmp_path / "stopped"
    through.mkdir()
    stopped.mkdir()
    runs = drive(StudyController(study(), through))
    before = drive(StudyController(study(), stopped), limit=stop_after)
    hanging = StudyController(study(), stopped).next()  # asked, then the process is killed
    after = drive(StudyController(study(), stopped))
    assert [r.key for r in before + after] == [r.key for r in runs]
    assert hanging is None or hanging.key == after[0].key
    for table in ("trials", "final"):
        assert normal(sweep_rows(stopped, table)) == normal(sweep_rows(through, table))


def test_a_run_stored_but_not_told_is_told_and_not_run_again(tmp_path, monkeypatch):
    sweep = StudyController(study(), tmp_path)
    run = sweep.next()

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep.brain, "tell", killed)
    with pytest.raises(KeyboardInterrupt):
        finish(sweep, run, 0.75)
    again = StudyController(study(), tmp_path)
    assert again.next().key != run.key
    assert again.brain.winner(again.tasks[0]).number == run.trial.number
    assert again.progress().tasks[0].best == 0.75


def test_rows_that_come_twice_count_once(tmp_path):
    sweep = StudyController(study(regularizers=["weight-decay"]), tmp_path)
    run = sweep.next()
    sweep.on_epochs(run.key, [row(1)])
    sweep.on_epochs(run.key, [row(1), row(2)])
    sweep.end(run.key, "complete")
    assert [r["epoch"] for r in sweep_rows(tmp_path, "epochs")] == [1, 2]
    assert sweep.progress().epochs == 2


def test_progress_counts_everything(tmp_path):
    sweep = StudyController(study(regularizers=["weight-decay"]), tmp_path)
    assert sweep.progress().left_s is None
    finish(sweep, sweep.next(), 0.25)
    sweep.next()
    progress = sweep.progress()
    (task,) = progress.tasks
    assert (task.running, task.done, task.best) == (1, 1, 0.25)
    assert (progress.confirmed, progress.confirmations, progress.epochs) == (0, 2, 2)
    assert progress.left_s > 0


def test_the_best_is_that_of_the_store(tmp_path):
    sweep = StudyController(study(), tmp_path)
    (tmp_path / "study.toml").write_text(study().to_toml())
    drive(sweep, lambda run: 0.5 + 0.1 * (run.trial.number == 1))
    assert Results(tmp_path).best("adadecay") == sweep.brain.winner(sweep.tasks[1]).params


def sweep_rows(path, table):
    from tune_reg.store import Results

    return Results(path)._read(table).to_pylist()


def normal(rows):
    return sorted((sorted(row.items(), key=str) for row in rows), key=str)


# Several seeds a trial


def raced(**search):
    return study(regularizers=["weight-decay"], search={"trials": 4, "seeds": 3, "pruner": "none", **search})


def test_a_trial_is_scored_by_the_mean_over_its_seeds(tmp_path):
    sweep = StudyController(raced(), tmp_path)
    runs = drive(sweep, lambda run: 0.1 * run.trial.number + 0.01 * run.place)
    search = [run for run in runs if run.stage == "search"]
    assert len({run.key for run in search}) == len(search) == 12
    seeds = {run.place: run.run.seed for run in search}
    assert len(set(seeds.values())) == 3
    assert not set(seeds.values()) & {run.run.seed for run in runs if run.stage == "confirm"}
    trials = sorted(Results(tmp_path).trials().to_pylist(), key=lambda t: t["trial"])
    assert [t["value"] for t in trials] == pytest.approx([0.01, 0.11, 0.21, 0.31])
    assert {(t["seeds"], t["epochs_trained"], t["wall_s"]) for t in trials} == {(3, 6, 1.5)}
    assert {run.trial.number for run in runs if run.stage == "confirm"} == {3}


def test_a_configuration_that_falls_behind_gets_no_further_seed(tmp_path):
    sweep = StudyController(raced(pruner="asha", reduction_factor=2, min_epochs=2, trials=8), tmp_path)
    drive(sweep, lambda run: 0.9 - 0.1 * run.trial.number)
    trials = sorted(Results(tmp_path).trials().to_pylist(), key=lambda t: t["trial"])
    assert trials[0]["state"] == "complete"
    assert trials[0]["seeds"] == 3
    assert {t["state"] for t in trials[1:]} == {"pruned"}
    assert {t["seeds"] for t in trials[1:]} == {1}


@pytest.mark.parametrize("stop_after", range(1, 9))
def test_a_race_goes_on_where_it_was_interrupted(tmp_path, stop_after):
    one = StudyController(raced(trials=3), tmp_path)
    accuracy = {(n, place): 0.1 * n + 0.01 * place for n in range(3) for place in range(3)}
    started = []
    for _ in range(stop_after):
        started.append(one.next())
        finish(one, started[-1], accuracy[started[-1].trial.number, started[-1].place])
    begun = one.next()  # and killed
    again = StudyController(raced(trials=3), tmp_path)
    rest = drive(again, lambda run: accuracy[run.trial.number, run.place])
    done = {run.key for run in started}
    assert begun is None or begun.key == rest[0].key
    assert not done & {run.key for run in rest}
    trials = sorted(Results(tmp_path).trials().to_pylist(), key=lambda t: t["trial"])
    assert [t["value"] for t in trials] == pytest.approx([0.01, 0.11, 0.21])
    assert {t["epochs_trained"] for t in trials} == {6}


# More of the same


def test_more_trials_confirm_the_new_winner_and_drop_the_old_ones_runs(tmp_path):
    drive(StudyController(study(), tmp_path), lambda run: 0.5 + 0.1 * (run.trial.number == 1))
    assert {row["trial"] for row in Results(tmp_path).final().to_pylist()} == {1}
    runs = drive(
        StudyController(study(search={"trials": 5, "pruner": "none"}), tmp_path),
        lambda run: 0.5 + 0.2 * (run.trial.number == 4),
    )
    assert [run.stage for run in runs] == ["search"] * 4 + ["confirm"] * 4
    results = Results(tmp_path)
    assert {row["trial"] for row in results.final().to_pylist()} == {4}
    assert {row["trial"] for row in results.epochs().to_pylist() if row["stage"] == "confirm"} == {4}
    assert results.trials().num_rows == 10


def test_more_trials_that_find_nothing_better_confirm_nothing_anew(tmp_path):
    drive(StudyController(study(), tmp_path), lambda run: 0.5 + 0.1 * (run.trial.number == 1))
    runs = drive(StudyController(study(search={"trials": 4, "pruner": "none"}), tmp_path))
    assert [run.stage for run in runs] == ["search", "search"]


def test_more_seeds_and_regularizers_add_only_themselves(tmp_path):
    drive(StudyController(study(), tmp_path))
    runs = drive(
        StudyController(study(regularizers=["weight-decay", "adadecay", "l1"], confirm={"seeds": 3}), tmp_path)
    )
    assert {(run.stage, run.run.regularizer) for run in runs} == {
        ("search", "l1"),
        ("confirm", "l1"),
        ("confirm", "weight-decay"),
        ("confirm", "adadecay"),
    }
    assert [run.run.seed for run in runs if run.run.regularizer == "adadecay"] == [3]


# Attacks later


def test_confirmed_runs_are_attacked_when_the_tests_change(tmp_path):
    drive(StudyController(study(), tmp_path))
    assert StudyController(study(), tmp_path, attacks_only=True).finished
    attacked = StudyController(study(robustness={"fgsm": [0.1]}), tmp_path, attacks_only=True)
    runs = []
    while not attacked.finished:
        runs.append(attacked.next())
        assert attacked.checkpoint_directory(runs[-1].key).name == runs[-1].key.removesuffix("-attack")
        attacked.on_epochs(runs[-1].key, [row(1), row(2)])
        attacked.end(runs[-1].key, "complete", robustness=[{"test": "fgsm", "accuracy": 0.5, "n": 3}])
    assert {run.stage for run in runs} == {"attack"}
    assert len(runs) == 4
    results = Results(tmp_path)
    assert results.robustness().num_rows == 4
    assert results.final().num_rows == 4
    assert StudyController(study(robustness={"fgsm": [0.1]}), tmp_path).finished


def test_a_decision_to_stop_that_was_lost_is_made_again(tmp_path):
    """Killed after the report that stopped a trial, before that was told: the trial stays stopped there."""
    asha = {"trials": 2, "pruner": "asha", "reduction_factor": 2}
    keys = {"regularizers": ["weight-decay"], "search": asha, "training": {"epochs": 4, "batch_size": 64}}
    sweep = StudyController(study(**keys), tmp_path)
    first = sweep.next()
    sweep.on_epochs(first.key, [row(epoch, 0.9) for epoch in range(1, 5)])
    sweep.end(first.key, "complete")
    second = sweep.next()
    assert sweep.brain.report(second.trial, 1, 0.1)
    again = StudyController(study(**keys), tmp_path)
    assert again.next().key == second.key
    # Its process had trained on before it was killed.
    assert again.on_epochs(second.key, [row(1, 0.1), row(2, 0.95)])
    stopped = next(row for row in Results(tmp_path).trials().to_pylist() if row["trial"] == 1)
    assert (stopped["state"], stopped["value"], stopped["epochs_trained"]) == ("pruned", 0.1, 1)


# Two objectives


def two(kind, **keys):
    objective = {"kind": kind, **({"epsilon": 0.1} if kind == "robust_accuracy" else {})}
    search = {"trials": 3, "pruner": "none", "second_objective": objective, **keys}
    return study(regularizers=["weight-decay"], search=search)


def test_the_winner_is_the_most_robust_of_those_that_validation_cannot_tell_apart(tmp_path):
    found = {0: (0.92, 0.1), 1: (0.91, 0.5), 2: (0.5, 0.9)}
    sweep = StudyController(two("robust_accuracy"), tmp_path)
    (tmp_path / "study.toml").write_text(sweep.study.to_toml())
    for number, (accuracy, robust) in found.items():
        run = sweep.next()
        assert not sweep.on_epochs(run.key, [row(1, accuracy), row(2, accuracy)])
        sweep.end(run.key, "complete", robust_accuracy=robust)
        (stored,) = sweep.store.rows("trials", run.key)
        assert (stored["trial"], stored["robust_accuracy"], stored["n_val"]) == (
            number,
            robust,
            sweep.study.validation_images,
        )
    confirmed = sweep.next()
    assert (confirmed.stage, confirmed.trial.number) == ("confirm", 1)
    assert Results(tmp_path).best("weight-decay") == confirmed.trial.params
    again = StudyController(sweep.study, tmp_path)
    assert again.brain.winner(again.tasks[0]).number == 1


def test_the_winner_is_the_quickest_of_those_that_validation_cannot_tell_apart(tmp_path):
    sweep = StudyController(two("epoch_time"), tmp_path)
    (tmp_path / "study.toml").write_text(sweep.study.to_toml())
    for wall_s in (2.0, 1.0, 0.5):
        run = sweep.next()
        accuracy = 0.4 if wall_s == 0.5 else 0.9
        sweep.on_epochs(run.key, [{**row(epoch, accuracy), "wall_s": wall_s} for epoch in (1, 2)])
        sweep.end(run.key, "complete")
    assert sweep.brain.winner(sweep.tasks[0]).number == 1
    assert Results(tmp_path).best("weight-decay") == sweep.brain.winner(sweep.tasks[0]).params


def test_over_several_seeds_the_second_objective_is_a_mean_too_also_after_a_restart(tmp_path):
    own = two("robust_accuracy", seeds=2, trials=1)
    sweep = StudyController(own, tmp_path)
    first = sweep.next()
    sweep.on_epochs(first.key, [row(1), row(2)])
    sweep.end(first.key, "complete", robust_accuracy=0.25)
    sweep = StudyController(own, tmp_path)
    second = sweep.next()
    assert second.place == 1
    sweep.on_epochs(second.key, [row(1), row(2)])
    sweep.end(second.key, "complete", robust_accuracy=0.75)
    (stored,) = sweep.store.rows("trials", first.key)
    assert stored["robust_accuracy"] == 0.5


def test_a_diverged_trial_has_no_second_value(tmp_path):
    sweep = StudyController(two("robust_accuracy"), tmp_path)
    good, bad = sweep.next(), sweep.next()
    sweep.on_epochs(good.key, [row(1), row(2)])
    sweep.end(good.key, "complete", robust_accuracy=0.25)
    sweep.on_epochs(bad.key, [row(1, math.nan)])
    sweep.end(bad.key, "diverged", reason="the loss is not finite")
    assert sweep.store.rows("trials", bad.key)[0]["robust_accuracy"] is None
    assert sweep.next() is not None  # the sampler takes it
