"""Hyperparameters that methods share: each method is also tried at what the others' winners have of these.

Two searches come to two values of a learning rate, one of them the better by luck. Where the better one is tried with
the other method, too, the difference of the methods is not one of learning rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from search_spaces import DefinedByRun
from tune_reg.errors import TuneRegError
from tune_reg.regularizers import regularizer
from tune_reg.study.plan import StudyPlan, Task
from tune_reg.study.settings import SearchSettings
from tune_reg.training.settings import TrainingSettings

#: So many trials more at most, for each method.
MOST_SHARED: Final = 3

#: Hyperparameters that mean one thing whatever the regularizer is; others may have a name in common by chance.
_COMMON: Final = frozenset({*TrainingSettings.OWN, "weight_decay"})


def shared_names(task: Task, other: Task) -> list[str]:
    """The hyperparameters that both of two tasks search over domains of one kind, and that mean the same in both.

    >>> from search_spaces import SearchSpace, loguniform, uniform
    >>> rate, decay = loguniform(1e-4, 1.0), loguniform(1e-6, 0.1)
    >>> plain = Task("weight-decay", 1.0, SearchSpace({"weight_decay": decay, "learning_rate": rate}), 8)
    >>> other = Task("dropout", 1.0, SearchSpace({"rate": uniform(0.0, 0.5), "learning_rate": rate}), 8)
    >>> shared_names(plain, other)
    ['learning_rate']
    """
    if task.training_set != other.training_set or any(isinstance(t.space, DefinedByRun) for t in (task, other)):
        return []
    there = other.space.domains
    return [
        name
        for name, domain in task.space.domains.items()
        if type(there.get(name)) is type(domain) and _means_the_same(name, task, other)
    ]


def shared_with(settings: SearchSettings, tasks: Sequence[Task]) -> Mapping[str, tuple[Task, ...]]:
    """The tasks with which each task shares hyperparameters, by its name; tasks that share none are left out."""
    if not settings.shared_values or settings.sampler == "grid":
        return {}
    others = {task.name: tuple(o for o in tasks if o is not task and shared_names(task, o)) for task in tasks}
    return {name: sharing for name, sharing in others.items() if sharing}


def shared_values_notes(plan: StudyPlan) -> list[str]:
    """In a line, how many trials are added to the searches of a plan; none where nothing is shared.

    >>> from tune_reg.study import Study, make_plan
    >>> methods = ["weight-decay", "adadecay"]
    >>> shared_values_notes(make_plan(Study(name="x", dataset="digits", model="nn-2", regularizers=methods)))
    ["each method is also tried at the others' best weight_decay: at most 1 trial more a method, of 10 epochs"]
    """
    sharing = shared_with(plan.study.search, plan.tasks)
    if not sharing:
        return []
    by_name = {task.name: task for task in plan.tasks}
    names = dict.fromkeys(
        name for task, others in sharing.items() for other in others for name in shared_names(by_name[task], other)
    )
    most = max(min(MOST_SHARED, len(others)) for others in sharing.values())
    sets = len({by_name[task].training_set for task in sharing})
    each = " and searched training set" if sets > 1 else ""
    epochs = plan.study.training.epochs * plan.study.search.seeds
    trials = "trial" if most == 1 else "trials"
    return [
        f"each method is also tried at the others' best {', '.join(names)}: at most {most} {trials} more a "
        f"method{each}, of {epochs} epochs{' each' if most > 1 else ''}"
    ]


def _means_the_same(name: str, task: Task, other: Task) -> bool:
    setting = name.partition(".")[0]  # a schedule has several hyperparameters
    return setting in _COMMON or _meaning(setting, task) == _meaning(setting, other)


def _meaning(name: str, task: Task) -> tuple[object, ...]:
    """The regularizer's own words for a hyperparameter."""
    try:
        declared = regularizer(task.parts or task.regularizer).hyperparameters
    except TuneRegError:  # none that is registered
        return ()
    return tuple(hyperparameter.description for hyperparameter in declared if hyperparameter.name == name)
