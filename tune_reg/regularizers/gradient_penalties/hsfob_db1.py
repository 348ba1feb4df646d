"""The penalties hsfob and double backpropagation, added."""

from __future__ import annotations

from tune_reg.regularizers.gradient_penalties.base import THESIS, GradientPenaltyRegularizer
from tune_reg.regularizers.gradient_penalties.formulas import hsfob_db1
from tune_reg.regularizers.registry import register


@register
class HessianWeightedJacobianDb1(GradientPenaltyRegularizer):
    """The penalties hsfob and double backpropagation, added."""

    name = "hsfob-db1"
    formula = "L + lambda mean (Tr(J^T H J) + |grad_x l|^2)"
    when = "Where neither hsfob nor db alone is enough: both penalties under one strength."
    reference = THESIS
    per_sample = staticmethod(hsfob_db1)
