"""One run in this process, without Ray: its checkpoints, its reports, its tests."""

import dataclasses
import math
import platform
import re

import pytest
import torch

from tune_reg.backends.run_worker import RunWorker
from tune_reg.data import load
from tune_reg.evaluation import final_row
from tune_reg.evaluation.settings import RobustnessSettings
from tune_reg.execution.messages import DataFault, Diverged, Failed, RunOrder, StorageFault
from tune_reg.training import Interrupted, Run, SerialEngine, TrainingSettings

CPU = torch.device("cpu")
RUN = Run("digits", "nn-2-small", "weight-decay", {}, TrainingSettings(epochs=3, batch_size=64))


def order(folder, stage="search", **params):
    run = dataclasses.replace(RUN, params=params)
    robustness = RobustnessSettings(fgsm=[0.1], images=50)
    return RunOrder("run", stage, run, str(folder / "run"), robustness=robustness)


@pytest.fixture(scope="module")
def engine():
    """The run trained by hand."""
    engine = SerialEngine(RUN)
    while not engine.finished:
        engine.train_epoch()
    return engine


def numbers(rows):
    return [{name: value for name, value in row.items() if name != "wall_s"} for row in rows]


def test_a_lost_process_is_gone_on_with_and_the_next_one_reports_everything(tmp_path, engine):
    worker = RunWorker(order(tmp_path), CPU)
    first, second = worker.step(), worker.step()
    assert [len(first.rows), len(second.rows)] == [1, 1]
    assert second.outcome is None
    again = RunWorker(order(tmp_path), CPU)
    # Before anything is trained: the run may be over or paused by what was trained already.
    restored = again.step()
    assert numbers(restored.rows) == numbers(engine.history[:2])
    assert restored.outcome is None
    report = again.step()
    assert numbers(report.rows) == numbers(engine.history[2:])
    assert report.outcome is not None


@pytest.mark.parametrize(("stage", "has_final"), [("confirm", True), ("robustness", False)])
def test_a_trained_run_is_tested_as_its_stage_asks(tmp_path, engine, stage, has_final):
    worker = RunWorker(order(tmp_path), CPU)
    while worker.step().outcome is None:
        pass
    outcome = RunWorker(order(tmp_path, stage), CPU).step().outcome
    assert outcome.final == (final_row(engine) if has_final else None)
    assert [row["epsilon"] for row in outcome.robustness] == [0.0, 0.1]


def test_a_run_that_diverges_is_over_and_not_tested(tmp_path):
    worker = RunWorker(order(tmp_path, "confirm", learning_rate=1e9), CPU)
    reports = [worker.step()]
    while reports[-1].outcome is None:
        reports.append(worker.step())
    assert reports[-1].outcome == Diverged()
    assert not math.isfinite(reports[-1].rows[-1]["val_loss"])


def test_a_run_that_is_to_leave_keeps_the_part_of_the_epoch_that_was_trained(tmp_path, engine):
    asked = iter([False] * 5 + [True])
    with pytest.raises(Interrupted):
        RunWorker(order(tmp_path), CPU).step(leave=lambda: next(asked))
    (kept,) = (tmp_path / "run").iterdir()
    assert kept.name.startswith("epoch-000000-step-000005-")
    report = RunWorker(order(tmp_path), CPU).step()
    assert numbers(report.rows) == numbers(engine.history[:1])


def test_a_full_disk_is_told_from_a_run_that_fails(tmp_path):
    (tmp_path / "run").write_text("a file where the folder should be")
    message = RunWorker(order(tmp_path), CPU).step()
    assert isinstance(message, StorageFault)
    assert message.reason.startswith(f"{tmp_path / 'run'}: ")


USERS_NET = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        if self.calls > {calls}:
            raise {error}
        return self.layers(images)


def net(channels, image_size, classes):
    return Net()
"""


def users_order(folder, monkeypatch, *, error, calls=60, stage="search"):
    """The order of a run whose net raises an exception after so many batches."""
    name = f"raises_{folder.name.replace('-', '_')}"
    (folder / f"{name}.py").write_text(USERS_NET.format(error=error, calls=calls))
    monkeypatch.syspath_prepend(folder)
    plain = order(folder, stage)
    return dataclasses.replace(plain, run=dataclasses.replace(plain.run, model=f"{name}:net"))


def test_an_exception_of_the_users_code_ends_the_run_at_once_with_file_and_line(tmp_path, monkeypatch):
    worker = RunWorker(users_order(tmp_path, monkeypatch, error="ValueError('no such\\nlayer')"), CPU)
    reports = [worker.step()]
    while reports[-1].outcome is None:
        reports.append(worker.step())
    failed = reports[-1].outcome
    assert isinstance(failed, Failed)
    assert re.fullmatch(r"ValueError: no such layer \(.*raises_\w+\.py:15\)", failed.reason)
    assert [row["epoch"] for report in reports for row in report.rows] == [1, 2]


def test_a_last_epoch_counts_although_the_tests_of_the_run_fail(tmp_path, monkeypatch):
    trained = users_order(tmp_path, monkeypatch, error="ValueError('no')", calls=10_000, stage="confirm")
    worker = RunWorker(trained, CPU)
    worker.step(), worker.step()

    def fails(*_):
        raise ValueError("no attack of this net")

    monkeypatch.setattr("tune_reg.backends.run_worker.completed", fails)
    report = worker.step()
    assert [row["epoch"] for row in report.rows] == [3]
    assert report.outcome.reason.startswith("ValueError: no attack of this net")


def test_want_of_memory_is_raised_so_that_the_run_is_tried_again(tmp_path, monkeypatch):
    worker = RunWorker(users_order(tmp_path, monkeypatch, error="MemoryError('full')", calls=10), CPU)
    with pytest.raises(MemoryError):
        worker.step()


def test_a_worker_with_other_data_than_the_driver_names_its_machine_and_both_md5_sums(tmp_path):
    there = "0" * 32
    message = RunWorker(dataclasses.replace(order(tmp_path), data_md5=there), CPU).step()
    assert isinstance(message, DataFault)
    for part in (f"machine {platform.node()}: ", there, load("digits").md5):
        assert part in message.reason
    assert RunWorker(dataclasses.replace(order(tmp_path), data_md5=load("digits").md5), CPU).step().rows
