"""Studies and Trainables under a real Ray Tune."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from pathlib import Path

import optuna
import pytest

from tune_reg import Study, load
from tune_reg.backends.ray.launch import run_study

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"), pytest.mark.timeout(240)]

PLAIN = {
    "name": "small",
    "dataset": "digits",
    "model": "nn-2-small",
    "fractions": [0.5, 1.0],
    "training": {"epochs": 3, "batch_size": 64},
    "search": {"trials": 4, "reduction_factor": 2},
    "confirm": {"seeds": 2},
    "robustness": {"fgsm": [0.1], "images": 100},
    "regularizers": ["weight-decay", "adadecay", "residual-smoothing"],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, ray_cluster):
    directory = tmp_path_factory.mktemp("study")
    return run_study(Study(**PLAIN), directory)


def test_every_table_is_full(finished):
    assert Counter(finished.trials()["regularizer"].to_pylist()) == dict.fromkeys(PLAIN["regularizers"], 4)
    final = finished.final().to_pylist()
    assert Counter((row["regularizer"], row["fraction"]) for row in final) == {
        (name, fraction): 2 for name in PLAIN["regularizers"] for fraction in (0.5, 1.0)
    }
    assert {row["seed"] for row in final} == {1, 2}
    assert all(row["state"] == "complete" and row["n_test"] == 360 for row in final)
    assert Counter(finished.robustness()["epsilon"].to_pylist()) == {0.0: 12, 0.1: 12}
    confirmed = [row for row in finished.epochs().to_pylist() if row["stage"] == "confirm"]
    assert len(confirmed) == 12 * 3


def test_the_journal_agrees_with_the_store(finished):
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(finished.directory / "search.journal"))
    )
    states = {"complete": "COMPLETE", "pruned": "PRUNED"}
    for name in PLAIN["regularizers"]:
        trials = optuna.load_study(study_name=f"{name} at 1", storage=storage).trials
        stored = {r["trial"]: r for r in finished.trials().to_pylist() if r["regularizer"] == name}
        for trial in trials:
            row = stored[trial.number]
            assert trial.state.name == states[row["state"]]
            assert len(trial.intermediate_values) == row["epochs_trained"]
            assert trial.value == row["value"]


def test_a_trial_has_the_value_of_a_run_by_hand(finished):
    import json

    from tune_reg.training import Run, SerialEngine, TrainingSettings

    row = next(r for r in finished.trials().to_pylist() if r["state"] == "complete" and r["regularizer"] == "adadecay")
    run = Run("digits", "nn-2-small", "adadecay", json.loads(row["params"]), TrainingSettings(**PLAIN["training"]))
    engine = SerialEngine(run)
    while not engine.finished:
        engine.train_epoch()
    assert engine.history[-1]["val_accuracy"] == row["value"]


def test_the_same_command_again_does_nothing_more(finished):
    before = sorted((p.name, p.stat().st_mtime_ns) for p in finished.directory.glob("tables/*/*"))
    run_study(Study(**PLAIN), finished.directory)
    assert sorted((p.name, p.stat().st_mtime_ns) for p in finished.directory.glob("tables/*/*")) == before


def test_a_diverging_trial_stops_no_study(tmp_path, ray_cluster):
    spaces = {"weight-decay": {"learning_rate": [1e9, 0.05], "weight_decay": 1e-4, "start": [{"learning_rate": 1e9}]}}
    keys = {"regularizers": spaces, "search": {"trials": 3}, "confirm": {"seeds": 1}, "fractions": [1.0]}
    results = run_study(Study(**{**PLAIN, **keys}), tmp_path)
    first = results.trials().to_pylist()[0]
    assert (first["state"], first["value"]) == ("diverged", None)
    assert first["reason"] == f"the loss is not finite in epoch {first['epochs_trained']}"
    assert results.trials().num_rows == 3


def test_runs_shorter_than_the_start_of_a_process_leave_the_others_time_to_start(tmp_path, ray_cluster, monkeypatch):
    import ray
    from ray import tune

    from tune_reg.search import trainables

    slots = int(ray.cluster_resources()["CPU"])
    trained = tmp_path / "trained"

    class Short(tune.Trainable):
        def setup(self, config):
            self.x = config["run"]["params"]["weight_decay"]

        def reset_config(self, new_config):
            self.setup(new_config)
            return True

        def step(self):
            time.sleep(0.2)
            with trained.open("a") as file:
                file.write(f"{os.getpid()}\n")
            row = {"epoch": 1, "learning_rate": 0.1, "strength": self.x, "val_accuracy": self.x, "wall_s": 0.0}
            return {"rows": [{**row, "train_loss": 0.0, "val_loss": 0.0}], "diverged": False, "done": True}

    monkeypatch.setattr(trainables, "StudyTrainable", Short)
    keys = {"regularizers": ["weight-decay"], "fractions": [1.0], "training": {"epochs": 1}, "robustness": {}}
    search = {"trials": 40 * slots, "pruner": "none", "sampler": "random"}
    run_study(Study(**{**PLAIN, **keys, "search": search, "confirm": {"seeds": 1}}), tmp_path / "out")
    processes = Counter(trained.read_text().split())
    assert processes.total() == 40 * slots + 1
    assert len(processes) > slots // 2
    assert min(processes.values()) >= 5, processes


@pytest.mark.slow
def test_a_trainable_runs_under_a_stock_tuner(tmp_path, ray_cluster):
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.optuna import OptunaSearch

    from tune_reg import AdaDecayTrainable, trainable_for

    assert trainable_for("adadecay") is AdaDecayTrainable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, about Optuna
        grid = tune.Tuner(
            AdaDecayTrainable,
            param_space={
                "dataset": "digits",
                "model": "nn-2-small",
                "epochs": 3,
                "batch_size": 64,
                "learning_rate": tune.loguniform(0.01, 0.5),
                "weight_decay": tune.loguniform(1e-6, 1e-2),
                "alpha": tune.uniform(-1, 8),
            },
            tune_config=tune.TuneConfig(
                metric="val_accuracy",
                mode="max",
                num_samples=4,
                search_alg=OptunaSearch(seed=0),
                scheduler=ASHAScheduler(max_t=3, grace_period=1, reduction_factor=2),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
        ).fit()
    assert len(grid) == 4
    assert not grid.errors
    best = grid.get_best_result("val_accuracy", "max")
    assert best.metrics["val_accuracy"] > 0.5
    assert set(best.config) >= {"weight_decay", "alpha"}


@pytest.mark.slow
def test_a_killed_driver_goes_on(tmp_path):
    """The whole command, killed once trials have ended, then run again."""
    study, out = tmp_path / "study.toml", tmp_path / "out"
    study.write_text(Study(**{**PLAIN, "training": {"epochs": 6, "batch_size": 16}}).to_toml())
    command = [sys.executable, "-m", "tune_reg.cli", "run", str(study), "--out", str(out)]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    ended = wait_for_parts(out / "tables" / "trials", 3, first)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    first.stdout.close()
    before = {(r["regularizer"], r["trial"]): r["wall_s"] for r in load(out).trials().to_pylist()}
    assert len(before) >= len(ended)
    second = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert second.returncode == 0, second.stdout + second.stderr
    results = load(out)
    trials = [(r["regularizer"], r["trial"]) for r in results.trials().to_pylist()]
    assert sorted(trials) == sorted((name, n) for name in PLAIN["regularizers"] for n in range(4))
    assert results.final().num_rows == 12
    after = {(r["regularizer"], r["trial"]): r["wall_s"] for r in results.trials().to_pylist()}
    assert {key: after[key] for key in before} == before, "a finished trial was run again"
    assert "report: " in second.stdout


def test_a_killed_actor_is_tried_again_and_nothing_is_lost(tmp_path, ray_cluster):
    """The process of a trial dies in the middle: the trial goes on elsewhere, from its newest checkpoint."""
    killed = []

    def kill_one():
        deadline = time.monotonic() + 100
        while not killed and time.monotonic() < deadline:
            if list((tmp_path / "checkpoints").glob("*/epoch-*.pt")):
                pids = own_trials()
                if pids:
                    os.kill(pids[0], signal.SIGKILL)
                    killed.append(pids[0])
            time.sleep(0.05)

    thread = threading.Thread(target=kill_one)
    thread.start()
    keys = {"regularizers": ["weight-decay"], "search": {"trials": 3, "pruner": "none"}, "confirm": {"seeds": 1}}
    training = {"epochs": 40, "batch_size": 16}
    results = run_study(Study(**{**PLAIN, **keys, "training": training, "fractions": [1.0]}), tmp_path)
    thread.join()
    assert killed
    assert [row["state"] for row in results.trials().to_pylist()] == ["complete"] * 3
    assert [row["epochs_trained"] for row in results.trials().to_pylist()] == [40] * 3
    assert results.final()["state"].to_pylist() == ["complete"]


def own_trials() -> list[int]:
    """The processes of trials under the Ray of this process, and of no other."""
    listed = subprocess.run(["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    # Commands may have several lines.
    rows = [found.groups() for line in listed.splitlines() if (found := re.fullmatch(r" *(\d+) +(\d+) (.*)", line))]
    raylets = {pid for pid, parent, args in rows if parent == str(os.getpid()) and "raylet/raylet" in args}
    return [int(pid) for pid, parent, args in rows if parent in raylets and "ray::" in args and "Trainable" in args]


def wait_for_parts(folder: Path, count: int, process: subprocess.Popen) -> list[Path]:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        parts = list(folder.glob("*.parquet"))
        if len(parts) >= count:
            return parts
        if process.poll() is not None:
            pytest.fail(process.stdout.read().decode())
        time.sleep(0.05)
    pytest.fail(f"fewer than {count} trials ended in two minutes")


@pytest.mark.slow
def test_a_search_for_robust_accuracy_too(tmp_path, ray_cluster):
    import json

    from tune_reg.evaluation import validation_robustness
    from tune_reg.training import Run, SerialEngine, TrainingSettings

    objective = {"kind": "robust_accuracy", "attack": "fgsm", "epsilon": 0.05, "images": 100}
    search = {"trials": 4, "pruner": "none", "second_objective": objective}
    plain = {**PLAIN, "fractions": [1.0], "regularizers": ["weight-decay"], "search": search}
    results = run_study(Study(**plain), tmp_path)
    rows = results.trials().to_pylist()
    assert len(rows) == 4
    for row in rows[:2]:
        training = TrainingSettings(**PLAIN["training"])
        engine = SerialEngine(Run("digits", "nn-2-small", "weight-decay", json.loads(row["params"]), training))
        while not engine.finished:
            engine.train_epoch()
        assert row["robust_accuracy"] == validation_robustness(engine, attack="fgsm", epsilon=0.05, images=100)
    storage = optuna.storages.JournalStorage(
        optuna.storages.journal.JournalFileBackend(str(tmp_path / "search.journal"))
    )
    trials = optuna.load_study(study_name="weight-decay at 1", storage=storage).trials
    assert {t.number: t.values for t in trials} == {r["trial"]: [r["value"], r["robust_accuracy"]] for r in rows}
    assert {json.dumps(results.best("weight-decay"), sort_keys=True)} == set(results.final()["params"].to_pylist())
