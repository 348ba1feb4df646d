"""Studies whose runs train side by side, under a real Ray Tune."""

import json
import os
import signal
from collections import Counter

import optuna
import pytest
from tune_reg.backends.ray.lane_adapters import LaneGroupScheduler

from tune_reg import Study
from tune_reg.backends.ray.launch import run_study
from tune_reg.execution.lane_groups import LaneGroups
from tune_reg.regularizers import load_plugin
from tune_reg.search import lane_keys
from tune_reg.training import Run, SerialEngine, TrainingSettings
from tune_reg.training import checkpoint as checkpoints

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")]

PLAIN = {
    "name": "lanes",
    "dataset": "digits",
    "model": "nn-2-small",
    "training": {"epochs": 9, "batch_size": 64},
    "search": {"trials": 6, "reduction_factor": 3},
    "confirm": {"seeds": 2},
    "robustness": {"fgsm": [0.1], "images": 100},
    "regularizers": ["weight-decay", "adadecay"],
    "resources": {"lanes": 3},
}


def study(**keys):
    return Study(**{**PLAIN, **keys})


@pytest.fixture(scope="module")
def changes():
    return []


@pytest.fixture(scope="module")
def finished(tmp_path_factory, ray_cluster, changes):
    with pytest.MonkeyPatch.context() as patch:
        plain = LaneGroups.take

        def take(self, *reported, **measured):
            changes.append(plain(self, *reported, **measured))
            return changes[-1]

        patch.setattr(LaneGroups, "take", take)
        return run_study(study(), tmp_path_factory.mktemp("lanes"))


def test_every_table_is_full(finished):
    trials = finished.trials().to_pylist()
    assert Counter(row["regularizer"] for row in trials) == dict.fromkeys(PLAIN["regularizers"], 6)
    assert {row["state"] for row in trials} == {"complete", "pruned"}
    final = [(row["regularizer"], row["seed"], row["state"]) for row in finished.final().to_pylist()]
    assert sorted(final) == [(name, seed, "complete") for name in sorted(PLAIN["regularizers"]) for seed in (1, 2)]
    assert Counter(finished.robustness()["epsilon"].to_pylist()) == {0.0: 4, 0.1: 4}
    epochs = Counter((row["stage"], row["regularizer"], row["trial"]) for row in finished.epochs().to_pylist())
    for row in trials:
        assert epochs["search", row["regularizer"], row["trial"]] == row["epochs_trained"]
    assert sum(count for (stage, *_), count in epochs.items() if stage == "confirm") == 4 * 9


def test_lanes_were_refilled_in_place(finished, changes):
    pruned = [f"{row['regularizer']}-at-1-trial-{row['trial']:05d}" for row in finished.trials().to_pylist()]
    refilled = [change for change in changes if set(change.ended) & set(pruned) and change.started]
    assert refilled


def test_the_journal_agrees_with_the_store(finished):
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(finished.directory / "search.journal"))
    )
    for name in PLAIN["regularizers"]:
        stored = {r["trial"]: r for r in finished.trials().to_pylist() if r["regularizer"] == name}
        for trial in optuna.load_study(study_name=f"{name} at 1", storage=storage).trials:
            row = stored[trial.number]
            assert trial.state.name == row["state"].upper()
            assert len(trial.intermediate_values) == row["epochs_trained"]
            assert trial.value == row["value"]


def test_the_directory_looks_as_in_the_ordinary_mode(finished):
    """Checkpoints of confirmed runs alone are left, which a single run can take up; the same command does nothing."""
    left = {path.name: path for path in (finished.directory / "checkpoints").iterdir()}
    assert len(left) == 4
    row = next(row for row in finished.final().to_pylist() if row["regularizer"] == "adadecay" and row["seed"] == 1)
    training = TrainingSettings(**PLAIN["training"])
    engine = SerialEngine(Run("digits", "nn-2-small", "adadecay", json.loads(row["params"]), training, seed=1))
    (folder,) = [path for name, path in left.items() if name.startswith("adadecay") and name.endswith("seed-1")]
    engine.load_state(checkpoints.load_newest(folder))
    assert engine.finished
    assert engine.evaluate("test")[1] == row["test_accuracy"]
    before = sorted((p.name, p.stat().st_mtime_ns) for p in finished.directory.glob("tables/*/*"))
    run_study(study(resources={}), finished.directory)
    assert sorted((p.name, p.stat().st_mtime_ns) for p in finished.directory.glob("tables/*/*")) == before


@pytest.mark.slow
def test_a_killed_pack_goes_on_and_nothing_is_lost_or_done_twice(tmp_path, ray_cluster, monkeypatch):
    """It dies as it reports: what the driver answers reaches nobody."""
    plain, seen, killed = LaneGroupScheduler.on_trial_result, Counter(), []

    def on_trial_result(self, controller, trial, result):
        seen[result["pid"]] += 1
        if len(killed) < 3 and seen[result["pid"]] == 2:
            killed.append(result["pid"])
            os.kill(result["pid"], signal.SIGKILL)
        return plain(self, controller, trial, result)

    monkeypatch.setattr(LaneGroupScheduler, "on_trial_result", on_trial_result)
    keys = {"regularizers": ["weight-decay"], "search": {"trials": 5, "pruner": "none"}, "confirm": {"seeds": 1}}
    results = run_study(study(**keys), tmp_path)
    assert len(killed) == 3
    assert [(r["state"], r["epochs_trained"]) for r in results.trials().to_pylist()] == [("complete", 9)] * 5
    assert results.final()["state"].to_pylist() == ["complete"]
    epochs = Counter((r["stage"], r["trial"], r["epoch"]) for r in results.epochs().to_pylist())
    assert set(epochs.values()) == {1}
    assert len(epochs) == 6 * 9


#: Where its strength is above 1/2, its second epoch ends the process, or never ends.
POISON = """
import os
import time

from search_spaces import SearchSpace, choice
from tune_reg.regularizers import Hyperparameter, Regularizer, register

@register
class Poison(Regularizer):
    name = "poison"
    formula = "nothing, or the end"
    reference = "@misc{poison}"
    hyperparameters = (Hyperparameter("strength", 0.0, "above 1/2 it kills", low=0.0, off=0.0),)
    strength = "strength"
    space = SearchSpace(
        {"strength": choice([0.0, 0.125, 0.25, 1.0, 2.0])},
        start=[{"strength": s} for s in (0.0, 1.0, 0.125, 2.0, 0.25)],
    )

    def weight_decay(self, strengths, progress):
        if strengths["strength"] > 1.5 and progress.epoch > 0:
            time.sleep(10_000)
        if strengths["strength"] > 0.5 and progress.epoch > 0:
            os._exit(1)
        return strengths["strength"] * 0
"""


@pytest.mark.slow
def test_runs_that_kill_or_block_their_pack_are_given_up_alone(tmp_path, ray_cluster):
    plugin = tmp_path / "poison.py"
    plugin.write_text(POISON)
    load_plugin(plugin)
    keys = {
        "regularizers": ["poison"],
        "search": {"trials": 5, "pruner": "none", "sampler": "random"},
        "training": {"epochs": 2, "batch_size": 64},
        "confirm": {"seeds": 1},
        "resources": {"lanes": 5, "epoch_timeout_s": 4.0, "max_failures": 0},
    }
    results = run_study(study(**keys), tmp_path / "out", plugins=[plugin])
    told = {row["param_strength"]: (row["state"], row["reason"]) for row in results.trials().to_pylist()}
    assert {strength: state for strength, (state, _) in told.items()} == {
        0.0: "complete",
        0.125: "complete",
        0.25: "complete",
        1.0: "failed",
        2.0: "failed",
    }
    assert told[2.0][1] == "no epoch within 4 s"
    assert results.final()["state"].to_pylist() == ["complete"]


@pytest.mark.slow
def test_lanes_are_measured_by_the_worker_and_what_cannot_be_one_trains_alone(tmp_path, ray_cluster, monkeypatch):
    # As on a GPU; the figures are this CPU's.
    monkeypatch.setattr(lane_keys, "lanes_of", lambda _: None)
    plain, counts = LaneGroups.take, []

    def take(self, pack, reports, *, lanes=None):
        counts.append(lanes)
        return plain(self, pack, reports, lanes=lanes)

    monkeypatch.setattr(LaneGroups, "take", take)
    regularizers = {
        "weight-decay": {},
        "residual-smoothing": {"annealing": ["laplace", "logistic"]},
        "adam": {"regularizer": "decoupled-weight-decay", "optimizer": "adam", "learning_rate": 0.001},
    }
    keys = {"training": {"epochs": 2, "batch_size": 64}, "search": {"trials": 3}, "regularizers": regularizers}
    results = run_study(study(**keys), tmp_path)
    # No kind has more runs at a time than its three trials.
    assert {count for count in counts if count is not None} <= {1, 2}
    assert counts[0] is not None
    assert Counter(row["regularizer"] for row in results.trials().to_pylist()) == dict.fromkeys(regularizers, 3)
    assert Counter(row["regularizer"] for row in results.final().to_pylist()) == dict.fromkeys(regularizers, 2)
