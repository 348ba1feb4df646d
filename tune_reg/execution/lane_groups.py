"""Which runs train side by side: groups of runs with one lane key, filled up by the controller as runs end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tune_reg.execution.controller import StudyController
from tune_reg.execution.gpu_use import most_lanes
from tune_reg.execution.messages import LaneChange, LaneGroupOrder, RunOrder, RunReport
from tune_reg.execution.study_run import StudyRun
from tune_reg.search.decision import Decision
from tune_reg.study import Task
from tune_reg.training import LaneKey, TrainingSet


@dataclass
class LaneGroup:
    """Runs that train side by side. ``lanes``: at most so many; None until that is measured."""

    name: str
    key: LaneKey
    lanes: int | None
    runs: dict[str, StudyRun]
    #: Whether an epoch was trained.
    trained: bool = False


class LaneGroups:
    """Shares the runs of a study out among lane groups, and hands what they report to the controller.

    ``keys``: the lane key of a task on a training set; None for runs that train one at a time. ``lanes``: of a group
    at most; None where each group's worker measures it. ``slots``: asked for how many groups and single runs can train
    at once; a group takes no more than its share of the runs that are open, so that the others have some, too.
    """

    def __init__(
        self,
        controller: StudyController,
        keys: Callable[[Task, TrainingSet], LaneKey | None],
        *,
        lanes: int | None,
        slots: Callable[[], int] = lambda: 1,
    ) -> None:
        self._controller = controller
        self._keys = keys
        self._lanes = lanes
        self._slots = slots
        self._most = most_lanes(controller.plan)
        self._groups: dict[str, LaneGroup] = {}
        self._made = 0
        self._alone: list[StudyRun] = []  # runs that are to train one at a time
        self._refused: set[LaneKey] = set()

    def next_run(self) -> LaneGroup | StudyRun | None:
        """What to start next: a lane group, a run that trains alone, or None where nothing can start now."""
        if self._alone:
            return self._alone.pop(0)
        run = self._controller.next_run()
        if run is None:
            return None
        key = self._key(run)
        if key is None:
            return run
        group = LaneGroup(f"lane-group-{self._made:05d}", key, self._lanes, {run.key: run})
        self._made += 1
        self._groups[group.name] = group
        self._fill(group)
        return group

    def order(self, group: LaneGroup) -> LaneGroupOrder:
        """What the worker that trains ``group`` is told."""
        runs = tuple(self._controller.order(run) for run in group.runs.values())
        return LaneGroupOrder(runs, measure_up_to=self._most if group.lanes is None else None)

    def find(self, name: str) -> LaneGroup | None:
        """The lane group of that name, while it is under way."""
        return self._groups.get(name)

    def take(self, group: LaneGroup, reports: Mapping[str, RunReport]) -> LaneChange:
        """Hand over what a group reports, run by run, and fill the group up. A group without runs is over."""
        ended = []
        for key, report in reports.items():
            group.trained = group.trained or bool(report.rows)
            if key in group.runs and self._controller.take(key, report) is not Decision.CONTINUE:
                del group.runs[key]
                ended.append(key)
        started = self._fill(group)
        self._forget_if_empty(group)
        return LaneChange(tuple(ended), started)

    def take_measured(self, group: LaneGroup, lanes: int) -> LaneChange:
        """Take how many lanes pay for a group, and fill it up. Where one is best, runs like these train alone."""
        group.lanes = lanes
        if lanes == 1:
            self._refused.add(group.key)
            self._alone += group.runs.values()
            group.runs.clear()
            self._forget_if_empty(group)
            return LaneChange()
        return LaneChange(started=self._fill(group))

    def give_up(self, group: LaneGroup) -> None:
        """A group failed more often than it may: its runs are tried one at a time, each from its newest checkpoint.

        Where the group trained no epoch at all, the fault may be in training side by side, and later runs with the lane
        key train alone, too.
        """
        del self._groups[group.name]
        self._alone += group.runs.values()
        if not group.trained:
            self._refused.add(group.key)

    def _fill(self, group: LaneGroup) -> tuple[RunOrder, ...]:
        """Put runs into the free lanes of a group, up to its share."""
        lanes = group.lanes or 1
        if len(group.runs) >= lanes:
            return ()
        share = math.ceil(self._controller.open_runs() / max(1, self._slots()))
        started = []
        while len(group.runs) < min(lanes, max(1, share)):
            run = self._controller.next_run(lambda task, training_set: self._keys(task, training_set) == group.key)
            if run is None:
                break
            group.runs[run.key] = run
            started.append(self._controller.order(run))
        return tuple(started)

    def _forget_if_empty(self, group: LaneGroup) -> None:
        if not group.runs:
            del self._groups[group.name]

    def _key(self, run: StudyRun) -> LaneKey | None:
        if run.stage == "robustness":
            return None
        key = self._keys(run.trial.task, run.training_set)
        return None if key in self._refused else key
