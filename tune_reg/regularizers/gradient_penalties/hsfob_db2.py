"""The square of the penalty hsfob, and double backpropagation, added."""

from __future__ import annotations

from tune_reg.regularizers.gradient_penalties.base import THESIS, GradientPenaltyRegularizer
from tune_reg.regularizers.gradient_penalties.formulas import hsfob_db2
from tune_reg.regularizers.registry import register


@register
class HessianWeightedJacobianDb2(GradientPenaltyRegularizer):
    """The square of the penalty hsfob, and double backpropagation, added."""

    name = "hsfob-db2"
    formula = "L + lambda mean (Tr(J^T H J)^2 + |grad_x l|^2)"
    when = "As hsfob-db1, with the part of hsfob squared, which weighs the images with large curvature more."
    reference = THESIS
    per_sample = staticmethod(hsfob_db2)
