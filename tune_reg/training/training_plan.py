"""The plan of one run: settings of its epochs and steps, apart from the network that is trained by them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from tune_reg.data.dataset import Dataset
from tune_reg.data.split import subset, subset_per_class, train_validation
from tune_reg.models import build as build_model
from tune_reg.regularizers import Progress, Regularizer, regularizer
from tune_reg.training.run import Run
from tune_reg.training.seeding import derive, generator

#: The streams of random numbers of one epoch, by their purpose.
_STREAMS = ("augment", "mix", "inputs", "gradient", "penalty")


class EpochSettings(NamedTuple):
    """The numbers that hold for a whole epoch."""

    learning_rate: float
    #: How strong the regularizer is, for the table of epochs.
    strength: float
    #: The coefficient of coupled weight decay, which the optimizer adds.
    weight_decay: float
    #: The probability to drop a unit in the dropout layers.
    dropout: float


class Labelled(Protocol):
    """What a plan must know of the data: the label of each training example, int64 [N]."""

    @property
    def train_labels(self) -> Tensor:
        """The labels of the training examples, with those that validate."""


class TrainingPlan:
    """Schedules, strengths, splits, order and random streams of ``run``: functions of the run and the epoch alone.

    Epochs and steps are counted from 0. Both engines train by the plan, so that a run is the same run in each of them.
    """

    def __init__(self, run: Run, dataset: Labelled) -> None:
        self.run = run
        self.settings = run.settings
        choices, self._numbers = run.split_hyperparameters()
        self.regularizer: Regularizer = regularizer(run.regularizer)(**choices)
        self.train_index, self.val_index = split(run, dataset.train_labels)
        self.batch_sizes = self.settings.batch_sizes()
        self._schedule = self.settings.schedule()
        steps = [math.ceil(len(self.train_index) / size) for size in self.batch_sizes]
        #: Steps before each epoch; the last number counts the steps of all epochs.
        self._steps_before = [0, *itertools.accumulate(steps)]

    def steps(self, epoch: int) -> int:
        """Optimizer steps in an epoch, whose last batch may be smaller."""
        return self._steps_before[epoch + 1] - self._steps_before[epoch]

    def reads_test_images(self, part: str) -> bool:
        """Whether "train", "validation" or "test" consists of test images, as validation does in protocol "paper"."""
        return part == "test" or (part == "validation" and self.run.protocol == "paper")

    def network(self, dataset: Dataset) -> nn.Module:
        """The untrained network, on the CPU."""
        return build_model(
            self.run.model,
            image=dataset.image,
            classes=dataset.classes,
            mean=dataset.mean,
            std=dataset.std,
            seed=derive(self.run.seed, "weights"),
            integers=dataset.values == "integers",
        )

    def progress_values(self, epoch: int, step: int) -> tuple[float, float, float, float]:
        """The four numbers of ``Progress`` at an optimizer step of an epoch, as Python floats."""
        epoch_progress = epoch / max(self.settings.epochs - 1, 1)
        factor = float(self._schedule(epoch_progress))
        step_progress = (self._steps_before[epoch] + step) / self._steps_before[-1]
        return step_progress, epoch_progress, self.settings.learning_rate * factor, factor

    def progress(self, epoch: int, step: int, dtype: torch.dtype, device: torch.device) -> Progress:
        """How far the training has come at an optimizer step of an epoch, as 0-d tensors."""
        return Progress(*torch.tensor(self.progress_values(epoch, step), dtype=dtype, device=device).unbind())

    def progress_table(self, epoch: int, dtype: torch.dtype) -> Tensor:
        """``Progress`` at each step of an epoch, as a table: [steps, 4], on the CPU."""
        steps = self.steps(epoch)
        rows = torch.tensor(self.progress_values(epoch, 0), dtype=torch.float64).repeat(steps, 1)
        # Within an epoch only the share of the steps changes.
        rows[:, 0] = (self._steps_before[epoch] + torch.arange(steps, dtype=torch.float64)) / self._steps_before[-1]
        return rows.to(dtype)

    def strengths(self, progress: Progress) -> dict[str, Tensor]:
        """The hyperparameters that are numbers, as 0-d tensors; those with a schedule at this epoch's value."""
        return {
            name: progress.epoch.new_tensor(value if isinstance(value, float) else float(value(float(progress.epoch))))
            for name, value in self._numbers.items()
        }

    def epoch_settings(self, epoch: int) -> EpochSettings:
        """The numbers of an epoch, in float64 whatever the dtype of the training: they go into the table of epochs."""
        progress, reg = self._exact_progress(epoch), self.regularizer
        strengths = self.strengths(progress)
        return EpochSettings(
            float(progress.learning_rate),
            float(reg.current_strength(strengths, progress)),
            float(reg.weight_decay(strengths, progress)) if reg.fills("weight_decay") else 0.0,
            float(reg.dropout(strengths, progress)) if reg.fills("dropout") else 0.0,
        )

    def masks(self, epoch: int, parameters: Sequence[Tensor]) -> dict[int, Tensor]:
        """Which weights rest (0) and learn (1) in an epoch, by the parameter's index; empty where all learn.

        A mask depends on the epoch in which the share of resting weights last changed, and is kept from there on.
        """
        if not self.regularizer.fills("sparsity"):
            return {}
        shares = []
        for earlier in range(epoch + 1):
            progress = self._exact_progress(earlier)
            shares.append(float(self.regularizer.sparsity(self.strengths(progress), progress)))
        if shares[-1] == 0:
            return {}
        changed = max(e for e in range(len(shares)) if e == 0 or shares[e] != shares[e - 1])
        masks = (
            self.regularizer.mask(parameter.detach(), shares[-1], generator(self.run.seed, "sparsity", changed, i))
            for i, parameter in enumerate(parameters)
        )
        return {i: mask for i, mask in enumerate(masks) if mask is not None}

    def order(self, epoch: int) -> Tensor:
        """The images of one pass over the training set of this run, as indices into all training images: int64 [n]."""
        shuffled = torch.randperm(len(self.train_index), generator=generator(self.run.seed, "order", epoch + 1))
        return self.train_index[shuffled]

    def streams(self, epoch: int) -> dict[str, torch.Generator]:
        """The streams of random numbers of an epoch by their purpose, each at its beginning."""
        return {purpose: generator(self.run.seed, purpose, epoch + 1) for purpose in _STREAMS}

    def dropout_stream(self, epoch: int) -> torch.Generator:
        """The stream of the dropout masks of an epoch, at its beginning."""
        return generator(self.run.seed, "dropout", epoch)

    def optimizer_seed(self, epoch: int) -> int:
        """The seed of the optimizer's own noise in an epoch."""
        return derive(self.run.seed, "optimizer", epoch + 1)

    def optimizer_stream(self, epoch: int) -> torch.Generator:
        """The stream of the optimizer's own noise in an epoch, at its beginning."""
        return torch.Generator().manual_seed(self.optimizer_seed(epoch))

    def _exact_progress(self, epoch: int) -> Progress:
        """How far the training has come at the first step of an epoch, in float64."""
        return self.progress(epoch, 0, torch.float64, torch.device("cpu"))


def split(run: Run, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The training images of this run and the validation images, as indices into all training images.

    ``labels``: of all training images, int64 [N].
    """
    n = len(labels)
    if run.protocol == "paper":
        train, validation = torch.arange(n), torch.empty(0, dtype=torch.int64)
    else:
        seed = derive(run.split_seed, "validation")
        train, validation = train_validation(n, labels, run.training.validation, seed)
    seed = derive(run.seed, "subset")
    if run.images_per_class is not None:
        return subset_per_class(train, labels, run.images_per_class, seed), validation
    return subset(train, run.fraction, seed), validation
