"""What the driver does with a cluster of many CPUs: trials that do nothing, on simulated CPUs of this machine.

    .venv/bin/python benchmarks/cluster_scale.py --arm stock --cpus 64 --seconds 5 --trials 10000 --minutes 12
    .venv/bin/python benchmarks/cluster_scale.py --arm ours --cpus 64 --seconds 5 --trials 10000 --minutes 12
    .venv/bin/python benchmarks/cluster_scale.py --draw

Ray is told of more CPUs than there are, so that as many trials run at once; their processes (some 115 MB each) share
the real cores, which the driver has to share too. With ``--seconds`` a trial waits before it ends, without using a
core: where trials end at once, stock Tune gives each waiting trial the process of one that has ended and kills the one
that was being started for it, so that on few cores processes are started all the time. Arms, each in a process of its
own:

- ``ours``: brain, store, searcher, scheduler; TPE; one task, no pruning.
- ``stock``: OptunaSearch and ``reuse_actors=True``, without which a trial costs more than a second.
- ``stock-default``: the same without it.

At each of ``MARKS`` trials, since the one before: seconds a trial, the driver's processor time a trial, milliseconds an
ask; and now: the driver's memory and the size of the journal. Processor time is what the driver needs; the seconds are
also those of the trials' processes and of whatever else the machine does. Each mark is written at once to
results/cluster_scale.json, where a run of the same arm and CPUs is replaced; ``--draw`` makes
results/cluster_scale.png of it. The time until the first trial ends, which is that of starting the processes, is left
out.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
MARKS = (50, 100, 200, 500, *range(1000, 20_001, 500))


class Curve:
    """Measures the driver at each of ``MARKS``; ``show`` is called with the rows so far."""

    def __init__(self, show: Callable[[list[dict[str, float]]], None]) -> None:
        self._show = show
        self.journal: Callable[[], float] = lambda: 0.0
        self._ended = 0
        self._last = (0, 0.0, 0.0)
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
        now = (self._ended, time.perf_counter(), time.process_time())
        if self._ended == 1:
            self._last = now
        elif self._ended in MARKS:
            trials = now[0] - self._last[0]
            row = {
                "trials": self._ended,
                "seconds_a_trial": (now[1] - self._last[1]) / trials,
                "driver_s_a_trial": (now[2] - self._last[2]) / trials,
                "ask_ms": 1000 * sum(self.asks) / max(1, len(self.asks)),
                "driver_MiB": memory(),
                "journal_MiB": self.journal(),
            }
            self.rows.append(row)
            self._last = now
            self.asks.clear()
            self._show(self.rows)


def memory() -> float:
    """MiB of this process now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def ours(cpus: int, trials: int, curve: Curve) -> None:
    """This project's own machinery."""
    import idle
    import ray

    from tune_reg.search import launch

    study = idle.study(trials)
    with tempfile.TemporaryDirectory() as folder, launch._environment():
        journal = Path(folder, "search.journal")
        curve.journal = lambda: journal.stat().st_size / 2**20

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

        ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        launch.run_study(study, folder, watch=watch)


def stock(cpus: int, trials: int, curve: Curve, *, reuse: bool) -> None:
    """Ray Tune with its own searcher."""
    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    class Nothing(tune.Trainable):
        def setup(self, config: dict[str, float]) -> None:
            self.x = config["x"]

        def reset_config(self, new_config: dict[str, float]) -> bool:
            self.x = new_config["x"]
            return True

        def step(self) -> dict[str, Any]:
            time.sleep(float(os.environ.get("IDLE_TRIAL_S", "0")))
            return {"score": self.x, "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> None:  # Tune asks for one at the end of each trial
            pass

    class Search(OptunaSearch):
        def suggest(self, trial_id: str) -> Any:
            with curve.ask():
                return super().suggest(trial_id)

        def on_trial_complete(self, *args: Any, **keywords: Any) -> None:
            super().on_trial_complete(*args, **keywords)
            curve.end()

        def __reduce__(self) -> Any:  # Tune pickles its searcher into its snapshots; ``curve`` cannot be
            return dict, ()

    ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
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


ARMS: dict[str, Callable[[int, int, Curve], None]] = {
    "ours": ours,
    "stock": lambda cpus, trials, curve: stock(cpus, trials, curve, reuse=True),
    "stock-default": lambda cpus, trials, curve: stock(cpus, trials, curve, reuse=False),
}


def draw(runs: list[dict[str, Any]], path: Path) -> None:
    import matplotlib.pyplot as plt

    kinds = {
        "seconds_a_trial": "seconds a trial",
        "driver_s_a_trial": "driver's processor time a trial, s",
        "ask_ms": "ms an ask",
        "driver_MiB": "driver, MiB",
    }
    figure, axes = plt.subplots(1, len(kinds), figsize=(15, 3.6), layout="constrained")
    for axis, (kind, name) in zip(axes, kinds.items(), strict=True):
        colours = dict.fromkeys((run["cpus"], run["trial_s"]) for run in runs)
        for run in runs:
            x = [row["trials"] for row in run["rows"]]
            style = "o-" if run["arm"] == "ours" else "s--"
            colour = f"C{list(colours).index((run['cpus'], run['trial_s']))}"
            waits = f", {run['trial_s']:g} s a trial" if run["trial_s"] else ""
            label = f"{run['arm']}, {run['cpus']} CPUs{waits}"
            axis.plot(x, [row[kind] for row in run["rows"]], style, color=colour, markersize=4, label=label)
        axis.set(xlabel="trials", ylabel=name, xscale="log")
        axis.set_ylim(0, 1.05 * max(row[kind] for run in runs for row in run["rows"]))
    axes[-1].legend(frameon=False, loc="lower right")  # there the curves leave room
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arm", choices=list(ARMS), default="ours")
    parser.add_argument("--cpus", type=int, default=64)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=0.0, help="that a trial waits before it ends")
    parser.add_argument("--minutes", type=float, default=60.0, help="end after so long, with the marks so far")
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS / "cluster_scale.json")
    options = parser.parse_args()
    runs = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else []
    if options.draw:
        draw(runs, options.out.with_suffix(".png"))
        return
    settings = {"arm": options.arm, "cpus": options.cpus, "trial_s": options.seconds}
    kept = [run for run in runs if {name: run[name] for name in settings} != settings]
    begin = time.perf_counter()

    def show(rows: list[dict[str, float]]) -> None:
        print("  ".join(f"{name} {value:.4g}" for name, value in rows[-1].items()), flush=True)
        seconds = time.perf_counter() - begin
        run = {**settings, "seconds": seconds, "rows": rows}
        options.out.write_text(json.dumps([*kept, run], indent=1) + "\n", encoding="utf-8")

    os.environ["IDLE_TRIAL_S"] = str(options.seconds)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(round(60 * options.minutes))
    with suppress(KeyboardInterrupt):
        ARMS[options.arm](options.cpus, options.trials, Curve(show))
    print(f"{options.arm}: {time.perf_counter() - begin:.0f} s, start included", flush=True)


if __name__ == "__main__":
    main()
