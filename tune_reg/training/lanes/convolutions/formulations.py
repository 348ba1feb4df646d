"""The ways to compute a convolution of K lanes, by name, and which of them a layer can take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from tune_reg.training.lanes.convolutions.geometry import Geometry
from tune_reg.training.lanes.convolutions.grouped import grouped, grouped_channels_last
from tune_reg.training.lanes.convolutions.im2col import column_bytes, im2col
from tune_reg.training.lanes.convolutions.implicit_gemm import (
    implicit_gemm,
    implicit_gemm_with_grouped_image_gradients,
    is_available,
)
from tune_reg.training.lanes.convolutions.layer import Layer

#: Outputs [K, B, O, P, Q] from inputs [K, B, C, H, W] or [B, C, H, W], weights [K, O, C / groups, h, w], bias [K, O].
Formulation = Callable[[Tensor, Tensor, Tensor | None, Geometry], Tensor]

#: The first one is what torch.func.vmap does by itself.
FORMULATIONS: Final[dict[str, Formulation]] = {
    "grouped": grouped,
    "grouped channels_last": grouped_channels_last,
    "im2col": im2col,
    "implicit GEMM": implicit_gemm,
    "implicit GEMM, grouped image gradients": implicit_gemm_with_grouped_image_gradients,
}

#: The patches of im2col are kept until the backward pass, and may take this share of the device's memory.
_PATCHES: Final = 1 / 32


def candidates(layer: Layer, memory: int) -> list[str]:
    """The names of the formulations that are worth measuring for a layer on a device of ``memory`` bytes.

    >>> layer = Layer(2, (8, 2, 4, 4), (2, 1, 3, 3), Geometry(groups=2), torch.float64)
    >>> candidates(layer, memory=2**30), candidates(layer, memory=2**10)
    (['grouped', 'grouped channels_last', 'im2col'], ['grouped', 'grouped channels_last'])
    """
    names = ["grouped", "grouped channels_last"]
    images = layer.images if layer.shared else (layer.lanes, *layer.images)
    patches = column_bytes(images, layer.weights[2:], layer.geometry, layer.dtype.itemsize)
    if patches <= _PATCHES * memory:
        names.append("im2col")
    if layer.geometry.groups == 1 and layer.dtype in {torch.float32, torch.bfloat16} and is_available():
        names.append("implicit GEMM")
        if layer.image_gradient:
            names.append("implicit GEMM, grouped image gradients")
    return names
