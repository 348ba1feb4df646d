"""The classifier: a net with the normalisation of its images, and the black border of small images, inside."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Classifier(nn.Module):
    """A net that pads images with black to the smallest size that it takes, and normalises each channel.

    Input [B, C, H, W] in [0, 1], output logits [B, classes], so that attacks and noise act on images in [0, 1].
    The border is added before the normalisation, so that it is black like the background of the digits. It has the
    same width on both sides (one pixel more at the bottom and right where the number of pixels is odd). ``mean`` and
    ``std`` are buffers [1, C, 1, 1] and so part of the saved state; a channel with std = 0 is only shifted. Examples
    other than images of bytes are given to the net as they are: ``mean`` and ``std`` are None.
    """

    mean: Tensor | None
    std: Tensor | None

    def __init__(
        self, net: nn.Module, mean: Tensor | None, std: Tensor | None, border: tuple[int, int, int, int]
    ) -> None:
        super().__init__()
        self.net = net
        self.border = border
        """Width of the border: left, right, top, bottom."""
        self.register_buffer("mean", None if mean is None else mean.detach().clone().reshape(1, -1, 1, 1))
        self.register_buffer("std", None if std is None else std.detach().where(std != 0, 1).reshape(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """The logits [B, classes] of images [B, C, H, W] in [0, 1], or of other examples [B, ...]."""
        if any(self.border):
            images = functional.pad(images, self.border)
        if self.mean is not None and self.std is not None:
            images = (images - self.mean) / self.std
        logits: Tensor = self.net(images)
        return logits


def border(height: int, width: int, smallest: int) -> tuple[int, int, int, int]:
    """The widths of the left, right, top and bottom border that make an image at least smallest x smallest.

    >>> border(8, 8, 16), border(28, 15, 16)
    ((4, 4, 4, 4), (0, 1, 0, 0))
    """
    lack_x, lack_y = max(0, smallest - width), max(0, smallest - height)
    return lack_x // 2, lack_x - lack_x // 2, lack_y // 2, lack_y - lack_y // 2
