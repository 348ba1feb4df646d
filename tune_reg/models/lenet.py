"""LeNet-4 of AdaDecay (Nakamura, Hong 2019, arXiv 1907.08931): 2 convolutions and 2 linear layers.

The paper gives no widths; here they are conv5-20, pool, conv5-50, pool, FC500, FC. That is the LeNet that
came with Caffe, which has a ReLU after FC500 only; here one follows each convolution too, as is usual now.
torch's default weights, valid padding. A dropout layer follows FC500. A ReLU after pooling gives the same numbers and
gradients as one before it, for a quarter of the pixels.
"""

from __future__ import annotations

from typing import Final

from torch import nn

from tune_reg.models.dropout import relu_dropout
from tune_reg.models.entry import ModelEntry

SMALLEST: Final = 16  # 16 -> 12 -> 6 -> 2 -> 1


def lenet_4(channels: int, image_size: tuple[int, int], classes: int) -> nn.Module:
    """LeNet-4: [B, C, H, W] with H, W >= 16 to logits [B, classes].

    >>> sum(p.numel() for p in lenet_4(1, (28, 28), 10).parameters())
    431080
    """
    rows, columns = (((side - 4) // 2 - 4) // 2 for side in image_size)
    return nn.Sequential(
        nn.Conv2d(channels, 20, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(20, 50, 5),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(50 * rows * columns, 500),
        relu_dropout(),
        nn.Linear(500, classes),
    )


LENET_4: Final = ModelEntry("lenet-4", "conv5-20, conv5-50, FC500 (AdaDecay)", lenet_4, SMALLEST, dropout=True)
