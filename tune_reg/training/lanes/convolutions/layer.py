"""A convolution of K lanes by all that its time depends on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from tune_reg.training.lanes.convolutions.geometry import Geometry


class Layer(NamedTuple):
    """The sizes, the geometry and the dtype of a convolution of K lanes, and what it is differentiated by."""

    lanes: int
    #: [B, C, H, W] of one lane.
    images: tuple[int, ...]
    #: [O, C / groups, h, w] of one lane.
    weights: tuple[int, ...]
    geometry: Geometry
    dtype: torch.dtype
    #: Whether all lanes read the same images.
    shared: bool = False
    biased: bool = False
    #: Whether gradients of the images and of the weights are asked for.
    image_gradient: bool = True
    weight_gradient: bool = True
    #: Whether the gradient of the images is differentiated once more, as a penalty on it is.
    twice: bool = False

    @property
    def kind(self) -> Layer:
        """The layer as what is chosen for it is remembered: lanes up to a power of two are alike.

        The lanes in use become fewer as runs end, and each choice takes as long as some steps.

        >>> layer = Layer(33, (8, 1, 4, 4), (2, 1, 3, 3), Geometry(), torch.float32)
        >>> layer.kind.lanes, layer._replace(lanes=32).kind.lanes
        (64, 32)
        """
        return self._replace(lanes=1 << (self.lanes - 1).bit_length())


def layer_of(inputs: Tensor, weights: Tensor, bias: Tensor | None, geometry: Geometry, *, twice: bool = False) -> Layer:
    """The layer of tensors [K, B, C, H, W] or [B, C, H, W], [K, O, C / groups, h, w] and [K, O].

    ``twice``: whether gradients of images that are asked for are differentiated once more.
    """
    differentiates = torch.is_grad_enabled()
    of_images = differentiates and inputs.requires_grad
    return Layer(
        len(weights),
        tuple(inputs.shape[-4:]),
        tuple(weights.shape[1:]),
        geometry,
        inputs.dtype,
        shared=inputs.ndim < weights.ndim,
        biased=bias is not None,
        image_gradient=of_images,
        weight_gradient=differentiates and weights.requires_grad,
        twice=twice and of_images,
    )
