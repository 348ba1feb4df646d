"""The arms of ``cluster_scale.py``: many trials that do nothing, under this project and under stock Ray Tune."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from _shared.idle_trials import idle_study, sleep

from _cluster_scale.driver_costs import DriverCosts


def ours(cpus: int, trials: int, costs: DriverCosts) -> None:
    """Search by the machinery of ``tune_reg``."""
    from tune_reg.backends.ray.connection import ray_settings
    from tune_reg.backends.ray.launch import run_study
    from tune_reg.search.ask_tell import AskTell

    study = idle_study(trials)
    with tempfile.TemporaryDirectory() as folder, ray_settings():
        journal = Path(folder, "search.journal")
        costs.journal = lambda: journal.stat().st_size / 2**20

        ask, tell = AskTell.ask, AskTell.tell

        def timed(*args: Any) -> Any:
            with costs.ask():
                return ask(*args)

        def counted(*args: Any, **keywords: Any) -> None:
            tell(*args, **keywords)
            costs.end()

        _start_ray(cpus)
        with mock.patch.object(AskTell, "ask", timed), mock.patch.object(AskTell, "tell", counted):
            run_study(study, folder)


def stock(cpus: int, trials: int, costs: DriverCosts, *, reuse: bool) -> None:
    """Search by Ray Tune with its own searcher."""
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    class IdleTrainable(tune.Trainable):
        def setup(self, config: dict[str, float]) -> None:
            self.x = config["x"]

        def reset_config(self, new_config: dict[str, float]) -> bool:
            self.x = new_config["x"]
            return True

        def step(self) -> dict[str, Any]:
            sleep()
            return {"score": self.x, "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> None:  # Tune asks for one at the end of each trial
            pass

    class Search(OptunaSearch):
        def suggest(self, trial_id: str) -> Any:
            with costs.ask():
                return super().suggest(trial_id)

        def on_trial_complete(self, *args: Any, **keywords: Any) -> None:
            super().on_trial_complete(*args, **keywords)
            costs.end()

        def __reduce__(self) -> Any:  # Tune pickles its searcher into its snapshots; ``costs`` cannot be
            return dict, ()

    _start_ray(cpus)
    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            IdleTrainable,
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


def _start_ray(cpus: int) -> None:
    """Start a Ray of this machine that believes in so many CPUs."""
    import ray

    ray.init("local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level="ERROR")


ARMS: dict[str, Callable[[int, int, DriverCosts], None]] = {
    "ours": ours,
    "stock": lambda cpus, trials, costs: stock(cpus, trials, costs, reuse=True),
    "stock-default": lambda cpus, trials, costs: stock(cpus, trials, costs, reuse=False),
}
