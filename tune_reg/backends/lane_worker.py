"""Trains runs of a study side by side in one process: each with checkpoints, rows and tests of its own."""

from __future__ import annotations

import gc
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tune_reg.backends.faults import reason_or_raise
from tune_reg.backends.run_worker import completed, load_same_data, prepare
from tune_reg.data import Dataset
from tune_reg.execution.messages import Completed, Diverged, Failed, LaneGroupReport, RunOrder, RunReport, StorageFault
from tune_reg.storage.paths import StoragePath, to_path
from tune_reg.training import LaneEngine, LaneKey, SerialEngine, lane_key
from tune_reg.training import checkpoint as checkpoints


class _CannotSave(Exception):  # noqa: N818 - becomes a StorageFault
    """A checkpoint could not be written; the message says which and why."""


@dataclass
class _Member:
    """One run of the group, in a lane."""

    order: RunOrder
    #: How many epochs were reported.
    reported: int = 0

    @property
    def checkpoints(self) -> StoragePath:
        return to_path(self.order.checkpoints, has_answered=True)


class LaneWorker:
    """Trains the runs of ``orders`` in the lanes of one engine, and others in their place when they have ended.

    Each run goes on from its newest checkpoint and keeps its own, in the form of a single run: whatever trains it next,
    a lane group or a process of its own, goes on from there.
    """

    def __init__(self, orders: Sequence[RunOrder], device: torch.device) -> None:
        prepare(orders[0])
        self.device = device
        self._members: dict[int, _Member] = {}  # by lane
        self._build([(_Member(order), None) for order in orders])

    @property
    def dataset(self) -> Dataset:
        """The data set that the runs train on."""
        return self._engine.dataset

    @property
    def key(self) -> LaneKey:
        """The lane key of the runs."""
        return self._engine.key

    def take_up(self, orders: Sequence[RunOrder], device: torch.device) -> bool:
        """Train the runs of ``orders`` in place of all others; False, and nothing done, where they need another engine.

        In the same engine a GPU replays what it has captured for all lanes.
        """
        prepare(orders[0])
        dataset, key = load_same_data(orders[0]), lane_key(orders[0].run)
        if device != self.device or dataset is not self.dataset or key != self.key:
            return False
        self.change([member.order.key for member in self._members.values()], orders)
        return True

    def change(self, ended: Collection[str], started: Sequence[RunOrder]) -> None:
        """Drop the runs with the keys ``ended``, and take up those of ``started``, in the free lanes first."""
        for lane in [lane for lane, member in self._members.items() if member.order.key in ended]:
            del self._members[lane]
            self._engine.rest(lane)
        new = [_Member(order) for order in started]
        free = [lane for lane in range(len(self._engine.lanes)) if lane not in self._members]
        if len(new) > len(free):
            under_way = [(member, self._engine.state(lane)) for lane, member in self._members.items()]
            del self._engine
            self._build([*under_way, *((member, None) for member in new)])
            return
        for lane, member in zip(free, new, strict=False):
            state = checkpoints.load_newest(member.checkpoints, whole_epochs=True)
            self._engine.replace(lane, member.order.run, state)
            self._members[lane] = member

    def step(self) -> LaneGroupReport | StorageFault:
        """Train an epoch of every run that is not at its end; or test one that is. What is new of each run."""
        for lane, member in self._members.items():
            # One a step: a worker that reports each of them is seen to be alive.
            if member.reported and self._untested(lane, member):
                return LaneGroupReport({member.order.key: RunReport(outcome=self._tested(lane, member))})
        # What a checkpoint brought back is told before anything is trained: the run may be over or paused by it.
        restored = any(len(self._engine.lanes[i].history) > member.reported for i, member in self._members.items())
        try:
            for lane in () if restored else self._engine.train_epoch():
                self._save(lane, self._members[lane])
        except _CannotSave as error:
            return StorageFault(str(error))
        return LaneGroupReport(
            {
                member.order.key: self._report(lane, member)
                for lane, member in self._members.items()
                if len(self._engine.lanes[lane].history) > member.reported
            }
        )

    def _build(self, members: Sequence[tuple[_Member, dict[str, Any] | None]]) -> None:
        """An engine of as many lanes; each run at its state, or where there is none, at its newest checkpoint."""
        gc.collect()  # the memory of the engine before is free before this one is made
        dataset = load_same_data(members[0][0].order)
        self._engine = LaneEngine([member.order.run for member, _ in members], device=self.device, dataset=dataset)
        self._members = {lane: member for lane, (member, _) in enumerate(members)}
        for lane, (member, now) in enumerate(members):
            state = now or checkpoints.load_newest(member.checkpoints, whole_epochs=True)
            if state is not None:
                self._engine.load_state(lane, state)

    def _untested(self, lane: int, member: _Member) -> bool:
        """Whether a run has trained to its end, and its tests are still to be made."""
        progress = self._engine.lanes[lane]
        return member.order.is_tested and progress.finished and not progress.diverged

    def _report(self, lane: int, member: _Member) -> RunReport:
        progress = self._engine.lanes[lane]
        rows = tuple(progress.history[member.reported :])
        member.reported = len(progress.history)
        if progress.diverged:
            return RunReport(rows, Diverged())
        return RunReport(rows, Completed() if progress.finished and not member.order.is_tested else None)

    def _tested(self, lane: int, member: _Member) -> Completed | Failed:
        """The tests of a run that is trained, as a single run makes them."""
        engine = SerialEngine(member.order.run, device=self.device, dataset=self._engine.dataset)
        engine.load_state(self._engine.state(lane))
        try:
            return completed(engine, member.order)
        except (Exception, SystemExit) as error:
            return Failed(reason_or_raise(error))

    def _save(self, lane: int, member: _Member) -> None:
        state = self._engine.state(lane)
        try:
            checkpoints.save(member.checkpoints, state["epoch"], state)
        except OSError as error:
            raise _CannotSave(f"{member.checkpoints}: {error.strerror}") from error
