"""What a study will cost, in trials and epochs, before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from tune_reg.study import Study


@dataclass(frozen=True)
class PlanRow:
    """The cost of one regularizer. ``image_passes``: training images through the network, at most."""

    regularizer: str
    trials: int
    search_epochs: int  # at most: a pruned trial trains fewer
    confirmed_runs: int
    confirm_epochs: int
    image_passes: int


def plan(study: Study) -> list[PlanRow]:
    """The cost of each regularizer of ``study``.

    >>> study = Study(name="x", dataset="digits", model="nn-2", regularizers=["weight-decay"])
    >>> plan(study)[0].search_epochs
    160
    """
    epochs = study.training.epochs
    confirmations = study.confirmations()
    rows = []
    for name in study.regularizers:
        tasks = [task for task in study.tasks() if task.regularizer == name]
        fractions = [size.fraction for task, size, _ in confirmations if task.regularizer == name]
        seeds = study.search.seeds
        images = sum(task.trials * seeds * study.images(task.fraction) for task in tasks)
        images += sum(study.images(fraction) for fraction in fractions)
        trials = sum(task.trials for task in tasks)
        rows.append(
            PlanRow(name, trials, trials * seeds * epochs, len(fractions), len(fractions) * epochs, images * epochs)
        )
    return rows
