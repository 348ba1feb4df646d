"""What is wrong with a data set for a study: classes without images, too few of them, other data at each call."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from tune_reg.data import Dataset, is_of_code, subset_per_class, train_validation
from tune_reg.data.from_function import load_from_function
from tune_reg.errors import StudyError
from tune_reg.study import Study
from tune_reg.training.seeding import derive


def data_faults(study: Study, dataset: Dataset) -> Iterator[str]:
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
    if is_of_code(study.dataset) and load_from_function(study.dataset).md5 != dataset.md5:
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
