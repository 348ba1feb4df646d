"""The ways to train runs that ``lanes.py`` compares: single runs, lanes, and single runs as CUDA graphs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import torch
from _shared.images import synthetic_images
from _shared.measuring import timed
from torch import Tensor
from torch.nn import functional

from _lanes.roofline import Work, flop_of, least_bytes
from tune_reg import data
from tune_reg.data import Dataset
from tune_reg.training import LaneEngine, Run, SerialEngine, TrainingSettings
from tune_reg.training.cuda_graphs import Replayed, graphs_for
from tune_reg.training.inputs import chunk_sizes, chunked, upload
from tune_reg.training.precision import forward_pass
from tune_reg.training.step import data_loss, draw_noise, regularized

PLAIN = "plain SGD"
REGULARIZERS = {
    PLAIN: ("weight-decay", "weight_decay"),
    "adadecay": ("adadecay", "weight_decay"),
    "hsfob, one probe": ("hsfob", "strength"),
}
#: Regularizers beside plain SGD.
OTHERS = tuple(title for title in REGULARIZERS if title != PLAIN)
#: Precisions beside float32, which is what torch makes of it; "tf32": all products may take TensorFloat-32.
PRECISIONS = ("bfloat16", "tf32")


class Case(NamedTuple):
    """What all contenders train: the runs of a case differ in numbers alone."""

    model: str
    title: str
    images: int
    batch: int
    precision: str = "float32"


class Contender(Protocol):
    """A way to train one or more runs. Each run trains and validates whole epochs."""

    def epoch(self) -> object:
        """Train an epoch of each run."""

    def step_seconds(self) -> float | None:
        """The time of a training step of all runs, without validation; None where no step can be timed by itself."""


def images_of(count: int) -> Dataset:
    """Synthetic images: ``count`` to train on, a fifth more for validation, and 100 for the test."""
    return synthetic_images(count * 6 // 5, 100)


def run_of(case: Case, lane: int) -> Run:
    """A run of the case; its strength, learning rate and seed depend on the lane."""
    name, strength = REGULARIZERS[case.title]
    value = 0.0 if case.title == PLAIN else 1e-4 * (lane + 1)
    rate = 1e-4 * (lane + 1)
    precision = "bfloat16" if case.precision == "bfloat16" else "float32"
    training = TrainingSettings(epochs=100_000, batch_size=case.batch, learning_rate=rate, precision=precision)
    return Run("synthetic", case.model, name, {strength: value}, training, seed=lane)


@contextlib.contextmanager
def products(precision: str) -> Iterator[None]:
    """What torch may do with products of float32 matrices and convolutions on a GPU, for a precision of a case."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    if precision == "tf32":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


class Eager:
    """One run whose steps are launched one after the other."""

    def __init__(self, case: Case, dataset: Dataset, device: torch.device) -> None:
        self.engine = SerialEngine(run_of(case, 0), dataset=dataset, device=device)
        self.engine._graphs = None  # as a training loop without graphs

    def epoch(self) -> None:
        self.engine.train_epoch()

    def step_seconds(self) -> None:
        return None


class Lanes:
    """K runs that a lane engine trains side by side."""

    def __init__(self, case: Case, lanes: int, dataset: Dataset, device: torch.device) -> None:
        self.device = device
        self.engine = LaneEngine([run_of(case, lane) for lane in range(lanes)], dataset=dataset, device=device)

    def epoch(self) -> None:
        self.engine.train_epoch()
        for lane in self.engine.lanes:
            lane.diverged = False  # its time counts all the same

    def step_seconds(self) -> float:
        engine, active = self.engine, range(len(self.engine.lanes))
        program = engine._program_for(active)
        settings = [lane.plan.epoch_settings(lane.epoch) for lane in engine.lanes]
        engine._train(program, active, settings)  # whatever is left to capture
        lanes = [(lane.plan, lane.epoch) for lane in engine.lanes]
        program.inputs.begin(lanes, settings, [lane.order() for lane in engine.lanes])
        steps = program.inputs.steps[: program.inputs.block]
        program.inputs.draw(0)
        return timed(lambda: [program.train(batches) for batches in steps], self.device) / len(steps)


def work_of(case: Case, lanes: int) -> Work:
    """What a step of so many lanes must do, counted on the CPU: the device makes no difference to it."""
    dataset = images_of(2 * case.batch)
    engine = LaneEngine([run_of(case, 0)], dataset=dataset)
    program = engine._program_for([0])
    plan = engine.lanes[0].plan
    program.inputs.begin([(plan, 0)], [plan.epoch_settings(0)], [plan.order(0)])
    program.inputs.draw(0)
    flop = flop_of(lambda: program.step((program.inputs.batch,)))
    parameters = engine._networks.stack.weights.shape[1]
    moved = least_bytes(parameters, lanes, dataset.train_images[0].numel(), program.inputs.batch)
    return Work(moved, lanes * flop)


class Graphed:
    """One run whose step and validation are CUDA graphs: data, order, noise and weights stay on the device."""

    def __init__(self, case: Case, dataset: Dataset, device: torch.device) -> None:
        self.engine = engine = SerialEngine(run_of(case, 0), dataset=dataset, device=device)
        plan = engine.plan
        self.momenta = [torch.zeros_like(parameter) for parameter in engine.parameters]
        self.now = plan.progress(0, 0, torch.float32, device)
        self.strengths = plan.strengths(self.now)
        self.sizes = chunk_sizes(len(plan.train_index), case.batch)
        self.order = chunked(plan.order(0), case.batch).to(device)
        self.checks = chunk_sizes(len(plan.val_index), 8 * case.batch)
        self.checked = chunked(plan.val_index, 8 * case.batch).to(device)
        self.at = torch.zeros(1, dtype=torch.int64, device=device)
        self.scores = torch.zeros(2, dtype=torch.float64, device=device)
        self.noise: Tensor | None = None
        if plan.regularizer.fills("penalty"):
            shape = torch.Size([case.batch, dataset.classes])
            noise = draw_noise(plan.regularizer, "penalty", shape, torch.Generator(), torch.float32)
            self.noise = None if noise is None else noise.to(device)
        graphs = graphs_for(device)
        state = [*engine.model.state_dict().values(), *self.momenta, self.at]
        # Its noise comes from the device's own stream, so that a replay is never the same step again.
        self.train = (Replayed if self.noise is None else UncheckedReplay)(self.step, state, graphs)
        self.check = Replayed(self.validate, [self.scores, self.at], graphs)

    def epoch(self) -> list[float]:
        engine = self.engine
        engine.model.train()
        upload(chunked(engine.plan.order(0), self.order.shape[-1]), self.order)
        self.at.zero_()
        for size in self.sizes:
            self.train(size)
        engine.model.eval()
        self.at.zero_()
        self.scores.zero_()
        for size in self.checks:
            self.check(size)
        scores: list[float] = self.scores.tolist()
        return scores

    def step_seconds(self) -> float:
        self.epoch()
        self.engine.model.train()
        self.at.zero_()
        return timed(lambda: [self.train(size) for size in self.sizes], self.engine.device) / len(self.sizes)

    def step(self, size: int) -> None:
        """The step of a single run with SGD, for which the device needs nothing from the host."""
        engine, reg = self.engine, self.engine.regularizer
        index = self.order.index_select(0, self.at).squeeze(0)[:size]
        inputs = data.to_unit(data.gather(engine._images, index), torch.float32).requires_grad_(reg.fills("penalty"))
        targets = engine._labels[index]
        with forward_pass(engine.settings.precision):
            outputs = engine.model(inputs)
        outputs = outputs.float()
        loss = data_loss(reg, engine.settings.loss, outputs, targets, None, self.strengths, self.now)
        if reg.fills("penalty"):
            noise = None if self.noise is None else self.noise.normal_()[:, :size]
            loss = loss + reg.penalty(inputs, outputs, targets, self.strengths, self.now, noise)
        gradients: list[Tensor] = list(torch.autograd.grad(loss, engine.parameters))
        with torch.no_grad():
            for i, (parameter, gradient) in enumerate(zip(engine.parameters, gradients, strict=True)):
                gradients[i] = regularized(reg, parameter, gradient, self.strengths, self.now, None)[1]
            torch._foreach_mul_(self.momenta, engine.settings.momentum)
            torch._foreach_add_(self.momenta, gradients)
            torch._foreach_add_(engine.parameters, self.momenta, alpha=-engine.settings.learning_rate)
            self.at.add_(1)

    @torch.no_grad()
    def validate(self, size: int) -> None:
        """Add loss and number of correct predictions of a batch of validation images to ``scores``."""
        index = self.checked.index_select(0, self.at).squeeze(0)[:size]
        outputs = self.engine.model(data.to_unit(data.gather(self.engine._images, index), torch.float32))
        targets = self.engine._labels[index]
        loss = functional.cross_entropy(outputs, targets, reduction="sum")
        self.scores.add_(torch.stack([loss, (outputs.argmax(1) == targets).sum()]))
        self.at.add_(1)


class UncheckedReplay(Replayed):
    """A replayed step that is not compared with the eager one."""

    def _capture(self, graphs: Any, step: Callable[[], None]) -> Callable[[], object]:
        replay: Callable[[], object] = graphs.capture(step)
        replay()
        return replay
