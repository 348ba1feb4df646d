"""One run: everything that decides how one network is trained."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from search_spaces import Value
from tune_reg.regularizers import regularizer
from tune_reg.schedules import KINDS, Schedule, schedule_from_text
from tune_reg.training.settings import TrainingSettings

Protocol = Literal["validation", "paper"]


class TrainingSet(NamedTuple):
    """Which part of the images left for training is used: a share of all, or so many of each class.

    ``fraction`` is the share in both cases.

    >>> TrainingSet(0.25).name, TrainingSet(0.01, 50).name
    ('0.25', '50 a class')
    """

    fraction: float
    images_per_class: int | None = None

    @property
    def name(self) -> str:
        """As people read it."""
        return f"{self.fraction:.12g}" if self.images_per_class is None else f"{self.images_per_class} a class"


@dataclass(frozen=True)
class Run:
    """A configuration with its data and seed.

    ``params``: the regularizer's hyperparameters, and ``learning_rate`` where that is searched too; what is
    missing has its default. ``fraction``: share of the images left for training; ``images_per_class``: in its
    place, so many of each class. ``split_seed``: of the
    validation split, the same for all runs of a study. ``protocol``: "paper" trains on all training images and
    validates on the test set, as the papers did.
    """

    dataset: str
    model: str
    regularizer: str
    params: Mapping[str, Value] = field(default_factory=dict)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    fraction: float = 1.0
    images_per_class: int | None = None
    seed: int = 0
    split_seed: int = 0
    protocol: Protocol = "validation"

    @property
    def settings(self) -> TrainingSettings:
        """The training settings, with those that ``params`` gives for this run alone."""
        own: dict[str, Any] = {key: value for key, value in self.params.items() if key in TrainingSettings.OWN}
        for name in TrainingSettings.SCHEDULED:
            schedule = scheduled(name, self.params)
            if schedule is not None:
                own[f"{name}_schedule"] = schedule.to_plain()
        return TrainingSettings(**{**self.training.model_dump(), **own}) if own else self.training

    def split_hyperparameters(self) -> tuple[dict[str, Any], dict[str, float | Schedule]]:
        """The regularizer's choices, and its numbers, which may be schedules over the epochs; defaults filled in."""
        choices: dict[str, Any] = {}
        numbers: dict[str, float | Schedule] = {}
        for hyperparameter in regularizer(self.regularizer).hyperparameters:
            name = hyperparameter.name
            value = self.params.get(name, hyperparameter.default)
            if hyperparameter.is_choice:
                choices[name] = int(value) if hyperparameter.count else value
            else:
                numbers[name] = scheduled(name, self.params) or float(value)
        return choices, numbers


def scheduled(name: str, params: Mapping[str, Value]) -> Schedule | None:
    """The schedule that ``params`` gives for a hyperparameter by ``<name>_schedule`` and ``<name>_<parameter>``."""
    kind = params.get(f"{name}_schedule")
    if kind is None:
        return None
    alone = schedule_from_text(str(kind))
    if alone is not None:
        return alone
    known = inspect.signature(KINDS[str(kind)]).parameters
    return KINDS[str(kind)](**{key: params[f"{name}_{key}"] for key in known if f"{name}_{key}" in params})
