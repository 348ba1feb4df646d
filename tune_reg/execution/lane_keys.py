"""Which runs of a study can train side by side, told before any of them is asked for."""

from __future__ import annotations

from typing import Final

import torch

from search_spaces import Choice, DefinedByRun, Domain, Value
from tune_reg.data import describe
from tune_reg.errors import StudyError
from tune_reg.models import build
from tune_reg.regularizers import regularizer
from tune_reg.study import Study, StudyPlan, Task
from tune_reg.training import LaneKey, Run, TrainingSet, lane_key
from tune_reg.training.lanes import LaneNetworks

#: Settings that all lanes of an engine share.
_SHARED: Final = ("batch_size", "loss", "optimizer")


def key_of(study: Study, task: Task, training_set: TrainingSet) -> LaneKey:
    """The lane key of every run of ``task`` on ``training_set``, whatever its hyperparameters are.

    Raises StudyError where they cannot be lanes, or the search space decides which of them can.

    >>> from tune_reg.study import make_plan
    >>> study = Study(name="x", dataset="digits", model="nn-2", regularizers=["l1"])
    >>> key_of(study, make_plan(study).tasks[0], TrainingSet(1.0)).regularizer
    'l1'
    """
    parts = task.parts or task.regularizer
    deciding = [name for name in task.space.domains if _decides(parts, name)]
    if isinstance(task.space, DefinedByRun):
        raise StudyError(f"lanes: the space of {task.regularizer} is a function, which may give anything")
    if deciding:
        raise StudyError(f"lanes: {deciding[0]} must be the same in all lanes, but {task.regularizer} searches it")
    params = task.space.complete({name: _any_value(domain) for name, domain in task.space.domains.items()})
    return lane_key(
        Run(
            study.dataset,
            study.model,
            parts,
            params,
            study.training,
            training_set.fraction,
            training_set.images_per_class,
            protocol=study.protocol,
        )
    )


def check_model(study: Study) -> None:
    """Raise StudyError for a model that cannot train side by side with others of its kind."""
    info = describe(study.dataset)
    is_scaled, integers = info.values == "bytes", info.values == "integers"
    zeros, ones = (torch.zeros(info.image[0]), torch.ones(info.image[0])) if is_scaled else (None, None)
    network = build(
        study.model, image=info.image, classes=info.classes, mean=zeros, std=ones, seed=0, integers=integers
    )
    LaneNetworks(network, 1, study.model, info.image)


class LaneKeys:
    """The lane key of each task of a plan on each training set, or None: ``keys(task, training_set)``.

    ``why``: why no run can be a lane, as the model or the first task has it; None where some can.
    """

    def __init__(self, plan: StudyPlan) -> None:
        self._keys: dict[tuple[str, TrainingSet], LaneKey] = {}
        reasons = []
        if plan.study.trainer:
            self.why: str | None = "the runs of a trainer of one's own train one at a time"
            return
        try:
            check_model(plan.study)
        except StudyError as error:
            self.why = str(error)
            return
        for task in plan.tasks:
            for training_set in plan.training_sets:
                try:
                    self._keys[task.name, training_set] = key_of(plan.study, task, training_set)
                except StudyError as error:
                    reasons.append(str(error))
        self.why = None if self._keys else reasons[0]

    def __call__(self, task: Task, training_set: TrainingSet) -> LaneKey | None:
        """The lane key of a task's runs; None where they are trained one at a time."""
        return self._keys.get((task.name, training_set))


def cannot_be_lanes(plan: StudyPlan) -> str | None:
    """Why no runs of a study can train side by side; None where some can."""
    return LaneKeys(plan).why


def lanes_note(plan: StudyPlan) -> str | None:
    """What to tell the user where a number of lanes was asked for and nothing can be one."""
    if plan.study.resources.lanes in ("auto", 1):
        return None
    why = cannot_be_lanes(plan)
    if why is None:
        return None
    return f"resources.lanes: no runs of this study can train side by side, so they train one at a time; {why}"


def _decides(parts: str, name: str) -> bool:
    """Whether a hyperparameter is part of the lane key."""
    choices = {h.name for h in regularizer(parts).hyperparameters if h.is_choice}
    return name in choices or name in _SHARED or name.startswith("batch_size_")


def _any_value(domain: Domain) -> Value:
    return domain.values[0] if isinstance(domain, Choice) else domain.low
