"""One run in this process, without Ray: its checkpoints, its reports, its tests."""

import dataclasses
import math

import pytest
import torch

from tune_reg.backends.run_worker import RunWorker
from tune_reg.evaluation import final_row
from tune_reg.evaluation.settings import RobustnessSettings
from tune_reg.execution.messages import Diverged, RunOrder, StorageFault
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
