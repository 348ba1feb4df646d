"""A penalty on the logits' Jacobian, weighted by the Hessian of the loss: the expected effect of noise."""

from __future__ import annotations

import search_spaces.gradient_penalties
from tune_reg.regularizers.gradient_penalties import (
    ESTIMATOR,
    PROBES,
    STRENGTH,
    THESIS,
    GradientPenaltyRegularizer,
    hsfob,
)
from tune_reg.regularizers.registry import register


@register
class HessianWeightedJacobian(GradientPenaltyRegularizer):
    """A penalty on the logits' Jacobian, weighted by the Hessian of the loss: the expected effect of noise."""

    name = "hsfob"
    formula = "L + lambda mean Tr(J^T H J), H = diag(z) - z z^T"
    reference = THESIS
    hyperparameters = (STRENGTH, ESTIMATOR, PROBES)
    space = search_spaces.gradient_penalties.DEFAULT
    paper = search_spaces.gradient_penalties.PAPER
    per_sample = staticmethod(hsfob)
