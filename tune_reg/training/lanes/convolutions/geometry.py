"""What a convolution is besides its tensors: stride, padding, dilation and groups."""

from __future__ import annotations

from typing import Any, NamedTuple


class Geometry(NamedTuple):
    """Stride, padding and dilation by rows and columns, and the groups of channels of a convolution.

    >>> Geometry(stride=(2, 2), padding=(1, 1)).output_size((7, 8), (3, 3))
    (4, 4)
    """

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def output_size(self, image: tuple[int, int], kernel: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of the output for an image and a kernel of so many rows and columns."""
        rows, columns = (
            (side + 2 * padding - dilation * (of_kernel - 1) - 1) // stride + 1
            for side, of_kernel, stride, padding, dilation in zip(
                image, kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
        return rows, columns


def geometry_of(
    kernel: tuple[int, int], stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Geometry | None:
    """The geometry that ``torch.nn.functional.conv2d`` makes of its arguments, for a kernel of rows and columns.

    None for the padding "same" that is not the same on both sides.

    >>> geometry_of((3, 5), padding="same")
    Geometry(stride=(1, 1), padding=(1, 2), dilation=(1, 1), groups=1)
    >>> geometry_of((2, 2), padding="same")
    """
    steps = _pair(dilation)
    if padding == "valid":
        padding = 0
    elif padding == "same":
        around = [step * (side - 1) for step, side in zip(steps, kernel, strict=True)]
        if any(total % 2 for total in around):
            return None
        padding = tuple(total // 2 for total in around)
    return Geometry(_pair(stride), _pair(padding), steps, groups)


def _pair(sides: Any) -> tuple[int, int]:
    """Rows and columns of an argument that is one number for both, or one for each."""
    if isinstance(sides, int):
        return sides, sides
    rows, columns = tuple(sides) * (3 - len(sides))
    return int(rows), int(columns)
