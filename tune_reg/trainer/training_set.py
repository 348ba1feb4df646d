"""The training set of a run, as a training loop of the user's sees it: how large, and which examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from tune_reg.data import Dataset, gather, to_unit
from tune_reg.errors import StudyError
from tune_reg.training import Run
from tune_reg.training.training_plan import split


class Examples(NamedTuple):
    """The labels of the training examples, as far as they are known: of a trainer's own data all are 0."""

    train_labels: Tensor


def examples_of(run: Run, dataset: Dataset | None) -> Examples:
    """What is known of the training examples of a run."""
    return Examples(torch.zeros(run.examples, dtype=torch.int64) if dataset is None else dataset.train_labels)


class TrainerSet:
    """The part of the training data that a run is to train on, and the part that it is scored on.

    Indices are drawn from the run's seed: those of a smaller part lie inside every larger one of the same seed, and the
    validation examples are the same for all runs of a study. With labels both are stratified.

    >>> run = Run("", "", "weight-decay", fraction=0.5, trainer="my_loop:train", examples=60)
    >>> part = TrainerSet(run, None, torch.device("cpu"))
    >>> len(part.indices()), len(part.validation_indices()), part.name
    (25, 10, '0.5')
    """

    def __init__(self, run: Run, dataset: Dataset | None, device: torch.device) -> None:
        self._run = run
        self._device = device
        #: The study's data set; None where the loop brings its own data.
        self.dataset = dataset
        #: The share of the training examples, without those that validate.
        self.fraction = run.fraction
        #: So many of each class, where the study says that in place of a fraction; else None.
        self.images_per_class = run.images_per_class

    @property
    def name(self) -> str:
        """The size as people read it: a share, or images a class."""
        return self._run.training_set.name

    def indices(self, examples: Any = None) -> Tensor:
        """The examples to train on, as indices into all training examples: int64 [n], in an order drawn from the seed.

        ``examples``: the labels of all training examples, whole numbers [N], so that the split is stratified; or their
        number N. Neither is needed where the study says them, by ``dataset`` or ``examples``. ``StudyError`` where N is
        another number than the study's.
        """
        return split(self._run, self._labels("indices", examples))[0]

    def validation_indices(self, examples: Any = None) -> Tensor:
        """The examples that the run is scored on, as indices into all training examples: int64, in rising order."""
        if self._run.protocol == "paper":
            raise StudyError(
                'run.training_set.validation_indices: in protocol "paper" the test set validates; take '
                "run.training_set.validation()"
            )
        return split(self._run, self._labels("validation_indices", examples))[1]

    def train(self) -> tuple[Tensor, Tensor]:
        """Images float32 [n, C, H, W] in [0, 1] and labels int64 [n] to train on, of the study's data set."""
        return self._part("train", lambda data: (data.train_images, data.train_labels, self.indices()))

    def validation(self) -> tuple[Tensor, Tensor]:
        """Images and labels that the run is scored on, of the study's data set."""
        if self._run.protocol == "paper":
            return self.test()
        return self._part("validation", lambda data: (data.train_images, data.train_labels, self.validation_indices()))

    def test(self) -> tuple[Tensor, Tensor]:
        """Images and labels of the test set, for ``run.finish`` alone."""
        return self._part(
            "test", lambda data: (data.test_images, data.test_labels, torch.arange(len(data.test_labels)))
        )

    def _part(self, name: str, pick: Callable[[Dataset], tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        if self.dataset is None:
            raise StudyError(
                f"run.training_set.{name}: the study names no dataset; take your own examples at "
                "run.training_set.indices()"
            )
        images, labels, index = pick(self.dataset)
        return to_unit(gather(images, index)).to(self._device), labels[index].to(self._device)

    def _labels(self, call: str, examples: Any) -> Tensor:
        expected = examples_of(self._run, self.dataset).train_labels
        if examples is None:
            return expected
        if isinstance(examples, int):
            labels = torch.zeros(examples, dtype=torch.int64)
        else:
            labels = torch.as_tensor(np.asarray(examples))
            if labels.ndim != 1 or labels.is_floating_point() or (len(labels) and int(labels.min()) < 0):
                raise StudyError(
                    f"run.training_set.{call}: labels must be whole numbers 0, 1, ... [N], one an example, but got "
                    f"{str(labels.dtype).removeprefix('torch.')} {list(labels.shape)}"
                )
            labels = labels.long()
        if len(labels) != len(expected):
            where = "dataset has" if self.dataset is not None else "key examples says"
            raise StudyError(
                f"run.training_set.{call}: the study's {where} {len(expected):,} training examples, "
                f"but got {len(labels):,}"
            )
        return labels
