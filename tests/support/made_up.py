"""Results that nobody trained: for tests of what a controller makes of the results of a study of two epochs."""

import math

from tune_reg.execution.messages import Completed, RunReport
from tune_reg.search.decision import Decision

#: The look at the test set of a confirmed run.
FINAL = {"n_train": 1, "n_test": 1, "val_accuracy": 0.5, "test_accuracy": 0.5}


def epoch_row(epoch, accuracy=0.5, wall_s=0.25):
    """What an engine reports of an epoch; of one that diverged, where ``accuracy`` is not finite."""
    loss = 1.0 if math.isfinite(accuracy) else math.nan
    return {
        "epoch": epoch,
        "learning_rate": 0.1,
        "strength": 1e-4,
        "train_loss": loss,
        "val_loss": loss,
        "val_accuracy": accuracy,
        "wall_s": wall_s,
    }


def epochs(*numbers, accuracy=0.5, outcome=None):
    """The report of a run that has trained the epochs with these ``numbers``."""
    return RunReport(tuple(epoch_row(number, accuracy) for number in numbers), outcome)


def completed(run, accuracy=0.5):
    """The report of a run that was trained to its end and, where it is confirmed, tested."""
    return epochs(1, 2, accuracy=accuracy, outcome=Completed(final=FINAL if run.stage == "confirm" else None))


def finish(controller, run, accuracy=0.5):
    """Report a run epoch by epoch to its end, which must not come before."""
    assert controller.take(run.key, epochs(1, accuracy=accuracy)) is Decision.CONTINUE
    assert controller.take(run.key, completed(run, accuracy)) is Decision.STOP


def finish_all(controller, accuracy=lambda run: 0.5, limit=1000):
    """Start and finish one run after the other, ``limit`` at most; these runs."""
    runs = []
    while not controller.finished and len(runs) < limit:
        runs.append(controller.next_run())
        finish(controller, runs[-1], accuracy(runs[-1]))
    return runs
