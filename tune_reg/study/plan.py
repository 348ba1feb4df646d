"""The plan of a study: its searches, training sets, confirmed runs and cost, computed once and handed on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from search_spaces import Choice, SearchSpace
from tune_reg.study.study import Study
from tune_reg.training.run import TrainingSet


@dataclass(frozen=True)
class Task:
    """One search: a regularizer at a training fraction, over a space."""

    regularizer: str
    fraction: float
    space: SearchSpace
    trials: int
    #: The regularizers behind the name, joined by ``+``; the name itself where not given.
    parts: str = ""
    images_per_class: int | None = None
    #: How often an epoch passes over the images; the budget counts it so many times.
    passes: int = 1

    @property
    def training_set(self) -> TrainingSet:
        """The part of the training images that the task is searched on."""
        return TrainingSet(self.fraction, self.images_per_class)

    @property
    def name(self) -> str:
        """The name of the task's Optuna study in the journal.

        >>> Task("adadecay", 0.25, SearchSpace(), 1).name
        'adadecay at 0.25'
        """
        return f"{self.regularizer} at {self.training_set.name}"


class Confirmation(NamedTuple):
    """A confirmed run that the study asks for: the winner of ``task``, trained on ``training_set`` with ``seed``."""

    task: Task
    training_set: TrainingSet
    seed: int


@dataclass(frozen=True)
class MethodCost:
    """The cost of one method of a study. ``image_passes``: training images through the network, at most.

    An image counts as often as a step of the method takes the gradient of its batch.
    """

    regularizer: str
    trials: int  # whole trainings that the budget allows
    search_epochs: int  # at most: a pruned trial trains fewer
    confirmed_runs: int  # at most: a method that is decided is trained no more
    least_confirmed_runs: int
    confirm_epochs: int  # at most
    image_passes: int


@dataclass(frozen=True)
class StudyPlan:
    """What a study is going to do. Everything that carries a study out or tells of it reads the plan."""

    study: Study
    #: The searches, method by method.
    tasks: tuple[Task, ...]
    #: The parts of the training images that winners are confirmed on, the smallest first.
    training_sets: tuple[TrainingSet, ...]
    #: All that there can be, seed by seed; in rounds only those of the first seeds are certain.
    confirmations: tuple[Confirmation, ...]
    #: Images that a trial is scored on.
    validation_images: int
    #: One for each method, in the order of the study.
    costs: tuple[MethodCost, ...]

    @property
    def primary_tasks(self) -> dict[str, Task]:
        """The search of each method whose winner is compared with the baseline's on the largest training set."""
        searched = self.study.searched_sets[-1]
        return {task.regularizer: task for task in self.tasks if task.training_set == searched}

    @property
    def compared(self) -> list[str]:
        """The methods that are compared with the baseline."""
        return [name for name in self.study.regularizers if name != self.study.baseline]

    def seed_number(self, confirmation: Confirmation) -> int:
        """Which of the seeds of its method a confirmation has, from 0."""
        return confirmation.seed - self.study.seed - 1


def make_plan(study: Study) -> StudyPlan:
    """The plan of ``study``.

    On each training set stands the winner of the largest searched one and, where that training set was searched, the
    winner there. Seeds of confirmed runs are fresh (the search uses ``study.seed``) and the same for all methods.

    >>> plan = make_plan(Study(name="x", dataset="digits", model="nn-2", regularizers=["weight-decay"]))
    >>> [task.name for task in plan.tasks], len(plan.confirmations), plan.costs[0].search_epochs
    (['weight-decay at 1'], 5, 160)
    """
    tasks = tuple(_tasks(study))
    training_sets = tuple(study.training_sets)
    largest = study.searched_sets[-1]
    confirmations = tuple(
        Confirmation(task, training_set, study.seed + 1 + i)
        for i in range(study.most_seeds)
        for training_set in training_sets
        for task in tasks
        if task.training_set in (largest, training_set)
    )
    costs = tuple(_cost(study, name, tasks, confirmations) for name in study.regularizers)
    return StudyPlan(study, tasks, training_sets, confirmations, study.validation_images, costs)


def _tasks(study: Study) -> list[Task]:
    """The searches, method by method. Where nothing is searched, one trial says it all."""
    tasks = []
    for name, declared in study.regularizers.items():
        space = study.searched_space(name)
        trials = study.search.trials if space.domains else 1
        if study.search.sampler == "grid":
            sizes = [len(domain.values) for domain in space.domains.values() if isinstance(domain, Choice)]
            trials = min(trials, math.prod(sizes))
        tasks += [
            Task(
                name,
                size.fraction,
                space,
                trials,
                declared.regularizer,
                size.images_per_class,
                declared.kind.passes(),
            )
            for size in study.searched_sets
        ]
    return tasks


def _cost(study: Study, name: str, tasks: Sequence[Task], confirmations: Sequence[Confirmation]) -> MethodCost:
    epochs, seeds = study.training.epochs, study.search.seeds
    searches = {task: trainings(task, tasks) for task in tasks if task.regularizer == name}
    fractions = [run.training_set.fraction for run in confirmations if run.task.regularizer == name]
    images = sum(trials * seeds * study.images(task.fraction) for task, trials in searches.items())
    images += sum(study.images(fraction) for fraction in fractions)
    trials, runs = sum(searches.values()), len(fractions)
    passes = max((task.passes for task in searches), default=1)
    least = runs // study.most_seeds * study.confirm.looks[0]
    return MethodCost(name, trials, trials * seeds * epochs, runs, least, runs * epochs, images * epochs * passes)


def budget_share(task: Task, tasks: Sequence[Task]) -> float:
    """The share of its trials' epochs that a task gets, so that all tasks of a training set pass over as many images.

    >>> plain, twice = Task("weight-decay", 1.0, SearchSpace(), 4), Task("sam", 1.0, SearchSpace(), 4, passes=2)
    >>> budget_share(plain, [plain, twice]), budget_share(twice, [plain, twice]), budget_share(twice, [twice])
    (1.0, 0.5, 1.0)
    """
    return min(other.passes for other in tasks if other.training_set == task.training_set) / task.passes


def trainings(task: Task, tasks: Sequence[Task]) -> int:
    """How many whole trainings the budget of a task allows: at least 1.

    >>> task = Task("sam", 1.0, SearchSpace(), 5, passes=2)
    >>> trainings(task, [task, Task("weight-decay", 1.0, SearchSpace(), 5)])
    2
    """
    return max(1, math.floor(task.trials * budget_share(task, tasks)))
