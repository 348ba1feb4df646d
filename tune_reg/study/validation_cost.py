"""How many images validate beside those that train, where validation takes most of the time."""

from __future__ import annotations

import math
from typing import Final

from tune_reg.study.plan import StudyPlan

#: The cost of an image in training, in evaluations of it: the forward pass, and the gradients of weights and inputs.
_TRAINING: Final = 3


def validation_notes(plan: StudyPlan) -> list[str]:
    """In a line, how to validate less often where validation takes most of the time of the smallest trainings.

    >>> from tune_reg.study import Study, make_plan
    >>> study = Study(name="x", dataset="mnist", model="small-cnn", regularizers=["db"], images_per_class=[50])
    >>> validation_notes(make_plan(study))
    ['most of the time goes into validation: 10000 images after each epoch of 500; training.validate_every = 4 would \
validate at a third of the epochs, at two thirds and at the end']
    """
    study, training = plan.study, plan.study.training
    images = study.images(plan.training_sets[0].fraction)
    often = math.ceil(training.epochs / 3)
    is_small = plan.validation_images <= _TRAINING * images * training.validate_every
    if study.trainer or is_small or training.validate_every >= often:
        return []
    return [
        f"most of the time goes into validation: {plan.validation_images} images after each epoch of {images}; "
        f"training.validate_every = {often} would validate at a third of the epochs, at two thirds and at the end"
    ]
