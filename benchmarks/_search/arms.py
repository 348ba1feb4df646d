"""The arms of ``search_efficiency.py``: this project's search, stock Ray Tune, and two without a model.

"stock" is what Ray Tune does with OptunaSearch and ASHAScheduler: TPE is told every trial's last value as final, and
the best last value wins. "random" trains random configurations to the end. "one-epoch" is the baseline of Egele et al.
2023, Is one epoch all you need for multi-fidelity hyperparameter optimization?, ESANN: random configurations train
for one epoch, and the best three of them to the end; it knows its budget beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import optuna
from optuna.trial import Trial as OptunaTrial

from _search.problems import Problem
from _search.simulation import BUDGETS, Action, Params, Scores, Search, SimulatedTrial, picks, random_params, scores
from tune_reg.search.ask_tell import AskTell
from tune_reg.search.trial import Trial
from tune_reg.study import SearchSettings, Task

#: Seconds of a simulated epoch: long enough for a Gaussian process.
EPOCH_S = 60.0
#: Which seeds the trials of a search are trained on.
Seeds = Literal["named", "one", "each"]
ETA = 3
#: Trials that "one-epoch" trains to the end.
TOP = 3
#: A search that is never over: the simulation ends it.
TRIALS = 10_000


class OwnSearch:
    """This project's search.

    ``seeds``: "named" trains a trial on the seed that the search names, "one" all trials on one, "each" each trial on
    one of its own. ``trials``: its budget in full trainings, as far as it knows that.
    """

    def __init__(
        self,
        problem: Problem,
        settings: SearchSettings,
        replay: int,
        seeds: Seeds = "named",
        *,
        trials: int = TRIALS,
    ) -> None:
        self._task = Task(problem.regularizer, 1.0, problem.space, trials=trials)
        storage = optuna.storages.InMemoryStorage()
        self._search = AskTell(
            storage, [self._task], settings, epochs=problem.epochs, seed=replay, metric=problem.metric
        )
        self._epochs, self._seeds = problem.epochs, seeds
        self._trials: dict[int, SimulatedTrial] = {}
        self._asked: dict[int, Trial] = {}

    def ask(self) -> SimulatedTrial | None:
        asked = self._search.ask()
        if asked is None:
            return None
        self._asked[asked.number] = asked
        if asked.number not in self._trials:
            seed = {"named": getattr(asked, "seed_index", 0), "one": 0, "each": asked.number}[self._seeds]
            params = {name: float(asked.params[name]) for name in asked.task.space.domains}
            self._trials[asked.number] = SimulatedTrial(asked.number, params, seed)
        return self._trials[asked.number]

    def report(self, trial: SimulatedTrial, value: float) -> Action:
        asked = self._asked[trial.number]
        if math.isnan(value):
            self._search.tell(asked, "diverged", reason="the loss is not finite", epoch_s=EPOCH_S)
            return "stop"
        action = as_action(self._search.report(asked, trial.epoch, value))
        if trial.epoch == self._epochs:
            self._search.tell(asked, "complete", value, epoch_s=EPOCH_S)
            return "stop"
        if action == "stop":
            self._search.tell(asked, "pruned", value, epoch_s=EPOCH_S)
        return action

    def pick(self) -> Params | None:
        winner = self._search.winner(self._task)
        return {name: float(winner.params[name]) for name in self._task.space.domains} if winner else None


def as_action(decision: Any) -> Action:
    """What a search's answer to a report means: whether to stop, or a member of an enum."""
    if isinstance(decision, bool):
        return "stop" if decision else "continue"
    action: Action = decision.name.lower()
    return action


class StockSearch:
    """OptunaSearch and ASHAScheduler, with Ray's own rungs and with Optuna's TPE as OptunaSearch sets it."""

    def __init__(self, problem: Problem, replay: int, first_rung: int, *, seed_each: bool) -> None:
        from ray.tune.schedulers.async_hyperband import _Bracket

        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=replay))
        self._bracket = _Bracket(first_rung, problem.epochs, ETA, 0)
        self._space, self._epochs, self._seed_each = problem.space.to_optuna(), problem.epochs, seed_each
        self._trials: dict[int, OptunaTrial] = {}
        self._last: dict[int, tuple[float, Params]] = {}

    def ask(self) -> SimulatedTrial:
        trial = self._study.ask(self._space)
        self._trials[trial.number] = trial
        return SimulatedTrial(trial.number, trial.params, trial.number if self._seed_each else 0)

    def report(self, trial: SimulatedTrial, value: float) -> Action:
        if math.isnan(value):
            self._last.pop(trial.number, None)  # get_best_result leaves NaN out
            return "stop"  # and OptunaSearch leaves the trial running for ever
        self._last[trial.number] = value, trial.params
        live = self._trials[trial.number]
        live.report(value, trial.epoch)
        action = self._bracket.on_result(SimpleNamespace(trial_id=str(trial.number)), trial.epoch, value)
        if trial.epoch == self._epochs or action == "STOP":
            self._study.tell(live, value)
            return "stop"
        return "continue"

    def pick(self) -> Params | None:
        return max(self._last.values(), key=lambda entry: entry[0])[1] if self._last else None


class RandomSearch:
    """Random configurations, trained to the end.

    The highest final value is picked, or the highest value so far where no trial has ended.
    """

    def __init__(self, problem: Problem, replay: int, *, seed_each: bool) -> None:
        self._problem, self._seed_each = problem, seed_each
        self._rng = np.random.default_rng([replay, 1])
        self._asked = 0
        self._best: tuple[float, Params | None] = -math.inf, None
        self._running: dict[int, tuple[float, Params]] = {}

    def ask(self) -> SimulatedTrial | None:
        number = self._asked
        self._asked += 1
        return SimulatedTrial(number, random_params(self._problem, self._rng), number if self._seed_each else 0)

    def report(self, trial: SimulatedTrial, value: float) -> Action:
        self._running.pop(trial.number, None)
        if math.isnan(value):
            return "stop"
        if trial.epoch < self._problem.epochs:
            self._running[trial.number] = value, trial.params
            return "continue"
        if value > self._best[0]:
            self._best = value, trial.params
        return "stop"

    def pick(self) -> Params | None:
        if self._best[1] is not None or not self._running:
            return self._best[1]
        return max(self._running.values(), key=lambda entry: entry[0])[1]


class OneEpochSearch(RandomSearch):
    """Random configurations, trained for one epoch, of which the best are trained to the end.

    ``budget``: epochs. As many trials as the budget has room for beside those that go on.
    """

    def __init__(self, problem: Problem, replay: int, budget: int, *, seed_each: bool) -> None:
        super().__init__(problem, replay, seed_each=seed_each)
        self._top = min(TOP, budget // problem.epochs)
        self._first = budget - self._top * (problem.epochs - 1)
        self._reported = 0
        self._paused: list[tuple[float, int, SimulatedTrial]] = []

    def ask(self) -> SimulatedTrial | None:
        if self._asked < self._first:
            return super().ask()
        if self._reported < self._first or not self._paused or not self._top:
            return None
        self._top -= 1
        best = max(self._paused, key=lambda entry: entry[:2])
        self._paused.remove(best)
        return best[2]

    def report(self, trial: SimulatedTrial, value: float) -> Action:
        self._reported += trial.epoch == 1
        if trial.epoch > 1 or math.isnan(value):
            return super().report(trial, value)
        self._paused.append((value, -trial.number, trial))
        return "pause"


@dataclass(frozen=True)
class Arm:
    """A way to search.

    ``make``: (problem, replay, whether each trial has a seed of its own, budget in epochs) -> a new search.
    ``knows_budget``: each budget is a search of its own, since the search plans for it.
    """

    make: Callable[[Problem, int, bool, int], Search]
    knows_budget: bool = False

    def scores(self, problem: Problem, replay: int, workers: int, *, seed_each: bool) -> Scores:
        """How good the picks of one replay are at each of ``BUDGETS``."""
        budgets = [budget * problem.epochs for budget in BUDGETS]
        picked: list[Params | None] = []
        for group in [[budget] for budget in budgets] if self.knows_budget else [budgets]:
            search = self.make(problem, replay, seed_each, group[-1])
            picked += picks(problem, search, replay, workers, group)
        return scores(problem, picked)


def _own(seeds: Seeds | None = None, *, knows_budget: bool = False, **settings: Any) -> Arm:
    """This project's search. ``seeds``: in place of what is asked for, one for all trials or one for each."""
    return Arm(
        lambda problem, replay, seed_each, budget: OwnSearch(
            problem,
            SearchSettings(**settings),
            replay,
            seeds or ("each" if seed_each else "one"),
            trials=budget // problem.epochs if knows_budget else TRIALS,
        ),
        knows_budget=knows_budget,
    )


ARMS: dict[str, Arm] = {
    "stock": Arm(lambda problem, replay, seed_each, _: StockSearch(problem, replay, 1, seed_each=seed_each)),
    "stock-third": Arm(
        lambda problem, replay, seed_each, _: StockSearch(problem, replay, problem.epochs // 3, seed_each=seed_each)
    ),
    "random": Arm(lambda problem, replay, seed_each, _: RandomSearch(problem, replay, seed_each=seed_each)),
    "one-epoch": Arm(
        lambda problem, replay, seed_each, budget: OneEpochSearch(problem, replay, budget, seed_each=seed_each),
        knows_budget=True,
    ),
    "random-asha": _own(sampler="random", pruner="asha"),
    "tpe-asha": _own(sampler="tpe", pruner="asha"),
    "tpe-hyperband": _own(sampler="tpe", pruner="hyperband"),
    "tpe": _own(sampler="tpe", pruner="predicted"),
    "old-default": _own(sampler="tpe-gp", pruner="predicted"),
    "default": _own("named", knows_budget=True),
    "default-cut-short": _own("named"),
    "pauses": _own("named", pruner="pause"),
    "default-one-seed": _own("one"),
    "default-no-prior": _own("named", knows_budget=True, prior=False),
}
