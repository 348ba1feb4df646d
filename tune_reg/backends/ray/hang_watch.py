"""Ends the process of a run that has reported nothing for too long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ray
from ray.tune import Callback
from ray.tune.experiment import Trial as TuneTrial

from tune_reg.backends.ray.not_pickled import NotPickled


class HangWatch(NotPickled, Callback):
    """Ends the process of a run that reports no epoch for ``timeout_s`` seconds; Tune then treats it as failed.

    A lane group has as many times that long as it has runs: an epoch of runs side by side takes no longer than their
    epochs one after the other.
    """

    def __init__(self, timeout_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        # Kept here and not looked for among all trials, most of which have ended: Tune asks several times a second.
        self._last_heard: dict[TuneTrial, float] = {}
        self._reasons: dict[TuneTrial, str] = {}

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Begin to watch a run whose process is there."""
        del iteration, trials, info
        self._last_heard[trial] = self._clock()

    def on_step_begin(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Look at every run that is under way."""
        del iteration, trials, info
        now = self._clock()
        for trial, last_heard in list(self._last_heard.items()):
            limit = self._timeout_s * trial.config["runs"]
            if trial.status != TuneTrial.RUNNING:
                del self._last_heard[trial]
            elif now - last_heard > limit:
                actor = trial.temporary_state.ray_actor
                if actor is not None:
                    self._reasons[trial] = f"no epoch within {limit:g} s"
                    ray.kill(actor)
                    del self._last_heard[trial]

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: Any, **info: Any
    ) -> None:
        """Note that a run is alive."""
        del iteration, trials, result, info
        self._last_heard[trial] = self._clock()

    def pop_reason(self, trial: TuneTrial) -> str | None:
        """Why the process of a run was ended here, said once; None where it was not."""
        return self._reasons.pop(trial, None)
