"""Penalties on gradients by the images, one file each, and ``GradientPenalty``, their form for any training loop."""

from tune_reg.regularizers.gradient_penalties.formulas import PENALTIES, Kind
from tune_reg.regularizers.gradient_penalties.loss import GradientPenalty

__all__ = ["PENALTIES", "GradientPenalty", "Kind"]
