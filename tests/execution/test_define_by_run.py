"""Studies whose space is a function that prunes, fails, or has ranges that depend on other values."""

import json

import optuna
import pytest
from digits import digits_study
from in_process import run_study
from made_up import finish_all

from tune_reg.errors import NothingSucceededError
from tune_reg.execution.controller import StudyController
from tune_reg.execution.outcome import raise_if_nothing_succeeded
from tune_reg.search import ask_tell
from tune_reg.store import Results
from tune_reg.study import make_plan


def control(directory, space, trials=8):
    study = digits_study(regularizers={"weight-decay": space}, search={"trials": trials, "pruner": "none"})
    return StudyController(make_plan(study), directory)


def stored(directory):
    return sorted(Results(directory).trials().to_pylist(), key=lambda row: row["trial"])


def half_pruned(trial):
    strength = trial.suggest_float("weight_decay", 0, 1)
    if strength > 0.5:
        raise optuna.TrialPruned
    return {"weight_decay": strength}


def test_pruned_trials_are_stored_and_others_are_asked_for(tmp_path):
    controller = control(tmp_path, half_pruned)
    runs = finish_all(controller)
    rows = stored(tmp_path)
    assert [row["trial"] for row in rows] == list(range(8))
    pruned = [row for row in rows if row["state"] == "pruned"]
    assert 0 < len(pruned) < 8
    assert {(row["epochs_trained"], row["value"]) for row in pruned} == {(0, None)}
    assert all(row["param_weight_decay"] > 0.5 for row in pruned)
    assert len([run for run in runs if run.stage == "search"]) == 8 - len(pruned)
    assert control(tmp_path, half_pruned).finished


def failing_at_times(trial):
    strength = trial.suggest_float("weight_decay", 0, 1)
    if strength == 0.25:
        raise ValueError
    return {"weight_decay": strength}


def test_a_trial_for_which_the_function_fails_costs_no_other(tmp_path):
    controller = control(tmp_path, failing_at_times)
    study = controller._asks._studies["weight-decay at 1"]
    study.enqueue_trial({"weight_decay": 0.25})
    controller._asks._searches["weight-decay at 1"]._waiting.add(0)
    finish_all(controller)
    first, *others = stored(tmp_path)
    assert first["state"] == "failed"
    line = failing_at_times.__code__.co_firstlineno + 3
    assert first["reason"].endswith(f"failing_at_times raised ValueError ({__file__}:{line})")
    assert {row["state"] for row in others} == {"complete"}


def test_a_search_whose_every_ask_is_pruned_ends_with_one_line(tmp_path):
    def turns(trial):
        strength = trial.suggest_float("weight_decay", 0, 1)
        if turned:
            raise optuna.TrialPruned
        return {"weight_decay": strength}

    turned = []
    controller = control(tmp_path, turns, trials=5)
    turned.append(True)
    assert controller.next_run() is None
    assert controller.finished
    assert [row["state"] for row in stored(tmp_path)] == ["pruned"] * 5
    with pytest.raises(NothingSucceededError, match="5 pruned of 5 trials, mostly because of this: its space pruned"):
        raise_if_nothing_succeeded(controller.plan, Results(tmp_path))


def test_a_pruned_trial_that_was_not_told_yet_is_not_written_twice(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(ask_tell.AskTell, "tell", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        controller = control(tmp_path, half_pruned)
        with pytest.raises(KeyboardInterrupt):
            finish_all(controller)
    finish_all(control(tmp_path, half_pruned))
    assert [row["trial"] for row in stored(tmp_path)] == list(range(8))


def bounded(trial):
    rate = trial.suggest_float("learning_rate", 1e-3, 1.0, log=True)
    return {"learning_rate": rate, "weight_decay": trial.suggest_float("weight_decay", 1e-6, rate)}


def test_each_trial_has_its_ranges_and_the_provenance_the_widest(tmp_path):
    study = digits_study(regularizers={"weight-decay": bounded})
    results = run_study(study, tmp_path)
    assert results.provenance()["regularizers"]["weight-decay"]["space"]["weight_decay"]["high"] == 1.0
    for row in stored(tmp_path):
        ranges = json.loads(row["ranges"])
        assert ranges["weight_decay"] == {"low": 1e-6, "high": row["param_learning_rate"]}
        assert ranges["learning_rate"] == {"low": 1e-3, "high": 1.0, "log": True}


def test_a_winner_keeps_what_the_function_returned_when_it_was_asked(tmp_path):
    """Called once more, a function may return something else: it read a clock, or has drawn numbers itself."""

    def moody(trial):
        calls.append(trial.number)
        return {"weight_decay": trial.suggest_float("weight_decay", 0, 1), "learning_rate": 1 / len(calls)}

    calls = []
    controller = control(tmp_path, moody, trials=3)
    first = controller.next_run()
    asked = [control(tmp_path, moody, trials=3).next_run().trial.params for _ in range(2)]
    assert asked == [first.trial.params] * 2
    runs = finish_all(control(tmp_path, moody, trials=3), lambda run: 0.9 - 0.1 * run.trial.number)
    (confirmed,) = [run for run in runs if run.stage == "confirm"]
    assert confirmed.trial.params == first.trial.params
    assert Results(tmp_path).final().to_pylist()[0]["param_learning_rate"] == first.trial.params["learning_rate"]
