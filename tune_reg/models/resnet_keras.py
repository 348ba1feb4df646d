"""The ResNet of the thesis on noise injection and gradient regularisation: Keras' ``cifar10_resnet.py``, version 1.

It is He et al.'s ResNet for CIFAR with the differences of Keras: the shortcut into a narrower stage is a 1x1
convolution without BN, convolutions have a bias, BN has momentum 0.99 (torch counts it as 0.01) and epsilon
1e-3, weights are He-normal by fan-in and cut at two standard deviations, also in the linear layer. The
8x8 average pool before the linear layer is a global one here, which is equal for 32x32 images. The example's weight
decay of 1e-4 is no part of the net.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import Final

from torch import Tensor, nn
from torch.nn import functional

from tune_reg.models.entry import ModelEntry
from tune_reg.models.resnet_cifar import STAGES, GlobalAveragePool


class SamePadding(nn.Module):
    """The border of a 3x3 convolution in TensorFlow, after which the output has ceil(side / stride) pixels.

    At stride 2 an even side gets its one pixel at the bottom or right, where torch's padding=1 has it at the
    top or left.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """The images with their border: [B, C, H, W] to [B, C, H + 1 or 2, W + 1 or 2]."""
        top, bottom = self._border(images.shape[2])
        left, right = self._border(images.shape[3])
        return functional.pad(images, (left, right, top, bottom))

    def _border(self, side: int) -> tuple[int, int]:
        lack = max(0, (math.ceil(side / self.stride) - 1) * self.stride + 3 - side)
        return lack // 2, lack - lack // 2


class KerasBlock(nn.Module):
    """A residual block of Keras: conv3x3, BN, ReLU, conv3x3, BN, plus the input or its 1x1 convolution; ReLU."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_conv3x3_bn(before, channels, stride), nn.ReLU(), *_conv3x3_bn(channels, channels, 1)
        )
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(before, channels, 1, stride=stride)

    def forward(self, images: Tensor) -> Tensor:
        """The output of the block: [B, before, H, W] to [B, channels, ceil(H / stride), ceil(W / stride)]."""
        return functional.relu(self.residual(images) + self.shortcut(images))


def resnet_keras(channels: int, image_size: tuple[int, int], classes: int, *, n: int) -> nn.Module:  # noqa: ARG001
    """ResNet v1 with 6 n + 2 layers: [B, C, H, W] of any size to logits [B, classes].

    >>> sum(p.numel() for p in resnet_keras(3, (32, 32), 10, n=3).parameters())
    273066
    """
    layers: list[nn.Module] = [*_conv3x3_bn(channels, STAGES[0], 1), nn.ReLU()]
    for before, after in pairwise((STAGES[0], *STAGES)):
        stride = 1 if before == after else 2
        layers += [KerasBlock(before, after, stride), *(KerasBlock(after, after, 1) for _ in range(n - 1))]
    net = nn.Sequential(*layers, GlobalAveragePool(), nn.Linear(STAGES[-1], classes))
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            _he_normal(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return net


def _conv3x3_bn(before: int, after: int, stride: int) -> list[nn.Module]:
    padding, conv = SamePadding(stride), nn.Conv2d(before, after, 3, stride=stride)
    return [padding, conv, nn.BatchNorm2d(after, eps=1e-3, momentum=0.01)]


def _he_normal(weight: Tensor) -> None:
    """Keras' he_normal: a normal distribution, cut at two standard deviations, then scaled to sqrt(2 / fan_in)."""
    # 0.8796... is the standard deviation of a standard normal number between -2 and 2.
    std = math.sqrt(2 / weight[0].numel()) / 0.87962566103423978
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


RESNETS_KERAS: Final = (
    ModelEntry(
        "resnet-8-keras", "Keras' ResNet v1 for CIFAR, 1x1 shortcuts, 0.08 M (thesis)", partial(resnet_keras, n=1)
    ),
    ModelEntry(
        "resnet-20-keras", "Keras' ResNet v1 for CIFAR, 1x1 shortcuts, 0.27 M (thesis)", partial(resnet_keras, n=3)
    ),
)
