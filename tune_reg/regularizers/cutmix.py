"""CutMix: a box of another image is pasted into each, and the targets are mixed by its area (Yun et al. 2019)."""

from __future__ import annotations

import torch
from torch import Tensor

import search_spaces.defaults.cutmix
from tune_reg.regularizers.base import Hyperparameter, Progress, Regularizer, Strengths
from tune_reg.regularizers.mixing import drawn, numbers_to_draw
from tune_reg.regularizers.mixup import mixed
from tune_reg.regularizers.registry import register


def box(share: Tensor, row: Tensor, column: Tensor, height: int, width: int) -> Tensor:
    """Where the other image is pasted, bool [H, W]: a box about a pixel, of the share ``1 - share`` unless clipped.

    ``row`` and ``column``: the pixel in the middle. The half sides are ``sqrt(1 - share) / 2`` of the image's, rounded
    down, as in the authors' code.

    >>> box(torch.tensor(0.75), torch.tensor(0), torch.tensor(2), 4, 4).int()
    tensor([[0, 1, 1, 0],
            [0, 0, 0, 0],
            [0, 0, 0, 0],
            [0, 0, 0, 0]], dtype=torch.int32)
    """
    half = (1 - share).sqrt() / 2

    def inside(centre: Tensor, size: int) -> Tensor:
        at, reach = torch.arange(size, device=share.device), (half * size).floor()
        return (at >= centre - reach) & (at < centre + reach)

    return inside(row, height).unsqueeze(1) & inside(column, width)


@register
class CutMix(Regularizer):
    """CutMix: a random box of each image is taken from another image, and targets are mixed by the box's area.

    The box has the share ``1 - s`` of the image, ``s ~ Beta(alpha, alpha)``, and is cut off at the image's edge;
    targets become ``s y_i + (1 - s) y_j`` with the s that is left then. Box, s and the permutation that gives j are
    drawn for each batch; a batch is mixed with the given probability, as in the authors' code. There is no mixing in
    evaluation.

    When to use it: on natural images, beside crops and flips; where objects fill the image, as digits do, a box may
    take all that tells the class.
    """

    name = "cutmix"
    formula = "x <- M x_i + (1 - M) x_j, y <- s y_i + (1 - s) y_j, s = mean M, the box of M by s ~ Beta(alpha, alpha)"
    when = "On images with enough epochs; beside or in place of mixup."
    reference = """@inproceedings{yun2019cutmix,
  title = {{CutMix}: Regularization Strategy to Train Strong Classifiers with Localizable Features},
  author = {Yun, Sangdoo and Han, Dongyoon and Oh, Seong Joon and Chun, Sanghyuk and Choe, Junsuk and Yoo, Youngjoon},
  booktitle = {IEEE/CVF International Conference on Computer Vision},
  pages = {6023--6032},
  year = {2019}
}"""
    hyperparameters = (
        Hyperparameter("probability", 0.5, "share of the batches that are mixed", low=0.0, high=1.0, off=0.0),
        Hyperparameter("alpha", 1.0, "how even the shares of the images are; 1: uniform", low=0.0, off=0.0),
    )
    strength = "probability"
    space = search_spaces.defaults.cutmix.DEFAULT

    def noise_shape(self, hook: str, shape: torch.Size) -> tuple[int, ...] | None:
        """Three numbers for whether and where, and those for a permutation of the batch and for the share."""
        return (3 + numbers_to_draw(shape[0]),) if hook == "mix" else None

    def mix(
        self, inputs: Tensor, targets: Tensor, strengths: Strengths, progress: Progress, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The mixed images and targets."""
        del progress
        assert noise is not None
        height, width = inputs.shape[-2:]
        chance, down, across = torch.special.ndtr(noise[:3])
        row, column = (down * height).floor().clamp(max=height - 1), (across * width).floor().clamp(max=width - 1)
        partner, share = drawn(noise[3:], len(inputs), strengths["alpha"])
        pasted = box(share, row, column, height, width) & (chance < strengths["probability"])
        left = 1 - pasted.to(targets.dtype).mean()
        return torch.where(pasted, inputs[partner], inputs), mixed(targets, partner, left)
