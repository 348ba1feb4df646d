"""Regularizers, one file each: pure functions, hyperparameters, the publication, and a drop-in form."""

from tune_reg.regularizers.base import ENGINE_HOOKS, Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.combination import parts_of
from tune_reg.regularizers.registry import load_plugin, register, regularizer, regularizers

__all__ = [
    "ENGINE_HOOKS",
    "Hyperparameter",
    "Progress",
    "Regularizer",
    "Strengths",
    "load_plugin",
    "parts_of",
    "register",
    "regularizer",
    "regularizers",
]
