"""What the steps of a single run read: drawn when it is asked for, or from tables that stay where they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import torch
from torch import Tensor, nn

from tune_reg.data import Dataset, crop_flip
from tune_reg.data.augment import shift_mirror
from tune_reg.optimizers import evaluations_per_step, lane_update
from tune_reg.regularizers import Progress, Strengths
from tune_reg.training.dropout_hook import DropoutHook
from tune_reg.training.inputs import LaneInputs, Shapes, taken_chunks
from tune_reg.training.step import draw_noise
from tune_reg.training.training_plan import EpochSettings, TrainingPlan

#: Streams that a forward or backward pass draws from; a second pass over the same batch begins where the first did.
_OF_A_PASS: Final = frozenset({"dropout", "penalty"})

#: The streams of an epoch by their purpose.
Streams = Mapping[str, torch.Generator]


class SerialInputs(Protocol):
    """Numbers, indices and random numbers of an epoch, one evaluation of the gradient after the other.

    A step evaluates one batch or, with some optimizers, several. It is given by the number of its first batch.
    """

    #: The hyperparameters that are numbers, in this epoch.
    strengths: Strengths

    def prepare(self, step: int) -> None:
        """Be ready for a step of the epoch, on the host; the next evaluation is its first."""

    def left_at(self, step: int) -> None:
        """Let each stream of random numbers stand where the epoch goes on from ``step``."""

    def index(self, size: int) -> Tensor:
        """Begin an evaluation: the images of its batch, as indices into the training set, int64 [B]."""

    def progress(self) -> Progress:
        """How far the training has come at this evaluation."""

    def augmented(self, images: Tensor) -> Tensor:
        """The images [B, C, H, W], shifted and mirrored."""

    def noise(self, hook: str, like: Tensor) -> Tensor | None:
        """The noise of a hook for a tensor; None for a hook without noise."""

    def normal(self, parameter: Tensor) -> Tensor:
        """Standard normal numbers for the optimizer's update of a parameter."""

    def begin_pass(self, again: bool) -> None:
        """Begin a pass over the batch; ``again``: with the random numbers of the pass before."""

    def end(self) -> None:
        """End the evaluation: what is read next is that of the next one."""


class DrawnInputs:
    """Draws each number from its stream when a step asks for it."""

    def __init__(
        self, plan: TrainingPlan, epoch: int, streams: Streams, *, dtype: torch.dtype, device: torch.device
    ) -> None:
        self._regularizer, self._streams, self._dtype, self._device = plan.regularizer, streams, dtype, device
        self._chunks = torch.split(plan.order(epoch).to(device), plan.batch_sizes[epoch])
        # Strengths change from epoch to epoch alone, and making tensors costs time in every step.
        self.strengths: Strengths = plan.strengths(plan.progress(epoch, 0, dtype, device))
        self._progress = [Progress(*row.unbind()) for row in plan.progress_table(epoch, dtype).to(device)]
        taken = taken_chunks(len(self._chunks), evaluations_per_step(plan.settings.optimizer))
        #: The batch of each evaluation, of which the step's own come one after the other.
        self._taken = list(itertools.chain.from_iterable(taken))
        self._at = 0
        self._begin: dict[str, Tensor] = {}

    def prepare(self, step: int) -> None:
        """Let ``step`` be the next one."""
        self._at = step

    def left_at(self, step: int) -> None:
        """The streams stand there, since a step draws what it needs alone."""

    def index(self, size: int) -> Tensor:
        """The images of the batch."""
        chunk = self._chunks[self._taken[self._at]]
        assert len(chunk) == size
        return chunk

    def progress(self) -> Progress:
        """How far the training has come at this evaluation."""
        return self._progress[self._taken[self._at]]

    def augmented(self, images: Tensor) -> Tensor:
        """The images, shifted and mirrored at random."""
        return crop_flip(images, self._streams["augment"])

    def noise(self, hook: str, like: Tensor) -> Tensor | None:
        """Draw the noise of a hook for a tensor."""
        noise = draw_noise(self._regularizer, hook, like.shape, self._streams[hook], self._dtype)
        return None if noise is None else noise.to(self._device)

    def normal(self, parameter: Tensor) -> Tensor:
        """Draw the numbers for a parameter."""
        return torch.randn(parameter.shape, generator=self._streams["optimizer"], dtype=self._dtype).to(self._device)

    def begin_pass(self, again: bool) -> None:
        """Let the streams of a pass stand where they stood before the pass that is repeated."""
        if again:
            for name, state in self._begin.items():
                self._streams[name].set_state(state)
        elif self._regularizer.fills("ascend"):
            self._begin = {name: self._streams[name].get_state() for name in _OF_A_PASS & self._streams.keys()}

    def end(self) -> None:
        """Count the evaluation."""
        self._at += 1


class TableInputs:
    """Reads from tables on the device, so that a step needs nothing from the host and can be captured.

    The tables are those of one lane. Random numbers are the ones that ``DrawnInputs`` draws. ``parameters``: of
    ``model``, those that are trained; ``dropout``: follows the dropout layers of ``model``, which are off. ``epoch``:
    the first that is read; the tables hold for all epochs with its size of batch.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        epoch: int,
        dataset: Dataset,
        model: nn.Module,
        parameters: Sequence[Tensor],
        dropout: DropoutHook,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        def images(batch: int) -> Tensor:
            of_images = dataset.train_images.dtype if dataset.values == "integers" else dtype
            return torch.zeros(batch, *dataset.image, dtype=of_images, device=device)

        def hidden(batch: int) -> list[torch.Size]:
            if batch not in shapes:
                with torch.no_grad():
                    shapes[batch] = dropout.input_shapes(model, images(batch))
            return shapes[batch]

        shapes: dict[int, list[torch.Size]] = {}
        self._dropout = dropout
        self._drops = plan.regularizer.fills("dropout")
        # A single run draws no noise for a parameter that has no part in the loss.
        draws = plan.regularizer.fills("gradient") or lane_update(plan.settings.optimizer).draws
        learning = _with_part(model, images(2), parameters) if draws else parameters
        of_lane = Shapes(dataset.image, dataset.classes, [parameter.shape for parameter in learning], hidden)
        self.table = LaneInputs(plan, 1, of_lane, dtype=dtype, device=device, epoch=epoch)
        self.strengths: Strengths = {name: of_lanes[0] for name, of_lanes in self.table.strengths.items()}
        #: The learning rate, 0-d, as the kernels of torch's optimizers take it: in float32.
        self.learning_rate = torch.zeros((), dtype=torch.float32, device=device)
        #: The coefficient of weight decay, 0-d.
        self.weight_decay = self.table.weight_decay.view(())
        #: Which weights learn, by the parameter's index; empty for a regularizer that lets all of them learn.
        self.masks: dict[int, Tensor] = {}
        if plan.regularizer.fills("sparsity"):
            self.masks = {i: torch.ones_like(parameter) for i, parameter in enumerate(parameters)}
        self._gradient_noise: Iterator[Tensor | None] = iter(())
        self._normal: Iterator[Tensor | None] = iter(())
        self._evaluations = evaluations_per_step(plan.settings.optimizer)
        self._size = 0

    def begin(
        self,
        plan: TrainingPlan,
        epoch: int,
        settings: EpochSettings,
        streams: Streams,
        masks: Mapping[int, Tensor],
        step: int,
    ) -> None:
        """Begin an epoch at one of its steps; ``streams`` stand there."""
        self._streams = streams
        step //= self._evaluations
        self.table.begin([(plan, epoch)], [settings], [plan.order(epoch)], streams=[streams], step=step)
        self.learning_rate.fill_(settings.learning_rate)
        for i, mask in self.masks.items():
            mask.copy_(masks[i]) if i in masks else mask.fill_(1)
        self._drawn: tuple[int, dict[str, Tensor]] | None = None

    def prepare(self, step: int) -> None:
        """Draw and upload a block of random numbers where ``step`` is the first of one."""
        step //= self._evaluations
        if self._drawn is None or step % self.table.block == 0:
            self._drawn = step, {purpose: stream.get_state() for purpose, stream in self._streams.items()}
            self.table.draw(step)

    def left_at(self, step: int) -> None:
        """Let the streams, which were drawn from for a whole block, stand where ``step`` begins."""
        if self._drawn is None:
            return
        begin, states = self._drawn
        for purpose, state in states.items():
            self._streams[purpose].set_state(state)
        self.table.draw(begin, step // self._evaluations)

    def index(self, size: int) -> Tensor:
        """The images of the batch."""
        self._size = size
        self._gradient_noise = iter(self.table.noise("gradient", size))
        self._normal = iter(self.table.noise("optimizer", size))
        return self.table.index(size)[0]

    def progress(self) -> Progress:
        """How far the training has come at this evaluation."""
        return Progress(*(of_lanes[0] for of_lanes in self.table.progress()))

    def augmented(self, images: Tensor) -> Tensor:
        """The images, shifted and mirrored as drawn."""
        return shift_mirror(images, *self.table.augmented(self._size), padding=4)

    def noise(self, hook: str, like: Tensor) -> Tensor | None:
        """The noise of a hook, for the tensor that it asks for next."""
        del like
        noise = next(self._gradient_noise) if hook == "gradient" else self.table.noise(hook, self._size)[0]
        return None if noise is None else noise[0]

    def normal(self, parameter: Tensor) -> Tensor:
        """The numbers for the parameter that asks for them next."""
        del parameter
        normal = next(self._normal)
        assert normal is not None
        return normal[0]

    def begin_pass(self, again: bool) -> None:
        """Let the dropout layers multiply by the masks of this evaluation, in each pass by the same ones."""
        del again
        if self._drops:
            masks = self.table.noise("dropout", self._size)
            self._dropout.masks = (mask[0] for mask in masks if mask is not None)

    def end(self) -> None:
        """Count the evaluation, on the device."""
        self._dropout.masks = None
        self.table.at.add_(1)


def _with_part(model: nn.Module, images: Tensor, parameters: Sequence[Tensor]) -> list[Tensor]:
    """The parameters that have a part in the model's outputs; the model is left in evaluation mode."""
    with torch.enable_grad():
        gradients = torch.autograd.grad(model.eval()(images).sum(), list(parameters), allow_unused=True)
    return [parameter for parameter, part in zip(parameters, gradients, strict=True) if part is not None]
