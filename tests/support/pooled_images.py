"""Images to pool, in each order of memory, and what torch's max-pooling of one network after the other gives."""

import torch
from torch.nn import functional

LANES = 3

#: The axes of images in memory: of single networks, and of lanes as each formulation of a convolution leaves them.
ORDERS = [(0, 1, 2, 3), (0, 2, 3, 1), (0, 1, 2, 3, 4), (1, 0, 2, 3, 4), (1, 3, 4, 0, 2)]


def images_in(order, window, values, dtype=torch.float64, left_over=(0, 0)):
    """Images of 3 x 2 windows, and of so many rows and columns that are in none."""
    shape = (LANES, 4, 5, 3 * window[0] + left_over[0], 2 * window[1] + left_over[1])[5 - len(order) :]
    numbers = torch.arange(torch.Size(shape).numel()).remainder(37).view(shape)
    normal = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    images = {
        "random": normal,
        "ties": numbers.remainder(3).to(dtype),
        "zeros of both signs": torch.where(numbers % 2 == 0, 0.0, -0.0).to(dtype),
        "not finite": normal.masked_fill(numbers % 3 == 0, float("nan")).masked_fill(numbers % 4 < 2, -float("inf")),
        "infinite": normal.masked_fill(numbers % 5 < 3, float("inf")),
        "nothing but -inf": torch.full(shape, -float("inf"), dtype=dtype),
    }[values]
    return images.permute(order).contiguous().permute([order.index(axis) for axis in range(len(order))])


def same_bits(one, other):
    return torch.equal(torch.nan_to_num(one, 7.0), torch.nan_to_num(other, 7.0)) and one.signbit().equal(
        other.signbit()
    )


def of_each(images, window):
    """Torch's max-pooling of one network after the other."""
    if images.ndim == 4:
        return functional.max_pool2d(images, window)
    return torch.stack([functional.max_pool2d(of_lane, window) for of_lane in images])
