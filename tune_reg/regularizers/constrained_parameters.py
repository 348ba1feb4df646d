"""Constrained parameter regularization: each weight tensor has a bound on its norm (Franke et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import search_spaces.defaults.constrained_parameters
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.masks import is_maskable
from tune_reg.regularizers.registry import register


def constrained(
    weight: Tensor, multiplier: Tensor, bound: Tensor, rate: Tensor | float, *, due: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of the augmented Lagrangian for ``|w|^2 <= bound``: weight, multiplier and bound after it.

    ``bound`` 0: not set yet. It is set to ``|w|^2`` in the first step that is ``due``. From the next step on the
    multiplier grows by ``rate / n (|w|^2 - bound)``, n the number of weights, but not below 0, and the weight becomes
    ``w - 2 multiplier w``.
    """
    norm = weight.square().sum()
    is_set = bound > 0
    grown = torch.clamp(multiplier + rate / weight.numel() * (norm - bound), min=0.0)
    multiplier = torch.where(is_set, grown, multiplier)
    return weight - 2 * multiplier * weight, multiplier, torch.where(is_set | ~due, bound, norm)


@register
class ConstrainedParameters(Regularizer):
    """Constrained parameter regularization (CPR): decay only where a weight tensor's squared norm is above its bound.

    The bound of each tensor with more than one dimension is its squared norm after the share ``warm_up`` of the steps
    (Kappa-WS of the paper). A Lagrange multiplier for each tensor grows while the bound is exceeded, by ``rate`` of the
    mean squared weight beyond it, and the weight decays by twice the multiplier after each step of the optimizer.

    When to use it: in place of weight decay, where layers should decay each as much as its growth asks for.
    """

    name = "constrained-parameters"
    formula = "w <- w - 2 mu_t w, mu_t = max(0, mu_(t-1) + rate (|w|^2 - kappa) / n), kappa = |w|^2 after the warm-up"
    when = "In place of a penalty on weights, where a bound on their norm is easier to give."
    reference = """@inproceedings{franke2024improving,
  title = {Improving Deep Learning Optimization through Constrained Parameter Regularization},
  author = {Franke, J{\\"o}rg K. H. and Hefenbrock, Michael and Koehler, Gregor and Hutter, Frank},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {37},
  year = {2024}
}"""
    hyperparameters = (
        Hyperparameter("warm_up", 0.1, "share of the steps after which norms are bounded", low=0.0, high=1.0, off=1.0),
        Hyperparameter("rate", 1.0, "how fast multipliers follow", low=0.0, off=0.0),
    )
    strength = "warm_up"
    space = search_spaces.defaults.constrained_parameters.DEFAULT

    def memory_size(self, tensors: int) -> int:
        """Two numbers for each tensor: its multiplier and its bound."""
        return 2 * tensors

    def settle(
        self,
        before: Sequence[Tensor],
        after: Sequence[Tensor],
        memory: Tensor,
        strengths: Strengths,
        progress: Progress,
    ) -> tuple[list[Tensor], Tensor]:
        """The weights after one step of the augmented Lagrangian, and their multipliers and bounds."""
        del before
        due = progress.step >= strengths["warm_up"]
        settled, kept = list(after), list(memory.unbind())
        for i, weight in enumerate(after):
            if is_maskable(weight):
                multiplier, bound = kept[2 * i : 2 * i + 2]
                settled[i], *kept[2 * i : 2 * i + 2] = constrained(
                    weight, multiplier, bound, strengths["rate"], due=due
                )
        return settled, torch.stack(kept)
