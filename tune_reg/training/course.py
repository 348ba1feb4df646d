"""The course of one run: what its epochs and steps are to be, apart from the network that goes through them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tune_reg import data, models
from tune_reg.data import Dataset
from tune_reg.regularizers import Progress, Regularizer, regularizer
from tune_reg.regularizers.sparse_gradients import masked, random_mask
from tune_reg.training.run import Run
from tune_reg.training.seeding import derive, generator

EpochRow = dict[str, Any]

#: The streams of chance of one epoch, by what they are for.
_DRAWN = ("augment", "inputs", "gradient", "penalty")


class EpochPlan(NamedTuple):
    """What holds for a whole epoch."""

    learning_rate: float
    #: Of the regularizer, for the table of epochs.
    strength: float
    #: Coupled, added by the optimizer.
    weight_decay: float
    #: Probability to drop a unit.
    dropout: float


class Course:
    """Schedules, strengths, splits, order and streams of chance of ``run``: functions of the run and the epoch alone.

    Epochs and steps are counted from 0. The engines share it, so that a run is the same run in each of them.
    """

    def __init__(self, run: Run, dataset: Dataset) -> None:
        self.run = run
        self.settings = run.settings
        fixed, self._numbers = run.split_hyperparameters()
        self.regularizer: Regularizer = regularizer(run.regularizer)(**fixed)
        self.train_index, self.val_index = _split(run, dataset)
        self.batch_sizes = self.settings.batch_sizes()
        self._schedule = self.settings.schedule()
        steps = [math.ceil(len(self.train_index) / size) for size in self.batch_sizes]
        self._steps_before = [0, *itertools.accumulate(steps)]  # each epoch; the last is that of all epochs

    def steps(self, epoch: int) -> int:
        """Optimizer steps in an epoch; the last batch may be smaller."""
        return self._steps_before[epoch + 1] - self._steps_before[epoch]

    def network(self, dataset: Dataset) -> nn.Module:
        """The untrained network, on the CPU."""
        return models.build(
            self.run.model,
            image=dataset.image,
            classes=dataset.classes,
            mean=dataset.mean,
            std=dataset.std,
            seed=derive(self.run.seed, "weights"),
        )

    def where(self, epoch: int, step: int) -> tuple[float, float, float, float]:
        """The numbers of ``Progress`` at an optimizer step of an epoch."""
        at = epoch / max(self.settings.epochs - 1, 1)
        factor = float(self._schedule(at))
        done = (self._steps_before[epoch] + step) / self._steps_before[-1]
        return done, at, self.settings.learning_rate * factor, factor

    def moment(self, epoch: int, step: int, dtype: torch.dtype, device: torch.device) -> Progress:
        """The same as 0-d tensors."""
        return Progress(*torch.tensor(self.where(epoch, step), dtype=dtype, device=device).unbind())

    def moments(self, epoch: int, dtype: torch.dtype) -> Tensor:
        """The same of all steps of an epoch: [steps, 4], on the CPU."""
        steps = self.steps(epoch)
        rows = torch.tensor(self.where(epoch, 0), dtype=torch.float64).repeat(steps, 1)
        # Within an epoch nothing else changes.
        rows[:, 0] = (self._steps_before[epoch] + torch.arange(steps, dtype=torch.float64)) / self._steps_before[-1]
        return rows.to(dtype)

    def strengths(self, now: Progress) -> dict[str, Tensor]:
        """The hyperparameters that are numbers, as 0-d tensors; those with a schedule at this epoch's value."""
        return {
            name: now.epoch.new_tensor(value if isinstance(value, float) else float(value(float(now.epoch))))
            for name, value in self._numbers.items()
        }

    def plan(self, epoch: int) -> EpochPlan:
        """In float64, whatever the arithmetic of the training: these numbers are written down."""
        now, reg = self._exact(epoch), self.regularizer
        strengths = self.strengths(now)
        return EpochPlan(
            float(now.learning_rate),
            float(reg.current_strength(strengths, now)),
            float(reg.weight_decay(strengths, now)) if reg.fills("weight_decay") else 0.0,
            float(reg.dropout(strengths, now)) if reg.fills("dropout") else 0.0,
        )

    def masks(self, epoch: int, parameters: Sequence[Tensor]) -> dict[int, Tensor]:
        """Which weights rest (0) and learn (1), by the parameter's place; drawn in the epoch that changed the share."""
        if not self.regularizer.fills("sparsity"):
            return {}
        shares = []
        for e in range(epoch + 1):
            then = self._exact(e)
            shares.append(float(self.regularizer.sparsity(self.strengths(then), then)))
        if shares[-1] == 0:
            return {}
        changed = max(e for e in range(len(shares)) if e == 0 or shares[e] != shares[e - 1])
        return {
            i: random_mask(parameter.detach(), shares[-1], generator(self.run.seed, "sparsity", changed, i))
            for i, parameter in enumerate(parameters)
            if masked(parameter)
        }

    def order(self, epoch: int) -> Tensor:
        """The images of one pass over the subset, as indices into the training set: int64 [n]."""
        shuffled = torch.randperm(len(self.train_index), generator=generator(self.run.seed, "order", epoch + 1))
        return self.train_index[shuffled]

    def sources(self, epoch: int) -> dict[str, torch.Generator]:
        """The streams of an epoch, by what they are for, each at its beginning."""
        return {purpose: generator(self.run.seed, purpose, epoch + 1) for purpose in _DRAWN}

    def dropout_source(self, epoch: int) -> torch.Generator:
        """The stream of the dropout masks of an epoch, at its beginning."""
        return generator(self.run.seed, "dropout", epoch)

    def optimizer_seed(self, epoch: int) -> int:
        """Of the optimizer's own noise in an epoch."""
        return derive(self.run.seed, "optimizer", epoch + 1)

    def _exact(self, epoch: int) -> Progress:
        return self.moment(epoch, 0, torch.float64, torch.device("cpu"))


def epoch_row(
    epoch: int, plan: EpochPlan, train_loss: float, validation: tuple[float, float], wall_s: float
) -> EpochRow:
    """One row of the table of epochs; ``epoch`` is counted from 1."""
    return {
        "epoch": epoch,
        "learning_rate": plan.learning_rate,
        "strength": plan.strength,
        "train_loss": train_loss,
        "val_loss": validation[0],
        "val_accuracy": validation[1],
        "wall_s": wall_s,
    }


def not_finite(row: EpochRow) -> bool:
    """Whether the run diverged in this epoch."""
    return not (math.isfinite(row["train_loss"]) and math.isfinite(row["val_loss"]))


def _split(run: Run, dataset: Dataset) -> tuple[Tensor, Tensor]:
    """The training images of this run and the validation images, as indices into the training set."""
    n = len(dataset.train_labels)
    if run.protocol == "paper":
        train, validation = torch.arange(n), torch.empty(0, dtype=torch.int64)
    else:
        seed = derive(run.split_seed, "validation")
        train, validation = data.train_validation(n, dataset.train_labels, run.training.validation, seed)
    seed = derive(run.seed, "subset")
    if run.images_per_class is not None:
        return data.subset_per_class(train, dataset.train_labels, run.images_per_class, seed), validation
    return data.subset(train, run.fraction, seed), validation
