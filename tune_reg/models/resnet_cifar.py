"""ResNets for small images: He, Zhang, Ren, Sun 2016, section 4.2 (arXiv 1512.03385), shortcuts of option A.

conv3x3-16, three stages of n basic blocks with 16, 32, 64 channels (the last two halve the image), global
average pool, linear layer: 6 n + 2 layers. Convolutions start from He's normal weights by fan-in (He et al.
2015), the linear layer from functools import partial

from typing import Final

from torch's default.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Final

from torch import Tensor, nn
from torch.nn import functional

from tune_reg.models.entry import ModelEntry

STAGES: Final = (16, 32, 64)


def shortcut_a(images: Tensor, channels: int, stride: int) -> Tensor:
    """The shortcut of option A: every stride-th pixel, with channels of zeros on both sides up to ``channels``.

    [B, C, H, W] to [B, channels, ceil(H / stride), ceil(W / stride)]; no parameters.
    """
    lack = channels - images.shape[1]
    if stride == 1 and lack == 0:
        return images
    return functional.pad(images[:, :, ::stride, ::stride], (0, 0, 0, 0, lack // 2, lack - lack // 2))


class BasicBlock(nn.Module):
    """A residual block: conv3x3, BN, ReLU, conv3x3, BN, plus the shortcut, ReLU."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride
        self.conv1 = _conv3x3(before, channels, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels, 1)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, images: Tensor) -> Tensor:
        """The output of the block: [B, before, H, W] to [B, channels, ceil(H / stride), ceil(W / stride)]."""
        out = functional.relu(self.bn1(self.conv1(images)))
        out = self.bn2(self.conv2(out))
        return functional.relu(out + shortcut_a(images, self.channels, self.stride))


class GlobalAveragePool(nn.Module):
    """The mean over all pixels: [B, C, H, W] to [B, C]."""

    def forward(self, images: Tensor) -> Tensor:
        """The mean of each channel."""
        return images.mean((2, 3))


def resnet(channels: int, image_size: tuple[int, int], classes: int, *, n: int) -> nn.Module:  # noqa: ARG001
    """ResNet with 6 n + 2 layers: [B, C, H, W] of any size to logits [B, classes].

    >>> sum(p.numel() for p in resnet(3, (32, 32), 10, n=3).parameters())
    269722
    """
    layers: list[nn.Module] = [_conv3x3(channels, STAGES[0], 1), nn.BatchNorm2d(STAGES[0]), nn.ReLU()]
    for before, after in pairwise((STAGES[0], *STAGES)):
        stride = 1 if before == after else 2
        layers += [BasicBlock(before, after, stride), *(BasicBlock(after, after, 1) for _ in range(n - 1))]
    net = nn.Sequential(*layers, GlobalAveragePool(), nn.Linear(STAGES[-1], classes))
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    return net


def _conv3x3(before: int, after: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)


RESNETS_CIFAR: Final = tuple(
    ModelEntry(f"resnet-{6 * n + 2}", f"ResNet for CIFAR, option A, {size} ({paper})", partial(resnet, n=n))
    for n, size, paper in (
        (2, "0.17 M", "weight-decay taper"),
        (3, "0.27 M", "residual smoothing"),
        (5, "0.46 M", "weight-decay taper"),
        (9, "0.85 M", "residual smoothing"),
    )
)
