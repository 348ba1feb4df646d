"""K convolutions with own weights as a batch of products of matrices, of weights and of the images' patches."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from tune_reg.training.lanes.convolutions.geometry import Geometry


def im2col(inputs: Tensor, weights: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Outputs [K, B, O, P, Q] as products of the weights [O, C h w] and the patches [C h w, B P Q] of each lane.

    ``inputs``: [K, B, C, H, W], or [B, C, H, W] that all lanes share. ``weights``: [K, O, C / groups, h, w].
    ``bias``: [K, O].

    >>> im2col(torch.ones(3, 1, 2, 2), torch.ones(5, 4, 1, 2, 2), None, Geometry()).shape
    torch.Size([5, 3, 4, 1, 1])
    """
    lanes, out, _, *kernel = weights.shape
    groups = geometry.groups
    shared = inputs.ndim < weights.ndim
    images = inputs if shared else inputs.flatten(0, 1)
    rows, columns = geometry.output_size((images.shape[2], images.shape[3]), (kernel[0], kernel[1]))
    patches = _patches(images, (kernel[0], kernel[1]), geometry)
    batch, channels = inputs.shape[-4], images.shape[1] // groups
    # [K B or B, C, h, w, P, Q] -> [K or 1, groups, C h w / groups, B P Q], by one copy of all of them
    patches = patches.view(-1, batch, groups, channels, *patches.shape[2:]).permute(0, 2, 3, 4, 5, 1, 6, 7)
    patches = patches.reshape(len(patches), groups, channels * kernel[0] * kernel[1], batch * rows * columns)
    matrices = weights.reshape(lanes, groups, out // groups, -1)
    if shared:  # all lanes in one product
        matrices = matrices.transpose(0, 1).reshape(groups, lanes * (out // groups), -1)
        products = torch.bmm(matrices, patches[0])
        products = products.view(groups, lanes, out // groups, -1).transpose(0, 1)
    else:
        products = torch.bmm(matrices.flatten(0, 1), patches.flatten(0, 1))
    outputs = products.reshape(lanes, out, batch, rows, columns).transpose(1, 2)
    return outputs if bias is None else outputs + bias[:, None, :, None, None]


def _patches(images: Tensor, kernel: tuple[int, int], geometry: Geometry) -> Tensor:
    """The patches [N, C, h, w, P, Q] of images [N, C, H, W], as views of the padded images.

    ``torch.nn.functional.unfold`` copies them image by image on a GPU, one kernel for each.
    """
    padded = functional.pad(images, (geometry.padding[1],) * 2 + (geometry.padding[0],) * 2)
    for dim, (size, stride, dilation) in enumerate(zip(kernel, geometry.stride, geometry.dilation, strict=True), 2):
        padded = padded.unfold(dim, dilation * (size - 1) + 1, stride)  # the patch's axis comes last
    return padded[..., :: geometry.dilation[0], :: geometry.dilation[1]].permute(0, 1, 4, 5, 2, 3)


def column_bytes(images: tuple[int, ...], kernel: tuple[int, ...], geometry: Geometry, itemsize: int) -> int:
    """Bytes of the patches of images [..., C, H, W] for kernels [h, w]: how much ``im2col`` keeps."""
    height, width = kernel
    rows, columns = geometry.output_size((images[-2], images[-1]), (height, width))
    return math.prod(images[:-2]) * height * width * rows * columns * itemsize
