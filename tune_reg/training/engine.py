"""SerialEngine: trains one run in an ordinary ``nn.Module``."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from tune_reg import data, models, optimizers
from tune_reg.data import Dataset, crop_flip
from tune_reg.regularizers import Progress, Strengths
from tune_reg.training.course import Course, EpochPlan, EpochRow, epoch_row, not_finite
from tune_reg.training.precision import forward_pass
from tune_reg.training.run import Run
from tune_reg.training.step import data_loss, draw_noise, regularized, to_unit

_EVALUATION_BATCH: Final = 1000


class Interrupted(Exception):  # noqa: N818 - nothing is wrong
    """An epoch was left between two of its steps; ``state()`` holds what was trained of it."""


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
        self.course = Course(run, self.dataset)
        self.settings = run.settings
        self.regularizer = self.course.regularizer
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
        self.epoch = 0  # epochs done
        self.diverged = False
        self.history: list[EpochRow] = []
        #: Where the epoch under way was left: steps done, their loss, seconds, and the streams of chance.
        self._left: dict[str, Any] = {}
        self._masks: dict[int, Tensor] = {}
        self._images = self.dataset.train_images.to(self.device)
        self._labels = self.dataset.train_labels.to(self.device)

    @property
    def train_index(self) -> Tensor:
        """The images that train, as indices into the training set: int64 [n]."""
        return self.course.train_index

    @property
    def val_index(self) -> Tensor:
        """Those held out for validation; empty where the test set validates."""
        return self.course.val_index

    def steps(self, epoch: int) -> int:
        """Optimizer steps in an epoch, counted from 0; the last batch may be smaller."""
        return self.course.steps(epoch)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.diverged or self.epoch >= self.settings.epochs

    @property
    def step(self) -> int:
        """Steps that are done of an epoch that was left; else 0."""
        return int(self._left.get("step", 0))

    def train_epoch(self, leave: Callable[[], bool] = lambda: False) -> EpochRow:
        """Train one epoch and validate; the row for the table of epochs. A loss that is not finite ends the run.

        ``leave``: asked before each step; where it is true, raises ``Interrupted``. An epoch that was left is gone on
        with, and ends as if it had not been.
        """
        begin = time.perf_counter() - self._left.get("seconds", 0.0)
        plan = self.course.plan(self.epoch)
        self._set_epoch(plan)
        try:
            train_loss = self._train(leave)
        except Interrupted:
            self._left["seconds"] = time.perf_counter() - begin
            raise
        self.epoch += 1
        self._left = {}
        row = epoch_row(self.epoch, plan, train_loss, self.evaluate("validation"), time.perf_counter() - begin)
        self.diverged = not_finite(row)
        self.history.append(row)
        return row

    def evaluate(self, part: str) -> tuple[float, float]:
        """Mean cross-entropy and accuracy on "train", "validation" or "test", in evaluation mode."""
        images, labels, index = self._part(part)
        self.model.eval()
        loss, correct = torch.zeros(2, dtype=torch.float64, device=self.device).unbind()
        with torch.no_grad():
            for chunk in torch.split(index, _EVALUATION_BATCH):
                outputs = self.model(self._batch(images, chunk))
                targets = labels[chunk]
                loss += nn.functional.cross_entropy(outputs, targets, reduction="sum").double()
                correct += (outputs.argmax(1) == targets).sum()
        return float(loss) / len(index), float(correct) / len(index)

    def size(self, part: str) -> int:
        """Images of "train", "validation" or "test"."""
        return len(self._part(part)[2])

    def batch(self, part: str, places: Tensor) -> tuple[Tensor, Tensor]:
        """Images [N, C, H, W] in [0, 1] and labels [N] of a part, at ``places`` below ``size(part)``."""
        images, labels, index = self._part(part)
        index = index[places.to(self.device)]
        return self._batch(images, index), labels[index]

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds: tensors and plain values."""
        return {
            "epoch": self.epoch,
            "diverged": self.diverged,
            "history": self.history,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            **({"left": self._left} if self._left else {}),
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
        self._left = dict(state.get("left", {}))

    def _build(self) -> nn.Module:
        model = self.course.network(self.dataset).to(self.device, self.dtype)
        if models.is_convolutional(model):
            model = model.to(memory_format=torch.channels_last)
        return model

    def _part(self, part: str) -> tuple[Tensor, Tensor, Tensor]:
        if part == "test" or (part == "validation" and self.run.protocol == "paper"):
            images, labels = self.dataset.test_images.to(self.device), self.dataset.test_labels.to(self.device)
            return images, labels, torch.arange(len(labels), device=self.device)
        index = self.train_index if part == "train" else self.val_index
        return self._images, self._labels, index.to(self.device)

    def _batch(self, images: Tensor, index: Tensor) -> Tensor:
        return to_unit(data.gather(images, index), self.dtype)

    def _set_epoch(self, plan: EpochPlan) -> None:
        """What holds for a whole epoch: learning rate, weight decay, dropout, and which weights learn."""
        self._weight_decay = plan.weight_decay
        self._sources = self.course.sources(self.epoch)
        if self.regularizer.fills("dropout"):
            self._sources["dropout"] = self.course.dropout_source(self.epoch)
            models.set_dropout(self.model, plan.dropout, self._sources["dropout"])
        self._optimizer_noise.manual_seed(self.course.optimizer_seed(self.epoch))
        self._sources["optimizer"] = self._optimizer_noise
        for purpose, stream in self._left.get("streams", {}).items():
            self._sources[purpose].set_state(stream)
        self._masks = self.course.masks(self.epoch, self.parameters)
        for i, mask in self._masks.items():
            buffer = self.optimizer.state[self.parameters[i]].get("momentum_buffer")
            if buffer is not None:  # of weights that rested already it is zero
                buffer.mul_(mask)
        for group in self.optimizer.param_groups:
            group["lr"] = plan.learning_rate
            # Where weights are masked, decay must be masked with the gradient.
            group["weight_decay"] = 0.0 if self._masks else self._weight_decay

    def _train(self, leave: Callable[[], bool]) -> float:
        """One pass over the subset in the order of this seed and epoch; the mean training loss."""
        course = self.course
        chunks = torch.split(course.order(self.epoch).to(self.device), course.batch_sizes[self.epoch])
        self._total = torch.tensor(self._left.get("total", 0.0), dtype=torch.float64, device=self.device)
        # They change from epoch to epoch alone, and making tensors costs every step.
        self._now = course.strengths(course.moment(self.epoch, 0, self.dtype, self.device))
        moments = course.moments(self.epoch, self.dtype).to(self.device)
        self._moments = [Progress(*of_step.unbind()) for of_step in moments]
        self.model.train()
        at_once = optimizers.evaluations_per_step(self.settings.optimizer)
        for i in range(self.step, len(chunks), at_once):
            if leave():
                self._note(i)
                raise Interrupted
            if at_once == 1:
                self._evaluate(chunks[i], i)
                self.optimizer.step()
            else:
                self._step_with_closure(chunks, i, at_once)
        return float(self._total) / len(self.train_index)

    def _note(self, step: int) -> None:
        """Where the epoch is left."""
        streams = {purpose: source.get_state() for purpose, source in self._sources.items()}
        self._left = {"step": step, "total": float(self._total), "streams": streams}

    def _step_with_closure(self, chunks: Sequence[Tensor], begin: int, at_once: int) -> None:
        """Each of the optimizer's evaluations takes a batch of its own, so that an epoch stays one pass.

        The last group of batches, if short, is filled up from its own beginning.
        """
        group = itertools.cycle(range(begin, min(begin + at_once, len(chunks))))
        self.optimizer.step(lambda: float(self._evaluate(chunks[i := next(group)], i)))

    def _evaluate(self, chunk: Tensor, i: int) -> Tensor:
        """Loss and gradients of one batch, regularized; the loss."""
        now, strengths, reg = self._moments[i], self._now, self.regularizer
        images, targets = data.gather(self._images, chunk), self._labels[chunk]
        if self.settings.augment == "crop-flip":
            images = crop_flip(images, self._sources["augment"])
        inputs = to_unit(images, self.dtype)
        if reg.fills("inputs"):
            inputs = reg.inputs(inputs, strengths, now, self._noise("inputs", inputs))
        if reg.fills("penalty"):
            inputs.requires_grad_()
        with forward_pass(self.settings.precision):
            outputs = self.model(inputs)
        outputs = outputs.to(self.dtype)
        loss = data_loss(reg, self.settings.loss, outputs, targets, strengths, now)
        self._total += loss.detach().double() * len(chunk)
        if reg.fills("penalty"):
            loss = loss + reg.penalty(inputs, outputs, targets, strengths, now, self._noise("penalty", outputs))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward(inputs=self.parameters)  # type: ignore[no-untyped-call]
        self._prepare(strengths, now)
        return loss.detach()

    def _noise(self, hook: str, like: Tensor) -> Tensor | None:
        noise = draw_noise(self.regularizer, hook, like.shape, self._sources[hook], self.dtype)
        return None if noise is None else noise.to(self.device)

    @torch.no_grad()
    def _prepare(self, strengths: Strengths, now: Progress) -> None:
        """What the regularizer does to gradients and weights between backward pass and step."""
        reg = self.regularizer
        for i, parameter in enumerate(self.parameters):
            gradient = parameter.grad
            if gradient is None:
                continue
            noise = self._noise("gradient", gradient) if reg.fills("gradient") else None
            updated, gradient = regularized(reg, parameter, gradient, strengths, now, noise)
            if updated is not parameter:
                parameter.copy_(updated)
            if self._masks:
                gradient = gradient + self._weight_decay * parameter
                if i in self._masks:
                    gradient = gradient * self._masks[i]
            if gradient.stride() != parameter.stride():
                # The fused optimizer walks both by the parameter's strides and is silently wrong otherwise.
                gradient = torch.empty_like(parameter).copy_(gradient)
            parameter.grad = gradient
