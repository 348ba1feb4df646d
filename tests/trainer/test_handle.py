"""What a training loop says, and what it is told where it says it wrongly."""

import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from tune_reg.errors import StudyError
from tune_reg.trainer import TrainerRun
from tune_reg.training import Run, TrainingSettings

RUN = Run("", "", "weight-decay", training=TrainingSettings(epochs=3), trainer="loop:train", examples=60)


class Said:
    """A run whose reports are written down."""

    def __init__(self, folder, **settings):
        self.reports = []
        self.run = TrainerRun(RUN, None, torch.device("cpu"), folder, say=self.reports.append, **settings)

    def report(self, *epochs):
        for epoch in epochs:
            self.run.report(epoch, accuracy=epoch / 10)

    @property
    def epochs(self):
        return [report.row and report.row["epoch"] for report in self.reports]


def test_a_report_is_the_row_of_its_epoch(tmp_path):
    said = Said(tmp_path)
    said.run.report(1, val_accuracy=np.float32(0.5), train_loss=torch.tensor(2.0), f1=0.1)
    row = said.reports[0].row
    assert {key: row[key] for key in ("epoch", "val_accuracy", "train_loss", "val_loss", "learning_rate")} == {
        "epoch": 1,
        "val_accuracy": 0.5,
        "train_loss": 2.0,
        "val_loss": None,
        "learning_rate": 0.1,
    }
    assert row["wall_s"] > 0


def test_epochs_that_were_recorded_come_again_without_a_row(tmp_path):
    said = Said(tmp_path, recorded=2)
    said.report(1, 2, 3)
    assert said.epochs == [None, None, 3]
    said.run.finish({"test_accuracy": 0.5})
    assert said.run.finished.test == {"test_accuracy": 0.5}


def test_a_loop_may_go_on_before_the_epoch_that_comes_next(tmp_path):
    said = Said(tmp_path, recorded=2, start_epoch=2)
    assert list(said.run.remaining_epochs()) == [3]
    said.report(2, 3)
    assert said.epochs == [None, 3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda said: said.report(2), r"run\.report: epoch 2 came where 1 is next"),
        (lambda said: said.report(1, 1), r"run\.report: epoch 1 came after epoch 1; report each epoch once, in order"),
        (lambda said: said.report(1, 3), r"run\.report: epoch 3 came where 2 is next"),
        (lambda said: said.report(1, 2, 3, 4), r"run\.report: epochs are the whole numbers 1 to 3, but got 4"),
        (lambda said: said.run.report(1), r"run\.report: val_accuracy must be among the metrics, but got none"),
        (lambda said: said.run.report(1, acc=0.5), r"val_accuracy must be among the metrics, but got acc"),
        (lambda said: said.run.report(1, accuracy=93.5), r"must be a share in \[0, 1\], but got 93\.5; divide percent"),
        (lambda said: said.run.report(1, accuracy="high"), r"run\.report: accuracy must be a number, but got a str"),
        (lambda said: said.run.finish({"accuracy": 0.5}), r"run\.finish: 3 epochs must be reported first, but 0 were"),
        (lambda said: said.run.begin_epoch(4), r"run\.begin_epoch: epochs are the whole numbers 1 to 3, but got 4"),
    ],
)
def test_a_mistake_is_one_line_and_stays_noted(tmp_path, call, message):
    said = Said(tmp_path)
    with pytest.raises(StudyError, match=message) as raised:
        call(said)
    assert said.run.fault is raised.value
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda said: said.run.report(3, accuracy=0.5), r"run\.report: epoch 3 came after run\.finish"),
        (lambda said: said.run.finish({"accuracy": 0.5}), r"run\.finish: was called before"),
    ],
)
def test_nothing_comes_after_finish(tmp_path, call, message):
    said = Said(tmp_path)
    said.report(1, 2, 3)
    said.run.finish({"accuracy": 0.5})
    with pytest.raises(StudyError, match=message):
        call(said)


def test_finish_needs_the_test_metric_and_where_it_is_attacked_the_model(tmp_path):
    said = Said(tmp_path, needs_model=True)
    said.report(1, 2, 3)
    with pytest.raises(StudyError, match="robustness tests need the model"):
        said.run.finish({"accuracy": 0.5})
    with pytest.raises(StudyError, match="test_accuracy must be among the metrics, but got val_accuracy"):
        said.run.finish({"val_accuracy": 0.5}, nn.Linear(1, 1))


def test_a_number_that_is_not_finite_is_no_mistake(tmp_path):
    said = Said(tmp_path)
    said.run.report(1, accuracy=math.nan)
    assert math.isnan(said.reports[0].row["val_accuracy"])


def test_each_epoch_draws_alike_wherever_the_loop_begins(tmp_path):
    def drawn(start):
        said = Said(tmp_path, recorded=start, start_epoch=start)
        numbers = {}
        for epoch in said.run.remaining_epochs():
            numbers[epoch] = (float(torch.rand(())), float(np.random.rand()), random.random())
            said.report(epoch)
        return numbers

    whole = drawn(0)
    assert drawn(2)[3] == whole[3] != whole[2]


def test_what_a_loop_leaves_out_of_its_steps_is_told(tmp_path):
    def unused(name, *calls):
        run = TrainerRun(
            Run("", "", name, training=RUN.training, trainer="loop:train", examples=60),
            None,
            torch.device("cpu"),
            tmp_path,
            say=lambda _: None,
        )
        for call in calls:
            call(run)
        return run.unused()

    logits, labels = torch.zeros(2, 3, requires_grad=True), torch.tensor([0, 1])
    assert unused("label-smoothing") == [("targets", "loss")]
    assert unused("label-smoothing", lambda run: run.loss(logits, labels)) == []
    assert unused("weight-decay") == [("weight_decay", "optimizer")]
    assert unused("weight-decay", lambda run: run.weight_decay) == []
    assert unused("weight-decay", lambda run: run.params) == []
    assert unused("l1", lambda run: run.weight_decay) == [("gradient", "optimizer")]
    assert unused("l1", lambda run: run.optimizer([logits]).step()) == []
    assert unused("dropout") == [("dropout", "dropout")]
