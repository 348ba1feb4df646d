"""A whole search by asynchronous successive halving, its trials in lanes and one at a time, without Ray and Optuna."""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from dataclasses import dataclass, field

import torch
from _shared.measuring import wait

from _lanes.contenders import images_of
from tune_reg.data import Dataset
from tune_reg.training import LaneEngine, Run, SerialEngine, TrainingSettings

ETA = 3


@dataclass
class Halving:
    """The rule that says which trials go on: at a rung, the best third of the trials that have reached it so far."""

    epochs: int
    eta: int = ETA
    reached: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def ends(self, epoch: int, value: float) -> bool:
        """Whether a trial ends at ``epoch`` with ``value``, the higher the better.

        >>> halving = Halving(epochs=9)
        >>> [halving.ends(1, value) for value in (0.5, 0.4, 0.6, 0.1)], halving.ends(2, 0.0), halving.ends(9, 1.0)
        ([False, True, False, True], False, True)
        """
        if epoch >= self.epochs:
            return True
        if epoch not in self.rungs:
            return False
        values = self.reached[epoch]
        values.append(value)
        return sorted(values, reverse=True).index(value) >= max(1, len(values) // self.eta)

    @property
    def rungs(self) -> list[int]:
        """1, eta, eta^2, ... below the last epoch."""
        powers = [self.eta**i for i in range(20)]
        return [power for power in powers if power < self.epochs]


@dataclass
class SearchCost:
    """Seconds and epochs that a search took, the best validation accuracy in it, and whether it came to its end."""

    seconds: float
    epochs: int
    best: float
    ended: bool = True

    @property
    def rate(self) -> float:
        """Epochs a second."""
        return self.epochs / self.seconds


def trials_of(count: int, model: str, epochs: int, batch: int) -> list[Run]:
    """Runs with learning rates and decays spread over three decades each."""
    uniform = torch.rand(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    runs = []
    for i, (u, v) in enumerate(uniform.tolist()):
        training = TrainingSettings(epochs=epochs, batch_size=batch, learning_rate=10 ** (-3.5 + 3 * u))
        runs.append(Run("synthetic", model, "weight-decay", {"weight_decay": 10 ** (-6 + 3 * v)}, training, seed=i))
    return runs


def in_lanes(runs: list[Run], lanes: int, dataset: Dataset, device: torch.device) -> SearchCost:
    """Train ``lanes`` trials at a time; a lane is refilled as soon as its trial ends."""
    halving, epochs, best = Halving(runs[0].settings.epochs), 0, 0.0
    wait(device)
    begin = time.perf_counter()
    waiting = runs[lanes:]
    engine = LaneEngine(runs[:lanes], dataset=dataset, device=device)
    while not engine.finished:
        for lane, row in engine.train_epoch().items():
            epochs += 1
            best = max(best, row["val_accuracy"])
            if not halving.ends(row["epoch"], row["val_accuracy"]):
                continue
            if waiting:
                engine.replace(lane, waiting.pop(0))
            else:
                engine.rest(lane)
    wait(device)
    return SearchCost(time.perf_counter() - begin, epochs, best)


def one_at_a_time(runs: list[Run], dataset: Dataset, device: torch.device, seconds: float = float("inf")) -> SearchCost:
    """Train each trial until it ends, one after the other, by eager steps; no trial begins after ``seconds``."""
    halving, epochs, best = Halving(runs[0].settings.epochs), 0, 0.0
    wait(device)
    begin = time.perf_counter()
    for run in runs:
        if time.perf_counter() - begin > seconds:
            return SearchCost(time.perf_counter() - begin, epochs, best, ended=False)
        engine, ended = SerialEngine(run, dataset=dataset, device=device), False
        engine._graphs = None
        while not ended and not engine.finished:
            row = engine.train_epoch()
            epochs += 1
            best = max(best, row["val_accuracy"])
            ended = halving.ends(row["epoch"], row["val_accuracy"])
    wait(device)
    return SearchCost(time.perf_counter() - begin, epochs, best)


def compare(
    model: str, trials: int, epochs: int, images: int, batch: int, device: torch.device, seconds: float
) -> dict[str, dict[str, float]]:
    """Cost of one search: all trials side by side, in one lane that is refilled, and one at a time by eager steps.

    The last is left once all have taken ``seconds``.
    """
    until = time.perf_counter() + seconds
    dataset, runs = images_of(images), trials_of(trials, model, epochs, batch)
    short = trials_of(2, model, 2, batch)
    one_at_a_time(short, dataset, device)  # what a first epoch loads
    costs = {
        f"{trials} lanes": in_lanes(runs, trials, dataset, device),
        "one lane": in_lanes(runs, 1, dataset, device),
    }
    costs["one at a time"] = one_at_a_time(runs, dataset, device, until - time.perf_counter())
    return {way: {**dataclasses.asdict(cost), "rate": cost.rate} for way, cost in costs.items()}
