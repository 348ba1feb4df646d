"""How good is the configuration that a search picks, by what the sampler is told? Simulated, without training.

    .venv/bin/python benchmarks/search_efficiency.py [--seeds 30] [--problems ...] [--arms ...] [--out ... --figure ...]

Simple regret (best true final value - true final value of the picked configuration) against budget in full trainings,
on learning curves of ``_search/problems.py``, one trial at a time. "stock" is what Ray Tune does with OptunaSearch and
ASHAScheduler: TPE is told every trial's last value as final, and the best last value wins. The other arms are
this project's own search: "pruned" tells the sampler that a trial was stopped, and its values so far; "predicted" its
predicted final value. "3 seeds" scores a trial on up to three trainings, one after the other, as ``search.seeds`` does.
At the end every arm stands beside stock: the ratio of mean regrets at each budget, with its 95 % interval.

"promise" stops trials by their predicted final values, as the pruner "predicted" does. What is the default, "TPE and GP
predicted, promise", was chosen on seeds 100 to 109 of all problems but "digits, replayed", which are not among those
measured: about fifteen variants of the prediction, of stopping by it and of the samplers' turns. The length scale of
the prediction was chosen earlier on seeds 0 to 5 of "strength with a cliff", and Hyperband was tried on seeds 0 to 7 of
the first three problems; these seeds are among those measured here. The arms with GP take most of the time. ``--more``
keeps the arms that ``--out`` holds already and adds those that it lacks. results/search_efficiency.json and .png hold
a run of all arms.
"""

from __future__ import annotations

import json
import time
import warnings
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from _search.figure import draw
from _search.intervals import interval, paired_ratio
from _search.problems import PROBLEMS, extremes
from _search.simulation import ARMS, BUDGETS, ETA, regrets
from _shared.command_line import CommandLine, write_json

#: Problem -> arm -> seeds -> regret at each budget.
Regrets = dict[str, dict[str, list[list[float]]]]
SMALL = {"seeds": 2, "problems": ["crossing curves"], "arms": ["stock", "random + ASHA"]}


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    raw: Regrets = json.loads(options.out.read_text(encoding="utf-8"))["raw"] if options.more else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        _measure(options, raw)
        results = summaries(raw)
        optuna.logging.set_verbosity(verbosity)
    for result in results:
        show(result)
    if options.figure:
        draw(results, options.figure)


def _options(arguments: Sequence[str] | None) -> Namespace:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--seeds", type=int, default=30, help="searches of each arm on each problem")
    parser.names("--problems", [problem.name for problem in PROBLEMS], "the problems")
    parser.names("--arms", ARMS, "the arms")
    parser.add_argument("--more", action="store_true", help="keep what --out holds, and add what is missing")
    parser.outputs(figure=True)
    options = parser.read(arguments)
    if options.more and not (options.out and options.out.is_file()):
        parser.error("--more: needs a file of earlier results as --out")
    return options


def _measure(options: Namespace, raw: Regrets) -> None:
    """Add to ``raw`` what it lacks; write it after each problem, so that a run that is stopped leaves what it has."""
    begin = time.process_time()
    for problem in PROBLEMS:
        runs = raw.setdefault(problem.name, {})
        missing = [name for name in options.arms if name not in runs and problem.name in options.problems]
        if missing:
            median, best = extremes(problem)
        for name in missing:
            runs[name] = [regrets(problem, ARMS[name], seed, median, best) for seed in range(options.seeds)]
            means = " ".join(f"{value:.4f}" for value in np.mean(runs[name], axis=0))
            print(f"{problem.name:24} {name:28} {means}  {time.process_time() - begin:.0f} s", flush=True)
        plain = {"reduction_factor": ETA, "budgets": BUDGETS, "results": summaries(raw), "raw": raw}
        write_json(options.out, plain, indent=None)


def summaries(raw: Regrets) -> list[dict[str, Any]]:
    """The summary of each problem that was measured, its arms in the order of ``ARMS``."""
    return [summary(name, {arm: runs[arm] for arm in ARMS if arm in runs}) for name, runs in raw.items() if runs]


def summary(problem: str, runs: dict[str, list[list[float]]]) -> dict[str, Any]:
    """Mean regret of each arm and, where stock was measured, its ratio to stock's, each with its interval.

    ``runs``: arm -> seeds -> budgets.
    """
    arms: dict[str, Any] = {}
    stock = list(zip(*runs["stock"], strict=True)) if "stock" in runs else None
    for name, seeds in runs.items():
        by_budget = list(zip(*seeds, strict=True))
        arms[name] = {"n": len(seeds), "regret": [interval(list(values)) for values in by_budget]}
        if stock is not None:
            pairs = zip(by_budget, stock, strict=True)
            arms[name]["ratio_to_stock"] = [paired_ratio(list(ours), list(base)) for ours, base in pairs]
    return {"problem": problem, "arms": arms}


def show(result: dict[str, Any]) -> None:
    """Print the ratios to stock of one problem, side by side."""
    rows = {name: arm["ratio_to_stock"] for name, arm in result["arms"].items() if "ratio_to_stock" in arm}
    if not rows:
        return
    n = next(iter(result["arms"].values()))["n"]
    print(f"\n{result['problem']}, {n} seeds: mean regret / that of stock, by budget in full trainings")
    print(f"  {'':28}" + "".join(f"{budget:>20}" for budget in BUDGETS))
    for name, ratios in rows.items():
        cells = [f"{ratio:.2f} [{low:.2f}, {high:.2f}]" for ratio, low, high in ratios]
        print(f"  {name:28}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()
