"""K convolutions with own weights by Triton's kernels of this package, and their derivatives of any order.

A convolution and its two gradients are three functions, each linear in both of its tensors, and the derivatives of each
are again among the three. So gradients can be differentiated as often as a penalty asks for.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tune_reg.training.lanes.convolutions.geometry import Geometry
from tune_reg.training.precision import takes_tf32

#: A tile of the outputs has at most so many pixels and channels, and reads so many entries of the weights at a time; a
#: tile of the gradient of weights so many channels and entries, and so many pixels. By times of the layers of lenet-4,
#: small-cnn and resnet-20 on an H200. Three products of TF32 in place of one need more registers, for fewer pixels.
_PIXELS: Final = 128
_PIXELS_OF_THREE_PRODUCTS: Final = 64
_CHANNELS: Final = 64
_DEPTH: Final = 32
_SUMMED_CHANNELS: Final = 32
_SUMMED_ENTRIES: Final = 128
_SUMMED_DEPTH: Final = 64
#: A product of matrices takes no fewer than 16 rows and columns.
_LEAST: Final = 16
#: The sum over pixels of the gradient of weights is split until there are about so many programs.
_PROGRAMS: Final = 1024
#: Channels are filled up to a multiple of it, so that 16 bytes of a pixel are read at a time; but a single one is not.
_RUN: Final = 4


def is_available() -> bool:
    """Whether Triton is installed; it comes with torch for CUDA on Linux."""
    return importlib.util.find_spec("triton") is not None


def implicit_gemm(inputs: Tensor, weights: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """Outputs [K, B, O, P, Q] by a Triton kernel, in the order of memory [K, B, P, Q, O], where groups is 1.

    ``inputs``: [K, B, C, H, W], or [B, C, H, W] that all lanes share. ``weights``: [K, O, C, h, w].
    ``bias``: [K, O].
    """
    return _of_all_lanes(inputs, weights, bias, _How(geometry))


def implicit_gemm_with_grouped_image_gradients(
    inputs: Tensor, weights: Tensor, bias: Tensor | None, geometry: Geometry
) -> Tensor:
    """As ``implicit_gemm``, but the gradient of the images is that of one grouped convolution of torch.

    It sums over O h w entries, and cuDNN reuses more of them than the kernel does.
    """
    return _of_all_lanes(inputs, weights, bias, _How(geometry, grouped_image_gradients=True))


class _How(NamedTuple):
    """A geometry, and whether gradients of images are torch's."""

    geometry: Geometry
    grouped_image_gradients: bool = False


def _of_all_lanes(inputs: Tensor, weights: Tensor, bias: Tensor | None, how: _How) -> Tensor:
    if inputs.ndim < weights.ndim:
        inputs = inputs.expand(len(weights), *inputs.shape)
    outputs: Tensor = _Outputs.apply(inputs.movedim(2, -1), weights.movedim(2, -1), bias, how)
    return outputs.movedim(-1, 2)


# From here on images are [K, B, H, W, C], weights [K, O, h, w, C] and outputs and their gradients [K, B, P, Q, O].


class _Outputs(torch.autograd.Function):
    """The convolution of images and weights, plus a bias where there is one."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weights: Tensor, bias: Tensor | None, how: _How) -> Tensor:
        ctx.save_for_backward(images, weights)
        ctx.how = how
        padded = _padded(images, how.geometry.padding)
        return _convolved(padded, weights, bias, how.geometry.stride, how.geometry.dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        images, weights = ctx.saved_tensors
        return (
            _of_images(ctx, 0, gradients[0], weights, images.shape),
            _of_weights(ctx, 1, gradients[0], images, weights.shape),
            gradients[0].sum((1, 2, 3)) if ctx.needs_input_grad[2] else None,
            None,
        )


class _OfImages(torch.autograd.Function):
    """The gradient of images, from the gradient of outputs and the weights."""

    @staticmethod
    def forward(ctx: Any, gradients: Tensor, weights: Tensor, shape: torch.Size, how: _How) -> Tensor:
        ctx.save_for_backward(gradients, weights)
        ctx.how = how
        if how.grouped_image_gradients:
            return _grouped_image_gradients(gradients, weights, shape, how.geometry)
        spread = _spread(gradients, (shape[2], shape[3]), (weights.shape[2], weights.shape[3]), how.geometry)
        return _convolved(spread, weights.flip(2, 3).transpose(1, 4), None, (1, 1), how.geometry.dilation)

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
    def forward(ctx: Any, gradients: Tensor, images: Tensor, shape: torch.Size, how: _How) -> Tensor:
        ctx.save_for_backward(gradients, images)
        ctx.how = how
        return _summed_over_pixels(gradients, images, shape, how.geometry)

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
    outputs: Tensor = _Outputs.apply(images, weights, None, ctx.how)
    return outputs


def _of_images(ctx: Any, argument: int, gradients: Tensor, weights: Tensor, shape: torch.Size) -> Tensor | None:
    if not ctx.needs_input_grad[argument]:
        return None
    images: Tensor = _OfImages.apply(gradients, weights, shape, ctx.how)
    return images


def _of_weights(ctx: Any, argument: int, gradients: Tensor, images: Tensor, shape: torch.Size) -> Tensor | None:
    if not ctx.needs_input_grad[argument]:
        return None
    weights: Tensor = _OfWeights.apply(gradients, images, shape, ctx.how)
    return weights


# The kernels and their arguments


def _convolved(
    images: Tensor, weights: Tensor, bias: Tensor | None, stride: tuple[int, int], dilation: tuple[int, int]
) -> Tensor:
    """Outputs from images without padding, which may have more channels than the weights."""
    from tune_reg.training.lanes.convolutions import triton_kernels

    images = _by_lane(images)
    if images.shape[4] > weights.shape[4]:
        weights = functional.pad(weights, (0, images.shape[4] - weights.shape[4]))
    weights = weights.contiguous()
    lanes, channels, *entries = weights.shape
    size = Geometry(stride, dilation=dilation).output_size(
        (images.shape[2], images.shape[3]), (weights.shape[2], weights.shape[3])
    )
    outputs = images.new_empty(lanes, images.shape[1], *size, channels)
    pixels = images.shape[1] * size[0] * size[1]
    summed = torch.Size(entries).numel()
    tile, arithmetic = _tile(channels, _CHANNELS), _arithmetic(weights)
    of_tile = _PIXELS_OF_THREE_PRODUCTS if arithmetic["PRECISION"] == "tf32x3" else _PIXELS
    with torch.cuda.device_of(weights):  # type: ignore[no-untyped-call]
        triton_kernels.outputs_kernel[_tiles(pixels, of_tile), _tiles(channels, tile), lanes](
            images,
            weights,
            weights if bias is None else bias.contiguous(),
            *_tables(images.shape[1:], weights.shape[2:4], size, stride, dilation, images.device),
            outputs,
            pixels,
            images.stride(0),
            weights.stride(0),
            outputs.stride(0),
            E=summed,
            O=channels,
            RUN=_run(images),
            BIASED=bias is not None,
            CHANNELS=tile,
            PIXELS=of_tile,
            DEPTH=_tile(summed, _DEPTH),
            num_warps=4,
            num_stages=3,
            **arithmetic,
        )
    return outputs


def _summed_over_pixels(gradients: Tensor, images: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
    """The gradient of weights of a shape [K, O, h, w, C]."""
    from tune_reg.training.lanes.convolutions import triton_kernels

    gradients, images = _by_lane(gradients), _by_lane(_padded(images, geometry.padding))
    lanes, channels = shape[:2]
    entries = (*shape[2:4], images.shape[4])
    size = (gradients.shape[2], gradients.shape[3])
    pixels = gradients.shape[1] * size[0] * size[1]
    summed = torch.Size(entries).numel()
    rows, columns = _tile(channels, _SUMMED_CHANNELS), _tile(summed, _SUMMED_ENTRIES)
    tiles = _tiles(channels, rows) * _tiles(summed, columns)
    parts = min(_tiles(_PROGRAMS, tiles * lanes), _tiles(pixels, _SUMMED_DEPTH))
    of_part = _tiles(_tiles(pixels, parts), _SUMMED_DEPTH) * _SUMMED_DEPTH
    parts = _tiles(pixels, of_part)
    dtype = torch.promote_types(images.dtype, torch.float32)
    sums = images.new_empty(lanes, parts, channels, *entries, dtype=dtype)
    with torch.cuda.device_of(images):  # type: ignore[no-untyped-call]
        triton_kernels.weights_kernel[tiles, parts, lanes](
            gradients,
            images,
            *_tables(images.shape[1:], shape[2:4], size, geometry.stride, geometry.dilation, images.device),
            sums,
            pixels,
            of_part,
            gradients.stride(0),
            images.stride(0),
            E=summed,
            O=channels,
            RUN=_run(images),
            EVEN=pixels % _SUMMED_DEPTH == 0,
            CHANNELS=rows,
            ENTRIES=columns,
            DEPTH=_SUMMED_DEPTH,
            num_warps=4,
            num_stages=2,
            **_arithmetic(images),
        )
    return sums.sum(1)[..., : shape[4]].to(images.dtype)


@functools.cache  # kept, as graphs read them
def _tables(
    images: torch.Size,
    kernel: torch.Size,
    size: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Where entries of weights [h, w, C] and pixels of outputs [B, P, Q] meet images [B, H, W, C]; their sum is where.

    Both are int32, and longer than they must be by up to a tile: what is too much is where the last ones are.
    """
    batch, height, width, channels = images
    row, column = width * channels, channels
    i, j, c = (torch.arange(count) for count in (*kernel, channels))
    entries = (i * (dilation[0] * row))[:, None, None] + (j * (dilation[1] * column))[:, None] + c
    b, p, q = (torch.arange(count) for count in (batch, *size))
    corners = (b * (height * row))[:, None, None] + (p * (stride[0] * row))[:, None] + q * (stride[1] * column)
    whole = []
    for table, tile, last in (
        (entries.flatten(), _SUMMED_ENTRIES, math.gcd(channels, _SUMMED_ENTRIES)),
        (corners.flatten(), _PIXELS, 1),
    ):
        too_much = -table.numel() % tile
        whole.append(torch.cat([table, table[-last:].repeat(too_much // last)]).to(device, torch.int32))
    return whole[0], whole[1]


def _run(images: Tensor) -> int:
    """So many numbers of images lie side by side for all pixels and entries, at a multiple of it: a power of two."""
    return math.gcd(images.shape[4], 16)


def _grouped_image_gradients(gradients: Tensor, weights: Tensor, shape: torch.Size, geometry: Geometry) -> Tensor:
    lanes, batch, *size, channels = shape
    stride, padding, dilation, _ = geometry
    # Rows and columns of the images that no kernel reaches.
    left_over = [
        (image + 2 * around - step * (of_kernel - 1) - 1) % apart
        for image, around, step, of_kernel, apart in zip(
            size, padding, dilation, weights.shape[2:4], stride, strict=True
        )
    ]
    images = functional.conv_transpose2d(
        gradients.permute(1, 0, 4, 2, 3).flatten(1, 2),
        weights.permute(0, 1, 4, 2, 3).flatten(0, 1),
        None,
        stride,
        padding,
        left_over,
        lanes,
        dilation,
    )
    return images.view(batch, lanes, channels, *size).permute(1, 0, 3, 4, 2)


def _padded(images: Tensor, padding: tuple[int, int]) -> Tensor:
    """Images with zeros around them and in further channels; lanes that are one and the same in memory stay so."""
    around = (0, _missing(images.shape[4]), *(padding[1],) * 2, *(padding[0],) * 2)
    if not any(around):
        return images
    if images.stride(0) == 0:
        return functional.pad(images[0], around).expand(len(images), *(-1,) * (images.ndim - 1))
    return functional.pad(images, around)


def _missing(channels: int) -> int:
    """The channels that are missing to a multiple of ``_RUN``.

    >>> _missing(50), _missing(8), _missing(1)
    (2, 0, 0)
    """
    return -channels % _RUN if channels > 1 else 0


def _spread(gradients: Tensor, image: tuple[int, int], kernel: tuple[int, int], geometry: Geometry) -> Tensor:
    """What convolved with the turned weights is the gradient of images of a size: gradients with zeros between them.

    There are zeros around them and in further channels, too, or some at the edge are left out.
    """
    stride, padding, dilation, _ = geometry
    lanes, batch, *size, channels = gradients.shape
    if stride != (1, 1):
        rows, columns = ((count - 1) * step + 1 for count, step in zip(size, stride, strict=True))
        apart = gradients.new_zeros(lanes, batch, rows, columns, channels)
        apart[:, :, :: stride[0], :: stride[1]] = gradients
        gradients = apart
    around = [0, _missing(channels)]
    for axis in (1, 0):
        reach = dilation[axis] * (kernel[axis] - 1)
        before = reach - padding[axis]
        around += [before, image[axis] + reach - before - gradients.shape[2 + axis]]
    return functional.pad(gradients, around) if any(around) else gradients


def _by_lane(tensor: Tensor) -> Tensor:
    """The tensor [K, ...] with contiguous lanes, which are one and the same where they are so in memory."""
    if tensor.stride(0) == 0:
        return tensor[0].contiguous().expand_as(tensor)
    return tensor.contiguous()


def _arithmetic(tensor: Tensor) -> dict[str, Any]:
    """The types of factors and sums, and how float32 is multiplied: with TF32 alone only where torch may use it, too.

    Otherwise three products of TF32 numbers are as good as one of float32, on tensor cores.
    """
    import triton.language as tl

    types = {torch.float64: tl.float64, torch.bfloat16: tl.bfloat16}
    # Triton's interpreter, which stands in for the device on a CPU, cannot multiply bfloat16.
    factors = types.get(tensor.dtype, tl.float32) if tensor.is_cuda or tensor.dtype == torch.float64 else tl.float32
    of_float32 = "tf32" if takes_tf32() else "tf32x3"
    return {
        "FACTORS": factors,
        "SUMS": tl.float64 if tensor.dtype == torch.float64 else tl.float32,
        "PRECISION": of_float32 if tensor.dtype == torch.float32 else "ieee",
    }


def _tile(entries: int, most: int) -> int:
    """The power of two that holds all entries, within what a tile may have."""
    return min(most, max(_LEAST, 1 << (entries - 1).bit_length()))


def _tiles(entries: int, of_tile: int) -> int:
    return -(-entries // of_tile)
