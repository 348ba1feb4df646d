"""Convolutions of networks that run under ``torch.func.vmap``, computed by a formulation of the lanes' own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight
from torch.overrides import TorchFunctionMode

from tune_reg.training.lanes.convolutions.formulations import Formulation
from tune_reg.training.lanes.convolutions.geometry import Geometry, geometry_of


class LaneConvolutions(TorchFunctionMode):
    """Within it, each ``conv2d`` under a vmap over lanes is computed by ``formulation``, from the tensors of all lanes.

    ``formulation`` is differentiated like any function of the stacked tensors, as often as one likes. Images of 3
    dimensions and the padding "same" that is uneven stay torch's.

    The outputs of some formulations lie in memory with channels last. Of these ``batch_norm`` gets a contiguous copy:
    torch's own for CUDA asks for their order of memory, which a tensor under vmap cannot say.

    >>> from tune_reg.training.lanes.convolutions.im2col import im2col
    >>> with LaneConvolutions(im2col):
    ...     outputs = torch.func.vmap(torch.nn.functional.conv2d)(torch.ones(2, 5, 1, 4, 4), torch.ones(2, 3, 1, 3, 3))
    >>> outputs.shape
    torch.Size([2, 5, 3, 2, 2])
    """

    def __init__(self, formulation: Formulation) -> None:
        super().__init__()
        self._formulation = formulation

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        if func is torch.conv2d:
            outputs = self._conv2d(*args, **kwargs)
            if outputs is not None:
                return outputs
        if func in (functional.batch_norm, torch.batch_norm):
            args = (args[0].contiguous(), *args[1:])
        return func(*args, **kwargs)

    def _conv2d(
        self,
        input: Tensor,  # noqa: A002  # as torch calls it
        weight: Tensor,
        bias: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor | None:
        geometry = geometry_of((weight.shape[2], weight.shape[3]), *args, **kwargs)
        if geometry is None or input.ndim != 4:
            return None
        outputs: Tensor = _Convolution.apply(input, weight, bias, geometry, self._formulation)
        return outputs


class _Convolution(torch.autograd.Function):
    """A convolution that is one of torch outside of vmap, and of all lanes at once under it."""

    @staticmethod
    def forward(
        images: Tensor, weights: Tensor, bias: Tensor | None, geometry: Geometry, formulation: Formulation
    ) -> Tensor:
        del formulation
        return torch.conv2d(images, weights, bias, *geometry)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        del output
        images, weights, _, ctx.geometry, _ = inputs
        ctx.save_for_backward(images, weights)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Where neither images nor weights are a lane's own, vmap leaves a convolution as it is."""
        images, weights = ctx.saved_tensors
        along, geometry, needed = gradients[0], ctx.geometry, ctx.needs_input_grad
        return (
            conv2d_input(images.shape, weights, along, *geometry) if needed[0] else None,  # type: ignore[no-untyped-call]
            conv2d_weight(images, weights.shape, along, *geometry) if needed[1] else None,  # type: ignore[no-untyped-call]
            along.sum((0, 2, 3)) if needed[2] else None,
            None,
            None,
        )

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        images: Tensor,
        weights: Tensor,
        bias: Tensor | None,
        geometry: Geometry,
        formulation: Formulation,
    ) -> tuple[Tensor, int]:
        """All lanes at once; vmap calls it outside of itself, with the stacked tensors."""
        if in_dims[0] is not None:
            images = images.movedim(in_dims[0], 0)
        weights = _stacked(weights, in_dims[1], info.batch_size)
        if bias is not None:
            bias = _stacked(bias, in_dims[2], info.batch_size)
        return formulation(images, weights, bias, geometry), 0


def _stacked(tensor: Tensor, dim: int | None, lanes: int) -> Tensor:
    """A tensor with its lanes first, or the same one for all lanes where it has none."""
    return tensor.expand(lanes, *tensor.shape) if dim is None else tensor.movedim(dim, 0)
