"""The learning rate as a hyperparameter that is searched beside every strength."""

from __future__ import annotations

from typing import Final

from search_spaces import Float, Prior
from tune_reg.regularizers import Hyperparameter
from tune_reg.training.settings import TrainingSettings

#: It belongs to no regularizer.
LEARNING_RATE: Final = Hyperparameter("learning_rate", 0.1, "step size", low=1e-12)

#: The usual learning rate of optimizers that scale the step of each parameter by its gradients.
_ADAPTIVE: Final = {"adam": 1e-3, "rmsprop": 1e-3, "adagrad": 1e-2}
#: The factor that two of three good learning rates are within.
_FACTOR: Final = 3.0


def learning_rate_prior(training: TrainingSettings, domain: Float) -> Prior | None:
    """What is known beforehand of the learning rate that is searched over ``domain``; None where nothing is.

    The study's own learning rate is taken for usual, where the range holds it; else that of the optimizer.

    >>> learning_rate_prior(TrainingSettings(), Float(0.01, 1.0, log=True))
    Prior(usual=0.1, spread=3.0, source='training.learning_rate')
    """
    if not domain.log:
        return None
    adaptive = _ADAPTIVE.get(training.optimizer)
    if adaptive is not None and training.learning_rate == TrainingSettings().learning_rate:
        source = f"usual with {training.optimizer}"
        return Prior(adaptive, _FACTOR, source) if domain.contains(adaptive) else None
    if domain.contains(training.learning_rate):
        return Prior(training.learning_rate, _FACTOR, "training.learning_rate")
    return None
