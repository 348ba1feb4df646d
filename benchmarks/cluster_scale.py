"""What the driver does with a cluster of many CPUs: trials that do nothing, on simulated CPUs of this machine.

    .venv/bin/python benchmarks/cluster_scale.py --arm ours --cpus 64 --trials 10000
    .venv/bin/python benchmarks/cluster_scale.py --arm stock --cpus 64 --trials 2000
    .venv/bin/python benchmarks/cluster_scale.py --draw

Ray is told of more CPUs than there are, so that as many trials run at once; their processes share the real cores, which
the driver has to share too. Arms, each in a process of its own:

- ``ours``: brain, store, searcher, scheduler; TPE; one task, no pruning.
- ``stock``: OptunaSearch and ``reuse_actors=True``, without which a trial costs more than a second.
- ``stock-default``: the same without it.

At each tenth of the trials: seconds a trial since the last tenth, milliseconds an ask, the driver's memory and the size
of the journal. Appends to results/cluster_scale.json; ``--draw`` makes results/cluster_scale.png of it. The time until
the first trial ends, which is that of starting the processes, is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
TENTHS = 10


class Curve:
    """Measures the driver at each tenth of the trials."""

    def __init__(self, trials: int, journal: Callable[[], float]) -> None:
        self._step = max(1, trials // TENTHS)
        self._journal = journal
        self._ended = 0
        self._since = 0.0
        self.asks: list[float] = []
        self.rows: list[dict[str, float]] = []

    @contextmanager
    def ask(self) -> Iterator[None]:
        """One ask."""
        begin = time.perf_counter()
        yield
        self.asks.append(time.perf_counter() - begin)

    def end(self) -> None:
        """A trial has ended."""
        self._ended += 1
        if self._ended == 1:
            self._since = time.perf_counter()
        elif self._ended % self._step == 0:
            now = time.perf_counter()
            row = {
                "trials": self._ended,
                "seconds_a_trial": (now - self._since) / self._step,
                "ask_ms": 1000 * sum(self.asks) / max(1, len(self.asks)),
                "driver_MiB": memory(),
                "journal_MiB": self._journal(),
            }
            self.rows.append(row)
            self._since = now
            self.asks.clear()
            print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)


def memory() -> float:
    """MiB of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def ours(cpus: int, trials: int) -> Curve:
    """This project's own machinery."""
    import idle
    import ray

    from tune_reg.search import launch

    study = idle.study(trials)
    with tempfile.TemporaryDirectory() as folder, launch._environment():
        journal = Path(folder, "search.journal")
        curve = Curve(trials, lambda: journal.stat().st_size / 2**20)

        @contextmanager
        def watch(sweep: Any) -> Iterator[None]:
            ask, end = sweep.brain.ask, sweep.end

            def timed(*args: Any) -> Any:
                with curve.ask():
                    return ask(*args)

            def counted(*args: Any, **keywords: Any) -> None:
                end(*args, **keywords)
                curve.end()

            sweep.brain.ask, sweep.end = timed, counted
            yield

        ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        launch.run_study(study, folder, watch=watch)
    return curve


def stock(cpus: int, trials: int, *, reuse: bool) -> Curve:
    """Ray Tune with its own searcher."""
    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    curve = Curve(trials, lambda: 0.0)

    class Nothing(tune.Trainable):
        def setup(self, config: dict[str, float]) -> None:
            self.x = config["x"]

        def reset_config(self, new_config: dict[str, float]) -> bool:
            self.x = new_config["x"]
            return True

        def step(self) -> dict[str, Any]:
            return {"score": self.x, "done": True}

    class Search(OptunaSearch):
        def suggest(self, trial_id: str) -> Any:
            with curve.ask():
                return super().suggest(trial_id)

        def on_trial_complete(self, *args: Any, **keywords: Any) -> None:
            super().on_trial_complete(*args, **keywords)
            curve.end()

        def __reduce__(self) -> Any:  # Tune pickles its searcher into its snapshots; ``curve`` cannot be
            return dict, ()

    ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            Nothing,
            param_space={"x": tune.loguniform(1e-6, 1e-1)},
            tune_config=tune.TuneConfig(
                metric="score",
                mode="max",
                search_alg=Search(),
                num_samples=trials,
                max_concurrent_trials=cpus,
                reuse_actors=reuse,
            ),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
    return curve


ARMS: dict[str, Callable[[int, int], Curve]] = {
    "ours": ours,
    "stock": lambda cpus, trials: stock(cpus, trials, reuse=True),
    "stock-default": lambda cpus, trials: stock(cpus, trials, reuse=False),
}


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    import matplotlib.pyplot as plt

    kinds = {"seconds_a_trial": "seconds a trial", "ask_ms": "ms an ask", "driver_MiB": "driver, MiB"}
    figure, axes = plt.subplots(1, len(kinds), figsize=(12, 3.6), layout="constrained")
    for axis, (kind, name) in zip(axes, kinds.items(), strict=True):
        for i, run in enumerate(runs):
            x = [row["trials"] for row in run["rows"]]
            label = f"{run['arm']}, {run['cpus']} CPUs"
            axis.plot(x, [row[kind] for row in run["rows"]], "osDv"[i % 4] + "-", markersize=4, label=label)
        axis.set(xlabel="trials", ylabel=name, yscale="log")
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arm", choices=list(ARMS), default="ours")
    parser.add_argument("--cpus", type=int, default=64)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS / "cluster_scale.json")
    options = parser.parse_args()
    runs = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else []
    if options.draw:
        draw(runs, options.out.with_suffix(".png"))
        return
    begin = time.perf_counter()
    curve = ARMS[options.arm](options.cpus, options.trials)
    seconds = time.perf_counter() - begin
    print(f"{options.arm}: {options.trials} trials on {options.cpus} simulated CPUs in {seconds:.0f} s, start included")
    run = {"arm": options.arm, "cpus": options.cpus, "trials": options.trials, "seconds": seconds, "rows": curve.rows}
    options.out.write_text(json.dumps([*runs, run], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
