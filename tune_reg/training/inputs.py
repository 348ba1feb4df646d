"""The inputs of the steps of K lanes: tables on the device that stay in place, so that a captured step finds them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, product
from operator import itemgetter
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tune_reg.data.augment import draw
from tune_reg.models import draw_mask
from tune_reg.optimizers import evaluations_per_step, lane_update
from tune_reg.optimizers.rows import Piece, RowLayout, row_layout
from tune_reg.regularizers import Progress
from tune_reg.training.training_plan import EpochSettings, TrainingPlan

#: Bytes of the random numbers that are drawn at a time, for as many steps as fit into them.
BLOCK: Final = 2**24

#: Torch draws normal numbers so many at a time: multiples of it are the same numbers in one draw as in several.
_DRAWN_TOGETHER: Final = 16

#: Numbers that say how an image is augmented: its shift by rows and by columns, and whether it is mirrored.
_AUGMENTED: Final = 3


class Shapes(NamedTuple):
    """Shapes of the tensors of one lane that random numbers are drawn for."""

    image: tuple[int, ...]
    classes: int
    parameters: list[torch.Size]
    #: From a batch size: the shapes of the inputs of the dropout layers, in the order of their calls.
    hidden: Callable[[int], list[torch.Size]]


class LaneInputs:
    """Numbers, indices and random numbers of an epoch of K lanes.

    ``begin`` uploads what holds for an epoch and a table of what changes from step to step. ``draw`` draws random
    numbers for the next ``block`` steps, on the CPU, each lane's from its own streams, as a single run draws them, in
    several threads where a GPU waits for them, and uploads them without waiting for the device. An evaluation of the
    gradient, of which a step may take several, finds its row by ``at``, which counts them on the device.

    ``plan``: of any of the lanes, since all of them have the same number of steps, regularizer and optimizer.
    ``epoch``: the first that is read; others may follow that have the same size of batch.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        lanes: int,
        shapes: Shapes,
        *,
        dtype: torch.dtype,
        device: torch.device,
        epoch: int = 0,
    ) -> None:
        self._regularizer = plan.regularizer
        self._augments = plan.settings.augment == "crop-flip"
        self._shapes = shapes
        #: The number of classes of the data set.
        self.classes = shapes.classes
        self._dtype = dtype
        n = len(plan.train_index)
        self.batch = min(plan.batch_sizes[epoch], n)
        #: The number of images of an epoch.
        self.images = n
        chunks, evaluations = chunk_sizes(n, self.batch), evaluations_per_step(plan.settings.optimizer)
        taken = taken_chunks(len(chunks), evaluations)
        #: The batch size of each evaluation of each step; the last batch of an epoch may be smaller.
        self.steps = [tuple(chunks[i] for i in of_step) for of_step in taken]
        self._sizes = [size for of_step in self.steps for size in of_step]
        self._taken = torch.tensor(taken, device=device).flatten()

        def zeros(*shape: int, like: torch.dtype = dtype) -> Tensor:
            return torch.zeros(*shape, dtype=like, device=device)

        self.at = zeros(1, like=torch.int64)
        self.learning_rate, self.weight_decay, self.momentum = zeros(lanes, 1), zeros(lanes, 1), zeros(lanes, 1)
        self.strengths = {name: zeros(lanes) for name in plan.strengths(plan.progress(0, 0, dtype, self.at.device))}
        #: Which weights learn, 1, and which rest, 0.
        self.masks: Tensor | None = None
        if self._regularizer.fills("sparsity"):
            self.masks = zeros(lanes, row_layout(shapes.parameters).width)
        self._progress = zeros(len(chunks), 4, lanes)
        self._order = zeros(lanes, n, like=torch.int64)
        self._across = torch.arange(self.batch, device=device)
        purposes = ["mix", "inputs", "penalty", "gradient"]
        if self._regularizer.fills("dropout"):
            purposes.append("dropout")
        if lane_update(plan.settings.optimizer).draws:
            purposes.append("optimizer")
        widths = {purpose: self._layout(purpose, self.batch).width for purpose in purposes}
        drawn = {purpose: width for purpose, width in widths.items() if width}
        bytes_a_step = lanes * (sum(drawn.values()) * dtype.itemsize + self._augments * _AUGMENTED * self.batch * 8)
        bytes_a_step *= evaluations
        #: The number of steps that ``draw`` draws for at a time.
        self.block = len(self.steps) if not bytes_a_step else min(len(self.steps), max(1, BLOCK // bytes_a_step))
        self._rows = self.block * evaluations
        self._noise = {purpose: zeros(self._rows, lanes, width) for purpose, width in drawn.items()}
        self._augmented = zeros(self._rows, lanes, _AUGMENTED, self.batch * self._augments, like=torch.int64)
        self._threads = min(lanes, threads_for(device))

    def begin(
        self,
        lanes: Sequence[tuple[TrainingPlan, int]],
        settings: Sequence[EpochSettings],
        orders: Sequence[Tensor],
        *,
        streams: Sequence[Mapping[str, torch.Generator]] | None = None,
        step: int = 0,
    ) -> None:
        """Begin an epoch of each lane, given by its plan, the epoch's number and settings, and the order of images.

        ``streams``: each lane's streams of random numbers, with "dropout" where there is dropout, where they do not
        stand at the beginning of the epoch; ``step``: the first step that is left of it.
        """
        self.at.fill_(step * (self._rows // self.block))
        for column, numbers in (
            (self.learning_rate, [of_epoch.learning_rate for of_epoch in settings]),
            (self.weight_decay, [of_epoch.weight_decay for of_epoch in settings]),
            (self.momentum, [plan.settings.momentum for plan, _ in lanes]),
        ):
            upload(torch.tensor(numbers, dtype=self._dtype).unsqueeze(1), column)
        cpu = torch.device("cpu")
        strengths = [plan.strengths(plan.progress(epoch, 0, self._dtype, cpu)) for plan, epoch in lanes]
        for name, row in self.strengths.items():
            upload(torch.stack([of_lane[name] for of_lane in strengths]), row)
        upload(torch.stack([plan.progress_table(epoch, self._dtype) for plan, epoch in lanes], -1), self._progress)
        for lane, order in enumerate(orders):
            upload(order, self._order[lane])
        self._streams = streams or [
            {**plan.streams(epoch), "optimizer": plan.optimizer_stream(epoch), "dropout": plan.dropout_stream(epoch)}
            for plan, epoch in lanes
        ]
        self._dropout = [of_epoch.dropout for of_epoch in settings]

    def draw(self, first: int, end: int | None = None) -> None:
        """Draw the random numbers of the steps from ``first`` on, to the end of its block or up to the step ``end``.

        All steps before must have been started.
        """
        begin, evaluations = first % self.block, self._rows // self.block
        end = first - begin + self.block if end is None else end
        of_block = self._sizes[first * evaluations : end * evaluations]
        slots = list(enumerate(of_block, begin * evaluations))
        of_size = [(size, [slot for slot, _ in some]) for size, some in groupby(slots, key=itemgetter(1))]
        augmented = _host(self._augmented) if self._augments else None
        noise = {purpose: _host(table) for purpose, table in self._noise.items()}
        # Here, and not in the threads: the shapes of dropout's masks come from a pass of the network.
        pieces = {(purpose, size): self._layout(purpose, size).pieces for purpose in noise for size in {*of_block}}

        def draw_lane(lane: int) -> None:
            for slot, size in slots:
                if augmented is not None:
                    shifts, mirrored = draw(size, self._streams[lane]["augment"], padding=4, flip=True)
                    augmented[slot, lane, :2, :size], augmented[slot, lane, 2, :size] = shifts, mirrored
            for (size, of_them), (purpose, host) in product(of_size, noise.items()):
                self._draw_rows(purpose, lane, pieces[purpose, size], host[of_them[0] : of_them[-1] + 1, lane])

        lanes = range(len(self._streams))
        if self._threads == 1:
            for lane in lanes:
                draw_lane(lane)
        else:  # torch draws without holding Python's lock, and each lane has streams and rows of its own
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(draw_lane, lanes))
        if augmented is not None:
            upload(augmented, self._augmented)
        for purpose, table in self._noise.items():
            upload(noise[purpose], table)

    def _layout(self, purpose: str, size: int) -> RowLayout:
        """How the random numbers for ``purpose`` lie in a row of one lane."""
        return row_layout(shape for shape in self.wanted(purpose, size) if shape is not None)

    def _draw_rows(self, purpose: str, lane: int, pieces: Sequence[Piece], rows: Tensor) -> None:
        """Draw the numbers that one lane wants for ``purpose`` into ``rows``, one for each evaluation in turn."""
        stream, is_dropout = self._streams[lane][purpose], purpose == "dropout"
        at_once = not is_dropout and len(pieces) == 1 and pieces[0].size % _DRAWN_TOGETHER == 0
        for some in [rows] if at_once else torch.split(rows, 1):
            for piece in pieces:
                if not is_dropout:
                    noise = torch.randn(len(some), piece.size, generator=stream, dtype=self._dtype)
                elif rate := self._dropout[lane]:
                    noise = draw_mask(torch.Size(piece.shape), rate, stream, self._dtype).flatten()
                else:
                    noise = torch.ones(piece.size)
                some[:, piece.begin : piece.begin + piece.size] = noise

    # For a step

    def index(self, batch: int) -> Tensor:
        """The images of this evaluation's batch, as indices into the training set: int64 [K, B]."""
        return self._order.index_select(1, self._row(self._taken) * self.batch + self._across[:batch])

    def progress(self) -> Progress:
        """How far the training of each lane has come at this evaluation: four tensors [K]."""
        return Progress(*self._progress.index_select(0, self._row(self._taken)).squeeze(0).unbind())

    def augmented(self, batch: int) -> tuple[Tensor, Tensor]:
        """How the images of the batch are augmented: shifts int64 [2, K B] and mirrored bool [K B]."""
        row = self._row(self._augmented, self._rows)[:, :, :batch].transpose(0, 1).reshape(_AUGMENTED, -1)
        return row[:2], row[2].bool()

    def noise(self, purpose: str, batch: int) -> list[Tensor | None]:
        """The random numbers of this evaluation for ``purpose``: [K, *shape] for each shape of ``wanted``, or None."""
        wanted = self.wanted(purpose, batch)
        if purpose not in self._noise:
            return [None] * len(wanted)
        pieces = iter(self._layout(purpose, batch).split(self._row(self._noise[purpose], self._rows)))
        return [None if shape is None else next(pieces) for shape in wanted]

    def row(self, purpose: str) -> Tensor | None:
        """The random numbers of this evaluation for ``purpose``, rows laid out by ``row_layout``; or None."""
        return self._row(self._noise[purpose], self._rows) if purpose in self._noise else None

    def wanted(self, purpose: str, batch: int) -> list[tuple[int, ...] | None]:
        """The shapes of one lane's random numbers for each tensor that ``purpose`` acts on; None for no numbers."""
        reg = self._regularizer
        if purpose == "dropout":
            return [tuple(shape) for shape in self._shapes.hidden(batch)]
        if purpose == "optimizer":
            return [tuple(shape) for shape in self._shapes.parameters]
        return [reg.noise_shape(purpose, like) if reg.fills(purpose) else None for like in self._likes(purpose, batch)]

    def _likes(self, purpose: str, batch: int) -> list[torch.Size]:
        """The shapes of the tensors of one lane that ``purpose`` acts on."""
        if purpose == "gradient":
            return self._shapes.parameters
        of_images = purpose in ("mix", "inputs")
        return [torch.Size([batch, *(self._shapes.image if of_images else [self._shapes.classes])])]

    def _row(self, table: Tensor, rows: int | None = None) -> Tensor:
        """This evaluation's row of a table of all of them, or of ``rows`` at a time."""
        row = table.index_select(0, self.at if rows is None else self.at.remainder(rows))
        return row if table.ndim == 1 else row.squeeze(0)


def threads_for(device: torch.device) -> int:
    """The threads that draw random numbers: all CPUs where a GPU waits for them, one where the CPUs train.

    >>> threads_for(torch.device("cpu"))
    1
    """
    return len(os.sched_getaffinity(0)) if device.type == "cuda" else 1


def chunk_sizes(n: int, size: int) -> list[int]:
    """The sizes of ``n`` things in pieces of ``size``, of which the last may be smaller.

    >>> chunk_sizes(7, 3)
    [3, 3, 1]
    """
    return [min(size, n - begin) for begin in range(0, n, size)]


def taken_chunks(chunks: int, evaluations: int) -> list[list[int]]:
    """Which pieces of an epoch each step takes, where a step takes ``evaluations`` of them.

    An epoch stays one pass over the images: where fewer pieces are left, they are taken again from the first of them.

    >>> taken_chunks(3, 1), taken_chunks(5, 3)
    ([[0], [1], [2]], [[0, 1, 2], [3, 4, 3]])
    """
    begins = range(0, chunks, evaluations)
    return [[b + i % min(evaluations, chunks - b) for i in range(evaluations)] for b in begins]


def chunked(index: Tensor, size: int) -> Tensor:
    """An index [*, n] in pieces of one size: [pieces, *, size], the last piece filled up with zeros.

    >>> chunked(torch.tensor([5, 6, 7]), 2)
    tensor([[5, 6],
            [7, 0]])
    """
    pieces = math.ceil(index.shape[-1] / size)
    padded = functional.pad(index, (0, pieces * size - index.shape[-1]))
    return padded.view(*index.shape[:-1], pieces, size).movedim(-2, 0)


def upload(host: Tensor, table: Tensor) -> None:
    """Copy ``host`` into ``table``, in place; to a GPU in the order of its work, without waiting for the copy."""
    if table.is_cuda and not host.is_pinned():
        host = host.pin_memory()
    if host is not table:
        table.copy_(host, non_blocking=True)


def _host(table: Tensor) -> Tensor:
    """A tensor on the host to fill before ``upload`` copies it into ``table``; on the CPU ``table`` itself."""
    if table.device.type == "cpu":
        return table
    # A new one each time: the copy of the last may not be done. Torch reuses pinned memory when its copy is done. Of
    # zeros, since nothing is drawn for the padding of a row.
    return torch.zeros(table.shape, dtype=table.dtype, pin_memory=table.is_cuda)
