"""Studies under a real Ray Tune, one process a run; processes that die, or are used again."""

import json
import os
import signal
import time
import warnings
from collections import Counter

import in_process
import pytest
from digits import digits_study
from plugins import load_regularizer, logged
from processes import start_command, wait_until
from tables import everything, written

from tune_reg import load
from tune_reg.backends.ray import study_trainables
from tune_reg.backends.ray.launch import run_study
from tune_reg.errors import ClusterError, StoreError
from tune_reg.execution.messages import Completed, RunReport
from tune_reg.training import Run, SerialEngine, TrainingSettings

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"), pytest.mark.timeout(240)]

METHODS = ["weight-decay", "adadecay"]
TRAINING = {"epochs": 3, "batch_size": 64}
STUDY = digits_study(
    regularizers=METHODS,
    fractions=[0.5, 1.0],
    training=TRAINING,
    search={"trials": 4, "reduction_factor": 2},
    robustness={"fgsm": [0.1], "images": 100},
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, ray_cluster):
    return run_study(STUDY, tmp_path_factory.mktemp("study"))


def test_every_table_is_full(finished):
    trials = finished.trials().to_pylist()
    assert Counter(row["regularizer"] for row in trials) == dict.fromkeys(METHODS, 4)
    final = finished.final().to_pylist()
    expected = {(name, fraction): 1 for name in METHODS for fraction in (0.5, 1.0)}
    assert Counter((row["regularizer"], row["fraction"]) for row in final) == expected
    assert all(row["state"] == "complete" and row["n_test"] == 360 for row in final)
    assert Counter(finished.robustness()["epsilon"].to_pylist()) == {0.0: 4, 0.1: 4}
    epochs = Counter((row["stage"], row["regularizer"], row["trial"]) for row in finished.epochs().to_pylist())
    for row in trials:
        assert epochs["search", row["regularizer"], row["trial"]] == row["epochs_trained"]
    assert sum(count for (stage, *_), count in epochs.items() if stage == "confirm") == 4 * 3


def test_a_trial_has_the_value_of_a_run_by_hand(finished):
    row = next(r for r in finished.trials().to_pylist() if r["state"] == "complete" and r["regularizer"] == "adadecay")
    engine = SerialEngine(
        Run("digits", "nn-2-small", "adadecay", json.loads(row["params"]), TrainingSettings(**TRAINING))
    )
    while not engine.finished:
        engine.train_epoch()
    assert engine.history[-1]["val_accuracy"] == row["value"]


def test_the_same_command_again_does_nothing_more(finished):
    before = written(finished)
    run_study(STUDY, finished.directory)
    assert written(finished) == before


def test_rounds_come_to_the_same_decisions_as_in_one_process(tmp_path, ray_cluster):
    """Several runs at a time; with nine tenths of the units dropped, so short a training comes to less."""
    methods = {"weight-decay": {"weight_decay": 5e-4}, "dropout": {"rate": 0.9}}
    training = {"epochs": 1, "batch_size": 64}
    study = digits_study(regularizers=methods, training=training, search={"trials": 1}, confirm={})
    results = run_study(study, tmp_path / "ray")
    in_process.run_study(study, tmp_path / "here")
    assert everything(tmp_path / "ray") == everything(tmp_path / "here")
    newest = max(results.decisions().to_pylist(), key=lambda row: row["look"])
    assert newest["decision"] == "inferior"
    assert Counter(results.final()["regularizer"].to_pylist()) == dict.fromkeys(methods, newest["n"])


@pytest.mark.slow  # tests/backends/ray/test_trainers.py has the same of a loop of the user's own
def test_a_study_that_pauses_trials_comes_to_the_same_as_in_one_process(tmp_path, ray_cluster):
    """With one run at a time; paused ones go on in other trials of Tune."""
    import ray

    study = digits_study(
        training=TRAINING,
        search={"trials": 6, "sampler": "knowledge-gradient", "pruner": "pause"},
        resources={"cpus": int(ray.cluster_resources()["CPU"])},
    )
    for directory in (tmp_path / "ray", tmp_path / "here"):
        directory.mkdir()
        (directory / "study.toml").write_text(study.to_toml())
    run_study(study, tmp_path / "ray")
    in_process.run_study(study, tmp_path / "here")
    under_ray, here = everything(tmp_path / "ray"), everything(tmp_path / "here")
    # Losses may differ in their last digits: a run has as many threads there as it has cores.
    for table in ("trials", "expected"):
        assert under_ray[table] == here[table]
    trained = [
        sorted((row["stage"], row["trial"], row["epoch"]) for row in load(path).epochs().to_pylist())
        for path in (tmp_path / "ray", tmp_path / "here")
    ]
    assert trained[0] == trained[1]


def test_a_study_that_fits_nowhere_ends_at_once(tmp_path, ray_cluster):
    with pytest.raises(ClusterError, match="which no node has"):
        run_study(digits_study(resources={"cpus": 10_000}), tmp_path)


def test_a_checkpoint_that_cannot_be_written_ends_the_study_in_one_line_and_it_goes_on(tmp_path, ray_cluster):
    (tmp_path / "checkpoints").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match=r"cannot be written \(.*\); make room and give the command again") as error:
        run_study(digits_study(), tmp_path)
    assert "\n" not in str(error.value)
    (tmp_path / "checkpoints").unlink()
    results = in_process.run_study(digits_study(), tmp_path)
    assert results.trials()["state"].to_pylist() == ["complete"] * 3


def test_runs_shorter_than_the_start_of_a_process_leave_the_others_time_to_start(tmp_path, ray_cluster, monkeypatch):
    import ray
    from ray import tune

    slots = int(ray.cluster_resources()["CPU"])
    trained = tmp_path / "trained"

    class Short(tune.Trainable):
        def setup(self, config):
            self.x = study_trainables.order_of(config).run.params["weight_decay"]

        def reset_config(self, new_config):
            self.setup(new_config)
            return True

        def step(self):
            time.sleep(0.2)
            with trained.open("a") as file:
                file.write(f"{os.getpid()}\n")
            row = {"epoch": 1, "learning_rate": 0.1, "strength": self.x, "val_accuracy": self.x, "wall_s": 0.0}
            report = RunReport(({**row, "train_loss": 0.0, "val_loss": 0.0},), Completed())
            return {"message": report, "done": True}

    monkeypatch.setattr(study_trainables, "StudyTrainable", Short)
    search = {"trials": 40 * slots, "pruner": "none", "sampler": "random"}
    run_study(digits_study(training={"epochs": 1}, search=search), tmp_path / "out")
    processes = Counter(trained.read_text().split())
    assert processes.total() == 40 * slots + 1
    assert len(processes) > slots // 2
    assert min(processes.values()) >= 5, processes


#: Writes down which process begins which epoch of which trial; the second epoch of one trial kills its process, once.
KILLED_ONCE = """
begun = [f"{float(strengths['strength']):g}", f"{3 * float(progress.epoch):.0f}", str(os.getpid())]
if getattr(self, "begun", None) != begun:
    self.begun = begun
    with LOG.open("a") as log:
        log.write(" ".join(begun) + "\\n")
    killed = LOG.with_name("killed")
    if begun[:2] == ["1", "1"] and not killed.exists():
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
return strengths["strength"] * 0
"""


def test_a_killed_actor_is_tried_again_and_nothing_is_lost(tmp_path, ray_cluster):
    """The process of a trial dies in the middle: the trial goes on elsewhere, from its newest checkpoint."""
    plugin = load_regularizer(tmp_path, "killed-once", [1.0, 0.0], KILLED_ONCE)
    study = digits_study(
        regularizers=["killed-once"],
        training={"epochs": 4, "batch_size": 64},
        search={"trials": 2, "pruner": "none", "sampler": "grid"},
    )
    # The preflight would train a step, which the plugin writes down, in this process.
    results = run_study(study, tmp_path / "out", plugins=[plugin], skip_preflight=True)
    assert (tmp_path / "killed").exists()
    assert [(row["state"], row["epochs_trained"]) for row in results.trials().to_pylist()] == [("complete", 4)] * 2
    assert results.final()["state"].to_pylist() == ["complete"]
    trial = [(int(epoch), pid) for strength, epoch, pid in logged(tmp_path) if strength == "1"]
    assert [epoch for epoch, _ in trial][:5] == [0, 1, 1, 2, 3]
    assert trial[1][1] != trial[2][1]


#: Writes down each try of a trial; where its strength is 1, it raises an exception in its second epoch.
RAISES = """
if progress.epoch == 0 or strengths["strength"] == 1:
    with LOG.open("a") as log:
        log.write(f"{float(strengths['strength']):g} {float(progress.epoch):g} {os.getpid()}\\n")
if strengths["strength"] == 1 and progress.epoch > 0:
    raise ValueError("no [second]\\nepoch")
return strengths["strength"] * 0
"""


# In a group the exception is raised by a run alone, too.
@pytest.mark.parametrize("lanes", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_an_exception_of_the_users_code_is_told_once_and_tried_again_once_it_is_mended(tmp_path, ray_cluster, lanes):
    name = f"raises-in-{lanes}"
    plugin = load_regularizer(tmp_path, name, [1.0, 0.0], RAISES)
    study = digits_study(
        regularizers=[name],
        training={"epochs": 4, "batch_size": 64},
        search={"trials": 2, "pruner": "none", "sampler": "grid"},
        resources={"lanes": lanes},
    )
    out = tmp_path / "out"
    results = run_study(study, out, plugins=[plugin], skip_preflight=True)
    reasons = {row["param_strength"]: row["reason"] for row in results.trials().to_pylist()}
    line = plugin.read_text().splitlines().index('            raise ValueError("no [second]\\nepoch")') + 1
    assert reasons == {1.0: f"ValueError: no [second] epoch ({plugin}:{line})", 0.0: None}
    raised = [pid for strength, epoch, pid in logged(tmp_path) if strength == "1" and float(epoch) > 0]
    assert len(raised) == lanes, "once, and once more alone where it was in a group"
    before = results.trials().num_rows
    run_study(study, out, plugins=[plugin], skip_preflight=True)
    assert results.trials().num_rows == before, "nothing has changed"
    run_study(study, out, plugins=[plugin], skip_preflight=True, retry_failed=True)
    assert [row["retries"] for row in results.trials().to_pylist() if row["trial"] == 2] == [0]


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
    longer = {**STUDY.to_plain(), "training": {"epochs": 6, "batch_size": 16}, "confirm": {"seeds": 2}}
    study.write_text(digits_study(**longer).to_toml())
    first = start_command("run", study, "--out", out, start_new_session=True)
    parts = out / "tables" / "trials"
    wait_until(lambda: len(list(parts.glob("*.parquet"))) >= 3, first, 120)
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    before = {(r["regularizer"], r["trial"]): r["wall_s"] for r in load(out).trials().to_pylist()}
    assert len(before) >= 3
    second = start_command("run", study, "--out", out)
    output, _ = second.communicate(timeout=200)
    assert second.returncode == 0, output
    results = load(out)
    trials = [(r["regularizer"], r["trial"]) for r in results.trials().to_pylist()]
    assert sorted(trials) == sorted((name, n) for name in METHODS for n in range(4))
    assert results.final().num_rows == 8
    after = {(r["regularizer"], r["trial"]): r["wall_s"] for r in results.trials().to_pylist()}
    assert {key: after[key] for key in before} == before, "a finished trial was run again"
    assert "report: " in output
