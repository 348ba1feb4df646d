"""Tries each part of a study once before any work: what would fail in an hour fails here, in one line.

The model takes one training step and one evaluation for every method, on one batch of the size of the study's last,
smallest batch, but of four images at most: more images find no more mistakes. Where all parts are the package's own
(its data sets, models and regularizers), they are not tried together, since its tests do that; but a built-in model is
tried on a last batch of one image.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import torch

from search_spaces import Choice, DefinedByRun, Value
from tune_reg.data import Dataset, at_hand, describe, load, subset_per_class, train_validation
from tune_reg.data.from_function import load_from_function
from tune_reg.errors import DataError, StudyError, TuneRegError
from tune_reg.regularizers import regularizer
from tune_reg.study import Study, StudyPlan, Task
from tune_reg.training import Run, SerialEngine
from tune_reg.training.seeding import derive
from tune_reg.user_code import error_text

#: Images of the batch that is tried, at most.
_MOST_IMAGES: Final = 4
_BATCH_SIZE: Final = ("batch_size", "batch_size_schedule")


def preflight(plan: StudyPlan, data_root: Path | None = None) -> list[str]:
    """Try the data set, the model and every method of a study once; what could not be tried, a line each.

    Nothing is downloaded. Raises ``DataError`` for the data set, else ``StudyError``, with a line for each mistake.
    """
    study = plan.study
    notes = []
    if ":" in study.dataset or at_hand(study.dataset, data_root) is not None:
        dataset = load(study.dataset, data_root)
        faults = list(_data_faults(study, dataset))
        if faults:
            raise DataError("\n".join(faults))
    else:
        dataset = _grey(study.dataset)
        notes.append(
            f"data set {study.dataset}: not at hand, so only its sizes were checked; `tune-reg data fetch "
            f"{study.dataset}` gets it"
        )
    faults = list(_model_faults(plan, dataset)) or [
        fault for task in _methods(plan) for fault in _method(task, plan, dataset)
    ]
    if faults:
        raise StudyError("\n".join(dict.fromkeys(faults)))
    return notes


def _data_faults(study: Study, dataset: Dataset) -> Iterator[str]:
    """Classes without images, too few images of a class, and a function that gives other data at its next call."""
    counts = torch.bincount(dataset.train_labels, minlength=dataset.classes).tolist()
    empty = [label for label, count in enumerate(counts) if count == 0]
    if empty:
        which = f"class {empty[0]} has" if len(empty) == 1 else f"classes {', '.join(map(str, empty[:10]))} have"
        yield (
            f"{study.dataset}: labels must count from 0 without gaps, but {which} no image to train on; "
            f"subtract the smallest label, or number the classes 0..{len(counts) - len(empty) - 1}"
        )
    elif study.images_per_class:
        yield from _too_few_images(study, dataset)
    if ":" in study.dataset and load_from_function(study.dataset).md5 != dataset.md5:
        yield (
            f"{study.dataset}: the function must give the same data at each call, but its second call gave others; "
            "give every split and shuffle in it a fixed seed (random_state=0), since each process calls it"
        )


def _too_few_images(study: Study, dataset: Dataset) -> Iterator[str]:
    labels = dataset.train_labels
    index = torch.arange(len(labels))
    if study.protocol != "paper":
        seed = derive(study.seed, "validation")
        index, _ = train_validation(len(labels), labels, study.training.validation, seed)
    try:
        subset_per_class(index, labels, study.images_per_class[-1], 0)
    except StudyError as error:
        yield str(error)


def _model_faults(plan: StudyPlan, dataset: Dataset) -> Iterator[str]:
    """What is wrong with the model whatever the method: it cannot be built, or not be trained on the last batch."""
    study = plan.study
    where = f"model {study.model!r}"
    count = _last_batch(plan)
    if ":" not in study.model and count > 1:
        return
    try:
        # The engine of a method without a part of its own in the network.
        engine = SerialEngine(_run(plan.tasks[0], study, min(count, _MOST_IMAGES)), dataset=_few(dataset, count))
    except TuneRegError as error:
        yield str(error)
        return
    except Exception as error:
        yield f"{where}: cannot be trained ({error_text(error)})"
        return
    images, _ = engine.batch("train", torch.arange(engine.size("train")))
    if not any(parameter.requires_grad for parameter in engine.model.parameters()):
        yield f"{where}: no parameter can learn; at least one must have requires_grad = True"
        return
    engine.model.train()
    try:
        outputs = engine.model(images)
    except Exception as error:
        hint = (
            f"the last batch of an epoch has 1 image, and batch normalisation needs 2; choose a training.batch_size "
            f"other than {study.training.batch_size}"
            if len(images) == 1
            else "mend the model"
        )
        yield f"{where}: fails in training on {list(images.shape)} ({error_text(error)}); {hint}"
        return
    wanted = [len(images), dataset.classes]
    if not isinstance(outputs, torch.Tensor):
        yield (
            f"{where}: must return one tensor of logits {wanted} in training, too, but returns a "
            f"{type(outputs).__name__}; return the main output alone"
        )
    elif list(outputs.shape) != wanted:
        yield f"{where}: must return logits {wanted} in training, too, but returns {list(outputs.shape)}"
    elif not outputs.requires_grad:
        yield f"{where}: its output does not depend on any parameter that can learn; remove detach() or no_grad()"


def _method(task: Task, plan: StudyPlan, dataset: Dataset) -> Iterator[str]:
    """One training step and one evaluation of a method."""
    study, count = plan.study, min(_last_batch(plan), _MOST_IMAGES)
    parts = task.parts or task.regularizer
    if not _is_the_users(study, parts):
        return
    where = f"regularizers.{task.regularizer}"
    try:
        engine = SerialEngine(_run(task, study, count), dataset=_few(dataset, count))
        engine.train_epoch()
    except TuneRegError as error:
        yield f"{where}: {error}"
    except Exception as error:
        fault = f"fails in its first training step on {count} images ({error_text(error)})"
        yield f"{where}: {fault}; mend it, or leave it out"


def _is_the_users(study: Study, parts: str) -> bool:
    if ":" in study.model:
        return True
    return any(not regularizer(part).__module__.startswith("tune_reg.") for part in parts.split("+"))


def _methods(plan: StudyPlan) -> list[Task]:
    """One task of each method."""
    return list({task.regularizer: task for task in plan.tasks}.values())


def _run(task: Task, study: Study, count: int) -> Run:
    """A run of a method whose epoch is one batch of ``count`` images, validated on a few images of the test set."""
    params = {name: value for name, value in _any_params(task).items() if not name.startswith(_BATCH_SIZE)}
    training = study.training.model_copy(update={"batch_size": count, "batch_size_schedule": "constant"})
    parts = task.parts or task.regularizer
    return Run(study.dataset, study.model, parts, params, training, seed=study.seed, protocol="paper")


def _any_params(task: Task) -> dict[str, Value]:
    """A set of hyperparameters from the space of a task: its first starting point, completed, or lowest values."""
    if isinstance(task.space, DefinedByRun):
        return dict(task.space.returned[0])
    lowest = {n: d.values[0] if isinstance(d, Choice) else d.low for n, d in task.space.domains.items()}
    start = dict(task.space.start[0]) if task.space.start else {}
    return task.space.complete({**lowest, **start})


def _last_batch(plan: StudyPlan) -> int:
    """The images of the smallest last batch of an epoch, over all training sets and batch sizes of the study."""
    counts = [
        plan.study.images(training_set.fraction) % size or size
        for training_set in plan.training_sets
        for size in plan.study.training.batch_sizes()
    ]
    return min(counts)


def _few(dataset: Dataset, count: int) -> Dataset:
    """The first images of a data set, as few as are tried; its classes stay as many."""
    train, test = min(count, _MOST_IMAGES), 2
    return Dataset(
        dataset.name,
        dataset.train_images[:train],
        dataset.train_labels[:train],
        dataset.test_images[:test],
        dataset.test_labels[:test],
        classes=dataset.classes,
    )


def _grey(name: str) -> Dataset:
    """Images of a data set's size without its files."""
    info = describe(name)
    channels, height, width = info.image
    shades = torch.arange(math.prod((_MOST_IMAGES, height, width, channels))) % 256
    images = shades.to(torch.uint8).view(_MOST_IMAGES, height, width, channels)
    labels = torch.arange(_MOST_IMAGES) % info.classes
    return Dataset(name, images, labels, images, labels, classes=info.classes)
