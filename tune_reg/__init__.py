"""Which regularizer, how strong, on what schedule.

The public names are imported when they are first used, so that ``import tune_reg`` and ``import analysis``
load neither torch nor ray nor optuna.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

__version__: Final = "0.1.0"

_HOMES: Final = {
    "AdaDecay": "tune_reg.regularizers.adadecay",
    "AdaDecayTrainable": "tune_reg.backends.ray.trainables",
    "GradientPenalty": "tune_reg.regularizers.gradient_penalties",
    "Regularizer": "tune_reg.regularizers",
    "ResidualSmoothingLoss": "tune_reg.regularizers.residual_smoothing",
    "ResidualSmoothingTrainable": "tune_reg.backends.ray.trainables",
    "Results": "tune_reg.store",
    "SparseGradientSGD": "tune_reg.regularizers.sparse_gradients",
    "Study": "tune_reg.study",
    "TuneRegError": "tune_reg.errors",
    "WeightDecayTrainable": "tune_reg.backends.ray.trainables",
    "load": "tune_reg.store",
    "register": "tune_reg.regularizers",
    "trainable_for": "tune_reg.backends.ray.trainables",
}


def __getattr__(name: str) -> Any:
    if name == "schedules":
        return importlib.import_module("tune_reg.schedules")
    if name not in _HOMES:
        raise AttributeError(f"module 'tune_reg' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(["__version__", "schedules", *_HOMES])
