"""The Trainables of a study: one run, or a lane group of runs, an epoch a step."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from ray import tune

from tune_reg.backends.faults import reason_or_raise
from tune_reg.backends.lane_worker import LaneWorker
from tune_reg.backends.ray.device import device_of
from tune_reg.backends.ray.placement import factory
from tune_reg.backends.ray.preemption import Preempted, preemption_watch
from tune_reg.backends.run_worker import OtherDataError, RunWorker
from tune_reg.backends.trainer_worker import TrainerWorker
from tune_reg.backends.workers import worker_for
from tune_reg.data import Dataset
from tune_reg.errors import ClusterError
from tune_reg.execution.messages import (
    DataFault,
    DeviceFault,
    LaneChange,
    LaneGroupFailed,
    LaneGroupOrder,
    LanesMeasured,
    RunOrder,
    RunReport,
    StorageFault,
)
from tune_reg.training import Interrupted, LaneKey, lane_key
from tune_reg.training.lanes import LaneChoice, choose_lanes, remembered_lanes

#: Where a worker's message stands in a Tune result.
MESSAGE: Final = "message"
_ORDER: Final = "order"


def config_of(key: str, order: RunOrder | LaneGroupOrder) -> dict[str, Any]:
    """The Tune config of a run or a lane group; ``key`` names its Tune trial.

    The order is pickled: Tune looks into every value of a config, and copies it.
    """
    runs = len(order.runs) if isinstance(order, LaneGroupOrder) else 1
    return {"key": key, "runs": runs, _ORDER: pickle.dumps(order)}


def order_of(config: Mapping[str, Any]) -> RunOrder | LaneGroupOrder:
    """The order in a Tune config."""
    order: RunOrder | LaneGroupOrder = pickle.loads(config[_ORDER])
    return order


class StudyTrainable(tune.Trainable):
    """Trains the run whose order stands in the config, see ``config_of``. It keeps its own checkpoints.

    So a run goes on from its newest whole checkpoint whoever starts it again: Tune after a lost actor, or a new
    driver, which knows nothing of the last one's Tune experiment.
    """

    _worker: RunWorker | TrainerWorker | None = None
    #: For which nothing could be built.
    _fault: DataFault | DeviceFault | LaneGroupFailed | None = None

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory | None:
        """What Tune is to reserve for a run, and where."""
        return factory(config)

    def setup(self, config: dict[str, Any]) -> None:
        """Build the run, and go on from its newest checkpoint where there is one."""
        self.cleanup()  # what this process trained before
        order = order_of(config)
        assert isinstance(order, RunOrder)
        try:
            device, _ = device_of(self.trial_resources)
        except ClusterError as error:
            self._fault = DeviceFault(str(error))
        else:
            self._worker = worker_for(order, device)

    def step(self) -> dict[str, Any]:
        """Train one epoch and keep it; after the last one, make the tests that the run is to have.

        Raises ``Preempted`` where the machine is about to go, after the part of the epoch that was trained is kept.
        """
        if self._fault is not None:
            return {MESSAGE: self._fault, tune.result.DONE: True}
        assert self._worker is not None
        with preemption_watch() as preempted:
            try:
                message = self._worker.step(leave=preempted)
            except Interrupted:
                raise Preempted from None
        over = not isinstance(message, RunReport) or message.outcome is not None
        return {MESSAGE: message, tune.result.DONE: over}

    def cleanup(self) -> None:
        """End what is under way. ``RuntimeError`` where it does not end: this process is then of no use any more."""
        worker, self._worker, self._fault = self._worker, None, None
        if worker is not None and not worker.close():
            raise RuntimeError("the training loop of a run did not end where it was told to")

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take up another run in the same process."""
        self.setup(new_config)
        return True

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write nothing: the run keeps its checkpoints in the study's directory."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Read nothing: ``setup`` has gone on from the run's own checkpoint."""


class LaneGroupTrainable(StudyTrainable):
    """Trains a lane group, an epoch of each of its runs a step; or one run, where the order is a ``RunOrder``."""

    #: How many lanes pay, as this process has measured it.
    _lanes: ClassVar[dict[LaneKey, LaneChoice]] = {}
    #: Of the lane group under way, or of the one before.
    _lane_worker: LaneWorker | None = None

    def setup(self, config: dict[str, Any]) -> None:
        """Build the runs, each at its newest checkpoint where there is one.

        They train in the engine of the group before, where it fits; else its memory is free before another is built.
        """
        self.cleanup()
        order, before = order_of(config), self._lane_worker
        self._lane_worker = None
        if not isinstance(order, LaneGroupOrder):
            if before is not None:
                before = None
                gc.collect()
            super().setup(config)
            return
        self._changes: list[LaneChange] = []
        self._preempted = False
        self._measure_up_to = order.measure_up_to
        self._first_run = order.runs[0]
        try:
            self._where, self._share = device_of(self.trial_resources)
            if before is not None and order.measure_up_to is not None and before.key not in self._lanes:
                before = None  # lanes are measured where nothing else of this process holds memory
            if before is not None and before.take_up(order.runs, self._where):
                self._lane_worker = before
            else:
                before = None
                self._lane_worker = LaneWorker(order.runs, self._where)
        except ClusterError as error:
            self._fault = DeviceFault(str(error))
        except (Exception, SystemExit) as error:
            self._fault = _fault_of_group(error)

    def change(self, change: LaneChange) -> None:
        """Take what the driver says of the last step: which runs have ended, and which take their lanes."""
        self._changes.append(change)

    def step(self) -> dict[str, Any]:
        """Train an epoch of each run, or test one of them; before the first, measure how many lanes pay.

        Raises ``Preempted`` where the machine is about to go, after what was trained before is kept and reported.
        """
        if self._lane_worker is None:
            return super().step()
        with preemption_watch() as preempted:
            if self._preempted or preempted():
                raise Preempted
            result = self._group_result(self._lane_worker)
            self._preempted = preempted()
        return result

    def _group_result(self, worker: LaneWorker) -> dict[str, Any]:
        try:
            return self._group_step(worker)
        except (Exception, SystemExit) as error:
            # Its engine may have stopped half-way: it is no engine for another group.
            self._fault, self._lane_worker = _fault_of_group(error), None
            return {MESSAGE: self._fault, tune.result.DONE: True}

    def _group_step(self, worker: LaneWorker) -> dict[str, Any]:
        while self._changes:
            change = self._changes.pop(0)
            worker.change(change.ended, change.started)
        if self._measure_up_to is not None:
            most, self._measure_up_to = self._measure_up_to, None
            return {MESSAGE: LanesMeasured(*self._choice(most, worker.dataset)), tune.result.DONE: False}
        message = worker.step()
        # A disk that cannot be written is not this group's failure: every other run would meet that fault, too.
        return {MESSAGE: message, tune.result.DONE: isinstance(message, StorageFault)}

    def _choice(self, most: int, dataset: Dataset) -> LaneChoice:
        run = self._first_run.run
        key = lane_key(run)
        if key not in self._lanes:
            # What a processor can do changes with what else runs on it: that of a GPU alone is remembered.
            file = remembered_lanes() if self._where.type == "cuda" else None
            self._lanes[key] = choose_lanes(run, dataset, self._where, most=most, share=self._share, file=file)
        return self._lanes[key]


def _fault_of_group(error: BaseException) -> DataFault | LaneGroupFailed:
    """What an exception says of a lane group; runs that would raise it again are told apart by training alone."""
    return DataFault(str(error)) if isinstance(error, OtherDataError) else LaneGroupFailed(reason_or_raise(error))
