"""A run that a training loop of the user's trains: its reports, its folder, and what becomes of it."""

import dataclasses
import threading

import directory_store
import own_loops
import pytest
import torch

from tune_reg.backends import trainer_worker
from tune_reg.backends.trainer_worker import TrainerWorker
from tune_reg.evaluation.settings import RobustnessSettings
from tune_reg.execution.messages import Completed, Diverged, Failed, RunOrder, StorageFault
from tune_reg.study.settings import SecondObjective
from tune_reg.training import Interrupted, Run, TrainingSettings

CPU = torch.device("cpu")
NONE = RobustnessSettings()


def order(folder, loop, stage="search", *, robustness=NONE, **settings):
    plain = {"dataset": "", "model": "", "regularizer": "weight-decay", "examples": own_loops.EXAMPLES}
    run = Run(**{**plain, **settings}, training=TrainingSettings(epochs=3), trainer=f"own_loops:{loop}")
    return RunOrder("run", stage, run, str(folder / "run"), robustness=robustness)


@pytest.fixture
def start():
    """Start workers, which are closed at the end."""
    workers = []

    def started(*arguments, **settings):
        workers.append(TrainerWorker(order(*arguments, **settings), CPU))
        return workers[-1]

    yield started
    for worker in workers:
        worker.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "trainer"]


def to_the_end(worker):
    reports = [worker.step()]
    while reports[-1].outcome is None:
        reports.append(worker.step())
    return reports


def rows(reports):
    return [
        {name: value for name, value in row.items() if name != "wall_s"} for report in reports for row in report.rows
    ]


def test_a_loop_reports_epoch_by_epoch_and_ends_with_its_tests(tmp_path, start):
    reports = to_the_end(start(tmp_path, "saves", "confirm"))
    assert [len(report.rows) for report in reports] == [1, 1, 1, 0]
    final = reports[-1].outcome.final
    accuracy = rows(reports)[-1]["val_accuracy"]
    assert (final["n_train"], final["n_test"]) == (100, 100)
    assert final["test_accuracy"] == final["max_over_epochs"] == final["val_accuracy"] == accuracy
    assert final["train_accuracy"] is final["generalization_gap"] is final["test_loss"] is None
    assert [row["train_loss"] for row in rows(reports)] == [1, 0.5, 1 / 3]


def test_a_trial_keeps_no_test_values(tmp_path, start):
    assert to_the_end(start(tmp_path, "saves"))[-1].outcome == Completed()


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_lost_process_is_gone_on_with_from_the_last_report(tmp_path, start, monkeypatch, epochs):
    expected = to_the_end(start(tmp_path / "whole", "saves", "confirm"))
    monkeypatch.setenv(own_loops.LOG, str(tmp_path))
    lost = start(tmp_path, "saves", "confirm")
    for _ in range(epochs):
        lost.step()
    # Of an epoch that was not reported any more.
    (lost._folder / "sub" / "state.pt").write_bytes(b"half of a")
    again = start(tmp_path, "saves", "confirm")
    restored = again.step()
    assert len(restored.rows) == epochs
    assert restored.outcome is None
    reports = [restored, *to_the_end(again)]
    assert rows(reports) == rows(expected)
    assert reports[-1].outcome == expected[-1].outcome
    assert own_loops.logged(tmp_path) == [(0, 0, e) for e in range(1, epochs + 1)] + [
        (0, epochs, e) for e in range(epochs + 1, 4)
    ]
    assert not any(report.note for report in reports)


def test_a_loop_that_saves_nothing_begins_again_and_its_rows_stay(tmp_path, start):
    expected = to_the_end(start(tmp_path / "whole", "forgets"))
    lost = start(tmp_path, "forgets")
    lost.step(), lost.step()
    again = start(tmp_path, "forgets")
    reports = [again.step(), *to_the_end(again)]
    assert [len(report.rows) for report in reports] == [2, 0, 0, 1, 0]
    assert rows(reports) == rows(expected)
    (note,) = [report.note for report in reports if report.note]
    assert note.startswith("its loop trains epochs again that were recorded, up to 2")


def test_the_newest_whole_state_is_taken_where_one_is_broken(tmp_path, start):
    worker = start(tmp_path, "saves")
    worker.step(), worker.step()
    newest = max((tmp_path / "run").glob("*.pt"))
    newest.write_bytes(newest.read_bytes()[:-1])
    again = start(tmp_path, "saves")
    assert [row["epoch"] for row in again.step().rows] == [1]
    assert again._run.start_epoch == 1


@pytest.mark.parametrize("loop", ["saves", "catches", "stays"])
def test_a_loop_ends_in_its_report_where_its_run_is_paused_or_stopped(tmp_path, start, loop):
    worker = start(tmp_path, loop)
    worker.step()
    folder = worker._folder
    assert folder.is_dir()
    assert worker.close()
    assert not folder.exists()
    assert not worker._loop._thread.is_alive()


def test_a_loop_that_does_not_end_is_told(tmp_path, start, monkeypatch):
    monkeypatch.setattr(trainer_worker, "_PATIENCE_S", 0.2)
    worker = start(tmp_path, "saves")
    worker.step()
    release = threading.Event()
    monkeypatch.setattr(worker._loop, "check", release.wait)  # as a loop that computes on
    assert not worker.close()
    release.set()
    worker._loop._thread.join(10)


def test_a_machine_that_is_about_to_go_is_left_and_the_last_report_is_kept(tmp_path, start):
    worker = start(tmp_path, "steps_for_ever")
    worker.step()
    with pytest.raises(Interrupted):
        worker.step(leave=lambda: True)
    assert not worker._loop._thread.is_alive()
    assert len(start(tmp_path, "steps_for_ever").step().rows) == 1


@pytest.mark.parametrize("loop", ["diverges", "diverges_at_the_test"])
def test_a_number_that_is_not_finite_is_a_status(tmp_path, start, loop):
    assert to_the_end(start(tmp_path, loop))[-1].outcome == Diverged()


def test_a_run_that_diverged_stays_so_after_a_lost_process(tmp_path, start):
    to_the_end(start(tmp_path, "diverges"))
    report = start(tmp_path, "diverges").step()
    assert (len(report.rows), report.outcome) == (2, Diverged())


@pytest.mark.parametrize(
    ("loop", "reason"),
    [
        ("no_finish", "it ended without run.finish(...); call it after the last epoch"),
        ("no_report", "it ended without run.finish(...); call it after the last epoch"),
        ("twice", "run.report: epoch 1 came after epoch 1; report each epoch once, in order"),
        ("after_finish", "run.report: epoch 3 came after run.finish; finish comes last"),
        ("raises", "KeyError: 'mine' ("),
        ("ends_the_program", "SystemExit: enough ("),
        ("missing", "cannot be imported (AttributeError"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, start, loop, reason):
    outcome = to_the_end(start(tmp_path, loop))[-1].outcome
    assert isinstance(outcome, Failed)
    assert reason in outcome.reason
    assert "\n" not in outcome.reason


def test_a_disk_that_cannot_be_written_is_a_fault_of_the_study(tmp_path, start, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    worker = start(tmp_path, "saves")
    monkeypatch.setattr("tune_reg.training.checkpoint.save", full)
    assert worker.step() == StorageFault(f"{tmp_path / 'run'}: No space left on device")


def test_a_model_that_is_handed_over_is_tested_as_one_of_the_engine(tmp_path, start):
    robustness = RobustnessSettings(fgsm=[0.1], images=50)
    (*_, last) = to_the_end(start(tmp_path, "net", "confirm", dataset="digits", robustness=robustness))
    tests = [(row["test"], row["epsilon"], row["n"]) for row in last.outcome.robustness]
    assert tests == [("fgsm", 0.0, 50), ("fgsm", 0.1, 50)]
    assert last.outcome.robustness[0]["accuracy"] > last.outcome.robustness[1]["accuracy"]
    assert last.outcome.final["n_test"] == 360
    (_, later) = to_the_end(start(tmp_path, "net", "robustness", dataset="digits", robustness=robustness))[-2:]
    assert later.outcome.final is None
    assert later.outcome.robustness[0]["n"] == 50


def test_without_a_model_there_are_no_tests(tmp_path, start):
    robustness = RobustnessSettings(fgsm=[0.1], images=50)
    outcome = to_the_end(start(tmp_path, "forgets", dataset="digits", robustness=robustness))[-1].outcome
    assert "robustness tests need the model; call run.finish(metrics, model=model)" in outcome.reason


def test_a_trial_is_attacked_on_validation_images_where_that_is_an_objective(tmp_path):
    second = SecondObjective(kind="robust_accuracy", attack="fgsm", epsilon=0.1, images=50)
    asked = dataclasses.replace(order(tmp_path, "net", dataset="digits"), validation_attack=second)
    reports = to_the_end(TrainerWorker(asked, CPU))
    assert 0 <= reports[-1].outcome.robust_accuracy < reports[-2].rows[0]["val_accuracy"]


def test_in_a_bucket_the_folder_is_one_of_this_machine(tmp_path, start, monkeypatch):
    monkeypatch.setattr("fsspec.implementations.local.LocalFileSystem.pipe_file", directory_store.pipe_file)
    bucket = f"local://{tmp_path}/bucket"
    asked = dataclasses.replace(order(tmp_path, "saves"), checkpoints=bucket)
    lost = TrainerWorker(asked, CPU)
    lost.step()
    assert not lost._folder.is_relative_to(tmp_path / "bucket")
    lost.close()
    assert not lost._folder.exists()
    again = TrainerWorker(asked, CPU)
    reports = [again.step(), *to_the_end(again)]
    assert rows(reports) == rows(to_the_end(start(tmp_path, "saves")))
    assert again._run.start_epoch == 1
