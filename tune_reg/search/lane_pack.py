"""The runs that train side by side in one process: each with checkpoints, rows and tests of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tune_reg import data
from tune_reg.evaluation import final_row, robustness_rows
from tune_reg.search.trainables import run_of
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
    def checkpoints(self) -> Path:
        return Path(self.config["checkpoints"])


class LanePack:
    """Trains the runs of ``configs`` in the lanes of one engine, and others in their place when they have ended.

    Each goes on from its newest checkpoint and keeps its own, in the form of a single run: whatever trains it next, a
    pack or a process of its own, goes on from there.
    """

    def __init__(self, configs: Sequence[Mapping[str, Any]], device: torch.device) -> None:
        self.device = device
        self._lanes: list[_Member | None] = []
        self._engine: LaneEngine | None = None
        self.change((), configs)

    def change(self, ended: Collection[str], started: Sequence[Mapping[str, Any]]) -> None:
        """Drop the runs with the keys ``ended``, and take up those of the configs ``started``, in their lanes first."""
        for lane, member in enumerate(self._lanes):
            if member is not None and member.key in ended:
                self._lanes[lane] = None
                if self._engine is not None:
                    self._engine.rest(lane)
        members = [_Member(config, run_of(config)) for config in started]
        free = [lane for lane, member in enumerate(self._lanes) if member is None]
        if self._engine is None or len(members) > len(free):
            self._rebuild(members)
            return
        for lane, member in zip(free, members, strict=False):
            self._engine.replace(lane, member.run, checkpoints.load_newest(member.checkpoints))
            self._lanes[lane] = member

    def _rebuild(self, members: Sequence[_Member]) -> None:
        """An engine with more lanes, for the runs that are under way and these."""
        held: list[tuple[_Member, dict[str, Any] | None]] = [
            (member, self._state(lane)) for lane, member in enumerate(self._lanes) if member is not None
        ]
        held += [(member, checkpoints.load_newest(member.checkpoints)) for member in members]
        if not held:
            return
        root = held[0][0].config["data"]
        dataset = data.load(held[0][0].run.dataset, Path(root) if root else None)
        self._engine = None  # its memory is free before the new one is made
        engine = LaneEngine([member.run for member, _ in held], device=self.device, dataset=dataset)
        for lane, (_, state) in enumerate(held):
            if state is not None:
                engine.load_state(lane, state)
        self._engine, self._lanes = engine, [member for member, _ in held]

    def _state(self, lane: int) -> dict[str, Any]:
        assert self._engine is not None
        return self._engine.state(lane)

    def step(self) -> list[dict[str, Any]]:
        """Train an epoch of every run that is not at its end; or test one confirmed run that is.

        What is new of each run: its ``key``, ``rows``, ``diverged``, and ``done``, once nothing is left to do; then
        also ``final`` and ``robustness`` where it was tested. Raises ``DiskError``.
        """
        for lane, member in enumerate(self._lanes):
            # One a step: a pack is alive that reports each of them.
            if member is not None and member.reported and self._untested(lane, member):
                return [self._tested(lane, member)]
        engine = self._engine
        trained = engine.train_epoch() if engine is not None else {}
        for lane in trained:
            self._save(lane)
        said = [self._said(lane, member) for lane, member in enumerate(self._lanes) if member is not None]
        return [report for report in said if report is not None]

    def _untested(self, lane: int, member: _Member) -> bool:
        """Whether a confirmed run has trained to its end, and its tests are still to be made."""
        assert self._engine is not None
        own = self._engine.lanes[lane]
        return member.config["stage"] != "search" and own.finished and not own.diverged

    def _said(self, lane: int, member: _Member) -> dict[str, Any] | None:
        assert self._engine is not None
        own = self._engine.lanes[lane]
        rows = own.history[member.reported :]
        if not rows:
            return None
        member.reported = len(own.history)
        done = own.finished and not self._untested(lane, member)
        return {"key": member.key, "rows": rows, "diverged": own.diverged, "done": done}

    def _tested(self, lane: int, member: _Member) -> dict[str, Any]:
        """The end of a confirmed run, as a single run makes it."""
        assert self._engine is not None
        engine = SerialEngine(member.run, device=self.device, dataset=self._engine.dataset)
        engine.load_state(self._engine.state(lane))
        return {
            "key": member.key,
            "rows": [],
            "diverged": False,
            "done": True,
            "final": [final_row(engine)],
            "robustness": robustness_rows(engine, **member.config["robustness"]),
        }

    def _save(self, lane: int) -> None:
        assert self._engine is not None
        member = self._lanes[lane]
        assert member is not None
        state = self._engine.state(lane)
        try:
            checkpoints.save(member.checkpoints, state["epoch"], state)
        except OSError as error:
            raise DiskError(f"{member.checkpoints}: {error.strerror}") from error
