"""Which runs train side by side: packs of runs with one lane key, filled up from the sweep as runs end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tune_reg.execution.controller import StudyController, StudyRun
from tune_reg.backends.ray.tune_adapters import end_trained
from tune_reg.study import Task
from tune_reg.training import LaneKey, TrainingSet


@dataclass
class LaneGroup:
    """Runs that train side by side. ``lanes``: at most so many; None until it is measured."""

    name: str
    key: LaneKey
    lanes: int | None
    runs: dict[str, StudyRun]
    #: Whether an epoch was trained.
    trained: bool = False


@dataclass(frozen=True)
class Change:
    """What is new in a pack: the keys of runs that have ended, and the runs in their place."""

    ended: list[str]
    started: list[StudyRun]


class LaneGroups:
    """Shares the runs of ``sweep`` out among packs, and hands what they report back to it.

    ``keys``: the lane key of a task on a training set; None for runs that train one at a time. ``lanes``: of a pack at
    most; None where each pack's worker measures it. ``slots``: how many packs and single runs train at once; a pack
    takes no more than its share of the runs that are open, so that the others have some, too.
    """

    def __init__(
        self, sweep: StudyController, keys: Callable[[Task, TrainingSet], LaneKey | None], *, lanes: int | None, slots: int = 1
    ) -> None:
        self.slots = slots
        self._sweep = sweep
        self._keys = keys
        self._lanes = lanes
        #: No more runs than these ever have the same key at a time.
        self.most = max([sweep.study.confirm.seeds, *(task.trials for task in sweep.tasks)])
        self._packs: dict[str, LaneGroup] = {}
        self._made = 0
        self._alone: list[StudyRun] = []
        self._refused: set[LaneKey] = set()

    def next(self) -> LaneGroup | StudyRun | None:
        """What to start next: a pack, a run that trains alone, or None where nothing can start now."""
        if self._alone:
            return self._alone.pop(0)
        run = self._sweep.next()
        if run is None:
            return None
        key = self._key(run)
        if key is None:
            return run
        pack = LaneGroup(f"pack-{self._made:05d}", key, self._lanes, {run.key: run})
        self._made += 1
        self._packs[pack.name] = pack
        self._fill(pack)
        return pack

    def find(self, name: str) -> LaneGroup | None:
        """The pack of that name, while it is under way."""
        return self._packs.get(name)

    def take(self, pack: LaneGroup, reports: Sequence[Mapping[str, Any]], *, lanes: int | None = None) -> Change:
        """Hand over what a pack reports, run by run, and fill it up. A pack without runs is over.

        ``lanes``: as its worker has measured them. Where one is best, runs of this kind train alone from here on.
        """
        pack.lanes = lanes or pack.lanes
        if lanes == 1:
            self._refused.add(pack.key)
            self._alone += pack.runs.values()
            pack.runs.clear()
        ended = []
        for report in reports:
            key = report["key"]
            pack.trained = pack.trained or bool(report["rows"])
            if key in pack.runs and self._over(report):
                del pack.runs[key]
                ended.append(key)
        started = [] if lanes == 1 else self._fill(pack)
        if not pack.runs:
            del self._packs[pack.name]
        return Change(ended, started)

    def give_up(self, pack: LaneGroup) -> None:
        """A pack failed more often than it may: its runs are tried one at a time, each from its newest checkpoint.

        Where it trained no epoch at all, the fault may be in training side by side, and later runs of its kind train
        alone, too.
        """
        del self._packs[pack.name]
        self._alone += pack.runs.values()
        if not pack.trained:
            self._refused.add(pack.key)

    def _over(self, report: Mapping[str, Any]) -> bool:
        key = report["key"]
        if self._sweep.on_epochs(key, report["rows"]):
            return True
        if report["done"]:
            end_trained(self._sweep, key, report)
            return True
        return False

    def _fill(self, pack: LaneGroup) -> list[StudyRun]:
        """Put runs into the free lanes of a pack, up to its share."""
        lanes = pack.lanes or 1
        if len(pack.runs) >= lanes:
            return []
        share = math.ceil(self._sweep.open_runs() / max(1, self.slots))
        started: list[StudyRun] = []
        while len(pack.runs) < min(lanes, max(1, share)):
            run = self._sweep.next(lambda task, size: self._keys(task, size) == pack.key)
            if run is None:
                break
            pack.runs[run.key] = run
            started.append(run)
        return started

    def _key(self, run: StudyRun) -> LaneKey | None:
        if run.stage == "attack":
            return None
        key = self._keys(run.trial.task, TrainingSet(run.run.fraction, run.run.images_per_class))
        return None if key in self._refused else key
