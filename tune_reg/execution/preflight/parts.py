"""Tries each part of a study once before any work: what would fail in an hour fails here, in one line.

The model takes one training step and one evaluation for every method, on one batch of the size of the method's last,
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

from tune_reg.data import Dataset, at_hand, describe, is_of_code, load
from tune_reg.errors import DataError, StudyError, TuneRegError
from tune_reg.execution.preflight.batches import LastBatches, any_params, last_batches
from tune_reg.execution.preflight.data import data_faults
from tune_reg.execution.preflight.hooks import watch_hooks
from tune_reg.execution.preflight.model import model_faults, unused_parameters
from tune_reg.execution.preflight.trainer import try_trainer
from tune_reg.global_generators import seeded
from tune_reg.regularizers import regularizer
from tune_reg.study import Study, StudyPlan, Task
from tune_reg.training import Run, SerialEngine
from tune_reg.user_code import error_text

#: Images of the batch that is tried, at most.
_MOST_IMAGES: Final = 4
_BATCH_SIZE: Final = ("batch_size", "batch_size_schedule")


def preflight(plan: StudyPlan, data_root: Path | None = None) -> list[str]:
    """Try the data set, the model and every method of a study once; a line for each thing that a person should know.

    Nothing is downloaded. Raises ``DataError`` for the data set, else ``StudyError``, with a line for each mistake.
    """
    study = plan.study
    if study.trainer:
        return try_trainer(plan, data_root)
    notes: list[str] = []
    if is_of_code(study.dataset) or at_hand(study.dataset, data_root) is not None:
        dataset = load(study.dataset, data_root)
        faults = list(data_faults(study, dataset))
        if faults:
            raise DataError("\n".join(faults))
        notes += dataset.notes
    else:
        dataset = _grey(study.dataset)
        notes.append(
            f"data set {study.dataset}: not at hand, so only its sizes were checked; `tune-reg data fetch "
            f"{study.dataset}` gets it"
        )
    with seeded(study.seed):
        return notes + _tried(plan, dataset)


def _tried(plan: StudyPlan, dataset: Dataset) -> list[str]:
    study = plan.study
    methods = {task: last_batches(plan, task) for task in _methods(plan)}
    notes = []
    if ":" in study.model:
        _raise(_model(plan, dataset, 2))
        unused = unused_parameters(_engine(plan.tasks[0], study, dataset, 2))
        if unused:
            notes.append(unused)
    of_one = [batches for batches in methods.values() if batches.sizes_with_one or batches.in_range_with_one]
    fault = next(_model(plan, dataset, 1), None) if of_one else None
    if fault is not None:
        _raise(dict.fromkeys(line for batches in of_one for line in _faults_of_one(fault, batches)))
        notes += [note for batches in of_one for note in _notes_of_one(batches)]
    _raise(fault for task, batches in methods.items() for fault in _method(task, batches, plan, dataset))
    return notes


def _raise(faults: Iterator[str] | dict[str, None]) -> None:
    lines = list(dict.fromkeys(faults))
    if lines:
        raise StudyError("\n".join(lines))


def _model(plan: StudyPlan, dataset: Dataset, count: int) -> Iterator[str]:
    """What is wrong with the model whatever the method: it cannot be built, or not be trained on ``count`` images."""
    where = f"model {plan.study.model!r}"
    try:
        # The engine of a method without a part of its own in the network.
        engine = _engine(plan.tasks[0], plan.study, dataset, count)
    except TuneRegError as error:
        yield str(error)
    except Exception as error:
        yield f"{where}: cannot be trained ({error_text(error)})"
    else:
        yield from (f"{where}: {fault}" for fault in model_faults(engine))


def _faults_of_one(fault: str, batches: LastBatches) -> Iterator[str]:
    if batches.sizes_with_one:
        sizes = " and ".join(map(str, batches.sizes_with_one))
        yield (
            f"{fault.removesuffix('; mend the model')}; the last batch of an epoch has 1 image, and batch "
            f"normalisation needs 2; choose a {batches.key} other than {sizes}"
        )


def _notes_of_one(batches: LastBatches) -> Iterator[str]:
    sizes = batches.in_range_with_one
    if sizes:
        some = ", ".join(map(str, sizes[:5])) + (", ..." if len(sizes) > 5 else "")
        yield (
            f"{batches.key}: with {some} the last batch of an epoch has 1 image, which the model cannot take, so these "
            "trials will fail; a list of sizes in place of the range can leave them out"
        )


def _method(task: Task, batches: LastBatches, plan: StudyPlan, dataset: Dataset) -> Iterator[str]:
    """One training step and one evaluation of a method."""
    study, count = plan.study, min(batches.smallest, _MOST_IMAGES)
    if not _is_the_users(study, task.parts or task.regularizer):
        return
    where = f"regularizers.{task.regularizer}"
    try:
        engine = _engine(task, study, dataset, count)
        watch_hooks(engine.regularizer)
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


def _engine(task: Task, study: Study, dataset: Dataset, count: int) -> SerialEngine:
    """The engine of a method whose epoch is one batch of ``count`` images, validated on a few of the test set."""
    params = {name: value for name, value in any_params(task).items() if not name.startswith(_BATCH_SIZE)}
    training = study.training.model_copy(update={"batch_size": count, "batch_size_schedule": "constant"})
    parts = task.parts or task.regularizer
    run = Run(study.dataset, study.model, parts, params, training, seed=study.seed, protocol="paper")
    return SerialEngine(run, dataset=_few(dataset, count))


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
