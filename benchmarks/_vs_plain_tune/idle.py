"""Trials that do nothing, under stock Tune and under ``tune_reg``: what a trial costs beside its training."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _vs_plain_tune import ours, plain
from _vs_plain_tune.sweep import Numbers, Options

#: Seconds of a fit, and when each of its trials ended.
Fit = tuple[float, list[float]]


def idle_plain(options: Options, *, as_class: bool) -> Numbers:
    """Stock Tune and stock OptunaSearch, with a function or a class as trainable."""
    import ray
    from ray import tune
    from ray.tune.search.optuna import OptunaSearch

    def function(config: dict[str, float]) -> None:
        tune.report({"score": config["x"]})

    class Trainable(tune.Trainable):
        def setup(self, config: dict[str, float]) -> None:
            self.x = config["x"]

        def step(self) -> dict[str, Any]:
            return {"score": self.x, "done": True}

    def fit(trials: int) -> Fit:
        with tempfile.TemporaryDirectory() as storage:
            tuner = tune.Tuner(
                Trainable if as_class else function,
                param_space={"x": tune.loguniform(1e-6, 1e-1)},
                tune_config=tune.TuneConfig(metric="score", mode="max", search_alg=OptunaSearch(), num_samples=trials),
                run_config=tune.RunConfig(storage_path=storage),
            )
            begin = time.perf_counter()
            results = tuner.fit()
            return time.perf_counter() - begin, plain.end_times(results)

    ray.init(include_dashboard=False)
    return _measured(fit, options.idle)


def idle_ours(options: Options) -> Numbers:
    """The project's own search, store, searcher, scheduler and reused actors."""
    from _shared.idle_trials import idle_study

    from tune_reg.backends.ray.connection import ray_running
    from tune_reg.backends.ray.launch import run_study

    def fit(trials: int) -> Fit:
        seconds = 0.0

        @contextmanager
        def watch(_: object) -> Iterator[None]:
            nonlocal seconds
            begin = time.perf_counter()
            yield
            seconds = time.perf_counter() - begin

        with tempfile.TemporaryDirectory() as directory:
            run_study(idle_study(trials), directory, watch=watch)
            return seconds, ours.end_times(Path(directory))

    fit(1)  # sets the environment that Ray is to start in
    with ray_running(None):
        return _measured(fit, options.idle)


def _measured(fit: Callable[[int], Fit], trials: int) -> Numbers:
    """Seconds a trial, start-up included, and of one trial more: the slope of the line through the trials' ends.

    The difference between two fits tells less: it is the luck of their actors' start-up, seconds for ours.
    """
    fit(2)  # what the first fit of a process loads
    fit_s, ends = fit(trials)
    if len(ends) != trials:
        raise RuntimeError(f"{trials} trials were to end, but {len(ends)} did")
    slope = statistics.linear_regression(range(len(ends)), ends).slope
    return {"trials": trials, "fit_s": fit_s, "fit_s / trials": fit_s / trials, "one_more_trial_s": slope}
