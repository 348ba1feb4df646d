"""Trials that do nothing, run by the machinery of ``tune_reg``."""

from __future__ import annotations

import os
import time
import zlib
from typing import TYPE_CHECKING, Any

from ray import tune

from tune_reg.execution.messages import Completed, RunReport

if TYPE_CHECKING:
    from tune_reg import Study
    from tune_reg.store import EpochValues

#: The environment variable that says for how many seconds a trial sleeps. Ray's workers inherit it.
TRIAL_SECONDS = "IDLE_TRIAL_S"


def sleep() -> None:
    """Let the time of a trial pass without using a core."""
    time.sleep(float(os.environ.get(TRIAL_SECONDS, "0")))


class IdleTrainable(tune.Trainable):
    """One epoch that trains nothing, with an accuracy made from the trial's key. Its processes load no torch."""

    def setup(self, config: dict[str, Any]) -> None:
        self.accuracy = zlib.crc32(config["key"].encode()) / 2**32

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        sleep()
        row: EpochValues = {
            "epoch": 1,
            "learning_rate": 0.1,
            "strength": 1e-4,
            "train_loss": 0.0,
            "val_loss": 0.0,
            "val_accuracy": self.accuracy,
            "wall_s": 0.0,
        }
        return {"message": RunReport((row,), Completed()), "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> None:  # Tune may ask for one at the end
        pass


def idle_study(trials: int) -> Study:
    """A search of ``trials`` trials. From now on, the runs of every study in this process do nothing."""
    from search_spaces import loguniform
    from tune_reg import Study
    from tune_reg.backends.ray import study_trainables

    study_trainables.StudyTrainable = IdleTrainable  # type: ignore[misc, assignment]  # what a study's runs are made of
    return Study(
        name="idle",
        dataset="digits",
        model="nn-2-small",
        regularizers={"weight-decay": {"weight_decay": loguniform(1e-6, 1e-1)}},
        training={"epochs": 1},
        search={"trials": trials, "pruner": "none"},
        confirm={"seeds": 1},
    )
