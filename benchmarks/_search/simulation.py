"""Searches simulated on learning curves, one trial at a time, without training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import optuna

from _search.problems import Problem, to_unit, truth
from tune_reg.search import final_values
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.trial import Trial
from tune_reg.study import SearchSettings, Task

#: Seconds of a simulated epoch: long enough for a Gaussian process.
EPOCH_S = 60.0
BUDGETS = (8, 16, 24, 40)
ETA = 3


@dataclass(frozen=True)
class Arm:
    """A way to search: sampler, prediction of final values, stopping rule, trainings of a trial."""

    sampler: str
    predict: final_values.Predictor | None = None
    pruner: str = "asha"
    stock: bool = False
    seeds: int = 1


ARMS = {
    "random, no pruning": Arm("random", pruner="none"),
    "random + ASHA": Arm("random"),
    "stock": Arm("tpe", stock=True),
    "TPE pruned": Arm("tpe"),
    "TPE predicted": Arm("tpe", final_values.predict),
    "TPE predicted, Hyperband": Arm("tpe", final_values.predict, pruner="hyperband"),
    "TPE predicted, promise": Arm("tpe", final_values.predict, pruner="predicted"),
    "TPE predicted, 3 seeds": Arm("tpe", final_values.predict, seeds=3),
    "GP pruned": Arm("gp"),
    "TPE and GP predicted, promise": Arm("tpe-gp", final_values.predict, pruner="predicted"),
    "GP predicted": Arm("gp", final_values.predict),
    "GP predicted, Hyperband": Arm("gp", final_values.predict, pruner="hyperband"),
    "GP predicted, promise": Arm("gp", final_values.predict, pruner="predicted"),
}

#: (params) -> the values of its epochs, NaN for the one that diverges, with fresh noise.
Train = Callable[[dict[str, float]], Iterator[float]]


class Clock:
    """Counts epochs, and keeps what the search would pick when each budget is used up."""

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
    """Trainings of a problem, whose noise comes from ``seed``."""

    rng = np.random.default_rng(seed)

    def train(params: dict[str, float]) -> Iterator[float]:
        unit = to_unit(problem.space, params)
        values = problem.mean(unit[None])[0] + problem.noise(unit, rng)
        end = problem.diverges(unit[None])[0]
        for epoch, value in enumerate(values, start=1):
            yield float("nan") if epoch >= end else float(value)

    return train


def search(problem: Problem, arm: Arm, seed: int) -> list[dict[str, float] | None]:
    """The configuration that a search by this project picks at each budget."""
    task = Task("benchmark", 1.0, problem.space, trials=10_000)
    settings = SearchSettings(sampler=arm.sampler, pruner=arm.pruner, reduction_factor=ETA)  # type: ignore[arg-type]
    storage = optuna.storages.InMemoryStorage()
    epochs = problem.epochs * arm.seeds
    search = AskTell(storage, [task], settings, epochs=epochs, seed=seed, predict=arm.predict)
    train = trainer(problem, seed)

    def pick() -> dict[str, float] | None:
        winner = search.winner(task)
        return winner.params if winner else None  # type: ignore[return-value]

    clock = Clock(problem, pick)
    while not clock.over:
        trial = search.ask()
        assert trial is not None
        try_out(search, trial, problem, clock, lambda: train(trial.params), arm.seeds)  # noqa: B023
    return clock.picks


def try_out(
    search: AskTell, trial: Trial, problem: Problem, clock: Clock, train: Callable[[], Iterator[float]], seeds: int
) -> None:
    """A trial as a study makes it: on one seed after the other, scored by the mean, stopped where it falls behind."""
    finals: list[float] = []
    for seed_index in range(seeds):
        for epoch, value in enumerate(train(), start=1):
            clock.tick()
            if math.isnan(value):
                return search.tell(trial, "diverged", reason="the loss is not finite", epoch_s=EPOCH_S)
            last = epoch == problem.epochs
            if last:
                finals.append(value)
            if seed_index == 0 or last:
                score = float(np.mean(finals)) if last else value
                stop = search.report(trial, seed_index * problem.epochs + epoch, score)
                if stop and not (last and seed_index + 1 == seeds):
                    return search.tell(trial, "pruned", score, epoch_s=EPOCH_S)
    return search.tell(trial, "complete", float(np.mean(finals)), epoch_s=EPOCH_S)


def stock(problem: Problem, seed: int) -> list[dict[str, float] | None]:
    """The configuration that stock Ray Tune picks at each budget.

    OptunaSearch and ASHAScheduler, with Ray's own rungs and with Optuna's TPE as OptunaSearch sets it.
    """
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
    """Simple regret at each budget; that of a median configuration where nothing could be picked."""
    picks = stock(problem, seed) if arm.stock else search(problem, arm, seed)
    values = [truth(problem, to_unit(problem.space, p)[None])[0] if p else median for p in picks]
    return [round(best - float(median if np.isnan(value) else value), 7) for value in values]
