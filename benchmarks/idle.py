"""Trials that do nothing, under the machinery of ``tune_reg``."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from ray import tune

if TYPE_CHECKING:
    from tune_reg import Study


class Nothing(tune.Trainable):
    """Reports one epoch, whose accuracy is its weight decay. Its processes are small: they load no torch.

    An epoch takes ``IDLE_TRIAL_S`` seconds of the environment, of which none are the processor's.
    """

    def setup(self, config: dict[str, Any]) -> None:
        self.x = config["run"]["params"]["weight_decay"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        time.sleep(float(os.environ.get("IDLE_TRIAL_S", "0")))
        row = {"epoch": 1, "learning_rate": 0.1, "strength": self.x, "val_accuracy": self.x, "wall_s": 0.0}
        return {"rows": [{**row, "train_loss": 0.0, "val_loss": 0.0}], "diverged": False, "done": True}

    def save_checkpoint(self, checkpoint_dir: str) -> None:  # Tune may ask for one at the end
        pass


def study(trials: int) -> Study:
    """A search of so many trials; from now on, the runs of every study in this process do nothing."""
    from search_spaces import loguniform
    from tune_reg import Study
    from tune_reg.search import trainables

    trainables.StudyTrainable = Nothing  # type: ignore[misc, assignment]  # what a study's runs are made of
    return Study(
        name="idle",
        dataset="digits",
        model="nn-2-small",
        regularizers={"weight-decay": {"weight_decay": loguniform(1e-6, 1e-1)}},
        training={"epochs": 1},
        search={"trials": trials, "pruner": "none"},
        confirm={"seeds": 1},
    )
