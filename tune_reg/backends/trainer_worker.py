"""Trains one run of a study by the user's own training loop."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from typing import Final

import torch

from tune_reg.backends.faults import reason_or_raise
from tune_reg.backends.run_worker import OtherDataError, load_same_data, prepare
from tune_reg.evaluation.confirmed import Images, attacked_accuracy, over_epochs, tested_rows
from tune_reg.execution.messages import (
    Completed,
    DataFault,
    Diverged,
    Failed,
    RunOrder,
    RunReport,
    StorageFault,
    StudyFault,
)
from tune_reg.global_generators import seeded
from tune_reg.storage.paths import to_path
from tune_reg.store import EpochValues, FinalValues
from tune_reg.trainer import Finish, Loop, RunEnded, TrainerRun
from tune_reg.trainer.folder import packed, unpack, working_folder
from tune_reg.trainer.metrics import Numbers, required_value, value_of
from tune_reg.training import Interrupted
from tune_reg.training import checkpoint as checkpoints
from tune_reg.training.epoch_row import has_diverged
from tune_reg.training.seeding import derive
from tune_reg.user_function import import_function

#: Seconds that a loop has to end where its run is paused, stopped, or leaves its machine.
_PATIENCE_S: Final = 30.0


class TrainerWorker:
    """One run under way, whose loop is the user's: what it reports, and what it says at its end.

    The rows of the epochs and the loop's own files are kept at each report. Whoever starts the run again finds both.
    """

    def __init__(self, order: RunOrder, device: torch.device) -> None:
        self.order = order
        self._ended: RunReport | StudyFault | None = None
        self._history: list[EpochValues] = []
        self._reported = 0
        self._diverged = False
        self._repeated = False
        prepare(order)
        self._checkpoints = to_path(order.checkpoints, has_answered=True)
        try:
            self._dataset = load_same_data(order) if order.run.dataset else None
        except OtherDataError as error:
            self._ended = DataFault(str(error))
            return
        try:
            self._loop = Loop(import_function(order.run.trainer, "trainer"))
        except (Exception, SystemExit) as error:
            self._ended = RunReport((), Failed(reason_or_raise(error)))
            return
        self._folder = working_folder(self._checkpoints)
        state = checkpoints.load_newest(self._checkpoints) or {"history": [], "diverged": False, "files": {}}
        self._history, self._diverged = list(state["history"]), state["diverged"]
        unpack(state["files"], self._folder)
        self._run = TrainerRun(
            order.run,
            self._dataset,
            device,
            self._folder,
            say=self._loop.say,
            check=self._loop.check,
            recorded=len(self._history),
            start_epoch=len(self._history) if state["files"] else 0,
            needs_model=order.needs_model,
        )

    def step(self, leave: Callable[[], bool] = lambda: False) -> RunReport | StudyFault:
        """Let the loop train to its next report, or to its end.

        As of ``RunWorker``: the first step of a run that goes on tells what was recorded. Where ``leave`` is true, the
        loop is ended and ``Interrupted`` raised: what was trained since the last report is trained again.
        """
        if self._ended is not None:
            return self._ended
        try:
            return self._step(leave)
        except (Exception, SystemExit) as error:
            self.close()
            if isinstance(error, Interrupted):
                raise
            return RunReport(self._new_rows(), Failed(reason_or_raise(error)))

    def close(self) -> bool:
        """End the loop where it stands, and remove its folder; whether it has ended."""
        if self._ended is not None:
            return True
        has_ended = self._loop.end(_PATIENCE_S)
        shutil.rmtree(self._folder, ignore_errors=True)
        return has_ended

    def _step(self, leave: Callable[[], bool]) -> RunReport | StudyFault:
        if self._reported < len(self._history):
            return RunReport(self._new_rows(), Diverged() if self._diverged else None)
        try:
            report = self._loop.next(self._run, leave)
        except RunEnded:
            raise Interrupted from None
        if report is None:
            outcome = self._outcome()
            self.close()
            return RunReport((), outcome)
        if report.row is None:
            return RunReport(note=self._note())
        self._history.append(report.row)
        self._diverged = has_diverged(report.row)
        try:
            self._save()
        except OSError as error:
            return StorageFault(f"{self._checkpoints}: {error.strerror}")
        if self._diverged:
            self.close()
        return RunReport(self._new_rows(), Diverged() if self._diverged else None)

    def _save(self) -> None:
        state = {"history": self._history, "diverged": self._diverged, "files": packed(self._folder)}
        checkpoints.save(self._checkpoints, len(self._history), state)

    def _note(self) -> str | None:
        """Said once: epochs that were recorded are trained again, as the loop has saved nothing to go on from."""
        if self._repeated:
            return None
        self._repeated = True
        return (
            f"its loop trains epochs again that were recorded, up to {len(self._history)}, and the rows stay as they "
            "were; save its state into run.checkpoint_dir before run.report, and begin at run.start_epoch"
        )

    def _outcome(self) -> Completed | Diverged | Failed:
        """What became of a run whose loop has returned or raised."""
        trainer = f"trainer {self.order.run.trainer!r}"
        if self._run.fault is not None:
            return Failed(f"{trainer}: {reason_or_raise(self._run.fault)}")
        if self._loop.error is not None:
            return Failed(reason_or_raise(self._loop.error))
        finish = self._run.finished
        if finish is None:
            return Failed(f"{trainer}: it ended without run.finish(...); call it after the last epoch")
        if not math.isfinite(required_value("run.finish", finish.test, "test", self.order.run.metric)):
            return Diverged()
        with seeded(derive(self.order.run.seed, "global", "tests"), self._run.device):
            return self._tested(finish)

    def _tested(self, finish: Finish) -> Completed:
        order = self.order
        if order.stage == "search":
            attack = order.validation_attack
            if attack is None:
                return Completed()
            assert finish.model is not None
            assert self._dataset is not None
            withstood = attacked_accuracy(
                finish.model,
                Images(*self._run.training_set.validation()),
                attack=attack.attack,
                epsilon=attack.epsilon,
                images=attack.images,
                seed=order.run.split_seed,
                dataset=self._dataset,
            )
            return Completed(withstood)
        final = self._final(finish) if order.stage == "confirm" else None
        if order.robustness.empty:
            return Completed(final=final)
        assert finish.model is not None
        assert self._dataset is not None
        images = Images(*self._run.training_set.test())
        tests = tested_rows(finish.model, images, order.robustness, seed=order.run.split_seed, dataset=self._dataset)
        return Completed(final=final, robustness=tuple(tests))

    def _final(self, finish: Finish) -> FinalValues:
        """The row of a confirmed run, as far as the loop tells it."""
        test, metric = finish.test, self.order.run.metric
        values: FinalValues = {
            "n_train": len(self._run.training_set.indices()),
            "n_test": self._test_examples(test),
            "train_accuracy": test.get("train_accuracy"),
            "val_accuracy": self._history[-1]["val_accuracy"],
            "test_accuracy": value_of(test, "test"),
            "test_loss": test.get("test_loss"),
            "test_ece": test.get("test_ece"),
            "generalization_gap": None,
            "max_over_epochs": None,
            "mean_last_10pct": None,
            "val_metric": self._history[-1]["val_metric"],
            "test_metric": None,
            "test_class_accuracy": None,
            "test_class_images": None,
        }
        values[metric.test_column] = required_value("run.finish", test, "test", metric)
        if values["train_accuracy"] is not None and values["test_accuracy"] is not None:
            values["generalization_gap"] = values["train_accuracy"] - values["test_accuracy"]
        curve = [row["val_accuracy"] for row in self._history if row["val_accuracy"] is not None]
        if len(curve) == len(self._history):
            values["max_over_epochs"], values["mean_last_10pct"] = over_epochs(curve)
        return values

    def _test_examples(self, test: Numbers) -> int | None:
        """How many test examples there were: as the loop says, else those of the data set."""
        of_dataset = None if self._dataset is None else len(self._dataset.test_labels)
        n_test = test.get("n_test", of_dataset)
        return None if n_test is None else int(n_test)

    def _new_rows(self) -> tuple[EpochValues, ...]:
        rows = tuple(self._history[self._reported :])
        self._reported += len(rows)
        return rows
