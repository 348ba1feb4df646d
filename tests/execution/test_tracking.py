"""Live tracking: what each tracker is told, that a study goes on with the same runs, and that a fault harms nothing."""

import sys
import types
from collections import defaultdict

import pytest
from in_process import CPU, carry_out, opened, run_study

from tune_reg.backends.run_worker import RunWorker
from tune_reg.errors import StudyError
from tune_reg.execution import tracking as module
from tune_reg.execution.trackers import TRACKERS, RunFacts
from tune_reg.execution.tracking import refuse_missing_trackers
from tune_reg.study import Study
from tune_reg.study.growth import differences


def study(*trackers, **keys):
    return Study(
        name="tracked",
        dataset="digits",
        model="nn-2-small",
        regularizers=["weight-decay"],
        training={"epochs": 2, "batch_size": 128},
        search={"trials": 2, "sampler": "random", "pruner": "none"},
        confirm={"seeds": 1},
        tracking=list(trackers),
        **keys,
    )


class Recorded:
    """A tracker that keeps what it is told, by the identity of the run."""

    def __init__(self):
        self.runs = defaultdict(list)

    def open(self, facts):
        calls = self.runs[facts.identity]
        calls.append(("open", facts))
        return types.SimpleNamespace(
            epoch=lambda values, epoch: calls.append(("epoch", epoch, values)),
            pause=lambda: calls.append(("pause",)),
            end=lambda values, state: calls.append(("end", state, values)),
        )


@pytest.fixture
def recorded(monkeypatch):
    tracker = Recorded()
    monkeypatch.setitem(module.TRACKERS, "wandb", TRACKERS["wandb"]._replace(open=tracker.open))
    return tracker


def test_each_run_is_a_tracked_run_with_its_epochs_parameters_and_test(recorded, tmp_path):
    results = run_study(study("wandb"), tmp_path)
    assert len(recorded.runs) == 3
    by_key = {calls[0][1].key: calls for calls in recorded.runs.values()}
    assert sum("trial-" in key for key in by_key) == 3
    stored = {row["trial"]: row for row in results.trials().to_pylist()}
    for calls in by_key.values():
        assert [call[0] for call in calls] == ["open", "epoch", "epoch", "end"]
        facts = calls[0][1]
        assert facts.params["weight_decay"] == stored[facts.params["trial"]]["param_weight_decay"]
        assert facts.params["method"] == "weight-decay"
    (confirmed,) = [calls for calls in by_key.values() if calls[0][1].params["stage"] == "confirm"]
    (final,) = results.final().to_pylist()
    assert confirmed[-1][1] == "complete"
    assert confirmed[-1][2]["test_accuracy"] == final["test_accuracy"]
    epochs = {(row["trial"], row["epoch"]): row for row in results.epochs().to_pylist() if row["stage"] == "confirm"}
    assert [call[2]["val_accuracy"] for call in confirmed[1:3]] == [row["val_accuracy"] for row in epochs.values()]


def test_a_study_that_goes_on_has_the_same_identities(recorded, tmp_path):
    controller = opened(study("wandb"), tmp_path)
    run = controller.next_run()
    controller.take(run.key, RunWorker(controller.order(run), CPU).step())
    first = set(recorded.runs)
    carry_out(opened(study("wandb"), tmp_path))  # the controller above is left as a killed process leaves it
    assert first < set(recorded.runs)
    (calls,) = [recorded.runs[identity] for identity in first]
    assert [call[0] for call in calls].count("open") == 2
    assert calls[-1][0] == "end"


def test_a_fault_of_a_tracker_is_told_once_and_harms_nothing(monkeypatch, tmp_path):
    def open_(facts):
        raise RuntimeError("no network")

    monkeypatch.setitem(module.TRACKERS, "wandb", TRACKERS["wandb"]._replace(open=open_))
    lines = []
    results = run_study(study("wandb"), tmp_path, note=lines.append)
    assert results.final().num_rows == 1
    assert lines == ["tracking: wandb failed and is left out from now on (RuntimeError: no network)"]


def test_a_tracker_that_is_not_installed_is_one_line(monkeypatch):
    monkeypatch.setitem(module.TRACKERS, "mlflow", TRACKERS["mlflow"]._replace(module="not_there_at_all"))
    refuse_missing_trackers(study())
    with pytest.raises(StudyError, match=r"^tracking: 'mlflow' is not installed here; pip install mlflow$"):
        refuse_missing_trackers(study("mlflow"))


def test_tracking_is_no_part_of_the_results():
    assert study().hash == study("wandb").hash
    assert "tracking" not in study().to_plain()
    assert differences(study().to_plain(), study("wandb").to_plain()) == []
    assert Study(**study("wandb").to_plain()).tracking == ["wandb"]


FACTS = RunFacts("project", "run-1", "0123456789abcdef", {"weight_decay": 1e-3}, "", 1)


def tell(name, facts):
    """Two epochs, a pause, one of them again and a third, and the end."""
    run = TRACKERS[name].open(facts)
    run.epoch({"strength": 3.0}, 1)
    run.epoch({"strength": 2.0}, 2)
    run.pause()
    run = TRACKERS[name].open(facts._replace(first_epoch=2))
    run.epoch({"strength": 2.0}, 2)
    run.epoch({"strength": 1.0}, 3)
    run.end({"test_accuracy": 0.5}, "complete")


def test_tensorboard_has_each_epoch_once(tmp_path):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    tell("tensorboard", FACTS._replace(folder=str(tmp_path)))
    events = EventAccumulator(str(tmp_path / "tensorboard" / "run-1"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("strength")] == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert [event.value for event in events.Scalars("final/test_accuracy")] == [0.5]


def test_mlflow_goes_on_with_its_run(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed; pip install mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    mlflow.set_tracking_uri(None)
    tell("mlflow", FACTS)
    client = mlflow.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("project").experiment_id])
    assert run.data.params == {"weight_decay": "0.001"}
    assert run.data.metrics["test_accuracy"] == 0.5
    assert run.info.status == "FINISHED"
    history = client.get_metric_history(run.info.run_id, "strength")
    assert [(metric.step, metric.value) for metric in history] == [(1, 3), (2, 2), (3, 1)]


@pytest.fixture
def fake(monkeypatch):
    """Puts a module in place that records the calls of its ``init`` and of the runs that this gives."""

    def put(name, **attributes):
        calls = []

        def init(**settings):
            calls.append(("init", settings))
            run = types.SimpleNamespace(**attributes)
            run.log = lambda values, step=None: calls.append(("log", values, step))
            run.summary = types.SimpleNamespace(update=lambda values: calls.append(("summary", values)))
            run.finish = lambda **settings: calls.append(("finish", settings))
            return run

        monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(init=init))
        return calls

    return put


def test_wandb_is_told_the_identity_and_what_is_new(fake):
    calls = fake("wandb", step=2)
    tell("wandb", FACTS)
    opened_with = {
        "project": "project",
        "name": "run-1",
        "id": "0123456789abcdef",
        "config": {"weight_decay": 1e-3},
        "resume": "allow",
        "reinit": "create_new",
    }
    assert [call[1] for call in calls if call[0] == "init"] == [opened_with] * 2
    assert [call[2] for call in calls if call[0] == "log"] == [2, 2, 3]
    assert ("summary", {"test_accuracy": 0.5, "state": "complete"}) in calls
    assert calls[-1] == ("finish", {"exit_code": 0})


def test_trackio_is_told_each_epoch(fake):
    calls = fake("trackio")
    tell("trackio", FACTS)
    assert calls[0][1]["name"] == "run-1"
    assert calls[0][1]["resume"] == "allow"
    assert ("log", {"strength": 1.0}, 3) in calls
    assert calls[-2] == ("log", {"final/test_accuracy": 0.5, "state": "complete"}, None)
