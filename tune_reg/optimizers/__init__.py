"""The optimizers that regularizers are compared on: torch's own, and the baselines of the AdaDecay paper."""

from tune_reg.optimizers.accelerated_sgd import AcceleratedSGD
from tune_reg.optimizers.catalog import OPTIMIZERS, Entry, build, citations, evaluations_per_step, lane_update
from tune_reg.optimizers.compiler import plain_step
from tune_reg.optimizers.entropy_sgd import EntropySGD

__all__ = [
    "OPTIMIZERS",
    "AcceleratedSGD",
    "EntropySGD",
    "Entry",
    "build",
    "citations",
    "evaluations_per_step",
    "lane_update",
    "plain_step",
]
