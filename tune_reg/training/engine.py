"""SerialEngine: trains one run in an ordinary ``nn.Module``."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from tune_reg import data, models, optimizers
from tune_reg.data import Dataset, crop_flip
from tune_reg.regularizers import Progress, Regularizer, regularizer
from tune_reg.regularizers.sparse_gradients import masked, random_mask
from tune_reg.training.run import Run
from tune_reg.training.seeding import derive, generator

EpochRow = dict[str, Any]

_EVALUATION_BATCH: Final = 1000


class SerialEngine:
    """Trains one run, an epoch at a time, on data that stay in memory.

    ``dtype``: of parameters and arithmetic; float32 in use, float64 in tests. ``dataset``: in place of loading
    ``run.dataset``. The state after each epoch is a function of the run alone: the same run gives the same
    weights on the same machine, and a run resumed from ``state()`` ends as the uninterrupted one.
    """

    def __init__(
        self,
        run: Run,
        *,
        data_root: Path | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        dataset: Dataset | None = None,
    ) -> None:
        self.run = run
        self.device = torch.device(device)
        self.dtype = dtype
        self.dataset = dataset or data.load(run.dataset, data_root)
        self.train_index, self.val_index = _split(run, self.dataset)
        self.settings = run.settings
        kind = regularizer(run.regularizer)
        fixed, self._numbers = run.split_hyperparameters()
        self.regularizer: Regularizer = kind(**fixed)
        self.model = self._build()
        self.parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self._optimizer_noise = torch.Generator()
        self.optimizer = optimizers.build(
            self.settings.optimizer,
            self.parameters,
            lr=self.settings.learning_rate,
            momentum=self.settings.momentum,
            weight_decay=0.0,
            generator=self._optimizer_noise,
        )
        self.learning_rate_schedule = self.settings.schedule()
        self._batch_sizes = self.settings.batch_sizes()
        steps = [math.ceil(len(self.train_index) / size) for size in self._batch_sizes]
        self._steps_before = [0, *itertools.accumulate(steps)]  # each epoch; the last is that of all epochs
        self.epoch = 0  # epochs done
        self.diverged = False
        self.history: list[EpochRow] = []
        self._masks: dict[int, Tensor] = {}
        self._images = self.dataset.train_images.to(self.device)
        self._labels = self.dataset.train_labels.to(self.device)

    def steps(self, epoch: int) -> int:
        """Optimizer steps in an epoch, counted from 0; the last batch may be smaller."""
        return self._steps_before[epoch + 1] - self._steps_before[epoch]

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.diverged or self.epoch >= self.settings.epochs

    def train_epoch(self) -> EpochRow:
        """Train one epoch and validate; the row for the table of epochs. A loss that is not finite ends the run."""
        begin = time.perf_counter()
        # In float64, whatever the arithmetic of the training: these numbers are written down.
        exact = self._moment(self.epoch, 0, torch.float64, torch.device("cpu"))
        strengths = self._strengths(exact)
        strength = float(self.regularizer.current_strength(strengths, exact))
        self._set_epoch(strengths, exact)
        train_loss = self._train()
        self.epoch += 1
        val_loss, val_accuracy = self.evaluate("validation")
        self.diverged = not (math.isfinite(train_loss) and math.isfinite(val_loss))
        row = {
            "epoch": self.epoch,
            "learning_rate": float(exact.learning_rate),
            "strength": strength,
            "train_loss": train_loss,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "wall_s": time.perf_counter() - begin,
        }
        self.history.append(row)
        return row

    def evaluate(self, part: str) -> tuple[float, float]:
        """Mean cross-entropy and accuracy on "train", "validation" or "test", in evaluation mode."""
        images, labels, index = self._part(part)
        self.model.eval()
        loss, correct = torch.zeros((), dtype=torch.float64), 0
        with torch.no_grad():
            for chunk in torch.split(index, _EVALUATION_BATCH):
                outputs = self.model(self._batch(images, chunk))
                targets = labels[chunk]
                loss += nn.functional.cross_entropy(outputs, targets, reduction="sum").double().cpu()
                correct += int((outputs.argmax(1) == targets).sum())
        return float(loss) / len(index), correct / len(index)

    def test_batch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Test images [N, C, H, W] in [0, 1] and labels [N] at ``index``."""
        images, labels, _ = self._part("test")
        index = index.to(self.device)
        return self._batch(images, index), labels[index]

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds: tensors and plain values."""
        return {
            "epoch": self.epoch,
            "diverged": self.diverged,
            "history": self.history,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from ``state``, with the settings and strengths of this run."""
        self.model.load_state_dict(state["model"])
        # Torch takes a state's settings over with it. Learning rate and decay are set in every epoch anyway.
        momenta = [group.get("momentum") for group in self.optimizer.param_groups]
        self.optimizer.load_state_dict(state["optimizer"])
        for group, momentum in zip(self.optimizer.param_groups, momenta, strict=True):
            if momentum is not None:
                group["momentum"] = momentum
        self.epoch, self.diverged, self.history = state["epoch"], state["diverged"], list(state["history"])

    def _build(self) -> nn.Module:
        model = models.build(
            self.run.model,
            image=self.dataset.image,
            classes=self.dataset.classes,
            mean=self.dataset.mean,
            std=self.dataset.std,
            seed=derive(self.run.seed, "weights"),
        ).to(self.device, self.dtype)
        if models.is_convolutional(model):
            model = model.to(memory_format=torch.channels_last)
        return model

    def _part(self, part: str) -> tuple[Tensor, Tensor, Tensor]:
        if part == "test" or (part == "validation" and self.run.protocol == "paper"):
            images, labels = self.dataset.test_images.to(self.device), self.dataset.test_labels.to(self.device)
            return images, labels, torch.arange(len(labels), device=self.device)
        index = self.train_index if part == "train" else self.val_index
        return self._images, self._labels, index.to(self.device)

    def _to_unit(self, images: Tensor) -> Tensor:
        return images.to(self.dtype).div_(255)

    def _batch(self, images: Tensor, index: Tensor) -> Tensor:
        return self._to_unit(data.gather(images, index))

    def _moment(self, epoch: int, step: int, dtype: torch.dtype, device: torch.device) -> Progress:
        """Where the training stands at optimizer step ``step`` of epoch ``epoch``, both from 0."""
        epochs = self.settings.epochs
        at = epoch / max(epochs - 1, 1)
        factor = float(self.learning_rate_schedule(at))
        done = (self._steps_before[epoch] + step) / self._steps_before[-1]
        numbers = (done, at, self.settings.learning_rate * factor, factor)
        return Progress(*torch.tensor(numbers, dtype=dtype, device=device).unbind())

    def _strengths(self, now: Progress) -> dict[str, Tensor]:
        """The hyperparameters that are numbers, as 0-d tensors; those with a schedule at this epoch's value."""
        return {
            name: now.epoch.new_tensor(value if isinstance(value, float) else float(value(float(now.epoch))))
            for name, value in self._numbers.items()
        }

    def _set_epoch(self, strengths: dict[str, Tensor], now: Progress) -> None:
        """What holds for a whole epoch: learning rate, weight decay, dropout, and which weights learn."""
        reg = self.regularizer
        self._weight_decay = float(reg.weight_decay(strengths, now)) if reg.fills("weight_decay") else 0.0
        if reg.fills("dropout"):
            source = generator(self.run.seed, "dropout", self.epoch)
            models.set_dropout(self.model, float(reg.dropout(strengths, now)), source)
        if reg.fills("sparsity"):
            self._set_masks()
        for group in self.optimizer.param_groups:
            group["lr"] = float(now.learning_rate)
            # Where weights are masked, decay must be masked with the gradient.
            group["weight_decay"] = 0.0 if self._masks else self._weight_decay

    def _set_masks(self) -> None:
        """Draw which weights rest, as of the epoch in which their share last changed."""
        shares = []
        for epoch in range(self.epoch + 1):
            then = self._moment(epoch, 0, torch.float64, torch.device("cpu"))
            shares.append(float(self.regularizer.sparsity(self._strengths(then), then)))
        changed = max((e for e in range(len(shares)) if e == 0 or shares[e] != shares[e - 1]), default=0)
        self._masks = {}
        if shares[-1] == 0:
            return
        for i, parameter in enumerate(self.parameters):
            if masked(parameter):
                mask = random_mask(parameter.detach(), shares[-1], generator(self.run.seed, "sparsity", changed, i))
                self._masks[i] = mask
                buffer = self.optimizer.state[parameter].get("momentum_buffer")
                if buffer is not None:  # of weights that rested already it is zero
                    buffer.mul_(mask)

    def _train(self) -> float:
        """One pass over the subset in the order of this seed and epoch; the mean training loss."""
        seed, epoch = self.run.seed, self.epoch + 1
        order = torch.randperm(len(self.train_index), generator=generator(seed, "order", epoch))
        chunks = torch.split(self.train_index[order].to(self.device), self._batch_sizes[self.epoch])
        self._sources = {hook: generator(seed, hook, epoch) for hook in ("augment", "inputs", "gradient", "penalty")}
        self._optimizer_noise.manual_seed(derive(seed, "optimizer", epoch))
        self._total = torch.zeros((), dtype=torch.float64, device=self.device)
        # They change from epoch to epoch alone, and making tensors costs every step.
        self._now = self._strengths(self._moment(self.epoch, 0, self.dtype, self.device))
        self.model.train()
        at_once = optimizers.evaluations_per_step(self.settings.optimizer)
        if at_once == 1:
            for i, chunk in enumerate(chunks):
                self._evaluate(chunk, i)
                self.optimizer.step()
        else:
            self._train_with_closure(chunks, at_once)
        return float(self._total) / len(self.train_index)

    def _train_with_closure(self, chunks: Sequence[Tensor], at_once: int) -> None:
        """Each of the optimizer's evaluations takes a batch of its own, so that an epoch stays one pass.

        The last group of batches, if short, is filled up from its own beginning.
        """
        for begin in range(0, len(chunks), at_once):
            group = itertools.cycle(range(begin, min(begin + at_once, len(chunks))))
            self.optimizer.step(lambda: float(self._evaluate(chunks[i := next(group)], i)))  # noqa: B023

    def _evaluate(self, chunk: Tensor, i: int) -> Tensor:
        """Loss and gradients of one batch, regularized; the loss."""
        now = self._moment(self.epoch, i, self.dtype, self.device)
        strengths, reg = self._now, self.regularizer
        images, targets = data.gather(self._images, chunk), self._labels[chunk]
        if self.settings.augment == "crop-flip":
            images = crop_flip(images, self._sources["augment"])
        inputs = self._to_unit(images)
        if reg.fills("inputs"):
            inputs = reg.inputs(inputs, strengths, now, self._noise("inputs", inputs))
        if reg.fills("penalty"):
            inputs.requires_grad_()
        outputs = self.model(inputs)
        loss = self._loss(outputs, targets, strengths, now)
        self._total += loss.detach().double() * len(chunk)
        if reg.fills("penalty"):
            loss = loss + reg.penalty(inputs, outputs, targets, strengths, now, self._noise("penalty", outputs))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward(inputs=self.parameters)  # type: ignore[no-untyped-call]
        self._prepare(strengths, now)
        return loss.detach()

    def _noise(self, hook: str, like: Tensor) -> Tensor | None:
        shape = self.regularizer.noise_shape(hook, like.shape)
        if shape is None:
            return None
        return torch.randn(shape, generator=self._sources[hook], dtype=self.dtype).to(self.device)

    def _loss(self, outputs: Tensor, targets: Tensor, strengths: dict[str, Tensor], now: Progress) -> Tensor:
        reg = self.regularizer
        if reg.fills("loss"):
            return reg.loss(outputs, targets, strengths, now)
        if reg.fills("targets"):
            soft = reg.targets(one_hot(targets, outputs), strengths, now)
        elif self.settings.loss == "cross-entropy":
            return nn.functional.cross_entropy(outputs, targets)
        else:
            soft = one_hot(targets, outputs)
        return mean_squared_error(outputs, soft) if self.settings.loss == "mse" else soft_cross_entropy(outputs, soft)

    @torch.no_grad()
    def _prepare(self, strengths: dict[str, Tensor], now: Progress) -> None:
        """What the regularizer does to gradients and weights between backward pass and step."""
        reg = self.regularizer
        gradients, updates = reg.fills("gradient"), reg.fills("update")
        for i, parameter in enumerate(self.parameters):
            gradient = parameter.grad
            if gradient is None:
                continue
            if updates:
                parameter.copy_(reg.update(parameter, gradient, strengths, now))
            if gradients:
                gradient = reg.gradient(gradient, parameter, strengths, now, self._noise("gradient", gradient))
            if self._masks:
                gradient = gradient + self._weight_decay * parameter
                if i in self._masks:
                    gradient = gradient * self._masks[i]
            if gradient.stride() != parameter.stride():
                # The fused optimizer walks both by the parameter's strides and is silently wrong otherwise.
                gradient = torch.empty_like(parameter).copy_(gradient)
            parameter.grad = gradient


def one_hot(targets: Tensor, outputs: Tensor) -> Tensor:
    """Targets int64 [B] as rows of 0 and 1 [B, M], of the dtype of ``outputs`` [B, M]."""
    return (targets.unsqueeze(-1) == torch.arange(outputs.shape[-1], device=outputs.device)).to(outputs.dtype)


def soft_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """``- sum_j y_j log softmax(h)_j``, averaged over the batch: outputs [B, M], targets [B, M] -> scalar."""
    return -(targets * torch.log_softmax(outputs, -1)).sum(-1).mean()


def mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Squared error of the softmax against ``targets``, summed over classes, averaged over the batch.

    This is the loss of residual smoothing with nothing smoothed. outputs [B, M], targets [B, M] -> scalar.
    """
    return (torch.softmax(outputs, -1) - targets).square().sum(-1).mean()


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
