"""Cautious weight decay: weights decay only where the optimizer moves them towards 0 as well (Chen et al. 2025)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

import search_spaces.defaults.cautious_weight_decay
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


def cautiously_decayed(before: Tensor, after: Tensor, decay: Tensor | float) -> Tensor:
    """The weight ``after`` the optimizer's step, less ``decay before`` where that step did not lead away from 0.

    >>> import torch
    >>> before, after = torch.tensor([1.0, 1.0, -1.0]), torch.tensor([0.5, 1.5, -1.0])
    >>> cautiously_decayed(before, after, 0.25)
    tensor([ 0.2500,  1.5000, -0.7500])
    """
    return after - decay * before * ((before - after) * before >= 0)


@register
class CautiousWeightDecay(Regularizer):
    """Cautious weight decay: ``w <- w - lr u - lr lambda [u w >= 0] w``, u the optimizer's own step, [] 1 or 0.

    Decoupled decay that leaves alone every weight which the optimizer moves away from 0, so that decay does not work
    against the loss. u is read off the optimizer's step, and so is that of any optimizer, momentum included.

    When to use it: in place of decoupled weight decay, at the same lambda.
    """

    name = "cautious-weight-decay"
    formula = "w <- w - lr u - lr lambda [u w >= 0] w, u the step of the optimizer"
    when = "With any optimizer: a weight decays only where the update would shrink it, too."
    reference = """@misc{chen2025cautious,
  title = {Cautious Weight Decay},
  author = {Chen, Lizhang and Li, Jonathan and Liang, Kaizhao and Su, Baiyu and Xie, Cong and Pierse, Nuo Wang and
            Liang, Chen and Lao, Ni and Liu, Qiang},
  eprint = {2510.12402},
  archivePrefix = {arXiv},
  year = {2025}
}"""
    hyperparameters = (Hyperparameter("weight_decay", 5e-4, "lambda", low=0.0, off=0.0),)
    strength = "weight_decay"
    space = search_spaces.defaults.cautious_weight_decay.DEFAULT

    def settle(
        self,
        before: Sequence[Tensor],
        after: Sequence[Tensor],
        memory: Tensor,
        strengths: Strengths,
        progress: Progress,
    ) -> tuple[list[Tensor], Tensor]:
        """The weights after the step, decayed where it did not lead away from 0."""
        decay = progress.learning_rate * strengths["weight_decay"]
        return [cautiously_decayed(w, moved, decay) for w, moved in zip(before, after, strict=True)], memory
