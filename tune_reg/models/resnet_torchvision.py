"""ResNet-18 and ResNet-50 for small images, from torchvision.

He, Zhang, Ren, Sun 2016 (arXiv 1512.03385), stages of 64, 128, 256, 512 channels with projection shortcuts. In the
usual form for CIFAR the first convolution is 3x3 at stride 1 and the first max-pool is left out. torchvision's
weights: He normal by fan-out. Its ResNet-50 halves the image in the 3x3 convolution of a block, not in the 1x1
before it.
"""

from __future__ import annotations

from functools import partial
from typing import Final, Literal

from torch import nn

from tune_reg.models.entry import ModelEntry

SMALLEST: Final = 9  # 9 -> 5 -> 3 -> 2: BN never sees a single pixel, which fails in a batch of one image


def resnet(
    channels: int,
    image_size: tuple[int, int],  # noqa: ARG001
    classes: int,
    *,
    depth: Literal[18, 50],
) -> nn.Module:
    """ResNet-18 or -50: [B, C, H, W] with H, W >= 9 to logits [B, classes].

    >>> sum(p.numel() for p in resnet(3, (32, 32), 10, depth=18).parameters())
    11173962
    """
    from torchvision import models  # takes a second, so not at the top

    net: nn.Module = {18: models.resnet18, 50: models.resnet50}[depth](num_classes=classes)
    net.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(net.conv1.weight, mode="fan_out", nonlinearity="relu")
    net.maxpool = nn.Identity()
    return net


RESNETS_TORCHVISION: Final = (
    ModelEntry("resnet-18", "ResNet-18, 3x3 stem, 11.2 M (AdaDecay)", partial(resnet, depth=18), SMALLEST),
    ModelEntry("resnet-50", "ResNet-50, 3x3 stem, 23.5 M (AdaDecay)", partial(resnet, depth=50), SMALLEST),
)
