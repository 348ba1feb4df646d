"""LaneEngine: trains many runs of one architecture side by side, as one batched network."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap

from tune_reg import data, models, optimizers
from tune_reg.data import Dataset
from tune_reg.data.augment import draw, shift_mirror
from tune_reg.errors import StudyError
from tune_reg.regularizers import Progress
from tune_reg.training.course import Course, EpochPlan, EpochRow, epoch_row, not_finite
from tune_reg.training.lane_key import check_same, lane_key
from tune_reg.training.lane_networks import LaneNetworks, Stack
from tune_reg.training.lane_noise import before_the_batch
from tune_reg.training.run import Run
from tune_reg.training.step import data_loss, draw_noise, regularized, to_unit


@dataclass
class Lane:
    """Where the run of one lane stands."""

    course: Course
    epoch: int = 0
    diverged: bool = False
    history: list[EpochRow] = field(default_factory=list)
    resting: bool = False

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
        self._dropout_shapes: dict[int, list[torch.Size]] = {}

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
        # The rest of the lanes neither cost time nor change.
        stack = self._networks.stack if len(active) == len(self.lanes) else self._networks.stack.take(active)
        losses = self._train(active, stack, plans)
        if stack is not self._networks.stack:
            self._networks.stack.put(active, stack)
        validation = self._evaluate("validation", active, stack)
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
        return self._evaluate(part, range(len(self.lanes)), self._networks.stack)

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

    # Training

    def _train(self, active: Sequence[int], stack: Stack, plans: Sequence[EpochPlan]) -> list[float]:
        """One pass of each active lane over its own subset; the mean training losses."""
        lanes = [self.lanes[lane] for lane in active]
        masks = self._rest(active, lanes, stack)
        epoch = _Epoch(lanes, plans, masks, self.device, self.dtype)
        total = torch.zeros(len(active), dtype=torch.float64, device=self.device)
        order = torch.stack([lane.course.order(lane.epoch) for lane in lanes]).to(self.device)
        for i, chunk in enumerate(torch.split(order, self.key.batch_size, dim=1)):
            total += self._step(epoch, stack, chunk, epoch.moments[i]) * chunk.shape[1]
        mean: list[float] = (total / order.shape[1]).tolist()
        return mean

    def _rest(self, active: Sequence[int], lanes: Sequence[Lane], stack: Stack) -> Tensor | None:
        """Which weights of each lane learn in this epoch, [K, P] of 0 and 1, or None for all; momenta of others go."""
        drawn = [
            own.course.masks(own.epoch, self._networks.parameters(lane))
            for lane, own in zip(active, lanes, strict=True)
        ]
        if not any(drawn):
            return None
        masks = torch.ones_like(stack.weights)
        for i, piece in enumerate(self._networks.split(masks)):
            for k, own in enumerate(drawn):
                if i in own:
                    piece[k] = own[i]
        stack.momenta.mul_(masks)
        return masks

    def _step(self, epoch: _Epoch, stack: Stack, chunk: Tensor, now: Progress) -> Tensor:
        """One step of all lanes on their images [K, B]; the losses float64 [K], without penalties."""
        reg, strengths = self._regularizer, epoch.strengths
        targets = self._labels[chunk]
        inputs = self._inputs(epoch, chunk)
        if reg.fills("inputs"):
            noise = self._noise(epoch, "inputs", inputs)
            inputs = vmap(reg.inputs, in_dims=_lanes(0, 0, 0, noise))(inputs, strengths, now, noise)
        if reg.fills("penalty"):
            inputs.requires_grad_()
        parameters = [piece.detach().requires_grad_() for piece in self._networks.split(stack.weights)]
        outputs = self._networks.outputs(
            parameters, stack.buffers, inputs, train=True, masks=self._dropped(epoch, chunk.shape[1])
        )
        losses = vmap(partial(data_loss, reg, self.key.loss))(outputs, targets, strengths, now)
        objective = losses
        if reg.fills("penalty"):
            noise = self._noise(epoch, "penalty", outputs)
            noise = None if noise is None else before_the_batch(reg, noise, outputs.shape[1:])
            objective = losses + self._one_a_lane(reg.penalty(inputs, outputs, targets, strengths, now, noise), losses)
        # The sum keeps lanes apart: the gradient of each is 1, whatever the others are.
        gradients = torch.autograd.grad(objective.sum(), parameters)
        with torch.no_grad():
            gradient = torch.empty_like(stack.weights)
            torch._foreach_copy_(self._networks.split(gradient), gradients)
            if reg.fills("update") or reg.fills("gradient"):
                self._regularize(epoch, stack.weights, gradient, now)
            _sgd(epoch, stack, gradient)
        return losses.detach().double()

    def _inputs(self, epoch: _Epoch, chunk: Tensor) -> Tensor:
        """The images [K, B, C, H, W] in [0, 1] at [K, B], augmented."""
        images = data.gather(self._images, chunk.flatten())
        if self.key.augment == "crop-flip":
            drawn = [draw(chunk.shape[1], source["augment"], padding=4, flip=True) for source in epoch.sources]
            shifts, mirrored = zip(*drawn, strict=True)
            images = shift_mirror(images, torch.cat(shifts, 1), torch.cat(mirrored), padding=4)
        return self._to_unit(images, chunk)

    def _to_unit(self, images: Tensor, chunk: Tensor) -> Tensor:
        """Images [K B, C, H, W] of an index [K, B] as numbers [K, B, C, H, W], or without K where it has none."""
        inputs: Tensor = to_unit(images, self.dtype).unflatten(0, chunk.shape)  # type: ignore[no-untyped-call]
        return inputs

    def _dropped(self, epoch: _Epoch, batch: int) -> list[Tensor]:
        """A mask [K, *hidden] for each call of a dropout layer."""
        if not any(epoch.dropout):
            return []
        if batch not in self._dropout_shapes:
            self._dropout_shapes[batch] = self._networks.dropout_shapes(batch)
        return [
            torch.stack(
                [
                    models.draw_mask(shape, rate, source, self.dtype) if rate else torch.ones(shape, dtype=self.dtype)
                    for rate, source in zip(epoch.dropout, epoch.dropout_sources, strict=True)
                ]
            ).to(self.device)
            for shape in self._dropout_shapes[batch]
        ]

    def _noise(self, epoch: _Epoch, hook: str, like: Tensor) -> Tensor | None:
        """What ``hook`` wants for each lane of a tensor [K, *shape]: [K, *wanted], each from the lane's own stream."""
        shape = like.shape[1:]
        drawn = [draw_noise(self._regularizer, hook, shape, own[hook], self.dtype) for own in epoch.sources]
        wanted = [noise for noise in drawn if noise is not None]
        return torch.stack(wanted).to(self.device) if wanted else None

    def _one_a_lane(self, penalty: Tensor, losses: Tensor) -> Tensor:
        if penalty.shape != losses.shape:
            raise StudyError(
                f"lanes: the penalty of {self.key.regularizer!r} must keep the lanes' axis {list(losses.shape)} of "
                f"inputs and outputs, but it gives {list(penalty.shape)}; train its runs one by one"
            )
        return penalty

    def _regularize(self, epoch: _Epoch, weights: Tensor, gradient: Tensor, now: Progress) -> None:
        """What the regularizer does to weights and gradients [K, P] between backward pass and step, in place."""
        reg = self._regularizer
        apart = partial(regularized, reg)
        for w, g in zip(self._networks.split(weights), self._networks.split(gradient), strict=True):
            noise = self._noise(epoch, "gradient", g) if reg.fills("gradient") else None
            dims = _lanes(0, 0, 0, 0, noise)
            updated, regular = vmap(apart, in_dims=dims)(w, g, epoch.strengths, now, noise)
            if reg.fills("update"):
                w.copy_(updated)
            g.copy_(regular)

    # Evaluation

    def _part(self, part: str, lanes: Sequence[Lane]) -> tuple[Tensor, Tensor, Tensor]:
        """Images, labels, and the index of each lane [K, n], or [n] where all have the same."""
        if part == "test" or (part == "validation" and self.key.protocol == "paper"):
            images, labels = self.dataset.test_images.to(self.device), self.dataset.test_labels.to(self.device)
            return images, labels, torch.arange(len(labels), device=self.device)
        indices = [lane.course.train_index if part == "train" else lane.course.val_index for lane in lanes]
        alike = all(index.equal(indices[0]) for index in indices)
        index = indices[0] if alike else torch.stack(indices)
        return self._images, self._labels, index.to(self.device)

    @torch.no_grad()
    def _evaluate(self, part: str, active: Sequence[int], stack: Stack) -> list[tuple[float, float]]:
        images, labels, index = self._part(part, [self.lanes[lane] for lane in active])
        parameters = self._networks.split(stack.weights)
        loss = torch.zeros(len(active), dtype=torch.float64, device=self.device)
        correct = torch.zeros_like(loss)
        # Batches no larger than in training, so that evaluation never needs more memory.
        for chunk in torch.split(index, self.key.batch_size, dim=-1):
            inputs = self._to_unit(data.gather(images, chunk.flatten()), chunk)
            outputs = self._networks.outputs(parameters, stack.buffers, inputs, train=False)
            targets = labels[chunk].expand(outputs.shape[:-1])
            picked = torch.log_softmax(outputs, -1).gather(-1, targets.unsqueeze(-1))
            loss -= picked.sum((1, 2)).double()
            correct += (outputs.argmax(-1) == targets).sum(1)
        n = index.shape[-1]
        return list(zip((loss / n).tolist(), (correct / n).tolist(), strict=True))


class _Epoch:
    """What the active lanes need in one epoch, stacked: scalars [K, 1], strengths [K], ``Progress`` of [K] a step."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        plans: Sequence[EpochPlan],
        masks: Tensor | None,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        def column(numbers: Sequence[float]) -> Tensor:
            return torch.tensor(numbers, dtype=dtype, device=device).unsqueeze(1)

        courses = [(lane.course, lane.epoch) for lane in lanes]
        own = [course.strengths(course.moment(epoch, 0, dtype, torch.device("cpu"))) for course, epoch in courses]
        self.strengths = {name: torch.stack([each[name] for each in own]).to(device) for name in own[0]}
        # All steps in one transfer: [steps, 4, K].
        steps = range(courses[0][0].steps(courses[0][1]))
        where = [[course.where(epoch, step) for course, epoch in courses] for step in steps]
        moments = torch.tensor(where, dtype=dtype, device=device).transpose(1, 2)
        self.moments = [Progress(*of_step.unbind()) for of_step in moments]
        self.learning_rate = column([plan.learning_rate for plan in plans])
        self.weight_decay = column([plan.weight_decay for plan in plans])
        self.decays = any(plan.weight_decay for plan in plans)
        self.momentum = column([course.settings.momentum for course, _ in courses])
        self.masks = masks
        self.sources = [course.sources(epoch) for course, epoch in courses]
        self.dropout = [plan.dropout for plan in plans]
        self.dropout_sources = [course.dropout_source(epoch) for course, epoch in courses]


def _sgd(epoch: _Epoch, stack: Stack, gradient: Tensor) -> None:
    """SGD with momentum and coupled decay, of all weights at once; ``gradient`` [K, P] is used up."""
    if epoch.decays:
        gradient.addcmul_(stack.weights, epoch.weight_decay)
    if epoch.masks is not None:
        gradient.mul_(epoch.masks)
    torch.addcmul(gradient, stack.momenta, epoch.momentum, out=stack.momenta)  # in one pass over memory
    stack.weights.addcmul_(stack.momenta, epoch.learning_rate, value=-1)


def _lanes(*arguments: Tensor | int | None) -> tuple[int | None, ...]:
    """``in_dims`` of a hook whose last argument may be None."""
    return tuple(None if argument is None else 0 for argument in arguments)
