"""The penalties hsfob and double backpropagation, added."""

from __future__ import annotations

import search_spaces.gradient_penalties
from tune_reg.regularizers.gradient_penalties import (
    ESTIMATOR,
    PROBES,
    STRENGTH,
    THESIS,
    GradientPenaltyRegularizer,
    hsfob_db1,
)
from tune_reg.regularizers.registry import register


@register
class HessianWeightedJacobianDb1(GradientPenaltyRegularizer):
    """The penalties hsfob and double backpropagation, added."""

    name = "hsfob-db1"
    formula = "L + lambda mean (Tr(J^T H J) + |grad_x l|^2)"
    reference = THESIS
    hyperparameters = (STRENGTH, ESTIMATOR, PROBES)
    space = search_spaces.gradient_penalties.DEFAULT
    paper = search_spaces.gradient_penalties.PAPER
    per_sample = staticmethod(hsfob_db1)
