"""How good is the configuration that a search picks? Simulated, on real or made-up learning curves, without training.

    .venv/bin/python benchmarks/search_efficiency.py --table FILE.npz [--problems M "M x lr"] [--arms stock default]
        [--workers 1 8 64] [--seeds 30] [--seed-each] [--out ... --figure ...]

With ``--table`` on real learning curves, of the form that ``strength_table.py`` and ``_search/tables.py`` describe:
the regret of a pick in points of test accuracy, and its bias, the picked minus the best strength in units of the range.
Without it on the made-up problems of ``_search/problems.py``: the best true final value minus the pick's. Budgets are
counted in full trainings, over the epochs of all trials; ``--workers`` trials train at a time, and epochs take
equally long.

By default all trials of a search are trained on one seed, as those of a study are, and a replay draws which. With
``--seed-each`` each trial has a seed of its own, which is what a script without a fixed seed does. In both cases the
arms "default", "default-cut-short" and "pauses" train their trials on those seeds that the search names.

Arms (``_search/arms.py``): "stock" is OptunaSearch and ASHAScheduler, "stock-third" the same with a first rung at a
third of the epochs; "random" trains to the end; "one-epoch" trains all for one epoch and the best three to the end;
"tpe", "tpe-asha", "tpe-hyperband" and "random-asha" are this project's search with other samplers and pruners;
"default" is what it is by default, each budget a search of its own that knows it, as that of a study does, and
"default-no-prior" the same without what is known beforehand. "default-cut-short" does not know when it will be stopped,
and with many workers begins more than the budget has room for; nor do those that follow. "pauses" has the pruner pause,
which was the default before, and "old-default" the sampler tpe-gp and the pruner predicted, the default before that.
"default-one-seed" is the default with all trials on one seed. At the end every arm stands beside stock: the ratio of
mean regrets at each budget, with its 95 % interval, also for the mean over a table's problems of a kind.

Choices are made on replays from 100 on (``--first-seed 100``), and reported are those from 0 on; README.md in data/
says what was chosen on its tables. ``--more`` keeps what ``--out`` holds already and adds what is missing, further
replays, too.
"""

from __future__ import annotations

import itertools
import json
import math
import time
import warnings
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from _search.arms import ARMS, ETA
from _search.figure import draw
from _search.intervals import interval, paired_ratio
from _search.problems import PROBLEMS, Problem
from _search.simulation import BUDGETS
from _search.tables import WITH_LEARNING_RATE, TableError, table_problems
from _shared.command_line import CommandLine, write_json

#: Of one problem, arm and number of workers: "problem", "arm", "workers", and by seed and budget "regret" and "bias".
Runs = dict[str, Any]
#: Regret by seed and budget.
Seeds = list[list[float]]
SMALL = {"seeds": 2, "problems": ["crossing curves"], "arms": ["stock", "random-asha"]}


def main(arguments: Sequence[str] | None = None) -> None:
    options, problems = _options(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        verbosity = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        results = _measure(options, problems)
        optuna.logging.set_verbosity(verbosity)
    for result in results:
        show(result)
    if options.figure:
        draw([result for result in results if result["n_problems"] == 1], options.figure)


def _options(arguments: Sequence[str] | None) -> tuple[Namespace, list[Problem]]:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--table", type=Path, metavar="FILE.npz", help="a table of real learning curves")
    made_up = ", ".join(problem.name for problem in PROBLEMS)
    problems_help = f"the problems, all by default: M and M x lr for each method M of a table; without one {made_up}"
    parser.add_argument("--problems", nargs="+", metavar="NAME", help=problems_help)
    parser.names("--arms", ARMS, "the arms")
    parser.add_argument("--workers", type=int, nargs="+", default=[1], help="how many trials train at a time")
    parser.add_argument("--seeds", type=int, default=30, help="replays of each arm on each problem")
    parser.add_argument("--first-seed", type=int, default=0, help="number of the first replay")
    parser.add_argument("--seed-each", action="store_true", help="train each trial on a seed of its own")
    parser.add_argument("--more", action="store_true", help="keep what --out holds, and add what is missing")
    parser.outputs(figure=True)
    options = parser.read(arguments)
    if options.more:
        if not (options.out and options.out.is_file()):
            parser.error("--more: needs a file of earlier results as --out")
        options.earlier = json.loads(options.out.read_text(encoding="utf-8"))
        for name, value in _conditions(options).items():
            if (earlier := options.earlier.get(name, "unknown")) != value:
                parser.error(f"--more: {options.out} was measured with {name} {earlier}, not {value}; give a new file")
    for option in ("seeds", "workers"):
        if np.min(getattr(options, option)) < 1:
            parser.error(f"argument --{option}: must be at least 1")
    try:
        known: list[Problem] = PROBLEMS if options.table is None else [*table_problems(options.table)]
    except TableError as error:
        parser.error(f"argument --table: {options.table} {error}")
    names = [problem.name for problem in known]
    if options.small and options.table and options.problems == SMALL["problems"]:
        options.problems = names[:1]
    for name in options.problems or ():
        if name not in names:
            parser.error(f"argument --problems: invalid choice: {name!r} (choose from {', '.join(map(repr, names))})")
    return options, [problem for problem in known if problem.name in (options.problems or names)]


def _conditions(options: Namespace) -> dict[str, Any]:
    """What must be the same for all that stands in one file."""
    table = options.table.name if options.table else None
    return {"table": table, "first_seed": options.first_seed, "seed_each": options.seed_each}


def _measure(options: Namespace, problems: list[Problem]) -> list[dict[str, Any]]:
    """Measure what is missing, and write the file after each arm, so that a run that is stopped leaves what it has.

    The summaries of all that was measured.
    """
    raw = list(options.earlier["raw"]) if options.more else []
    numbers = {
        **_conditions(options),
        "reduction_factor": ETA,
        "budgets": BUDGETS,
        "rows": [],
        "results": [],
        "raw": raw,
    }
    by_arm = {(runs["problem"], runs["arm"], runs["workers"]): runs for runs in raw}
    begin = time.process_time()
    for problem, workers, arm in itertools.product(problems, options.workers, options.arms):
        runs = by_arm.get((problem.name, arm, workers))
        if runs is None:
            runs = {"problem": problem.name, "arm": arm, "workers": workers, "regret": [], "bias": []}
            raw.append(runs)
        replays = range(options.first_seed + len(runs["regret"]), options.first_seed + options.seeds)
        if not replays:
            continue
        each = [ARMS[arm].scores(problem, replay, workers, seed_each=options.seed_each) for replay in replays]
        runs["regret"] += [list(scores.regret) for scores in each]
        runs["bias"] += [[None if math.isnan(value) else value for value in scores.bias] for scores in each]
        means = " ".join(f"{value:8.4f}" for value in np.mean(runs["regret"], axis=0))
        print(f"{problem.name:24}{workers:3} {arm:18}{means}  {time.process_time() - begin:.0f} s", flush=True)
        numbers["rows"] = [row for runs in raw for row in rows_of(runs)]
        write_json(options.out, numbers, indent=None)
    numbers["rows"] = [row for runs in raw for row in rows_of(runs)]
    numbers["results"] = summaries(raw, of_table=options.table is not None)
    write_json(options.out, numbers, indent=None)
    return numbers["results"]


def rows_of(runs: Runs) -> list[dict[str, Any]]:
    """A row for each budget: mean regret with its standard error, and mean bias; null where there is none."""
    rows = []
    for i, budget in enumerate(BUDGETS):
        regret = np.array([values[i] for values in runs["regret"]])
        biases = [values[i] for values in runs["bias"] if values[i] is not None]
        rows.append(
            {
                **{key: runs[key] for key in ("problem", "arm", "workers")},
                "budget": budget,
                "n": len(regret),
                "regret": float(regret.mean()),
                "regret_se": float(regret.std(ddof=1) / math.sqrt(len(regret))) if len(regret) > 1 else None,
                "bias": float(np.mean(biases)) if biases else None,
            }
        )
    return rows


def summaries(raw: list[Runs], *, of_table: bool) -> list[dict[str, Any]]:
    """The summary of each problem and number of workers; of a table also the mean over its problems of each kind."""
    measured: dict[int, dict[str, dict[str, Seeds]]] = {}
    for runs in raw:
        measured.setdefault(runs["workers"], {}).setdefault(runs["problem"], {})[runs["arm"]] = runs["regret"]
    results = []
    for workers, problems in measured.items():
        results += [summary(name, 1, workers, arms) for name, arms in problems.items()]
        for both in (False, True):
            kind = [name for name in problems if name.endswith(WITH_LEARNING_RATE) == both]
            if of_table and len(kind) > 1:
                shared = [arm for arm in problems[kind[0]] if all(arm in problems[name] for name in kind)]
                means = {}
                for arm in shared:
                    replays = min(len(problems[name][arm]) for name in kind)
                    means[arm] = np.mean([problems[name][arm][:replays] for name in kind], axis=0).tolist()
                results.append(summary(f"mean of {', '.join(kind)}", len(kind), workers, means))
    return results


def summary(problem: str, n_problems: int, workers: int, runs: Mapping[str, Seeds]) -> dict[str, Any]:
    """Mean regret of each arm and, where stock was measured, its ratio to stock's, each with its interval.

    ``runs``: arm -> seeds -> budgets. The arms are those of ``ARMS``, in their order. A ratio is of the replays that
    both arms have.
    """
    arms: dict[str, Any] = {}
    stock = list(zip(*runs["stock"], strict=True)) if "stock" in runs else None
    for name in [arm for arm in ARMS if arm in runs]:
        by_budget = list(zip(*runs[name], strict=True))
        arms[name] = {"n": len(runs[name]), "regret": [interval(list(values)) for values in by_budget]}
        if stock is not None:
            both = min(len(runs[name]), len(runs["stock"]))
            pairs = zip(by_budget, stock, strict=True)
            arms[name]["ratio_to_stock"] = [paired_ratio(list(ours[:both]), list(base[:both])) for ours, base in pairs]
    return {"problem": problem, "n_problems": n_problems, "workers": workers, "arms": arms}


def show(result: dict[str, Any]) -> None:
    """Print the ratios to stock of one problem, side by side."""
    rows = {name: arm["ratio_to_stock"] for name, arm in result["arms"].items() if "ratio_to_stock" in arm}
    if not rows:
        return
    n = next(iter(result["arms"].values()))["n"]
    workers = f"{result['workers']} worker{'s' * (result['workers'] > 1)}"
    print(f"\n{result['problem']}, {workers}, {n} seeds: mean regret / that of stock, by budget in full trainings")
    print(f"  {'':18}" + "".join(f"{budget:>20}" for budget in BUDGETS))
    for name, ratios in rows.items():
        cells = [f"{ratio:.2f} [{low:.2f}, {high:.2f}]" for ratio, low, high in ratios]
        print(f"  {name:18}" + "".join(f"{cell:>20}" for cell in cells))


if __name__ == "__main__":
    main()
