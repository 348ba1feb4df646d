"""DenseNet-BC-100-12, from torchvision: Huang, Liu, van der Maaten, Weinberger 2017 (arXiv 1608.06993), section 3.

conv3x3-24, three dense blocks of 16 bottleneck layers (BN, ReLU, conv1x1-48, BN, ReLU, conv3x3-12), between them
transitions that halve channels and image, then BN, ReLU, global average pool and a linear layer: 100 layers. Of
torchvision's net the first convolution is replaced, and BN, ReLU and max-pool after it are left out, as in the
paper's net for CIFAR. torchvision's weights: He normal by fan-in, zero bias.
"""

from __future__ import annotations

from typing import Final

from torch import nn

from tune_reg.models.entry import ModelEntry

SMALLEST: Final = 8  # 8 -> 4 -> 2: BN never sees a single pixel, which fails in a batch of one image


def densenet_bc_100_12(channels: int, image_size: tuple[int, int], classes: int) -> nn.Module:  # noqa: ARG001
    """DenseNet-BC-100-12: [B, C, H, W] with H, W >= 8 to logits [B, classes].

    >>> sum(p.numel() for p in densenet_bc_100_12(3, (32, 32), 10).parameters())
    769162
    """
    from torchvision.models import DenseNet  # takes a second, so not at the top

    growth = 12
    net: nn.Module = DenseNet(growth, (16, 16, 16), 2 * growth, bn_size=4, num_classes=classes)
    features = net.get_submodule("features")
    features.conv0 = nn.Conv2d(channels, 2 * growth, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(features.conv0.weight)
    for name in ("norm0", "relu0", "pool0"):
        delattr(features, name)
    return net


DENSENET_BC_100_12: Final = ModelEntry(
    "densenet-bc-100-12",
    "DenseNet-BC, depth 100, growth 12, 0.77 M (residual smoothing, AdaDecay)",
    densenet_bc_100_12,
    SMALLEST,
)
