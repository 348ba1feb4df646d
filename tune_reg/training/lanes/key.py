"""The key of a run, which says what other runs it can train side by side with."""

from __future__ import annotations

from typing import NamedTuple

from tune_reg.errors import StudyError
from tune_reg.training.run import Run, TrainingSet


class LaneKey(NamedTuple):
    """What all lanes of one engine have in common; lanes differ in numbers, seeds and epochs alone.

    The size of the training set is a part of the key: lanes that step together have as many steps in an epoch.
    ``batch_size``: the largest of all epochs, which decides how much memory a lane needs; its schedules may differ.
    """

    dataset: str
    model: str
    regularizer: str
    choices: tuple[tuple[str, object], ...]
    training_set: str
    protocol: str
    validation: float
    batch_size: int
    optimizer: str
    loss: str
    augment: str
    precision: str


def lane_key(run: Run) -> LaneKey:
    """The key of a run: runs with the same key can be lanes of one engine.

    >>> from tune_reg.training import Run
    >>> one, other = (Run("digits", "nn-2", "l1", {"strength": s}, seed=s) for s in (1, 2))
    >>> lane_key(one) == lane_key(other)
    True
    """
    settings = run.settings
    choices, _ = run.split_hyperparameters()
    return LaneKey(
        run.dataset,
        run.model,
        run.regularizer,
        tuple(sorted(choices.items())),
        TrainingSet(run.fraction, run.images_per_class).name,
        run.protocol,
        run.training.validation,
        max(settings.batch_sizes()),
        settings.optimizer,
        settings.loss,
        settings.augment,
        settings.precision,
    )


def check_same(key: LaneKey, lane: int, first: LaneKey) -> None:
    """Raise StudyError where the run for ``lane`` differs from the other lanes in more than numbers."""
    for field, value, common in zip(LaneKey._fields, key, first, strict=True):
        if value != common:
            raise StudyError(
                f"lanes: {field} must be the same in all lanes, but lane {lane} has {value!r} and the others "
                f"{common!r}; give them engines of their own"
            )
