"""What the steps of K lanes read: tables on the device, always the same tensors, so that a captured step finds them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tune_reg import models
from tune_reg.data.augment import draw
from tune_reg.regularizers import Progress
from tune_reg.training.course import Course, EpochPlan
from tune_reg.training.step import draw_noise

#: Random numbers are drawn for as many steps at a time as take so many bytes.
BLOCK: Final = 2**24

#: What happens to an image in augmentation: its shift by rows and columns, and whether it is mirrored.
_AUGMENTED: Final = 3


class Shapes(NamedTuple):
    """Of what random numbers are drawn for, in one lane. Batches have the shapes that they are asked for with."""

    image: tuple[int, int, int]
    classes: int
    parameters: list[torch.Size]
    #: Of the inputs of the dropout layers, in the order of their calls, for a batch size.
    hidden: Callable[[int], list[torch.Size]]


class LaneInputs:
    """Numbers, indices and chance of an epoch of K lanes.

    ``begin`` uploads what holds for an epoch and a table of what changes from step to step. ``draw`` draws random
    numbers for the next ``block`` steps, on the CPU, each lane's from its own streams, as a single run draws them, and
    uploads them without waiting for the device. A step finds its row by ``at``, which counts steps on the device.

    ``course``: of any of the lanes, which all have as many steps and the same regularizer.
    """

    def __init__(
        self,
        course: Course,
        lanes: int,
        shapes: Shapes,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._regularizer = course.regularizer
        self._augments = course.settings.augment == "crop-flip"
        self._shapes = shapes
        self._dtype = dtype
        n = len(course.train_index)
        self.batch = min(course.batch_sizes[0], n)
        #: The batch of each step; the last may be smaller.
        self.sizes = chunk_sizes(n, self.batch)

        def zeros(*shape: int, like: torch.dtype = dtype) -> Tensor:
            return torch.zeros(*shape, dtype=like, device=device)

        self.at = zeros(1, like=torch.int64)
        self.learning_rate, self.weight_decay, self.momentum = zeros(lanes, 1), zeros(lanes, 1), zeros(lanes, 1)
        self.strengths = {name: zeros(lanes) for name in course.strengths(course.moment(0, 0, dtype, self.at.device))}
        #: Which weights learn, 1, and which rest, 0.
        self.masks: Tensor | None = None
        if self._regularizer.fills("sparsity"):
            self.masks = zeros(lanes, sum(math.prod(shape) for shape in shapes.parameters))
        self._moments = zeros(len(self.sizes), 4, lanes)
        self._order = zeros(lanes, n, like=torch.int64)
        self._across = torch.arange(self.batch, device=device)
        sizes = {purpose: _numel(self.wanted(purpose, self.batch)) for purpose in ("inputs", "penalty", "gradient")}
        if self._regularizer.fills("dropout"):
            sizes["dropout"] = _numel(self.wanted("dropout", self.batch))
        drawn = {purpose: size for purpose, size in sizes.items() if size}
        bytes_a_step = lanes * (sum(drawn.values()) * dtype.itemsize + self._augments * _AUGMENTED * self.batch * 8)
        #: For so many steps ``draw`` draws at a time.
        self.block = len(self.sizes) if not bytes_a_step else min(len(self.sizes), max(1, BLOCK // bytes_a_step))
        self._noise = {purpose: zeros(self.block, lanes, size) for purpose, size in drawn.items()}
        self._augmented = zeros(self.block, lanes, _AUGMENTED, self.batch * self._augments, like=torch.int64)

    def begin(self, lanes: Sequence[tuple[Course, int]], plans: Sequence[EpochPlan], orders: Sequence[Tensor]) -> None:
        """Let an epoch begin: the course of each lane, its epoch, what that is to be, and the order of its images."""
        self.at.zero_()
        for column, numbers in (
            (self.learning_rate, [plan.learning_rate for plan in plans]),
            (self.weight_decay, [plan.weight_decay for plan in plans]),
            (self.momentum, [course.settings.momentum for course, _ in lanes]),
        ):
            upload(torch.tensor(numbers, dtype=self._dtype).unsqueeze(1), column)
        cpu = torch.device("cpu")
        own = [course.strengths(course.moment(epoch, 0, self._dtype, cpu)) for course, epoch in lanes]
        for name, row in self.strengths.items():
            upload(torch.stack([strengths[name] for strengths in own]), row)
        upload(torch.stack([course.moments(epoch, self._dtype) for course, epoch in lanes], -1), self._moments)
        for lane, order in enumerate(orders):
            upload(order, self._order[lane])
        self._sources = [course.sources(epoch) for course, epoch in lanes]
        self._dropout = [plan.dropout for plan in plans]
        self._dropout_sources = [course.dropout_source(epoch) for course, epoch in lanes]

    def draw(self, first: int) -> None:
        """Draw for the steps from ``first`` on; the steps before it must have been asked for."""
        if self._augments:
            host = _host(self._augmented)
            for slot, size in enumerate(self.sizes[first : first + self.block]):
                for lane, source in enumerate(self._sources):
                    shifts, mirrored = draw(size, source["augment"], padding=4, flip=True)
                    host[slot, lane, :2, :size], host[slot, lane, 2, :size] = shifts, mirrored
            upload(host, self._augmented)
        for purpose, table in self._noise.items():
            host = _host(table)
            for slot, size in enumerate(self.sizes[first : first + self.block]):
                for lane in range(len(self._sources)):
                    self._draw_row(purpose, lane, size, host[slot, lane])
            upload(host, table)

    def _draw_row(self, purpose: str, lane: int, size: int, row: Tensor) -> None:
        end = 0
        for wanted, like in zip(self.wanted(purpose, size), self._likes(purpose, size), strict=True):
            if wanted is None:
                continue
            if purpose == "dropout":
                rate, generator = self._dropout[lane], self._dropout_sources[lane]
                noise = models.draw_mask(like, rate, generator, self._dtype) if rate else torch.ones(like)
            else:
                drawn = draw_noise(self._regularizer, purpose, like, self._sources[lane][purpose], self._dtype)
                assert drawn is not None
                noise = drawn
            row[end : end + noise.numel()].copy_(noise.flatten())
            end += noise.numel()

    # What a step reads

    def index(self, batch: int) -> Tensor:
        """The images of this step's batch, as indices into the training set: int64 [K, B]."""
        return self._order.index_select(1, self.at * self.batch + self._across[:batch])

    def now(self) -> Progress:
        """Where each lane stands: [K] each."""
        return Progress(*self._row(self._moments).unbind())

    def augmented(self, batch: int) -> tuple[Tensor, Tensor]:
        """Shifts [2, K B] and mirrored [K B] of the images of the batch."""
        row = self._row(self._augmented, self.block)[:, :, :batch].transpose(0, 1).reshape(_AUGMENTED, -1)
        return row[:2], row[2].bool()

    def noise(self, purpose: str, batch: int) -> list[Tensor | None]:
        """The random numbers of each thing that ``purpose`` wants some for: [K, *wanted]."""
        wanted = self.wanted(purpose, batch)
        if purpose not in self._noise:
            return [None] * len(wanted)
        row, end = self._row(self._noise[purpose], self.block), 0
        pieces: list[Tensor | None] = []
        for shape in wanted:
            if shape is None:
                pieces.append(None)
                continue
            pieces.append(row[:, end : end + math.prod(shape)].view(len(row), *shape))
            end += math.prod(shape)
        return pieces

    def wanted(self, purpose: str, batch: int) -> list[tuple[int, ...] | None]:
        """The shape of the random numbers for each of the things that ``purpose`` may want some for."""
        reg = self._regularizer
        if purpose == "dropout":
            return [tuple(shape) for shape in self._shapes.hidden(batch)]
        return [reg.noise_shape(purpose, like) if reg.fills(purpose) else None for like in self._likes(purpose, batch)]

    def _likes(self, purpose: str, batch: int) -> list[torch.Size]:
        if purpose == "dropout":
            return self._shapes.hidden(batch)
        if purpose == "gradient":
            return self._shapes.parameters
        return [torch.Size([batch, *(self._shapes.image if purpose == "inputs" else [self._shapes.classes])])]

    def _row(self, table: Tensor, block: int | None = None) -> Tensor:
        """This step's row of a table of all steps, or of ``block`` of them."""
        return table.index_select(0, self.at if block is None else self.at.remainder(block)).squeeze(0)


def chunk_sizes(n: int, size: int) -> list[int]:
    """``n`` in pieces of ``size``; the last may be smaller.

    >>> chunk_sizes(7, 3)
    [3, 3, 1]
    """
    return [min(size, n - begin) for begin in range(0, n, size)]


def chunked(index: Tensor, size: int) -> Tensor:
    """An index [*, n] in pieces: [pieces, *, size], the last filled up with zeros.

    >>> chunked(torch.tensor([5, 6, 7]), 2)
    tensor([[5, 6],
            [7, 0]])
    """
    pieces = math.ceil(index.shape[-1] / size)
    padded = functional.pad(index, (0, pieces * size - index.shape[-1]))
    return padded.view(*index.shape[:-1], pieces, size).movedim(-2, 0)


def upload(host: Tensor, table: Tensor) -> None:
    """Copy into ``table``, in place; to a GPU in the order of its work, without waiting for it."""
    if table.is_cuda and not host.is_pinned():
        host = host.pin_memory()
    if host is not table:
        table.copy_(host, non_blocking=True)


def _host(table: Tensor) -> Tensor:
    """Where to write what ``upload`` brings into ``table``: the table itself on the CPU."""
    if table.device.type == "cpu":
        return table
    # A new one each time: the last may be on its way. Torch takes its memory back when it has arrived.
    return torch.empty(table.shape, dtype=table.dtype, pin_memory=table.is_cuda)


def _numel(shapes: Sequence[tuple[int, ...] | None]) -> int:
    return sum(math.prod(shape) for shape in shapes if shape is not None)
