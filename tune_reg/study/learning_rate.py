"""The learning rate as a hyperparameter that is searched beside every strength."""

from __future__ import annotations

from typing import Final

from search_spaces import Float, Prior
from tune_reg.regularizers import Hyperparameter
from tune_reg.training.settings import TrainingSettings

#: It belongs to no regularizer.
LEARNING_RATE: Final = Hyperparameter("learning_rate", 0.1, "step size", low=1e-12)

#: The usual learning rate of each optimizer; of SGD with momentum, between 0.01 and 0.1.
_USUAL: Final = {"sgd": 0.05, "adam": 1e-3, "rmsprop": 1e-3, "adagrad": 1e-2}
#: The factor that two of three good learning rates are within.
_FACTOR: Final = 3.0


def learning_rate_prior(training: TrainingSettings, domain: Float) -> Prior | None:
    """What is known beforehand of the learning rate that is searched over ``domain``; None where nothing is.

    A study's own learning rate is taken for usual, where it is not the default; else that of the optimizer.

    >>> learning_rate_prior(TrainingSettings(), Float(0.01, 1.0, log=True))
    Prior(usual=0.05, spread=3.0, source='usual with sgd')
    >>> learning_rate_prior(TrainingSettings(learning_rate=0.2), Float(0.01, 1.0, log=True)).usual
    0.2
    """
    own = training.learning_rate != TrainingSettings().learning_rate
    usual = training.learning_rate if own else _USUAL.get(training.optimizer)
    if usual is None or not domain.log or not domain.contains(usual):
        return None
    return Prior(usual, _FACTOR, "training.learning_rate" if own else f"usual with {training.optimizer}")
