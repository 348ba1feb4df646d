"""Which searches of a study the model of final values makes, whether it pauses trials, and what TPE searches."""

from __future__ import annotations

from search_spaces import DefinedByRun
from tune_reg.study.plan import StudyPlan, Task
from tune_reg.study.settings import SearchSettings


def has_model(settings: SearchSettings, task: Task) -> bool:
    """Whether the model of final values searches a task; else a sampler and a stopping rule do.

    A space that a function defines has no fixed hyperparameters, which the model needs.
    """
    return (
        settings.sampler == "knowledge-gradient"
        and settings.second_objective is None
        and bool(task.space.domains)
        and not isinstance(task.space, DefinedByRun)
    )


def how_far_trials_train(plan: StudyPlan) -> list[str]:
    """In a line, whether the model of final values pauses trials; none where it searches nothing.

    >>> from tune_reg.study import Study, make_plan
    >>> how_far_trials_train(make_plan(Study(name="x", dataset="digits", model="nn-2", regularizers=["l1"])))
    ['each trial is trained to its end (search.pruner "none")']
    """
    settings = plan.study.search
    if not any(has_model(settings, task) for task in plan.tasks):
        return []
    if settings.pruner == "none":
        return ['each trial is trained to its end (search.pruner "none")']
    return [
        "a trial pauses where another one is worth more, so that there may be more trials, with as many epochs in all "
        '(search.pruner "pause")'
    ]


def other_searches(plan: StudyPlan) -> list[str]:
    """A line for each method, or for all of them, that TPE searches in place of the sampler knowledge-gradient.

    >>> from tune_reg.study import Study, make_plan
    >>> second = {"second_objective": {"kind": "epoch_time"}}
    >>> other_searches(make_plan(Study(name="x", dataset="digits", model="nn-2", regularizers=["l1"], search=second)))
    ['search.second_objective: TPE searches, as the sampler knowledge-gradient looks for one thing alone']
    """
    if plan.study.search.sampler != "knowledge-gradient":
        return []
    if plan.study.search.second_objective is not None:
        return ["search.second_objective: TPE searches, as the sampler knowledge-gradient looks for one thing alone"]
    searched = [task for task in plan.tasks if task.space.domains]
    functions = dict.fromkeys(task.regularizer for task in searched if not has_model(plan.study.search, task))
    return [
        f"regularizers.{name}: TPE searches it, as its space is a function, and the sampler knowledge-gradient needs "
        "hyperparameters that are the same in each trial"
        for name in functions
    ]
