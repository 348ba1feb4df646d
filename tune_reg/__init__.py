"""Which regularizer, how strong, on what schedule.

The public names are imported when they are first used, so that ``import tune_reg`` and ``import analysis`` load neither
torch nor ray nor optuna. Editors and type checkers see them with their real types.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from tune_reg import own_packages
from tune_reg.version import __version__

if TYPE_CHECKING:
    from tune_reg import data, schedules
    from tune_reg.api import Study
    from tune_reg.backends.ray.trainables import (
        AdaDecayTrainable,
        ResidualSmoothingTrainable,
        WeightDecayTrainable,
        trainable_for,
    )
    from tune_reg.errors import TuneRegError
    from tune_reg.regularizers import Hyperparameter, Progress, Regularizer, register
    from tune_reg.regularizers.adadecay import AdaDecay
    from tune_reg.regularizers.gradient_penalties import GradientPenalty
    from tune_reg.regularizers.residual_smoothing import ResidualSmoothingLoss
    from tune_reg.regularizers.sparse_gradients import SparseGradientSGD
    from tune_reg.results import Results, load
    from tune_reg.trainer import TrainerRun

__all__ = [
    "AdaDecay",
    "AdaDecayTrainable",
    "GradientPenalty",
    "Hyperparameter",
    "Progress",
    "Regularizer",
    "ResidualSmoothingLoss",
    "ResidualSmoothingTrainable",
    "Results",
    "SparseGradientSGD",
    "Study",
    "TrainerRun",
    "TuneRegError",
    "WeightDecayTrainable",
    "__version__",
    "data",
    "load",
    "register",
    "schedules",
    "trainable_for",
]

#: The module of each name, or the module that the name is.
_MODULES: Final = {
    "AdaDecay": "tune_reg.regularizers.adadecay",
    "AdaDecayTrainable": "tune_reg.backends.ray.trainables",
    "GradientPenalty": "tune_reg.regularizers.gradient_penalties",
    "Hyperparameter": "tune_reg.regularizers",
    "Progress": "tune_reg.regularizers",
    "Regularizer": "tune_reg.regularizers",
    "ResidualSmoothingLoss": "tune_reg.regularizers.residual_smoothing",
    "ResidualSmoothingTrainable": "tune_reg.backends.ray.trainables",
    "Results": "tune_reg.results",
    "SparseGradientSGD": "tune_reg.regularizers.sparse_gradients",
    "Study": "tune_reg.api",
    "TrainerRun": "tune_reg.trainer",
    "TuneRegError": "tune_reg.errors",
    "WeightDecayTrainable": "tune_reg.backends.ray.trainables",
    "data": "tune_reg.data",
    "load": "tune_reg.results",
    "register": "tune_reg.regularizers",
    "schedules": "tune_reg.schedules",
    "trainable_for": "tune_reg.backends.ray.trainables",
}

# Every part of this package imports search_spaces, and a user's file may have that name.
own_packages.claim("search_spaces")

if not TYPE_CHECKING:

    def __getattr__(name):  # noqa: ANN001, ANN202 - type checkers read the imports above
        if name not in _MODULES:
            raise AttributeError(f"module 'tune_reg' has no attribute {name!r}")
        module = importlib.import_module(_MODULES[name])
        return module if module.__name__ == f"tune_reg.{name}" else getattr(module, name)

    def __dir__():  # noqa: ANN202
        return sorted(__all__)
