"""The small net of the thesis on noise injection and gradient regularisation.

Layer for layer the CNN of TensorFlow's tutorial, whose defaults fill in what the thesis does not say: valid
padding, Glorot-uniform weights (Glorot, Bengio 2010), zero bias. A ReLU after pooling gives the same numbers and
gradients as one before it, for a quarter of the pixels.
"""

from __future__ import annotations

from typing import Final

from torch import nn

from tune_reg.models.entry import ModelEntry

SMALLEST: Final = 18  # 18 -> 16 -> 8 -> 6 -> 3 -> 1


def small_cnn(channels: int, image_size: tuple[int, int], classes: int) -> nn.Module:
    """The small CNN: [B, C, H, W] with H, W >= 18 to logits [B, classes].

    >>> sum(p.numel() for p in small_cnn(3, (32, 32), 10).parameters())
    122570
    """
    rows, columns = (((side - 2) // 2 - 2) // 2 - 2 for side in image_size)
    net = nn.Sequential(
        nn.Conv2d(channels, 32, 3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(64, 64, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * rows * columns, 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )
    for layer in net:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return net


SMALL_CNN: Final = ModelEntry("small-cnn", "conv3-32, conv3-64, conv3-64, FC64 (thesis)", small_cnn, SMALLEST)
