"""A search simulated on learning curves: trials side by side, whose epochs all take equally long, without training."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from _search.problems import Array, Problem, from_unit, to_unit

#: Budgets in full trainings, at which it is seen what a search would pick.
BUDGETS = (4, 8, 16, 24, 40)

#: What becomes of a trial after an epoch; a paused one goes on when the search asks for it again.
Action = Literal["continue", "pause", "stop"]
Params = dict[str, float]


@dataclass
class SimulatedTrial:
    """A trial of the simulated search. ``seed``: which of the search's seeds it trains on."""

    number: int
    params: Params
    seed: int = 0
    #: Epochs that were trained.
    epoch: int = 0
    values: Array = field(default_factory=lambda: np.empty(0))


class Search(Protocol):
    """What decides about trials."""

    def ask(self) -> SimulatedTrial | None:
        """A new trial or a paused one, or None where there is nothing to do until another trial reports."""

    def report(self, trial: SimulatedTrial, value: float) -> Action:
        """Take the value of the epoch that was trained last, NaN where it diverged."""

    def pick(self) -> Params | None:
        """The configuration that the search would pick now."""


def picks(problem: Problem, search: Search, replay: int, workers: int, budgets: list[int]) -> list[Params | None]:
    """What the search picks once it has used each of ``budgets``, in epochs of all trials together.

    ``workers`` trials train at a time. Of epochs that end at the same time, that of the lower trial number is reported
    first; a worker that becomes free asks at once.
    """
    picked: list[Params | None] = []
    events: list[tuple[int, int, SimulatedTrial]] = []
    epochs, now, free = 0, 0, workers
    while True:
        while free and (trial := search.ask()) is not None:
            if trial.epoch == 0:
                unit = to_unit(problem.space, trial.params)
                trial.values = problem.training(unit, replay, trial.number, trial.seed)
            heapq.heappush(events, (now + 1, trial.number, trial))
            free -= 1
        if not events:
            return picked + [search.pick()] * (len(budgets) - len(picked))
        now, _, trial = heapq.heappop(events)
        trial.epoch += 1
        action = search.report(trial, float(trial.values[trial.epoch - 1]))
        if action == "continue":
            heapq.heappush(events, (now + 1, trial.number, trial))
        else:
            free += 1
        epochs += 1
        while epochs >= budgets[len(picked)]:
            picked.append(search.pick())
            if len(picked) == len(budgets):
                return picked


@dataclass(frozen=True)
class Scores:
    """How good the picks of one replay are, budget by budget."""

    regret: list[float]
    bias: list[float]


def scores(problem: Problem, picked: list[Params | None]) -> Scores:
    """Regret and bias of what was picked."""
    units = [None if params is None else to_unit(problem.space, params) for params in picked]
    return Scores([round(problem.regret(u), 7) for u in units], [round(problem.bias(u), 7) for u in units])


def random_params(problem: Problem, rng: np.random.Generator) -> Params:
    """A random configuration, uniform on the hyperparameters' scales."""
    return from_unit(problem.space, rng.random(len(problem.space.domains)))
