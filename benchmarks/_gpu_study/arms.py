"""One study, run with the resources of an arm, and what the driver heard of its search, and when."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

if TYPE_CHECKING:
    from tune_reg import Study

#: The resources of each arm, with a GPU and, to see that it runs, without.
ARMS: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "lanes": ({"gpus": 1.0, "lanes": "auto"}, {"cpus": os.cpu_count(), "lanes": 2}),
    "four processes": ({"gpus": 0.25, "lanes": 1}, {"cpus": 1, "lanes": 1}),
    "one at a time": ({"gpus": 1.0, "lanes": 1}, {"cpus": os.cpu_count(), "lanes": 1}),
}


def study_of(options: Namespace) -> Study:
    """The study of an arm."""
    from _shared.images import synthetic_images

    from search_spaces import loguniform
    from tune_reg import Study

    images = synthetic_images(60_000, 10_000) if options.images == "made-up" else options.images
    return Study(
        name="gpu-study",
        dataset=images,
        model=options.model,
        regularizers={"weight-decay": {"weight_decay": loguniform(1e-6, 1e-2)}},
        training={"epochs": options.epochs, "batch_size": 128},
        search={
            "trials": options.trials,
            "sampler": "random",
            "pruner": "asha",
            "learning_rate": loguniform(0.003, 0.3),
        },
        confirm={"seeds": 1},
        resources=ARMS[options.arm][options.cpu],
    )


def run_arm(options: Namespace) -> dict[str, Any]:
    """Run the study in this process; what its search took, in seconds since ``options.began``."""
    from tune_reg.backends.ray.launch import run_study

    study, search = study_of(options), Search()
    signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 60 * options.minutes)
    with tempfile.TemporaryDirectory() as directory, heard(search), suppress(KeyboardInterrupt):
        run_study(study, directory, skip_preflight=True)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return search.costs(options.began, options.trials)


@dataclass
class Search:
    """When the driver heard of each epoch of a search, in seconds since 1970, and how many trials have ended."""

    epochs: list[float] = field(default_factory=list)
    ended: int = 0

    def costs(self, began: float, trials: int) -> dict[str, Any]:
        """Seconds since ``began`` to the first epoch and to the last, and how many trials and epochs an hour that is.

        ``trials``: of the whole search. What nothing was heard of is None.

        >>> Search([12.0, 14.0, 28.0], ended=2).costs(began=10.0, trials=3)["search_s"]
        18.0
        """
        seconds = max(self.epochs) - began if self.epochs else None
        return {
            "first_epoch_s": min(self.epochs) - began if self.epochs else None,
            "search_s": seconds,
            "trials": self.ended,
            "epochs": len(self.epochs),
            "trials_an_hour": 3600 * self.ended / seconds if seconds else None,
            "epochs_an_hour": 3600 * len(self.epochs) / seconds if seconds else None,
            "complete": self.ended == trials,
        }


@contextmanager
def heard(search: Search) -> Iterator[None]:
    """Note what the driver of a study in this process hears of its search."""
    from tune_reg.execution.controller import StudyController as Controller

    take_epochs, end = Controller._take_epochs, Controller._end

    def timed(controller: Controller, live: Any, rows: Any) -> Any:
        now, before = time.time(), len(live.rows)
        decision = take_epochs(controller, live, rows)
        if live.run.stage == "search":
            search.epochs += [now] * (len(live.rows) - before)
        return decision

    def counted(controller: Controller, live: Any, outcome: Any) -> None:
        end(controller, live, outcome)
        search.ended += live.run.stage == "search"

    with mock.patch.object(Controller, "_take_epochs", timed), mock.patch.object(Controller, "_end", counted):
        yield
