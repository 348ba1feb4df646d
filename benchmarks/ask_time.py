"""How long does the search think? Seconds of an ask and of a report, by the number of trials before it.

    .venv/bin/python benchmarks/ask_time.py [--trials 60 400] [--dimensions 1 3] [--arms default old-default]

Searches of ``search_efficiency.py`` on a made-up problem of nine epochs without training: one bump, at which learning
is slowest. Median and largest processor time of the asks for a new trial or a paused one, and of the reports, each with
the telling that may follow, while the search has the last ten trials before the size. ``--workers`` trials run at a
time.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence

import numpy as np
import optuna
from _search.arms import ARMS
from _search.problems import Array, MadeUp
from _search.simulation import Action, Params, Search, SimulatedTrial, picks
from _shared.command_line import CommandLine, write_json

from search_spaces import SearchSpace, uniform

#: Asks and reports are measured while so many trials are added.
WINDOW = 10
SMALL = {"trials": [3, 6], "dimensions": [1], "arms": ["random-asha"]}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = CommandLine(__doc__, SMALL)
    parser.add_argument("--trials", type=int, nargs="+", default=[60, 400], metavar="N", help="sizes of the search")
    parser.add_argument(
        "--dimensions", type=int, nargs="+", default=[1, 3], metavar="N", help="hyperparameters that are searched"
    )
    parser.names("--arms", ARMS, "the arms of search_efficiency.py", default=["default"])
    parser.add_argument("--workers", type=int, default=1, help="how many trials run at a time")
    parser.outputs()
    options = parser.read(arguments)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    rows: list[dict[str, float | str]] = []
    print("arm               dimensions  trials  ms an ask (median, most)  ms a report (median, most)")
    for arm in options.arms:
        for dimensions in options.dimensions:
            problem = Bump(dimensions)
            search = TimedSearch(ARMS[arm].make(problem, 0, False, 10**9), max(options.trials))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                picks(problem, search, 0, options.workers, [10**9])
            for trials in sorted(options.trials):
                ask, report = ([s for n, s in part if trials - WINDOW < n <= trials] for part in search.seconds)
                row = {"arm": arm, "dimensions": dimensions, "workers": options.workers, "trials": trials}
                row |= {"ask_s": float(np.median(ask)), "longest_ask_s": max(ask)}
                row |= {"report_s": float(np.median(report)), "longest_report_s": max(report)}
                rows.append(row)
                times = (1e3 * float(row[key]) for key in ("ask_s", "longest_ask_s", "report_s", "longest_report_s"))
                print(
                    f"{arm:18}{dimensions:10}{trials:8}" + "{:14.1f}{:12.1f}{:16.1f}{:12.1f}".format(*times), flush=True
                )
    optuna.logging.set_verbosity(verbosity)
    write_json(options.out, {"rows": rows})


class Bump(MadeUp):
    """One bump in the middle of the space; what ends higher learns more slowly."""

    epochs = 9

    def __init__(self, dimensions: int) -> None:
        self.name = f"bump, {dimensions}-D"
        self.space = SearchSpace({f"x{i}": uniform(0, 1) for i in range(dimensions)})

    def mean(self, units: Array) -> Array:
        height = np.exp(-np.square(units - 0.5).mean(axis=1) / (2 * 0.25**2))[:, None]
        progress = np.arange(1, self.epochs + 1) / self.epochs
        return 0.5 + 0.3 * height - (0.3 + 0.2 * height) * np.exp(-4 * progress)

    def noise(self, unit: Array, rng: np.random.Generator) -> Array:
        del unit
        return rng.normal(0, 0.005, self.epochs)


class TimedSearch:
    """A search of so many trials whose asks and reports are timed."""

    def __init__(self, search: Search, trials: int) -> None:
        self._search, self._trials = search, trials
        self._begun = 0
        #: Of asks and of reports: trials that the search had afterwards, and seconds.
        self.seconds: tuple[list[tuple[int, float]], list[tuple[int, float]]] = [], []

    def ask(self) -> SimulatedTrial | None:
        if self._begun == self._trials:
            return None
        begin = time.process_time()
        trial = self._search.ask()
        seconds = time.process_time() - begin
        if trial is not None:
            self._begun = max(self._begun, trial.number + 1)
            self.seconds[0].append((self._begun, seconds))
        return trial

    def report(self, trial: SimulatedTrial, value: float) -> Action:
        begin = time.process_time()
        action = self._search.report(trial, value)
        self.seconds[1].append((self._begun, time.process_time() - begin))
        return action

    def pick(self) -> Params | None:
        return self._search.pick()


if __name__ == "__main__":
    main()
