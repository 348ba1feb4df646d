"""A penalty on the logits' Jacobian, weighted by the Hessian of the loss: the expected effect of noise."""

from __future__ import annotations

from tune_reg.regularizers.gradient_penalties.base import THESIS, GradientPenaltyRegularizer
from tune_reg.regularizers.gradient_penalties.formulas import hsfob
from tune_reg.regularizers.registry import register


@register
class HessianWeightedJacobian(GradientPenaltyRegularizer):
    """A penalty on the logits' Jacobian, weighted by the Hessian of the loss: the expected effect of noise."""

    name = "hsfob"
    formula = "L + lambda mean Tr(J^T H J), H = diag(z) - z z^T"
    when = (
        "Where noise on the inputs is what to be robust against: the penalty is what noise of small variance adds "
        "to the loss, without drawing noise."
    )
    reference = THESIS
    per_sample = staticmethod(hsfob)
