"""Trials at what the winners of other methods have of shared hyperparameters; see ``study.shared_values``.

They are added to the journal once all searches of a training set are over, for all of these at once and before any of
them is trained. So they follow from the journal alone, also where a process was killed meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from search_spaces import SpaceError, Value
from tune_reg.search.retries import retried
from tune_reg.search.task_search import TaskSearch
from tune_reg.search.trial import SHARED_FROM, Trial
from tune_reg.study import SearchSettings, Task
from tune_reg.study.shared_values import MOST_SHARED, shared_names, shared_with
from tune_reg.surrogate.unit_cube import UnitCube
from tune_reg.training.run import TrainingSet

#: In the journal, of the first search of a training set: which trials are added, after how many of each search.
_CHOSEN: Final = "shared_values"
#: Configurations that are nearer in each coordinate of the unit cube count as the same.
_NEAR: Final = 0.01

#: By the name of the task: how many trials at shared values it had, and those to add, each with its source.
Chosen: TypeAlias = dict[str, tuple[int, list[tuple[str, dict[str, Value]]]]]


class SharedValues:
    """Adds the trials at shared values to the searches, training set by training set.

    ``searches``: by the name of their task.
    """

    def __init__(self, settings: SearchSettings, tasks: Sequence[Task], searches: Mapping[str, TaskSearch]) -> None:
        self._searches = searches
        self._sharing = shared_with(settings, tasks)
        self._groups: dict[TrainingSet, list[Task]] = {}
        for task in tasks:
            if task.name in self._sharing:
                self._groups.setdefault(task.training_set, []).append(task)
        self._settled: set[TrainingSet] = set()
        self._opened = False

    def waits(self, task: Task) -> bool:
        """Whether the trials of a task at shared values are still to be chosen."""
        return task.name in self._sharing and task.training_set not in self._settled

    def add(self) -> None:
        """Add the trials of each training set whose searches are all over."""
        opened, self._opened = self._opened, True
        for training_set, group in self._groups.items():
            over = training_set not in self._settled and all(self._searches[task.name].finished for task in group)
            # Trials that an earlier process has added keep their searches from being over.
            if not over and opened:
                continue
            after = {task.name: len(_of_the_search(self._searches[task.name].trials)) for task in group}
            chosen = self._chosen_before(group, after)
            if chosen is None and over:
                chosen = self._chosen(group)
                # One line of the journal, so that whoever goes on after a kill adds what is still missing.
                self._searches[group[0].name].set_attribute(_CHOSEN, {"after": after, "trials": chosen})
            if chosen is not None:
                for name, (before, trials) in chosen.items():
                    search = self._searches[name]
                    for source, params in trials[_since_the_search(search.trials) - before :]:
                        search.add_trial(params, {SHARED_FROM: source})
                self._settled.add(training_set)

    def _chosen_before(self, group: Sequence[Task], after: Mapping[str, int]) -> Chosen | None:
        """What was chosen when the searches had as many trials as they have now; None where nothing was yet."""
        for task in group:
            stored = self._searches[task.name].attribute(_CHOSEN)
            if stored is not None and stored["after"] == after:
                chosen: Chosen = stored["trials"]
                return chosen
        return None

    def _chosen(self, group: Sequence[Task]) -> Chosen:
        """For each task how many trials at shared values it has, and those to add."""
        searches = {task.name: self._searches[task.name] for task in group}
        if not any(search.attribute(_CHOSEN) for search in searches.values()) and any(
            _begun(search.trials) for search in searches.values()
        ):
            return {}  # the journal was made anew from the tables, after they had been chosen
        winners = {name: search.winner() for name, search in searches.items()}
        chosen: Chosen = {}
        for name, search in searches.items():
            winner = winners[name]
            before = _since_the_search(search.trials)
            others = [w for other in self._sharing[name] if (w := winners[other.name]) is not None]
            promising = [] if winner is None else _most_promising(search, winner, others)
            chosen[name] = before, promising[: max(0, MOST_SHARED - before)]
        return chosen


def with_values_of(winner: Trial, other: Trial) -> dict[str, Value] | None:
    """The hyperparameters that are searched at a winner's configuration with the shared ones of another method's.

    What comes into use with them and has no value is in the middle of its range. None where no value can be taken over.
    """
    task, space = winner.task, winner.task.space
    taken = {
        name: other.params[name]
        for name in shared_names(task, other.task)
        if name in other.params and name in winner.params and space.domains[name].contains(other.params[name])
    }
    cube = UnitCube(space)
    middle = cube.values(np.full(cube.dims, 0.5))
    if not taken:
        return None
    try:
        complete = space.complete({**middle, **winner.params, **taken})
    except SpaceError:
        return None
    return {name: value for name, value in complete.items() if name in space.domains}


def _most_promising(search: TaskSearch, winner: Trial, others: Sequence[Trial]) -> list[tuple[str, dict[str, Value]]]:
    """Which configurations are worth a trial, with the method that each has values of, the most promising first."""
    cube = UnitCube(winner.task.space)
    tried = [cube.point(params) for params in search.tried()]
    chosen: list[tuple[str, dict[str, Value]]] = []
    for other in others:
        params = with_values_of(winner, other)
        if params is None:
            continue
        point = cube.point(params)
        if all(np.abs(point - there).max() > _NEAR for there in tried):
            tried.append(point)
            chosen.append((other.task.regularizer, params))
    promise = search.promise([params for _, params in chosen])
    return [chosen[i] for i in np.argsort([-p for p in promise], kind="stable")]


def _of_the_search(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that the search itself has asked for."""
    return [trial for trial in trials if SHARED_FROM not in trial.user_attrs]


def _since_the_search(trials: Sequence[FrozenTrial]) -> int:
    """How many trials at shared values there are after the last one that the search itself has asked for."""
    again = set(retried(trials).values())
    last = max((trial.number for trial in _of_the_search(trials)), default=-1)
    return sum(trial.number > last and trial.number not in again for trial in trials)


def _begun(trials: Sequence[FrozenTrial]) -> bool:
    """Whether a trial at shared values was asked for."""
    return any(SHARED_FROM in trial.user_attrs and trial.state != TrialState.WAITING for trial in trials)
