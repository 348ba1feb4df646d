"""K convolutions with own weights by Triton's kernels of this package, and their derivatives of any order.

A convolution and its two gradients are three functions, each linear in both of its tensors, and the derivatives of each
are again among the three. So gradients can be differentiated as often as a penalty asks for.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Final

import torch
from torch import Tensor

from tune_reg.training.lanes.convolutions.geometry import Geometry
from tune_reg.training.precision import takes_tf32

#: Entries of a tile of the result by its rows, and of the sum that is read at a time.
_ROWS: Final = 64
_DEPTH: Final = 32
#: A tile has at most so many columns; a product of matrices takes no fewer than 16.
_MOST_COLUMNS: Final = 64
_LEAST: Final = 16
#: The sum over pixels of the gradient of weights is split until there are about so many programs.
_PROGRAMS: Final = 1024


def is_available() -> bool:
    """Whether Triton is installed; it comes with torch for CUDA on Linux."""
    return importlib.util.find_spec("triton") is not None


def implicit_gemm(inputs: Tensor, weights: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Outputs [K, B, O, P, Q] by a Triton kernel, where ``geometry.groups`` is 1.

    ``inputs``: [K, B, C, H, W], or [B, C, H, W] that all lanes share. ``weights``: [K, O, C, h, w].
    ``bias``: [K, O].
    """
    if inputs.ndim < weights.ndim:
        inputs = inputs.expand(len(weights), *inputs.shape)
    outputs: Tensor = _Outputs.apply(inputs, weights, geometry)
    return outputs if bias is None else outputs + bias[:, None, :, None, None]


class _Outputs(torch.autograd.Function):
    """The convolution of images and weights."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weights: Tensor, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(images, weights)
        ctx.geometry = geometry
        size = geometry.output_size((images.shape[3], images.shape[4]), (weights.shape[3], weights.shape[4]))
        outputs = images.new_empty(*images.shape[:2], weights.shape[1], *size)
        _write("outputs", images, weights, outputs, geometry)
        return outputs

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        images, weights = ctx.saved_tensors
        return (
            _of_images(ctx, 0, gradients[0], weights, images.shape),
            _of_weights(ctx, 1, gradients[0], images, weights.shape),
            None,
        )


class _OfImages(torch.autograd.Function):
    """The gradient of images, from the gradient of outputs and the weights."""

    @staticmethod
    def forward(ctx: Any, gradients: Tensor, weights: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(gradients, weights)
        ctx.geometry = geometry
        images = gradients.new_empty(shape)
        _write("images", images, weights, gradients, geometry)
        return images

    @staticmethod
    def backward(ctx: Any, *along: Tensor) -> tuple[Tensor | None, ...]:
        gradients, weights = ctx.saved_tensors
        return (
            _outputs(ctx, 0, along[0], weights),
            _of_weights(ctx, 1, gradients, along[0], weights.shape),
            None,
            None,
        )


class _OfWeights(torch.autograd.Function):
    """The gradient of weights, from the gradient of outputs and the images."""

    @staticmethod
    def forward(ctx: Any, gradients: Tensor, images: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
        ctx.save_for_backward(gradients, images)
        ctx.geometry = geometry
        return _summed_over_pixels(gradients, images, shape, geometry)

    @staticmethod
    def backward(ctx: Any, *along: Tensor) -> tuple[Tensor | None, ...]:
        gradients, images = ctx.saved_tensors
        return (
            _outputs(ctx, 0, images, along[0]),
            _of_images(ctx, 1, gradients, along[0], images.shape),
            None,
            None,
        )


def _outputs(ctx: Any, argument: int, images: Tensor, weights: Tensor) -> Tensor | None:
    if not ctx.needs_input_grad[argument]:
        return None
    outputs: Tensor = _Outputs.apply(images, weights, ctx.geometry)
    return outputs


def _of_images(ctx: Any, argument: int, gradients: Tensor, weights: Tensor, shape: torch.Size) -> Tensor | None:
    if not ctx.needs_input_grad[argument]:
        return None
    images: Tensor = _OfImages.apply(gradients, weights, shape, ctx.geometry)
    return images


def _of_weights(ctx: Any, argument: int, gradients: Tensor, images: Tensor, shape: torch.Size) -> Tensor | None:
    if not ctx.needs_input_grad[argument]:
        return None
    weights: Tensor = _OfWeights.apply(gradients, images, shape, ctx.geometry)
    return weights


# The kernels' arguments


def _write(what: str, images: Tensor, weights: Tensor, outputs: Tensor, geometry: Geometry) -> None:
    """Write "outputs" or "images" from the two others, in place."""
    from tune_reg.training.lanes.convolutions import triton_kernels

    weights = weights.contiguous()
    channels = weights.shape[1] if what == "outputs" else weights.shape[2]
    if what == "outputs":
        kernel, read, written = triton_kernels.outputs_kernel, _by_lane(images), outputs
    else:
        kernel, read, written = triton_kernels.images_kernel, _by_lane(outputs), images
    columns = _tile(channels, _MOST_COLUMNS)
    pixels = written.shape[1] * written.shape[3] * written.shape[4]
    grid = (_tiles(pixels, _ROWS), _tiles(channels, columns), len(weights))
    with torch.cuda.device_of(weights):  # type: ignore[no-untyped-call]
        kernel[grid](
            read,
            weights,
            written,
            images.shape[1],
            read.stride(0),
            weights.stride(0),
            written.stride(0),
            **_sizes(images.shape, weights.shape, outputs.shape, geometry),
            **_arithmetic(weights),
            ROWS=_ROWS,
            COLUMNS=columns,
            DEPTH=_DEPTH,
        )


def _summed_over_pixels(gradients: Tensor, images: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
    """The gradient of weights of a shape [K, O, C, h, w]."""
    from tune_reg.training.lanes.convolutions import triton_kernels

    gradients, images = _by_lane(gradients), _by_lane(images)
    lanes, out, *entries = shape
    rows, columns = _tile(out, _ROWS), _tile(torch.Size(entries).numel(), _MOST_COLUMNS)
    tiles = _tiles(out, rows) * _tiles(torch.Size(entries).numel(), columns)
    pixels = gradients.shape[1] * gradients.shape[3] * gradients.shape[4]
    parts = min(_tiles(_PROGRAMS, tiles * lanes), _tiles(pixels, _DEPTH))
    of_part = _tiles(_tiles(pixels, parts), _DEPTH) * _DEPTH
    parts = _tiles(pixels, of_part)
    sums = images.new_empty(lanes, parts, *shape[1:], dtype=torch.promote_types(images.dtype, torch.float32))
    with torch.cuda.device_of(images):  # type: ignore[no-untyped-call]
        triton_kernels.weights_kernel[tiles, parts, lanes](
            gradients,
            images,
            sums,
            images.shape[1],
            of_part,
            gradients.stride(0),
            images.stride(0),
            **_sizes(images.shape, shape, gradients.shape, geometry),
            **_arithmetic(images),
            ROWS=rows,
            COLUMNS=columns,
            DEPTH=_DEPTH,
        )
    return sums.sum(1).to(images.dtype)


def _by_lane(tensor: Tensor) -> Tensor:
    """The tensor [K, ...] with contiguous lanes, which are one and the same where they are so in memory."""
    if tensor.stride(0) == 0:
        return tensor[0].contiguous().expand_as(tensor)
    return tensor.contiguous()


def _sizes(images: torch.Size, weights: torch.Size, outputs: torch.Size, geometry: Geometry) -> dict[str, int]:
    stride, padding, dilation, _ = geometry
    return {
        **dict(zip("CHW", images[2:], strict=True)),
        **dict(zip("OPQ", outputs[2:], strict=True)),
        **dict(zip("hw", weights[3:], strict=True)),
        **dict(zip(("stride_y", "stride_x"), stride, strict=True)),
        **dict(zip(("pad_y", "pad_x"), padding, strict=True)),
        **dict(zip(("step_y", "step_x"), dilation, strict=True)),
    }


def _arithmetic(tensor: Tensor) -> dict[str, Any]:
    """The types of factors and sums, and how float32 is multiplied: as torch multiplies it in its own convolutions."""
    import triton.language as tl

    types = {torch.float64: tl.float64, torch.bfloat16: tl.bfloat16}
    # Triton's interpreter, which stands in for the device on a CPU, cannot multiply bfloat16.
    factors = types.get(tensor.dtype, tl.float32) if tensor.is_cuda or tensor.dtype == torch.float64 else tl.float32
    return {
        "FACTORS": factors,
        "SUMS": tl.float64 if tensor.dtype == torch.float64 else tl.float32,
        "PRECISION": "tf32" if takes_tf32() else "ieee",
    }


def _tile(entries: int, most: int) -> int:
    """The power of two that holds all entries, within what a tile may have."""
    return min(most, max(_LEAST, 1 << (entries - 1).bit_length()))


def _tiles(entries: int, of_tile: int) -> int:
    return -(-entries // of_tile)
