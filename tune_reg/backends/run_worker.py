"""Trains one run of a study, with checkpoints of its own, and makes its tests at the end."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from tune_reg.backends.faults import reason_or_raise
from tune_reg.data import Dataset, load
from tune_reg.errors import DataError
from tune_reg.evaluation import final_row, robustness_rows, validation_robustness
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
from tune_reg.regularizers import load_plugin
from tune_reg.regularizers.kept import register_kept
from tune_reg.storage.paths import StoragePath, to_path
from tune_reg.store import EpochValues
from tune_reg.training import Interrupted, SerialEngine
from tune_reg.training import checkpoint as checkpoints
from tune_reg.training.seeding import derive
from tune_reg.user_objects import look_in


class RunWorker:
    """One run under way: built from its order, and gone on with from its newest whole checkpoint.

    So a run goes on whoever starts it again: a backend after a lost process, or a new driver, which has nothing of the
    last one's memory.
    """

    def __init__(self, order: RunOrder, device: torch.device) -> None:
        self.order = order
        self._reported = 0
        #: What ended the run before it was built.
        self._ended: RunReport | StudyFault | None = None
        # The driver has run the plugins and read the data: where this process cannot, its machine is at fault.
        prepare(order)
        try:
            dataset = load_same_data(order)
        except OtherDataError as error:
            self._ended = DataFault(str(error))
            return
        try:
            self._engine = self._built(dataset, device)
        except (Exception, SystemExit) as error:
            self._ended = RunReport((), Failed(reason_or_raise(error)))

    def step(self, leave: Callable[[], bool] = lambda: False) -> RunReport | StudyFault:
        """Train one epoch and keep it; after the last one, make the tests that the run is to have.

        The first step of a run that goes on from a checkpoint trains nothing: it tells the epochs that were trained.
        An exception that the run would raise again ends it as failed; any other one is raised. ``leave``: asked before
        each optimizer step; where it is true, what was trained of the epoch is kept and ``Interrupted`` is raised.
        """
        if self._ended is not None:
            return self._ended
        try:
            return self._step(leave)
        except Interrupted:
            raise
        except (Exception, SystemExit) as error:
            return RunReport(self._new_rows(), Failed(reason_or_raise(error)))

    def close(self) -> bool:
        """Nothing goes on between two steps; True, as this has ended."""
        return True

    def _built(self, dataset: Dataset, device: torch.device) -> SerialEngine:
        """The engine of the run, at its newest checkpoint."""
        engine = SerialEngine(self.order.run, device=device, dataset=dataset)
        state = checkpoints.load_newest(self._checkpoints)
        if state is not None:
            engine.load_state(state)
        return engine

    def _step(self, leave: Callable[[], bool]) -> RunReport | StudyFault:
        engine = self._engine
        # What a checkpoint brought back is told before anything is trained: the run may be over or paused by it.
        restored = self._reported < len(engine.history)
        if not (engine.finished or restored):
            left = False
            try:
                engine.train_epoch(leave=leave)
            except Interrupted:
                left = True
            try:
                checkpoints.save(self._checkpoints, engine.epoch, engine.state(), step=engine.step)
            except OSError as error:
                return StorageFault(f"{self._checkpoints}: {error.strerror}")
            if left:
                raise Interrupted
        if engine.diverged:
            return RunReport(self._new_rows(), Diverged())
        outcome = completed(engine, self.order) if engine.finished else None
        return RunReport(self._new_rows(), outcome)

    @property
    def _checkpoints(self) -> StoragePath:
        return to_path(self.order.checkpoints, has_answered=True)

    def _new_rows(self) -> tuple[EpochValues, ...]:
        """The epochs that were not reported yet."""
        rows = tuple(self._engine.history[self._reported :])
        self._reported += len(rows)
        return rows


def completed(engine: SerialEngine, order: RunOrder) -> Completed:
    """The outcome of a trained run: its tests on validation images in the search, on the test set afterwards."""
    with seeded(derive(order.run.seed, "global", "tests"), engine.device):
        return _tested(engine, order)


def _tested(engine: SerialEngine, order: RunOrder) -> Completed:
    if order.stage == "search":
        attack = order.validation_attack
        if attack is None:
            return Completed()
        return Completed(
            validation_robustness(engine, attack=attack.attack, epsilon=attack.epsilon, images=attack.images)
        )
    robustness = tuple(robustness_rows(engine, **order.robustness.model_dump()))
    final = final_row(engine) if order.stage == "confirm" else None
    return Completed(final=final, robustness=robustness)


def prepare(order: RunOrder) -> None:
    """Let this process find the user's files as the driver does, and register the order's regularizers, each once.

    On a machine that lacks the driver's folder, the worker stays where it is.
    """
    if order.working_folder is not None and Path(order.working_folder).is_dir():
        os.chdir(order.working_folder)  # Tune gives each run a folder of its own
    sys.path.extend(path for path in order.import_path if path not in sys.path)
    for plugin in order.plugins:
        load_plugin(Path(plugin))
    if order.objects is not None:
        look_in(to_path(order.objects, has_answered=True))
    for name in order.regularizers:
        register_kept(name)


class OtherDataError(DataError):
    """A worker reads other data than the driver under the same name."""


def load_same_data(order: RunOrder) -> Dataset:
    """The data set of an order; ``OtherDataError`` names this machine where the driver has other data."""
    name = order.run.dataset
    dataset = load(name, Path(order.data_root) if order.data_root else None)
    if order.data_md5 is not None and dataset.md5 != order.data_md5:
        raise OtherDataError(
            f"machine {platform.node()}: its data of {name} have the md5 {dataset.md5}, but {order.data_md5} where the "
            "command was given; make them the same, and give the command again"
        )
    return dataset
