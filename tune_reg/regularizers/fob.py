"""A penalty on the Jacobian of the logits by the image (Varga et al. 2017)."""

from __future__ import annotations

import search_spaces.gradient_penalties
from tune_reg.regularizers.gradient_penalties import ESTIMATOR, PROBES, STRENGTH, GradientPenaltyRegularizer, fob
from tune_reg.regularizers.registry import register


@register
class LogitJacobian(GradientPenaltyRegularizer):
    """A penalty on the Jacobian of the logits by the image (Varga et al. 2017)."""

    name = "fob"
    formula = "L + lambda mean |J|_F^2, J = dg/dx"
    reference = """@article{varga2017gradient,
  title = {Gradient Regularization Improves Accuracy of Discriminative Models},
  author = {Varga, D{\\'a}niel and Csisz{\\'a}rik, Adri{\\'a}n and Zombori, Zsolt},
  journal = {arXiv preprint arXiv:1712.09936},
  year = {2017}
}"""
    hyperparameters = (STRENGTH, ESTIMATOR, PROBES)
    space = search_spaces.gradient_penalties.DEFAULT
    paper = search_spaces.gradient_penalties.PAPER
    per_sample = staticmethod(fob)
