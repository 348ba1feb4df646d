"""The two steps of K lanes: a training step, and the validation of a batch.

Both are functions of batch sizes alone. They read and write tensors that stay where they are, and never ask the device
for a value. So a CUDA graph can replay what runs eagerly on a CPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import vmap

from tune_reg.data.augment import shift_mirror
from tune_reg.data.batches import gather, to_unit
from tune_reg.errors import StudyError
from tune_reg.optimizers import build as build_optimizer
from tune_reg.optimizers import lane_update
from tune_reg.optimizers.fused_sgd import OnePass, fused_sgd
from tune_reg.optimizers.lane_updates import Kept, Numbers
from tune_reg.regularizers import Progress, Regularizer
from tune_reg.regularizers.adadecay.one_pass import fused_adadecay, sigmoid_decay
from tune_reg.training.inputs import LaneInputs, chunk_sizes, chunked, upload
from tune_reg.training.lanes.key import LaneKey
from tune_reg.training.lanes.networks import LaneNetworks, Stack
from tune_reg.training.step import lane_losses, one_hot, regularized


class _Batch(NamedTuple):
    """A batch of all lanes: its size, images, labels, mixed targets where there are any, and the lanes' progress."""

    size: int
    inputs: Tensor
    targets: Tensor
    mixed: Tensor | None
    progress: Progress


class LaneStep:
    """A step of the optimizer in all lanes of ``stack``, each on its own batches.

    ``images`` [N, H, W, C], ``labels`` [N].
    """

    def __init__(
        self,
        networks: LaneNetworks,
        stack: Stack,
        inputs: LaneInputs,
        regularizer: Regularizer,
        key: LaneKey,
        images: Tensor,
        labels: Tensor,
    ) -> None:
        self.stack, self.inputs = stack, inputs
        self._networks, self._regularizer, self._key = networks, regularizer, key
        self._images, self._labels = images, labels
        self._dtype = stack.weights.dtype
        self._optimizer = lane_update(key.optimizer)
        #: Whether the optimizer's update does the work of the hooks ``update`` and ``gradient``.
        self._decays_in_update = False
        self._one_pass = self._fused() if key.optimizer == "sgd" else None
        #: The gradients of all parameters as rows, where the optimizer's update takes them so; its padding stays 0.
        self._gradient = torch.zeros_like(stack.weights) if self._one_pass is None else None
        self._constants = build_optimizer(key.optimizer, [torch.zeros(1)], lr=0.0).defaults
        #: The sum of the losses of the epoch's images, without penalties: float64 [K].
        self.loss = torch.zeros(len(stack.weights), dtype=torch.float64, device=stack.weights.device)

    @property
    def state(self) -> list[Tensor]:
        """The tensors that a step changes."""
        return [*self.stack.tensors, self.loss, self.inputs.at]

    @torch.no_grad()
    def __call__(self, batches: tuple[int, ...]) -> None:
        """One step of the optimizer, which evaluates the gradients of batches of these sizes, one after the other."""
        weights, settles, progress = self.stack.weights, self._regularizer.fills("settle"), self.inputs.progress()
        kept = {**self.stack.kept, **self._optimizer.begin(weights)}
        before = weights.clone() if settles else None
        self.stack.steps.add_(1)
        for batch in batches:
            gradients = self._evaluate(batch)
            if settles and len(batches) == 1:  # as in single runs, without what the regularizer did itself
                before = weights.clone()
            self._update(gradients, kept)
            self.inputs.at.add_(1)
        self._optimizer.end(weights, kept, self._numbers())
        if before is not None:
            self._settle(before, progress)

    @torch.enable_grad()
    def _evaluate(self, batch: int) -> Sequence[Tensor]:
        """The regularized gradients of the next ``batch`` images of each lane, [K, *shape] for each parameter.

        Weights may change, too.
        """
        reg, read = self._regularizer, self.inputs
        strengths, progress, chunk = read.strengths, read.progress(), read.index(batch)
        targets = self._labels[chunk]
        inputs, mixed = self._batch(chunk), None
        if reg.fills("mix"):
            (noise,) = read.noise("mix", batch)
            rows = one_hot(targets, self.inputs.classes, self._dtype)
            mix = vmap(reg.mix, in_dims=_lanes(0, 0, 0, 0, noise))
            inputs, mixed = mix(inputs, rows, strengths, progress, noise)
        if reg.fills("inputs"):
            (noise,) = read.noise("inputs", batch)
            inputs = vmap(reg.inputs, in_dims=_lanes(0, 0, 0, noise))(inputs, strengths, progress, noise)
        if reg.fills("penalty"):
            inputs.requires_grad_(inputs.is_floating_point())
        of_lanes = _Batch(batch, inputs, targets, mixed, progress)
        weights = self._networks.split(self.stack.weights)
        losses, gradients = self._gradients(weights, self.stack.buffers, of_lanes)
        if reg.fills("ascend"):
            points = vmap(reg.ascend)(weights, gradients, strengths, progress)
            # The statistics of batch normalisation are those of the first pass.
            buffers = {name: buffer.clone() for name, buffer in self.stack.buffers.items()}
            _, gradients = self._gradients(points, buffers, of_lanes)
        with torch.no_grad():
            if reg.fills("gradients"):
                gradients, memory = vmap(reg.gradients)(gradients, weights, self.stack.memory, strengths, progress)
                self.stack.memory.copy_(memory)
            if (reg.fills("update") or reg.fills("gradient")) and not self._decays_in_update:
                gradients = self._regularize(gradients, progress, batch)
            self.loss.add_(losses.detach().double(), alpha=batch)
        return gradients

    def _gradients(
        self, weights: Sequence[Tensor], buffers: dict[str, Tensor], batch: _Batch
    ) -> tuple[Tensor, list[Tensor]]:
        """The losses [K] of a batch without penalties, and the gradients with them, at ``weights``: [K, *shape] each.

        The statistics in ``buffers`` are updated in place.
        """
        reg, read = self._regularizer, self.inputs
        size, inputs, targets, mixed, progress = batch
        parameters = [piece.detach().requires_grad_() for piece in weights]
        masks = [mask for mask in read.noise("dropout", size) if mask is not None] if reg.fills("dropout") else []
        outputs = self._networks.outputs(
            parameters, buffers, inputs, train=True, masks=masks, precision=self._key.precision
        )
        outputs = outputs.to(self._dtype)
        objective = losses = lane_losses(reg, self._key.loss, outputs, targets, mixed, read.strengths, progress)
        if reg.fills("penalty"):
            (noise,) = read.noise("penalty", size)
            noise = None if noise is None else reg.lane_penalty_noise(noise, outputs.shape[1:])
            penalty = reg.penalty(inputs, outputs, targets, read.strengths, progress, noise)
            self._check_penalty(penalty, losses)
            objective = losses + penalty
        # The sum keeps lanes apart: its derivative by each lane's objective is 1, whatever the others are.
        return losses, list(torch.autograd.grad(objective.sum(), parameters))

    def read(self) -> list[float]:
        """The mean training loss of each lane in this epoch."""
        mean: list[float] = (self.loss / self.inputs.images).tolist()
        return mean

    def _batch(self, chunk: Tensor) -> Tensor:
        """The augmented images [K, B, C, H, W] in [0, 1] at the index ``chunk`` [K, B]."""
        images = gather(self._images, chunk.flatten())
        if self._key.augment == "crop-flip":
            images = shift_mirror(images, *self.inputs.augmented(chunk.shape[1]), padding=4)
        return as_numbers(images, chunk, self._dtype)

    def _check_penalty(self, penalty: Tensor, losses: Tensor) -> None:
        """Raise StudyError for a penalty that is not one number for each lane."""
        if penalty.shape != losses.shape:
            raise StudyError(
                f"lanes: the penalty of {self._key.regularizer!r} must keep the lanes' axis {list(losses.shape)} of "
                f"inputs and outputs, but it gives {list(penalty.shape)}; train its runs one by one"
            )

    def _regularize(self, gradients: Sequence[Tensor], progress: Progress, batch: int) -> list[Tensor]:
        """The gradients that the regularizer gives between backward pass and step; it changes weights in place."""
        reg, one_lane = self._regularizer, partial(regularized, self._regularizer)
        noises, regular_gradients = self.inputs.noise("gradient", batch), []
        for w, g, noise in zip(self._networks.split(self.stack.weights), gradients, noises, strict=True):
            dims = _lanes(0, 0, 0, 0, noise)
            updated, regular = vmap(one_lane, in_dims=dims)(w, g, self.inputs.strengths, progress, noise)
            if reg.fills("update"):
                w.copy_(updated)
            regular_gradients.append(regular)
        return regular_gradients

    def _settle(self, before: Tensor, progress: Progress) -> None:
        """Let the regularizer change the weights [K, P] in place after the optimizer's step; ``before``: before it."""
        after = self._networks.split(self.stack.weights)
        settle = vmap(self._regularizer.settle)
        settled, memory = settle(
            self._networks.split(before), after, self.stack.memory, self.inputs.strengths, progress
        )
        torch._foreach_copy_(after, settled)
        self.stack.memory.copy_(memory)

    def _fused(self) -> OnePass | None:
        """The kernel that updates weights, momenta and all in one pass over memory, on a device that has one."""
        device = self.stack.weights.device
        decay = sigmoid_decay(self._regularizer, self.inputs.strengths)
        adadecay = fused_adadecay(device, self._dtype) if decay is not None else None
        if adadecay is None or decay is None:
            return fused_sgd(device, self._dtype)
        self._decays_in_update = True
        inputs = self.inputs  # without ``self``, which keeps the function: memory is free once the step is dropped
        strengths, alphas, is_random = decay

        def one_pass(*tensors: Tensor | Sequence[Tensor] | None) -> None:
            noise = inputs.row("gradient") if is_random else None
            adadecay(*tensors, strengths=strengths, alphas=alphas, noise=noise)

        return one_pass

    def _update(self, gradients: Sequence[Tensor], kept: Kept) -> None:
        """The optimizer's update of all weights at once, with coupled decay, from the gradient of each parameter."""
        read, weights = self.inputs, self.stack.weights
        decay = read.weight_decay if self._regularizer.fills("weight_decay") else None
        if self._one_pass is not None:
            momenta = kept["momentum_buffer"]
            self._one_pass(weights, gradients, momenta, read.learning_rate, read.momentum, decay, read.masks)
            return
        gradient = self._gradient
        assert gradient is not None
        torch._foreach_copy_(self._networks.split(gradient), list(gradients))
        if decay is not None:
            gradient.addcmul_(weights, decay)
        if read.masks is not None:
            gradient.mul_(read.masks)
        self._optimizer.update(weights, gradient, kept, self._numbers(), read.row("optimizer"))

    def _numbers(self) -> Numbers:
        return Numbers(self.inputs.learning_rate, self.inputs.momentum, self.stack.steps, self._constants)


class LaneScores:
    """Cross-entropy and accuracy of all lanes of ``stack``, batch by batch, in evaluation mode.

    ``index``: the images to evaluate, [K, n] for each lane, or [n] for all lanes.
    """

    def __init__(
        self, networks: LaneNetworks, stack: Stack, images: Tensor, labels: Tensor, index: Tensor, batch: int
    ) -> None:
        self._networks, self._stack = networks, stack
        self._images, self._labels = images, labels
        self._n, self._batch = index.shape[-1], min(batch, index.shape[-1])
        #: The batch size of each call; the last batch may be smaller.
        self.sizes = chunk_sizes(self._n, self._batch)
        device = stack.weights.device
        self._index = chunked(index, self._batch).to(device)
        self._at = torch.zeros(1, dtype=torch.int64, device=device)
        self._loss = torch.zeros(len(stack.weights), dtype=torch.float64, device=device)
        self._correct = torch.zeros_like(self._loss)

    @property
    def state(self) -> list[Tensor]:
        """The tensors that a call changes."""
        return [self._loss, self._correct, self._at]

    def fits(self, index: Tensor) -> bool:
        """Whether ``begin`` can take another index."""
        return index.ndim == self._index.ndim - 1 and index.shape[-1] == self._n

    def begin(self, index: Tensor) -> None:
        """Begin another evaluation, with an index of the same shape."""
        upload(chunked(index, self._batch), self._index)
        for tensor in self.state:
            tensor.zero_()

    @torch.no_grad()
    def __call__(self, batch: int) -> None:
        """Evaluate the next ``batch`` images."""
        chunk = self._index.index_select(0, self._at).squeeze(0)[..., :batch]
        inputs = as_numbers(gather(self._images, chunk.flatten()), chunk, self._stack.weights.dtype)
        parameters = self._networks.split(self._stack.weights)
        outputs = self._networks.outputs(parameters, self._stack.buffers, inputs, train=False)
        targets = self._labels[chunk].expand(outputs.shape[:-1])
        picked = torch.log_softmax(outputs, -1).gather(-1, targets.unsqueeze(-1))
        self._loss.sub_(picked.sum((1, 2)).double())
        self._correct.add_((outputs.argmax(-1) == targets).sum(1))
        self._at.add_(1)

    def read(self) -> list[tuple[float, float]]:
        """Mean cross-entropy and accuracy of each lane."""
        loss, correct = (torch.stack([self._loss, self._correct]) / self._n).tolist()
        return list(zip(loss, correct, strict=True))


def as_numbers(images: Tensor, chunk: Tensor, dtype: torch.dtype) -> Tensor:
    """Images [K B, C, H, W] of an index [K, B] as numbers in [0, 1], [K, B, C, H, W]; without K for an index [B]."""
    inputs: Tensor = to_unit(images, dtype).unflatten(0, chunk.shape)  # type: ignore[no-untyped-call]
    return inputs


def _lanes(*arguments: Tensor | int | None) -> tuple[int | None, ...]:
    """The ``in_dims`` of vmap for a hook's arguments, of which the noise may be None."""
    return tuple(None if argument is None else 0 for argument in arguments)
