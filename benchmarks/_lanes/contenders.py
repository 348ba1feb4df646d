"""The ways to train runs that ``lanes.py`` compares: single runs, lanes, and single runs as CUDA graphs."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple, Protocol

import torch
from _shared.images import synthetic_images
from _shared.measuring import timed

from _lanes.roofline import Work, flop_of, least_bytes
from tune_reg.data import Dataset
from tune_reg.training import LaneEngine, Run, SerialEngine, TrainingSettings
from tune_reg.training.precision import products

PLAIN = "plain SGD"
REGULARIZERS = {
    PLAIN: ("weight-decay", "weight_decay"),
    "adadecay": ("adadecay", "weight_decay"),
    "hsfob, one probe": ("hsfob", "strength"),
}
#: Regularizers beside plain SGD.
OTHERS = tuple(title for title in REGULARIZERS if title != PLAIN)
#: Precisions beside float32.
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
    training = TrainingSettings(epochs=10_000, batch_size=case.batch, learning_rate=rate, precision=case.precision)
    return Run("synthetic", case.model, name, {strength: value}, training, seed=lane)


class Graphed:
    """One run whose step and validation are CUDA graphs on a GPU, as in a study."""

    def __init__(self, case: Case, dataset: Dataset, device: torch.device) -> None:
        self.engine = SerialEngine(run_of(case, 0), dataset=dataset, device=device)

    def epoch(self) -> None:
        self.engine.train_epoch()

    def step_seconds(self) -> None:
        return None


class Eager(Graphed):
    """One run whose steps are launched one after the other, as in a training loop without graphs."""

    def __init__(self, case: Case, dataset: Dataset, device: torch.device) -> None:
        super().__init__(case, dataset, device)
        self.engine._graphs = None


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
        with products(engine.key.precision):
            engine._train(program, active, settings)  # whatever is left to capture
            lanes = [(lane.plan, lane.epoch) for lane in engine.lanes]
            program.inputs.begin(lanes, settings, [lane.order() for lane in engine.lanes])
            steps = program.inputs.steps[: program.inputs.block]
            program.inputs.draw(0)
            return timed(lambda: [program.train(batches) for batches in steps], self.device) / len(steps)


def work_of(case: Case, lanes: int) -> Work:
    """What a step of so many lanes must do, counted on the CPU: the device makes no difference to it."""
    of_one = _work_of_one(case._replace(images=0, precision="float32"))
    return Work(lanes * of_one.bytes, lanes * of_one.flop)


@cache
def _work_of_one(case: Case) -> Work:
    dataset = images_of(2 * case.batch)
    engine = LaneEngine([run_of(case, 0)], dataset=dataset)
    program = engine._program_for([0])
    plan = engine.lanes[0].plan
    program.inputs.begin([(plan, 0)], [plan.epoch_settings(0)], [plan.order(0)])
    program.inputs.draw(0)
    flop = flop_of(lambda: program.step((program.inputs.batch,)))
    parameters = sum(shape.numel() for shape in engine._networks.shapes)
    return Work(least_bytes(parameters, 1, dataset.train_images[0].numel(), program.inputs.batch), flop)
