"""How good is the configuration that a search picks, by what the sampler is told? Simulated, without training.

    .venv/bin/python benchmarks/search_efficiency.py [--seeds 30] [--problems ...] [--arms ...] [--more]

Simple regret (best true final value - true final value of the picked configuration) against budget in full trainings,
on learning curves of ``problems.py``, one trial at a time. "stock" is what Ray Tune does with OptunaSearch and
ASHAScheduler: TPE is told every trial's last value as final, and the best last value wins. The other arms are
this project's own AskTell: "pruned" tells the sampler that a trial was stopped, and its values so far; "predicted" its
predicted final value. "3 seeds" scores a trial on up to three trainings, one after the other, as ``search.seeds`` does.

"promise" stops trials by their predicted final values, as the pruner "predicted" does. What is the default, "TPE and GP
predicted, promise", was chosen on seeds 100 to 109 of all problems but "digits, replayed", which are not among those
measured: about fifteen variants of the prediction, of stopping by it and of the samplers' turns. The length scale of
the prediction was chosen earlier on seeds 0 to 5 of "strength with a cliff", and Hyperband was tried on seeds 0 to 7 of
the first three problems; these seeds are among those measured here. The arms with GP take most of the time; --more adds
arms to results that lack them. Writes results/search_efficiency.json and .png.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import optuna
from problems import PROBLEMS, Problem, extremes, to_unit, truth
from scipy.stats import bootstrap

from tune_reg.search import fidelity
from tune_reg.search.ask_tell import AskTell, Trial
from tune_reg.study import SearchSettings, Task

RESULTS = Path(__file__).parent / "results"
#: Seconds of a simulated epoch: long enough for a Gaussian process.
EPOCH_S = 60.0
BUDGETS = (8, 16, 24, 40)
ETA = 3


@dataclass(frozen=True)
class Arm:
    sampler: str
    predict: fidelity.Predict | None = None
    pruner: str = "asha"
    stock: bool = False
    seeds: int = 1


ARMS = {
    "random, no pruning": Arm("random", pruner="none"),
    "random + ASHA": Arm("random"),
    "stock": Arm("tpe", stock=True),
    "TPE pruned": Arm("tpe"),
    "TPE predicted": Arm("tpe", fidelity.predict),
    "TPE predicted, Hyperband": Arm("tpe", fidelity.predict, pruner="hyperband"),
    "TPE predicted, promise": Arm("tpe", fidelity.predict, pruner="predicted"),
    "TPE predicted, 3 seeds": Arm("tpe", fidelity.predict, seeds=3),
    "GP pruned": Arm("gp"),
    "TPE and GP predicted, promise": Arm("tpe-gp", fidelity.predict, pruner="predicted"),
    "GP predicted": Arm("gp", fidelity.predict),
    "GP predicted, Hyperband": Arm("gp", fidelity.predict, pruner="hyperband"),
    "GP predicted, promise": Arm("gp", fidelity.predict, pruner="predicted"),
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
    epochs = problem.epochs * arm.seeds
    brain = AskTell(storage, [task], settings, epochs=epochs, seed=seed, predict=arm.predict)
    train = trainer(problem, seed)

    def pick() -> dict[str, float] | None:
        winner = brain.winner(task)
        return winner.params if winner else None  # type: ignore[return-value]

    clock = Clock(problem, pick)
    while not clock.over:
        trial = brain.ask()
        assert trial is not None
        try_out(brain, trial, problem, clock, lambda: train(trial.params), arm.seeds)  # noqa: B023
    return clock.picks


def try_out(
    brain: AskTell, trial: Trial, problem: Problem, clock: Clock, train: Callable[[], Iterator[float]], seeds: int
) -> None:
    """A trial as a study makes it: on one seed after the other, scored by the mean, stopped where it falls behind."""
    finals: list[float] = []
    for place in range(seeds):
        for epoch, value in enumerate(train(), start=1):
            clock.tick()
            if math.isnan(value):
                return brain.tell(trial, "diverged", reason="the loss is not finite", epoch_s=EPOCH_S)
            last = epoch == problem.epochs
            if last:
                finals.append(value)
            if place == 0 or last:
                score = float(np.mean(finals)) if last else value
                stop = brain.report(trial, place * problem.epochs + epoch, score)
                if stop and not (last and place + 1 == seeds):
                    return brain.tell(trial, "pruned", score, epoch_s=EPOCH_S)
    return brain.tell(trial, "complete", float(np.mean(finals)), epoch_s=EPOCH_S)


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
    return [round(best - float(median if np.isnan(value) else value), 7) for value in values]


def interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and the 95 % interval of the mean, by bootstrap over seeds."""
    array = np.array(values)
    if np.ptp(array) == 0:
        return float(array[0]), float(array[0]), float(array[0])
    low, high = bootstrap((array,), np.mean, n_resamples=2000, rng=np.random.default_rng(0)).confidence_interval
    return float(array.mean()), float(low), float(high)


def paired_ratio(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """Ratio of the mean regrets on the same seeds, and its 95 % interval, by bootstrap over seeds."""
    pairs = np.array([ours, theirs])
    drawn = np.random.default_rng(0).integers(pairs.shape[1], size=(4000, pairs.shape[1]))
    ratios = pairs[0][drawn].mean(axis=1) / np.maximum(pairs[1][drawn].mean(axis=1), 1e-12)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(pairs[0].mean() / pairs[1].mean()), float(low), float(high)


def summary(problem: str, runs: dict[str, list[list[float]]]) -> dict[str, object]:
    """``runs``: arm -> seeds -> budgets. For each arm: mean regret and ratio to stock, each with its interval."""
    arms = {}
    theirs = list(zip(*runs["stock"], strict=True))
    for name, seeds in runs.items():
        at = list(zip(*seeds, strict=True))
        arms[name] = {
            "n": len(seeds),
            "regret": [interval(list(values)) for values in at],
            "ratio_to_stock": [paired_ratio(list(a), list(b)) for a, b in zip(at, theirs, strict=True)],
        }
    return {"problem": problem, "arms": arms}


def draw(results: list[dict], path: Path) -> None:  # type: ignore[type-arg]
    figure, axes = plt.subplots(1, len(results), figsize=(4 * len(results), 4.6), layout="constrained")
    for axis, result in zip(np.atleast_1d(axes), results, strict=True):
        for i, (name, arm) in enumerate(result["arms"].items()):
            mean, low, high = np.array(arm["regret"]).T
            shift = 1 + 0.02 * (i - len(result["arms"]) / 2)
            axis.errorbar(
                np.array(BUDGETS) * shift,
                mean,
                np.maximum([mean - low, high - mean], 0),
                label=name,
                color="black" if name == "stock" else f"C{i}",
                linestyle="--" if name in ("stock", "random + ASHA", "random, no pruning") else "-",
                marker="o",
                markersize=3,
                capsize=2,
                linewidth=1.2,
            )
        n = next(iter(result["arms"].values()))["n"]
        axis.set(title=f"{result['problem']} (n = {n})", xlabel="budget in full trainings", xscale="log", yscale="log")
        axis.set_xticks(BUDGETS, [str(budget) for budget in BUDGETS])
        axis.minorticks_off()
    np.atleast_1d(axes)[0].set_ylabel("simple regret, mean and 95 % interval")
    handles, labels = np.atleast_1d(axes)[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--problems", nargs="+", default=[problem.name for problem in PROBLEMS])
    parser.add_argument("--arms", nargs="+", default=list(ARMS))
    parser.add_argument("--more", action="store_true", help="keep what the results hold, add what is missing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file = options.out / "search_efficiency.json"
    raw = json.loads(file.read_text(encoding="utf-8"))["raw"] if options.more else {}
    begin = time.process_time()
    for problem in PROBLEMS:
        median, best = extremes(problem)
        runs = raw.setdefault(problem.name, {})
        for name in options.arms:
            if name not in runs and problem.name in options.problems:
                runs[name] = [regrets(problem, ARMS[name], seed, median, best) for seed in range(options.seeds)]
                means = " ".join(f"{value:.4f}" for value in np.mean(runs[name], axis=0))
                print(f"{problem.name:24} {name:28} {means}  {time.process_time() - begin:.0f} s", flush=True)
        # After each problem: a run that is stopped leaves what it has.
        results = [summary(name, {arm: runs[arm] for arm in ARMS if arm in runs}) for name, runs in raw.items() if runs]
        plain = {"reduction_factor": ETA, "budgets": BUDGETS, "results": results, "raw": raw}
        file.write_text(json.dumps(plain) + "\n", encoding="utf-8")
        draw(results, options.out / "search_efficiency.png")


if __name__ == "__main__":
    main()
