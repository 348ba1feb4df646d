"""Settings that mean nothing for a data set, as its examples are no images or are whole numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tune_reg.data import DatasetInfo
from tune_reg.evaluation.settings import RobustnessSettings
from tune_reg.models import shape_fault
from tune_reg.regularizers import Regularizer
from tune_reg.regularizers.gradient_penalties.base import GradientPenaltyRegularizer
from tune_reg.study.settings import SearchSettings
from tune_reg.training.settings import TrainingSettings


def unfit_settings(
    info: DatasetInfo,
    *,
    model: str,
    methods: Mapping[str, type[Regularizer]],
    training: TrainingSettings,
    search: SearchSettings,
    robustness: RobustnessSettings,
) -> Iterator[str]:
    """A line, with the key, for each setting that the examples of a data set do not allow."""
    examples = f"{info.name} has examples of the shape {list(info.image)}"
    fault = shape_fault(model, info.image)
    if fault is not None:
        yield f"model: {fault}"
    if not info.is_of_images:
        if training.augment != "none":
            yield f"training.augment: {training.augment} moves images [C, H, W], but {examples}; drop it"
        if robustness.corruptions:
            yield f"robustness.corruptions: are of images [C, H, W], but {examples}; drop them"
    if info.values != "integers":
        return
    # Tests are given as lists, of radii, strengths or names.
    tested = [key for key, value in robustness if isinstance(value, list) and value and key != "corruptions"]
    if tested:
        yield f"robustness.{tested[0]}: needs examples of floats, but {info.name} has whole numbers; drop it"
    if search.validation_attack is not None:
        yield f"search.second_objective: attacks need examples of floats, but {info.name} has whole numbers; drop it"
    for name, kind in methods.items():
        if kind.fills("inputs") or issubclass(kind, GradientPenaltyRegularizer):
            yield (
                f"regularizers.{name}: acts on the examples, which must be floats, but {info.name} has whole numbers; "
                "leave it out"
            )
