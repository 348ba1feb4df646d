"""K convolutions with own weights as one grouped convolution, as ``torch.func.vmap`` writes them."""

from __future__ import annotations

import torch
from torch import Tensor

from tune_reg.training.lanes.convolutions.geometry import Geometry


def grouped(inputs: Tensor, weights: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Outputs [K, B, O, P, Q] of one convolution with K times the groups, in the order of memory [B, K, O, P, Q].

    ``inputs``: [K, B, C, H, W], or [B, C, H, W] that all lanes share. ``weights``: [K, O, C / groups, h, w].
    ``bias``: [K, O].

    >>> grouped(torch.ones(3, 1, 2, 2), torch.ones(5, 4, 1, 2, 2), None, Geometry()).shape
    torch.Size([5, 3, 4, 1, 1])
    """
    return _as_one(inputs, weights, bias, geometry, torch.contiguous_format)


def grouped_channels_last(inputs: Tensor, weights: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """As ``grouped``, in the order of memory [B, P, Q, K, O]."""
    return _as_one(inputs, weights, bias, geometry, torch.channels_last)


def _as_one(
    inputs: Tensor, weights: Tensor, bias: Tensor | None, geometry: Geometry, memory_format: torch.memory_format
) -> Tensor:
    lanes, out = weights.shape[:2]
    stride, padding, dilation, groups = geometry
    if inputs.ndim == weights.ndim:
        images, groups = inputs.transpose(0, 1).flatten(1, 2), lanes * groups
    elif groups == 1:
        images = inputs  # all lanes read the same channels: no groups are needed
    else:
        images, groups = inputs.repeat(1, lanes, 1, 1), lanes * groups
    outputs = torch.conv2d(
        images.contiguous(memory_format=memory_format),
        weights.flatten(0, 1).contiguous(memory_format=memory_format),
        None if bias is None else bias.flatten(),
        stride,
        padding,
        dilation,
        groups,
    )
    return outputs.view(len(outputs), lanes, out, *outputs.shape[2:]).transpose(0, 1)
