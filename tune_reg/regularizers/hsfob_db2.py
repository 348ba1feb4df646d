"""The square of the penalty hsfob, and double backpropagation, added."""

from __future__ import annotations

import search_spaces.gradient_penalties
from tune_reg.regularizers.gradient_penalties import (
    ESTIMATOR,
    PROBES,
    STRENGTH,
    THESIS,
    GradientPenaltyRegularizer,
    hsfob_db2,
)
from tune_reg.regularizers.registry import register


@register
class HessianWeightedJacobianDb2(GradientPenaltyRegularizer):
    """The square of the penalty hsfob, and double backpropagation, added."""

    name = "hsfob-db2"
    formula = "L + lambda mean (Tr(J^T H J)^2 + |grad_x l|^2)"
    reference = THESIS
    hyperparameters = (STRENGTH, ESTIMATOR, PROBES)
    space = search_spaces.gradient_penalties.DEFAULT
    paper = search_spaces.gradient_penalties.PAPER
    per_sample = staticmethod(hsfob_db2)
