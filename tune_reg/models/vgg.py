"""VGG-9 of AdaDecay (Nakamura, Hong 2019, arXiv 1907.08931): 6 convolutions with BN and 3 linear layers.

The paper gives no widths; here they are twice conv3x3-64, -128 and -256, each with BN and ReLU, a 2x2 max-pool
after each pair, FC256, FC256, FC. torch's default weights; no bias where BN follows. A dropout layer follows each
FC256. A ReLU after pooling gives the same numbers and gradients as one before it, for a quarter of the pixels.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from torch import nn

from tune_reg.models.dropout import relu_dropout
from tune_reg.models.entry import ModelEntry

SMALLEST: Final = 8  # 8 -> 4 -> 2 -> 1, and BN never sees a single pixel


def vgg_9(channels: int, image_size: tuple[int, int], classes: int) -> nn.Module:
    """VGG-9: [B, C, H, W] with H, W >= 8 to logits [B, classes].

    >>> sum(p.numel() for p in vgg_9(3, (32, 32), 10).parameters())
    2263498
    """
    layers: list[nn.Module] = []
    for before, after in pairwise((channels, 64, 128, 256)):
        for width in (before, after):
            layers += [nn.Conv2d(width, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        layers.insert(-1, nn.MaxPool2d(2))
    pixels = (image_size[0] // 8) * (image_size[1] // 8)
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(256 * pixels, 256),
        relu_dropout(),
        nn.Linear(256, 256),
        relu_dropout(),
        nn.Linear(256, classes),
    )


VGG_9: Final = ModelEntry(
    "vgg-9", "twice conv3-64, -128, -256 with BN, FC256, FC256 (AdaDecay)", vgg_9, SMALLEST, dropout=True
)
