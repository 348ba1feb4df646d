"""A penalty on the Jacobian of the logits by the image (Varga et al. 2017)."""

from __future__ import annotations

from tune_reg.regularizers.gradient_penalties.base import GradientPenaltyRegularizer
from tune_reg.regularizers.gradient_penalties.formulas import fob
from tune_reg.regularizers.registry import register


@register
class LogitJacobian(GradientPenaltyRegularizer):
    """A penalty on the Jacobian of the logits by the image (Varga et al. 2017)."""

    name = "fob"
    formula = "L + lambda mean |J|_F^2, J = dg/dx"
    when = (
        "Where the outputs should be smooth in the image whatever the label. With random probes each step costs "
        "about as much as two."
    )
    reference = """@article{varga2017gradient,
  title = {Gradient Regularization Improves Accuracy of Discriminative Models},
  author = {Varga, D{\\'a}niel and Csisz{\\'a}rik, Adri{\\'a}n and Zombori, Zsolt},
  journal = {arXiv preprint arXiv:1712.09936},
  year = {2017}
}"""
    per_sample = staticmethod(fob)
