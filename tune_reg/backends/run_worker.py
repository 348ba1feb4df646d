"""Trains one run of a study, with checkpoints of its own, and makes its tests at the end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from tune_reg.evaluation import final_row, robustness_rows, validation_robustness
from tune_reg.execution.messages import Completed, Diverged, RunOrder, RunReport, StorageFault
from tune_reg.global_generators import seeded
from tune_reg.regularizers import load_plugin
from tune_reg.storage.paths import to_path
from tune_reg.training import Interrupted, SerialEngine
from tune_reg.training import checkpoint as checkpoints
from tune_reg.training.seeding import derive


class RunWorker:
    """One run under way: built from its order, and gone on with from its newest whole checkpoint.

    So a run goes on whoever starts it again: a backend after a lost process, or a new driver, which has nothing of the
    last one's memory.
    """

    def __init__(self, order: RunOrder, device: torch.device) -> None:
        prepare(order)
        self.order = order
        data_root = Path(order.data_root) if order.data_root else None
        self.engine = SerialEngine(order.run, data_root=data_root, device=device)
        self._checkpoints = to_path(order.checkpoints, has_answered=True)
        state = checkpoints.load_newest(self._checkpoints)
        if state is not None:
            self.engine.load_state(state)
        self._reported = 0

    def step(self, leave: Callable[[], bool] = lambda: False) -> RunReport | StorageFault:
        """Train one epoch and keep it; after the last one, make the tests that the run is to have.

        The first step of a run that goes on from a checkpoint trains nothing: it tells the epochs that were trained.

        ``leave``: asked before each optimizer step; where it is true, what was trained of the epoch is kept and
        ``Interrupted`` is raised.
        """
        engine = self.engine
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
        rows = tuple(engine.history[self._reported :])
        self._reported = len(engine.history)
        if engine.diverged:
            return RunReport(rows, Diverged())
        return RunReport(rows, completed(engine, self.order) if engine.finished else None)


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
    """Let this process find the user's files as the driver does, and run the plugins of an order, each once.

    On a machine that lacks the driver's folder, the worker stays where it is.
    """
    if order.working_folder is not None and Path(order.working_folder).is_dir():
        os.chdir(order.working_folder)  # Tune gives each run a folder of its own
    sys.path.extend(path for path in order.import_path if path not in sys.path)
    for plugin in order.plugins:
        load_plugin(Path(plugin))
