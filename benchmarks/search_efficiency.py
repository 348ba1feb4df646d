"""How good is the configuration that a search picks, by what the sampler is told? Simulated, without training.

    .venv/bin/python benchmarks/search_efficiency.py [--seeds 30] [--problems ...] [--arms ...]

Simple regret (best true final value - true final value of the picked configuration) against budget in full trainings,
on learning curves of ``problems.py``, one trial at a time. "stock" is what Ray Tune does with OptunaSearch and
ASHAScheduler: TPE is told every trial's last value as final, and the best last value wins. The other arms are
this project's own Brain: "pruned" tells the sampler that a trial was stopped, and its values so far; "predicted" its
predicted final value. Writes results/search_efficiency.json and .png.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
from problems import Problem, to_unit, truth

from tune_reg.search import fidelity
from tune_reg.search.brain import Brain
from tune_reg.study import SearchSettings, Task

RESULTS = Path(__file__).parent / "results"
BUDGETS = (8, 16, 24, 40)
ETA = 3


@dataclass(frozen=True)
class Arm:
    sampler: str
    predict: fidelity.Predict | None = None
    pruner: str = "asha"
    stock: bool = False


ARMS = {
    "random, no pruning": Arm("random", pruner="none"),
    "random + ASHA": Arm("random"),
    "stock": Arm("tpe", stock=True),
    "TPE pruned": Arm("tpe"),
    "TPE predicted": Arm("tpe", fidelity.predict),
    "GP pruned": Arm("gp"),
    "GP predicted": Arm("gp", fidelity.predict),
}

#: (params) -> the values of its epochs, NaN for the one that diverges, with fresh noise.
Train = Callable[[dict[str, float]], Iterator[float]]


class Clock:
    """Counts epochs; notes the pick when a budget is used up."""

    def __init__(self, problem: Problem, pick: Callable[[], dict[str, float] | None]) -> None:
        self.problem, self._pick = problem, pick
        self.epochs = 0
        self.picks: list[dict[str, float] | None] = []

    @property
    def over(self) -> bool:
        return len(self.picks) == len(BUDGETS)

    def tick(self) -> None:
        self.epochs += 1
        if not self.over and self.epochs >= BUDGETS[len(self.picks)] * self.problem.epochs:
            self.picks.append(self._pick())


def trainer(problem: Problem, seed: int) -> Train:
    rng = np.random.default_rng(seed)

    def train(params: dict[str, float]) -> Iterator[float]:
        unit = to_unit(problem.space, params)
        values = problem.mean(unit[None])[0] + problem.noise(unit, rng)
        end = problem.diverges(unit[None])[0]
        for epoch, value in enumerate(values, start=1):
            yield float("nan") if epoch >= end else float(value)

    return train


def search(problem: Problem, arm: Arm, seed: int) -> list[dict[str, float] | None]:
    """The picks at each budget, of a search by this project's own brain."""
    task = Task("benchmark", 1.0, problem.space, trials=10_000)
    settings = SearchSettings(sampler=arm.sampler, pruner=arm.pruner, reduction_factor=ETA)  # type: ignore[arg-type]
    storage = optuna.storages.InMemoryStorage()
    brain = Brain(storage, [task], settings, epochs=problem.epochs, seed=seed, predict=arm.predict)
    train = trainer(problem, seed)

    def pick() -> dict[str, float] | None:
        winner = brain.winner(task)
        return winner.params if winner else None  # type: ignore[return-value]

    clock = Clock(problem, pick)
    while not clock.over:
        trial = brain.ask()
        assert trial is not None
        for epoch, value in enumerate(train(trial.params), start=1):  # type: ignore[arg-type]
            clock.tick()
            if math.isnan(value):
                brain.tell(trial, "diverged", reason="the loss is not finite")
                break
            stop = brain.report(trial, epoch, value)
            if epoch == problem.epochs:
                brain.tell(trial, "complete", value)
            elif stop:
                brain.tell(trial, "pruned", value)
                break
    return clock.picks


def stock(problem: Problem, seed: int) -> list[dict[str, float] | None]:
    """The picks of OptunaSearch + ASHAScheduler, with Ray's own rungs and Optuna's TPE as OptunaSearch sets it."""
    from ray.tune.schedulers.async_hyperband import _Bracket

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    bracket = _Bracket(1, problem.epochs, ETA, 0)
    train = trainer(problem, seed)
    last: dict[int, tuple[float, dict[str, float]]] = {}

    def pick() -> dict[str, float] | None:
        return max(last.values(), key=lambda entry: entry[0])[1] if last else None

    clock = Clock(problem, pick)
    while not clock.over:
        trial = study.ask(problem.space.to_optuna())
        for epoch, value in enumerate(train(trial.params), start=1):
            clock.tick()
            if math.isnan(value):
                last.pop(trial.number, None)  # get_best_result leaves NaN out
                break  # and OptunaSearch leaves the trial running for ever
            last[trial.number] = value, trial.params
            trial.report(value, epoch)
            action = bracket.on_result(SimpleNamespace(trial_id=str(trial.number)), epoch, value)
            if epoch == problem.epochs or action == "STOP":
                study.tell(trial, value)
                break
    return clock.picks


def regrets(problem: Problem, arm: Arm, seed: int, median: float, best: float) -> list[float]:
    """At each budget; that of a median configuration where nothing could be picked."""
    picks = stock(problem, seed) if arm.stock else search(problem, arm, seed)
    values = [truth(problem, to_unit(problem.space, p)[None])[0] if p else median for p in picks]
    return [best - float(median if np.isnan(value) else value) for value in values]
