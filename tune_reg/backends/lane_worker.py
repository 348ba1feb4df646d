"""The runs that train side by side in one process: each with checkpoints, rows and tests of its own."""

from __future__ import annotations

import gc
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tune_reg import data
from tune_reg.storage.paths import StoragePath, to_path
from tune_reg.backends.ray.trainables import is_tested, run_of, tested
from tune_reg.training import LaneEngine, Run, SerialEngine
from tune_reg.training import checkpoint as checkpoints


class DiskError(Exception):
    """A checkpoint could not be written; the message says which and why."""


@dataclass
class _Member:
    """One run of the pack. ``config``: as ``StudyTrainable`` gets it."""

    config: Mapping[str, Any]
    run: Run
    #: Epochs that were reported.
    reported: int = 0

    @property
    def key(self) -> str:
        key: str = self.config["key"]
        return key

    @property
    def checkpoints(self) -> StoragePath:
        return to_path(self.config["checkpoints"], answered=True)


class LaneWorker:
    """Trains the runs of ``configs`` in the lanes of one engine, and others in their place when they have ended.

    Each goes on from its newest checkpoint and keeps its own, in the form of a single run: whatever trains it next, a
    pack or a process of its own, goes on from there.
    """

    def __init__(self, configs: Sequence[Mapping[str, Any]], device: torch.device) -> None:
        self.device = device
        self._members: dict[int, _Member] = {}  # by lane
        self._build([(_Member(config, run_of(config)), None) for config in configs])

    def change(self, ended: Collection[str], started: Sequence[Mapping[str, Any]]) -> None:
        """Drop the runs with the keys ``ended``, and take up those of the configs ``started``, in their lanes first."""
        for lane in [lane for lane, member in self._members.items() if member.key in ended]:
            del self._members[lane]
            self._engine.rest(lane)
        members = [_Member(config, run_of(config)) for config in started]
        free = [lane for lane in range(len(self._engine.lanes)) if lane not in self._members]
        if len(members) > len(free):
            under_way = [(member, self._engine.state(lane)) for lane, member in self._members.items()]
            del self._engine
            gc.collect()  # its memory is free before the new one is made
            self._build([*under_way, *((member, None) for member in members)])
            return
        for lane, member in zip(free, members, strict=False):
            self._engine.replace(lane, member.run, checkpoints.load_newest(member.checkpoints, whole_epochs=True))
            self._members[lane] = member

    def _build(self, members: Sequence[tuple[_Member, dict[str, Any] | None]]) -> None:
        """An engine of as many lanes; each run at its state, or where there is none, at its newest checkpoint."""
        first = members[0][0]
        root = first.config["data"]
        dataset = data.load(first.run.dataset, Path(root) if root else None)
        self._engine = LaneEngine([member.run for member, _ in members], device=self.device, dataset=dataset)
        self._members = {lane: member for lane, (member, _) in enumerate(members)}
        for lane, (member, now) in enumerate(members):
            state = now or checkpoints.load_newest(member.checkpoints, whole_epochs=True)
            if state is not None:
                self._engine.load_state(lane, state)

    def step(self) -> list[dict[str, Any]]:
        """Train an epoch of every run that is not at its end; or test one that is.

        What is new of each run: its ``key``, ``rows``, ``diverged``, and ``done``, once nothing is left to do; then
        also what ``tested`` says of it. Raises ``DiskError``.
        """
        for lane, member in self._members.items():
            # One a step: a pack is alive that reports each of them.
            if member.reported and self._untested(lane, member):
                return [self._tested(lane, member)]
        for lane in self._engine.train_epoch():
            self._save(lane, self._members[lane])
        return [self._news(lane, member) for lane, member in self._members.items() if self._has_news(lane, member)]

    def _untested(self, lane: int, member: _Member) -> bool:
        """Whether a run has trained to its end, and its tests are still to be made."""
        own = self._engine.lanes[lane]
        return is_tested(member.config) and own.finished and not own.diverged

    def _has_news(self, lane: int, member: _Member) -> bool:
        return len(self._engine.lanes[lane].history) > member.reported

    def _news(self, lane: int, member: _Member) -> dict[str, Any]:
        own = self._engine.lanes[lane]
        rows = own.history[member.reported :]
        member.reported = len(own.history)
        done = own.finished and not self._untested(lane, member)
        return {"key": member.key, "rows": rows, "diverged": own.diverged, "done": done}

    def _tested(self, lane: int, member: _Member) -> dict[str, Any]:
        """The end of a run that is tested, as a single run makes it."""
        engine = SerialEngine(member.run, device=self.device, dataset=self._engine.dataset)
        engine.load_state(self._engine.state(lane))
        return {"key": member.key, "rows": [], "diverged": False, "done": True, **tested(engine, member.config)}

    def _save(self, lane: int, member: _Member) -> None:
        state = self._engine.state(lane)
        try:
            checkpoints.save(member.checkpoints, state["epoch"], state)
        except OSError as error:
            raise DiskError(f"{member.checkpoints}: {error.strerror}") from error
