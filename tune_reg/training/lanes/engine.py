"""The lane engine: trains many runs of one architecture side by side, as one batched network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tune_reg.data import Dataset, load
from tune_reg.errors import StudyError
from tune_reg.models import is_convolutional
from tune_reg.optimizers import lane_update
from tune_reg.store.schema import EpochValues
from tune_reg.training.cuda_graphs import Replayed, graphs_for
from tune_reg.training.epoch_row import epoch_row, has_diverged
from tune_reg.training.inputs import LaneInputs, Shapes
from tune_reg.training.lanes.key import check_same, lane_key
from tune_reg.training.lanes.networks import LaneNetworks, Stack
from tune_reg.training.lanes.optimizer_state import counted_steps, optimizer_state
from tune_reg.training.lanes.step import LaneScores, LaneStep
from tune_reg.training.precision import products
from tune_reg.training.run import Run
from tune_reg.training.training_plan import EpochSettings, TrainingPlan


@dataclass
class Lane:
    """The run of one lane, and how far its training has come."""

    plan: TrainingPlan
    #: Epochs done.
    epoch: int = 0
    diverged: bool = False
    history: list[EpochValues] = field(default_factory=list)
    #: Set by ``LaneEngine.rest``: the run is trained no further.
    resting: bool = False
    #: An epoch and the order of its images, drawn in advance.
    _drawn_order: tuple[int, Tensor] | None = None

    @property
    def batch_size(self) -> int:
        """The batch size of the next epoch."""
        return self.plan.batch_sizes[self.epoch]

    @property
    def is_validated_next(self) -> bool:
        """Whether the network is validated after the next epoch."""
        return self.plan.settings.validates_after(self.epoch + 1)

    def order(self) -> Tensor:
        """The images of the next epoch, in its order: int64 [n]."""
        if self._drawn_order is None or self._drawn_order[0] != self.epoch:
            self._drawn_order = self.epoch, self.plan.order(self.epoch)
        return self._drawn_order[1]

    def draw_next_order(self) -> None:
        """Draw the order of the epoch after the next one, while the device works.

        Shuffling takes the host longer than anything else that an epoch asks of it.
        """
        if self.epoch + 1 < self.plan.settings.epochs:
            self._drawn_order = self.epoch + 1, self.plan.order(self.epoch + 1)

    @property
    def run(self) -> Run:
        """The run in this lane."""
        return self.plan.run

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.resting or self.diverged or self.epoch >= self.plan.settings.epochs


class LaneEngine:
    """Trains K runs with the same ``lane_key``, an epoch of each at a time, as if each were alone.

    Each lane has its own weights, optimizer's state, batch statistics, numbers, schedules, epoch, seed, subset and
    random streams. The state of a lane equals the state of its run in a ``SerialEngine`` up to rounding, in the same
    form, and depends on neither the other lanes nor the lane's number. Lanes that are finished rest, unchanged, until
    ``replace`` gives them another run. Where the batch size has a schedule, lanes step together whose next epochs have
    the same one.

    Within an epoch the host draws random numbers and starts steps, and reads nothing back. On a GPU the steps are CUDA
    graphs after the first few.

    ``dtype``: of parameters and arithmetic. ``dataset``: used instead of loading the data set of the runs. Raises
    StudyError for runs that differ in more than numbers, and for a model that torch.func.vmap cannot take.

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
        for number, run in enumerate(runs):
            check_same(lane_key(run), number, self.key)
        self.device = torch.device(device)
        self.dtype = dtype
        self.dataset = dataset or load(self.key.dataset, data_root)
        self.lanes = [Lane(TrainingPlan(run, self.dataset)) for run in runs]
        self._regularizer = self.lanes[0].plan.regularizer
        first = self._network(self.lanes[0].plan)
        memory = self._regularizer.memory_size(sum(parameter.requires_grad for parameter in first.parameters()))
        kept = lane_update(self.key.optimizer).kept
        self._networks = LaneNetworks(
            first,
            len(runs),
            self.key.model,
            self.dataset.image,
            memory=memory,
            kept=kept,
            twice=self._regularizer.fills("penalty"),
        )
        for number, lane in enumerate(self.lanes):
            self._networks.write(number, lane.plan.network(self.dataset).state_dict())
        self._images = self.dataset.train_images.to(self.device)
        self._labels = self.dataset.train_labels.to(self.device)
        self._graphs = graphs_for(self.device)
        #: By the batch size and the number of lanes.
        self._programs: dict[tuple[int, int], _Program] = {}

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train in any lane."""
        return all(lane.finished for lane in self.lanes)

    def train_epoch(self) -> dict[int, EpochValues]:
        """Train the next epoch of each lane that is not finished, and validate; the row of each, by lane.

        A loss that is not finite ends the lane's run. ``wall_s`` is a lane's share of the time of all.
        """
        active = [number for number, lane in enumerate(self.lanes) if not lane.finished]
        if not active:
            return {}
        begin = time.perf_counter()
        settings = {number: self.lanes[number].plan.epoch_settings(self.lanes[number].epoch) for number in active}
        validated = {number for number in active if self.lanes[number].is_validated_next}
        together = self._together(active)
        self._drop_programs(together)
        programs = [(numbers, self._program_for(numbers)) for numbers in together]
        for numbers, program in programs:
            with products(self.key.precision):
                self._train(program, numbers, [settings[number] for number in numbers])
            if not validated.isdisjoint(numbers):
                with products("float32"):
                    self._validate(program, [self.lanes[number] for number in numbers])
        for number in active:
            self.lanes[number].draw_next_order()
        # Only now are results read: until here a GPU was given work without waiting for it.
        results: dict[int, tuple[float, tuple[float, float]]] = {}
        for numbers, program in programs:
            results |= zip(numbers, zip(program.step.read(), program.scores.read(), strict=True), strict=True)
            if program.stack is not self._networks.stack:
                self._networks.stack.put(numbers, program.stack)
        wall_s = (time.perf_counter() - begin) / len(active)
        for number in active:
            lane, (loss, scores) = self.lanes[number], results[number]
            lane.epoch += 1
            row = epoch_row(lane.epoch, settings[number], loss, scores if number in validated else (None, None), wall_s)
            lane.diverged = has_diverged(row)
            lane.history.append(row)
        return {number: self.lanes[number].history[-1] for number in active}

    def evaluate(self, part: str) -> list[tuple[float, float]]:
        """Mean cross-entropy and accuracy of each lane on "train", "validation" or "test", in evaluation mode."""
        scores = self._scores(part, self.lanes, self._networks.stack)
        with products("float32"):
            for size in scores.sizes:
                scores(size)
        return scores.read()

    def replace(self, lane: int, run: Run, state: dict[str, Any] | None = None) -> None:
        """Put another run into a lane, in place, at its beginning or at ``state``; the other lanes stay untouched.

        Raises StudyError for a run that differs from the other lanes in more than numbers, before anything changes.
        """
        self._check(lane)
        check_same(lane_key(run), lane, self.key)
        plan = TrainingPlan(run, self.dataset)
        weights = plan.network(self.dataset).state_dict()
        self.lanes[lane] = Lane(plan)
        self._networks.write(lane, weights)
        if state is not None:
            self.load_state(lane, state)

    def rest(self, lane: int) -> None:
        """Train the run of a lane no further: the lane costs nothing until ``replace`` gives it another run."""
        self._check(lane)
        self.lanes[lane].resting = True

    def state(self, lane: int) -> dict[str, Any]:
        """The state of the lane's run for a checkpoint, in the form of ``SerialEngine.state``; a copy."""
        self._check(lane)
        trained = self.lanes[lane]
        return {
            "epoch": trained.epoch,
            "diverged": trained.diverged,
            "history": list(trained.history),
            "model": self._networks.read(lane),
            "optimizer": optimizer_state(
                trained.plan.settings,
                self._networks.read_kept(lane),
                int(self._networks.stack.steps[lane]),
                begun=trained.epoch > 0,
            ),
            **({"memory": memory.clone()} if len(memory := self._networks.stack.memory[lane]) else {}),
        }

    def load_state(self, lane: int, state: dict[str, Any]) -> None:
        """Let the run of a lane go on from ``state``, of this engine or of ``SerialEngine``."""
        self._check(lane)
        self._networks.write(lane, state["model"])
        self._networks.write_kept(lane, {int(i): kept for i, kept in state["optimizer"]["state"].items()})
        if "memory" in state:
            self._networks.stack.memory[lane] = state["memory"]
        loaded, steps = self.lanes[lane], counted_steps(state["optimizer"])
        if steps is None:
            steps = sum(loaded.plan.steps(epoch) for epoch in range(state["epoch"]))
        self._networks.stack.steps[lane] = steps
        loaded.epoch, loaded.diverged, loaded.history = state["epoch"], state["diverged"], list(state["history"])

    def _check(self, lane: int) -> None:
        if not 0 <= lane < len(self.lanes):
            raise StudyError(f"lanes: lane must lie in 0 .. {len(self.lanes) - 1}, but got {lane}")

    def _network(self, plan: TrainingPlan) -> nn.Module:
        network = plan.network(self.dataset).to(self.device, self.dtype)
        if is_convolutional(network):
            network = network.to(memory_format=torch.channels_last)
        return network

    # An epoch

    def _together(self, active: Sequence[int]) -> list[list[int]]:
        """The active lanes, apart by the batch size of their next epochs."""
        by_size: dict[int, list[int]] = {}
        for number in active:
            by_size.setdefault(self.lanes[number].batch_size, []).append(number)
        return list(by_size.values())

    def _kind(self, numbers: Sequence[int]) -> tuple[int, int]:
        """The batch size and the number of lanes, which decide by what steps lanes are trained."""
        return self.lanes[numbers[0]].batch_size, len(numbers)

    def _drop_programs(self, together: Sequence[Sequence[int]]) -> None:
        """Drop the steps that train none of these lanes: their memory is free before others are made.

        Of the steps that train all lanes the last ones are kept: lanes that rest may be given other runs.
        """
        needed = set(map(self._kind, together))
        if not any(lanes == len(self.lanes) for _, lanes in needed):
            needed |= {kind for kind in self._programs if kind[1] == len(self.lanes)}
        self._programs = {kind: program for kind, program in self._programs.items() if kind in needed}

    def _program_for(self, numbers: Sequence[int]) -> _Program:
        """The steps that train lanes whose next epochs have one batch size; the others neither cost time nor change."""
        lanes, whole, kind = [self.lanes[number] for number in numbers], self._networks.stack, self._kind(numbers)
        if kind not in self._programs:
            self._programs[kind] = self._make(
                lanes, whole if len(lanes) == len(self.lanes) else whole.zeros(len(lanes))
            )
        program = self._programs[kind]
        if program.stack is not whole:
            whole.take(numbers, program.stack)
        return program

    def _make(self, lanes: Sequence[Lane], stack: Stack) -> _Program:
        networks, plan = self._networks, lanes[0].plan
        shapes = Shapes(self.dataset.image, self.dataset.classes, networks.shapes, networks.dropout_shapes)
        inputs = LaneInputs(plan, len(lanes), shapes, dtype=self.dtype, device=self.device, epoch=lanes[0].epoch)
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

    def _train(self, program: _Program, numbers: Sequence[int], settings: Sequence[EpochSettings]) -> None:
        """Let each of these lanes pass once over its training images."""
        lanes, inputs = [self.lanes[number] for number in numbers], program.inputs
        inputs.begin([(lane.plan, lane.epoch) for lane in lanes], settings, [lane.order() for lane in lanes])
        program.step.loss.zero_()
        if inputs.masks is not None:
            self._write_masks(numbers, inputs.masks)
            if "momentum_buffer" in program.stack.kept:
                program.stack.kept["momentum_buffer"].mul_(inputs.masks)
        for i, batches in enumerate(inputs.steps):
            if i % inputs.block == 0:
                inputs.draw(i)
            program.train(batches)

    def _write_masks(self, numbers: Sequence[int], masks: Tensor) -> None:
        """Write which weights of each of these lanes learn in this epoch into ``masks`` [K, P]."""
        masks.fill_(1)
        pieces = self._networks.split(masks)
        for k, number in enumerate(numbers):
            lane = self.lanes[number]
            for i, mask in lane.plan.masks(lane.epoch, self._networks.parameters(number)).items():
                pieces[i][k] = mask

    def _validate(self, program: _Program, lanes: Sequence[Lane]) -> None:
        index = self._index("validation", lanes)
        if not program.scores.fits(index):  # a lane was replaced by a run with another validation split
            program.scores = self._scores("validation", lanes, program.stack)
            program.validate = Replayed(program.scores, program.scores.state, self._graphs)
        program.scores.begin(index)
        for size in program.scores.sizes:
            program.validate(size)

    def _scores(self, part: str, lanes: Sequence[Lane], stack: Stack) -> LaneScores:
        images, labels = self._images, self._labels
        if lanes[0].plan.reads_test_images(part):
            images, labels = self.dataset.test_images.to(self.device), self.dataset.test_labels.to(self.device)
        # Batches no larger than the largest of training, so that evaluation never needs more memory.
        index = self._index(part, lanes)
        return LaneScores(self._networks, stack, images, labels, index, self.key.batch_size)

    def _index(self, part: str, lanes: Sequence[Lane]) -> Tensor:
        """The images of a part, on the CPU: the index of each lane [K, n], or one [n] for all lanes."""
        if lanes[0].plan.reads_test_images(part):
            return torch.arange(len(self.dataset.test_labels))
        indices = [lane.plan.train_index if part == "train" else lane.plan.val_index for lane in lanes]
        equal = len({lane.run.split_seed for lane in lanes}) == 1 if part == "validation" else len(lanes) == 1
        return indices[0] if equal else torch.stack(indices)


@dataclass
class _Program:
    """The tensors of a number of lanes, and the steps that train and validate them."""

    stack: Stack
    inputs: LaneInputs
    step: LaneStep
    scores: LaneScores
    train: Replayed[tuple[int, ...]]
    validate: Replayed[int]
