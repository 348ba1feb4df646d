"""Which settings of a study change nothing beside its other settings: a person who gives one means something by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from search_spaces import Choice, DefinedByRun
from tune_reg.study.method import Method
from tune_reg.study.settings import PrunerName, SearchSettings, SecondObjective
from tune_reg.study.study import Study
from tune_reg.training.settings import TrainingSettings

#: The settings of a stopping rule, with the rules that read them.
_OF_PRUNERS: Final[Mapping[str, tuple[PrunerName, ...]]] = {
    "reduction_factor": ("predicted", "asha", "hyperband"),
    "min_epochs": ("pause", "predicted", "asha", "hyperband", "median"),
}


def unused_settings(study: Study) -> list[str]:
    """A line for each setting that is given and changes nothing; defaults are not meant by anyone.

    >>> study = Study(name="x", dataset="digits", model="nn-2", regularizers=["l1"],
    ...               search={"pruner": "none", "reduction_factor": 2})
    >>> unused_settings(study)
    ['search.reduction_factor: means nothing with search.pruner "none", which has no rungs; drop it']
    """
    return [*_of_search(study), *_of_training(study), *_of_methods(study)]


def _of_search(study: Study) -> Iterator[str]:
    search = study.search
    # Where no first rung is given, that of a pruner that pauses is a third of the epochs, and of any other one 1.
    given = {"reduction_factor": _given(search, "reduction_factor"), "min_epochs": search.min_epochs not in (None, 1)}
    if search.pruner == "pause" and search.min_epochs is None and given["reduction_factor"]:
        yield 'search.reduction_factor: means nothing with search.pruner "pause" and no search.min_epochs; drop it'
    if search.sampler != "knowledge-gradient" and not search.prior:
        yield f'search.prior: means nothing with search.sampler "{search.sampler}", which has no model; drop it'
    if search.pick == "space" and (search.sampler != "knowledge-gradient" or search.second_objective is not None):
        yield "search.pick: means nothing without the model of the sampler knowledge-gradient; drop it"
    for key, readers in _OF_PRUNERS.items():
        if search.pruner not in ("pause", *readers) and given[key]:
            yield f'search.{key}: means nothing with search.pruner "{search.pruner}", which has no rungs; drop it'
    if search.patience >= search.trials:
        yield (
            f"search.patience: a search of {search.trials} trials has ended before {search.patience} of them bring "
            "nothing better; lower it, or drop it"
        )
    second = search.second_objective
    if second is not None and second.kind == "epoch_time":
        for key in ("attack", "images"):
            if _given(second, key):
                yield f"search.second_objective.{key}: means nothing with epoch_time, which attacks nothing; drop it"
    robustness = study.robustness
    if _given(robustness, "autoattack_images") and not (robustness.autoattack_linf or robustness.autoattack_l2):
        yield "robustness.autoattack_images: means nothing without AutoAttack; give autoattack_linf = [0.1], or drop it"
    if _given(robustness, "images") and robustness.empty:
        yield "robustness.images: means nothing without a test; give one, as fgsm = [0.1], or drop it"


def _of_training(study: Study) -> Iterator[str]:
    training, methods = study.training, study.regularizers.values()
    if study.protocol == "paper" and _given(training, "validation"):
        yield 'training.validation: means nothing with protocol "paper", which holds no images out; drop it'
    for key in ("augment", "precision", "validate_every"):
        if study.trainer and _given(training, key):
            yield f"training.{key}: means nothing with a trainer, whose loop does it itself; drop it"
    for key in TrainingSettings.OWN:
        if _given(training, key) and all(_has(method, key) for method in methods):
            yield f"training.{key}: means nothing, as every regularizer has its own; drop it"
    if study.search.learning_rate is not None and all(_has(method, "learning_rate") for method in methods):
        yield "search.learning_rate: means nothing, as every regularizer has its own learning_rate; drop it"
    if _given(training, "momentum") and not any("sgd" in _optimizers(study, method) for method in methods):
        yield "training.momentum: only the optimizer sgd has it, and the others have constants of their own; drop it"
    if _given(training, "loss") and all(method.kind.fills("loss") for method in methods):
        yield "training.loss: means nothing, as every regularizer brings a loss of its own; drop it"


def _of_methods(study: Study) -> Iterator[str]:
    for name, method in study.regularizers.items():
        if study.search.sampler == "grid" and _starts_are_given(method):
            yield (
                f'regularizers.{name}.start: means nothing with search.sampler "grid", which tries every combination '
                "in an order of its own; drop it, or take another sampler"
            )
        if _has(method, "momentum") and "sgd" not in _optimizers(study, method):
            yield f"regularizers.{name}.momentum: only the optimizer sgd has it; drop it"
        if _has(method, "loss") and method.kind.fills("loss"):
            yield f"regularizers.{name}.loss: means nothing, as {method.regularizer} brings a loss of its own; drop it"


def _given(table: SearchSettings | SecondObjective | Any, key: str) -> bool:
    """Whether a setting is not its default: a study that is written out has every default in it."""
    return bool(getattr(table, key) != type(table).model_fields[key].default)


def _has(method: Method, key: str) -> bool:
    """Whether each run of the method has its own value of a setting."""
    space = method.space
    return all(key in values for values in space.returned) if isinstance(space, DefinedByRun) else key in space


def _optimizers(study: Study, method: Method) -> set[Any]:
    space, usual = method.space, study.training.optimizer
    if isinstance(space, DefinedByRun):
        return {values.get("optimizer", usual) for values in space.returned}
    entry = space.get("optimizer", usual)
    return set(entry.values) if isinstance(entry, Choice) else {entry}


def _starts_are_given(method: Method) -> bool:
    """Whether the starting points are others than those that the spaces of the regularizer have."""
    usual = [space.replace(method.space).start for space in (method.kind.space, method.kind.paper) if space is not None]
    return bool(method.space.start) and method.space.start not in usual
