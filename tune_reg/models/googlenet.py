"""GoogLeNet for small images: Szegedy et al. 2015 (arXiv 1409.4842) in the usual form for CIFAR.

The nine inception modules have the paper's widths. As in the widespread form of github.com/kuangliu/pytorch-cifar,
which the parameter count agrees with, one conv3x3-192 stands in place of everything before them, BN follows each
convolution (which keeps its bias), two 3x3 convolutions make the 5x5 one, and auxiliary outputs and dropout are
left out. torchvision's net is another one: one 3x3 in place of the 5x5, no biases, dropout. torch's default weights.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from tune_reg.models.entry import ModelEntry
from tune_reg.models.resnet_cifar import GlobalAveragePool

SMALLEST: Final = 5  # 5 -> 3 -> 2: BN never sees a single pixel, which fails in a batch of one image

STAGES: Final = (
    ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
)
"""Table 1 of the paper, a max-pool between stages: #1x1, #3x3 reduce, #3x3, #5x5 reduce, #5x5, pool proj."""


class Inception(nn.Module):
    """An inception module: four branches side by side.

    The branches are conv1x1; conv1x1, conv3x3; conv1x1, conv3x3, conv3x3; max-pool, conv1x1.
    """

    def __init__(self, before: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        one, reduce_three, three, reduce_five, five, pool = widths
        self.branches = nn.ModuleList(
            [
                _conv(before, one, 1),
                nn.Sequential(_conv(before, reduce_three, 1), _conv(reduce_three, three, 3)),
                nn.Sequential(_conv(before, reduce_five, 1), _conv(reduce_five, five, 3), _conv(five, five, 3)),
                nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), _conv(before, pool, 1)),
            ]
        )
        self.channels = one + three + five + pool

    def forward(self, images: Tensor) -> Tensor:
        """The outputs of all branches: [B, before, H, W] to [B, channels, H, W]."""
        return torch.cat([branch(images) for branch in self.branches], 1)


def googlenet(channels: int, image_size: tuple[int, int], classes: int) -> nn.Module:  # noqa: ARG001
    """GoogLeNet: [B, C, H, W] with H, W >= 5 to logits [B, classes].

    >>> sum(p.numel() for p in googlenet(3, (32, 32), 10).parameters())
    6166250
    """
    width = 192
    layers: list[nn.Module] = [_conv(channels, width, 3)]
    for stage, modules in enumerate(STAGES):
        if stage:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1))
        for widths in modules:
            module = Inception(width, widths)
            layers.append(module)
            width = module.channels
    return nn.Sequential(*layers, GlobalAveragePool(), nn.Linear(width, classes))


def _conv(before: int, after: int, size: int) -> nn.Sequential:
    conv = nn.Conv2d(before, after, size, padding=size // 2)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU())


GOOGLENET: Final = ModelEntry("googlenet", "GoogLeNet, 3x3 stem, 6.2 M (AdaDecay)", googlenet, SMALLEST)
