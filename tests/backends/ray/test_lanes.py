"""Studies whose runs train side by side, under a real Ray Tune."""

import json
import os
import signal
from collections import Counter

import pytest
from digits import digits_study
from plugins import load_regularizer
from tables import written

from tune_reg.backends.ray import launch
from tune_reg.backends.ray.launch import run_study
from tune_reg.backends.ray.scheduler import LaneGroupScheduler
from tune_reg.execution.lane_groups import LaneGroups
from tune_reg.training import Run, SerialEngine, TrainingSettings
from tune_reg.training import checkpoint as checkpoints

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")]

METHODS = ["weight-decay", "adadecay"]
TRAINING = {"epochs": 6, "batch_size": 64}


def study(**settings):
    plain = {
        "regularizers": METHODS,
        "training": TRAINING,
        "search": {"trials": 5, "reduction_factor": 2},
        "robustness": {"fgsm": [0.1], "images": 100},
        "resources": {"lanes": 3},
    }
    return digits_study(**{**plain, **settings})


@pytest.fixture(scope="module")
def finished(tmp_path_factory, ray_cluster):
    return run_study(study(), tmp_path_factory.mktemp("lanes"))


def test_every_table_is_full(finished):
    trials = finished.trials().to_pylist()
    assert Counter(row["regularizer"] for row in trials) == dict.fromkeys(METHODS, 5)
    assert {row["state"] for row in trials} == {"complete", "pruned"}
    final = [(row["regularizer"], row["seed"], row["state"]) for row in finished.final().to_pylist()]
    assert sorted(final) == [("adadecay", 1, "complete"), ("weight-decay", 1, "complete")]
    assert Counter(finished.robustness()["epsilon"].to_pylist()) == {0.0: 2, 0.1: 2}
    epochs = Counter((row["stage"], row["regularizer"], row["trial"]) for row in finished.epochs().to_pylist())
    for row in trials:
        assert epochs["search", row["regularizer"], row["trial"]] == row["epochs_trained"]
    assert sum(count for (stage, *_), count in epochs.items() if stage == "confirm") == 2 * 6


def test_the_directory_looks_as_after_single_runs(finished):
    """Checkpoints of confirmed runs alone are left, which a single run can take up; the same command does nothing."""
    folders = {path.name: path for path in (finished.directory / "checkpoints").iterdir()}
    assert len(folders) == 2
    row = next(row for row in finished.final().to_pylist() if row["regularizer"] == "adadecay")
    params, settings = json.loads(row["params"]), TrainingSettings(**TRAINING)
    engine = SerialEngine(Run("digits", "nn-2-small", "adadecay", params, settings, seed=1))
    (folder,) = [path for name, path in folders.items() if name.startswith("adadecay")]
    engine.load_state(checkpoints.load_newest(folder))
    assert engine.finished
    assert engine.evaluate("test")[1] == row["test_accuracy"]
    before = written(finished)
    run_study(study(resources={}), finished.directory)
    assert written(finished) == before


@pytest.mark.slow
def test_a_killed_group_goes_on_and_nothing_is_lost_or_done_twice(tmp_path, ray_cluster, monkeypatch):
    """It dies as it reports: the decision of the driver reaches nobody."""
    take_result, results_of, killed = LaneGroupScheduler.on_trial_result, Counter(), []

    def on_trial_result(self, controller, trial, result):
        results_of[result["pid"]] += 1
        if len(killed) < 3 and results_of[result["pid"]] == 2:
            killed.append(result["pid"])
            os.kill(result["pid"], signal.SIGKILL)
        return take_result(self, controller, trial, result)

    monkeypatch.setattr(LaneGroupScheduler, "on_trial_result", on_trial_result)
    search = {"trials": 5, "pruner": "none"}
    results = run_study(study(regularizers=["weight-decay"], search=search), tmp_path)
    assert len(killed) == 3
    assert [(r["state"], r["epochs_trained"]) for r in results.trials().to_pylist()] == [("complete", 6)] * 5
    assert results.final()["state"].to_pylist() == ["complete"]
    epochs = Counter((r["stage"], r["trial"], r["epoch"]) for r in results.epochs().to_pylist())
    assert set(epochs.values()) == {1}
    assert len(epochs) == 6 * 6


#: Where its strength is above 1/2, its second epoch ends the process, or never ends.
POISON = """
if strengths["strength"] > 1.5 and progress.epoch > 0:
    time.sleep(10_000)
if strengths["strength"] > 0.5 and progress.epoch > 0:
    os._exit(1)
return strengths["strength"] * 0
"""


@pytest.mark.slow
def test_runs_that_kill_or_block_their_group_are_given_up_alone(tmp_path, ray_cluster):
    plugin = load_regularizer(tmp_path, "poison", [0.0, 1.0, 0.125, 2.0, 0.25], POISON)
    settings = {
        "regularizers": ["poison"],
        "search": {"trials": 5, "pruner": "none", "sampler": "random"},
        "training": {"epochs": 2, "batch_size": 64},
        "resources": {"lanes": 5, "epoch_timeout_s": 4.0, "max_failures": 0},
    }
    results = run_study(study(**settings), tmp_path / "out", plugins=[plugin])
    outcomes = {row["param_strength"]: (row["state"], row["reason"]) for row in results.trials().to_pylist()}
    assert {strength: state for strength, (state, _) in outcomes.items()} == {
        0.0: "complete",
        0.125: "complete",
        0.25: "complete",
        1.0: "failed",
        2.0: "failed",
    }
    assert outcomes[2.0][1] == "no epoch within 4 s"
    assert results.final()["state"].to_pylist() == ["complete"]


@pytest.mark.slow
def test_lanes_are_measured_by_the_worker_and_what_cannot_be_one_trains_alone(tmp_path, ray_cluster, monkeypatch):
    # As on a GPU; the figures are this CPU's.
    monkeypatch.setattr(launch, "resolved", lambda plan, _: plan.study.resources.model_copy(update={"gpus": 0.0}))
    take_measured, counts = LaneGroups.take_measured, []

    def noted_take_measured(self, group, lanes):
        counts.append(lanes)
        return take_measured(self, group, lanes)

    monkeypatch.setattr(LaneGroups, "take_measured", noted_take_measured)
    regularizers = {
        "weight-decay": {},
        "residual-smoothing": {"annealing": ["laplace", "logistic"]},
        "adam": {"regularizer": "decoupled-weight-decay", "optimizer": "adam", "learning_rate": 0.001},
    }
    settings = {"training": {"epochs": 2, "batch_size": 64}, "search": {"trials": 3}, "confirm": {"seeds": 2}}
    results = run_study(study(regularizers=regularizers, resources={"lanes": "auto"}, **settings), tmp_path)
    # No lane key has more runs at a time than its three trials.
    assert counts
    assert set(counts) <= {1, 2}
    assert Counter(row["regularizer"] for row in results.trials().to_pylist()) == dict.fromkeys(regularizers, 3)
    assert Counter(row["regularizer"] for row in results.final().to_pylist()) == dict.fromkeys(regularizers, 2)
