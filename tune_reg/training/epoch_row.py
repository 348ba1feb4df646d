"""The row of one trained epoch, which both engines give."""

from __future__ import annotations

import math

from tune_reg.store.schema import EpochValues
from tune_reg.training.training_plan import EpochSettings


def epoch_row(
    epoch: int,
    settings: EpochSettings,
    train_loss: float | None,
    validation: tuple[float | None, float | None],
    wall_s: float,
) -> EpochValues:
    """One row of the table of epochs.

    ``epoch`` is counted from 1. ``validation`` is mean loss and accuracy, None where the epoch was not validated.
    """
    return {
        "epoch": epoch,
        "learning_rate": settings.learning_rate,
        "strength": settings.strength,
        "train_loss": train_loss,
        "val_loss": validation[0],
        "val_accuracy": validation[1],
        "val_metric": None,
        "wall_s": wall_s,
    }


def has_diverged(row: EpochValues) -> bool:
    """Whether an epoch says that its run diverged: a loss or a validation value is not finite."""
    values = (row["train_loss"], row["val_loss"], row["val_accuracy"], row.get("val_metric"))
    return not all(value is None or math.isfinite(value) for value in values)
