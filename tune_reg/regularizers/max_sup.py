"""MaxSup: the largest logit is suppressed, whether its class is right or not (Zhou et al. 2025)."""

from __future__ import annotations

from torch import Tensor

import search_spaces.defaults.max_sup
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


@register
class MaxSup(Regularizer):
    """MaxSup: ``alpha (max_j h_j - mean_j h_j)`` is added to the loss, averaged over the batch; h the logits.

    Label smoothing adds to the cross-entropy ``epsilon (h_y - mean_j h_j)``, which holds the logit of the right class
    down, and so helps a wrong one that is larger. MaxSup takes the largest logit instead.

    When to use it: beside or in place of label smoothing, above all where the features are used for other tasks.
    """

    name = "max-sup"
    formula = "L + alpha (max_j h_j - mean_j h_j), h = logits"
    when = "In place of label smoothing, where smoothed labels make wrong answers too sure."
    reference = """@inproceedings{zhou2025maxsup,
  title = {{MaxSup}: Overcoming Representation Collapse in Label Smoothing},
  author = {Zhou, Yuxuan and Li, Heng and Cheng, Zhi-Qi and Yan, Xudong and Dong, Yifei and Fritz, Mario and
            Keuper, Margret},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {38},
  year = {2025}
}"""
    hyperparameters = (Hyperparameter("strength", 0.1, "alpha", low=0.0, off=0.0),)
    strength = "strength"
    space = search_spaces.defaults.max_sup.DEFAULT

    def penalty(
        self,
        inputs: Tensor,
        outputs: Tensor,
        targets: Tensor,
        strengths: Strengths,
        progress: Progress,
        noise: Tensor | None,
    ) -> Tensor:
        """The penalty ``alpha mean (max_j h_j - mean_j h_j)``."""
        del inputs, targets, progress, noise
        return strengths["strength"] * (outputs.amax(-1) - outputs.mean(-1)).mean(-1)
