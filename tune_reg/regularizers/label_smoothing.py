"""Label smoothing: targets are mixed with the uniform distribution (Szegedy et al. 2016)."""

from __future__ import annotations

from torch import Tensor

import search_spaces.defaults.label_smoothing
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.registry import register


@register
class LabelSmoothing(Regularizer):
    """Label smoothing: a share epsilon of each target is spread evenly over all classes, under the study's loss."""

    name = "label-smoothing"
    formula = "y <- (1 - epsilon) y + epsilon / M"
    when = "In classification with many classes or some wrong labels; it is cheap, and often improves calibration."
    reference = """@inproceedings{szegedy2016rethinking,
  title = {Rethinking the Inception Architecture for Computer Vision},
  author = {Szegedy, Christian and Vanhoucke, Vincent and Ioffe, Sergey and Shlens, Jon and Wojna, Zbigniew},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {2818--2826},
  year = {2016}
}"""
    hyperparameters = (Hyperparameter("epsilon", 0.1, "share of the target spread", low=0.0, high=1.0, off=0.0),)
    strength = "epsilon"
    space = search_spaces.defaults.label_smoothing.DEFAULT
    paper = search_spaces.defaults.label_smoothing.PAPER

    def targets(self, targets: Tensor, strengths: Strengths, progress: Progress) -> Tensor:
        """The smoothed targets, ``(1 - epsilon) y + epsilon / M``."""
        del progress
        return (1 - strengths["epsilon"]) * targets + strengths["epsilon"] / targets.shape[-1]
