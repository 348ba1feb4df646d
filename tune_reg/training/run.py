"""One run: all settings that decide how one network is trained."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from search_spaces import Value
from tune_reg.regularizers import regularizer
from tune_reg.schedules import KINDS, Schedule, schedule_from_text
from tune_reg.store import ACCURACY, Metric
from tune_reg.training.settings import TrainingSettings

Protocol = Literal["validation", "paper"]


class TrainingSet(NamedTuple):
    """The part of the available training images that a run uses: a share of all, or a number of each class.

    ``fraction``: the share, also where ``images_per_class`` says how many.

    >>> TrainingSet(0.25).name, TrainingSet(0.01, 50).name
    ('0.25', '50 a class')
    """

    fraction: float
    images_per_class: int | None = None

    @property
    def name(self) -> str:
        """The size of the training set as people read it: a share, or images a class."""
        return f"{self.fraction:.12g}" if self.images_per_class is None else f"{self.images_per_class} a class"


@dataclass(frozen=True)
class Run:
    """A configuration with its data and seed: everything that decides the numbers of a training.

    ``params``: the regularizer's hyperparameters, and ``learning_rate`` where the study searches the learning rate too;
    a missing one has its default. ``fraction``: the share of the available training images that is used;
    ``images_per_class``: a number of images of each class instead. ``split_seed``: the seed of the validation split,
    the same for all runs of a study. ``protocol``: "paper" trains on all training images and validates on the test
    set, as the papers did. ``trainer``: the user's function that trains the run, ``package.module:function``, which
    needs no ``model``; where it brings data of its own, ``dataset`` is empty and ``examples`` says how many they are.
    ``metric``: that the trainer reports.
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
    trainer: str = ""
    examples: int = 0
    metric: Metric = ACCURACY

    @property
    def training_set(self) -> TrainingSet:
        """The part of the available training images that the run uses."""
        return TrainingSet(self.fraction, self.images_per_class)

    @property
    def settings(self) -> TrainingSettings:
        """The training settings of the study, with the settings that ``params`` gives for this run alone."""
        of_run: dict[str, Any] = {key: value for key, value in self.params.items() if key in TrainingSettings.OWN}
        for name in TrainingSettings.SCHEDULED:
            schedule = scheduled(name, self.params)
            if schedule is not None:
                of_run[f"{name}_schedule"] = schedule.to_plain()
        return TrainingSettings(**{**self.training.model_dump(), **of_run}) if of_run else self.training

    def split_hyperparameters(self) -> tuple[dict[str, Any], dict[str, float | Schedule]]:
        """The regularizer's choices, and its numbers, which may be schedules; defaults are filled in."""
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
    """The schedule that ``params`` gives for a hyperparameter by ``<name>_schedule`` and ``<name>_<parameter>``.

    None where ``params`` has no ``<name>_schedule``.

    >>> scheduled("alpha", {"alpha_schedule": "cosine", "alpha_start": 4.0})
    Cosine(start=4.0, end=0.0)
    """
    kind = params.get(f"{name}_schedule")
    if kind is None:
        return None
    whole = schedule_from_text(str(kind))
    if whole is not None:
        return whole
    parameters = inspect.signature(KINDS[str(kind)]).parameters
    return KINDS[str(kind)](**{key: params[f"{name}_{key}"] for key in parameters if f"{name}_{key}" in params})
