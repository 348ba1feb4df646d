"""LaneEngine: trains many runs of one architecture side by side, as one batched network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tune_reg import data, models, optimizers
from tune_reg.data import Dataset
from tune_reg.errors import StudyError
from tune_reg.training.course import Course, EpochPlan, EpochRow, epoch_row, not_finite
from tune_reg.training.lane_inputs import LaneInputs, Shapes
from tune_reg.training.lane_key import check_same, lane_key
from tune_reg.training.lane_networks import LaneNetworks, Stack
from tune_reg.training.lane_step import LaneScores, LaneStep
from tune_reg.training.replay import Replayed, graphs_for
from tune_reg.training.run import Run


@dataclass
class Lane:
    """Where the run of one lane stands."""

    course: Course
    epoch: int = 0
    diverged: bool = False
    history: list[EpochRow] = field(default_factory=list)
    resting: bool = False
    _ahead: tuple[int, Tensor] | None = None

    def order(self) -> Tensor:
        """The images of the epoch that comes next, in its order."""
        if self._ahead is None or self._ahead[0] != self.epoch:
            self._ahead = self.epoch, self.course.order(self.epoch)
        return self._ahead[1]

    def look_ahead(self) -> None:
        """Draw the order of the epoch after the next one: a shuffle is the dearest that an epoch asks of the host."""
        if self.epoch + 1 < self.course.settings.epochs:
            self._ahead = self.epoch + 1, self.course.order(self.epoch + 1)

    @property
    def run(self) -> Run:
        """The run in this lane."""
        return self.course.run

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.resting or self.diverged or self.epoch >= self.course.settings.epochs


class LaneEngine:
    """Trains K runs with the same ``lane_key``, an epoch of each at a time, as if each were alone.

    Each lane has its own weights, momenta and batch statistics, numbers, schedules, epoch, seed, subset and streams of
    chance. Its state is that of ``SerialEngine`` up to rounding, in the same form, and depends on neither the other
    lanes nor its place. Lanes that are finished rest, unchanged, until ``replace`` gives them another run.

    Within an epoch the host draws random numbers and starts steps, and reads nothing back. On a GPU the steps are CUDA
    graphs after the first few.

    ``dtype``: of parameters and arithmetic. ``dataset``: in place of loading that of the runs. Raises StudyError for
    runs that differ in more than numbers, for optimizers other than SGD, for batch sizes with a schedule, and for a
    model that torch.func.vmap cannot take.

    >>> from tune_reg.training import Run, TrainingSettings
    >>> training = TrainingSettings(epochs=1)
    >>> runs = [Run("digits", "nn-2-small", "l1", {"strength": s}, training) for s in (0.0, 1e-4)]
    >>> engine = LaneEngine(runs)
    >>> rows = engine.train_epoch()
    >>> [(lane, row["epoch"]) for lane, row in rows.items()], engine.finished
    ([(0, 1), (1, 1)], True)
    """

    def __init__(
        self,
        runs: Sequence[Run],
        *,
        data_root: Path | None = None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        dataset: Dataset | None = None,
    ) -> None:
        if not runs:
            raise StudyError("lanes: runs must not be empty; give at least one run")
        self.key = lane_key(runs[0])
        for lane, run in enumerate(runs):
            check_same(lane_key(run), lane, self.key)
        self.device = torch.device(device)
        self.dtype = dtype
        self.dataset = dataset or data.load(self.key.dataset, data_root)
        self.lanes = [Lane(Course(run, self.dataset)) for run in runs]
        self._regularizer = self.lanes[0].course.regularizer
        first = self._network(self.lanes[0].course)
        self._networks = LaneNetworks(first, len(runs), self.key.model, self.dataset.image)
        for lane, own in enumerate(self.lanes):
            self._networks.write(lane, own.course.network(self.dataset).state_dict())
        self._images = self.dataset.train_images.to(self.device)
        self._labels = self.dataset.train_labels.to(self.device)
        self._graphs = graphs_for(self.device)
        self._program: _Program | None = None

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train in any lane."""
        return all(lane.finished for lane in self.lanes)

    def train_epoch(self) -> dict[int, EpochRow]:
        """Train the next epoch of each lane that is not finished, and validate; its row, by lane.

        A loss that is not finite ends the lane's run. ``wall_s`` is a lane's share of the time of all.
        """
        active = [lane for lane, own in enumerate(self.lanes) if not own.finished]
        if not active:
            return {}
        begin = time.perf_counter()
        lanes = [self.lanes[lane] for lane in active]
        plans = [lane.course.plan(lane.epoch) for lane in lanes]
        program = self._program_for(active)
        self._train(program, active, plans)
        self._validate(program, lanes)
        for own in lanes:
            own.look_ahead()
        # Nothing was read before: on a GPU all of it was only started.
        losses, validation = program.step.read(), program.scores.read()
        if program.stack is not self._networks.stack:
            self._networks.stack.put(active, program.stack)
        wall_s = (time.perf_counter() - begin) / len(active)
        rows = {}
        for lane, plan, loss, scores in zip(active, plans, losses, validation, strict=True):
            own = self.lanes[lane]
            own.epoch += 1
            rows[lane] = epoch_row(own.epoch, plan, loss, scores, wall_s)
            own.diverged = not_finite(rows[lane])
            own.history.append(rows[lane])
        return rows

    def evaluate(self, part: str) -> list[tuple[float, float]]:
        """Mean cross-entropy and accuracy of each lane on "train", "validation" or "test", in evaluation mode."""
        scores = self._scores(part, self.lanes, self._networks.stack)
        for size in scores.sizes:
            scores(size)
        return scores.read()

    def replace(self, lane: int, run: Run, state: dict[str, Any] | None = None) -> None:
        """Put another run into a lane, in place, at its beginning or at ``state``. The other lanes do not notice.

        Raises StudyError for a run that differs from the other lanes in more than numbers, before anything changes.
        """
        self._check(lane)
        check_same(lane_key(run), lane, self.key)
        course = Course(run, self.dataset)
        weights = course.network(self.dataset).state_dict()
        self.lanes[lane] = Lane(course)
        self._networks.write(lane, weights)
        if state is not None:
            self.load_state(lane, state)

    def rest(self, lane: int) -> None:
        """Train the run of a lane no further: the lane costs nothing until ``replace`` gives it another run."""
        self._check(lane)
        self.lanes[lane].resting = True

    def state(self, lane: int) -> dict[str, Any]:
        """What a checkpoint of the lane's run holds, as ``SerialEngine.state`` has it; a copy."""
        self._check(lane)
        own = self.lanes[lane]
        weights, momenta = self._networks.read(lane)
        settings = own.course.settings
        # A parameter's state begins with its first step, and only momentum needs one.
        begun = own.epoch > 0 and settings.momentum > 0
        optimizer = optimizers.build(
            "sgd", momenta.values(), lr=settings.learning_rate, momentum=settings.momentum, weight_decay=0.0
        ).state_dict()
        optimizer["state"] = {i: {"momentum_buffer": buffer} for i, buffer in momenta.items()} if begun else {}
        return {
            "epoch": own.epoch,
            "diverged": own.diverged,
            "history": list(own.history),
            "model": weights,
            "optimizer": optimizer,
        }

    def load_state(self, lane: int, state: dict[str, Any]) -> None:
        """Let the run of a lane go on from ``state``, of this engine or of ``SerialEngine``."""
        self._check(lane)
        buffers = {int(i): own.get("momentum_buffer") for i, own in state["optimizer"]["state"].items()}
        self._networks.write(lane, state["model"], {i: b for i, b in buffers.items() if b is not None})
        own = self.lanes[lane]
        own.epoch, own.diverged, own.history = state["epoch"], state["diverged"], list(state["history"])

    def _check(self, lane: int) -> None:
        if not 0 <= lane < len(self.lanes):
            raise StudyError(f"lanes: lane must lie in 0 .. {len(self.lanes) - 1}, but got {lane}")

    def _network(self, course: Course) -> nn.Module:
        network = course.network(self.dataset).to(self.device, self.dtype)
        if models.is_convolutional(network):
            network = network.to(memory_format=torch.channels_last)
        return network

    # An epoch

    def _program_for(self, active: Sequence[int]) -> _Program:
        """What trains so many lanes. Those that rest neither cost time nor change."""
        lanes = [self.lanes[lane] for lane in active]
        if self._program is None or len(self._program.stack.weights) != len(active):
            self._program = None  # its memory is free before the next one is made
            whole = self._networks.stack
            self._program = self._make(lanes, whole if len(active) == len(self.lanes) else whole.room(len(active)))
        if self._program.stack is not self._networks.stack:
            self._networks.stack.take(active, self._program.stack)
        return self._program

    def _make(self, lanes: Sequence[Lane], stack: Stack) -> _Program:
        networks, course = self._networks, lanes[0].course
        shapes = Shapes(self.dataset.image, self.dataset.classes, networks.shapes, networks.dropout_shapes)
        inputs = LaneInputs(course, len(lanes), shapes, dtype=self.dtype, device=self.device)
        step = LaneStep(networks, stack, inputs, self._regularizer, self.key, self._images, self._labels)
        scores = self._scores("validation", lanes, stack)
        return _Program(
            stack,
            inputs,
            step,
            scores,
            Replayed(step, step.state, self._graphs),
            Replayed(scores, scores.state, self._graphs),
        )

    def _train(self, program: _Program, active: Sequence[int], plans: Sequence[EpochPlan]) -> None:
        """One pass of each active lane over its own subset."""
        lanes, inputs = [self.lanes[lane] for lane in active], program.inputs
        inputs.begin([(lane.course, lane.epoch) for lane in lanes], plans, [lane.order() for lane in lanes])
        program.step.loss.zero_()
        if inputs.masks is not None:
            self._rest(active, inputs.masks)
            program.stack.momenta.mul_(inputs.masks)
        for i, size in enumerate(inputs.sizes):
            if i % inputs.block == 0:
                inputs.draw(i)
            program.train(size)

    def _rest(self, active: Sequence[int], masks: Tensor) -> None:
        """Which weights of each lane learn in this epoch, into ``masks`` [K, P]."""
        masks.fill_(1)
        pieces = self._networks.split(masks)
        for k, lane in enumerate(active):
            own = self.lanes[lane]
            for i, mask in own.course.masks(own.epoch, self._networks.parameters(lane)).items():
                pieces[i][k] = mask

    def _validate(self, program: _Program, lanes: Sequence[Lane]) -> None:
        _, _, index = self._part("validation", lanes)
        if not program.scores.fits(index):  # some lanes were replaced by runs with a split of their own
            program.scores = self._scores("validation", lanes, program.stack)
            program.validate = Replayed(program.scores, program.scores.state, self._graphs)
        program.scores.begin(index)
        for size in program.scores.sizes:
            program.validate(size)

    def _scores(self, part: str, lanes: Sequence[Lane], stack: Stack) -> LaneScores:
        images, labels, index = self._part(part, lanes)
        # Batches no larger than in training, so that evaluation never needs more memory.
        return LaneScores(self._networks, stack, images, labels, index, self.key.batch_size)

    def _part(self, part: str, lanes: Sequence[Lane]) -> tuple[Tensor, Tensor, Tensor]:
        """Images and labels on the device, and on the CPU the index of each lane [K, n], or [n] where all are alike."""
        if part == "test" or (part == "validation" and self.key.protocol == "paper"):
            images, labels = self.dataset.test_images.to(self.device), self.dataset.test_labels.to(self.device)
            return images, labels, torch.arange(len(labels))
        indices = [lane.course.train_index if part == "train" else lane.course.val_index for lane in lanes]
        alike = len({lane.run.split_seed for lane in lanes}) == 1 if part == "validation" else len(lanes) == 1
        return self._images, self._labels, indices[0] if alike else torch.stack(indices)


@dataclass
class _Program:
    """What trains and validates so many lanes: their tensors, and the steps on them."""

    stack: Stack
    inputs: LaneInputs
    step: LaneStep
    scores: LaneScores
    train: Replayed
    validate: Replayed
